//! The begin of the drain, which a signal starts and all parts of the program can wait for.
//!
//! Contract: a drain begins once, through a [signal](super::signals) or [`trigger`](Shutdown::trigger). Threads
//! wait for it with [`wait`](Shutdown::wait); an event loop registers a callback that wakes its poller, with
//! [`subscribe`](Shutdown::subscribe).
//!
//! With a lame-duck time the drain begins later than it was asked for: until then everything is served as before, and
//! [`is_leaving`](Shutdown::is_leaving) tells whoever asks that new work had better go elsewhere.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Whether the drain has begun. It cannot be undone. Clones share one state.
#[derive(Clone, Default)]
pub struct Shutdown {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Set under the lock of `callbacks`. Read without the lock, because each event loop reads it often.
    draining: AtomicBool,
    leaving: AtomicBool,
    /// Time between being told to stop and the drain.
    lame_duck: Duration,
    callbacks: Mutex<Vec<Callback>>,
    changed: Condvar,
}

type Callback = Box<dyn Fn() + Send>;

impl Shutdown {
    /// The drain has not begun. Only [`trigger`](Shutdown::trigger) begins it.
    pub(crate) fn new() -> Shutdown {
        Shutdown::default()
    }

    /// The same; [`leave`](Shutdown::leave) begins it after this time.
    pub(crate) fn with_lame_duck(lame_duck: Duration) -> Shutdown {
        Shutdown { shared: Arc::new(Shared { lame_duck, ..Shared::default() }) }
    }

    /// Begins the drain when the lame-duck time is over. False if there is no such time, or if it has begun
    /// already: nothing is done then.
    pub(crate) fn leave(&self) -> bool {
        if self.shared.lame_duck.is_zero() || self.shared.leaving.swap(true, Ordering::SeqCst) {
            return false;
        }
        let shutdown = self.clone();
        let wait = move || {
            let until = Instant::now() + shutdown.shared.lame_duck;
            let mut callbacks = shutdown.callbacks();
            while let Some(left) =
                until.checked_duration_since(Instant::now()).filter(|_| !shutdown.is_draining())
            {
                let waited = shutdown.shared.changed.wait_timeout(callbacks, left);
                callbacks = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            drop(callbacks);
            shutdown.trigger();
        };
        if let Err(error) = thread::Builder::new().name("lame-duck".to_owned()).spawn(wait) {
            log::error!("the drain begins now, for the time before it cannot be waited: {error}");
            self.trigger();
        }
        true
    }

    /// The time between being told to stop and the drain.
    pub(crate) fn lame_duck(&self) -> Duration {
        self.shared.lame_duck
    }

    /// True once the program was told to stop and has a lame-duck time.
    pub(crate) fn is_leaving(&self) -> bool {
        self.shared.leaving.load(Ordering::SeqCst)
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
    fn a_lame_duck_goes_on_until_its_time_is_over_or_it_is_told_again() {
        assert!(!Shutdown::new().leave(), "there is no such time");
        let soon = Shutdown::with_lame_duck(Duration::from_millis(20));
        assert!(soon.leave());
        assert!(soon.is_leaving());
        soon.wait();
        let late = Shutdown::with_lame_duck(Duration::from_secs(1000));
        assert!(late.leave());
        assert!(!late.leave() && !late.is_draining());
        late.trigger();
        late.wait();
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
