//! Waiting for the next request on a client connection: how long, and when the head is whole.
//!
//! Shared by the two machines that speak HTTP with a client, [`web`](crate::web) and
//! [`exchange`](crate::exchange), so that both have the same patience.

use std::time::Instant;

use super::Refusal;
use super::head::{HeadScan, RequestHead, Scan};
use crate::now::Now;
use crate::settings::Timeouts;

/// Reads one request head after another.
#[derive(Clone, Copy, Debug)]
pub struct RequestReader {
    scan: HeadScan,
    /// Since when the next head is waited for.
    waiting_since: Instant,
    /// When its first byte came.
    first_byte: Option<Instant>,
    /// Heads read so far on this connection.
    requests: u32,
}

impl RequestReader {
    /// For a connection that was accepted at this moment.
    pub fn new(accepted: Instant) -> RequestReader {
        RequestReader { scan: HeadScan::default(), waiting_since: accepted, first_byte: None, requests: 0 }
    }

    /// Begins to wait for the request after this one.
    pub fn next_request(&mut self, now: &Now) {
        self.scan = HeadScan::default();
        self.waiting_since = now.instant;
        self.first_byte = None;
    }

    /// How many bytes the head at the start of `bytes` has, or `None` while it is not whole; `ended`
    /// if no more of them will come.
    pub fn look(&mut self, bytes: &[u8], ended: bool, now: &Now) -> Result<Option<usize>, Refusal> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let scan = self.scan.look(bytes);
        // Empty lines before a request are no part of it: the connection is still idle.
        if self.scan.has_started() {
            self.first_byte.get_or_insert(now.instant);
        }
        let scan = match scan {
            Ok(scan) => scan,
            // What was nonsense before the limit is called that, however many bytes came at once.
            Err(limit) => return Err(RequestHead::parse(self.scan.seen(bytes)).err().unwrap_or(limit)),
        };
        match scan {
            Scan::Whole(length) => {
                self.requests += 1;
                Ok(Some(length))
            }
            // Nonsense, a TLS hello for one, is refused now and not when the deadline comes.
            Scan::Try => RequestHead::parse(bytes).map(|_| None),
            // The last word on it: nonsense is answered even where its end is missing.
            Scan::Partial if ended => RequestHead::parse(bytes).map(|_| None),
            Scan::Partial => Ok(None),
        }
    }

    /// True if not a byte of the next request has come; an empty line is none of it.
    pub fn is_idle(&self) -> bool {
        self.first_byte.is_none()
    }

    /// When the request began: its first byte, or for the first one of a connection the accept,
    /// so that the time in the queue counts.
    pub fn began(&self) -> Instant {
        match self.requests {
            0 | 1 => self.waiting_since,
            _ => self.first_byte.unwrap_or(self.waiting_since),
        }
    }

    /// Heads read so far.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// When the wait is over: one deadline for the whole head, not one a read.
    pub fn deadline(&self, timeouts: &Timeouts) -> Instant {
        match (self.requests, self.first_byte) {
            (0, _) => self.waiting_since + timeouts.header,
            (_, Some(first_byte)) => first_byte + timeouts.header,
            (_, None) => self.waiting_since + timeouts.keep_alive,
        }
    }
}
