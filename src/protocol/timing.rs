//! The times, byte counts and retries of one connection or exchange, for its line in the access log.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::event::Closing;
use super::guard::Guard;
use crate::protocol::now::Now;
use crate::protocol::outcome::Outcome;

/// The times and counts of one exchange, or of one relay from accept to close.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// When it began: at the accept; for later requests of a connection, at the first byte of the head.
    pub(crate) began: Instant,
    /// When a worker or loop began to serve it; before that it waited in a queue.
    pub(crate) started: Instant,
    /// How long it has waited in the queue for a back end with room.
    pub(crate) queued: Duration,
    /// When it entered that queue, while it is in it.
    pub(crate) queued_since: Option<Instant>,
    /// When it first began to connect to a back end.
    pub(crate) connecting: Option<Instant>,
    /// When the connection to the back end was made.
    pub(crate) connected: Option<Instant>,
    /// When the first byte of the response came.
    pub(crate) first_byte: Option<Instant>,
    /// The number of the group of back ends that it was routed to.
    pub(crate) group: Option<usize>,
    /// The guard that refused it.
    pub(crate) guard: Option<Guard>,
    /// Whom a trusted proxy in front says that it asks for.
    pub(crate) forwarded_for: Option<IpAddr>,
    /// Attempts on back ends that failed.
    pub(crate) retries: u32,
    /// Bytes read from the client.
    pub(crate) bytes_in: u64,
    /// Bytes sent to the client.
    pub(crate) bytes_out: u64,
    /// Those of them that belong to the body of a response.
    pub(crate) body_out: u64,
    /// The status of the final response that a back end gave.
    pub(crate) backend_status: Option<u16>,
}

impl Timing {
    /// An exchange that began at `began` and that is served from now on.
    pub(crate) fn open(began: Instant, now: &Now) -> Timing {
        Timing {
            began,
            started: now.instant,
            queued: Duration::ZERO,
            queued_since: None,
            connecting: None,
            connected: None,
            first_byte: None,
            group: None,
            guard: None,
            forwarded_for: None,
            retries: 0,
            bytes_in: 0,
            bytes_out: 0,
            body_out: 0,
            backend_status: None,
        }
    }

    /// It enters the queue for a back end.
    pub(crate) fn enter_queue(&mut self, now: &Now) {
        self.queued_since = Some(now.instant);
    }

    /// It leaves that queue, with a back end or without.
    pub(crate) fn leave_queue(&mut self, now: &Now) {
        self.queued = self.time_in_queue(now);
        self.queued_since = None;
    }

    fn time_in_queue(&self, now: &Now) -> Duration {
        let present = self.queued_since.map(|since| now.instant.saturating_duration_since(since));
        self.queued + present.unwrap_or_default()
    }

    /// A [`Closing`] with these times and counts; the caller adds back end, request and status.
    pub(crate) fn closing<'a>(&self, outcome: Outcome, now: &Now) -> Closing<'a> {
        let since = |from: Option<Instant>, to: Option<Instant>| -> Option<Duration> {
            Some(to?.saturating_duration_since(from?))
        };
        Closing {
            backend: None,
            group: self.group,
            route: None,
            request_id: None,
            request: None,
            version: None,
            host: None,
            user_agent: None,
            referer: None,
            user: None,
            forwarded_for: self.forwarded_for,
            status: None,
            backend_status: self.backend_status,
            guard: self.guard,
            cause: self.guard.map(Guard::cause),
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            body_out: self.body_out,
            queue: self.started.saturating_duration_since(self.began) + self.time_in_queue(now),
            connect: since(self.connecting, self.connected),
            // What came and was never sent on is no response.
            first: since(Some(self.began), self.first_byte.filter(|_| self.bytes_out > 0)),
            total: now.instant.saturating_duration_since(self.began),
            retries: self.retries,
            outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::outcome::{How, Phase, Who};
    use crate::protocol::testing::start;

    #[test]
    fn a_first_byte_counts_if_bytes_were_sent_on() {
        let (now, second) = (start(), Duration::from_secs(1));
        let mut timing = Timing::open(now.instant, &now);
        timing.first_byte = Some(now.after(second).instant);
        let outcome = Outcome::new(Who::Client, How::Reset, Phase::ResponseHead);
        assert_eq!(timing.closing(outcome, &now).first, None);
        timing.bytes_out = 1;
        assert_eq!(timing.closing(outcome, &now).first, Some(second));
    }
}
