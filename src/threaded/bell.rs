//! How a connection is called that stands in the queue for a back end. Twin: `poll_loop/bell.rs`.
//!
//! It waits in the lot, for a worker that waited with it would be missing where the places it waits
//! for come free. Whoever frees one has no idea of lots: it rings a bell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Wake, Waker};

/// Makes bells. A lot knows the one a connection waits by from its number.
pub(crate) struct Bells {
    made: AtomicU64,
    ring: Arc<dyn Fn(u64) + Send + Sync>,
}

impl Bells {
    /// `ring` tells the lot that a bell of this number was rung.
    pub(crate) fn new(ring: impl Fn(u64) + Send + Sync + 'static) -> Bells {
        Bells { made: AtomicU64::new(0), ring: Arc::new(ring) }
    }

    /// A bell, and its number.
    pub(crate) fn bell(&self) -> (Waker, u64) {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        (Arc::new(Bell { number, ring: Arc::clone(&self.ring) }).into(), number)
    }
}

struct Bell {
    number: u64,
    ring: Arc<dyn Fn(u64) + Send + Sync>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        (self.ring)(self.number);
    }
}
