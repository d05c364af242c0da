//! One server of a group: its counters, and what is held against it.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::queue::Limit;

/// The value of [`Backend::out_until`] of a back end that no failure took out.
pub(super) const UP: u64 = 0;

/// One server behind us: its address, its counters and its health.
#[derive(Debug)]
pub struct Backend {
    /// Where it listens.
    pub address: SocketAddr,
    /// Tells it from all others of its group, those with the same address and those that are gone included.
    pub(super) number: u64,
    pub(super) served: AtomicU64,
    pub(super) active: AtomicUsize,
    pub(super) failed: AtomicU64,
    /// [`UP`], or when one connection may try it again, in milliseconds since the group's base.
    pub(super) out_until: AtomicU64,
    /// Its checks took it out.
    pub(super) down: AtomicBool,
    /// It was taken off the list.
    pub(super) is_gone: AtomicBool,
    /// True if there is a failure that a success has to wipe out: spares each success the lock.
    pub(super) failing: AtomicBool,
    /// Held for every change between up and out, so that each is told once; taken before the list.
    pub(super) failures: Mutex<Failures>,
    /// The group's limit, if it has one: who lets go of this back end may have kept somebody waiting.
    limit: Option<Arc<Limit>>,
}

/// The failures in a row of one back end.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) count: u32,
    /// When the first of them was, in milliseconds since the group's base.
    pub(super) since: u64,
}

/// A back end in the hands of one connection or request, counted as active until it is dropped.
#[derive(Debug)]
pub struct Chosen(pub(super) Arc<Backend>);

impl Chosen {
    pub(super) fn new(backend: &Arc<Backend>) -> Chosen {
        backend.served.fetch_add(1, Ordering::Relaxed);
        backend.active.fetch_add(1, Ordering::Relaxed);
        Chosen(Arc::clone(backend))
    }
}

impl Deref for Chosen {
    type Target = Backend;

    fn deref(&self) -> &Backend {
        &self.0
    }
}

impl Drop for Chosen {
    fn drop(&mut self) {
        match &self.0.limit {
            None => _ = self.0.active.fetch_sub(1, Ordering::Relaxed),
            Some(limit) => limit.freed(&self.0),
        }
    }
}

impl Backend {
    pub(super) fn new(address: SocketAddr, number: u64, limit: Option<Arc<Limit>>) -> Backend {
        Backend {
            address,
            number,
            served: AtomicU64::new(0),
            active: AtomicUsize::new(0),
            failed: AtomicU64::new(0),
            out_until: AtomicU64::new(UP),
            down: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            failures: Mutex::default(),
            limit,
        }
    }

    /// Times it was chosen for a connection or request since the start.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Connections or requests it is busy with.
    pub fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Failures reported since the start.
    pub fn failures_reported(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// False while it is out or on trial.
    pub fn is_up(&self) -> bool {
        !self.is_out_by_failures() && !self.down.load(Ordering::Relaxed)
    }

    /// True if connections took it out; its checks may think otherwise.
    pub fn is_out_by_failures(&self) -> bool {
        self.out_until.load(Ordering::Relaxed) != UP
    }

    /// True if it is up or due for a trial.
    pub(super) fn is_open(&self, moment: u64) -> bool {
        !self.down.load(Ordering::Relaxed) && moment >= self.out_until.load(Ordering::Relaxed)
    }

    pub(super) fn forgive(&self, failures: &mut Failures) {
        failures.count = 0;
        self.failing.store(false, Ordering::Relaxed);
    }

    pub(super) fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
