//! The back end of an exchange: chosen, connected, tried again, and let go.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::Exchange;
use crate::balance::{Chosen, Group, Pick, Ticket, Turn};
use crate::protocol::event::Event;
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};

/// The connection to a back end.
#[derive(Debug)]
pub(super) enum Link {
    /// None, and none needed.
    None,
    /// One is to be chosen; `again` names the one whose kept connection was dead.
    Wanted {
        group: Arc<Group>,
        turn: Option<Turn>,
        again: Option<Chosen>,
    },
    /// All that may be chosen are full: it waits in the group's queue.
    Queued {
        group: Arc<Group>,
        ticket: Ticket,
        until: Instant,
    },
    Connecting {
        group: Arc<Group>,
        turn: Turn,
        backend: Chosen,
        until: Instant,
    },
    Up {
        group: Arc<Group>,
        turn: Turn,
        backend: Chosen,
        reused: bool,
    },
    /// Done with: to be kept for another request, or closed.
    Released {
        keep: bool,
        /// Held until then: the next one there must not find this one's connection still open.
        backend: Chosen,
    },
}

/// A back end chosen for a request.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// Where to connect.
    pub address: SocketAddr,
    /// A kept connection will do. Not for requests that may not be sent twice: a kept connection
    /// can be closed by the back end just while we send, and then nobody knows what was done.
    pub may_reuse: bool,
}

/// A back end let go. Hold on to it until its connection is kept or closed: then its place is free.
#[derive(Debug)]
pub struct Release {
    /// Keep the connection for another request; else close it.
    pub keep: bool,
    _backend: Option<Chosen>,
}

impl Exchange {
    /// Chooses the back end for the request. `None`: it waits for one that has room, and `waker` is
    /// called then; or there is none, and the client is being told so.
    pub fn choose_backend(&mut self, now: &Now, waker: impl FnOnce() -> Waker) -> Option<Choice> {
        let again = matches!(self.link, Link::Wanted { again: Some(_), .. });
        let was_queued = matches!(self.link, Link::Queued { .. });
        let (group, turn, pick) = match std::mem::replace(&mut self.link, Link::None) {
            Link::Wanted { group, turn, again: Some(backend) } => {
                let turn = turn.unwrap_or_else(|| group.turn());
                (group, turn, Pick::Chosen(backend))
            }
            Link::Wanted { group, turn, again: None } => {
                let mut turn = turn.unwrap_or_else(|| group.turn());
                if self.timing.connecting.is_some_and(|first| first + self.timeouts().connect <= now.instant)
                {
                    turn.bound();
                }
                let pick = group.choose(&mut turn, now.instant, waker);
                (group, turn, pick)
            }
            Link::Queued { group, ticket, until } => match ticket.take() {
                Some((turn, backend)) => {
                    self.timing.has_waited(now);
                    (group, turn, backend.map_or(Pick::None, Pick::Chosen))
                }
                None => {
                    self.link = Link::Queued { group, ticket, until };
                    return None;
                }
            },
            link => {
                self.link = link;
                return None;
            }
        };
        match pick {
            Pick::Chosen(backend) => {
                let address = backend.address;
                let connecting = *self.timing.connecting.get_or_insert(now.instant);
                let from = if turn.is_beyond_retries() && !was_queued { connecting } else { now.instant };
                let until = from + self.timeouts().connect;
                self.link = Link::Connecting { group, turn, backend, until };
                // A connection that began with a PROXY header is this client's alone.
                let may_reuse = !again && self.request.may_be_repeated() && !self.caller.is_introduced();
                return Some(Choice { address, may_reuse });
            }
            Pick::Queued(ticket) => {
                log::debug!("{} waits for a back end of {}", self.caller.address(), group.name());
                self.timing.waits(now);
                self.link = Link::Queued { group, ticket, until: now.instant + self.timeouts().connect };
            }
            Pick::QueueFull => self.none_has_room(&group, How::Limited, now),
            // No more were tried than the first: it was chosen neither now nor before.
            Pick::None if turn.is_untried() => self.none_alive(&group, now),
            Pick::None => self.none_accepted(&group, now),
        }
        None
    }

    /// The queue for a back end is full, or has taken too long.
    pub(super) fn none_has_room(&mut self, group: &Group, how: How, now: &Now) {
        let outcome = Outcome::new(Who::Us, how, Phase::Queue);
        log::warn!("all back ends of {} are full for {}: {outcome}", group.name(), self.caller.address());
        let sentence = "All back ends are busy; try again soon.";
        self.respond_with_error(503, "connection_limit_reached", sentence, outcome, now);
    }

    /// No back end had room in time.
    pub(super) fn queue_expired(&mut self, now: &Now) {
        if let Link::Queued { group, .. } = std::mem::replace(&mut self.link, Link::None) {
            self.timing.has_waited(now);
            self.none_has_room(&group, How::TimedOut, now);
        }
    }

    fn none_alive(&mut self, group: &Group, now: &Now) {
        log::error!("no back end of {} is alive for {}", group.name(), self.caller.address());
        let outcome = Outcome::new(Who::Backend, How::Refused, Phase::Connect);
        self.respond_with_error(
            503,
            "destination_unavailable",
            "No back end is alive; try again soon.",
            outcome,
            now,
        );
    }

    fn none_accepted(&mut self, group: &Group, now: &Now) {
        // The last one tried says it for all.
        let (status, error, sentence, outcome) = match (self.timing.connected, self.connect_failure) {
            (None, How::TimedOut) => (
                504,
                "connection_timeout",
                "No back end accepted the connection in time.",
                Outcome::new(Who::Backend, How::TimedOut, Phase::Connect),
            ),
            (None, _) => (
                502,
                "connection_refused",
                "No back end accepted the connection.",
                Outcome::new(Who::Backend, How::Refused, Phase::Connect),
            ),
            (Some(_), _) => (
                502,
                "connection_terminated",
                "The back end closed the connection before it answered.",
                Outcome::new(Who::Backend, How::Closed, Phase::ResponseHead),
            ),
        };
        log::error!("no other back end of {} is left for {}: {outcome}", group.name(), self.caller.address());
        self.respond_with_error(status, error, sentence, outcome, now);
    }

    /// True while the chosen back end has not answered the connect yet.
    pub fn is_connecting(&self) -> bool {
        matches!(self.link, Link::Connecting { .. })
    }

    /// The back end is there; `reused` if its connection was kept from an earlier request.
    pub fn connected(&mut self, reused: bool, now: &Now) {
        match std::mem::replace(&mut self.link, Link::None) {
            Link::Connecting { group, turn, backend, .. } => {
                self.gateway.context.observer.observe(&Event::ForwardedTo(backend.address));
                self.timing.connected = Some(now.instant);
                self.last_progress = now.instant;
                self.link = Link::Up { group, turn, backend, reused };
            }
            link => self.link = link,
        }
    }

    /// The chosen back end cannot be connected: the next one is wanted. Nothing was sent to it, so nothing
    /// is lost. If it is for a limit of ours, the client is told.
    pub fn connect_failed(&mut self, how: How, now: &Now) {
        match std::mem::replace(&mut self.link, Link::None) {
            Link::Connecting { group, backend, .. } if how == How::Limited => {
                group.report_local_limit(&backend, now.instant);
                // Another back end would not help.
                let outcome = Outcome::new(Who::Us, how, Phase::Connect);
                let sentence = "This gateway can open no more connections at the moment; try again soon.";
                self.respond_with_error(503, "proxy_internal_error", sentence, outcome, now);
            }
            Link::Connecting { group, turn, backend, .. } => {
                let failure = Outcome::new(Who::Backend, how, Phase::Connect);
                group.report_failure(&backend, &failure, now.instant);
                self.connect_failure = how;
                self.timing.connected = None;
                self.timing.retries += 1;
                self.last_progress = now.instant;
                self.link = Link::Wanted { group, turn: Some(turn), again: None };
            }
            link => self.link = link,
        }
    }

    /// What becomes of the back end's connection.
    pub fn release_backend(&mut self, now: &Now) -> Release {
        match std::mem::replace(&mut self.link, Link::None) {
            Link::Released { keep, backend } => {
                // The answer may be out already: the next request waited for its back end to be let go.
                self.end_if_out(now);
                Release { keep, _backend: Some(backend) }
            }
            link => {
                self.link = link;
                Release { keep: false, _backend: None }
            }
        }
    }

    /// The back end is done with, if there is one: to be kept or closed.
    pub(super) fn let_go(&mut self, keep: bool) {
        self.link = match std::mem::replace(&mut self.link, Link::None) {
            Link::Up { backend, .. } | Link::Connecting { backend, .. } => Link::Released { keep, backend },
            Link::Released { keep: before, backend } => Link::Released { keep: keep && before, backend },
            Link::None | Link::Wanted { .. } | Link::Queued { .. } => Link::None,
        };
    }

    /// Sends the request again to the same back end, over a fresh connection: that it closed an
    /// idle one is no fault of its.
    pub(super) fn try_again(&mut self, now: &Now) {
        if let Link::Up { group, turn, backend, .. } = std::mem::replace(&mut self.link, Link::None) {
            self.timing.retries += 1;
            self.last_progress = now.instant;
            self.request.rewind();
            self.link = Link::Wanted { group, turn: Some(turn), again: Some(backend) };
        }
    }

    /// Sends the request to another back end.
    pub(super) fn try_next(&mut self, now: &Now) {
        if let Link::Up { group, mut turn, .. } = std::mem::replace(&mut self.link, Link::None) {
            turn.bound();
            self.timing.retries += 1;
            self.last_progress = now.instant;
            self.request.rewind();
            self.link = Link::Wanted { group, turn: Some(turn), again: None };
        }
    }

    pub(super) fn backend_address(&self) -> Option<SocketAddr> {
        match &self.link {
            Link::Connecting { backend, .. } | Link::Up { backend, .. } => Some(backend.address),
            _ => self.response.backend(),
        }
    }

    /// It has answered; that it accepts a connection says little about its health.
    pub(super) fn report_success(&self) {
        if let Link::Up { group, backend, .. } = &self.link {
            group.report_success(backend);
        }
    }

    pub(super) fn report_failure(&self, how: How, phase: Phase, now: &Now) {
        if let Link::Up { group, backend, .. } = &self.link {
            group.report_failure(backend, &Outcome::new(Who::Backend, how, phase), now.instant);
        }
    }

    pub(super) fn backend_name(&self) -> String {
        self.backend_address().map_or_else(|| "the back end".to_string(), |address| address.to_string())
    }
}
