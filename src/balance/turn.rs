//! A turn: one connection's or request's position in the round robin.
//!
//! Contract: a turn is drawn once and serves all retries. It names candidates, not one back end, and
//! no candidate twice, so that a retry never draws from the shared counter: a fallback that draws
//! again would skew the round robin.

use super::backend::Backend;
use super::limits::RETRIES;
use super::list::List;

/// One connection's or request's position in the round robin, and the candidates it has had so far.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The number drawn from the group's counter.
    pub(super) number: usize,
    /// Index in the list at which the search for the next candidate begins; `None` before the first.
    pub(super) start: Option<usize>,
    /// [`Backend::number`] of each candidate so far: their indexes in the list may change meanwhile.
    tried: [u64; RETRIES + 1],
    pub(super) tried_count: usize,
}

impl Turn {
    pub(super) fn new(number: usize) -> Turn {
        Turn { number, start: None, tried: [0; RETRIES + 1], tried_count: 0 }
    }

    /// True if it has had no candidate yet.
    pub(crate) fn is_untried(&self) -> bool {
        self.tried_count == 0
    }

    /// True if it may have one more candidate.
    pub(super) fn may_try_again(&self) -> bool {
        self.tried_count <= RETRIES
    }

    pub(super) fn has_tried(&self, backend: &Backend) -> bool {
        self.tried[..self.tried_count].contains(&backend.number)
    }

    /// Remembers a candidate. Only to be called if it [may have one](Turn::may_try_again).
    pub(super) fn record(&mut self, backend: &Backend) {
        if let Some(entry) = self.tried.get_mut(self.tried_count) {
            *entry = backend.number;
            self.tried_count += 1;
        }
    }

    /// True if the list has a usable back end that this turn may still try.
    pub(super) fn has_candidate_in(&self, list: &List, is_usable: impl Fn(&Backend) -> bool) -> bool {
        self.may_try_again()
            && list.backends.iter().any(|backend| !self.has_tried(backend) && is_usable(backend))
    }
}
