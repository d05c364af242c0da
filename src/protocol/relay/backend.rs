//! The back end of a relay: choosing one, waiting for one, connecting, and the next attempt.

use std::net::SocketAddr;
use std::task::Waker;

use super::{Relay, State};
use crate::balance::{Key, Pick};
use crate::protocol::context::BackendTls;
use crate::protocol::event::Event;
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};

impl Relay {
    /// Chooses the back end to connect to next. `None` means one of two things: the client waits for a back
    /// end with room, and `waker` is called when there is one; or there is none, and the connection ends.
    pub fn choose_backend(&mut self, now: &Now, waker: impl FnOnce() -> Waker) -> Option<SocketAddr> {
        let connect = self.timeouts().connect;
        let was_queued = matches!(self.state, State::Queued { .. });
        let (turn, pick) = match &mut self.state {
            State::Connecting { turn, .. } => {
                let key = Key::from(self.client.address().ip());
                let mut turn = turn.take().unwrap_or_else(|| self.service.group.turn_for(key));
                if self.timing.connecting.is_some_and(|first| first + connect <= now.instant) {
                    turn.bound();
                }
                let pick = self.service.group.choose(&mut turn, now.instant, waker);
                (turn, pick)
            }
            State::Queued { ticket, .. } => {
                let (turn, backend) = ticket.take()?;
                self.timing.leave_queue(now);
                (turn, backend.map_or(Pick::None, Pick::Chosen))
            }
            _ => return None,
        };
        let until = now.instant + connect;
        match pick {
            Pick::Chosen(backend) => {
                let address = backend.address;
                let connecting = *self.timing.connecting.get_or_insert(now.instant);
                let from = if turn.is_beyond_retries() && !was_queued { connecting } else { now.instant };
                let until = from + connect;
                self.state = State::Connecting { turn: Some(turn), backend: Some(backend), until };
                return Some(address);
            }
            Pick::Queued(ticket) => {
                log::debug!(
                    "{} waits for a back end of {}",
                    self.client.address(),
                    self.service.group.name()
                );
                self.timing.enter_queue(now);
                self.state = State::Queued { ticket, until };
            }
            Pick::QueueFull => self.end_backends_full(How::Limited, now),
            Pick::None if turn.is_untried() => {
                let (group, client) = (self.service.group.name(), self.client.address());
                log::error!("no back end of {group} is alive for {client}");
                self.end(Outcome::new(Who::Us, How::Unavailable, Phase::Connect));
            }
            Pick::None => {
                let (group, client) = (self.service.group.name(), self.client.address());
                log::error!("no back end of {group} could be connected for {client}");
                self.end(Outcome::new(Who::Backend, How::Refused, Phase::Connect));
            }
        }
        None
    }

    /// How the connection to the chosen back end is encrypted, if it is.
    pub(super) fn backend_tls(&self) -> Option<BackendTls> {
        let State::Connecting { backend: Some(backend), .. } = &self.state else { return None };
        self.service.context.tls_to(backend)
    }

    /// Ends the connection: the queue for a back end is full, or the wait in it took too long.
    pub(super) fn end_backends_full(&mut self, how: How, now: &Now) {
        self.timing.leave_queue(now);
        let outcome = Outcome::new(Who::Us, how, Phase::Queue);
        let (group, client) = (self.service.group.name(), self.client.address());
        log::warn!("all back ends of {group} are full for {client}: {outcome}");
        self.end(outcome);
    }

    /// True while the connection to a back end is being made.
    pub(crate) fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting { .. })
    }

    /// The connection to the back end is made.
    pub fn connected(&mut self, now: &Now) {
        let State::Connecting { backend, .. } = &mut self.state else { return };
        let Some(backend) = backend.take() else { return };
        self.service.group.report_success(&backend);
        let forwarded = Event::ForwardedTo(backend.address, backend.host());
        self.client.report(&self.service.context, &forwarded);
        self.timing.connected = Some(now.instant);
        self.last_progress = now.instant;
        self.state = State::Joined { backend: Some(backend) };
    }

    /// The chosen back end cannot be connected, so another one is needed. Nothing was sent, so nothing is lost.
    pub(crate) fn connect_failed(&mut self, how: How, now: &Now) {
        let next_until = now.instant + self.timeouts().connect;
        if let State::Connecting { backend, until, .. } = &mut self.state {
            *until = next_until;
            if let Some(backend) = backend.take() {
                self.timing.retries += 1;
                if how == How::Limited {
                    self.service.group.report_local_limit(&backend, now.instant);
                    // Another back end would not help.
                    self.end(Outcome::new(Who::Us, how, Phase::Connect));
                } else {
                    let failure = Outcome::new(Who::Backend, how, Phase::Connect);
                    self.service.group.report_failure(&backend, &failure, now.instant);
                }
            }
        }
    }
}
