//! The lingering close: what a client still sends after its last answer is read and thrown away
//! for a while, because a close with unread bytes is a reset and a reset can take the answer with it.

use std::time::Instant;

use crate::protocol::limits::{LINGER_BYTES_MAX, LINGER_TIMEOUT};
use crate::protocol::now::Now;

/// How much longer, and for how many bytes more, a client is listened to in vain.
#[derive(Clone, Copy, Debug)]
pub struct Linger {
    until: Instant,
    bytes: u64,
    /// Our sending side is closed: the client can tell that the answer is whole.
    pub shut: bool,
}

impl Linger {
    /// Begins now.
    pub fn new(now: &Now) -> Linger {
        Linger { until: now.instant + LINGER_TIMEOUT, bytes: 0, shut: false }
    }

    /// When it ends at the latest.
    pub fn deadline(&self) -> Instant {
        self.until
    }

    /// `count` bytes were thrown away; true if that was the last of it.
    pub fn is_over(&mut self, count: usize) -> bool {
        self.bytes += count as u64;
        count == 0 || self.bytes > LINGER_BYTES_MAX
    }
}
