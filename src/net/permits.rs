//! How many client connections a role has open: the bound on them, and what a drain waits for.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts the open connections of one role. Clones count together.
#[derive(Clone, Debug)]
pub struct Permits {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    most: usize,
    counts: Mutex<Counts>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    /// Threads that wait for a close: without one, a close costs no system call.
    waiting: usize,
}

/// One open connection, counted until it is dropped: no way out of a connection's life misses it.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
}

impl Permits {
    /// None open, and never more than `most`.
    pub fn new(most: usize) -> Permits {
        Permits { shared: Arc::new(Shared { most, counts: Mutex::default(), changed: Condvar::new() }) }
    }

    /// A permit for one more, or `None` if all are taken.
    pub fn take(&self) -> Option<Permit> {
        let mut counts = self.shared.counts();
        if counts.open == self.shared.most {
            return None;
        }
        counts.open += 1;
        Some(Permit { shared: Arc::clone(&self.shared) })
    }

    /// A permit for one who may or may not come: `None` once half are taken.
    pub fn take_spare(&self) -> Option<Permit> {
        let is_roomy = self.count() < self.shared.most / 2;
        if is_roomy { self.take() } else { None }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.shared.counts().open
    }

    /// The most that may be open.
    pub fn most(&self) -> usize {
        self.shared.most
    }

    /// Waits until one closes, at most so long.
    pub fn wait_for_close(&self, patience: Duration) {
        let counts = self.shared.counts();
        drop(self.shared.wait(counts, patience));
    }

    /// Waits until none is open; the number that still is at `until`.
    pub fn wait_until_none(&self, until: Instant) -> usize {
        let mut counts = self.shared.counts();
        while counts.open > 0 {
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            counts = self.shared.wait(counts, left);
        }
        counts.open
    }
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Numbers are whole even if a thread panicked beside them.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'c>(&self, mut counts: MutexGuard<'c, Counts>, patience: Duration) -> MutexGuard<'c, Counts> {
        counts.waiting += 1;
        let waited = self.changed.wait_timeout(counts, patience);
        let mut counts = waited.unwrap_or_else(PoisonError::into_inner).0;
        counts.waiting -= 1;
        counts
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.shared.counts();
        counts.open -= 1;
        if counts.waiting > 0 {
            self.shared.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let open = Permits::new(1);
        let permit = open.take().unwrap();
        assert!(open.take().is_none());
        assert_eq!(open.wait_until_none(Instant::now()), 1);
        let waiting = std::thread::spawn({
            let open = open.clone();
            move || open.wait_until_none(Instant::now() + Duration::from_secs(20))
        });
        drop(permit);
        assert_eq!(waiting.join().unwrap(), 0);
        assert!(open.take().is_some());
    }

    #[test]
    fn who_may_not_come_takes_no_place_that_others_may_need() {
        let open = Permits::new(4);
        let permits: Vec<_> = std::iter::from_fn(|| open.take_spare()).collect();
        assert_eq!((permits.len(), open.count()), (2, 2));
        assert!(open.take().is_some());
    }
}
