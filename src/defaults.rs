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

/// From the first wait for a request head to its last byte: one deadline for the whole head, not
/// one a read, so that a client that drips a byte every nine seconds is cut too. Then 408.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest silence in the middle of a body, either way; progress starts it anew (nginx: 60 s).
pub const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a kept client connection may be silent between two requests.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Requests one client connection may carry before it is closed (nginx: 1000).
pub const KEEP_ALIVE_REQUESTS: u32 = 1000;

/// For a back end to accept a connection: just over one retransmit of a lost SYN (1 s, then 2 s).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// For the whole head of a back end's answer, counted from the end of the request, or of the interim
/// answer before it (HAProxy's examples: 30 s). One deadline, not one a read: a head that drips is
/// late too. Then 504.
pub const BACKEND_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an answer may take before it is worth knowing whether its client is still there (nginx
/// `proxy_ignore_client_abort off`): most answers come sooner, and cost no call for it.
pub const CLIENT_WATCH_AFTER: Duration = Duration::from_secs(1);

/// For a relay on which neither side sends (nginx stream: 10 minutes).
pub const RELAY_IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// For a relay on which one side has finished sending and the other is silent (HAProxy `client-fin`).
pub const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an unread rest of a refused request is read and thrown away before the close, so that
/// the client gets to read the answer instead of a reset (nginx `lingering_timeout`: 5 s).
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes thrown away while lingering before the connection is closed all the same: more than a photo
/// that was too large and is on its way has, whose sender would otherwise get a reset and no 413.
pub const LINGER_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// For connections in flight to finish after SIGTERM or Ctrl-C: Docker kills after 10 s.
pub const DRAIN: Duration = Duration::from_secs(8);

/// Connections or requests that one back end gets at a time: 0 is any number, as in HAProxy and nginx
/// (`maxconn`, `max_conns`).
pub const MAX_PER_BACKEND: usize = 0;

/// The most `--max-per-backend`: beyond what one process may hold open it limits nothing.
pub const MAX_PER_BACKEND_MAX: usize = CONNECTIONS_MAX_MAX;

/// Clients that may wait for a back end of one group when all are full, as many as the kernel holds
/// for us by default. How long is [`CONNECT_TIMEOUT`], as in HAProxy where `timeout queue` is not set. Then 503.
pub const BACKEND_QUEUE: usize = 1024;

/// Further back ends tried when the first cannot be used (HAProxy `retries`).
pub const RETRIES: usize = 3;

/// Failures in a row within [`PASSIVE_WINDOW`] that take a back end out (HAProxy `fall`).
pub const PASSIVE_FAILURES: u32 = 3;

/// Failures further apart than this are not counted together (nginx `fail_timeout`: 10 s).
pub const PASSIVE_WINDOW: Duration = Duration::from_secs(10);

/// How long a back end stays out before one connection may try it again.
pub const PASSIVE_OUT: Duration = Duration::from_secs(10);

/// From one check of a back end to the next (HAProxy `inter`: 2 s).
pub const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// The part of [`CHECK_INTERVAL`] by which it is made longer or shorter by chance (HAProxy
/// `spread-checks`: a few per cent), so that checks do not all fall on one moment.
pub const CHECK_JITTER: f64 = 0.1;

/// For a whole check, connecting and answer. A back end that takes longer to say that it is well is not.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Failed checks in a row that take a back end out (HAProxy `fall`: 3).
pub const CHECK_FALL: u32 = 3;

/// Passed checks in a row that bring it back (HAProxy `rise`: 2).
pub const CHECK_RISE: u32 = 2;

/// Bytes of an answer that a check looks at: `HTTP/1.1 200`.
pub const CHECK_ANSWER_BYTES_MAX: usize = 12;

/// What a check of HTTP asks for.
pub const CHECK_PATH: &str = "/";

/// From one look-up of the back ends' names to the next: the shortest life that names are commonly
/// given in DNS (Kubernetes: 5 s for services, 30 s in general).
pub const RESOLVE_INTERVAL: Duration = Duration::from_secs(5);

/// Addresses of one name that are used.
pub const ADDRESSES_PER_NAME_MAX: usize = 1024;

/// Bytes of one request or response head, start line included (nginx: 4 x 8 KiB, HAProxy: 15 KiB). Then 431.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Field lines of one head (Apache: 100, HAProxy: 101). Then 431.
pub const HEAD_FIELDS_MAX: usize = 100;

/// Bytes of the request line (Apache and nginx: 8 KiB). Then 414.
pub const REQUEST_LINE_BYTES_MAX: usize = 8 * 1024;

/// Bytes of one chunk-size line with its extensions: 16 hexadecimal digits and a little more.
pub const CHUNK_LINE_BYTES_MAX: usize = 256;

/// Bytes by which the chunk-size lines of one body may exceed what its content explains, 16 a chunk
/// and two for each byte of it (Go's net/http): else extensions make us read any amount for nothing.
pub const CHUNK_EXCESS_BYTES_MAX: u64 = 16 * 1024;

/// Bytes of a trailer section (as Go's net/http bounds it: small).
pub const TRAILER_BYTES_MAX: usize = 8 * 1024;

/// Body a web server reads and throws away. Then 413. A gateway streams without a cap.
pub const SITE_BODY_BYTES_MAX: u64 = 1024 * 1024;

/// Bytes of one buffer, one each way (HAProxy `tune.bufsize`: 16 KiB).
pub const BUFFER_BYTES: usize = 16 * 1024;

/// Bytes of a buffer whose last read filled it: four times fewer calls for long bodies, and still
/// within the second-level cache.
pub const BULK_BUFFER_BYTES: usize = 64 * 1024;

/// Empty large buffers a thread keeps: 16 of 64 KiB are 1 MiB a thread.
pub const SPARE_BULK_BUFFERS_MAX: usize = 16;

/// Empty buffers a thread keeps for its next connection: 64 of 16 KiB are 1 MiB a thread.
pub const SPARE_BUFFERS_MAX: usize = 64;

/// Interim answers (1xx) to one request: each says that the back end is at work and starts
/// [`BACKEND_TIMEOUT`] anew, so one that sends nothing else would never run into it. Real ones come
/// by the handful. Then 502.
pub const INTERIM_ANSWERS_MAX: u32 = 100;

/// Idle connections kept to one back end.
pub const KEPT_PER_BACKEND: usize = 32;

/// How long a connection to a back end is kept idle: below [`KEEP_ALIVE`] of our own servers, so
/// that the back end does not close it under our hands.
pub const KEPT_IDLE: Duration = Duration::from_secs(4);

/// Largest file kept in memory by the site's cache, in bytes.
pub const CACHED_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Files the cache holds: 256 of 64 KiB are 16 MiB at most.
pub const CACHED_FILES_MAX: usize = 256;

/// Files too large for the cache's memory that it keeps open instead: descriptors, of which the
/// whole process has 1024 on many systems and `suite` runs eight sites.
pub const OPEN_FILES_MAX: usize = 32;

/// How long a cached file is served before its time and size are looked at again.
pub const CACHE_CHECK: Duration = Duration::from_secs(1);

/// Largest answer `?size=` gives, in bytes: 1 GiB.
pub const TRIAL_BYTES_MAX: u64 = 1 << 30;

/// Longest `?delay=` a test answer may ask for.
pub const TRIAL_DELAY_MAX: Duration = Duration::from_secs(60);

/// Bytes of lines the log holds while its file or terminal is slow, some 8,000 lines; more are counted and dropped.
pub const LOG_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a PROXY header as a line of text, with its end: what the specification calls the worst case.
pub const PROXY_LINE_BYTES_MAX: usize = 107;

/// Bytes of a binary PROXY header with all that it may carry about TLS (nginx: 4096).
pub const PROXY_HEADER_BYTES_MAX: usize = 4096;

/// Fields that one `Connection` may name; browsers name two. More are an attempt to make us compare a lot.
pub const CONNECTION_OPTIONS_MAX: usize = 16;

/// Descriptors left for listeners, logs, files and kept connections when connections are counted.
pub const DESCRIPTORS_SPARE: usize = 128;

/// Descriptors of one client connection: its own, and that to the back end or of the file.
pub const DESCRIPTORS_PER_CONNECTION: usize = 2;

/// Empty buffers a worker keeps: it serves one connection at a time, which has one for input and one
/// for output on each side.
pub const WORKER_SPARE_BUFFERS_MAX: usize = 4;

/// Empty large buffers a worker keeps: one for each direction.
pub const WORKER_SPARE_BULK_BUFFERS_MAX: usize = 2;

/// How much the log tells: connections and their ends, no inner workings.
pub const LOG_LEVEL: &str = "info";

/// How long the log's writer lets lines gather after a write: a busy log costs a hundred writes a
/// second and not one a line, and nobody reads faster.
pub const LOG_PAUSE: Duration = Duration::from_millis(10);

/// How long the end of the program waits for the log's last lines: a stuck terminal must not hold it.
pub const LOG_FLUSH_MAX: Duration = Duration::from_secs(2);

/// The longest duration a flag takes, one week: in milliseconds it still fits the 31 bits of `poll(2)`.
pub const PERIOD_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

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
