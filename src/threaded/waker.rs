//! How a connection is called that waits in the queue for a back end. Twin: `poll_loop/waker.rs`.
//!
//! It is parked meanwhile: a worker that waited with it would be missing where the connections are
//! served whose end it waits for. Whoever frees a place at a back end knows nothing of parking: it
//! calls a waker, and the waker tells the parking which connection it was for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Wake, Waker};

/// Makes wakers. The parking knows the connection of each by its number.
pub(crate) struct Wakers {
    made: AtomicU64,
    wake: Arc<dyn Fn(u64) + Send + Sync>,
}

impl Wakers {
    /// `wake` tells the parking that the waker of this number was called.
    pub(crate) fn new(wake: impl Fn(u64) + Send + Sync + 'static) -> Wakers {
        Wakers { made: AtomicU64::new(0), wake: Arc::new(wake) }
    }

    /// A waker, and its number.
    pub(crate) fn waker(&self) -> (Waker, u64) {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        (Arc::new(NumberedWaker { number, wake: Arc::clone(&self.wake) }).into(), number)
    }
}

struct NumberedWaker {
    number: u64,
    wake: Arc<dyn Fn(u64) + Send + Sync>,
}

impl Wake for NumberedWaker {
    fn wake(self: Arc<Self>) {
        (self.wake)(self.number);
    }
}
