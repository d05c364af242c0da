//! How a loop that sleeps in its poller is woken.
//!
//! A connection that waits in the queue for a back end has no socket whose event would tell it that
//! there is room now, and the connection that makes room may be one of another loop. So its waker
//! notes the slot of the connection and wakes the loop, which serves it as if an event had come.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// Wakes one loop, and knows for which of its connections.
#[derive(Debug)]
pub(crate) struct LoopWaker {
    waker: mio::Waker,
    /// Slots of connections. If one has a successor by now, that is served in vain, which does no harm.
    woken: Mutex<Vec<usize>>,
}

impl LoopWaker {
    /// Wakes the loop whose poller `waker` was made for.
    pub(crate) fn new(waker: mio::Waker) -> Arc<LoopWaker> {
        Arc::new(LoopWaker { waker, woken: Mutex::default() })
    }

    /// A waker for the connection in this slot.
    pub(crate) fn for_connection(self: &Arc<LoopWaker>, slot: usize) -> Waker {
        Arc::new(ConnectionWaker { slot, of_loop: Arc::clone(self) }).into()
    }

    /// Wakes the loop and none of its connections.
    pub(crate) fn wake(&self) {
        // It fails only if the loop has ended, and then nobody needs to be woken.
        let _ = self.waker.wake();
    }

    /// The slots of the connections that were woken since the last call.
    pub(crate) fn take_woken(&self) -> Vec<usize> {
        std::mem::take(&mut self.woken())
    }

    fn woken(&self) -> MutexGuard<'_, Vec<usize>> {
        // A thread that panicked with the lock cannot have left half a number.
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct ConnectionWaker {
    slot: usize,
    of_loop: Arc<LoopWaker>,
}

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.of_loop.woken().push(self.slot);
        self.of_loop.wake();
    }
}
