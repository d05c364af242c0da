//! The lingering close: after the last response, what the client still sends is read and discarded for a
//! short time.
//!
//! Reason: if a socket is closed while received bytes are unread, the kernel sends a reset, and a reset can
//! make the client lose the response before it has read it.

use std::time::Instant;

use crate::protocol::limits::{LINGER_BYTES_MAX, LINGER_TIMEOUT};
use crate::protocol::now::Now;

/// A lingering close: how long it lasts, and how many bytes have been discarded so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linger {
    until: Instant,
    bytes: u64,
    /// Our sending side is closed, so the client sees that the response is complete.
    pub(crate) shut: bool,
}

impl Linger {
    /// Begins to linger now.
    pub(crate) fn new(now: &Now) -> Linger {
        Linger { until: now.instant + LINGER_TIMEOUT, bytes: 0, shut: false }
    }

    /// When lingering ends at the latest.
    pub(crate) fn deadline(&self) -> Instant {
        self.until
    }

    /// Counts `count` discarded bytes, where 0 is the end of the stream. True if the connection can be closed.
    pub(crate) fn is_over(&mut self, count: usize) -> bool {
        self.bytes += count as u64;
        count == 0 || self.bytes > LINGER_BYTES_MAX
    }
}
