//! Round robin over a group of back ends, with passive health.
//!
//! Contract: one shared counter gives out turns, so with all back ends up their shares never differ
//! by more than one, however many threads and loops draw. A turn names candidates, not one back
//! end: who cannot use the first asks for the [`next`](Group::next), and no retry touches the
//! counter, for a fallback that draws again skews the round robin. With all back ends up a pick is
//! one `fetch_add` and a few loads; only a failure, and the first success after one, takes a lock.
//!
//! Health is judged by what connections report (nginx `max_fails`, `fail_timeout`):
//!
//! ```text
//!          PASSIVE_FAILURES in a row within PASSIVE_WINDOW
//!     up ------------------------------------------------> out for PASSIVE_OUT
//!     ^                                                     |  ^
//!     |                                                     v  | failure, or no word for PASSIVE_OUT
//!     +-------------------- success ---------------------- on trial by one connection
//! ```
//!
//! The only back end of a group is never taken out (nginx does the same): there is nothing to spare
//! it for, and a server that comes back is not kept waiting.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::defaults::{PASSIVE_FAILURES, PASSIVE_OUT, PASSIVE_WINDOW, RETRIES};
use crate::ending::{Ending, How, Phase, Who};
use crate::now::Now;

/// The value of [`Backend::out_until`] of a back end that is up.
const UP: u64 = 0;

/// Back ends that serve the same requests, and whose turn it is.
#[derive(Debug)]
pub struct Group {
    name: String,
    backends: Vec<Backend>,
    /// Turns drawn so far. On 64 bits it never wraps.
    drawn: AtomicUsize,
    /// How many back ends are out: 0 keeps the pick short.
    out: AtomicUsize,
    /// What [`Backend::out_until`] counts from: an `Instant` fits no atomic. Set by the first failure.
    base: OnceLock<Instant>,
}

/// One server behind us: its address, its counters and its health.
#[derive(Debug)]
pub struct Backend {
    /// Where it listens.
    pub address: SocketAddr,
    served: AtomicU64,
    active: AtomicUsize,
    failed: AtomicU64,
    /// [`UP`], or when one connection may try it again, in milliseconds since the group's base.
    out_until: AtomicU64,
    /// True if there is a failure that a success has to wipe out: spares each success the lock.
    failing: AtomicBool,
    /// Held for every change between up and out, so that each is told once.
    failures: Mutex<Failures>,
}

/// The failures in a row of one back end.
#[derive(Debug, Default)]
struct Failures {
    count: u32,
    /// When the first of them was, in milliseconds since the group's base.
    since: u64,
}

/// One connection's or request's place in the round robin: the candidates it has had so far.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Where in the ring the next candidate is looked for.
    position: usize,
    tried: [usize; RETRIES + 1],
    tries: usize,
}

impl Turn {
    /// Candidates after the first: what a log line calls retries.
    pub fn retries(&self) -> usize {
        self.tries.saturating_sub(1)
    }
}

impl Group {
    /// A group with all its back ends up. An empty one never has a candidate.
    pub fn new(name: &str, addresses: Vec<SocketAddr>) -> Group {
        Group {
            name: name.to_owned(),
            backends: addresses.into_iter().map(Backend::new).collect(),
            drawn: AtomicUsize::new(0),
            out: AtomicUsize::new(0),
            base: OnceLock::new(),
        }
    }

    /// What logs and the status page call this group.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The back ends, in the order they were given.
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// Draws a turn from the shared counter, once for a connection or request and all its retries.
    ///
    /// The turn goes over the live list: while one of five is out, the other four get a quarter
    /// each, instead of the successor of the missing one getting two fifths.
    pub fn turn(&self, now: &Now) -> Turn {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let position = match self.out.load(Ordering::Relaxed) {
            0 => number % self.backends.len().max(1),
            _ => self.live_position(number, self.milliseconds(now)),
        };
        Turn { position, tried: [0; RETRIES + 1], tries: 0 }
    }

    /// The next candidate to try, as an index into [`backends`](Group::backends).
    ///
    /// `None` if [`RETRIES`] + 1 have been tried, or if none is left that is up and untried: at once
    /// on the first call if all are out. No back end is named twice in one turn.
    pub fn next(&self, turn: &mut Turn, now: &Now) -> Option<usize> {
        let place = turn.tries;
        if place > RETRIES {
            return None;
        }
        let count = self.backends.len();
        let index = (0..count)
            .map(|step| (turn.position + step) % count)
            .find(|index| !turn.tried[..place].contains(index) && self.may_be_used(*index, now))?;
        turn.tried[place] = index;
        turn.tries += 1;
        turn.position = index + 1;
        Some(index)
    }

    /// The back end accepted a connection or answered. True if this put it back: worth a log line.
    pub fn succeeded(&self, index: usize) -> bool {
        let backend = &self.backends[index];
        if !backend.failing.load(Ordering::Relaxed) {
            return false;
        }
        let mut failures = backend.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.count = 0;
        backend.failing.store(false, Ordering::Relaxed);
        let was_out = backend.out_until.swap(UP, Ordering::Relaxed) != UP;
        if was_out {
            self.out.fetch_sub(1, Ordering::Relaxed);
        }
        was_out
    }

    /// The back end refused, timed out, reset or talked nonsense. True if this took it out, which
    /// is told once: log on that, not on each failure.
    pub fn failed(&self, index: usize, now: &Now) -> bool {
        let backend = &self.backends[index];
        let moment = self.milliseconds(now);
        backend.failed.fetch_add(1, Ordering::Relaxed);
        let mut failures = backend.failures.lock().unwrap_or_else(PoisonError::into_inner);
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
        if failures.count < PASSIVE_FAILURES || self.backends.len() == 1 {
            return false;
        }
        backend.out_until.store(out_until, Ordering::Relaxed);
        self.out.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// The back end whose turn `number` is among those that may be used at `moment`.
    fn live_position(&self, number: usize, moment: u64) -> usize {
        let live = || (0..self.backends.len()).filter(|index| self.backends[*index].is_open(moment));
        // Between the two passes another thread may change the list; then the walk in `next` starts
        // at the first back end instead, which is one turn out of place and nothing worse.
        match live().count() {
            0 => 0,
            count => live().nth(number % count).unwrap_or(0),
        }
    }

    /// True if the back end is up, or out for long enough and this caller is the one who gets the trial.
    fn may_be_used(&self, index: usize, now: &Now) -> bool {
        let backend = &self.backends[index];
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

    /// Counts a failure and tells the log of it, and of the back end going out because of it. A
    /// limit of ours ([`How::Limited`]) is told and not counted: no back end is to blame for it.
    pub fn report_failure(&self, index: usize, how: How, phase: Phase, now: &Now) {
        let address = self.backends[index].address;
        if how == How::Limited {
            log::error!("{}: no descriptor or local port is left to connect to {address}", self.name);
            return;
        }
        log::warn!("{}: {address} failed: {}", self.name, Ending::new(Who::Backend, how, phase));
        if self.failed(index, now) {
            log::error!("{}: {address} is out for {} s", self.name, PASSIVE_OUT.as_secs());
        }
    }

    /// Wipes out earlier failures, and tells the log if the back end comes back because of it.
    pub fn report_success(&self, index: usize) {
        if self.succeeded(index) {
            log::info!("{}: {} is back", self.name, self.backends[index].address);
        }
    }
}

impl Backend {
    fn new(address: SocketAddr) -> Backend {
        Backend {
            address,
            served: AtomicU64::new(0),
            active: AtomicUsize::new(0),
            failed: AtomicU64::new(0),
            out_until: AtomicU64::new(UP),
            failing: AtomicBool::new(false),
            failures: Mutex::default(),
        }
    }

    /// A connection or request has been given to this back end. Follow it with one [`ended`](Backend::ended).
    pub fn began(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
        self.active.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection or request that [`began`](Backend::began) is over, well or not.
    pub fn ended(&self) {
        self.active.fetch_sub(1, Ordering::Relaxed);
    }

    /// Connections or requests given to it since the start.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Connections or requests it is busy with.
    pub fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Failures reported since the start.
    pub fn failures(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// False while it is out or on trial.
    pub fn is_up(&self) -> bool {
        self.out_until.load(Ordering::Relaxed) == UP
    }

    /// True if it is up or due for a trial.
    fn is_open(&self, moment: u64) -> bool {
        moment >= self.out_until.load(Ordering::Relaxed)
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

    fn take_out(group: &Group, index: usize, now: &Now) {
        for round in 1..=PASSIVE_FAILURES {
            assert_eq!(group.failed(index, now), round == PASSIVE_FAILURES);
        }
    }

    fn candidates(group: &Group, now: &Now) -> Vec<usize> {
        let mut turn = group.turn(now);
        std::iter::from_fn(|| group.next(&mut turn, now)).collect()
    }

    fn first(group: &Group, now: &Now) -> Option<usize> {
        group.next(&mut group.turn(now), now)
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
                        let index = first(&group, &now).expect("all are up");
                        group.backends()[index].began();
                        group.succeeded(index);
                    }
                });
            }
        });
        let served: Vec<u64> = group.backends().iter().map(Backend::served).collect();
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
            assert!(!group.failed(0, &now));
        }
        for _ in 0..10 {
            assert!(!group.failed(1, &now));
            assert!(!group.failed(1, &now));
            assert!(!group.succeeded(1));
        }
        assert!(group.backends().iter().all(Backend::is_up));
    }

    #[test]
    fn one_trial_at_a_time_and_success_puts_it_back_at_once() {
        let (group, now) = (group(2), start());
        take_out(&group, 0, &now);
        assert_eq!(candidates(&group, &now), [1]);
        let later = now.after(PASSIVE_OUT);
        let on_trial = (0..10).filter(|_| candidates(&group, &later).contains(&0)).count();
        assert_eq!(on_trial, 1);
        assert!(!group.failed(0, &later), "it was out already");
        assert_eq!(candidates(&group, &later), [1]);
        let later = later.after(PASSIVE_OUT);
        assert!(candidates(&group, &later).contains(&0));
        assert!(group.succeeded(0));
        assert!(!group.succeeded(0));
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
        assert!((0..10).all(|_| !group.failed(0, &now)));
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
                        told.fetch_add(usize::from(group.failed(0, &now)), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(told.into_inner(), 1);
        assert_eq!(group.out.load(Ordering::Relaxed), 1);
        assert!(group.succeeded(0));
        assert_eq!(group.out.load(Ordering::Relaxed), 0);
    }

    proptest! {
        #[test]
        fn shares_never_differ_by_more_than_one(count in 1u16..9, turns in 0usize..200, retries in 0usize..3) {
            let (group, now) = (group(count), start());
            let mut shares = vec![0usize; usize::from(count)];
            for _ in 0..turns {
                let mut turn = group.turn(&now);
                shares[group.next(&mut turn, &now).unwrap()] += 1;
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
            (0..skip).for_each(|_| _ = group.turn(&now));
            let mut found = candidates(&group, &now);
            prop_assert_eq!(found.len(), live.min(RETRIES + 1));
            prop_assert!(found.iter().all(|index| !out[*index]));
            found.sort_unstable();
            found.dedup();
            prop_assert_eq!(found.len(), live.min(RETRIES + 1));
        }
    }
}
