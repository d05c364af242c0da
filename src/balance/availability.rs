//! When a back end is taken out of the round robin, and when it comes back.
//!
//! Contract: a back end is used while neither of two sources holds it out, and each change between
//! up and out is told once, to one caller, who logs it.
//!
//! Failures that connections report (nginx `max_fails`, `fail_timeout`):
//!
//! ```text
//!          PASSIVE_FAILURES in a row within PASSIVE_WINDOW
//!     up ------------------------------------------------> out for PASSIVE_OUT
//!     ^                                                     |  ^
//!     |                                                     v  | failure, or no result for PASSIVE_OUT
//!     +-------------------- success ---------------------- on trial by one connection
//! ```
//!
//! Health checks ([`health`](super::health)): they hold a back end out for as long as they fail. When they
//! have passed often enough they bring it back whichever source held it out, so that a back end that
//! works does not have to wait for its trial (HAProxy `on-error mark-down`).
//!
//! Failures never take out the only back end of a group (as in nginx): there is no other one to use
//! instead, and a server that comes back is used at once. Checks do: with all out a client is answered
//! at once, and the checks notice when the server is back.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::LOG_TARGET;
use super::backend::{Backend, Failures, UP};
use super::group::Group;
use super::limits::{PASSIVE_FAILURES, PASSIVE_OUT, PASSIVE_WINDOW};

impl Group {
    /// Counts a failure of the back end and logs it, and also that the back end goes out if it does.
    pub(crate) fn report_failure(&self, backend: &Backend, failure: &impl fmt::Display, now: Instant) {
        let address = backend.address;
        log::warn!(target: LOG_TARGET, "{}: {address} failed: {failure}", self.name);
        if self.failed(backend, now) {
            let seconds = PASSIVE_OUT.as_secs();
            log::error!(target: LOG_TARGET, "{}: {address} is out for {seconds} s", self.name);
        }
    }

    /// Logs that this process is out of descriptors or ports and could not connect to the back end. It is not
    /// counted as a failure: no back end is to blame for it.
    pub(crate) fn report_local_limit(&self, backend: &Backend) {
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

    /// The back end accepted a connection or answered. True if this brought it back.
    pub(super) fn succeeded(&self, backend: &Backend) -> bool {
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

    /// The back end refused, timed out, reset or broke the protocol. True if this took it out.
    pub(super) fn failed(&self, backend: &Backend, now: Instant) -> bool {
        let now_ms = self.milliseconds(now);
        backend.failures_total.fetch_add(1, Ordering::Relaxed);
        let mut failures = backend.failures();
        if failures.count == 0 || now_ms.saturating_sub(failures.first_ms) > milliseconds(PASSIVE_WINDOW) {
            *failures = Failures { count: 0, first_ms: now_ms };
        }
        failures.count = failures.count.saturating_add(1);
        backend.has_failures.store(true, Ordering::Relaxed);

        let out_until_ms = now_ms + milliseconds(PASSIVE_OUT);
        if backend.is_out_by_failures() {
            // Its trial failed, or a connection from before it went out: it stays out, counted from now.
            backend.out_until_ms.store(out_until_ms, Ordering::Relaxed);
            return false;
        }
        if failures.count < PASSIVE_FAILURES || self.list().backends.len() == 1 {
            return false;
        }
        let was_up = backend.is_up();
        backend.out_until_ms.store(out_until_ms, Ordering::Relaxed);
        self.availability_changed();
        was_up
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
        !was_up
    }

    /// To be called after every change of who is up, with the back end's failures still locked: nobody
    /// else sees the change before the count agrees with it.
    fn availability_changed(&self) {
        self.list_mut().update_out_count();
        self.serve_queue();
    }

    /// True if the back end is up, or has been out for long enough and this caller gets the trial.
    pub(super) fn may_be_used(&self, backend: &Backend, now: Instant) -> bool {
        if backend.is_out_by_checks.load(Ordering::Relaxed) {
            return false;
        }
        let out_until_ms = backend.out_until_ms.load(Ordering::Relaxed);
        if out_until_ms == UP {
            return true;
        }
        let now_ms = self.milliseconds(now);
        // A trial is a lease of PASSIVE_OUT: if its connection ends without a result, because the
        // client went away, the next trial is possible after that.
        let lease_ms = now_ms + milliseconds(PASSIVE_OUT);
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

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(LONGEST_MS)
}

/// The longest time, in milliseconds: 300 million years. It only serves the type, and leaves room to add to it.
const LONGEST_MS: u64 = u64::MAX / 2;
