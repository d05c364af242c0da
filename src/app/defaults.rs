//! Every default and every bound, with its unit and its reason, in one place.
//!
//! A setting that a flag can change takes its default from here; a bound that no flag changes is
//! used from here directly. Nothing in the program grows past one of these numbers.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

/// Where each role listens unless it is told otherwise: this machine only, on the course's ports.
pub const DEFAULT_SERVER: SocketAddr = local(8888);
/// See [`DEFAULT_SERVER`].
pub const IMAGE_SERVER: SocketAddr = local(8889);
/// See [`DEFAULT_SERVER`].
pub const PDF_SERVER: SocketAddr = local(8890);
/// See [`DEFAULT_SERVER`].
pub const REVERSE_PROXY: SocketAddr = local(18000);
/// See [`DEFAULT_SERVER`]; 666 needs privileges on most systems.
pub const LB_THREADED: SocketAddr = local(666);
/// What to take instead of [`LB_THREADED`] without privileges.
pub const LB_THREADED_UNPRIVILEGED: SocketAddr = local(6660);
/// See [`DEFAULT_SERVER`].
pub const LB_ASYNC: SocketAddr = local(44444);
/// The course's Web Servers, which the balancers share their connections among; `web-server` is the first.
pub const WEB_SERVERS: [SocketAddr; 5] = [local(9001), local(9002), local(9003), local(9004), local(9005)];

const fn local(port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

/// The folder of the site that the servers answer from.
pub const ROOT: &str = "public";

/// Connections the kernel may hold for us before `accept` (`listen(2)` backlog).
/// The course used 1 and 5, and so measured connect retries instead of servers.
pub const BACKLOG: u32 = 1024;

/// Threads of the worker pool: the threaded model serves this many connections at one instant.
pub const WORKERS: usize = 64;

/// Accepted sockets that may wait for a worker: four a worker, some 250 ms of work at 1 ms each.
pub const QUEUE: usize = 256;

/// Open client connections of one role, parked ones and those of a loop included.
pub const CONNECTIONS_MAX: usize = 10_000;

/// Connections or requests that one back end gets at a time: 0 is any number, as in HAProxy and nginx
/// (`maxconn`, `max_conns`).
pub const MAX_PER_BACKEND: usize = 0;

/// The most `--max-per-backend`: beyond what one process may hold open it limits nothing.
pub const MAX_PER_BACKEND_MAX: usize = CONNECTIONS_MAX_MAX;

/// From one look-up of the back ends' names to the next: the shortest life that names are commonly
/// given in DNS (Kubernetes: 5 s for services, 30 s in general).
pub const RESOLVE_INTERVAL: Duration = Duration::from_secs(5);

/// How much the log tells: connections and their ends, no inner workings.
pub const LOG_LEVEL: &str = "info";

/// The longest duration a flag takes, one week: in milliseconds it still fits the 31 bits of `poll(2)`.
pub const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// The shortest duration a flag takes that is not zero: pollers count in milliseconds.
pub const DURATION_MIN: Duration = Duration::from_millis(1);

/// The largest `--backlog`: older kernels keep the number in 16 bits.
pub const BACKLOG_MAX: usize = 65_535;

/// The most `--workers`: beyond a few thousand threads, stacks and switches cost more than they serve.
pub const WORKERS_MAX: usize = 4096;

/// The longest `--queue`.
pub const QUEUE_MAX: usize = 1_000_000;

/// The most `--loops`: more loops than cores gain nothing, and no machine we know has more cores.
pub const LOOPS_MAX: usize = 1024;

/// The most `--connections-max`: what one process may hold open on Linux by default (`fs.nr_open`).
pub const CONNECTIONS_MAX_MAX: usize = 1_048_576;

/// Threads of each pool in `suite`, which has up to ten pools in one process.
pub const SUITE_WORKERS: usize = 16;
/// Bytes of a configuration file: thousands of lines more than there are keys.
pub const CONFIG_BYTES_MAX: u64 = 256 * 1024;

/// Open client connections of each role in `suite`: together they stay below common limits on open files.
pub const SUITE_CONNECTIONS_MAX: usize = 512;
