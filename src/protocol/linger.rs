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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_at_the_end_of_the_stream_or_after_too_many_bytes() {
        let now = Now { instant: Instant::now(), wall: std::time::UNIX_EPOCH };
        let mut linger = Linger::new(&now);
        assert_eq!(linger.deadline(), now.instant + LINGER_TIMEOUT);
        assert!(!linger.is_over(1));
        assert!(linger.is_over(0));
        assert!(!linger.is_over(LINGER_BYTES_MAX as usize - 1));
        assert!(linger.is_over(1) && linger.is_over(1));
    }
}
