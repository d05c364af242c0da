//! The addresses of the roles, the defaults of flags, and the ranges that flags accept.
//!
//! Contract: each number stands here once, with its unit and its reason. The bounds and timeouts of the
//! work itself are beside that work, also where a flag takes its default from them: in the `limits.rs` of
//! `protocol`, `balance`, `site` and `net`.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

/// Where the Default Server listens by default. All roles listen on the loopback address only, on the
/// ports that the course gave them.
pub(crate) const DEFAULT_SERVER: SocketAddr = local(8888);
/// See [`DEFAULT_SERVER`].
pub(crate) const IMAGE_SERVER: SocketAddr = local(8889);
/// See [`DEFAULT_SERVER`].
pub(crate) const PDF_SERVER: SocketAddr = local(8890);
/// See [`DEFAULT_SERVER`].
pub(crate) const REVERSE_PROXY: SocketAddr = local(18000);
/// See [`DEFAULT_SERVER`]; a port below 1024 needs privileges on most systems.
pub(crate) const LB_THREADED: SocketAddr = local(666);
/// See [`DEFAULT_SERVER`].
pub(crate) const LB_ASYNC: SocketAddr = local(44444);
/// The course's five Web Servers: the back ends of both balancers. `web-server` listens on the first.
pub(crate) const WEB_SERVERS: [SocketAddr; 5] =
    [local(9001), local(9002), local(9003), local(9004), local(9005)];

/// Where the commands of `giliran` listen by default: a port that needs no privileges and that everybody knows.
pub(crate) const GILIRAN: SocketAddr = local(8080);

/// Where the suite shows its status page: beside the course's servers.
pub(crate) const STATUS: SocketAddr = local(8891);

const fn local(port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

/// The folder of the site.
pub(crate) const ROOT: &str = "public";

/// Connections that may wait in the kernel until they are accepted (the backlog of `listen(2)`).
/// The course used 5 and 1, and a load tool that stands still while a connect waits: it measured connects.
pub(crate) const BACKLOG: u32 = 1024;

/// Threads of the worker pool: the threaded model works on this many connections at the same time.
pub(crate) const WORKERS: usize = 64;

/// Accepted connections that may wait for a worker: four a worker. At 1 ms of processor time each, they are
/// a quarter of a second's work for one core.
pub(crate) const QUEUE: usize = 256;

/// How long that queue may be full before a server refuses clients with 503. A stall of the machine, or a
/// burst of clients, is over sooner; until then clients wait in the kernel's backlog, which is bounded too.
pub(crate) const QUEUE_WAIT: Duration = Duration::from_secs(1);

/// Open client connections of one role, whether a worker serves them, they are parked, or a poll loop has them.
pub(crate) const CONNECTIONS_MAX: usize = 10_000;

/// Connections or requests that one back end gets at the same time: 0 is no limit, as in HAProxy and nginx
/// (`maxconn`, `max_conns`).
pub(crate) const MAX_PER_BACKEND: usize = 0;

/// The largest `--max-per-backend`: a process cannot have more connections open anyway.
pub(crate) const MAX_PER_BACKEND_MAX: usize = CONNECTIONS_MAX_MAX;

/// The longest name of a cookie for `--policy-cookie`: browsers keep names and values of 4 KiB, and a short one costs
/// each request less.
pub(crate) const COOKIE_NAME_BYTES_MAX: usize = 64;

/// The least that `--policy-cookie-key` holds: as many bytes as the key of the hash.
pub(crate) const COOKIE_KEY_BYTES_MIN: usize = 16;

/// The most that it holds: whoever names a larger file means another one.
pub(crate) const COOKIE_KEY_BYTES_MAX: u64 = 4096;

/// Time between two look-ups of a back end's name where nobody says how long its addresses hold: the shortest time
/// to live in common use (Kubernetes: 5 s for services, 30 s in general).
pub(crate) const RESOLVE_INTERVAL: Duration = Duration::from_secs(5);

/// The shortest time between two look-ups of a name, whatever its time to live: 0 is common where answers change often
/// (Consul, dnsmasq).
pub(crate) const RESOLVE_MIN: Duration = Duration::from_secs(1);

/// The longest time: a day is a common time to live too, and nobody wants to wait for it after a mistake.
pub(crate) const RESOLVE_MAX: Duration = Duration::from_secs(300);

/// The log level: connections and how they ended, without the details that help to debug the program.
pub(crate) const LOG_LEVEL: &str = "info";

/// The longest duration that a flag accepts, one week: in milliseconds it fits the 31 bits of `poll(2)`.
pub(crate) const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// The shortest duration that a flag accepts, except zero: `poll(2)` counts in milliseconds.
pub(crate) const DURATION_MIN: Duration = Duration::from_millis(1);

/// The largest `--backlog`: older kernels keep the number in 16 bits.
pub(crate) const BACKLOG_MAX: usize = 65_535;

/// The largest `--workers`: beyond a few thousand threads, their stacks and the switches between them cost
/// more than they gain.
pub(crate) const WORKERS_MAX: usize = 4096;

/// The largest `--queue`: as many connections as a process may have open ([`CONNECTIONS_MAX_MAX`]), rounded.
pub(crate) const QUEUE_MAX: usize = 1_000_000;

/// The largest `--loops`: more loops than cores gain nothing, and few machines have more cores.
pub(crate) const LOOPS_MAX: usize = 1024;

/// The largest `--connections-max`: the files that one process may open on Linux by default (`fs.nr_open`).
pub(crate) const CONNECTIONS_MAX_MAX: usize = 1_048_576;

/// The last port of `suite`, counted from `--port-base`: the fifth web server.
pub(crate) const SUITE_PORT_OFFSET_MAX: u16 = 15;

/// The port of the suite's status page, counted from `--port-base`: the seventh.
pub(crate) const SUITE_STATUS_OFFSET: u16 = 6;

/// Threads of each pool in `suite`, which has up to ten pools in one process.
pub(crate) const SUITE_WORKERS: usize = 16;

/// Open client connections of each role in `suite`: its eleven roles together stay below common limits on open files.
pub(crate) const SUITE_CONNECTIONS_MAX: usize = 512;

/// Bytes of a configuration file: far more than all keys with long lists of back ends take.
pub(crate) const CONFIG_BYTES_MAX: u64 = 256 * 1024;
