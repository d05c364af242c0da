//! The deadlines of all connections of a loop, in order.
//!
//! Contract: at most one entry a key. A deadline that moves on with each progress is not moved
//! here: the entry fires early, the owner asks the connection when its deadline really is and sets
//! that. So a busy connection costs the queue one entry every now and then, not one a read.

use std::collections::BTreeSet;
use std::time::Instant;

/// Which connection is to be looked at when. A key is its place in the owner's table: small, and used
/// again when the connection is gone.
#[derive(Debug, Default)]
pub struct Timers {
    queue: BTreeSet<(Instant, usize)>,
    /// The entry of each key, by key.
    moments: Vec<Option<Instant>>,
}

impl Timers {
    /// No timers.
    pub fn new() -> Timers {
        Timers::default()
    }

    /// Looks at `key` at the latest at `at`. If it is to be looked at before that already, that stays:
    /// when it fires the owner sets the real deadline.
    pub fn set(&mut self, key: usize, at: Instant) {
        if key >= self.moments.len() {
            self.moments.resize(key + 1, None);
        }
        match self.moments[key].replace(at) {
            Some(moment) if moment <= at => self.moments[key] = Some(moment),
            Some(moment) => {
                self.queue.remove(&(moment, key));
                self.queue.insert((at, key));
            }
            None => _ = self.queue.insert((at, key)),
        }
    }

    /// Forgets `key`: its connection is closed.
    pub fn clear(&mut self, key: usize) {
        if let Some(moment) = self.moments.get_mut(key).and_then(Option::take) {
            self.queue.remove(&(moment, key));
        }
    }

    /// Takes out one key whose moment has come; call until `None`. The owner may set it again
    /// meanwhile, to a moment after `now`.
    pub fn expired(&mut self, now: Instant) -> Option<usize> {
        let (moment, key) = *self.queue.first()?;
        if moment > now {
            return None;
        }
        self.clear(key);
        Some(key)
    }

    /// When the next one fires: how long the poller may wait.
    pub fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(moment, _)| *moment)
    }

    /// How many keys wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True if no key waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::time::Duration;

    fn all_expired(timers: &mut Timers, now: Instant) -> Vec<usize> {
        std::iter::from_fn(|| timers.expired(now)).collect()
    }

    #[test]
    fn they_fire_in_order_and_once() {
        let base = Instant::now();
        let at = |second| base + Duration::from_secs(second);
        let mut timers = Timers::new();
        for (key, second) in [(1, 30), (2, 10), (3, 20), (4, 20)] {
            timers.set(key, at(second));
        }
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(all_expired(&mut timers, at(9)), Vec::<usize>::new());
        assert_eq!(all_expired(&mut timers, at(20)), [2, 3, 4]);
        assert_eq!(all_expired(&mut timers, at(20)), Vec::<usize>::new());
        timers.clear(1);
        assert!(timers.is_empty());
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_later_deadline_waits_for_the_early_look_and_an_earlier_one_counts_at_once() {
        let base = Instant::now();
        let at = |second| base + Duration::from_secs(second);
        let mut timers = Timers::new();
        timers.set(1, at(10));
        timers.set(1, at(60));
        assert_eq!(timers.next(), Some(at(10)));
        timers.set(1, at(5));
        assert_eq!(timers.len(), 1);
        assert_eq!(timers.expired(at(5)), Some(1));
        timers.set(1, at(60));
        assert_eq!(timers.next(), Some(at(60)));
    }

    proptest! {
        #[test]
        fn no_deadline_is_missed_and_no_key_has_two_entries(
            moves in proptest::collection::vec((0usize..5, 0u64..100), 0..50),
        ) {
            let base = Instant::now();
            let mut timers = Timers::new();
            let mut earliest = HashMap::new();
            for (key, second) in moves {
                timers.set(key, base + Duration::from_secs(second));
                let moment = earliest.entry(key).or_insert(second);
                *moment = second.min(*moment);
            }
            prop_assert_eq!(timers.len(), earliest.len());
            for second in 0..100 {
                let mut due: Vec<usize> =
                    earliest.iter().filter(|(_, at)| **at == second).map(|(key, _)| *key).collect();
                due.sort_unstable();
                prop_assert_eq!(all_expired(&mut timers, base + Duration::from_secs(second)), due);
            }
            prop_assert!(timers.is_empty() && timers.moments.iter().all(Option::is_none));
        }
    }
}
