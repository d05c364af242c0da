//! How a connection is called that stands in the queue for a back end. Twin: `threaded/bell.rs`.
//!
//! No socket tells of its turn, and whoever frees a place may be another loop. So the bell writes
//! down whom it is for and wakes the loop, which serves it as if an event had come.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// Makes the bells of one loop, and remembers which were rung.
#[derive(Debug)]
pub(crate) struct Bells {
    /// Places in the loop's table. A successor of the one it was for is served in vain, and no harm is done.
    rung: Mutex<Vec<usize>>,
    waker: mio::Waker,
}

impl Bells {
    /// For the loop that this wakes.
    pub(crate) fn new(waker: mio::Waker) -> Arc<Bells> {
        Arc::new(Bells { rung: Mutex::default(), waker })
    }

    /// A bell for the connection in this place.
    pub(crate) fn bell(self: &Arc<Bells>, place: usize) -> Waker {
        Arc::new(Bell { place, bells: Arc::clone(self) }).into()
    }

    /// Wakes the loop and nobody in it.
    pub(crate) fn wake(&self) {
        // Waking a loop that is gone already is nothing.
        let _ = self.waker.wake();
    }

    /// The places whose bells were rung since the last call.
    pub(crate) fn take_rung(&self) -> Vec<usize> {
        std::mem::take(&mut self.rung())
    }

    fn rung(&self) -> MutexGuard<'_, Vec<usize>> {
        // Numbers are whole even if a thread panicked beside them.
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Bell {
    place: usize,
    bells: Arc<Bells>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.bells.rung().push(self.place);
        self.bells.wake();
    }
}
