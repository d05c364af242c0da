//! When a back end is checked, and what a row of results says about it.
//!
//! Contract: results of checks go in; the moment of the next check and the change that a result makes
//! come out. `net::checker` does the checking itself. The rules are HAProxy's `check inter fall rise`:
//!
//! ```text
//!            CHECK_FALL checks failed in a row
//!     up ----------------------------------------> out
//!      ^                                            |
//!      +---- CHECK_RISE checks passed in a row -----+
//! ```
//!
//! - A back end counts as up until its checks say otherwise, and the first check alone decides nothing, at the
//!   start neither: a back end that is started together with us may need a moment.
//! - Failures that connections report take a back end out faster than checks. One of those is checked at once
//!   ([`hasten`](Health::hasten)), and a single check that passes brings it back: see `availability`.
//! - The interval varies by [`CHECK_JITTER`], so that a hundred back ends, or a hundred balancers in
//!   front of one, do not go on checking in the same millisecond.

mod probe;

use std::time::{Duration, Instant};

use super::limits::{CHECK_FALL, CHECK_JITTER, CHECK_RISE};
pub(crate) use probe::{Probe, ProbeResult, is_passed};

/// What the checks of one back end have found so far.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    interval: Duration,
    is_up: bool,
    /// Results in a row that contradict `is_up`.
    against: u32,
    due: Instant,
    random: u64,
}

/// What a result changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// The back end goes out.
    Out,
    /// It comes back.
    Back,
}

impl Health {
    /// A back end that is known from `now` on. Its first check is due after an interval: it may have been
    /// started together with us. `seed` is any number, a different one for each back end.
    pub(crate) fn new(interval: Duration, seed: u64, now: Instant) -> Health {
        // Never 0, of which xorshift makes nothing but 0. The factor is 2^64 over the golden ratio: it
        // spreads seeds such as 1, 2, 3 over all bits.
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut health = Health { interval, is_up: true, against: 0, due: now, random };
        health.check_begins(now);
        health
    }

    /// Goes on under a new configuration, whose checks have another interval.
    pub(crate) fn resume(&mut self, interval: Duration, now: Instant) {
        self.interval = interval;
        let due = self.due;
        self.check_begins(now);
        // No later than it was due, however often the configuration is read.
        self.due = self.due.min(due);
    }

    /// The next check is due now.
    pub(crate) fn hasten(&mut self, now: Instant) {
        self.due = self.due.min(now);
    }

    /// When the next check is to begin.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// A check begins: the next one is due an interval later, give or take the jitter.
    pub(crate) fn check_begins(&mut self, now: Instant) {
        self.due = now + self.interval.mul_f64(1.0 + CHECK_JITTER * self.random_unit());
    }

    /// A check has passed.
    pub(crate) fn passed(&mut self) -> Option<Change> {
        match self.is_up {
            true => self.confirmed(),
            false => self.contradicted(CHECK_RISE, Change::Back),
        }
    }

    /// A check has failed.
    pub(crate) fn failed(&mut self) -> Option<Change> {
        match self.is_up {
            true => self.contradicted(CHECK_FALL, Change::Out),
            false => self.confirmed(),
        }
    }

    fn confirmed(&mut self) -> Option<Change> {
        self.against = 0;
        None
    }

    fn contradicted(&mut self, enough: u32, change: Change) -> Option<Change> {
        self.against += 1;
        if self.against < enough {
            return None;
        }
        self.is_up = change == Change::Back;
        self.against = 0;
        Some(change)
    }

    /// A random number from -1 to 1, by xorshift64: it has to differ between back ends and keeps no secret.
    fn random_unit(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

#[cfg(test)]
mod tests;
