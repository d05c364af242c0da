//! The time, as data: the core is told it and never asks.

use std::time::{Duration, Instant, SystemTime};

/// One reading of both clocks.
///
/// [`instant`](Now::instant) measures deadlines and never goes back; [`wall`](Now::wall) is what a
/// `Date` field and a log line show. `net::clock::now()` is the only place that reads them.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For deadlines and durations.
    pub instant: Instant,
    /// For dates.
    pub wall: SystemTime,
}

impl Now {
    /// Whole seconds since 1970-01-01 00:00 UTC; 0 for a clock set before that.
    pub fn unix_seconds(&self) -> u64 {
        self.wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// The same reading moved on by `duration`: for tests, which have no clock either.
    pub fn after(self, duration: Duration) -> Now {
        Now { instant: self.instant + duration, wall: self.wall + duration }
    }
}
