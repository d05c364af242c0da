//! The back ends of a group at this moment.
//!
//! Contract: it is locked for writing when who is up changes, or who there is; [`update`](List::update) then works out
//! what a turn would otherwise have to find out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::backend::Backend;
use super::cycle::cycle;

/// The back ends as they are now.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) backends: Vec<Arc<Backend>>,
    /// How many of them are not up.
    pub(super) out_count: usize,
    /// [`Backend::number`] of the next one that joins.
    pub(super) next_number: u64,
    /// One of them is a backup.
    has_backups: bool,
    /// All are up, no one is a backup, and each weighs the same.
    is_even: bool,
    /// The indexes of those that are up in the order of their turns, as often as they weigh; backups only if no other
    /// one is up. Empty if nobody asks for it, or if it would be too long.
    pub(super) cycle: Vec<u32>,
    /// One of them may be in its slow start. A turn that finds none resets it.
    is_warming: AtomicBool,
}

impl List {
    /// True if a turn may begin with any back end, and with each as often: then its first candidate costs one division.
    pub(super) fn is_even(&self) -> bool {
        self.is_even && !self.is_warming.load(Ordering::Relaxed)
    }

    /// True if one of them is a backup.
    pub(super) fn has_backups(&self) -> bool {
        self.has_backups
    }

    /// To be called after every change. Looking at all of them again cannot drift from the truth. With `slow_start`,
    /// those that have come back since the last time begin theirs; `with_cycle` says that their order is asked for.
    pub(super) fn update(&mut self, slow_start: bool, with_cycle: bool) {
        let backends = &self.backends;
        self.out_count = backends.iter().filter(|backend| !backend.is_up()).count();
        self.has_backups = backends.iter().any(|backend| backend.is_backup());
        let weigh_the_same = backends.windows(2).all(|pair| pair[0].weight() == pair[1].weight());
        self.is_even = self.out_count == 0 && !self.has_backups && weigh_the_same;
        let serves = |backend: &Backend, is_backup| backend.is_up() && backend.is_backup() == is_backup;
        let backups = !backends.iter().any(|backend| serves(backend, false));
        let weights = backends.iter().enumerate().filter(|(_, backend)| serves(backend, backups));
        self.cycle = match with_cycle && !self.is_even {
            true => cycle(weights.map(|(index, backend)| (index, backend.weight()))).unwrap_or_default(),
            false => Vec::new(),
        };
        for backend in backends {
            let is_up = backend.is_up();
            let was_up = backend.was_up.swap(is_up, Ordering::Relaxed);
            if slow_start && is_up && !was_up {
                backend.warmth.begin();
                *self.is_warming.get_mut() = true;
            }
        }
    }

    /// One of them is in its slow start.
    pub(super) fn begin_warming(&mut self) {
        *self.is_warming.get_mut() = true;
    }

    /// To be called with the list locked for reading, when none of them was found in its slow start: nobody can have
    /// begun one meanwhile.
    pub(super) fn end_warming(&self) {
        self.is_warming.store(false, Ordering::Relaxed);
    }

    /// True if one of them may be in its slow start.
    pub(super) fn is_warming(&self) -> bool {
        self.is_warming.load(Ordering::Relaxed)
    }
}
