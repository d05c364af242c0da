//! Responses of our own, instead of a back end's: refusals, and what becomes of a back end that fails.

use std::task::Waker;

use super::{Exchange, Response, State};
use crate::protocol::forward::OwnResponse;
use crate::protocol::guard::Refused;
use crate::protocol::guard::basic_auth::{PasswordCheck, Progress};
use crate::protocol::http::{Method, Refusal};
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};

impl Exchange {
    /// Refuses a request that was not forwarded, or not all of it, and closes.
    pub(super) fn refuse(&mut self, refusal: Refusal, how: How, phase: Phase, now: &Now) {
        self.refuse_with(refusal, Outcome::new(Who::Client, how, phase), now);
    }

    pub(super) fn refuse_with(&mut self, refusal: Refusal, outcome: Outcome, now: &Now) {
        log::debug!("{} gets {refusal}", self.client.address());
        self.logged.set_unread(self.client_input.bytes(), self.wants_closings());
        self.client.report_connection(&self.gateway.context);
        self.request.abandon();
        self.request.keep = false;
        self.respond_with_error(refusal.status, "http_request_error", refusal.reason, outcome, now);
    }

    /// Sends an error response instead of a back end's response.
    pub(super) fn respond_with_error(
        &mut self,
        status: u16,
        error: &str,
        sentence: &str,
        outcome: Outcome,
        now: &Now,
    ) {
        let response = OwnResponse { status, proxy_error: error, sentence, location: None, field: None };
        self.respond(&response, outcome, now);
    }

    /// Answers a request that a guard refuses. It is read whole, so the connection may go on.
    pub(super) fn decline(&mut self, refused: Refused, now: &Now) {
        let Refused { by, refusal } = refused;
        log::debug!("{} gets {refusal}", self.client.address());
        self.timing.guard = Some(by);
        let response = OwnResponse {
            status: refusal.status,
            proxy_error: "http_request_denied",
            sentence: refusal.reason,
            location: None,
            field: refusal.field,
        };
        self.respond(&response, by.outcome(), now);
    }

    /// Answers a request whose password was not verified. Its body, if it has one, is not known: the connection ends.
    pub(super) fn refuse_unverified(&mut self, refused: Refused, length: usize, now: &Now) {
        self.password = PasswordCheck::None;
        self.client_input.consume(length);
        self.request.abandon();
        self.request.keep = false;
        self.decline(refused, now);
    }

    /// Has the password of the present request verified, or acts on what came of it: its head is judged again.
    pub(crate) fn verify_password(&mut self, now: &Now, waker: impl FnOnce() -> Waker) {
        let State::Verifying { length } = self.state else { return };
        match self.password.advance(now, waker) {
            Progress::Waiting => {}
            Progress::Verified(is_right) => {
                self.state = State::Head;
                self.judge_head(length, Some(is_right), now);
            }
            Progress::Refused(refused) => self.refuse_unverified(refused, length, now),
        }
    }

    /// True while the password of the present request is verified.
    pub(crate) fn is_verifying(&self) -> bool {
        matches!(self.state, State::Verifying { .. })
    }

    /// Sends a response of our own instead of a back end's; the connection to the back end, if any, is closed.
    pub(super) fn respond(&mut self, response: &OwnResponse<'_>, outcome: Outcome, now: &Now) {
        let backend = self.backend_address();
        self.mark_released(false);
        self.state = State::Exchanging;
        // The response gets a full stall timeout of its own, however late it comes.
        self.last_progress = now.instant;
        self.stop_sending_request();
        self.backend_input.clear();
        self.backend_output.clear();
        let keep = self.request.is_complete() && self.request.keep && !self.draining;
        self.request.keep = keep;
        let connection = self.request.connection_field(keep);
        let head_only = self.request.method == Method::Head;
        let before = self.client_output.len();
        let fits = response.write(&mut self.client_output, now, connection, head_only)
            && self.request.change_response(
                &self.gateway.routes[self.request.route],
                None,
                before,
                &mut self.client_output,
            );
        self.timing.bytes_out += (self.client_output.len() - before) as u64;
        self.timing.body_out += if fits { response.body_bytes(head_only) } else { 0 };
        self.timing.first_byte.get_or_insert(now.instant);
        self.response = Response::Out { status: response.status, backend, outcome };
        if !fits {
            self.cut(Outcome::new(Who::Us, How::Failed, Phase::ResponseHead));
        }
    }
}
