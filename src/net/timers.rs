//! The deadlines of all connections of an event loop, in order.
//!
//! Contract: each key has at most one entry. A deadline that becomes later, as it does with each read, does not
//! move its entry. The entry fires early, and then the owner asks the connection for its present deadline and
//! sets that. So a busy connection changes the queue now and then, and not at each read.

use std::collections::BTreeSet;
use std::time::Instant;

/// When to check the deadline of which connection. A key is the connection's slot in the table of the owner, so
/// keys are small numbers, and are used again.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeSet<(Instant, usize)>,
    /// The time of each key's entry; the index is the key.
    moments: Vec<Option<Instant>>,
}

impl Timers {
    /// No timers.
    pub(crate) fn new() -> Timers {
        Timers::default()
    }

    /// Makes `key` fire at `at` or before. An earlier entry of the key stays: when it fires, the owner sets the
    /// present deadline.
    pub(crate) fn set(&mut self, key: usize, at: Instant) {
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

    /// Removes `key`: its connection is closed.
    pub(crate) fn clear(&mut self, key: usize) {
        if let Some(moment) = self.moments.get_mut(key).and_then(Option::take) {
            self.queue.remove(&(moment, key));
        }
    }

    /// Removes and returns one key whose time has come; call it until it returns `None`. The owner may set the
    /// key again in between, to a time after `now`.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<usize> {
        let (moment, key) = *self.queue.first()?;
        if moment > now {
            return None;
        }
        self.clear(key);
        Some(key)
    }

    /// When the next key fires, which limits the wait of the poller.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(moment, _)| *moment)
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
    fn keys_fire_in_order_and_once() {
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
        assert!(timers.queue.is_empty());
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_later_deadline_keeps_the_early_entry_and_an_earlier_one_replaces_it() {
        let base = Instant::now();
        let at = |second| base + Duration::from_secs(second);
        let mut timers = Timers::new();
        timers.set(1, at(10));
        timers.set(1, at(60));
        assert_eq!(timers.next(), Some(at(10)));
        timers.set(1, at(5));
        assert_eq!(timers.queue.len(), 1);
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
            prop_assert_eq!(timers.queue.len(), earliest.len());
            for second in 0..100 {
                let mut due: Vec<usize> =
                    earliest.iter().filter(|(_, at)| **at == second).map(|(key, _)| *key).collect();
                due.sort_unstable();
                prop_assert_eq!(all_expired(&mut timers, base + Duration::from_secs(second)), due);
            }
            prop_assert!(timers.queue.is_empty() && timers.moments.iter().all(Option::is_none));
        }
    }
}
