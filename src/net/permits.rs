//! Permits: how many client connections a role has open. They bound that number, and a drain waits until there
//! are none.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts the open connections of one role. Clones share one count.
#[derive(Clone, Debug)]
pub(crate) struct Permits {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    most: usize,
    /// Permits whose client has come.
    taken_up: AtomicUsize,
    counts: Mutex<Counts>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    /// Threads that wait for a close. If there are none, a close needs no system call.
    waiting: usize,
}

/// The permit of one open connection. It is returned when it is dropped, however the connection ends.
#[derive(Debug)]
pub(crate) struct Permit {
    shared: Arc<Shared>,
    is_taken_up: bool,
}

impl Permits {
    /// No open connections, and never more than `most`.
    pub(crate) fn new(most: usize) -> Permits {
        Permits {
            shared: Arc::new(Shared {
                most,
                taken_up: AtomicUsize::new(0),
                counts: Mutex::default(),
                changed: Condvar::new(),
            }),
        }
    }

    /// Takes a permit for one more connection, or `None` if all are taken.
    pub(crate) fn take(&self) -> Option<Permit> {
        let mut counts = self.shared.counts();
        if counts.open == self.shared.most {
            return None;
        }
        counts.open += 1;
        Some(Permit { shared: Arc::clone(&self.shared), is_taken_up: false })
    }

    /// Takes a permit for a client that may or may not connect; `None` if half of them are taken already.
    pub(crate) fn take_spare(&self) -> Option<Permit> {
        let is_roomy = self.count() < self.shared.most / 2;
        if is_roomy { self.take() } else { None }
    }

    /// How many connections are open.
    pub(crate) fn count(&self) -> usize {
        self.shared.counts().open
    }

    /// How many of these have been [taken up](Permit::taken_up).
    pub(crate) fn taken_up(&self) -> usize {
        self.shared.taken_up.load(Ordering::Relaxed)
    }

    /// The most that may be open.
    pub(crate) fn most(&self) -> usize {
        self.shared.most
    }

    /// Waits until a connection closes, or until `timeout` has passed.
    pub(crate) fn wait_for_close(&self, timeout: Duration) {
        let counts = self.shared.counts();
        drop(self.shared.wait(counts, timeout));
    }

    /// Waits until no connection is open, or until `until`. Returns how many are still open.
    pub(crate) fn wait_until_none(&self, until: Instant) -> usize {
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
        // The counts are consistent even if a thread has panicked.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'c>(&self, mut counts: MutexGuard<'c, Counts>, timeout: Duration) -> MutexGuard<'c, Counts> {
        counts.waiting += 1;
        let waited = self.changed.wait_timeout(counts, timeout);
        let mut counts = waited.unwrap_or_else(PoisonError::into_inner).0;
        counts.waiting -= 1;
        counts
    }
}

impl Permit {
    /// Its client has come: it is no longer the permit of a thread that waits in `accept`.
    pub(crate) fn taken_up(mut self) -> Permit {
        self.shared.taken_up.fetch_add(1, Ordering::Relaxed);
        self.is_taken_up = true;
        self
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.is_taken_up {
            self.shared.taken_up.fetch_sub(1, Ordering::Relaxed);
        }
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
    fn permits_are_bounded_and_returned() {
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
    fn spare_permits_leave_half_for_clients_that_have_connected() {
        let open = Permits::new(4);
        let permits: Vec<_> = std::iter::from_fn(|| open.take_spare()).collect();
        assert_eq!((permits.len(), open.count()), (2, 2));
        assert!(open.take().is_some());
    }
}
