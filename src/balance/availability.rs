//! When a back end is taken out of the round robin, and when it comes back.
//!
//! Contract: a back end is used while neither of two sources holds it out, and each change between
//! up and out is told once, to one caller, who logs it.
//!
//! Failures that connections report, the passive signs (nginx `max_fails`, `fail_timeout`):
//!
//! ```text
//!          Passive::failures in a row within Passive::window
//!     up ----------------------------------------------------> out for Passive::out
//!     ^                                                         |  ^
//!     |                                                         v  | failure, or no result for that time
//!     +-------- success, passed check, nobody else up -------- on trial by one connection
//! ```
//!
//! They say little: one page whose handler dies, or one scanner, makes every back end fail alike. So
//!
//! - they never take out the last back end that is up (Envoy's panic threshold is such a floor): a page that
//!   fails everywhere would otherwise cost all other pages too. When even the last one has failed so often, or
//!   is lost in another way, failures tell no back end from another any more, and those that only failures
//!   hold out come back at once;
//! - a check that passes outvotes them: it clears them, and brings the back end back. One that failures take
//!   out is checked at once, if it is checked at all.
//!
//! Health checks ([`health`](super::health)): they hold a back end out for as long as they fail, also the last
//! one: with all out a client is answered at once, and the checks notice when a server is back. When they
//! have passed often enough they bring it back whichever source held it out.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::LOG_TARGET;
use super::backend::{Backend, Failures, UP};
use super::group::Group;
use super::limits::{LOCAL_LIMIT_CALM, PASSIVE_FAILURES, PASSIVE_OUT, PASSIVE_WINDOW};
use super::list::List;

/// When failures that connections report take a back end out, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Passive {
    /// So many in a row; 0 for never.
    pub failures: u32,
    /// Within this time.
    pub window: Duration,
    /// The time until one connection may try it again.
    pub out: Duration,
}

impl Default for Passive {
    fn default() -> Passive {
        Passive { failures: PASSIVE_FAILURES, window: PASSIVE_WINDOW, out: PASSIVE_OUT }
    }
}

/// What a failure changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Effect {
    None,
    /// The back end goes out.
    Out,
    /// It has failed so often that it would go out, if another one were up.
    Spared,
}

/// What came of taking a back end out for its failures.
enum Ejection {
    Done,
    /// It is the last one up, or even the only one there is.
    Refused {
        is_alone: bool,
    },
    /// It is the last one up, and those that failures held out are back.
    OthersLifted,
}

impl Group {
    /// Counts a failure of the back end and logs it, and also that the back end goes out if it does.
    pub(crate) fn report_failure(&self, backend: &Backend, failure: &impl fmt::Display, now: Instant) {
        let (group, address) = (&self.name, backend.address);
        log::warn!(target: LOG_TARGET, "{group}: {address} failed: {failure}");
        let effect = self.failed(backend, now);
        let row = match self.passive.failures {
            _ if effect == Effect::None => return,
            1 => "1 failure".to_owned(),
            count => format!("{count} failures in a row"),
        };
        match effect {
            Effect::None => {}
            Effect::Out => {
                let out = self.passive.out.as_secs_f64();
                let check = if self.is_checked() { "by a check that passes, or " } else { "" };
                log::error!(
                    target: LOG_TARGET,
                    "{group}: {address} is out after {row}: back {check}by a connection that tries it after {out} s"
                );
            }
            Effect::Spared => log::warn!(
                target: LOG_TARGET,
                "{group}: {address} stays in use after {row}: no other back end is up"
            ),
        }
    }

    /// Logs that this process is out of descriptors or ports and could not connect to the back end. It is not
    /// counted as a failure: no back end is to blame for it. Told once, and again after [`LOCAL_LIMIT_CALM`] without.
    pub(crate) fn report_local_limit(&self, backend: &Backend, now: Instant) {
        // One value that is set whole.
        let before = self.local_limit_met.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
        if before.is_some_and(|before| now.saturating_duration_since(before) < LOCAL_LIMIT_CALM) {
            return;
        }
        let address = backend.address;
        log::error!(
            target: LOG_TARGET,
            "{}: no descriptor or local port is left to connect to {address}",
            self.name
        );
    }

    /// Clears earlier failures, and logs it if the back end comes back because of this.
    pub(crate) fn report_success(&self, backend: &Backend) {
        if self.succeeded(backend) {
            log::info!(target: LOG_TARGET, "{}: {} is back", self.name, backend.address);
        }
    }

    /// The back end accepted a connection, answered, or passed a check: what failed before does not count any
    /// more. True if this brought it back.
    pub(crate) fn succeeded(&self, backend: &Backend) -> bool {
        if !backend.has_failures.load(Ordering::Relaxed) {
            return false;
        }
        let mut failures = backend.failures();
        backend.clear_failures(&mut failures);
        let was_out = backend.out_until_ms.swap(UP, Ordering::Relaxed) != UP;
        if was_out {
            self.availability_changed();
        }
        was_out && backend.is_up()
    }

    /// The back end refused, timed out, reset or broke the protocol.
    pub(super) fn failed(&self, backend: &Backend, now: Instant) -> Effect {
        let (now_ms, enough) = (self.milliseconds(now), self.passive.failures);
        backend.failures_total.fetch_add(1, Ordering::Relaxed);
        let mut failures = backend.failures();
        backend.has_failures.store(true, Ordering::Relaxed);
        let out_until_ms = backend.out_until_ms.load(Ordering::Relaxed);
        if out_until_ms != UP {
            // Its trial failed, or a connection from before it went out: it stays out, counted from now, unless
            // it was brought back this moment.
            let (until_ms, order) = (self.out_until(now_ms), Ordering::Relaxed);
            let _ = backend.out_until_ms.compare_exchange(out_until_ms, until_ms, order, order);
            return Effect::None;
        }
        if failures.count == 0 || now_ms.saturating_sub(failures.first_ms) > milliseconds(self.passive.window)
        {
            *failures = Failures { count: 0, first_ms: now_ms };
        }
        failures.count = failures.count.saturating_add(1);
        // One that its checks hold out, or that is off the list, gets no new connections anyway.
        let is_in_use = backend.is_up() && !backend.is_removed.load(Ordering::Relaxed);
        if enough == 0 || failures.count < enough || !is_in_use {
            return Effect::None;
        }
        match self.eject(backend, now_ms) {
            Ejection::Done => {
                failures.count = 0;
                self.hasten_check(backend, now);
                Effect::Out
            }
            Ejection::Refused { is_alone } => {
                // Told once a row; and that one which is alone stays goes without saying.
                if failures.count == enough && !is_alone { Effect::Spared } else { Effect::None }
            }
            Ejection::OthersLifted => {
                // All of them have failed as often, and begin anew.
                failures.count = 0;
                Effect::Spared
            }
        }
    }

    /// Takes the back end out, unless it is the last one up. Whether it is, is seen with the list locked, so
    /// that two that fail at the same time do not both go.
    fn eject(&self, backend: &Backend, now_ms: u64) -> Ejection {
        let mut list = self.list_mut();
        let is_last = !list.backends.iter().any(|other| other.number != backend.number && other.is_up());
        if is_last {
            let is_alone = list.backends.len() == 1;
            let lifted = lift_ejections(&list);
            self.update(&mut list);
            drop(list);
            return match self.lifted(&lifted, "the one left fails as well") {
                true => Ejection::OthersLifted,
                false => Ejection::Refused { is_alone },
            };
        }
        backend.out_until_ms.store(self.out_until(now_ms), Ordering::Relaxed);
        backend.ejections.fetch_add(1, Ordering::Relaxed);
        self.update(&mut list);
        drop(list);
        self.serve_queue();
        Ejection::Done
    }

    fn out_until(&self, now_ms: u64) -> u64 {
        now_ms + milliseconds(self.passive.out)
    }

    fn is_checked(&self) -> bool {
        self.checker().is_some()
    }

    /// What failures say is to be confirmed or contradicted at once.
    fn hasten_check(&self, backend: &Backend, now: Instant) {
        let Some(waker) = self.checker().clone() else { return };
        backend.health().iter_mut().for_each(|health| health.hasten(now));
        waker.wake();
    }

    /// Its checks take the back end out, until [`check_passed`](Group::check_passed). True if it was up.
    pub(crate) fn check_failed(&self, backend: &Backend) -> bool {
        let _failures = backend.failures();
        let was_up = backend.is_up();
        backend.is_out_by_checks.store(true, Ordering::Relaxed);
        self.availability_changed();
        was_up
    }

    /// Its checks bring the back end back, whichever source held it out. True if it was out.
    pub(crate) fn check_passed(&self, backend: &Backend) -> bool {
        let mut failures = backend.failures();
        let was_up = backend.is_up();
        backend.clear_failures(&mut failures);
        backend.out_until_ms.store(UP, Ordering::Relaxed);
        backend.is_out_by_checks.store(false, Ordering::Relaxed);
        self.availability_changed();
        !was_up && backend.is_up()
    }

    /// To be called after every change of who is up, with the back end's failures still locked: nobody
    /// else sees the change before the count agrees with it.
    pub(super) fn availability_changed(&self) {
        let mut list = self.list_mut();
        let is_any_up = list.backends.iter().any(|backend| backend.is_up());
        let lifted = if is_any_up { Vec::new() } else { lift_ejections(&list) };
        self.update(&mut list);
        drop(list);
        if !self.lifted(&lifted, "no other one is up") {
            self.serve_queue();
        }
    }

    /// Tells of back ends whose ejection has ended, and lets those who wait for one go on. False if there is none.
    fn lifted(&self, lifted: &[SocketAddr], why: &str) -> bool {
        for address in lifted {
            log::info!(target: LOG_TARGET, "{}: {address} is back: {why}", self.name);
        }
        if !lifted.is_empty() {
            self.serve_queue();
        }
        !lifted.is_empty()
    }

    /// True if the back end is up, or has been out for long enough and this caller gets the trial.
    pub(super) fn may_be_used(&self, backend: &Backend, now: Instant) -> bool {
        if backend.is_held_out() {
            return false;
        }
        let out_until_ms = backend.out_until_ms.load(Ordering::Relaxed);
        if out_until_ms == UP {
            return true;
        }
        let now_ms = self.milliseconds(now);
        // A trial is a lease: if its connection ends without a result, because the
        // client went away, the next trial is possible after that.
        let lease_ms = self.out_until(now_ms);
        now_ms >= out_until_ms
            && backend
                .out_until_ms
                .compare_exchange(out_until_ms, lease_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// `now` in milliseconds since the group's base. What a back end is out until lies [`PASSIVE_OUT`]
    /// behind such a moment, so it is never [`UP`].
    pub(super) fn milliseconds(&self, now: Instant) -> u64 {
        let base = *self.base.get_or_init(|| now);
        milliseconds(now.saturating_duration_since(base))
    }
}

/// Ends the ejections of those back ends that nothing but failures holds out, and says which they are.
fn lift_ejections(list: &List) -> Vec<SocketAddr> {
    let held_by_failures = |backend: &&Arc<Backend>| {
        !backend.is_held_out() && backend.out_until_ms.swap(UP, Ordering::Relaxed) != UP
    };
    list.backends.iter().filter(held_by_failures).map(|backend| backend.address).collect()
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(LONGEST_MS)
}

/// The longest time, in milliseconds: 300 million years. It only serves the type, and leaves room to add to it.
const LONGEST_MS: u64 = u64::MAX / 2;
