//! The machine of a gateway's client connection: its requests are forwarded to back ends, one at a time.
//!
//! Contract: a request is checked before it is forwarded, and one that breaks the rules is refused and
//! never repaired. A response is passed on as it comes, and one that is cut short is never made to look
//! complete. The request side (`request.rs`) and the response side (`response.rs`) work at the same time: a
//! back end may respond while the request body is still being sent to it.
//!
//! ```text
//! The client's connection:
//!
//!   Head --complete--> Exchanging --keep-alive--> Head
//!    | ^                 |    |
//!    v | verified        |    |
//!   Verifying            |    |
//!                        |    |
//!                        |    +-- close --> Linger --> Over
//!                        +-- 101 --> Tunnel (continues as a relay)
//!
//! While Verifying, a password is looked at elsewhere; then the head is judged again. While Exchanging, the request body: Reading -> complete; the response: Awaited -> Body -> Out.
//!
//! The connection to the back end (`BackendConnection`):
//!
//!           +-- connect failed: another one --+
//!           v                                 |
//!   None -> Needed -------- chosen ------> Connecting --made--> Connected --done--> Released -> None
//!           ^ |                               ^                     |
//!           | +-- all full --> Queued --------+ one has room        |
//!           +---- failed before a response, and may be repeated ----+
//! ```

mod backend;
mod deadline;
mod machine;
mod own_response;
mod request;
mod response;
mod routing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::balance::Group;
use crate::balance::routes::{DEFAULT, Routes};
use crate::protocol::buffer::Buffer;
use crate::protocol::context::RoleContext;
use crate::protocol::event::{Closing, Event};
use crate::protocol::forward::{GroupCookie, Rules};
use crate::protocol::guard::basic_auth::PasswordCheck;
use crate::protocol::http::Version;
use crate::protocol::http::request_reader::RequestReader;
use crate::protocol::idle_client::IdleClient;
use crate::protocol::interest::{Interest, Step};
use crate::protocol::linger::Linger;
use crate::protocol::logged_request::LoggedRequest;
use crate::protocol::machine::NO_WORKER;
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use crate::protocol::proxy_header::ClientIdentity;
use crate::protocol::relay::{Relay, RelayService};
use crate::protocol::route::Route;
use crate::protocol::timeouts::Timeouts;
use crate::protocol::timing::Timing;
use backend::BackendConnection;
pub(crate) use backend::BackendTarget;
use request::Request;
use response::Response;

/// A gateway: its settings, which group serves a path, and how heads are rewritten.
#[derive(Debug)]
pub struct Gateway {
    /// The settings that all its connections share.
    pub context: Arc<RoleContext>,
    /// Hosts and path prefixes, and what is done with their requests.
    pub routes: Routes<Route>,
    /// What is added to and dropped from a forwarded head, whichever route it has.
    pub rules: Rules,
}

impl Gateway {
    /// The cookie of the group of this route.
    fn cookie_of(&self, group: &Group, route: usize) -> GroupCookie<'_> {
        self.rules.cookie.of(group, route == DEFAULT)
    }
}

/// One client connection of a gateway.
#[derive(Debug)]
pub struct Exchange {
    gateway: Arc<Gateway>,
    client: ClientIdentity,
    state: State,
    reader: RequestReader,
    backend: BackendConnection,
    /// Why the last attempt to connect for this request failed.
    connect_failure: How,
    request: Request,
    response: Response,
    /// Received from the client and not used yet. In a body, its first bytes are those to send to the back end.
    client_input: Buffer,
    /// Heads for the client. The body is sent from `backend_input`, without a copy.
    client_output: Buffer,
    /// Received from the back end. In a body, its first bytes are those to send to the client.
    backend_input: Buffer,
    /// The rewritten request head. It is kept until the response begins, so that it can be sent again.
    backend_output: Buffer,
    client_ended: bool,
    draining: bool,
    /// When a byte last moved in this exchange. Bytes of a response head do not count.
    last_progress: Instant,
    /// Since when only the next response head is missing. Its bytes do not extend the deadline.
    awaiting_since: Instant,
    /// The response head has taken so long that the client is watched: it may have disconnected.
    watches_client: bool,
    logged: LoggedRequest,
    /// The password of the present request, while it is verified.
    password: PasswordCheck,
    timing: Timing,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Between two requests, or reading a head.
    Head,
    /// The head in the first `length` bytes of the input waits until its password is verified.
    Verifying {
        length: usize,
    },
    /// A request is being forwarded, or gets a response of our own.
    Exchanging,
    /// Both sides have agreed on another protocol.
    Tunnel,
    Linger(Linger, Outcome),
    Over(Outcome),
}

impl Exchange {
    /// A connection that was accepted at `accepted` and that is served from now on.
    pub fn new(
        gateway: Arc<Gateway>,
        client: impl Into<ClientIdentity>,
        accepted: Instant,
        now: &Now,
    ) -> Exchange {
        let client = client.into();
        let entered = client.admit();
        let reader = RequestReader::new(accepted, gateway.context.head_limits);
        Exchange {
            gateway,
            client,
            state: entered.map_or_else(State::Over, |()| State::Head),
            reader,
            backend: BackendConnection::None,
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
            watches_client: false,
            logged: LoggedRequest::default(),
            password: PasswordCheck::None,
            timing: Timing::open(accepted, now),
        }
    }

    /// True if nothing is in flight and no byte of the next request has come.
    pub(crate) fn is_idle(&self) -> bool {
        matches!((self.state, &self.backend), (State::Head, BackendConnection::None))
            && self.client_input.is_empty()
            && self.timing.bytes_in == 0
            && self.client.is_known()
            && !(self.client.is_handshaking()
                || self.client_ended
                || self.draining
                || self.has_client_output())
    }

    /// What is to be remembered of the client, if it [is idle](Exchange::is_idle).
    pub(crate) fn into_idle(self) -> IdleClient<Gateway> {
        let Exchange { gateway, client, reader, .. } = self;
        reader.into_idle(gateway, client)
    }

    /// A machine for a client of which this was remembered.
    pub(crate) fn from_idle(idle: IdleClient<Gateway>, now: &Now) -> Exchange {
        let reader = RequestReader::of_idle(&idle, idle.service.context.head_limits);
        Exchange { reader, ..Exchange::new(idle.service, idle.client, idle.waiting_since, now) }
    }

    /// The next thing to do for this connection.
    pub fn step(&self) -> Step {
        match (self.state, &self.backend) {
            (State::Over(_), _) => Step::Finish,
            (State::Verifying { .. }, _) if self.password.is_due() => Step::Verify,
            (State::Verifying { .. }, _) => Step::Queue,
            (_, BackendConnection::Released { .. }) => Step::ReleaseBackend,
            (State::Exchanging, BackendConnection::Needed { .. }) => Step::Connect,
            (State::Exchanging, BackendConnection::Queued { ticket, .. }) => {
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
            State::Verifying { .. } => Interest { watch_client: true, ..Interest::NONE },
            State::Exchanging => self.interest_in_exchange(),
            State::Tunnel => Interest { write_client: !self.client_output.is_empty(), ..Interest::NONE },
            State::Linger(linger, _) => Interest { read_client: linger.shut, ..Interest::NONE },
            State::Over(_) => Interest::NONE,
        }
    }

    fn interest_in_exchange(&self) -> Interest {
        let is_up = matches!(self.backend, BackendConnection::Connected { .. });
        // As in a relay, sending may be tried while the connection is still being made.
        let is_connecting = matches!(self.backend, BackendConnection::Connecting { .. });
        let is_queued = matches!(self.backend, BackendConnection::Queued { .. });
        Interest {
            read_client: self.request.wants_bytes() && self.client_input.room() > 0 && !self.client_ended,
            write_client: self.has_client_output(),
            watch_client: is_queued || (self.watches_client && self.awaits_response()),
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

    /// True until its last response is sent, or until both sides have agreed on another protocol.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Head | State::Verifying { .. } | State::Exchanging)
    }

    /// True while a back end has to be chosen, or waited for in the queue.
    pub(crate) fn needs_backend(&self) -> bool {
        matches!(self.state, State::Exchanging) && matches!(self.step(), Step::Connect | Step::Queue)
    }

    /// True while there is no complete request head: between two requests, or within a head.
    pub(crate) fn awaits_request(&self) -> bool {
        matches!(self.state, State::Head)
    }

    /// True while a request is being forwarded and its response passed on, up to the last byte.
    pub(crate) fn is_exchanging(&self) -> bool {
        match self.state {
            State::Exchanging => true,
            State::Tunnel => self.step() != Step::SwitchProtocols,
            State::Head | State::Verifying { .. } | State::Linger(..) | State::Over(_) => false,
        }
    }

    /// How long the connect that begins now may take.
    pub fn connect_timeout(&self, now: &Now) -> Duration {
        match &self.backend {
            BackendConnection::Connecting { until, .. } => until.saturating_duration_since(now.instant),
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
    pub(crate) fn client_failed(&mut self) {
        self.cut(Outcome::new(Who::Client, How::Reset, self.phase()));
    }

    fn phase(&self) -> Phase {
        match self.state {
            State::Head if self.reader.is_idle() => Phase::Idle,
            State::Head => Phase::RequestHead,
            State::Verifying { .. } => Phase::Queue,
            State::Exchanging if matches!(self.backend, BackendConnection::Queued { .. }) => Phase::Queue,
            State::Exchanging if self.request.wants_bytes() => Phase::RequestBody,
            State::Exchanging if !self.response.has_begun() => Phase::ResponseHead,
            State::Exchanging | State::Tunnel => Phase::ResponseBody,
            State::Linger(_, outcome) | State::Over(outcome) => outcome.phase,
        }
    }

    /// The drain begins: the present exchange is the last one, and an idle connection ends now.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
        if matches!(self.state, State::Head) && self.reader.is_idle() {
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
        self.draining = true;
    }

    /// The time of the drain is over: ends the connection at once.
    pub(crate) fn drained(&mut self) {
        self.cut(Outcome::new(Who::Us, How::Drained, self.phase()));
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

    /// Continues as a relay, once the step is [`Step::SwitchProtocols`].
    pub(crate) fn into_relay(mut self, now: &Now) -> Relay {
        let (group, backend) = match std::mem::replace(&mut self.backend, BackendConnection::None) {
            BackendConnection::Connected { group, backend, .. } => (group, Some(backend)),
            _ => (Arc::new(Group::new("tunnel", Vec::new())), None),
        };
        let outcome = Outcome::new(Who::Us, How::Finished, Phase::ResponseHead);
        self.log_exchange(Some(101), backend.as_ref().map(|backend| backend.address), outcome, now);
        let buffers = [std::mem::take(&mut self.client_input), std::mem::take(&mut self.backend_input)];
        let service = RelayService { context: Arc::clone(&self.gateway.context), group };
        Relay::join(Arc::new(service), self.client, backend, buffers, now)
    }

    /// True if the close must be a reset: after an orderly close a response that was cut short could look
    /// complete.
    pub fn was_cut(&self) -> bool {
        let is_unfinished = match self.response {
            Response::Awaited { .. } => false,
            Response::Body { .. } => true,
            Response::Out { .. } => !self.client_output.is_empty(),
        };
        matches!(self.state, State::Over(_)) && is_unfinished
    }

    /// Reports the end of an exchange that did not complete.
    pub fn finish(&mut self, now: &Now) {
        let State::Over(outcome) = self.state else { return };
        self.client.report_unused(&self.gateway.context, outcome);
        if !self.logged.is_empty() {
            self.log_exchange(self.response.status(), self.backend_address(), outcome, now);
        }
    }

    /// Ends the connection at once. A response that has begun stays incomplete: see [`was_cut`](Self::was_cut).
    fn cut(&mut self, outcome: Outcome) {
        self.state = State::Over(match self.state {
            // The last response has been sent, so its outcome stands.
            State::Linger(_, outcome) | State::Over(outcome) => outcome,
            _ => {
                if outcome.phase == Phase::RequestHead {
                    // An incomplete head gets its line in the access log too.
                    self.logged.set_unread(self.client_input.bytes(), self.wants_closings());
                }
                outcome
            }
        });
    }

    /// If every byte of the response is sent, ends the exchange, and begins the next one or closes.
    fn end_if_sent(&mut self, now: &Now) {
        let Response::Out { status, backend, outcome } = self.response else { return };
        let released = matches!(self.backend, BackendConnection::None);
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
            let may_send_more = is_unread || self.request.client_keeps;
            self.client_input.clear();
            self.state = match may_send_more && !self.client_ended {
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
        self.client.end_check(status);
        if self.wants_closings() {
            let route = self.gateway.routes[self.request.route].name.as_deref();
            let request_id = self.request.routed.as_ref().and_then(|routed| routed.request_id.as_deref());
            let closing = Closing { backend, status, route, request_id, ..self.timing.closing(outcome, now) };
            let closing = self.logged.describe(closing);
            self.client.report(&self.gateway.context, &Event::Closed(&closing));
        }
        self.logged.clear();
        self.timing.bytes_in = 0;
    }
}

/// The `Connection` field for a client: only where the default of its version would be wrong.
fn connection_field(version: Version, keep: bool) -> Option<&'static str> {
    match (keep, version) {
        (false, _) => Some("close"),
        (true, Version::Http10) => Some("keep-alive"),
        (true, Version::Http11) => None,
    }
}

#[cfg(test)]
mod tests;
