//! Round robin over a group of back ends.
//!
//! Contract: one shared counter gives out turns, so with all back ends up their shares never differ
//! by more than one, however many threads and loops draw. A pick allocates nothing and waits for
//! nobody: the list is locked only while it is read or swapped.
//!
//! The list may [change](Group::replace) while connections are open: each holds the back end it was
//! given ([`Chosen`]), whether that is still in the list or not.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::Waker;
use std::time::Instant;

use super::availability::Passive;
use super::backend::{Backend, Chosen};
use super::list::List;
use super::member::Member;
use super::queue::Limit;
use super::turn::Turn;

/// Back ends that serve the same requests, and whose turn it is.
#[derive(Debug)]
pub struct Group {
    pub(super) name: String,
    /// Locked for writing only when the list or a back end's state changes.
    list: RwLock<List>,
    /// Turns given out so far. On 64 bits it never wraps.
    pub(super) turns: AtomicUsize,
    /// What [`Backend::out_until_ms`] counts from: an `Instant` fits no atomic. Set when it is first needed.
    pub(super) base: OnceLock<Instant>,
    /// How much a back end may have to do at a time; `None` for no limit.
    pub(super) limit: Option<Arc<Limit>>,
    pub(super) passive: Passive,
    /// When a back end was last not connected for want of descriptors or ports.
    pub(super) local_limit_met: Mutex<Option<Instant>>,
    /// Its number among the groups of its role, for who counts by group; `usize::MAX` for none.
    number: AtomicUsize,
    /// Calls whoever checks the back ends, if they are checked.
    checker: Mutex<Option<Waker>>,
}

/// The settings of a group.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupSettings {
    /// Connections or requests that a back end may have at a time; 0 is no limit.
    pub(crate) active_max: usize,
    /// When failures that connections report take a back end out.
    pub(crate) passive: Passive,
}

/// What [`Group::replace`] changed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Replaced {
    /// Back ends that are new.
    pub(crate) added: Vec<SocketAddr>,
    /// Back ends that get no more turns; the connections they have go on.
    pub(crate) removed: Vec<SocketAddr>,
}

impl Group {
    /// A group with all its back ends up. An empty one never has a candidate.
    pub fn new(name: &str, addresses: Vec<SocketAddr>) -> Group {
        Group::with(name, addresses, GroupSettings::default())
    }

    /// A group of which each back end has at most `active_max` connections or requests at a time.
    #[cfg(test)]
    pub(crate) fn limited(name: &str, addresses: Vec<SocketAddr>, active_max: usize) -> Group {
        Group::with(name, addresses, GroupSettings { active_max, ..GroupSettings::default() })
    }

    /// A group with these settings.
    pub(crate) fn with<M: Clone + Into<Member>>(
        name: &str,
        members: Vec<M>,
        settings: GroupSettings,
    ) -> Group {
        let GroupSettings { active_max, passive } = settings;
        let group = Group {
            name: name.to_owned(),
            list: RwLock::new(List { backends: Vec::new(), out_count: 0, next_number: 0 }),
            turns: AtomicUsize::new(0),
            base: OnceLock::new(),
            limit: (active_max > 0).then(|| Arc::new(Limit::new(active_max))),
            passive,
            local_limit_met: Mutex::default(),
            number: AtomicUsize::new(usize::MAX),
            checker: Mutex::default(),
        };
        group.replace(&members);
        group
    }

    /// What log messages call this group.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number among the groups of its role, if it was given one.
    pub(crate) fn number(&self) -> Option<usize> {
        Some(self.number.load(Ordering::Relaxed)).filter(|number| *number != usize::MAX)
    }

    /// Gives it a number.
    pub(crate) fn set_number(&self, number: usize) {
        self.number.store(number, Ordering::Relaxed);
    }

    /// The back ends as they are now.
    pub(crate) fn backends(&self) -> Vec<Arc<Backend>> {
        self.list().backends.clone()
    }

    /// Makes these the back ends. Those that were there already keep their state and their order and
    /// come first, however the members are shuffled, so that nobody's share suffers.
    pub(crate) fn replace<M: Clone + Into<Member>>(&self, members: &[M]) -> Replaced {
        let mut wanted: Vec<Member> = members.iter().cloned().map(Into::into).collect();
        let mut list = self.list_mut();
        let mut removed = Vec::new();
        // One that is given twice is two back ends: each of them uses up one of the two.
        list.backends.retain(|backend| match wanted.iter().position(|member| member.is_at(backend)) {
            Some(index) => {
                wanted.remove(index);
                true
            }
            None => {
                backend.is_removed.store(true, Ordering::Relaxed);
                removed.push(backend.address);
                false
            }
        });
        let added = wanted.iter().map(|member| member.address).collect();
        for member in wanted {
            let backend = Backend::new(member, list.next_number, self.limit.clone());
            list.backends.push(Arc::new(backend));
            list.next_number += 1;
        }
        drop(list);
        self.availability_changed();
        Replaced { added, removed }
    }

    /// Draws a turn from the shared counter: once for a connection or request and all its retries.
    pub fn turn(&self) -> Turn {
        Turn::new(self.turns.fetch_add(1, Ordering::Relaxed))
    }

    /// The next candidate of a turn, whatever the group's limit.
    ///
    /// `None` if none is left that may be used and is untried: at once on the first call if all are out; or if
    /// the turn is bound and `RETRIES` + 1 have been tried. No back end is named twice in one turn.
    pub fn next(&self, turn: &mut Turn, now: Instant) -> Option<Chosen> {
        let list = self.list();
        turn.start.get_or_insert_with(|| list.start_of_turn(turn.number, || self.milliseconds(now)));
        list.candidate(turn, |backend| self.may_be_used(backend, now))
    }

    /// Turns given out so far.
    pub(crate) fn turns(&self) -> usize {
        self.turns.load(Ordering::Relaxed)
    }

    /// The back end that the next turn will begin with, as things stand; nothing is drawn by asking.
    pub(crate) fn next_in_turn(&self, now: Instant) -> Option<Arc<Backend>> {
        let list = self.list();
        let now_ms = self.milliseconds(now);
        let (count, start) = (list.backends.len(), list.start_of_turn(self.turns(), || now_ms));
        let backends = (0..count).map(|step| &list.backends[(start + step) % count]);
        backends.into_iter().find(|backend| backend.is_usable(now_ms)).map(Arc::clone)
    }

    /// How many back ends would get a turn now.
    pub(crate) fn usable_count(&self, now: Instant) -> usize {
        let now_ms = self.milliseconds(now);
        self.list().backends.iter().filter(|backend| backend.is_usable(now_ms)).count()
    }

    /// The back ends are checked from now on; `waker` calls whoever does it before the next check is due.
    pub(crate) fn checked_by(&self, waker: Waker) {
        *self.checker() = Some(waker);
    }

    pub(super) fn checker(&self) -> MutexGuard<'_, Option<Waker>> {
        // One value that is set whole.
        self.checker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // A list is never left half changed: after a panic elsewhere it is still whole.
    pub(super) fn list(&self) -> RwLockReadGuard<'_, List> {
        self.list.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn list_mut(&self) -> RwLockWriteGuard<'_, List> {
        self.list.write().unwrap_or_else(PoisonError::into_inner)
    }
}
