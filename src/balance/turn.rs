//! A turn: one connection's or request's position in the round robin.
//!
//! Contract: a turn is drawn once and serves all retries. It names candidates, not one back end, and
//! no candidate twice, so that a retry never draws from the shared counter: a fallback that draws
//! again would skew the round robin.
//!
//! While nothing has been sent, another candidate costs a connect and harms nobody: all back ends may be tried.
//! Once something has been sent, or time has run out ([`Turn::bound`]), `RETRIES` more are the most.

use super::backend::Backend;
use super::key::Key;
use super::limits::{RETRIES, TRIED_INLINE};
use super::list::List;

/// One connection's or request's position in the round robin, and the candidates it has had so far.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The number drawn from the group's counter.
    pub(super) number: usize,
    /// Who asks.
    pub(super) key: Key,
    /// Index in the list behind the last candidate; `None` before the first.
    pub(super) next_index: Option<usize>,
    /// For what it waits, if it waits for a back end with room.
    pub(super) wait: Wait,
    /// [`Backend::number`] of each candidate so far: their indexes in the list may change meanwhile.
    tried: [u64; TRIED_INLINE],
    /// The candidates beyond those; allocates nothing while there are none.
    tried_more: Vec<u64>,
    pub(super) tried_count: usize,
    /// At most `RETRIES` candidates after the first.
    is_bound: bool,
}

/// What a turn that found no candidate with room is to wait for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Wait {
    /// The one back end, by its [`Backend::number`], if no other one will do.
    pub(super) only: Option<u64>,
    /// For backups, since no other one was left.
    pub(super) for_backups: bool,
}

impl Turn {
    pub(super) fn new(number: usize, key: Key) -> Turn {
        Turn {
            number,
            key,
            next_index: None,
            wait: Wait::default(),
            tried: [0; TRIED_INLINE],
            tried_more: Vec::new(),
            tried_count: 0,
            is_bound: false,
        }
    }

    /// True if it has had no candidate yet.
    pub(crate) fn is_untried(&self) -> bool {
        self.tried_count == 0
    }

    /// From now on it has `RETRIES` candidates after the first at most, those that it had before included.
    pub(crate) fn bound(&mut self) {
        self.is_bound = true;
    }

    /// True if its present candidate is one that a bound turn would not have had.
    pub(crate) fn is_beyond_retries(&self) -> bool {
        self.tried_count > RETRIES + 1
    }

    /// True if it may have one more candidate.
    pub(super) fn may_try_again(&self) -> bool {
        !self.is_bound || self.tried_count <= RETRIES
    }

    pub(super) fn has_tried(&self, backend: &Backend) -> bool {
        let inline = &self.tried[..self.tried_count.min(TRIED_INLINE)];
        inline.contains(&backend.number) || self.tried_more.contains(&backend.number)
    }

    /// True if it waits for this one, or for any such.
    pub(super) fn waits_for(&self, backend: &Backend) -> bool {
        let Wait { only, for_backups } = self.wait;
        !self.has_tried(backend)
            && backend.is_backup() == for_backups
            && only.is_none_or(|number| number == backend.number)
    }

    /// Remembers a candidate.
    pub(super) fn record(&mut self, backend: &Backend) {
        match self.tried.get_mut(self.tried_count) {
            Some(entry) => *entry = backend.number,
            None => self.tried_more.push(backend.number),
        }
        self.tried_count += 1;
    }

    /// True if the list has a usable back end that this turn may still try.
    pub(super) fn has_candidate_in(&self, list: &List, is_usable: impl Fn(&Backend) -> bool) -> bool {
        self.may_try_again()
            && list.backends.iter().any(|backend| !self.has_tried(backend) && is_usable(backend))
    }
}
