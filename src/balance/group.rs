//! A group of back ends, and the turns that it gives.
//!
//! Contract: one shared counter numbers the turns, and the group's [policy](super::policy) says where each begins. By
//! round robin the shares of back ends that are all up never differ by more than one, however many threads and loops
//! draw. A pick allocates nothing and waits for nobody: the list is locked only while it is read or swapped.
//!
//! The list may [change](Group::replace) while connections are open: each holds the back end it was
//! given ([`Chosen`]), whether that is still in the list or not.

use std::hash::Hasher;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::Waker;
use std::time::{Duration, Instant};

use siphasher::sip::SipHasher13;

use super::availability::{Passive, milliseconds};
use super::backend::{Backend, Chosen};
use super::key::Key;
use super::list::List;
use super::member::Member;
use super::policy::{Candidates, Choice, DependsOn, Policy};
use super::queue::Limit;
use super::slow_start::WHOLE;
use super::tag::TagKey;
use super::turn::{Turn, Wait};

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
    /// A hash of the name, for who needs a short one.
    mark: u32,
    policy: Policy,
    /// How long a back end that came back gets less than its share, in milliseconds; 0 for no slow start.
    pub(super) slow_start_ms: u64,
    tag_key: TagKey,
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
    /// How it chooses whose turn it is.
    pub(crate) policy: Policy,
    /// How long a back end that came back, or is new, gets less than its share; zero for no slow start.
    pub(crate) slow_start: Duration,
    /// From which the names of back ends in cookies are made.
    pub(crate) tag_key: TagKey,
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

    /// A group with weights that chooses by the policy of this name.
    ///
    /// Errors: there is no such policy.
    pub fn by_policy(name: &str, policy: &str, weights: &[(SocketAddr, u32)]) -> Result<Group, String> {
        let member =
            |(address, weight): &(SocketAddr, u32)| Member { weight: *weight, ..Member::from(*address) };
        let settings = GroupSettings { policy: policy.parse()?, ..GroupSettings::default() };
        Ok(Group::with(name, weights.iter().map(member).collect(), settings))
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
        let GroupSettings { active_max, passive, policy, slow_start, tag_key } = settings;
        let group = Group {
            name: name.to_owned(),
            list: RwLock::default(),
            mark: mark_of(name),
            policy,
            slow_start_ms: milliseconds(slow_start),
            tag_key,
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

    /// A number that follows from its name: nearly always another one for each group of a role.
    pub(crate) fn mark(&self) -> u32 {
        self.mark
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
    /// come first, however the members are shuffled, so that nobody's share suffers; their weights and whether they
    /// are backups may change.
    pub(crate) fn replace<M: Clone + Into<Member>>(&self, members: &[M]) -> Replaced {
        let mut wanted: Vec<Member> = members.iter().cloned().map(Into::into).collect();
        let mut list = self.list_mut();
        let (mut removed, had_none) = (Vec::new(), list.backends.is_empty());
        // One that is given twice is two back ends: each of them uses up one of the two.
        list.backends.retain(|backend| match wanted.iter().position(|member| member.is_at(backend)) {
            Some(index) => {
                backend.reconfigure(&wanted.remove(index));
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
            let copy = list.backends.iter().filter(|backend| member.is_at(backend)).count();
            let backend = Backend::new(member, list.next_number, copy, self.tag_key, self.limit.clone());
            // At the start all are new, and nobody is there who could spare it.
            if self.slow_start_ms > 0 && !had_none {
                backend.warmth.begin();
                list.begin_warming();
            }
            list.backends.push(Arc::new(backend));
            list.next_number += 1;
        }
        drop(list);
        self.availability_changed();
        Replaced { added, removed }
    }

    /// Draws a turn for somebody of whom nothing is known.
    pub fn turn(&self) -> Turn {
        self.turn_for(Key::default())
    }

    /// Draws a turn from the shared counter: once for a connection or request and all its retries.
    pub fn turn_for(&self, key: Key) -> Turn {
        // A client that stays where it is takes no turn: the next one that comes without a cookie has it.
        if self.policy.depends_on() == DependsOn::Cookie && self.is_at_home(key) {
            return Turn::new(self.turns(), key);
        }
        Turn::new(self.turns.fetch_add(1, Ordering::Relaxed), key)
    }

    /// True if the key names a back end that is up.
    fn is_at_home(&self, key: Key) -> bool {
        let named = |tag| self.list().backends.iter().any(|backend| backend.tag == tag && backend.is_up());
        key.tag.is_some_and(named)
    }

    /// The next candidate of a turn, whatever the group's limit.
    ///
    /// `None` if none is left that may be used and is untried: at once on the first call if all are out; or if
    /// the turn is bound and `RETRIES` + 1 have been tried. No back end is named twice in one turn.
    pub fn next(&self, turn: &mut Turn, now: Instant) -> Option<Chosen> {
        let now_ms = || self.milliseconds(now);
        self.candidate(&self.list(), turn, now_ms, None, |backend| self.may_be_used(backend, now))
    }

    /// The next candidate of a turn among those that have room; `now_ms` is 0 if the time is not known.
    ///
    /// `may_be_used` may claim what it grants (a trial), so it is asked only for what the policy has chosen, and one
    /// that it grants is the candidate. If somebody else has claimed it before, the next one in the list is.
    pub(super) fn candidate(
        &self,
        list: &List,
        turn: &mut Turn,
        now_ms: impl Fn() -> u64,
        has_room: Option<&dyn Fn(&Backend) -> bool>,
        may_be_used: impl Fn(&Backend) -> bool,
    ) -> Option<Chosen> {
        if !turn.may_try_again() {
            return None;
        }
        if list.is_warming() {
            self.look_for_warming(list, now_ms());
        }
        let candidates = Candidates::new(list, turn, self.slow_start_ms, now_ms, has_room);
        let choice = self.policy.choose(&candidates);
        let only = if let Choice::WaitFor(number) = choice { Some(number) } else { None };
        let wait = Wait { only, for_backups: candidates.are_backups() };
        let index = match choice {
            // It nearly always is the first itself, and no division is needed to walk there.
            Choice::At(first) if candidates.has(first) && may_be_used(&list.backends[first]) => Some(first),
            Choice::At(first) => candidates.walk(first).find(|index| may_be_used(&list.backends[*index])),
            Choice::WaitFor(_) | Choice::None => None,
        };
        let Some(index) = index else {
            turn.wait = wait;
            return None;
        };
        let backend = &list.backends[index];
        turn.record(backend);
        turn.next_index = Some(index + 1);
        Some(Chosen::new(backend))
    }

    /// To be called after every change of the list, or of who is up.
    pub(super) fn update(&self, list: &mut List) {
        let takes_turns = matches!(self.policy.depends_on(), DependsOn::Turn | DependsOn::Cookie);
        list.update(self.slow_start_ms > 0, takes_turns);
    }

    /// Notes it if no back end is in its slow start any more.
    fn look_for_warming(&self, list: &List, now_ms: u64) {
        let is_warming = |backend: &Arc<Backend>| backend.warmth.share(now_ms, self.slow_start_ms) < WHOLE;
        if !list.backends.iter().any(is_warming) {
            list.end_warming();
        }
    }

    /// How it chooses whose turn it is.
    pub(crate) fn policy(&self) -> Policy {
        self.policy
    }

    /// The part of its share that a back end gets in its slow start, from 0 to 1; 1 outside of it.
    pub(crate) fn warmth(&self, backend: &Backend, now: Instant) -> f64 {
        match self.slow_start_ms {
            0 => 1.0,
            slow_start_ms => {
                let share = backend.warmth.seen(self.milliseconds(now), slow_start_ms);
                f64::from(share) / f64::from(WHOLE)
            }
        }
    }

    /// Turns given out so far.
    pub(crate) fn turns(&self) -> usize {
        self.turns.load(Ordering::Relaxed)
    }

    /// The back end that the next turn will begin with, as things stand; nothing is drawn by asking. `None` also if
    /// that depends on chance, or on who the client is.
    pub(crate) fn next_in_turn(&self, now: Instant) -> Option<Arc<Backend>> {
        if matches!(self.policy.depends_on(), DependsOn::Chance | DependsOn::Client) {
            return None;
        }
        let (list, turn) = (self.list(), Turn::new(self.turns(), Key::default()));
        let candidates = Candidates::new(&list, &turn, self.slow_start_ms, || self.milliseconds(now), None);
        match self.policy.choose(&candidates) {
            Choice::At(index) => list.backends.get(index).cloned(),
            Choice::WaitFor(_) | Choice::None => None,
        }
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

/// The lower half of a hash that is the same on every machine.
fn mark_of(name: &str) -> u32 {
    let mut hasher = SipHasher13::new();
    hasher.write(name.as_bytes());
    hasher.finish() as u32
}
