//! The bounds and the default time limits of the protocol rules, each with its unit and its reason.
//!
//! A time limit that a flag can change is a default here and a field of
//! [`Timeouts`](crate::protocol::timeouts::Timeouts) where it is used.

use std::time::Duration;

/// Time for a whole request head, counted from the accept, or on a keep-alive connection from the first
/// byte of the head. It is one deadline and not one for each read, so that a client that sends a byte
/// every nine seconds runs into it too. After it the response is 408.
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time without progress in the middle of a body, in either direction; each byte that moves starts
/// it anew (nginx: 60 s).
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a keep-alive connection of a client may be idle between two requests. Short, because an idle
/// connection counts against the limit on open ones.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How many requests one client connection may carry before it is closed (nginx: 1000).
pub(crate) const KEEP_ALIVE_REQUESTS: u32 = 1000;

/// Time for a back end to accept a connection: enough for two retransmissions of a lost SYN, which come
/// after 1 s and 3 s. The wait in the queue for a back end with room has the same limit. After it a gateway
/// responds 504, or 503 for the queue.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// Time for the whole response head of a back end, counted from the end of the request, or from the end of
/// the interim response before it (HAProxy's examples: 30 s). It is one deadline and not one for each read,
/// so that a head that comes byte by byte is late too. After it the response is 504.
pub(crate) const BACKEND_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a gateway waits for a response before it begins to watch whether the client is still connected
/// (nginx `proxy_ignore_client_abort off`). Most responses come sooner and need no system call for it.
pub(crate) const CLIENT_WATCH_AFTER: Duration = Duration::from_secs(1);

/// How long a relay may be idle: neither side sends (nginx stream: 10 minutes).
pub(crate) const RELAY_IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// How long a relay may be silent before the kernel begins to send keep-alive probes to the back end. To order them is
/// three system calls, one in six of a short relayed connection, and the first probe is sent after a minute.
pub(crate) const PROBES_AFTER: Duration = Duration::from_secs(1);

/// How long a half-closed relay may be idle: one side has finished sending, and the other sends nothing
/// (HAProxy `client-fin`).
pub(crate) const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest time of a lingering close, in which the unread rest of a request is read and discarded, so that
/// the client reads the response and does not get a reset (nginx `lingering_timeout`: 5 s).
pub(crate) const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes that a lingering close discards before the connection is closed anyway. More than a large photo
/// has: the sender of one that is too large then reads the 413 and does not get a reset.
pub(crate) const LINGER_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Time of a drain: how long connections may go on after SIGTERM or Ctrl-C. Docker kills a container
/// after 10 s.
pub(crate) const DRAIN: Duration = Duration::from_secs(8);

/// Time after its accept in which a new connection may still send its first request although the drain has begun: the
/// request is mostly on its way already, and 1 s is a few round trips across the world.
pub(crate) const FIRST_REQUEST_IN_DRAIN: Duration = Duration::from_secs(1);

/// Time between SIGTERM and the drain: none. Who needs it is behind a balancer or an orchestrator, whose own checks
/// tell how long it takes to notice.
pub(crate) const LAME_DUCK: Duration = Duration::ZERO;

/// Bytes of one request or response head, start line included (nginx: 4 x 8 KiB, HAProxy: 15 KiB). Beyond
/// it a request gets 431, and a back end's response becomes 502.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The least that the limit on a head may be set to: what browsers send has some 500 bytes without cookies.
pub(crate) const HEAD_BYTES_MIN: usize = 1024;

/// Field lines of one head (Apache: 100, HAProxy: 101). Beyond it a request gets 431, and a back end's
/// response becomes 502.
pub const HEAD_FIELDS_MAX: usize = 100;

/// Bytes of the sentence that a route gives as its response: a line for people. A page belongs on a server.
pub(crate) const SENTENCE_BYTES_MAX: usize = 1024;

/// Bytes of the request line (Apache and nginx: 8 KiB). Beyond it the response is 414.
pub(crate) const REQUEST_LINE_BYTES_MAX: usize = 8 * 1024;

/// The least that the limit on a request line may be set to: a health check and a path must fit.
pub(crate) const REQUEST_LINE_BYTES_MIN: usize = 128;

/// Bytes of content that a length or a chunk size may announce, 2^63 - 1. Many programs keep lengths in a
/// signed number of 64 bits; in theirs a larger one would be negative, and the message would end elsewhere.
/// Beyond it a request gets 400, and a back end's response becomes 502.
pub(crate) const CONTENT_BYTES_MAX: u64 = i64::MAX as u64;

/// Bytes of one chunk-size line with its extensions: the 16 hexadecimal digits of the largest size, and
/// room for short extensions.
pub(crate) const CHUNK_LINE_BYTES_MAX: usize = 256;

/// Bytes of chunk framing that one body may have in excess. A chunk may have 16 bytes of framing and two
/// more for each byte of its content; what goes beyond that is excess (the rule of Go's net/http). Without
/// this bound a sender could make us read any amount of chunk extensions.
pub(crate) const CHUNK_EXCESS_BYTES_MAX: u64 = 16 * 1024;

/// Bytes of a trailer section. Trailers carry a checksum or a status, so a few kilobytes are plenty.
pub(crate) const TRAILER_BYTES_MAX: usize = 8 * 1024;

/// Bytes of a request body that a web server reads and discards; beyond it the response is 413. A gateway
/// forwards bodies of any length.
pub(crate) const SITE_BODY_BYTES_MAX: u64 = 1024 * 1024;

/// Bytes of one buffer; there is one for each direction (HAProxy `tune.bufsize`: 16 KiB).
pub const BUFFER_BYTES: usize = 16 * 1024;

/// Bytes of a buffer after a read has filled it: a long body needs a quarter of the calls, and the buffer
/// still fits into the second-level cache.
pub(crate) const BULK_BUFFER_BYTES: usize = 64 * 1024;

/// Bytes of storage for what is kept for a while: the head of nearly every request. What is longer has storage of its
/// own size.
pub(crate) const SMALL_BUFFER_BYTES: usize = 1024;

/// Unused storage of bulk size that a thread keeps: 16 of 64 KiB are 1 MiB for each thread.
pub(crate) const SPARE_BULK_BUFFERS_MAX: usize = 16;

/// Unused storage of ordinary size that a thread keeps: 64 of 16 KiB are 1 MiB for each thread.
pub(crate) const SPARE_BUFFERS_MAX: usize = 64;

/// Unused storage of small size that a thread keeps: 256 of 1 KiB are a quarter of a MiB for each thread.
pub(crate) const SPARE_SMALL_BUFFERS_MAX: usize = 256;

/// Interim responses (1xx) to one request. Each of them starts [`BACKEND_TIMEOUT`] anew, so without this
/// bound a back end could hold a request for ever. Real back ends send a few. Beyond it the response is 502.
pub(crate) const INTERIM_RESPONSES_MAX: u32 = 100;

/// Bytes of a PROXY header of version 1, a line of text, with its line end: the specification's worst case.
pub(crate) const PROXY_LINE_BYTES_MAX: usize = 107;

/// Bytes of a PROXY header of version 2, which is binary, with the details about TLS that it may carry
/// (nginx: 4096).
pub const PROXY_HEADER_BYTES_MAX: usize = 4096;

/// Options that the `Connection` fields of one head may have. Browsers send two; each option is compared
/// with each field, so a long list would cost a lot of time.
pub(crate) const CONNECTION_OPTIONS_MAX: usize = 16;

/// Unused storage of ordinary size that a worker thread keeps: the one connection that it serves has an
/// input and an output buffer on each side.
pub(crate) const WORKER_SPARE_BUFFERS_MAX: usize = 4;

/// Unused storage of bulk size that a worker thread keeps: one for each direction.
pub(crate) const WORKER_SPARE_BULK_BUFFERS_MAX: usize = 2;

/// Unused storage of small size that a worker thread keeps: one is in use at a time, and another may come with a
/// connection that was parked.
pub(crate) const WORKER_SPARE_SMALL_BUFFERS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_what_the_documentation_says() {
        assert_eq!([HEAD_BYTES_MAX, REQUEST_LINE_BYTES_MAX, TRAILER_BYTES_MAX], [16_384, 8_192, 8_192]);
        assert_eq!([BUFFER_BYTES, BULK_BUFFER_BYTES], [16_384, 65_536]);
        assert_eq!(
            [CHUNK_EXCESS_BYTES_MAX, SITE_BODY_BYTES_MAX, LINGER_BYTES_MAX],
            [16_384, 1_048_576, 33_554_432]
        );
    }
}
