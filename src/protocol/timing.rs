//! What one connection or exchange cost: bytes, moments and retries, for its closing line.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::event::Closing;
use crate::protocol::now::Now;
use crate::protocol::outcome::Outcome;

/// The moments and counts of one exchange (or of one relay, from accept to close).
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// When it began: accept for a connection, the first byte of the head for a later request.
    pub began: Instant,
    /// When a worker or loop first looked at it; before that it stood in a queue.
    pub started: Instant,
    /// How long it has queued for a back end with room.
    pub queued: Duration,
    /// Since when it does so now.
    pub queued_since: Option<Instant>,
    /// When connecting to a back end began, and when that was done.
    pub connecting: Option<Instant>,
    /// When the back end was there.
    pub connected: Option<Instant>,
    /// When the first byte of the answer came.
    pub first_byte: Option<Instant>,
    /// Back ends tried in vain before the one that served.
    pub retries: u32,
    /// Bytes read from the client.
    pub bytes_in: u64,
    /// Bytes sent to the client.
    pub bytes_out: u64,
}

impl Timing {
    /// An exchange that began at `began` and is taken up now.
    pub fn open(began: Instant, now: &Now) -> Timing {
        Timing {
            began,
            started: now.instant,
            queued: Duration::ZERO,
            queued_since: None,
            connecting: None,
            connected: None,
            first_byte: None,
            retries: 0,
            bytes_in: 0,
            bytes_out: 0,
        }
    }

    /// It stands in the queue for a back end.
    pub fn queue_entered(&mut self, now: &Now) {
        self.queued_since = Some(now.instant);
    }

    /// It has left that queue, with a back end or without.
    pub fn queue_left(&mut self, now: &Now) {
        self.queued = self.time_in_queue(now);
        self.queued_since = None;
    }

    fn time_in_queue(&self, now: &Now) -> Duration {
        let waiting = self.queued_since.map(|since| now.instant.saturating_duration_since(since));
        self.queued + waiting.unwrap_or_default()
    }

    /// The closing line's times and counts; back end, request and status are the caller's to add.
    pub fn closing<'a>(&self, role: &'a str, client: SocketAddr, outcome: Outcome, now: &Now) -> Closing<'a> {
        let since = |from: Option<Instant>, to: Option<Instant>| -> Option<Duration> {
            Some(to?.saturating_duration_since(from?))
        };
        Closing {
            role,
            client,
            backend: None,
            request: None,
            status: None,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            queue: self.started.saturating_duration_since(self.began) + self.time_in_queue(now),
            connect: since(self.connecting, self.connected),
            first: since(Some(self.began), self.first_byte),
            total: now.instant.saturating_duration_since(self.began),
            retries: self.retries,
            outcome,
        }
    }
}
