//! Waiting for the next request head of a client: when it is complete, and its deadline.
//!
//! The two machines that speak HTTP with a client share it, [`web`](crate::protocol::web) and
//! [`exchange`](crate::protocol::exchange), so that both have the same limits.

use std::sync::Arc;
use std::time::Instant;

use super::Refusal;
use super::head::{FieldSpace, HeadLimits, HeadScan, RequestHead, Scan};
use crate::protocol::idle_client::IdleClient;
use crate::protocol::limits::FIRST_REQUEST_IN_DRAIN;
use crate::protocol::now::Now;
use crate::protocol::proxy_header::ClientIdentity;
use crate::protocol::timeouts::Timeouts;

/// Reads one request head after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestReader {
    scan: HeadScan,
    /// When the wait for the next head began.
    waiting_since: Instant,
    /// When the first byte of that head came.
    first_byte: Option<Instant>,
    /// Heads read so far on this connection.
    requests: u32,
    limits: HeadLimits,
}

impl RequestReader {
    /// For a connection that was accepted at this time, and heads within these limits.
    pub(crate) fn new(accepted: Instant, limits: HeadLimits) -> RequestReader {
        let scan = HeadScan::within(limits);
        RequestReader { scan, waiting_since: accepted, first_byte: None, requests: 0, limits }
    }

    /// The reader of a client that was idle.
    pub(crate) fn of_idle<V>(idle: &IdleClient<V>, limits: HeadLimits) -> RequestReader {
        RequestReader { requests: idle.requests, ..RequestReader::new(idle.waiting_since, limits) }
    }

    /// What is to be remembered of a client of which no byte of the next request has come.
    pub(crate) fn into_idle<V>(self, service: Arc<V>, client: ClientIdentity) -> IdleClient<V> {
        IdleClient { service, client, waiting_since: self.waiting_since, requests: self.requests }
    }

    /// Begins to wait for the next request.
    pub(crate) fn next_request(&mut self, now: &Now) {
        self.scan = HeadScan::within(self.limits);
        self.waiting_since = now.instant;
        self.first_byte = None;
    }

    /// The length of the head at the start of `bytes`, or `None` while it is not complete. `ended` means that
    /// no more bytes will come.
    pub(crate) fn read_head(
        &mut self,
        bytes: &[u8],
        ended: bool,
        now: &Now,
    ) -> Result<Option<usize>, Refusal> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let scan = self.scan.advance(bytes);
        // Empty lines before a request are not part of it: the connection is still idle.
        if self.scan.has_started() {
            self.first_byte.get_or_insert(now.instant);
        }
        let scan = match scan {
            Ok(scan) => scan,
            // A syntax error before the limit comes first, so that the result does not depend on how many
            // bytes came at once.
            Err(limit) => return Err(check_syntax(self.scan.scanned(bytes)).err().unwrap_or(limit)),
        };
        match scan {
            Scan::Complete(length) => {
                self.requests += 1;
                Ok(Some(length))
            }
            // A syntax error, for example a TLS handshake, is refused now and not at the deadline.
            Scan::TryParse => check_syntax(bytes),
            // No more will come, so this is the last check for a syntax error.
            Scan::Partial if ended => check_syntax(bytes),
            Scan::Partial => Ok(None),
        }
    }

    /// True if no byte of the next request has come. Empty lines before it do not count.
    pub(crate) fn is_idle(&self) -> bool {
        self.first_byte.is_none()
    }

    /// When the request began: at its first byte; for the first request of a connection at the accept, so
    /// that the time in the queue for a worker counts.
    pub(crate) fn began(&self) -> Instant {
        match self.requests {
            0 | 1 => self.waiting_since,
            _ => self.first_byte.unwrap_or(self.waiting_since),
        }
    }

    /// The limits of a head.
    pub(crate) fn limits(&self) -> &HeadLimits {
        &self.limits
    }

    /// Heads read so far.
    pub(crate) fn requests(&self) -> u32 {
        self.requests
    }

    /// True if nothing has come on the connection, and it is so new that something may be on its way.
    pub(crate) fn is_new(&self, now: &Now) -> bool {
        self.requests == 0 && self.is_idle() && now.instant < self.waiting_since + FIRST_REQUEST_IN_DRAIN
    }

    /// The deadline of the wait: one for the whole head, not one for each read. An earlier one if the request is the
    /// last that is taken, since the drain has begun.
    pub(crate) fn deadline(&self, timeouts: &Timeouts, is_last: bool) -> Instant {
        match (self.requests, self.first_byte) {
            (0, None) if is_last => self.waiting_since + timeouts.header.min(FIRST_REQUEST_IN_DRAIN),
            (0, _) => self.waiting_since + timeouts.header,
            (_, Some(first_byte)) => first_byte + timeouts.header,
            (_, None) => self.waiting_since + timeouts.keep_alive,
        }
    }
}

/// Returns the fault of an incomplete head, if it has one already.
fn check_syntax(bytes: &[u8]) -> Result<Option<usize>, Refusal> {
    RequestHead::parse(bytes, &mut FieldSpace::new()).map(|_| None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result for the first head of a connection that sends these pieces and then ends.
    fn result_of<'b>(pieces: impl Iterator<Item = &'b [u8]>) -> Result<Option<usize>, u16> {
        let now = Now { instant: Instant::now(), wall: std::time::UNIX_EPOCH };
        let (mut reader, mut bytes) = (RequestReader::new(now.instant, HeadLimits::default()), Vec::new());
        for piece in pieces {
            bytes.extend_from_slice(piece);
            match reader.read_head(&bytes, false, &now) {
                Ok(None) => {}
                Ok(Some(length)) => {
                    return RequestHead::parse(&bytes[..length], &mut FieldSpace::new())
                        .map(|_| Some(length))
                        .map_err(|it| it.status);
                }
                Err(refusal) => return Err(refusal.status),
            }
        }
        reader.read_head(&bytes, true, &now).map_err(|refusal| refusal.status)
    }

    #[test]
    fn the_first_request_begins_with_the_connection_and_the_others_with_their_first_byte() {
        let accepted = Now { instant: Instant::now(), wall: std::time::UNIX_EPOCH };
        let at = |seconds| accepted.after(std::time::Duration::from_secs(seconds));
        let mut reader = RequestReader::new(accepted.instant, HeadLimits::default());
        for (second, began) in [(1, 0), (3, 3)] {
            assert!(reader.read_head(b"GET / HTTP/1.0\r\n\r\n", false, &at(second)).unwrap().is_some());
            assert_eq!(reader.began(), at(began).instant);
            reader.next_request(&at(second + 1));
        }
    }

    #[test]
    fn the_result_does_not_depend_on_how_the_bytes_arrive() {
        let long = "a".repeat(9000);
        for (text, expected) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Ok(Some(27))),
            ("GET / HTTP/1.1\r\nHost: a", Ok(None)),
            ("GET / HTTP/2.0\r\n\r\n", Err(505)),
            ("GET / HTTP/2.0", Ok(None)),
            ("GET / HTTX/1.1\r\n", Err(400)),
            ("GET /pa th HTTP/1.1\r\nHost: a\r\n\r\nGET", Err(400)),
            ("GET /x  HTTP/1.1\r\nHost: a\r\n\r\nGET", Err(400)),
            ("DELETE / HTTP/1.1\n \r\n", Err(400)),
            ("\r\n\r\nGET / HTTP/1.1\r\n\n\r\n", Err(400)),
            (&format!("GET /{long} HTTP/1.1\r\n\r\n"), Err(414)),
            (&format!("G@T /{long} HTTP/1.1\r\n\r\n"), Err(400)),
            (&format!("GET / HTTP/1.1\r\nX : {long}{long}\r\n\r\n"), Err(400)),
            (&format!("GET / HTTP/1.1\r\nX: {long}{long}\r\nX : 1\r\n\r\n"), Err(431)),
        ] {
            let bytes = text.as_bytes();
            for size in [1, 2, 7, 4096, 16 * 1024] {
                assert_eq!(result_of(bytes.chunks(size)), expected, "{:.40} by {size}", text);
            }
            for split in 1..bytes.len().min(60) {
                let (first, second) = bytes.split_at(split);
                assert_eq!(result_of([first, second].into_iter()), expected, "{:.40} at {split}", text);
            }
        }
    }
}
