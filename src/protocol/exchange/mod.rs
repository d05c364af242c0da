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

mod response;
mod deadline;
mod link;
mod request;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::balance::Group;
use crate::balance::routes::Routes;
use crate::observe::log::{self, Closing};
use crate::protocol::buffer::Buffer;
use crate::protocol::forward::{self, Rules};
use crate::protocol::http::request_reader::RequestReader;
use crate::protocol::http::{Method, Refusal, Version};
use crate::protocol::interest::Wants;
use crate::protocol::linger::Linger;
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use crate::protocol::proxy_header::Caller;
use crate::protocol::relay::Relay;
use crate::protocol::request_line::RequestLine;
use crate::protocol::timeouts::Timeouts;
use crate::protocol::timing::Timing;
use response::Response;
use link::Link;
pub use link::{Choice, Release};
use request::Request;

/// What a gateway knows: which group answers a path, and how heads are rewritten.
#[derive(Debug)]
pub struct Gateway {
    /// Path prefixes and their groups of back ends.
    pub routes: Routes,
    /// What is added to and dropped from a forwarded head.
    pub rules: Rules,
}

/// One client connection of a gateway.
#[derive(Debug)]
pub struct Exchange {
    role: &'static str,
    caller: Caller,
    gateway: Arc<Gateway>,
    timeouts: Arc<Timeouts>,
    keep_alive_requests: u32,
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
    pub fn new(
        role: &'static str,
        caller: impl Into<Caller>,
        gateway: Arc<Gateway>,
        timeouts: impl Into<Arc<Timeouts>>,
        keep_alive_requests: u32,
        accepted: Instant,
        now: &Now,
    ) -> Exchange {
        let caller = caller.into();
        Exchange {
            role,
            caller,
            gateway,
            timeouts: timeouts.into(),
            keep_alive_requests,
            state: caller.enter().map_or_else(State::Over, |()| State::Head),
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

    /// What this connection waits for.
    pub fn wants(&self) -> Wants {
        let release_backend = matches!(self.link, Link::Released { .. });
        let wants = Wants { release_backend, ..Wants::default() };
        match self.state {
            State::Head => Wants { read_client: !self.client_ended, ..wants },
            State::Exchanging => {
                let up = matches!(self.link, Link::Up { .. });
                // As in a relay, bytes for a back end that is being connected may be tried at once.
                let connecting = matches!(self.link, Link::Connecting { .. });
                let queued = matches!(self.link, Link::Queued { .. });
                Wants {
                    read_client: self.request.wants_bytes()
                        && self.client_input.room() > 0
                        && !self.client_ended,
                    write_client: !self.client_output.is_empty() || self.response.ready() > 0,
                    connect: match &self.link {
                        Link::Wanted { .. } => true,
                        Link::Queued { ticket, .. } => ticket.is_called(),
                        _ => false,
                    },
                    queued,
                    watch_client: queued || (self.watches && self.awaits_response()),
                    write_backend: (up || connecting) && self.has_backend_output(),
                    read_backend: up
                        && self.request.head_is_sent()
                        && (self.has_room_for_response_head() || self.response.is_body_awaited())
                        && self.backend_input.room() > 0,
                    ..wants
                }
            }
            State::Tunnel => {
                let flushed = self.client_output.is_empty();
                Wants { write_client: !flushed, tunnel: flushed, ..wants }
            }
            State::Linger(linger, _) => {
                Wants { read_client: linger.shut, shut_client: !linger.shut, ..wants }
            }
            State::Over(_) => Wants { finish: true, ..Wants::default() },
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

    /// Goes on as a relay of bytes, once [`Wants::tunnel`] is wanted.
    pub fn into_relay(mut self, now: &Now) -> Relay {
        let (group, backend) = match std::mem::replace(&mut self.link, Link::None) {
            Link::Up { group, backend, .. } => (group, Some(backend)),
            _ => (Arc::new(Group::new("tunnel", Vec::new())), None),
        };
        let outcome = Outcome::new(Who::Us, How::Finished, Phase::ResponseHead);
        self.log_exchange(Some(101), backend.as_ref().map(|backend| backend.address), outcome, now);
        let buffers = [std::mem::take(&mut self.client_input), std::mem::take(&mut self.backend_input)];
        Relay::join(self.role, self.caller.address(), (group, backend), self.timeouts, buffers, now)
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
                    self.request_line.set_if_empty("-"); // never whole, and told all the same
                }
                outcome
            }
        });
    }

    /// Refuses a request that was not forwarded, or not wholly, and closes.
    fn refuse(&mut self, refusal: Refusal, how: How, phase: Phase, now: &Now) {
        ::log::debug!("{} is answered {refusal}", self.caller.address());
        self.request_line.set_if_empty("-");
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
        let closing = self.timing.closing(self.role, self.caller.address(), outcome, now);
        log::closed(&Closing { backend, request, status, ..closing });
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
