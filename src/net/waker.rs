//! How a thread that sleeps in its poller is woken, for itself or for one of its connections.
//!
//! A connection that waits in the queue for a back end has no socket whose event would tell it that there is room
//! now, and whoever makes room knows nothing of drivers: it calls a waker. That waker notes the number of the
//! connection and wakes the thread that looks after it: the loop that serves it (async), or the parking (threaded).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// Wakes one thread, and knows for which of its connections.
#[derive(Debug)]
pub(crate) struct PollerWaker {
    waker: mio::Waker,
    /// Numbers of connections. If one has a successor by now, that is looked at in vain, which does no harm.
    woken: Mutex<Vec<usize>>,
}

impl PollerWaker {
    /// Wakes the thread that sleeps in the poller for which `waker` was made.
    pub(crate) fn new(waker: mio::Waker) -> Arc<PollerWaker> {
        Arc::new(PollerWaker { waker, woken: Mutex::default() })
    }

    /// A waker for the connection of this number.
    pub(crate) fn for_connection(self: &Arc<PollerWaker>, number: usize) -> Waker {
        Arc::new(ConnectionWaker { number, poller: Arc::clone(self) }).into()
    }

    /// Wakes the thread for itself.
    pub(crate) fn wake(&self) {
        // It fails only if the poller is gone, and then nobody needs to be woken.
        let _ = self.waker.wake();
    }

    /// The numbers of the connections that were woken since the last call.
    pub(crate) fn take_woken(&self) -> Vec<usize> {
        std::mem::take(&mut self.woken())
    }

    fn woken(&self) -> MutexGuard<'_, Vec<usize>> {
        // A thread that panicked with the lock cannot have left half a number.
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct ConnectionWaker {
    number: usize,
    poller: Arc<PollerWaker>,
}

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.poller.woken().push(self.number);
        self.poller.wake();
    }
}
