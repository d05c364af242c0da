//! The machine of a relay: a client connected to a back end, byte for byte in both directions, whatever
//! their protocol.
//!
//! Contract: each byte read from one side is sent to the other once and in order. When one side closes its
//! sending side, this half-close is passed on after the last byte, and the other direction goes on. If a
//! receiver is slow, the buffer of its direction fills and the machine stops reading from the sender; then
//! the kernel slows the sender down (TCP flow control). If a read fills the buffer, the direction carries a
//! long stream: then the driver may move the next bytes through a pipe in the kernel, and the machine only
//! counts them.
//!
//! ```text
//!   Arriving: waits for a PROXY header and for the handshake of TLS, where they are expected
//!      |
//!      |  +-- connect failed: next candidate            (a guard refuses the address: Over)
//!      v  v
//!   Connecting --connected--> Joined --both directions ended--> Over
//!      |  ^                     |
//!      |  | one has room        +-- reset, deadline --> Over
//!      +-- all full --> Queued
//!      +-- no candidate left, or no room in the queue --> Over
//! ```

mod backend;
mod flow;
mod machine;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::balance::{Chosen, Group, Ticket, Turn};
use crate::protocol::buffer::Buffer;
use crate::protocol::context::RoleContext;
use crate::protocol::event::{Closing, Event};
use crate::protocol::interest::{Interest, Step};
use crate::protocol::limits::{PROBES_AFTER, PROXY_HEADER_BYTES_MAX};
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use crate::protocol::proxy_header::ClientIdentity;
use crate::protocol::timeouts::Timeouts;
use crate::protocol::timing::Timing;
use flow::Flow;

/// A relay: its settings and its back ends.
#[derive(Debug)]
pub struct RelayService {
    /// The settings that all its connections share.
    pub context: Arc<RoleContext>,
    /// The back ends.
    pub group: Arc<Group>,
}

/// One client connection of a relay.
#[derive(Debug)]
pub struct Relay {
    service: Arc<RelayService>,
    client: ClientIdentity,
    state: State,
    /// From the client to the back end.
    up: Flow,
    /// From the back end to the client.
    down: Flow,
    /// When a byte last moved, or one side ended.
    last_progress: Instant,
    probes: Probes,
    timing: Timing,
}

/// Whether the kernel sends keep-alive probes to the back end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Probes {
    /// No need yet: bytes have moved within [`PROBES_AFTER`].
    NotYet,
    Due,
    Started,
}

#[derive(Debug)]
enum State {
    /// Waiting for what comes ahead of the client's own bytes: a PROXY header, in which a proxy tells the client's
    /// address, and the handshake of TLS.
    Arriving {
        until: Instant,
    },
    /// `backend` is the candidate being tried; `None` until one is chosen.
    Connecting {
        turn: Option<Turn>,
        backend: Option<Chosen>,
        until: Instant,
    },
    /// All back ends are full: the client waits in the group's queue.
    Queued {
        ticket: Ticket,
        until: Instant,
    },
    /// Both connections are open, and bytes are moved.
    Joined {
        backend: Option<Chosen>,
    },
    Over {
        backend: Option<Chosen>,
        outcome: Outcome,
    },
}

impl Relay {
    /// A relay for a client that was accepted at `accepted` and that is served from now on.
    pub fn new(
        service: Arc<RelayService>,
        client: impl Into<ClientIdentity>,
        accepted: Instant,
        now: &Now,
    ) -> Relay {
        let client = client.into();
        let state = match client.admit() {
            Ok(()) => State::Arriving { until: accepted + service.context.timeouts.header },
            Err(outcome) => State::Over { backend: None, outcome },
        };
        let mut relay = Relay {
            service,
            client,
            state,
            up: Flow::default(),
            down: Flow::default(),
            last_progress: now.instant,
            probes: Probes::NotYet,
            timing: Timing::open(accepted, now),
        };
        relay.arrive(now);
        relay
    }

    /// How long the connect that begins now may take.
    pub fn connect_timeout(&self, now: &Now) -> Duration {
        match &self.state {
            State::Connecting { until, .. } => until.saturating_duration_since(now.instant),
            _ => self.timeouts().connect,
        }
    }

    fn timeouts(&self) -> &Timeouts {
        &self.service.context.timeouts
    }

    /// Begins to connect, as soon as the client's PROXY header is complete and its connection encrypted, where that
    /// is expected.
    pub(super) fn arrive(&mut self, now: &Now) {
        let State::Arriving { .. } = self.state else { return };
        match self.client.read_proxy_header(&mut self.up.buffer, self.up.ended) {
            Ok(true) if self.client.is_handshaking() => {}
            Ok(true) => {
                self.client.report_connection(&self.service.context);
                if let Some(guards) = &self.service.context.guards
                    && let Err(refused) = guards.judge_connection(self.client.address().ip(), now)
                {
                    self.timing.guard = Some(refused.by);
                    return self.end(refused.by.outcome());
                }
                let until = now.instant + self.timeouts().connect;
                self.state = State::Connecting { turn: None, backend: None, until };
                // There is room for it: see `client_space`.
                if !self.client.write_proxy_header(&mut self.up.buffer) {
                    self.end(Outcome::new(Who::Us, How::Failed, Phase::ProxyHeader));
                }
            }
            Ok(false) => {}
            Err(outcome) => self.end(outcome),
        }
    }

    /// A relay over two open connections: the tunnel after `101 Switching Protocols`. The buffers hold what
    /// was read from each side behind the HTTP messages.
    pub(crate) fn join(
        service: Arc<RelayService>,
        client: impl Into<ClientIdentity>,
        backend: Option<Chosen>,
        [from_client, from_backend]: [Buffer; 2],
        now: &Now,
    ) -> Relay {
        Relay {
            service,
            client: client.into(),
            state: State::Joined { backend },
            up: Flow::of(from_client),
            down: Flow::of(from_backend),
            last_progress: now.instant,
            probes: Probes::NotYet,
            timing: Timing::open(now.instant, now),
        }
    }

    /// The next thing to do for this connection.
    pub(crate) fn step(&self) -> Step {
        match &self.state {
            State::Over { .. } => Step::Finish,
            State::Connecting { backend: None, .. } => Step::Connect,
            State::Queued { ticket, .. } if ticket.is_ready() => Step::Connect,
            State::Queued { .. } => Step::Queue,
            State::Joined { .. } => self.step_when_joined(),
            State::Arriving { .. } | State::Connecting { .. } => Step::Transfer,
        }
    }

    fn step_when_joined(&self) -> Step {
        match (self.up.is_through(), self.down.is_through()) {
            // If both have ended, a close tells both sides as much as two half-closes, with fewer calls.
            (true, true) => Step::Finish,
            (true, false) if !self.up.end_passed_on => Step::ShutBackend,
            (false, true) if !self.down.end_passed_on => Step::ShutClient,
            _ if self.probes == Probes::Due => Step::StartProbes,
            _ => Step::Transfer,
        }
    }

    /// Which bytes can be moved.
    pub(crate) fn interest(&self) -> Interest {
        match &self.state {
            State::Arriving { .. } => Interest { read_client: true, ..Interest::NONE },
            // What the client sends meanwhile is kept for the back end, as long as there is room.
            State::Queued { .. } => {
                Interest { read_client: self.up.can_read(), watch_client: true, ..Interest::NONE }
            }
            State::Connecting { backend: None, .. } | State::Over { .. } => Interest::NONE,
            // Sending may be tried while the connection is still being made: it succeeds if the connection
            // is there already, as it nearly always is when both ends are on one machine.
            State::Connecting { backend: Some(_), .. } => Interest {
                read_client: self.up.can_read(),
                write_backend: !self.up.is_empty(),
                ..Interest::NONE
            },
            State::Joined { .. } => Interest {
                read_client: self.up.can_read(),
                write_client: !self.down.is_empty(),
                write_backend: !self.up.is_empty(),
                read_backend: self.down.can_read(),
                ..Interest::NONE
            },
        }
    }

    /// True while a back end has to be chosen, connected, or waited for in the queue.
    pub(crate) fn needs_backend(&self) -> bool {
        matches!(self.state, State::Arriving { .. } | State::Connecting { .. } | State::Queued { .. })
    }

    /// When [`expired`](Relay::expired) is to be called if nothing happens before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Arriving { until } | State::Connecting { until, .. } | State::Queued { until, .. } => {
                Some(*until)
            }
            State::Joined { .. } if self.probes == Probes::NotYet => {
                Some(self.last_progress + PROBES_AFTER.min(self.silence_allowed()))
            }
            State::Joined { .. } => Some(self.last_progress + self.silence_allowed()),
            State::Over { .. } => None,
        }
    }

    /// How long neither side may send.
    fn silence_allowed(&self) -> Duration {
        match self.up.ended || self.down.ended {
            true => self.timeouts().half_closed,
            false => self.timeouts().relay_idle,
        }
    }

    /// The deadline has passed: ends the connection, gives up a back end that does not accept, or has a silent one
    /// probed.
    pub(crate) fn expired(&mut self, now: &Now) {
        match self.deadline() {
            Some(deadline) if deadline <= now.instant => {}
            _ => return,
        }
        match self.state {
            State::Arriving { .. } => self.end(Outcome::new(Who::Client, How::TimedOut, self.phase())),
            State::Connecting { .. } => self.connect_failed(How::TimedOut, now),
            State::Queued { .. } => self.end_backends_full(How::TimedOut, now),
            _ if now.instant < self.last_progress + self.silence_allowed() => self.probes = Probes::Due,
            _ => {
                // On a half-closed relay the side that can still send is late.
                let who = if self.up.ended { Who::Backend } else { Who::Client };
                self.end(Outcome::new(who, How::TimedOut, Phase::Relay));
            }
        }
    }

    /// The space for the next bytes from the client.
    pub fn client_space(&mut self) -> &mut [u8] {
        let held = self.up.buffer.len();
        let space = self.up.buffer.space();
        match self.state {
            // Bounded by the longest PROXY header, so that there is room left for the one that we write.
            State::Arriving { .. } => &mut space[..PROXY_HEADER_BYTES_MAX.saturating_sub(held)],
            _ => space,
        }
    }

    /// True if the next bytes from the client may go into a pipe instead of
    /// [`client_space`](Relay::client_space): the client sends a long stream, and all of it so far was sent on.
    pub(crate) fn client_may_be_piped(&self) -> bool {
        self.up.may_be_piped()
    }

    /// There was nothing to read: frees the space.
    pub(crate) fn nothing_from_client(&mut self) {
        self.up.buffered(0);
    }

    /// `count` bytes came from the client; 0 means that it has closed its sending side.
    pub fn client_received(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        self.timing.bytes_in += count as u64;
        self.up.ended |= count == 0;
        self.up.buffered(count);
        self.arrive(now);
    }

    /// `count` bytes came from the client into the driver's pipe; 0 means that it has closed its sending side.
    pub(crate) fn client_piped(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        self.timing.bytes_in += count as u64;
        self.up.ended |= count == 0;
        self.up.piped(count);
    }

    /// Bytes for the client; none while the driver's pipe holds some.
    pub fn client_output(&self) -> &[u8] {
        self.down.buffer.bytes()
    }

    /// The first `count` bytes for the client were sent.
    pub fn client_sent(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        self.timing.bytes_out += count as u64;
        self.down.sent(count);
    }

    /// Our sending side to the client is closed.
    pub(crate) fn client_shut(&mut self) {
        self.down.end_passed_on = true;
    }

    /// The space for the next bytes from the back end.
    pub fn backend_space(&mut self) -> &mut [u8] {
        self.down.buffer.space()
    }

    /// True if the next bytes from the back end may go into a pipe instead of
    /// [`backend_space`](Relay::backend_space).
    pub(crate) fn backend_may_be_piped(&self) -> bool {
        self.down.may_be_piped()
    }

    /// There was nothing to read: frees the space.
    pub(crate) fn nothing_from_backend(&mut self) {
        self.down.buffered(0);
    }

    /// `count` bytes came from the back end; 0 means that it has closed its sending side.
    pub fn backend_received(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        if count > 0 {
            self.timing.first_byte.get_or_insert(now.instant);
        }
        self.down.ended |= count == 0;
        self.down.buffered(count);
    }

    /// `count` bytes came from the back end into the driver's pipe; 0 means that it has closed its sending side.
    pub(crate) fn backend_piped(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        self.down.ended |= count == 0;
        self.down.piped(count);
    }

    /// Bytes for the back end; none while the driver's pipe holds some.
    pub fn backend_output(&self) -> &[u8] {
        self.up.buffer.bytes()
    }

    /// The first `count` bytes for the back end were sent.
    pub fn backend_sent(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        self.up.sent(count);
    }

    /// Our sending side to the back end is closed.
    pub(crate) fn backend_shut(&mut self) {
        self.up.end_passed_on = true;
    }

    /// The kernel sends keep-alive probes to the back end from now on.
    pub(crate) fn probes_started(&mut self) {
        self.probes = Probes::Started;
    }

    /// A call on the client's socket failed.
    pub(crate) fn client_failed(&mut self) {
        self.end(Outcome::new(Who::Client, How::Reset, self.phase()));
    }

    /// A call on the back end's socket failed after it was connected.
    pub(crate) fn backend_failed(&mut self) {
        self.end(Outcome::new(Who::Backend, How::Reset, Phase::Relay));
    }

    /// The time of the drain is over: ends the connection at once.
    pub(crate) fn drained(&mut self) {
        self.end(Outcome::new(Who::Us, How::Drained, self.phase()));
    }

    fn phase(&self) -> Phase {
        match self.state {
            State::Arriving { .. } if self.client.is_known() => Phase::Handshake,
            State::Arriving { .. } => Phase::ProxyHeader,
            State::Queued { .. } => Phase::Queue,
            _ => Phase::Relay,
        }
    }

    pub(super) fn end(&mut self, outcome: Outcome) {
        let backend = match &mut self.state {
            State::Arriving { .. } | State::Queued { .. } => None,
            State::Connecting { backend, .. } | State::Joined { backend } => backend.take(),
            State::Over { .. } => return,
        };
        self.state = State::Over { backend, outcome };
    }

    /// True if the close must be a reset: after an orderly close a peer could believe that it got everything.
    pub(crate) fn was_cut(&self) -> bool {
        matches!(&self.state, State::Over { outcome, .. } if outcome.phase == Phase::Relay && !outcome.is_clean())
    }

    /// Reports the end of the connection.
    pub(crate) fn finish(&mut self, now: &Now) {
        self.end(Outcome::new(Who::Us, How::Finished, Phase::Relay));
        let State::Over { backend, outcome } = &self.state else { return };
        let backend = backend.as_ref().map(|backend| backend.address);
        let closing = Closing { backend, ..self.timing.closing(*outcome, now) };
        self.client.report(&self.service.context, &Event::Closed(&closing));
    }
}

#[cfg(test)]
mod tests;
