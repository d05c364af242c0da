//! A table of fixed size: a number for each key, as long as there is room.
//!
//! Contract: it never grows and never fails. Where a key's place is full, the entry with the smallest value makes room
//! for it, so values must say how much an entry is worth keeping: a moment until which it means something. A place has
//! a lock of its own, so two threads meet only over clients that share one.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

/// Entries that share a place and its lock. Of so few one is found by looking at all, in one or two cache lines.
const WAYS: usize = 8;

/// The table.
#[derive(Debug)]
pub(super) struct Slots {
    places: Box<[Mutex<[Slot; WAYS]>]>,
    /// Keyed, so that nobody outside can tell which clients share a place.
    hasher: RandomState,
}

/// An entry; a value of 0 is that of an empty one, which every other may replace.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: u64,
    value: u64,
}

impl Slots {
    /// A table with room for at least so many entries.
    pub(super) fn new(entries: usize) -> Slots {
        let places = entries.div_ceil(WAYS).max(1);
        Slots { places: (0..places).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }

    /// Lets `change` see and change the value of `key`, which is 0 if there was none.
    pub(super) fn with<T>(&self, key: u64, change: impl FnOnce(&mut u64) -> T) -> T {
        let hash = self.hasher.hash_one(key);
        // The cast loses nothing: the rest is below the number of places.
        let place = (hash % self.places.len() as u64) as usize;
        // No code panics with this lock, and a value is written whole.
        let mut slots = self.places[place].lock().unwrap_or_else(PoisonError::into_inner);
        let found = slots.iter().position(|slot| slot.key == key && slot.value > 0);
        let at = found.unwrap_or_else(|| {
            let worth = |at: &usize| slots[*at].value;
            // There are entries, so there is a least one.
            let least = (0..WAYS).min_by_key(worth).unwrap_or_default();
            slots[least] = Slot { key, value: 0 };
            least
        });
        change(&mut slots[at].value)
    }

    /// The value of `key`; 0 if there is none.
    pub(super) fn get(&self, key: u64) -> u64 {
        let hash = self.hasher.hash_one(key);
        let place = (hash % self.places.len() as u64) as usize;
        let slots = self.places[place].lock().unwrap_or_else(PoisonError::into_inner);
        slots.iter().find(|slot| slot.key == key).map_or(0, |slot| slot.value)
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.places.len() * WAYS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use allocation_counter::measure;

    #[test]
    fn what_is_worth_least_makes_room() {
        let slots = Slots::new(WAYS);
        for key in 0..WAYS as u64 {
            slots.with(key, |value| *value = 100 + key);
        }
        slots.with(99, |value| {
            assert_eq!(*value, 0);
            *value = 500;
        });
        assert_eq!(slots.get(0), 0, "the least one is gone");
        assert_eq!(
            (1..WAYS as u64).map(|key| slots.get(key)).collect::<Vec<_>>(),
            (101..108).collect::<Vec<_>>()
        );
        assert_eq!(slots.get(99), 500);
    }

    #[test]
    fn a_million_keys_take_no_more_memory_than_one() {
        let slots = Slots::new(1024);
        let memory = measure(|| (0..1_000_000).for_each(|key| slots.with(key, |value| *value = key + 1)));
        assert_eq!((memory.count_total, slots.capacity()), (0, 1024));
    }
}
