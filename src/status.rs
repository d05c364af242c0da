//! How many client connections a role has open: the bound on them, and what a drain waits for.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts the open connections of one role. Clones count together.
#[derive(Clone, Debug)]
pub struct OpenConnections {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    most: usize,
    open: Mutex<usize>,
    changed: Condvar,
}

/// One open connection, counted until it is dropped: no way out of a connection's life misses it.
#[derive(Debug)]
pub struct Place {
    shared: Arc<Shared>,
}

impl OpenConnections {
    /// None open, and never more than `most`.
    pub fn new(most: usize) -> OpenConnections {
        OpenConnections { shared: Arc::new(Shared { most, open: Mutex::new(0), changed: Condvar::new() }) }
    }

    /// A place for one more, or `None` if all are taken.
    pub fn take(&self) -> Option<Place> {
        let mut open = self.shared.open();
        if *open == self.shared.most {
            return None;
        }
        *open += 1;
        Some(Place { shared: Arc::clone(&self.shared) })
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        *self.shared.open()
    }

    /// The most that may be open.
    pub fn most(&self) -> usize {
        self.shared.most
    }

    /// Waits until one closes, at most so long.
    pub fn wait_for_close(&self, patience: Duration) {
        let open = self.shared.open();
        drop(self.shared.changed.wait_timeout(open, patience));
    }

    /// Waits until none is open; the number that still is at `until`.
    pub fn wait_until_none(&self, until: Instant) -> usize {
        let mut open = self.shared.open();
        while *open > 0 {
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            let waited = self.shared.changed.wait_timeout(open, left);
            open = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *open
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, usize> {
        // A number is whole even if a thread panicked beside it.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.shared.open() -= 1;
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let open = OpenConnections::new(1);
        let place = open.take().unwrap();
        assert!(open.take().is_none());
        assert_eq!(open.wait_until_none(Instant::now()), 1);
        let waiting = std::thread::spawn({
            let open = open.clone();
            move || open.wait_until_none(Instant::now() + Duration::from_secs(20))
        });
        drop(place);
        assert_eq!(waiting.join().unwrap(), 0);
        assert!(open.take().is_some());
    }
}
