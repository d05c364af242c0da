//! The back end of an exchange: chosen, connected, tried again, and let go.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::Exchange;
use crate::balance::{Chosen, Group, Turn};
use crate::ending::{Ending, How, Phase, Who};
use crate::log;
use crate::now::Now;

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

impl Exchange {
    /// Chooses the back end for the request. `None`: there is none, and the client is being told so.
    pub fn choose_backend(&mut self, now: &Now) -> Option<Choice> {
        let (group, turn, again) = match std::mem::replace(&mut self.link, Link::None) {
            Link::Wanted { group, turn, again } => (group, turn, again),
            link => {
                self.link = link;
                return None;
            }
        };
        let none_was_tried = turn.is_none();
        let mut turn = turn.unwrap_or_else(|| group.turn());
        // A connection that began with a PROXY header is this client's alone.
        let may_reuse = again.is_none() && self.request.may_be_repeated() && !self.caller.is_introduced();
        let Some(backend) = again.or_else(|| group.next(&mut turn, now)) else {
            match none_was_tried {
                true => self.none_alive(&group, now),
                false => self.none_accepted(&group, now),
            }
            return None;
        };
        let address = backend.address;
        self.account.connecting.get_or_insert(now.instant);
        self.link = Link::Connecting { group, turn, backend, until: now.instant + self.timeouts.connect };
        Some(Choice { address, may_reuse })
    }

    fn none_alive(&mut self, group: &Group, now: &Now) {
        ::log::error!("no back end of {} is alive for {}", group.name(), self.caller.address());
        let ending = Ending::new(Who::Backend, How::Refused, Phase::Connect);
        self.answer_error(
            503,
            "destination_unavailable",
            "No back end is alive; try again soon.",
            ending,
            now,
        );
    }

    fn none_accepted(&mut self, group: &Group, now: &Now) {
        // The last one tried says it for all.
        let (status, error, sentence, ending) = match (self.account.connected, self.connect_failure) {
            (None, How::TimedOut) => (
                504,
                "connection_timeout",
                "No back end accepted the connection in time.",
                Ending::new(Who::Backend, How::TimedOut, Phase::Connect),
            ),
            (None, _) => (
                502,
                "connection_refused",
                "No back end accepted the connection.",
                Ending::new(Who::Backend, How::Refused, Phase::Connect),
            ),
            (Some(_), _) => (
                502,
                "connection_terminated",
                "The back end closed the connection before it answered.",
                Ending::new(Who::Backend, How::Closed, Phase::AnswerHead),
            ),
        };
        ::log::error!(
            "no other back end of {} is left for {}: {ending}",
            group.name(),
            self.caller.address()
        );
        self.answer_error(status, error, sentence, ending, now);
    }

    /// True while the chosen back end has not answered the connect yet.
    pub fn is_connecting(&self) -> bool {
        matches!(self.link, Link::Connecting { .. })
    }

    /// The back end is there; `reused` if its connection was kept from an earlier request.
    pub fn connected(&mut self, reused: bool, now: &Now) {
        match std::mem::replace(&mut self.link, Link::None) {
            Link::Connecting { group, turn, backend, .. } => {
                log::forwarded_to(backend.address);
                self.account.connected = Some(now.instant);
                self.last_progress = now.instant;
                self.link = Link::Up { group, turn, backend, reused };
            }
            link => self.link = link,
        }
    }

    /// The chosen back end cannot be connected: the next one is wanted. Nothing was sent to it, so nothing is lost.
    pub fn connect_failed(&mut self, how: How, now: &Now) {
        match std::mem::replace(&mut self.link, Link::None) {
            Link::Connecting { group, turn, backend, .. } => {
                group.report_failure(&backend, how, Phase::Connect, now);
                self.connect_failure = how;
                self.account.connected = None;
                self.account.retries += 1;
                self.last_progress = now.instant;
                self.link = Link::Wanted { group, turn: Some(turn), again: None };
            }
            link => self.link = link,
        }
    }

    /// What becomes of the back end's connection: true to keep it, false to close it.
    pub fn release_backend(&mut self, now: &Now) -> bool {
        let Link::Released { keep } = self.link else { return false };
        self.link = Link::None;
        // The answer may be out already: the next request waited for its back end to be let go.
        self.end_if_out(now);
        keep
    }

    /// Sends the request again to the same back end, over a fresh connection: that it closed an
    /// idle one is no fault of its.
    pub(super) fn try_again(&mut self, now: &Now) {
        if let Link::Up { group, turn, backend, .. } = std::mem::replace(&mut self.link, Link::None) {
            self.account.retries += 1;
            self.last_progress = now.instant;
            self.request.rewind();
            self.link = Link::Wanted { group, turn: Some(turn), again: Some(backend) };
        }
    }

    /// Sends the request to another back end.
    pub(super) fn try_next(&mut self, now: &Now) {
        if let Link::Up { group, turn, .. } = std::mem::replace(&mut self.link, Link::None) {
            self.account.retries += 1;
            self.last_progress = now.instant;
            self.request.rewind();
            self.link = Link::Wanted { group, turn: Some(turn), again: None };
        }
    }

    pub(super) fn backend_address(&self) -> Option<SocketAddr> {
        match &self.link {
            Link::Connecting { backend, .. } | Link::Up { backend, .. } => Some(backend.address),
            _ => self.answer.backend(),
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
            group.report_failure(backend, how, phase, now);
        }
    }

    pub(super) fn backend_name(&self) -> String {
        self.backend_address().map_or_else(|| "the back end".to_string(), |address| address.to_string())
    }
}
