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
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use super::backend::{Backend, Chosen};
use super::list::List;
use super::queue::Limit;
use super::turn::Turn;

/// Back ends that serve the same requests, and whose turn it is.
#[derive(Debug)]
pub struct Group {
    pub(super) name: String,
    /// Locked for writing only when the list or a back end's state changes.
    list: RwLock<List>,
    /// Turns given out so far. On 64 bits it never wraps.
    turns: AtomicUsize,
    /// What [`Backend::out_until_ms`] counts from: an `Instant` fits no atomic. Set when it is first needed.
    pub(super) base: OnceLock<Instant>,
    /// How much a back end may have to do at a time; `None` for no limit.
    pub(super) limit: Option<Arc<Limit>>,
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
        Group::limited(name, addresses, 0)
    }

    /// A group of which each back end has at most `active_max` connections or requests at a time; 0 is no limit.
    pub(crate) fn limited(name: &str, addresses: Vec<SocketAddr>, active_max: usize) -> Group {
        let group = Group {
            name: name.to_owned(),
            list: RwLock::new(List { backends: Vec::new(), out_count: 0, next_number: 0 }),
            turns: AtomicUsize::new(0),
            base: OnceLock::new(),
            limit: (active_max > 0).then(|| Arc::new(Limit::new(active_max))),
        };
        group.replace(&addresses);
        group
    }

    /// What log messages call this group.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The back ends as they are now.
    pub(crate) fn backends(&self) -> Vec<Arc<Backend>> {
        self.list().backends.clone()
    }

    /// Makes these the back ends. Those that were there already keep their state and their order and
    /// come first, however the addresses are shuffled, so that nobody's share suffers.
    pub(crate) fn replace(&self, addresses: &[SocketAddr]) -> Replaced {
        let mut wanted = addresses.to_vec();
        let mut list = self.list_mut();
        let mut removed = Vec::new();
        // An address that is given twice is two back ends: each of them uses up one of the two.
        list.backends.retain(|backend| match wanted.iter().position(|address| *address == backend.address) {
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
        for address in &wanted {
            let backend = Backend::new(*address, list.next_number, self.limit.clone());
            list.backends.push(Arc::new(backend));
            list.next_number += 1;
        }
        list.update_out_count();
        drop(list);
        self.serve_queue();
        Replaced { added: wanted, removed }
    }

    /// The back ends with these addresses were named `host`, for whoever tells of them.
    pub(crate) fn name_backends(&self, host: &str, addresses: &[SocketAddr]) {
        let list = self.list();
        list.backends.iter().filter(|one| addresses.contains(&one.address)).for_each(|one| one.name(host));
    }

    /// Draws a turn from the shared counter: once for a connection or request and all its retries.
    pub fn turn(&self) -> Turn {
        Turn::new(self.turns.fetch_add(1, Ordering::Relaxed))
    }

    /// The next candidate of a turn, whatever the group's limit.
    ///
    /// `None` if `RETRIES` + 1 have been tried, or if none is left that may be
    /// used and is untried: at once on the first call if all are out. No back end is named twice in one turn.
    pub fn next(&self, turn: &mut Turn, now: Instant) -> Option<Chosen> {
        let list = self.list();
        turn.start.get_or_insert_with(|| list.start_of_turn(turn.number, || self.milliseconds(now)));
        list.candidate(turn, |backend| self.may_be_used(backend, now))
    }

    // A list is never left half changed: after a panic elsewhere it is still whole.
    pub(super) fn list(&self) -> RwLockReadGuard<'_, List> {
        self.list.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn list_mut(&self) -> RwLockWriteGuard<'_, List> {
        self.list.write().unwrap_or_else(PoisonError::into_inner)
    }
}
