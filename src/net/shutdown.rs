//! The begin of the drain, which a signal starts and all parts of the program can wait for.
//!
//! Contract: a drain begins once, through a [signal](super::signals) or [`trigger`](Shutdown::trigger). Threads
//! wait for it with [`wait`](Shutdown::wait); an event loop registers a callback that wakes its poller, with
//! [`subscribe`](Shutdown::subscribe).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Whether the drain has begun. It cannot be undone. Clones share one state.
#[derive(Clone, Default)]
pub struct Shutdown {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Set under the lock of `callbacks`. Read without the lock, because each event loop reads it often.
    draining: AtomicBool,
    callbacks: Mutex<Vec<Callback>>,
    changed: Condvar,
}

type Callback = Box<dyn Fn() + Send>;

impl Shutdown {
    /// The drain has not begun. Only [`trigger`](Shutdown::trigger) begins it.
    pub(crate) fn new() -> Shutdown {
        Shutdown::default()
    }

    /// Begins the drain. Further calls change nothing.
    pub(crate) fn trigger(&self) {
        let mut callbacks = self.callbacks();
        if self.shared.draining.swap(true, Ordering::SeqCst) {
            return;
        }
        let called = std::mem::take(&mut *callbacks);
        // The callbacks run without the lock, so they may call any method here.
        drop(callbacks);
        self.shared.changed.notify_all();
        called.iter().for_each(|callback| callback());
    }

    /// True once the drain has begun.
    pub(crate) fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::SeqCst)
    }

    /// Waits until the drain begins.
    pub(crate) fn wait(&self) {
        let mut callbacks = self.callbacks();
        while !self.is_draining() {
            callbacks = self.shared.changed.wait(callbacks).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Calls `callback` once when the drain begins, or now if it has begun. It runs on the thread that calls
    /// `trigger`, so it should do no more than wake another thread.
    pub(crate) fn subscribe(&self, callback: impl Fn() + Send + 'static) {
        let mut callbacks = self.callbacks();
        if self.is_draining() {
            drop(callbacks);
            callback();
        } else {
            callbacks.push(Box::new(callback));
        }
    }

    fn callbacks(&self) -> MutexGuard<'_, Vec<Callback>> {
        // No callback runs under the lock, so the list is consistent even if a thread has panicked.
        self.shared.callbacks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").field("is_draining", &self.is_draining()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn each_subscriber_is_called_once() {
        let shutdown = Shutdown::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let count = || {
            let calls = Arc::clone(&calls);
            move || _ = calls.fetch_add(1, Ordering::SeqCst)
        };
        shutdown.subscribe(count());
        let waiter = std::thread::spawn({
            let shutdown = shutdown.clone();
            move || shutdown.wait()
        });
        assert!(!shutdown.is_draining());
        shutdown.trigger();
        shutdown.clone().trigger();
        waiter.join().unwrap();
        shutdown.wait();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        shutdown.subscribe(count());
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_callback_may_use_the_shutdown() {
        let shutdown = Shutdown::new();
        let inner = shutdown.clone();
        shutdown.subscribe(move || {
            assert!(inner.is_draining());
            inner.subscribe(|| {});
        });
        shutdown.trigger();
    }
}
