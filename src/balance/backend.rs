//! One server of a group: its address, its counters, and what is held against it.
//!
//! Contract: reading its state takes no lock. A change between up and out is made with its `failures`
//! locked, so that each change is told once; the group's list is locked after that, never before. Only that no
//! other back end is up ends a passive ejection without it.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::control::{Control, Controlled};
use super::health::Health;
use super::member::Member;
use super::queue::Limit;
use super::slow_start::Warmth;
use super::tag::{Tag, TagKey};

/// The value of [`Backend::out_until_ms`] of a back end that failures did not take out.
pub(super) const UP: u64 = 0;

/// One server behind us: its address, its counters and its health.
#[derive(Debug)]
pub struct Backend {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The same, with what else was configured at first; weight and backup may change: see below.
    pub(crate) member: Member,
    weight: AtomicU32,
    is_backup: AtomicBool,
    /// Its name for clients.
    pub(super) tag: Tag,
    /// A hash of where it is, which is the same on every machine.
    pub(super) place_hash: u64,
    /// It was up when the list was looked at last: what tells that it came back.
    pub(super) was_up: AtomicBool,
    /// How far it is in its slow start.
    pub(super) warmth: Warmth,
    /// Unique in its group, also among those with the same address and those that were removed.
    pub(super) number: u64,
    pub(super) served: AtomicU64,
    pub(super) active: AtomicUsize,
    pub(super) failures_total: AtomicU64,
    /// Checks that passed and that failed.
    checks: [AtomicU64; 2],
    /// Times that failures took it out.
    pub(super) ejections: AtomicU64,
    /// [`UP`], or when one connection may try it again, in milliseconds since the group's base.
    pub(super) out_until_ms: AtomicU64,
    /// Its health checks hold it out.
    pub(super) is_out_by_checks: AtomicBool,
    /// What a person has decided about it.
    pub(super) controlled: Controlled,
    /// It was taken off the list.
    pub(super) is_removed: AtomicBool,
    /// True if there is a failure that a success has to clear: spares most successes the lock.
    pub(super) has_failures: AtomicBool,
    failures: Mutex<Failures>,
    /// What its checks have found; `None` until they begin. It stands here, and not with who checks, so that
    /// a new configuration can take it over.
    health: Mutex<Option<Health>>,
    /// The group's limit, if it has one: whoever releases this back end may let a waiting one go on.
    limit: Option<Arc<Limit>>,
}

/// The failures in a row of one back end.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) count: u32,
    /// When the first of them was, in milliseconds since the group's base.
    pub(super) first_ms: u64,
}

/// A back end chosen for one connection or request, counted as active until this is dropped.
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
            Some(limit) => limit.release(&self.0),
        }
    }
}

impl Backend {
    /// A back end that is up; `copy` counts those before it that are at the same place.
    pub(super) fn new(
        member: Member,
        number: u64,
        copy: usize,
        tag_key: TagKey,
        limit: Option<Arc<Limit>>,
    ) -> Backend {
        Backend {
            address: member.address,
            weight: AtomicU32::new(member.weight),
            is_backup: AtomicBool::new(member.is_backup),
            tag: tag_key.tag(&member),
            place_hash: member.place_hash(copy),
            was_up: AtomicBool::new(true),
            warmth: Warmth::default(),
            member,
            number,
            served: AtomicU64::new(0),
            active: AtomicUsize::new(0),
            failures_total: AtomicU64::new(0),
            checks: Default::default(),
            ejections: AtomicU64::new(0),
            out_until_ms: AtomicU64::new(UP),
            is_out_by_checks: AtomicBool::new(false),
            controlled: Controlled::default(),
            is_removed: AtomicBool::new(false),
            has_failures: AtomicBool::new(false),
            failures: Mutex::default(),
            health: Mutex::default(),
            limit,
        }
    }

    /// The host as it was named; `None` if it was given as an address.
    pub(crate) fn host(&self) -> Option<&str> {
        self.member.host.as_deref()
    }

    /// The name or address that its certificate must be for, if connections to it are encrypted.
    pub(crate) fn secure_host(&self) -> Option<&Arc<str>> {
        self.member.host.as_ref().filter(|_| self.member.is_secure)
    }

    /// The service whose records name it; `None` if it was named itself.
    pub(crate) fn service(&self) -> Option<&str> {
        self.member.service.as_deref()
    }

    /// How many turns it gets for each turn of a back end with weight 1.
    pub(crate) fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    /// True if it gets turns only while none of the others is up.
    pub(crate) fn is_backup(&self) -> bool {
        self.is_backup.load(Ordering::Relaxed)
    }

    /// It is configured anew, at the same place.
    pub(super) fn reconfigure(&self, member: &Member) {
        self.weight.store(member.weight, Ordering::Relaxed);
        self.is_backup.store(member.is_backup, Ordering::Relaxed);
    }

    /// The name by which a cookie remembers it.
    pub(crate) fn tag(&self) -> Tag {
        self.tag
    }

    /// Times it was chosen for a connection or request since the start.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Connections or requests it is busy with.
    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Failures that connections reported since the start.
    pub fn failures_reported(&self) -> u64 {
        self.failures_total.load(Ordering::Relaxed)
    }

    /// False while it is out or on trial.
    pub(crate) fn is_up(&self) -> bool {
        !self.is_out_by_failures() && !self.is_held_out()
    }

    /// True if its checks or a person hold it out, whatever connections meet.
    pub(super) fn is_held_out(&self) -> bool {
        self.is_out_by_checks.load(Ordering::Relaxed) || !self.controlled.is_ready()
    }

    /// What a person has decided about it.
    pub(crate) fn control(&self) -> Control {
        self.controlled.get()
    }

    /// All that [`state`](Backend::state) can be.
    pub(crate) const STATES: [&'static str; 5] = ["up", "out by failures", "out by checks", "drain", "down"];

    /// Whether it is up, and if not, why: a person's decision goes before checks, and those before failures.
    pub(crate) fn state(&self) -> &'static str {
        match self.control() {
            Control::Drain => "drain",
            Control::Down => "down",
            Control::Ready if self.is_out_by_checks.load(Ordering::Relaxed) => "out by checks",
            Control::Ready if self.is_out_by_failures() => "out by failures",
            Control::Ready => "up",
        }
    }

    /// Counts a health check.
    pub(crate) fn count_check(&self, has_passed: bool) {
        self.checks[usize::from(!has_passed)].fetch_add(1, Ordering::Relaxed);
    }

    /// Health checks that passed and that failed since the start.
    pub(crate) fn checks(&self) -> [u64; 2] {
        [0, 1].map(|index| self.checks[index].load(Ordering::Relaxed))
    }

    /// Times that failures took it out since the start.
    pub(crate) fn ejections(&self) -> u64 {
        self.ejections.load(Ordering::Relaxed)
    }

    /// Goes on counting where another one stopped, and keeps what a person decided about it.
    pub(super) fn continue_from(&self, old: &Backend) {
        self.served.store(old.served(), Ordering::Relaxed);
        self.failures_total.store(old.failures_reported(), Ordering::Relaxed);
        self.ejections.store(old.ejections(), Ordering::Relaxed);
        for (ours, theirs) in self.checks.iter().zip(old.checks()) {
            ours.store(theirs, Ordering::Relaxed);
        }
        self.controlled.set(old.control());
    }

    /// What its checks have found, to be read or carried on by who checks.
    pub(crate) fn health(&self) -> MutexGuard<'_, Option<Health>> {
        // A panic elsewhere leaves it as it was before the check.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if failures that connections reported hold it out; its checks may find it well.
    pub(crate) fn is_out_by_failures(&self) -> bool {
        self.out_until_ms.load(Ordering::Relaxed) != UP
    }

    /// True if it is up or due for a trial.
    pub(super) fn is_usable(&self, now_ms: u64) -> bool {
        !self.is_held_out() && now_ms >= self.out_until_ms.load(Ordering::Relaxed)
    }

    pub(super) fn clear_failures(&self, failures: &mut Failures) {
        failures.count = 0;
        self.has_failures.store(false, Ordering::Relaxed);
    }

    pub(super) fn failures(&self) -> MutexGuard<'_, Failures> {
        // Two numbers that are written together: whole after a panic elsewhere.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
