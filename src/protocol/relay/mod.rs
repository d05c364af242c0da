//! A client joined to a back end byte for byte, both ways, whatever the protocol.
//!
//! Contract: each byte read from one side is sent to the other, in order and once; the end of one
//! side's sending is passed on when its last byte is out, and the other direction goes on. A
//! direction whose reader is slow fills its buffer of [`BUFFER_BYTES`] and then is not read from: the
//! kernel slows the sender down. A direction whose last read filled the buffer carries a long stream:
//! its driver may move the next bytes through a pipe in the kernel instead, and the machine counts them.
//!
//! ```text
//!   Entering: a PROXY header is awaited, if one is to come
//!      |
//!   Connecting --connected--> Joined --both directions ended--> Over
//!      |  ^                     |
//!      |  +-- next candidate    +-- reset, deadline --> Over
//!      +-- all full --> Queued --called--> Connecting
//!      +-- no candidate left, no room in the queue --> Over
//! ```

mod link;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::balance::{Chosen, Group, Ticket, Turn};
use crate::protocol::buffer::Buffer;
use crate::protocol::context::RoleContext;
use crate::protocol::event::{Closing, Event};
use crate::protocol::interest::{Interest, Step};
use crate::protocol::limits::{BUFFER_BYTES, PROXY_HEADER_BYTES_MAX};
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use crate::protocol::proxy_header::Caller;
use crate::protocol::timeouts::Timeouts;
use crate::protocol::timing::Timing;

/// A relay: its settings, and the back ends it joins clients to.
#[derive(Debug)]
pub struct RelayService {
    /// What its connections share.
    pub context: Arc<RoleContext>,
    /// The back ends.
    pub group: Arc<Group>,
}

/// One relayed client connection.
#[derive(Debug)]
pub struct Relay {
    service: Arc<RelayService>,
    caller: Caller,
    state: State,
    /// From the client to the back end.
    up: Flow,
    /// From the back end to the client.
    down: Flow,
    /// When a byte last moved, or an end was seen.
    last_progress: Instant,
    timing: Timing,
}

#[derive(Debug)]
enum State {
    /// A header is awaited that tells who the client is.
    Entering {
        until: Instant,
    },
    /// `backend` is the candidate being tried; `None` until one is chosen.
    Connecting {
        turn: Option<Turn>,
        backend: Option<Chosen>,
        until: Instant,
    },
    /// All back ends are full: it waits in the group's queue.
    Queued {
        ticket: Ticket,
        until: Instant,
    },
    /// Bytes flow.
    Joined {
        backend: Option<Chosen>,
    },
    Over {
        backend: Option<Chosen>,
        outcome: Outcome,
    },
}

/// One direction of a relay: a buffer, or a pipe of the driver's of which only the bytes are counted.
#[derive(Debug, Default)]
struct Flow {
    buffer: Buffer,
    /// Bytes in the driver's pipe. None while the buffer holds some: order would be lost.
    piped: usize,
    /// The last read was so long that the next one may go into a pipe.
    bulk: bool,
    /// The sender has closed its side: nothing more will come.
    ended: bool,
    /// The receiver was told so.
    end_passed_on: bool,
}

impl Flow {
    fn of(buffer: Buffer) -> Flow {
        Flow { buffer, ..Flow::default() }
    }

    /// Not while the pipe holds bytes: what came into the buffer now would have to wait behind them.
    fn can_read(&self) -> bool {
        !self.ended && self.piped == 0 && self.buffer.room() > 0
    }

    fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.piped == 0
    }

    /// Everything that came has gone out, and nothing more will come.
    fn is_through(&self) -> bool {
        self.ended && self.is_empty()
    }

    fn may_be_piped(&self) -> bool {
        self.bulk && self.is_empty()
    }

    /// `count` bytes are in the buffer; 0 is the end, or that nothing came after all.
    fn buffered(&mut self, count: usize) {
        self.buffer.filled(count);
        self.bulk = count > 0 && self.buffer.room() == 0;
    }

    /// `count` bytes are in the pipe; 0 is the end.
    fn piped(&mut self, count: usize) {
        self.piped += count;
        self.bulk = count >= BUFFER_BYTES;
    }

    /// `count` bytes went out, of the buffer or of the pipe.
    fn sent(&mut self, count: usize) {
        match self.piped {
            0 => self.buffer.consume(count),
            piped => self.piped = piped.saturating_sub(count),
        }
    }
}

impl Relay {
    /// A relay for a client that was accepted at `accepted` and is taken up now.
    pub fn new(service: Arc<RelayService>, caller: impl Into<Caller>, accepted: Instant, now: &Now) -> Relay {
        let caller = caller.into();
        let state = match caller.enter(&*service.context.observer) {
            Ok(()) => State::Entering { until: accepted + service.context.timeouts.header },
            Err(outcome) => State::Over { backend: None, outcome },
        };
        let mut relay = Relay {
            service,
            caller,
            state,
            up: Flow::default(),
            down: Flow::default(),
            last_progress: now.instant,
            timing: Timing::open(accepted, now),
        };
        relay.hear_caller(now);
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

    /// Begins to connect as soon as it is known for whom.
    fn hear_caller(&mut self, now: &Now) {
        let State::Entering { .. } = self.state else { return };
        match self.caller.hear(&mut self.up.buffer, self.up.ended, &*self.service.context.observer) {
            Ok(true) => {
                let until = now.instant + self.timeouts().connect;
                self.state = State::Connecting { turn: None, backend: None, until };
                // What came with the caller's own header leaves room: see `client_space`.
                if !self.caller.introduce(&mut self.up.buffer) {
                    self.end(Outcome::new(Who::Us, How::Failed, Phase::ProxyHeader));
                }
            }
            Ok(false) => {}
            Err(outcome) => self.end(outcome),
        }
    }

    /// A relay over two connections that are there already, with what was read from them beyond the
    /// answer that joined them: the tunnel after `101 Switching Protocols`.
    pub fn join(
        service: Arc<RelayService>,
        client: SocketAddr,
        backend: Option<Chosen>,
        [from_client, from_backend]: [Buffer; 2],
        now: &Now,
    ) -> Relay {
        Relay {
            service,
            caller: client.into(),
            state: State::Joined { backend },
            up: Flow::of(from_client),
            down: Flow::of(from_backend),
            last_progress: now.instant,
            timing: Timing::open(now.instant, now),
        }
    }

    /// The next thing to do for this connection.
    pub fn step(&self) -> Step {
        match &self.state {
            State::Over { .. } => Step::Finish,
            State::Connecting { backend: None, .. } => Step::Connect,
            State::Queued { ticket, .. } if ticket.is_ready() => Step::Connect,
            State::Queued { .. } => Step::Queue,
            State::Joined { .. } => self.step_when_joined(),
            State::Entering { .. } | State::Connecting { .. } => Step::Transfer,
        }
    }

    fn step_when_joined(&self) -> Step {
        match (self.up.is_through(), self.down.is_through()) {
            // With both ended, closing says the same as two half-closes in fewer calls.
            (true, true) => Step::Finish,
            (true, false) if !self.up.end_passed_on => Step::ShutBackend,
            (false, true) if !self.down.end_passed_on => Step::ShutClient,
            _ => Step::Transfer,
        }
    }

    /// Which bytes can be moved.
    pub fn interest(&self) -> Interest {
        match &self.state {
            State::Entering { .. } => Interest { read_client: true, ..Interest::NONE },
            // What the client says meanwhile is for the back end: until there is no more room.
            State::Queued { .. } => {
                Interest { read_client: self.up.can_read(), watch_client: true, ..Interest::NONE }
            }
            State::Connecting { backend: None, .. } | State::Over { .. } => Interest::NONE,
            // Bytes for a back end that is still being connected may be tried at once: they go out
            // if the connection is there already, as on one machine it nearly always is.
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
    pub fn needs_backend(&self) -> bool {
        matches!(self.state, State::Entering { .. } | State::Connecting { .. } | State::Queued { .. })
    }

    /// When [`expired`](Relay::expired) is to be called if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Entering { until } | State::Connecting { until, .. } | State::Queued { until, .. } => {
                Some(*until)
            }
            State::Joined { .. } => Some(self.last_progress + self.silence_allowed()),
            State::Over { .. } => None,
        }
    }

    fn silence_allowed(&self) -> std::time::Duration {
        match self.up.ended || self.down.ended {
            true => self.timeouts().half_closed,
            false => self.timeouts().relay_idle,
        }
    }

    /// The deadline has come: ends the connection, or gives up a back end that does not accept.
    pub fn expired(&mut self, now: &Now) {
        match self.deadline() {
            Some(deadline) if deadline <= now.instant => {}
            _ => return,
        }
        match self.state {
            State::Entering { .. } => self.end(Outcome::new(Who::Client, How::TimedOut, Phase::ProxyHeader)),
            State::Connecting { .. } => self.connect_failed(How::TimedOut, now),
            State::Queued { .. } => self.none_has_room(How::TimedOut, now),
            _ => {
                // Whoever owes the next byte: of a half-closed relay the side that has not ended.
                let who = if self.up.ended { Who::Backend } else { Who::Client };
                self.end(Outcome::new(who, How::TimedOut, Phase::Relay));
            }
        }
    }

    /// Where bytes from the client go.
    pub fn client_space(&mut self) -> &mut [u8] {
        let held = self.up.buffer.len();
        let space = self.up.buffer.space();
        match self.state {
            // No more than a header may have, so that ours has room where that one was.
            State::Entering { .. } => &mut space[..PROXY_HEADER_BYTES_MAX.saturating_sub(held)],
            _ => space,
        }
    }

    /// True if the next bytes from the client may go into a pipe instead of
    /// [`client_space`](Relay::client_space): it sends a long stream, and nothing is held of it.
    pub fn client_may_be_piped(&self) -> bool {
        self.up.may_be_piped()
    }

    /// There was nothing to read after all: gives the memory for it back.
    pub fn nothing_from_client(&mut self) {
        self.up.buffered(0);
    }

    /// `count` bytes came from the client; 0 means that it has ended its sending.
    pub fn client_received(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        self.timing.bytes_in += count as u64;
        self.up.ended |= count == 0;
        self.up.buffered(count);
        self.hear_caller(now);
    }

    /// `count` bytes came from the client into the driver's pipe; 0 means that it has ended its sending.
    pub fn client_piped(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        self.timing.bytes_in += count as u64;
        self.up.ended |= count == 0;
        self.up.piped(count);
    }

    /// Bytes for the client that are in the driver's pipe; then [`client_output`](Relay::client_output) is empty.
    pub fn piped_for_client(&self) -> usize {
        self.down.piped
    }

    /// Bytes for the client.
    pub fn client_output(&self) -> &[u8] {
        self.down.buffer.bytes()
    }

    /// The client has taken the first `count` bytes.
    pub fn client_sent(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        self.timing.bytes_out += count as u64;
        self.down.sent(count);
    }

    /// Our sending side towards the client is closed.
    pub fn client_shut(&mut self) {
        self.down.end_passed_on = true;
    }

    /// Where bytes from the back end go.
    pub fn backend_space(&mut self) -> &mut [u8] {
        self.down.buffer.space()
    }

    /// True if the next bytes from the back end may go into a pipe instead of
    /// [`backend_space`](Relay::backend_space).
    pub fn backend_may_be_piped(&self) -> bool {
        self.down.may_be_piped()
    }

    /// There was nothing to read after all: gives the memory for it back.
    pub fn nothing_from_backend(&mut self) {
        self.down.buffered(0);
    }

    /// `count` bytes came from the back end; 0 means that it has ended its sending.
    pub fn backend_received(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        self.timing.first_byte.get_or_insert(now.instant);
        self.down.ended |= count == 0;
        self.down.buffered(count);
    }

    /// `count` bytes came from the back end into the driver's pipe; 0 means that it has ended its sending.
    pub fn backend_piped(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        self.down.ended |= count == 0;
        self.down.piped(count);
    }

    /// Bytes for the back end that are in the driver's pipe; then [`backend_output`](Relay::backend_output) is empty.
    pub fn piped_for_backend(&self) -> usize {
        self.up.piped
    }

    /// Bytes for the back end.
    pub fn backend_output(&self) -> &[u8] {
        self.up.buffer.bytes()
    }

    /// The back end has taken the first `count` bytes.
    pub fn backend_sent(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        self.up.sent(count);
    }

    /// Our sending side towards the back end is closed.
    pub fn backend_shut(&mut self) {
        self.up.end_passed_on = true;
    }

    /// A call on the client's socket failed.
    pub fn client_failed(&mut self) {
        self.end(Outcome::new(Who::Client, How::Reset, self.phase()));
    }

    /// A call on the back end's socket failed after it was connected.
    pub fn backend_failed(&mut self) {
        self.end(Outcome::new(Who::Backend, How::Reset, Phase::Relay));
    }

    /// The program stops and the time for finishing is over.
    pub fn drained(&mut self) {
        self.end(Outcome::new(Who::Us, How::Drained, self.phase()));
    }

    fn phase(&self) -> Phase {
        match self.state {
            State::Entering { .. } => Phase::ProxyHeader,
            State::Queued { .. } => Phase::Queue,
            _ => Phase::Relay,
        }
    }

    fn end(&mut self, outcome: Outcome) {
        let backend = match &mut self.state {
            State::Entering { .. } | State::Queued { .. } => None,
            State::Connecting { backend, .. } | State::Joined { backend } => backend.take(),
            State::Over { .. } => return,
        };
        self.state = State::Over { backend, outcome };
    }

    /// True if a peer must learn from a reset that bytes are missing: an orderly end would lie.
    pub fn was_cut(&self) -> bool {
        matches!(&self.state, State::Over { outcome, .. } if outcome.phase == Phase::Relay && !outcome.is_clean())
    }

    /// Writes the closing line.
    pub fn finish(&mut self, now: &Now) {
        self.end(Outcome::new(Who::Us, How::Finished, Phase::Relay));
        let State::Over { backend, outcome } = &self.state else { return };
        let backend = backend.as_ref().map(|backend| backend.address);
        let RoleContext { role, observer, .. } = &*self.service.context;
        let closing = self.timing.closing(role, self.caller.address(), *outcome, now);
        observer.observe(&Event::Closed(&Closing { backend, ..closing }));
    }
}

#[cfg(test)]
mod tests;
