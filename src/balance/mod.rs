//! Round robin over a group of back ends, and who of them is fit for it.
//!
//! Contract: one shared counter gives out turns, so with all back ends up their shares never differ
//! by more than one, however many threads and loops draw. A turn names candidates, not one back
//! end: who cannot use the first asks for the [`next`](Group::next), and no retry touches the
//! counter, for a fallback that draws again skews the round robin. A pick allocates nothing and
//! waits for nobody: the list is only ever held for as long as it takes to look at it or to swap it.
//!
//! A back end is used if neither of two judges took it out. What connections report (nginx
//! `max_fails`, `fail_timeout`):
//!
//! ```text
//!          PASSIVE_FAILURES in a row within PASSIVE_WINDOW
//!     up ------------------------------------------------> out for PASSIVE_OUT
//!     ^                                                     |  ^
//!     |                                                     v  | failure, or no word for PASSIVE_OUT
//!     +-------------------- success ---------------------- on trial by one connection
//! ```
//!
//! And what the checks of [`health`](crate::balance::health) find: they take it out for as long as they fail, and
//! when they have passed often enough they bring it back whoever took it out, so that a back end
//! that works is not kept waiting for its trial (HAProxy `on-error mark-down`).
//!
//! Connections never take out the only back end of a group (nginx does the same): there is nothing
//! to spare it for, and a server that comes back is not kept waiting. Checks do: all out is an
//! answer at once, and the checks see it come back.
//!
//! A group may have a [limit](Group::limited): at most so many with one back end at a time. Who is full is
//! passed over, and who finds all full waits in a `queue`.
//!
//! The list may [change](Group::replace) while connections are open: each holds the back end it was
//! given ([`Chosen`]), in the list or not.

mod backend;
pub mod health;
pub mod idle_pool;
pub mod limits;
mod queue;
pub mod routes;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use crate::balance::limits::{PASSIVE_FAILURES, PASSIVE_OUT, PASSIVE_WINDOW, RETRIES};
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
pub use backend::{Backend, Chosen};
use backend::{Failures, UP};
use queue::Limit;
pub use queue::{Pick, Ticket};

/// Back ends that serve the same requests, and whose turn it is.
#[derive(Debug)]
pub struct Group {
    name: String,
    /// Locked for writing only when the list or somebody's state changes.
    list: RwLock<List>,
    /// Turns drawn so far. On 64 bits it never wraps.
    drawn: AtomicUsize,
    /// What [`Backend::out_until`] counts from: an `Instant` fits no atomic. Set by the first failure.
    base: OnceLock<Instant>,
    /// How many may be with one back end at a time; `None` for any number.
    limit: Option<Arc<Limit>>,
}

/// The back ends as they are now.
#[derive(Debug)]
struct List {
    backends: Vec<Arc<Backend>>,
    /// How many of them are out: 0 keeps the pick short.
    out: usize,
    /// Back ends there have ever been: the number of the next one.
    numbered: u64,
}

/// One connection's or request's place in the round robin: the candidates it has had so far.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The number drawn from the counter.
    drawn: usize,
    /// Where in the ring the next candidate is looked for, once there was a first.
    position: Option<usize>,
    /// The numbers of the candidates: their places in the list may change in the meantime.
    tried: [u64; RETRIES + 1],
    tries: usize,
}

/// What a change of the list came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Replaced {
    /// Back ends that are new.
    pub added: Vec<SocketAddr>,
    /// Back ends that get no more turns; connections they have go on.
    pub removed: Vec<SocketAddr>,
}

impl Turn {
    /// Candidates after the first: what a log line calls retries.
    pub fn retries(&self) -> usize {
        self.tries.saturating_sub(1)
    }

    /// Nobody was tried yet.
    pub fn is_untried(&self) -> bool {
        self.tries == 0
    }

    fn has_tried(&self, backend: &Backend) -> bool {
        self.tried[..self.tries].contains(&backend.number)
    }

    fn took(&mut self, backend: &Backend) {
        // Only those who may try one more are given one.
        if let Some(place) = self.tried.get_mut(self.tries) {
            *place = backend.number;
            self.tries += 1;
        }
    }

    /// True if there is one left that is fit and that was not tried.
    fn may_use_one_of(&self, list: &List, is_fit: impl Fn(&Backend) -> bool) -> bool {
        self.tries <= RETRIES
            && list.backends.iter().any(|backend| !self.has_tried(backend) && is_fit(backend))
    }
}

impl Group {
    /// A group with all its back ends up. An empty one never has a candidate.
    pub fn new(name: &str, addresses: Vec<SocketAddr>) -> Group {
        Group::limited(name, addresses, 0)
    }

    /// A group of which each back end has at most so many connections or requests at a time; 0 is no limit.
    pub fn limited(name: &str, addresses: Vec<SocketAddr>, most: usize) -> Group {
        let group = Group {
            name: name.to_owned(),
            list: RwLock::new(List { backends: Vec::new(), out: 0, numbered: 0 }),
            drawn: AtomicUsize::new(0),
            base: OnceLock::new(),
            limit: (most > 0).then(|| Arc::new(Limit::new(most))),
        };
        group.replace(&addresses);
        group
    }

    /// What logs and the status page call this group.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The back ends as they are now: for checks, the status page and tests.
    pub fn backends(&self) -> Vec<Arc<Backend>> {
        self.list().backends.clone()
    }

    /// Makes these the back ends. Those that were there already stay as they are, in their order and
    /// in front, however the addresses are shuffled: then nobody's share suffers from it.
    pub fn replace(&self, addresses: &[SocketAddr]) -> Replaced {
        let mut wanted = addresses.to_vec();
        let mut list = self.list_to_change();
        let mut removed = Vec::new();
        // An address that is given twice is two back ends: each one takes its own away.
        list.backends.retain(|backend| match wanted.iter().position(|address| *address == backend.address) {
            Some(place) => {
                wanted.remove(place);
                true
            }
            None => {
                backend.is_gone.store(true, Ordering::Relaxed);
                removed.push(backend.address);
                false
            }
        });
        for address in &wanted {
            let backend = Backend::new(*address, list.numbered, self.limit.clone());
            list.backends.push(Arc::new(backend));
            list.numbered += 1;
        }
        list.count_out();
        drop(list);
        self.call_waiting();
        Replaced { added: wanted, removed }
    }

    /// Draws a turn from the shared counter, once for a connection or request and all its retries.
    pub fn turn(&self) -> Turn {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        Turn { drawn, position: None, tried: [0; RETRIES + 1], tries: 0 }
    }

    /// The next candidate to try.
    ///
    /// `None` if [`RETRIES`] + 1 have been tried, or if none is left that is up and untried: at once
    /// on the first call if all are out. No back end is named twice in one turn.
    pub fn next(&self, turn: &mut Turn, now: &Now) -> Option<Chosen> {
        let list = self.list();
        turn.position.get_or_insert_with(|| list.place_of_turn(turn.drawn, || self.milliseconds(now)));
        list.candidate(turn, |backend| self.may_be_used(backend, now))
    }

    /// The back end accepted a connection or answered. True if this put it back: worth a log line.
    pub fn succeeded(&self, backend: &Backend) -> bool {
        if !backend.failing.load(Ordering::Relaxed) {
            return false;
        }
        let mut failures = backend.failures();
        backend.forgive(&mut failures);
        let was_out = backend.out_until.swap(UP, Ordering::Relaxed) != UP;
        if was_out {
            self.count_out();
        }
        was_out && backend.is_up()
    }

    /// The back end refused, timed out, reset or talked nonsense. True if this took it out, which
    /// is told once: log on that, not on each failure.
    pub fn failed(&self, backend: &Backend, now: &Now) -> bool {
        let moment = self.milliseconds(now);
        backend.failed.fetch_add(1, Ordering::Relaxed);
        let mut failures = backend.failures();
        if failures.count == 0 || moment.saturating_sub(failures.since) > milliseconds(PASSIVE_WINDOW) {
            *failures = Failures { count: 0, since: moment };
        }
        failures.count = failures.count.saturating_add(1);
        backend.failing.store(true, Ordering::Relaxed);

        let out_until = moment + milliseconds(PASSIVE_OUT);
        if backend.out_until.load(Ordering::Relaxed) != UP {
            // The trial failed, or a connection from before: it stays out, from now on.
            backend.out_until.store(out_until, Ordering::Relaxed);
            return false;
        }
        if failures.count < PASSIVE_FAILURES || self.list().backends.len() == 1 {
            return false;
        }
        let was_up = backend.is_up();
        backend.out_until.store(out_until, Ordering::Relaxed);
        self.count_out();
        was_up
    }

    /// Its checks take the back end out, until [`check_passed`](Group::check_passed). True if it was up.
    pub fn check_failed(&self, backend: &Backend) -> bool {
        let _failures = backend.failures();
        let was_up = backend.is_up();
        backend.down.store(true, Ordering::Relaxed);
        self.count_out();
        was_up
    }

    /// Its checks bring the back end back, whoever took it out. True if it was out.
    pub fn check_passed(&self, backend: &Backend) -> bool {
        let mut failures = backend.failures();
        let was_up = backend.is_up();
        backend.forgive(&mut failures);
        backend.out_until.store(UP, Ordering::Relaxed);
        backend.down.store(false, Ordering::Relaxed);
        self.count_out();
        !was_up
    }

    /// After every change of who is up, before anybody else hears of it.
    fn count_out(&self) {
        self.list_to_change().count_out();
        self.call_waiting();
    }

    /// True if the back end is up, or out for long enough and this caller is the one who gets the trial.
    fn may_be_used(&self, backend: &Backend, now: &Now) -> bool {
        if backend.down.load(Ordering::Relaxed) {
            return false;
        }
        let out_until = backend.out_until.load(Ordering::Relaxed);
        if out_until == UP {
            return true;
        }
        let moment = self.milliseconds(now);
        // A trial is a lease of PASSIVE_OUT: if its connection ends without a verdict, because the
        // client went away, the next one gets its trial after that.
        let lease = moment + milliseconds(PASSIVE_OUT);
        moment >= out_until
            && backend
                .out_until
                .compare_exchange(out_until, lease, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// `now` in milliseconds since the group's base; never [`UP`].
    fn milliseconds(&self, now: &Now) -> u64 {
        let base = *self.base.get_or_init(|| now.instant);
        milliseconds(now.instant.saturating_duration_since(base)) + 1
    }

    // A list is never left half changed: what a panic elsewhere leaves is whole.
    fn list(&self) -> RwLockReadGuard<'_, List> {
        self.list.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn list_to_change(&self) -> RwLockWriteGuard<'_, List> {
        self.list.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a failure and tells the log of it, and of the back end going out because of it. A
    /// limit of ours ([`How::Limited`]) is told and not counted: no back end is to blame for it.
    pub fn report_failure(&self, backend: &Backend, how: How, phase: Phase, now: &Now) {
        let address = backend.address;
        if how == How::Limited {
            log::error!("{}: no descriptor or local port is left to connect to {address}", self.name);
            return;
        }
        log::warn!("{}: {address} failed: {}", self.name, Outcome::new(Who::Backend, how, phase));
        if self.failed(backend, now) {
            log::error!("{}: {address} is out for {} s", self.name, PASSIVE_OUT.as_secs());
        }
    }

    /// Wipes out earlier failures, and tells the log if the back end comes back because of it.
    pub fn report_success(&self, backend: &Backend) {
        if self.succeeded(backend) {
            log::info!("{}: {} is back", self.name, backend.address);
        }
    }
}

impl List {
    /// Where turn `drawn` begins to look. It goes over the live list: while one of five is out, the
    /// other four get a quarter each, instead of the successor of the missing one getting two fifths.
    fn place_of_turn(&self, drawn: usize, moment: impl Fn() -> u64) -> usize {
        if self.out == 0 {
            return drawn % self.backends.len().max(1);
        }
        let moment = moment();
        let live = || (0..self.backends.len()).filter(|index| self.backends[*index].is_open(moment));
        // Between the two passes another thread may take a trial; then the walk in `next` starts
        // at the first back end instead, which is one turn out of place and nothing worse.
        match live().count() {
            0 => 0,
            count => live().nth(drawn % count).unwrap_or(0),
        }
    }

    /// The first one of the ring, from where the turn stands, that it has not tried and that may be used.
    fn candidate(&self, turn: &mut Turn, may_be_used: impl Fn(&Backend) -> bool) -> Option<Chosen> {
        if turn.tries > RETRIES {
            return None;
        }
        let (count, start) = (self.backends.len(), turn.position.unwrap_or(turn.drawn));
        let index = (0..count).map(|step| (start + step) % count).find(|index| {
            let backend = &self.backends[*index];
            !turn.has_tried(backend) && may_be_used(backend)
        })?;
        let backend = &self.backends[index];
        turn.took(backend);
        turn.position = Some(index + 1);
        Some(Chosen::new(backend))
    }

    /// After every change: counting anew cannot drift from what is there.
    fn count_out(&mut self) {
        self.out = self.backends.iter().filter(|backend| !backend.is_up()).count();
    }
}

fn milliseconds(duration: Duration) -> u64 {
    // A group would have to run for 500 million years.
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::SystemTime;

    fn start() -> Now {
        Now { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH }
    }

    fn group(count: u16) -> Group {
        Group::new("test", (0..count).map(|port| SocketAddr::from(([127, 0, 0, 1], 9001 + port))).collect())
    }

    fn nth(group: &Group, index: usize) -> Arc<Backend> {
        Arc::clone(&group.backends()[index])
    }

    fn take_out(group: &Group, index: usize, now: &Now) {
        for round in 1..=PASSIVE_FAILURES {
            assert_eq!(group.failed(&nth(group, index), now), round == PASSIVE_FAILURES);
        }
    }

    fn place(group: &Group, chosen: &Chosen) -> usize {
        group.backends().iter().position(|backend| Arc::ptr_eq(backend, &chosen.0)).unwrap()
    }

    fn candidates(group: &Group, now: &Now) -> Vec<usize> {
        let mut turn = group.turn();
        std::iter::from_fn(|| group.next(&mut turn, now)).map(|chosen| place(group, &chosen)).collect()
    }

    fn first(group: &Group, now: &Now) -> Option<usize> {
        group.next(&mut group.turn(), now).map(|chosen| place(group, &chosen))
    }

    fn port(last: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], last))
    }

    #[test]
    fn each_gets_its_turn_and_retries_walk_on_without_a_turn_of_their_own() {
        let (group, now) = (group(5), start());
        assert_eq!(candidates(&group, &now), [0, 1, 2, 3]);
        assert_eq!(candidates(&group, &now), [1, 2, 3, 4]);
        assert_eq!(candidates(&group, &now), [2, 3, 4, 0]);
    }

    #[test]
    fn no_back_end_is_tried_twice_in_one_turn() {
        let (group, now) = (group(2), start());
        assert_eq!(candidates(&group, &now), [0, 1]);
        assert_eq!(candidates(&self::group(0), &now), [0; 0]);
    }

    #[test]
    fn shares_never_differ_by_more_than_one_under_contention() {
        let (group, now) = (group(5), start());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10_001 {
                        let chosen = group.next(&mut group.turn(), &now).expect("all are up");
                        group.succeeded(&chosen);
                    }
                });
            }
        });
        let served: Vec<u64> = group.backends().iter().map(|backend| backend.served()).collect();
        let (least, most) = (served.iter().min().unwrap(), served.iter().max().unwrap());
        assert!(most - least <= 1, "{served:?}");
        assert_eq!(served.iter().sum::<u64>(), 8 * 10_001);
    }

    #[test]
    fn a_back_end_that_is_out_leaves_even_shares_to_the_others() {
        let (group, now) = (group(5), start());
        take_out(&group, 2, &now);
        let mut shares = [0; 5];
        for _ in 0..400 {
            shares[first(&group, &now).unwrap()] += 1;
        }
        assert_eq!(shares, [100, 100, 0, 100, 100]);
    }

    #[test]
    fn all_out_is_none_at_once() {
        let (group, now) = (group(3), start());
        (0..3).for_each(|index| take_out(&group, index, &now));
        assert_eq!(first(&group, &now), None);
        assert_eq!(first(&group, &now.after(PASSIVE_OUT - Duration::from_millis(1))), None);
    }

    #[test]
    fn failures_that_are_rare_or_not_in_a_row_do_not_count() {
        let (group, mut now) = (group(2), start());
        for _ in 0..10 {
            now = now.after(PASSIVE_WINDOW / 2 + Duration::from_millis(1));
            assert!(!group.failed(&nth(&group, 0), &now));
        }
        for _ in 0..10 {
            assert!(!group.failed(&nth(&group, 1), &now));
            assert!(!group.failed(&nth(&group, 1), &now));
            assert!(!group.succeeded(&nth(&group, 1)));
        }
        assert!(group.backends().iter().all(|backend| backend.is_up()));
    }

    #[test]
    fn one_trial_at_a_time_and_success_puts_it_back_at_once() {
        let (group, now) = (group(2), start());
        take_out(&group, 0, &now);
        assert_eq!(candidates(&group, &now), [1]);
        let later = now.after(PASSIVE_OUT);
        let on_trial = (0..10).filter(|_| candidates(&group, &later).contains(&0)).count();
        assert_eq!(on_trial, 1);
        assert!(!group.failed(&nth(&group, 0), &later), "it was out already");
        assert_eq!(candidates(&group, &later), [1]);
        let later = later.after(PASSIVE_OUT);
        assert!(candidates(&group, &later).contains(&0));
        assert!(group.succeeded(&nth(&group, 0)));
        assert!(!group.succeeded(&nth(&group, 0)));
        assert!(group.backends()[0].is_up());
        assert_eq!(candidates(&group, &later).len(), 2);
        assert_eq!(candidates(&group, &later).len(), 2);
    }

    #[test]
    fn a_trial_without_a_verdict_is_given_to_another() {
        let (group, now) = (group(2), start());
        take_out(&group, 0, &now);
        let later = now.after(PASSIVE_OUT);
        let taken = |at: &Now| (0..4).filter(|_| candidates(&group, at).contains(&0)).count();
        assert_eq!(taken(&later), 1);
        assert_eq!(taken(&later), 0);
        assert_eq!(taken(&later.after(PASSIVE_OUT)), 1);
    }

    #[test]
    fn the_only_back_end_is_never_taken_out() {
        let (group, now) = (group(1), start());
        assert!((0..10).all(|_| !group.failed(&nth(&group, 0), &now)));
        assert_eq!(candidates(&group, &now), [0]);
    }

    #[test]
    fn one_of_many_threads_is_told_that_it_went_out() {
        let (group, now) = (group(2), start());
        let told = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        told.fetch_add(usize::from(group.failed(&nth(&group, 0), &now)), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(told.into_inner(), 1);
        assert_eq!(group.list().out, 1);
        assert!(group.succeeded(&nth(&group, 0)));
        assert_eq!(group.list().out, 0);
    }

    #[test]
    fn checks_take_out_even_the_only_one_and_all_out_is_none_at_once() {
        let (group, now) = (group(1), start());
        let only = nth(&group, 0);
        assert!(group.check_failed(&only));
        assert!(!group.check_failed(&only), "told once");
        assert_eq!(first(&group, &now.after(10 * PASSIVE_OUT)), None, "no trial: the checks will see it");
        assert!(group.check_passed(&only));
        assert!(!group.check_passed(&only), "told once");
        assert_eq!(first(&group, &now), Some(0));
    }

    #[test]
    fn checks_bring_back_what_connections_took_out() {
        let (group, now) = (group(2), start());
        take_out(&group, 0, &now);
        let first = nth(&group, 0);
        assert!(first.is_out_by_failures());
        assert!(!group.check_failed(&first), "it was out already");
        assert!(!group.succeeded(&first), "a success says nothing against its checks");
        assert_eq!(candidates(&group, &now), [1]);
        assert!(group.check_passed(&first));
        assert_eq!(candidates(&group, &now).len(), 2);
        // And old failures do not count any more.
        assert!(!group.failed(&first, &now) && !group.failed(&first, &now));
        assert!(group.failed(&first, &now));
    }

    #[test]
    fn a_back_end_out_by_its_checks_is_not_told_out_again() {
        let (group, now) = (group(2), start());
        let first = nth(&group, 0);
        assert!(group.check_failed(&first));
        assert!((0..10).all(|_| !group.failed(&first, &now)));
        assert_eq!(group.list().out, 1);
        assert!(group.check_passed(&first));
        assert_eq!(group.list().out, 0);
    }

    #[test]
    fn a_changed_list_keeps_who_stays_and_lets_go_of_nobody_in_use() {
        let (group, now) = (group(3), start());
        let mut turn = group.turn();
        let held = group.next(&mut turn, &now).unwrap();
        assert_eq!((held.address, held.active()), (port(9001), 1));
        take_out(&group, 1, &now);
        let replaced = group.replace(&[port(9009), port(9003), port(9002)]);
        assert_eq!(replaced, Replaced { added: vec![port(9009)], removed: vec![port(9001)] });
        let ports: Vec<u16> = group.backends().iter().map(|backend| backend.address.port()).collect();
        assert_eq!(ports, [9002, 9003, 9009], "in the old order, then the new one");
        assert!(!nth(&group, 0).is_up(), "its health is its own");
        assert_eq!(group.list().out, 1);
        // The turn from before goes on over the new list; what it holds stays.
        assert_eq!(group.next(&mut turn, &now).unwrap().address.port(), 9003);
        assert_eq!(held.address, port(9001));
        assert!(!group.failed(&held, &now));
        assert_eq!(group.replace(&[port(9002), port(9009), port(9003)]), Replaced::default());
    }

    #[test]
    fn an_address_given_twice_gets_two_turns() {
        let (group, now) = (Group::new("test", vec![port(1), port(1), port(2)]), start());
        assert_eq!(group.replace(&[port(2), port(1), port(1)]), Replaced::default());
        assert_eq!(candidates(&group, &now), [0, 1, 2]);
        assert_eq!(group.replace(&[port(2), port(1)]).removed, [port(1)]);
    }

    #[test]
    fn who_is_chosen_is_active_until_it_is_let_go() {
        let (group, now) = (group(1), start());
        let chosen = group.next(&mut group.turn(), &now).unwrap();
        assert_eq!((nth(&group, 0).active(), nth(&group, 0).served()), (1, 1));
        drop(chosen);
        assert_eq!((nth(&group, 0).active(), nth(&group, 0).served()), (0, 1));
    }

    proptest! {
        #[test]
        fn shares_are_even_after_a_change_of_the_list(
            before in 1u16..9, after in 1u16..9, first_turns in 0usize..50, turns in 0usize..200,
        ) {
            let (group, now) = (group(before), start());
            (0..first_turns).for_each(|_| _ = first(&group, &now));
            group.replace(&(0..after).rev().map(|offset| port(9001 + 2 * offset)).collect::<Vec<_>>());
            let mut shares = vec![0usize; usize::from(after)];
            (0..turns).for_each(|_| shares[first(&group, &now).unwrap()] += 1);
            prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1, "{:?}", shares);
        }

        #[test]
        fn shares_never_differ_by_more_than_one(count in 1u16..9, turns in 0usize..200, retries in 0usize..3) {
            let (group, now) = (group(count), start());
            let mut shares = vec![0usize; usize::from(count)];
            for _ in 0..turns {
                let mut turn = group.turn();
                shares[place(&group, &group.next(&mut turn, &now).unwrap())] += 1;
                for _ in 0..retries {
                    group.next(&mut turn, &now);
                }
            }
            prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }

        #[test]
        fn a_turn_names_live_back_ends_only_and_each_once(
            count in 2u16..9, out in proptest::collection::vec(any::<bool>(), 8), skip in 0usize..20,
        ) {
            let (group, now) = (group(count), start());
            let live = (0..usize::from(count)).filter(|index| !out[*index]).count();
            (0..usize::from(count)).filter(|index| out[*index]).for_each(|index| take_out(&group, index, &now));
            (0..skip).for_each(|_| _ = group.turn());
            let mut found = candidates(&group, &now);
            prop_assert_eq!(found.len(), live.min(RETRIES + 1));
            prop_assert!(found.iter().all(|index| !out[*index]));
            found.sort_unstable();
            found.dedup();
            prop_assert_eq!(found.len(), live.min(RETRIES + 1));
        }
    }
}
