//! A client connection answered from a site: request after request, each answer whole before the next.
//!
//! Contract: bytes of the client go in by [`client_space`](Web::client_space) and
//! [`client_received`](Web::client_received), answers come out by [`client_output`](Web::client_output)
//! and [`client_sent`](Web::client_sent), and [`wants`](Web::wants) tells which is due. Requests that
//! arrive together are answered in order, and small answers to them leave together.
//!
//! ```text
//!   Head --> Body --> Delay --> Response --+--> Head      (kept)
//!     |        |                           +--> Linger    (closed, and the client may still be sending)
//!     +--------+--- refused --> Response --+--> Over
//! ```

mod outgoing;
mod request;
mod service;

use std::sync::Arc;
use std::time::Instant;

use crate::protocol::buffer::Buffer;
use crate::protocol::context::RoleContext;
use crate::protocol::event::{Closing, Event};
use crate::protocol::http::body::BodyReader;
use crate::protocol::http::request_reader::RequestReader;
use crate::protocol::http::{Refusal, Version};
use crate::protocol::interest::{Interest, Step};
use crate::protocol::linger::Linger;
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use crate::protocol::proxy_header::Caller;
use crate::protocol::request_line::RequestLine;
use crate::protocol::timeouts::Timeouts;
use crate::protocol::timing::Timing;
use outgoing::Outgoing;
pub use outgoing::Output;
pub use service::{Body, Generator, Response, Site, WebService};

/// One client connection of a web server.
#[derive(Debug)]
pub struct Web<S: Site> {
    service: Arc<WebService<S>>,
    caller: Caller,
    state: State<S::Response>,
    reader: RequestReader,
    /// Bytes received and not yet used.
    input: Buffer,
    /// Heads and small bodies to send.
    output: Buffer,
    /// The body behind `output`, if it is too long to be copied there.
    body: OutgoingOf<S::Response>,
    /// Stray bytes behind the body, as the Python wrote them.
    trailing: &'static [u8],
    /// The client has closed its sending side.
    client_ended: bool,
    /// The present request is the last one: the program stops, or a CONNECT was refused.
    takes_no_more: bool,
    /// When a byte last moved.
    last_progress: Instant,
    request_line: RequestLine,
    timing: Timing,
}

/// The body of a response that is being sent.
type OutgoingOf<R> = Outgoing<<R as Response>::Memory, <R as Response>::File, <R as Response>::Generator>;

#[derive(Debug)]
enum State<R> {
    /// Waiting for a whole request head.
    Head,
    /// Reading a request body only to get past it; the answer is ready.
    Body {
        reader: BodyReader,
        bytes: u64,
        response: R,
        version: Version,
        client_keeps: bool,
    },
    /// A test answer that was asked to take its time.
    Delay {
        until: Instant,
        response: R,
        version: Version,
        client_keeps: bool,
    },
    /// Sending; `outcome` is set if the connection ends with this answer.
    Response {
        status: u16,
        last: Option<Close>,
    },
    /// The answer is out; what the client still sends is thrown away.
    Linger(Linger, Outcome),
    Over(Outcome),
}

/// How a connection ends after its last answer.
#[derive(Clone, Copy, Debug)]
struct Close {
    outcome: Outcome,
    /// The client may still be sending: read on for a while.
    linger: bool,
}

impl<S: Site> Web<S> {
    /// A connection that was accepted at `accepted` and is taken up now.
    pub fn new(
        service: Arc<WebService<S>>,
        caller: impl Into<Caller>,
        accepted: Instant,
        now: &Now,
    ) -> Web<S> {
        let caller = caller.into();
        let entered = caller.enter(&*service.context.observer);
        Web {
            service,
            caller,
            state: entered.map_or_else(State::Over, |()| State::Head),
            reader: RequestReader::new(accepted),
            input: Buffer::new(),
            output: Buffer::new(),
            body: Outgoing::None,
            trailing: b"",
            client_ended: false,
            takes_no_more: false,
            last_progress: now.instant,
            request_line: RequestLine::default(),
            timing: Timing::open(accepted, now),
        }
    }

    /// The next thing to do for this connection.
    pub fn step(&self) -> Step {
        match &self.state {
            State::Linger(linger, _) if !linger.shut => Step::ShutClient,
            State::Over(_) => Step::Finish,
            _ => Step::Transfer,
        }
    }

    /// Which bytes can be moved.
    pub fn interest(&self) -> Interest {
        let write_client = self.has_output();
        match &self.state {
            // Requests that wait for room in the output fill the input, and then no more are read.
            State::Head | State::Body { .. } => {
                let read_client = self.input.room() > 0 && !self.client_ended;
                Interest { read_client, write_client, ..Interest::NONE }
            }
            State::Delay { .. } | State::Response { .. } => Interest { write_client, ..Interest::NONE },
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

    /// True until its last response is out: there are requests to read and responses to send.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Linger(..) | State::Over(_))
    }

    /// True if a request, or the rest of one, has to be read before there is anything to send.
    pub fn awaits_request(&self) -> bool {
        matches!(self.state, State::Head | State::Body { .. }) && !self.has_output()
    }

    /// True if there is something to send, now or after a delay.
    pub fn owes_response(&self) -> bool {
        match self.state {
            State::Head | State::Body { .. } => self.has_output(),
            State::Delay { .. } | State::Response { .. } => true,
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
            State::Head if self.output.is_empty() => Some(self.reader.deadline(self.timeouts())),
            State::Head if self.reader.is_idle() => Some(stall),
            // Answers are on their way and the next head is too: a dripping head does not hold them open.
            State::Head => Some(stall.min(self.reader.deadline(self.timeouts()))),
            State::Body { .. } | State::Response { .. } => Some(stall),
            State::Delay { until, .. } => Some(*until),
            State::Linger(linger, _) => Some(linger.deadline()),
            State::Over(_) => None,
        }
    }

    /// The deadline has come: the delay is over, or patience is.
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
            State::Body { .. } => {
                let refusal = Refusal::new(408, "The request body took too long.");
                self.refuse(refusal, How::TimedOut, Phase::RequestBody, now);
            }
            State::Linger(_, outcome) | State::Over(outcome) => self.state = State::Over(outcome),
            State::Head | State::Response { .. } => {
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
    pub fn client_failed(&mut self) {
        self.cut(Who::Client, How::Reset);
    }

    /// Ends it here and now; if an answer was on its way, it is seen to be cut.
    fn cut(&mut self, who: Who, how: How) {
        let outcome = |phase| Outcome::new(who, how, phase);
        self.state = State::Over(match &self.state {
            // The last answer is out: nothing is cut.
            State::Linger(_, outcome) | State::Over(outcome) => *outcome,
            _ if self.has_output() => outcome(Phase::ResponseBody),
            State::Head if self.reader.is_idle() => outcome(Phase::Idle),
            State::Head => {
                self.request_line.set_if_empty("-", self.wants_closings()); // never whole, and told all the same
                outcome(Phase::RequestHead)
            }
            State::Body { .. } => outcome(Phase::RequestBody),
            State::Delay { .. } | State::Response { .. } => outcome(Phase::ResponseBody),
        });
    }

    fn wants_closings(&self) -> bool {
        self.service.context.observer.wants_closings()
    }

    fn has_output(&self) -> bool {
        !self.output.is_empty() || !matches!(self.body, Outgoing::None)
    }

    /// The program stops: the answer under way is the last one, and an idle connection ends now.
    pub fn drain(&mut self) {
        self.takes_no_more = true;
        if matches!(self.state, State::Head) && self.reader.is_idle() && self.output.is_empty() {
            self.state = State::Over(Outcome::new(Who::Us, How::Drained, Phase::Idle));
        }
    }

    /// The program stops, and bytes have just come: the request that they belong to is the last one.
    pub fn take_last_request(&mut self) {
        self.takes_no_more = true;
    }

    /// The time for finishing is over.
    pub fn drained(&mut self) {
        self.cut(Who::Us, How::Drained);
    }

    /// Answers 503 and closes: there is no worker for this connection.
    pub fn refuse_for_lack_of_workers(&mut self, now: &Now) {
        if matches!(self.state, State::Over(_)) {
            return; // a stranger gets no answer
        }
        let refusal = Refusal::new(503, "All workers are busy and the queue is full; try again soon.");
        self.refuse(refusal, How::Limited, Phase::Queue, now);
    }

    /// True if the close must be a reset, because an orderly one would make a cut answer look complete.
    pub fn was_cut(&self) -> bool {
        matches!(self.state, State::Over(outcome) if outcome.phase == Phase::ResponseBody && !outcome.is_clean())
    }

    /// Writes the closing line of an exchange that did not come to its own end.
    pub fn finish(&mut self, now: &Now) {
        if let State::Over(outcome) = self.state
            && !self.request_line.is_empty()
        {
            self.log_exchange(None, outcome, now);
        }
    }

    /// Goes as far as the bytes at hand allow.
    fn advance(&mut self, now: &Now) {
        loop {
            let goes_on = match &self.state {
                State::Head => self.read_head(now),
                State::Body { .. } => self.read_body(now),
                State::Response { .. } => self.response_is_out(now),
                State::Delay { .. } | State::Linger(..) | State::Over(_) => false,
            };
            if !goes_on {
                return;
            }
        }
    }

    fn log_exchange(&mut self, status: Option<u16>, outcome: Outcome, now: &Now) {
        let RoleContext { role, observer, .. } = &*self.service.context;
        let request = Some(self.request_line.as_str());
        observer.observe(&Event::Closed(&Closing {
            request,
            status,
            ..self.timing.closing(role, self.caller.address(), outcome, now)
        }));
        self.request_line.clear();
        self.timing.bytes_in = 0;
    }
}

#[cfg(test)]
mod tests;
