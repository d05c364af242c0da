//! The deadlines of an exchange, and what happens when one has passed.

use std::time::Instant;

use super::{BackendConnection, Exchange, State};
use crate::protocol::guard::basic_auth::PasswordCheck;
use crate::protocol::http::Refusal;
use crate::protocol::limits::CLIENT_WATCH_AFTER;
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};

impl Exchange {
    /// When [`expired`](Exchange::expired) is to be called if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Head => Some(self.reader.deadline(self.timeouts(), self.draining)),
            State::Exchanging => Some(match &self.backend {
                BackendConnection::Connecting { until, .. } | BackendConnection::Queued { until, .. } => {
                    *until
                }
                _ if self.awaits_response() && !self.watches_client => {
                    self.response_due().min(self.watch_due())
                }
                _ if self.awaits_response() => self.response_due(),
                _ => self.last_progress + self.timeouts().stall,
            }),
            State::Verifying { .. } => Some(self.last_progress + self.timeouts().header),
            State::Tunnel => Some(self.last_progress + self.timeouts().stall),
            State::Linger(linger, _) => Some(linger.deadline()),
            State::Over(_) => None,
        }
    }

    pub(super) fn response_due(&self) -> Instant {
        self.awaiting_since + self.timeouts().backend
    }

    fn watch_due(&self) -> Instant {
        self.awaiting_since + CLIENT_WATCH_AFTER
    }

    /// The whole request is sent, and the next response head is not complete yet.
    pub(super) fn awaits_response(&self) -> bool {
        self.has_room_for_response_head() && self.request.is_complete() && !self.has_backend_output()
    }

    /// The driver calls this when the deadline has passed.
    pub fn expired(&mut self, now: &Now) {
        match self.deadline() {
            Some(deadline) if deadline <= now.instant => {}
            _ => return,
        }
        match self.state {
            State::Head if self.reader.is_idle() => {
                self.state = State::Over(Outcome::new(Who::Client, How::TimedOut, Phase::Idle));
            }
            State::Head => {
                let refusal = Refusal::new(408, "The request head took too long.");
                self.refuse(refusal, How::TimedOut, Phase::RequestHead, now);
            }
            State::Verifying { length } => self.refuse_unverified(PasswordCheck::LATE, length, now),
            State::Exchanging => self.exchange_expired(now),
            State::Tunnel => {
                self.state = State::Over(Outcome::new(Who::Client, How::TimedOut, Phase::ResponseHead))
            }
            State::Linger(_, outcome) | State::Over(outcome) => self.state = State::Over(outcome),
        }
    }

    fn exchange_expired(&mut self, now: &Now) {
        match self.backend {
            BackendConnection::Connecting { .. } => return self.connect_failed(How::TimedOut, now),
            BackendConnection::Queued { .. } => return self.queue_expired(now),
            _ if self.awaits_response() && now.instant < self.response_due() => {
                self.watches_client = true;
                return;
            }
            _ => {}
        }
        // If the client does not read an interim response, the final one cannot be read from the back end.
        let client_is_slow = self.has_client_output();
        if self.response.has_begun() || client_is_slow {
            let who = if client_is_slow { Who::Client } else { Who::Backend };
            return self.cut(Outcome::new(who, How::TimedOut, Phase::ResponseBody));
        }
        if self.request.wants_bytes() && !self.has_backend_output() {
            let refusal = Refusal::new(408, "The request body took too long.");
            return self.refuse(refusal, How::TimedOut, Phase::RequestBody, now);
        }
        self.report_failure(How::TimedOut, Phase::ResponseHead, now);
        let outcome = Outcome::new(Who::Backend, How::TimedOut, Phase::ResponseHead);
        self.respond_with_error(
            504,
            "http_response_timeout",
            "The back end took too long to answer.",
            outcome,
            now,
        );
    }
}
