//! The bounds and the default time limits of the protocol rules, each with its unit and its reason.
//!
//! A time limit that a flag can change is a default here and a field of
//! [`Timeouts`](crate::protocol::timeouts::Timeouts) where it is used.

use std::time::Duration;

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
pub const INTERIM_RESPONSES_MAX: u32 = 100;

/// Bytes of a PROXY header as a line of text, with its end: what the specification calls the worst case.
pub const PROXY_LINE_BYTES_MAX: usize = 107;

/// Bytes of a binary PROXY header with all that it may carry about TLS (nginx: 4096).
pub const PROXY_HEADER_BYTES_MAX: usize = 4096;

/// Fields that one `Connection` may name; browsers name two. More are an attempt to make us compare a lot.
pub const CONNECTION_OPTIONS_MAX: usize = 16;

/// Empty buffers a worker keeps: it serves one connection at a time, which has one for input and one
/// for output on each side.
pub const WORKER_SPARE_BUFFERS_MAX: usize = 4;

/// Empty large buffers a worker keeps: one for each direction.
pub const WORKER_SPARE_BULK_BUFFERS_MAX: usize = 2;
