//! The machine of a web server's client connection: its requests are answered from a site, one after the
//! other.
//!
//! Contract: the client's bytes go in through [`client_space`](Web::client_space) and
//! [`client_received`](Web::client_received). Responses come out through [`client_output`](Web::client_output)
//! and [`client_sent`](Web::client_sent). [`step`](Web::step) and [`interest`](Web::interest) tell what to do
//! next. Requests that arrive together (pipelining) get their responses in order, and small responses to
//! them are sent together.
//!
//! ```text
//!   Head <--> Verifying (a password is looked at elsewhere; then the head is judged again)
//!
//!   Head --> Body --> Delay --> Room --> Response --+--> Head      (keep-alive)
//!     |        |                                    +--> Linger    (closing, and the client may still be sending)
//!     +--------+------- refused -------> Response --+--> Over
//! ```

mod machine;
mod outgoing;
mod request;
mod service;

use std::sync::Arc;
use std::time::Instant;

use crate::protocol::buffer::Buffer;
use crate::protocol::event::{Closing, Event};
use crate::protocol::guard::basic_auth::PasswordCheck;
use crate::protocol::http::body::BodyReader;
use crate::protocol::http::request_reader::RequestReader;
use crate::protocol::http::{Refusal, Version};
use crate::protocol::idle_client::IdleClient;
use crate::protocol::interest::{Interest, Step};
use crate::protocol::linger::Linger;
use crate::protocol::logged_request::LoggedRequest;
use crate::protocol::machine::NO_WORKER;
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use crate::protocol::proxy_header::ClientIdentity;
use crate::protocol::timeouts::Timeouts;
use crate::protocol::timing::Timing;
use outgoing::OutgoingBody;
pub use outgoing::Output;
pub use service::{Body, Generator, Response, Site, WebService};

/// One client connection of a web server.
#[derive(Debug)]
pub struct Web<S: Site> {
    service: Arc<WebService<S>>,
    client: ClientIdentity,
    state: State<S::Response>,
    reader: RequestReader,
    /// Bytes received from the client and not used yet.
    input: Buffer,
    /// Heads and small bodies to send.
    output: Buffer,
    /// The body that follows `output`, if it is too long to be copied there.
    body: OutgoingBodyOf<S::Response>,
    /// Extra bytes behind the body, which the course's Python server sent; for `--mirror`.
    trailing: &'static [u8],
    /// The password of the present request, while it is verified.
    password: PasswordCheck,
    /// The status of the response that has begun.
    status: Option<u16>,
    /// Why the present request is refused.
    cause: Option<&'static str>,
    /// The client has closed its sending side.
    client_ended: bool,
    /// The present request is the last one: the drain has begun, or a CONNECT was refused.
    is_last_request: bool,
    /// When a byte last moved.
    last_progress: Instant,
    logged: LoggedRequest,
    timing: Timing,
}

/// The body of a response that is being sent.
type OutgoingBodyOf<R> =
    OutgoingBody<<R as Response>::Memory, <R as Response>::File, <R as Response>::Generator>;

#[derive(Debug)]
enum State<R> {
    /// Waiting for a complete request head.
    Head,
    /// The head in the first `length` bytes of the input waits until its password is verified.
    Verifying {
        length: usize,
    },
    /// Reading a request body and discarding it; the response is ready.
    Body {
        reader: BodyReader,
        bytes: u64,
        response: R,
        version: Version,
        client_keeps: bool,
    },
    /// Waiting before the response, because the request asked for a delay (test responses only).
    Delay {
        until: Instant,
        response: R,
        version: Version,
        client_keeps: bool,
    },
    /// Sending earlier responses: the head of this one is too long for the room that they leave.
    Room {
        response: R,
        version: Version,
        last: Option<Close>,
    },
    /// Sending a response; `last` is set if the connection ends with it.
    Response {
        last: Option<Close>,
    },
    /// The last response is sent; what the client still sends is discarded.
    Linger(Linger, Outcome),
    Over(Outcome),
}

/// How a connection ends after its last response.
#[derive(Clone, Copy, Debug)]
struct Close {
    outcome: Outcome,
    /// The client may still be sending, so the close must linger.
    linger: bool,
}

impl<S: Site> Web<S> {
    /// A connection that was accepted at `accepted` and that is served from now on.
    pub fn new(
        service: Arc<WebService<S>>,
        client: impl Into<ClientIdentity>,
        accepted: Instant,
        now: &Now,
    ) -> Web<S> {
        let client = client.into();
        let entered = client.admit();
        let reader = RequestReader::new(accepted, service.context.head_limits);
        Web {
            service,
            client,
            state: entered.map_or_else(State::Over, |()| State::Head),
            reader,
            input: Buffer::new(),
            output: Buffer::new(),
            body: OutgoingBody::None,
            trailing: b"",
            password: PasswordCheck::None,
            status: None,
            cause: None,
            client_ended: false,
            is_last_request: false,
            last_progress: now.instant,
            logged: LoggedRequest::default(),
            timing: Timing::open(accepted, now),
        }
    }

    /// True if nothing is in flight and no byte of the next request has come.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.state, State::Head)
            && self.input.is_empty()
            && self.timing.bytes_in == 0
            && self.client.is_known()
            && !(self.client.is_handshaking()
                || self.client_ended
                || self.is_last_request
                || self.has_output())
    }

    /// What is to be remembered of the client, if it [is idle](Web::is_idle).
    pub(crate) fn into_idle(self) -> IdleClient<WebService<S>> {
        let Web { service, client, reader, .. } = self;
        reader.into_idle(service, client)
    }

    /// A machine for a client of which this was remembered.
    pub(crate) fn from_idle(idle: IdleClient<WebService<S>>, now: &Now) -> Web<S> {
        let reader = RequestReader::of_idle(&idle, idle.service.context.head_limits);
        Web { reader, ..Web::new(idle.service, idle.client, idle.waiting_since, now) }
    }

    /// The next thing to do for this connection.
    pub fn step(&self) -> Step {
        match &self.state {
            State::Linger(linger, _) if !linger.shut => Step::ShutClient,
            State::Over(_) => Step::Finish,
            // First the responses to earlier requests.
            State::Verifying { .. } if self.has_output() => Step::Transfer,
            State::Verifying { .. } if self.password.is_due() => Step::Verify,
            State::Verifying { .. } => Step::Queue,
            _ => Step::Transfer,
        }
    }

    /// Which bytes can be moved.
    pub fn interest(&self) -> Interest {
        let write_client = self.has_output();
        match &self.state {
            // Pipelined requests wait in the input until the output has room. If the input is full, the
            // client is not read from.
            State::Head | State::Body { .. } => {
                let read_client = self.input.room() > 0 && !self.client_ended;
                Interest { read_client, write_client, ..Interest::NONE }
            }
            State::Verifying { .. } => Interest { write_client, watch_client: true, ..Interest::NONE },
            State::Delay { .. } | State::Room { .. } | State::Response { .. } => {
                Interest { write_client, ..Interest::NONE }
            }
            State::Linger(linger, _) => Interest { read_client: linger.shut, ..Interest::NONE },
            State::Over(_) => Interest::NONE,
        }
    }

    /// Which bytes a driver waits for that does one thing at a time: while a response is on its way, no
    /// further request is read.
    pub fn blocking_interest(&self) -> Interest {
        let interest = self.interest();
        Interest { read_client: interest.read_client && !interest.write_client, ..interest }
    }

    /// True until its last response is sent: there are requests to read or responses to send.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.state, State::Linger(..) | State::Over(_))
    }

    /// True if a request, or the rest of one, has to be read before there is anything to send.
    pub(crate) fn awaits_request(&self) -> bool {
        matches!(self.state, State::Head | State::Body { .. }) && !self.has_output()
    }

    /// True if there is something to send, now or after a delay.
    pub(crate) fn owes_response(&self) -> bool {
        match self.state {
            State::Head | State::Verifying { .. } | State::Body { .. } => self.has_output(),
            State::Delay { .. } | State::Room { .. } | State::Response { .. } => true,
            State::Linger(..) | State::Over(_) => false,
        }
    }

    fn timeouts(&self) -> &Timeouts {
        &self.service.context.timeouts
    }

    /// When [`expired`](Web::expired) is to be called if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        let stall = self.last_progress + self.timeouts().stall;
        match &self.state {
            State::Head if self.output.is_empty() => {
                Some(self.reader.deadline(self.timeouts(), self.is_last_request))
            }
            State::Head if self.reader.is_idle() => Some(stall),
            // Responses are being sent and the next head is coming: both deadlines count, so a slow head does
            // not extend the time for the responses.
            State::Head => Some(stall.min(self.reader.deadline(self.timeouts(), self.is_last_request))),
            State::Verifying { .. } => Some(self.last_progress + self.timeouts().header),
            State::Body { .. } | State::Room { .. } | State::Response { .. } => Some(stall),
            State::Delay { until, .. } => Some(*until),
            State::Linger(linger, _) => Some(linger.deadline()),
            State::Over(_) => None,
        }
    }

    /// The driver calls this when the deadline has passed: a delay is over, or the client was too slow.
    pub fn expired(&mut self, now: &Now) {
        match self.deadline() {
            Some(deadline) if deadline <= now.instant => {}
            _ => return,
        }
        match std::mem::replace(&mut self.state, State::Head) {
            State::Delay { response, version, client_keeps, .. } => {
                self.start_response(response, version, client_keeps, now);
                self.advance(now);
            }
            State::Head if self.reader.is_idle() && self.output.is_empty() => {
                self.state = State::Over(Outcome::new(Who::Client, How::TimedOut, Phase::Idle));
            }
            State::Head if self.output.is_empty() => {
                let refusal = Refusal::new(408, "The request head took too long.");
                self.refuse(refusal, How::TimedOut, Phase::RequestHead, now);
            }
            State::Verifying { .. } => {
                self.password = PasswordCheck::None;
                self.decline_and_close(PasswordCheck::LATE, now);
            }
            State::Body { .. } => {
                let refusal = Refusal::new(408, "The request body took too long.");
                self.refuse(refusal, How::TimedOut, Phase::RequestBody, now);
            }
            State::Linger(_, outcome) | State::Over(outcome) => self.state = State::Over(outcome),
            State::Head | State::Room { .. } | State::Response { .. } => {
                self.state = State::Over(Outcome::new(Who::Client, How::TimedOut, Phase::ResponseBody));
            }
        }
    }

    /// Our sending side is closed.
    pub fn client_shut(&mut self) {
        if let State::Linger(linger, _) = &mut self.state {
            linger.shut = true;
        }
    }

    /// A call on the client's socket failed.
    pub(crate) fn client_failed(&mut self) {
        self.cut(Who::Client, How::Reset);
    }

    /// Ends the connection at once. A response that has begun stays incomplete: see [`was_cut`](Self::was_cut).
    fn cut(&mut self, who: Who, how: How) {
        let outcome = |phase| Outcome::new(who, how, phase);
        self.state = State::Over(match &self.state {
            // The last response has been sent, so its outcome stands.
            State::Linger(_, outcome) | State::Over(outcome) => *outcome,
            _ if self.has_output() => outcome(Phase::ResponseBody),
            State::Head if self.reader.is_idle() => outcome(Phase::Idle),
            State::Head => {
                // An incomplete head gets its line in the access log too.
                self.logged.set_unread(self.input.bytes(), self.wants_closings());
                outcome(Phase::RequestHead)
            }
            State::Verifying { .. } => outcome(Phase::Queue),
            State::Body { .. } => outcome(Phase::RequestBody),
            State::Delay { .. } | State::Room { .. } | State::Response { .. } => outcome(Phase::ResponseBody),
        });
    }

    fn wants_closings(&self) -> bool {
        self.service.context.observer.wants_closings()
    }

    fn has_output(&self) -> bool {
        !self.output.is_empty() || !matches!(self.body, OutgoingBody::None)
    }

    /// The drain begins: the present response is the last one, and an idle connection ends now.
    pub(crate) fn drain(&mut self) {
        self.is_last_request = true;
        if matches!(self.state, State::Head) && self.reader.is_idle() && self.output.is_empty() {
            self.state = State::Over(Outcome::new(Who::Us, How::Drained, Phase::Idle));
        }
    }

    /// The drain has begun: the same, but a new connection may still send its first request.
    pub(crate) fn drain_unless_new(&mut self, now: &Now) {
        match matches!(self.state, State::Head) && self.reader.is_new(now) {
            true => self.take_last_request(),
            false => self.drain(),
        }
    }

    /// The drain begins, and bytes have just come: the request that they belong to is the last one.
    pub(crate) fn take_last_request(&mut self) {
        self.is_last_request = true;
    }

    /// The time of the drain is over: ends the connection at once.
    pub(crate) fn drained(&mut self) {
        self.cut(Who::Us, How::Drained);
    }

    /// See [`Machine::refuse_for_lack_of_workers`](crate::protocol::machine::Machine::refuse_for_lack_of_workers).
    pub(crate) fn refuse_for_lack_of_workers(&mut self, now: &Now) {
        if matches!(self.state, State::Over(_)) {
            return; // a client that was not admitted gets no response
        }
        let outcome = Outcome::new(Who::Us, How::Limited, Phase::Queue);
        if self.client.is_handshaking() {
            // To be told so in secret it would need a handshake, and for that a worker.
            self.state = State::Over(outcome);
            return;
        }
        self.refuse_with(NO_WORKER, outcome, now);
    }

    /// True if the close must be a reset: after an orderly close a response that was cut short could look
    /// complete.
    pub fn was_cut(&self) -> bool {
        matches!(self.state, State::Over(outcome) if outcome.phase == Phase::ResponseBody && !outcome.is_clean())
    }

    /// Reports the end of an exchange that did not complete.
    pub fn finish(&mut self, now: &Now) {
        let State::Over(outcome) = self.state else { return };
        self.client.report_unused(&self.service.context, outcome);
        if !self.logged.is_empty() {
            self.log_exchange(outcome, now);
        }
    }

    /// Goes on as far as the received bytes and the room for output allow.
    fn advance(&mut self, now: &Now) {
        loop {
            let goes_on = match &self.state {
                State::Head => self.read_head(now),
                State::Body { .. } => self.read_body(now),
                State::Room { .. } => self.resume_response(now),
                State::Response { .. } => self.finish_response(now),
                State::Verifying { .. } | State::Delay { .. } | State::Linger(..) | State::Over(_) => false,
            };
            if !goes_on {
                return;
            }
        }
    }

    fn log_exchange(&mut self, outcome: Outcome, now: &Now) {
        let status = self.status.take();
        self.client.end_check(status);
        let cause = self.cause.take();
        if self.wants_closings() {
            let closing = self.timing.closing(outcome, now);
            let closing = Closing { status, cause: closing.cause.or(cause), ..closing };
            let closing = self.logged.describe(closing);
            self.client.report(&self.service.context, &Event::Closed(&closing));
        }
        self.logged.clear();
        self.timing.bytes_in = 0;
    }
}

#[cfg(test)]
mod tests;
