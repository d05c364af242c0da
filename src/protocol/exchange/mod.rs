//! A client connection whose requests are forwarded to back ends, one at a time, over HTTP.
//!
//! Contract: what the client sends is checked before it is forwarded and never repaired; what the
//! back end answers is passed on as it comes, and an answer that was cut never looks whole. The
//! request side (`request`) and the answer side (`answer`) run at the same time: a back end
//! may answer while the body is still being sent to it.
//!
//! ```text
//!            the client's connection                     the back end's (Link)
//!
//!   Head --whole--> Exchanging ----------------------> Wanted --chosen--> Connecting --> Up
//!     ^                |                                  |  Queued --called--^
//!     |                |                                  +----^ all full
//!     ^                |  request: Body -> Complete       ^                  |            |
//!     |                |  answer: Awaited -> Body -> Out  +---- refused -----+            |
//!     +---- kept ------+                                  +-- a kept one was dead --------+
//!                      +-- closed --> Linger --> Over                    Released or dropped
//!                      +-- 101 -----> Tunnel (goes on as a relay)
//! ```

mod deadline;
mod link;
mod request;
mod response;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::balance::Group;
use crate::balance::routes::Routes;
use crate::protocol::buffer::Buffer;
use crate::protocol::context::RoleContext;
use crate::protocol::event::{Closing, Event};
use crate::protocol::forward::{self, Rules};
use crate::protocol::http::request_reader::RequestReader;
use crate::protocol::http::{Method, Refusal, Version};
use crate::protocol::interest::{Interest, Step};
use crate::protocol::linger::Linger;
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use crate::protocol::proxy_header::Caller;
use crate::protocol::relay::{Relay, RelayService};
use crate::protocol::request_line::RequestLine;
use crate::protocol::timeouts::Timeouts;
use crate::protocol::timing::Timing;
use link::Link;
pub use link::{Choice, Release};
use request::Request;
use response::Response;

/// A gateway: its settings, which group serves a path, and how heads are rewritten.
#[derive(Debug)]
pub struct Gateway {
    /// What its connections share.
    pub context: Arc<RoleContext>,
    /// Path prefixes and their groups of back ends.
    pub routes: Routes,
    /// What is added to and dropped from a forwarded head.
    pub rules: Rules,
}

/// One client connection of a gateway.
#[derive(Debug)]
pub struct Exchange {
    gateway: Arc<Gateway>,
    caller: Caller,
    state: State,
    reader: RequestReader,
    link: Link,
    /// Why the last try to connect for this request failed.
    connect_failure: How,
    request: Request,
    response: Response,
    /// From the client, not yet used; during a body its first bytes are on their way to the back end.
    client_input: Buffer,
    /// Heads for the client; the body follows from `backend_input` without a copy.
    client_output: Buffer,
    /// From the back end, likewise.
    backend_input: Buffer,
    /// The rewritten request head: kept whole until the answer begins, so that it can be sent again.
    backend_output: Buffer,
    client_ended: bool,
    draining: bool,
    /// When a byte last moved in this exchange; those of an answer's head do not count.
    last_progress: Instant,
    /// Since when nothing is missing but the next head of the answer: a byte of it buys no time.
    awaiting_since: Instant,
    /// That has taken so long that the client may have gone.
    watches: bool,
    request_line: RequestLine,
    timing: Timing,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Between two requests, or reading a head.
    Head,
    /// A request is being forwarded, or answered by ourselves.
    Exchanging,
    /// Both sides have agreed on another protocol.
    Tunnel,
    Linger(Linger, Outcome),
    Over(Outcome),
}

impl Exchange {
    /// A connection that was accepted at `accepted` and is taken up now.
    pub fn new(gateway: Arc<Gateway>, caller: impl Into<Caller>, accepted: Instant, now: &Now) -> Exchange {
        let caller = caller.into();
        let entered = caller.enter(&*gateway.context.observer);
        Exchange {
            gateway,
            caller,
            state: entered.map_or_else(State::Over, |()| State::Head),
            reader: RequestReader::new(accepted),
            link: Link::None,
            connect_failure: How::Refused,
            request: Request::default(),
            response: Response::default(),
            client_input: Buffer::new(),
            client_output: Buffer::new(),
            backend_input: Buffer::new(),
            backend_output: Buffer::new(),
            client_ended: false,
            draining: false,
            last_progress: now.instant,
            awaiting_since: now.instant,
            watches: false,
            request_line: RequestLine::default(),
            timing: Timing::open(accepted, now),
        }
    }

    /// The next thing to do for this connection.
    pub fn step(&self) -> Step {
        match (self.state, &self.link) {
            (State::Over(_), _) => Step::Finish,
            (_, Link::Released { .. }) => Step::ReleaseBackend,
            (State::Exchanging, Link::Wanted { .. }) => Step::Connect,
            (State::Exchanging, Link::Queued { ticket, .. }) => {
                if ticket.is_ready() {
                    Step::Connect
                } else {
                    Step::Queue
                }
            }
            (State::Tunnel, _) if self.client_output.is_empty() => Step::SwitchProtocols,
            (State::Linger(linger, _), _) if !linger.shut => Step::ShutClient,
            _ => Step::Transfer,
        }
    }

    /// Which bytes can be moved.
    pub fn interest(&self) -> Interest {
        match self.state {
            State::Head => Interest { read_client: !self.client_ended, ..Interest::NONE },
            State::Exchanging => self.interest_in_exchange(),
            State::Tunnel => Interest { write_client: !self.client_output.is_empty(), ..Interest::NONE },
            State::Linger(linger, _) => Interest { read_client: linger.shut, ..Interest::NONE },
            State::Over(_) => Interest::NONE,
        }
    }

    fn interest_in_exchange(&self) -> Interest {
        let is_up = matches!(self.link, Link::Up { .. });
        // As in a relay, bytes for a back end that is being connected may be tried at once.
        let is_connecting = matches!(self.link, Link::Connecting { .. });
        let is_queued = matches!(self.link, Link::Queued { .. });
        Interest {
            read_client: self.request.wants_bytes() && self.client_input.room() > 0 && !self.client_ended,
            write_client: self.has_client_output(),
            watch_client: is_queued || (self.watches && self.awaits_response()),
            write_backend: (is_up || is_connecting) && self.has_backend_output(),
            read_backend: is_up
                && self.request.head_is_sent()
                && (self.has_room_for_response_head() || self.response.is_body_awaited())
                && self.backend_input.room() > 0,
        }
    }

    fn has_client_output(&self) -> bool {
        !self.client_output.is_empty() || self.response.ready() > 0
    }

    /// True until its last response is out, or both sides have agreed on another protocol.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Head | State::Exchanging)
    }

    /// True while a back end has to be chosen, or waited for in the queue.
    pub fn needs_backend(&self) -> bool {
        matches!(self.step(), Step::Connect | Step::Queue)
    }

    /// True while there is no whole request head to act on: between two requests, or within a head.
    pub fn awaits_request(&self) -> bool {
        matches!(self.state, State::Head)
    }

    /// True while a request is forwarded and its response passed on, to its last byte.
    pub fn is_exchanging(&self) -> bool {
        match self.state {
            State::Exchanging => true,
            State::Tunnel => self.step() != Step::SwitchProtocols,
            State::Head | State::Linger(..) | State::Over(_) => false,
        }
    }

    /// How long the connect that begins now may take.
    pub fn connect_timeout(&self, now: &Now) -> Duration {
        match &self.link {
            Link::Connecting { until, .. } => until.saturating_duration_since(now.instant),
            _ => self.timeouts().connect,
        }
    }

    fn timeouts(&self) -> &Timeouts {
        &self.gateway.context.timeouts
    }

    fn wants_closings(&self) -> bool {
        self.gateway.context.observer.wants_closings()
    }

    /// Our sending side is closed.
    pub fn client_shut(&mut self) {
        if let State::Linger(linger, _) = &mut self.state {
            linger.shut = true;
        }
    }

    /// A call on the client's socket failed.
    pub fn client_failed(&mut self) {
        self.cut(Outcome::new(Who::Client, How::Reset, self.phase()));
    }

    fn phase(&self) -> Phase {
        match self.state {
            State::Head if self.reader.is_idle() => Phase::Idle,
            State::Head => Phase::RequestHead,
            State::Exchanging if matches!(self.link, Link::Queued { .. }) => Phase::Queue,
            State::Exchanging if self.request.wants_bytes() => Phase::RequestBody,
            State::Exchanging if !self.response.has_begun() => Phase::ResponseHead,
            State::Exchanging | State::Tunnel => Phase::ResponseBody,
            State::Linger(_, outcome) | State::Over(outcome) => outcome.phase,
        }
    }

    /// The program stops: the exchange under way is the last one, and an idle connection ends now.
    pub fn drain(&mut self) {
        self.draining = true;
        if matches!(self.state, State::Head) && self.reader.is_idle() {
            self.state = State::Over(Outcome::new(Who::Us, How::Drained, Phase::Idle));
        }
    }

    /// The program stops, and bytes have just come: the request that they belong to is the last one.
    pub fn take_last_request(&mut self) {
        self.draining = true;
    }

    /// The time for finishing is over.
    pub fn drained(&mut self) {
        self.cut(Outcome::new(Who::Us, How::Drained, self.phase()));
    }

    /// Answers 503 and closes: there is no worker for this connection.
    pub fn refuse_for_lack_of_workers(&mut self, now: &Now) {
        if matches!(self.state, State::Over(_)) {
            return; // a stranger gets no answer
        }
        let refusal = Refusal::new(503, "All workers are busy and the queue is full; try again soon.");
        self.refuse(refusal, How::Limited, Phase::Queue, now);
    }

    /// Goes on as a relay of bytes, once the step is [`Step::SwitchProtocols`].
    pub fn into_relay(mut self, now: &Now) -> Relay {
        let (group, backend) = match std::mem::replace(&mut self.link, Link::None) {
            Link::Up { group, backend, .. } => (group, Some(backend)),
            _ => (Arc::new(Group::new("tunnel", Vec::new())), None),
        };
        let outcome = Outcome::new(Who::Us, How::Finished, Phase::ResponseHead);
        self.log_exchange(Some(101), backend.as_ref().map(|backend| backend.address), outcome, now);
        let buffers = [std::mem::take(&mut self.client_input), std::mem::take(&mut self.backend_input)];
        let service = RelayService { context: Arc::clone(&self.gateway.context), group };
        Relay::join(Arc::new(service), self.caller.address(), backend, buffers, now)
    }

    /// True if the close must be a reset, because an orderly one would make a cut answer look complete.
    pub fn was_cut(&self) -> bool {
        let is_unfinished = match self.response {
            Response::Awaited { .. } => false,
            Response::Body { .. } => true,
            Response::Out { .. } => !self.client_output.is_empty(),
        };
        matches!(self.state, State::Over(_)) && is_unfinished
    }

    /// Writes the closing line of an exchange that did not come to its own end.
    pub fn finish(&mut self, now: &Now) {
        if let State::Over(outcome) = self.state
            && !self.request_line.is_empty()
        {
            self.log_exchange(self.response.status(), self.backend_address(), outcome, now);
        }
    }

    /// Ends everything here and now; what was begun stays unfinished and is seen to be so.
    fn cut(&mut self, outcome: Outcome) {
        self.state = State::Over(match self.state {
            // The last answer is out: nothing is cut.
            State::Linger(_, outcome) | State::Over(outcome) => outcome,
            _ => {
                if outcome.phase == Phase::RequestHead {
                    self.request_line.set_if_empty("-", self.wants_closings()); // never whole, and told all the same
                }
                outcome
            }
        });
    }

    /// Refuses a request that was not forwarded, or not wholly, and closes.
    fn refuse(&mut self, refusal: Refusal, how: How, phase: Phase, now: &Now) {
        log::debug!("{} is answered {refusal}", self.caller.address());
        self.request_line.set_if_empty("-", self.wants_closings());
        self.request.abandon();
        self.request.keep = false;
        let outcome = Outcome::new(Who::Client, how, phase);
        self.respond_with_error(refusal.status, "http_request_error", refusal.reason, outcome, now);
    }

    /// Answers by ourselves instead of a back end; the back end's connection, if any, is dropped.
    fn respond_with_error(&mut self, status: u16, error: &str, sentence: &str, outcome: Outcome, now: &Now) {
        let backend = self.backend_address();
        self.let_go(false);
        self.state = State::Exchanging;
        // It has its own time to get out, however late it comes.
        self.last_progress = now.instant;
        self.give_request_up();
        self.backend_input.clear();
        self.backend_output.clear();
        let keep = self.request.is_complete() && self.request.keep && !self.draining;
        self.request.keep = keep;
        let connection = self.request.connection_field(keep);
        let head_only = self.request.method == Method::Head;
        let before = self.client_output.len();
        let fits = forward::error_answer(
            &mut self.client_output,
            now,
            status,
            error,
            sentence,
            connection,
            head_only,
        );
        self.timing.bytes_out += (self.client_output.len() - before) as u64;
        self.timing.first_byte.get_or_insert(now.instant);
        self.response = Response::Out { status, backend, outcome };
        if !fits {
            self.cut(Outcome::new(Who::Us, How::Failed, Phase::ResponseHead));
        }
    }

    /// Ends the exchange if every byte of the answer is out, and begins the next or closes.
    fn end_if_out(&mut self, now: &Now) {
        let Response::Out { status, backend, outcome } = self.response else { return };
        let released = matches!(self.link, Link::None);
        if !matches!(self.state, State::Exchanging) || !self.client_output.is_empty() || !released {
            return;
        }
        self.log_exchange(Some(status), backend, outcome, now);
        if self.request.keep && self.request.is_complete() && !self.draining {
            self.reader.next_request(now);
            self.timing = Timing::open(now.instant, now);
            self.state = State::Head;
            self.request = Request::default();
            self.response = Response::default();
            self.read_head(now);
        } else {
            let is_unread = !self.request.is_complete() || !self.client_input.is_empty();
            // A client that did not say `close` may have sent its next request already.
            let may_come = is_unread || self.request.client_keeps;
            self.client_input.clear();
            self.state = match may_come && !self.client_ended {
                true => State::Linger(Linger::new(now), outcome),
                false => State::Over(outcome),
            };
        }
    }

    fn log_exchange(
        &mut self,
        status: Option<u16>,
        backend: Option<SocketAddr>,
        outcome: Outcome,
        now: &Now,
    ) {
        let request = Some(self.request_line.as_str());
        let RoleContext { role, observer, .. } = &*self.gateway.context;
        let closing = self.timing.closing(role, self.caller.address(), outcome, now);
        observer.observe(&Event::Closed(&Closing { backend, request, status, ..closing }));
        self.request_line.clear();
        self.timing.bytes_in = 0;
    }
}

/// `Connection` is written for a client only where its version's default would mislead it.
fn connection_field(version: Version, keep: bool) -> Option<&'static str> {
    match (keep, version) {
        (false, _) => Some("close"),
        (true, Version::Http10) => Some("keep-alive"),
        (true, Version::Http11) => None,
    }
}

#[cfg(test)]
mod tests;
