//! The back end of an exchange: choosing one, connecting, retries, and the release of the connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::request::Request;
use super::{Exchange, Gateway};
use crate::balance::idle_pool::Place;
use crate::balance::{Chosen, DependsOn, Group, Member, Pick, Ticket, Turn};
use crate::protocol::buffer::Buffer;
use crate::protocol::context::BackendTls;
use crate::protocol::event::Event;
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};

/// The connection to a back end.
#[derive(Debug)]
pub(super) enum BackendConnection {
    /// None, and none needed.
    None,
    /// A back end has to be chosen; `retry` is one whose idle connection turned out to be dead: it is chosen
    /// again, for a new connection.
    Needed {
        group: Arc<Group>,
        turn: Option<Turn>,
        retry: Option<Chosen>,
    },
    /// All back ends that may be chosen are full: the exchange waits in the group's queue.
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
    Connected {
        group: Arc<Group>,
        turn: Turn,
        backend: Chosen,
        reused: bool,
    },
    /// No longer needed: to be kept for another request, or closed.
    Released {
        keep: bool,
        /// Held until the connection is kept or closed, so that the back end's limit on connections holds.
        backend: Chosen,
    },
}

impl BackendConnection {
    /// The back end that was connected.
    pub(super) fn member(&self) -> Option<&Member> {
        match self {
            BackendConnection::Connected { backend, .. } => Some(&backend.member),
            _ => None,
        }
    }
}

/// A back end chosen for a request.
#[derive(Clone, Debug)]
pub struct BackendTarget {
    /// Where to connect.
    pub(crate) address: SocketAddr,
    /// An idle connection from the pool may be used. Not for requests that must not be sent twice: a back
    /// end can close an idle connection just when we send on it, and then we cannot know whether it acted
    /// on the request.
    pub may_reuse: bool,
    /// How the connection is encrypted, if it is.
    pub(crate) tls: Option<BackendTls>,
}

impl BackendTarget {
    /// Where its connection leads.
    pub(crate) fn place(&self) -> Place {
        Place { address: self.address, secure_host: self.tls.as_ref().map(|tls| Arc::clone(&tls.host)) }
    }
}

/// A back end that was released. Hold this value until the connection is kept or closed; when it is dropped,
/// the back end has room for another connection.
#[derive(Debug)]
pub struct ReleasedBackend {
    /// True if the connection can carry another request; else it must be closed.
    pub keep: bool,
    _backend: Option<Chosen>,
}

impl BackendConnection {
    /// Adds to the response head at the end of `out` the cookie that names this back end, if its group has such a
    /// policy and the client did not bring it.
    pub(super) fn set_cookie(
        &self,
        gateway: &Gateway,
        request: &Request,
        out: &mut Buffer,
    ) -> Result<(), &'static str> {
        let BackendConnection::Connected { group, backend, .. } = self else { return Ok(()) };
        let is_wanted = group.policy().depends_on() == DependsOn::Cookie;
        if !is_wanted || request.key.tag == Some(backend.tag()) {
            return Ok(());
        }
        match gateway.cookie_of(group, request.route).set(backend.tag(), request.by_tls, out) {
            true => Ok(()),
            false => Err("the response head leaves no room for a cookie"),
        }
    }
}

impl Exchange {
    /// Chooses the back end for the request. `None` means one of two things: the request waits for a back
    /// end with room, and `waker` is called when there is one; or there is none, and the client gets an
    /// error response.
    pub fn choose_backend(&mut self, now: &Now, waker: impl FnOnce() -> Waker) -> Option<BackendTarget> {
        let is_retry = matches!(self.backend, BackendConnection::Needed { retry: Some(_), .. });
        let was_queued = matches!(self.backend, BackendConnection::Queued { .. });
        let (group, turn, pick) = match std::mem::replace(&mut self.backend, BackendConnection::None) {
            BackendConnection::Needed { group, turn, retry: Some(backend) } => {
                let turn = turn.unwrap_or_else(|| group.turn_for(self.request.key));
                (group, turn, Pick::Chosen(backend))
            }
            BackendConnection::Needed { group, turn, retry: None } => {
                let mut turn = turn.unwrap_or_else(|| group.turn_for(self.request.key));
                if self.timing.connecting.is_some_and(|first| first + self.timeouts().connect <= now.instant)
                {
                    turn.bound();
                }
                let pick = group.choose(&mut turn, now.instant, waker);
                (group, turn, pick)
            }
            BackendConnection::Queued { group, ticket, until } => match ticket.take() {
                Some((turn, backend)) => {
                    self.timing.leave_queue(now);
                    (group, turn, backend.map_or(Pick::None, Pick::Chosen))
                }
                None => {
                    self.backend = BackendConnection::Queued { group, ticket, until };
                    return None;
                }
            },
            other => {
                self.backend = other;
                return None;
            }
        };
        match pick {
            Pick::Chosen(backend) => {
                let address = backend.address;
                let tls = self.gateway.context.tls_to(&backend);
                self.request.address_to(address, &mut self.backend_output);
                let connecting = *self.timing.connecting.get_or_insert(now.instant);
                let from = if turn.is_beyond_retries() && !was_queued { connecting } else { now.instant };
                let until = from + self.timeouts().connect;
                self.backend = BackendConnection::Connecting { group, turn, backend, until };
                // A connection that began with a PROXY header serves this client only.
                let may_reuse = !is_retry && self.request.may_be_repeated() && !self.client.sends_header();
                return Some(BackendTarget { address, may_reuse, tls });
            }
            Pick::Queued(ticket) => {
                log::debug!("{} waits for a back end of {}", self.client.address(), group.name());
                self.timing.enter_queue(now);
                self.backend =
                    BackendConnection::Queued { group, ticket, until: now.instant + self.timeouts().connect };
            }
            Pick::QueueFull => self.respond_backends_full(&group, How::Limited, now),
            // No back end was chosen for this request before either, so none is up.
            Pick::None if turn.is_untried() => self.respond_no_backend_alive(&group, now),
            Pick::None => self.respond_no_backend_left(&group, now),
        }
        None
    }

    /// Responds 503: the queue for a back end is full, or the wait in it took too long.
    pub(super) fn respond_backends_full(&mut self, group: &Group, how: How, now: &Now) {
        let outcome = Outcome::new(Who::Us, how, Phase::Queue);
        log::warn!("all back ends of {} are full for {}: {outcome}", group.name(), self.client.address());
        let sentence = "All back ends are busy; try again soon.";
        self.respond_with_error(503, "connection_limit_reached", sentence, outcome, now);
    }

    /// The wait in the queue has passed its deadline.
    pub(super) fn queue_expired(&mut self, now: &Now) {
        if let BackendConnection::Queued { group, .. } =
            std::mem::replace(&mut self.backend, BackendConnection::None)
        {
            self.timing.leave_queue(now);
            self.respond_backends_full(&group, How::TimedOut, now);
        }
    }

    fn respond_no_backend_alive(&mut self, group: &Group, now: &Now) {
        log::error!("no back end of {} is alive for {}", group.name(), self.client.address());
        let outcome = Outcome::new(Who::Us, How::Unavailable, Phase::Connect);
        self.respond_with_error(
            503,
            "destination_unavailable",
            "No back end is alive; try again soon.",
            outcome,
            now,
        );
    }

    fn respond_no_backend_left(&mut self, group: &Group, now: &Now) {
        // The failure of the last attempt decides.
        let (status, error, sentence, outcome) = match (self.timing.connected, self.connect_failure) {
            (None, How::TimedOut) => (
                504,
                "connection_timeout",
                "No back end accepted the connection in time.",
                Outcome::new(Who::Backend, How::TimedOut, Phase::Connect),
            ),
            (None, How::Malformed) => (
                502,
                "tls_protocol_error",
                "No back end could be spoken to over TLS.",
                Outcome::new(Who::Backend, How::Malformed, Phase::Handshake),
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
        log::error!("no other back end of {} is left for {}: {outcome}", group.name(), self.client.address());
        self.respond_with_error(status, error, sentence, outcome, now);
    }

    /// True while the connection to the chosen back end is being made.
    pub(crate) fn is_connecting(&self) -> bool {
        matches!(self.backend, BackendConnection::Connecting { .. })
    }

    /// The connection is made; `reused` if it is an idle one from an earlier request.
    pub fn connected(&mut self, reused: bool, now: &Now) {
        match std::mem::replace(&mut self.backend, BackendConnection::None) {
            BackendConnection::Connecting { group, turn, backend, .. } => {
                let forwarded = Event::ForwardedTo(backend.address, backend.host());
                self.client.report(&self.gateway.context, &forwarded);
                self.timing.connected = Some(now.instant);
                if reused {
                    // There was no connect to measure.
                    self.timing.connecting = None;
                }
                self.last_progress = now.instant;
                self.backend = BackendConnection::Connected { group, turn, backend, reused };
            }
            other => self.backend = other,
        }
    }

    /// The chosen back end cannot be connected, so another one is needed. Nothing of the request was sent,
    /// so this is safe. If a limit of our own is the reason, the client gets an error response instead.
    pub(crate) fn connect_failed(&mut self, how: How, now: &Now) {
        match std::mem::replace(&mut self.backend, BackendConnection::None) {
            BackendConnection::Connecting { group, backend, .. } if how == How::Limited => {
                group.report_local_limit(&backend, now.instant);
                // Another back end would not help.
                let outcome = Outcome::new(Who::Us, how, Phase::Connect);
                let sentence = "This gateway can open no more connections at the moment; try again soon.";
                self.respond_with_error(503, "proxy_internal_error", sentence, outcome, now);
            }
            BackendConnection::Connecting { group, turn, backend, .. } => {
                let failure = Outcome::new(Who::Backend, how, Phase::Connect);
                group.report_failure(&backend, &failure, now.instant);
                self.connect_failure = how;
                self.timing.connected = None;
                self.timing.retries += 1;
                self.last_progress = now.instant;
                self.backend = BackendConnection::Needed { group, turn: Some(turn), retry: None };
            }
            other => self.backend = other,
        }
    }

    /// Releases the back end: the driver keeps its connection or closes it.
    pub fn release_backend(&mut self, now: &Now) -> ReleasedBackend {
        match std::mem::replace(&mut self.backend, BackendConnection::None) {
            BackendConnection::Released { keep, backend } => {
                // The response may be sent already: the next request only waited for this release.
                self.end_if_sent(now);
                ReleasedBackend { keep, _backend: Some(backend) }
            }
            other => {
                self.backend = other;
                ReleasedBackend { keep: false, _backend: None }
            }
        }
    }

    /// Marks the back end, if there is one, as no longer needed: its connection is to be kept or closed.
    pub(super) fn mark_released(&mut self, keep: bool) {
        self.backend = match std::mem::replace(&mut self.backend, BackendConnection::None) {
            BackendConnection::Connected { backend, .. } | BackendConnection::Connecting { backend, .. } => {
                BackendConnection::Released { keep, backend }
            }
            BackendConnection::Released { keep: before, backend } => {
                BackendConnection::Released { keep: keep && before, backend }
            }
            BackendConnection::None | BackendConnection::Needed { .. } | BackendConnection::Queued { .. } => {
                BackendConnection::None
            }
        };
    }

    /// Sends the request again to the same back end, over a new connection. That it had closed an idle
    /// connection does not count as a failure.
    pub(super) fn retry_same_backend(&mut self, now: &Now) {
        if let BackendConnection::Connected { group, turn, backend, .. } =
            std::mem::replace(&mut self.backend, BackendConnection::None)
        {
            self.timing.retries += 1;
            self.last_progress = now.instant;
            self.request.rewind();
            self.backend = BackendConnection::Needed { group, turn: Some(turn), retry: Some(backend) };
        }
    }

    /// Sends the request to another back end.
    pub(super) fn retry_next_backend(&mut self, now: &Now) {
        if let BackendConnection::Connected { group, mut turn, .. } =
            std::mem::replace(&mut self.backend, BackendConnection::None)
        {
            turn.bound();
            self.timing.retries += 1;
            self.last_progress = now.instant;
            self.request.rewind();
            self.backend = BackendConnection::Needed { group, turn: Some(turn), retry: None };
        }
    }

    pub(super) fn backend_address(&self) -> Option<SocketAddr> {
        match &self.backend {
            BackendConnection::Connecting { backend, .. } | BackendConnection::Connected { backend, .. } => {
                Some(backend.address)
            }
            _ => self.response.backend(),
        }
    }

    /// Reports the back end as healthy, because it has responded. That it accepts connections says little.
    pub(super) fn report_success(&self) {
        if let BackendConnection::Connected { group, backend, .. } = &self.backend {
            group.report_success(backend);
        }
    }

    pub(super) fn report_failure(&self, how: How, phase: Phase, now: &Now) {
        if let BackendConnection::Connected { group, backend, .. } = &self.backend {
            group.report_failure(backend, &Outcome::new(Who::Backend, how, phase), now.instant);
        }
    }

    pub(super) fn backend_name(&self) -> String {
        self.backend_address().map_or_else(|| "the back end".to_string(), |address| address.to_string())
    }
}
