//! The back ends of a group at this moment, and the walk over them.
//!
//! Contract: a walk starts where the turn's number says and goes round once; it allocates nothing.

use std::sync::Arc;

use super::backend::{Backend, Chosen};
use super::turn::Turn;

/// The back ends as they are now.
#[derive(Debug)]
pub(super) struct List {
    pub(super) backends: Vec<Arc<Backend>>,
    /// How many of them are not up. While it is 0 the start of a walk is one division.
    pub(super) out_count: usize,
    /// [`Backend::number`] of the next one that joins.
    pub(super) next_number: u64,
}

impl List {
    /// Where turn `number` starts to look. The number is spread over the usable back ends: while one of
    /// five is out, the other four get a quarter each, instead of two fifths for the one behind the gap.
    pub(super) fn start_of_turn(&self, number: usize, now_ms: impl Fn() -> u64) -> usize {
        if self.out_count == 0 {
            return number % self.backends.len().max(1);
        }
        let now_ms = now_ms();
        let usable = || (0..self.backends.len()).filter(|index| self.backends[*index].is_usable(now_ms));
        // Between the two passes another thread may take a trial; then the walk starts at the first
        // back end instead, and one turn goes to the wrong one: nothing worse.
        match usable().count() {
            0 => 0,
            count => usable().nth(number % count).unwrap_or(0),
        }
    }

    /// The next back end, from where the turn stands, that it has not tried and that may be used.
    ///
    /// `may_be_used` may claim what it grants (a trial), so it is asked only for an untried back end, and
    /// one that it grants is chosen.
    pub(super) fn candidate(
        &self,
        turn: &mut Turn,
        may_be_used: impl Fn(&Backend) -> bool,
    ) -> Option<Chosen> {
        if !turn.may_try_again() {
            return None;
        }
        let (count, start) = (self.backends.len(), turn.start.unwrap_or(turn.number));
        let index = (0..count).map(|step| (start + step) % count).find(|index| {
            let backend = &self.backends[*index];
            !turn.has_tried(backend) && may_be_used(backend)
        })?;
        let backend = &self.backends[index];
        turn.record(backend);
        turn.start = Some(index + 1);
        Some(Chosen::new(backend))
    }

    /// To be called after every change. Counting all of them again cannot drift from the truth.
    pub(super) fn update_out_count(&mut self) {
        self.out_count = self.backends.iter().filter(|backend| !backend.is_up()).count();
    }
}
