//! The time as data: a driver reads the clocks and passes the result to the machines, which have no clock.

#[cfg(test)]
use std::time::Duration;
use std::time::{Instant, SystemTime};

/// One reading of both clocks.
///
/// [`instant`](Now::instant) measures deadlines and never goes back; [`wall`](Now::wall) is what a
/// `Date` field shows. Drivers get a reading from `net::clock::now()`.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For deadlines and durations.
    pub instant: Instant,
    /// For dates.
    pub wall: SystemTime,
}

impl Now {
    /// Whole seconds since 1970-01-01 00:00 UTC; 0 for a clock set before that.
    pub(crate) fn unix_seconds(&self) -> u64 {
        self.wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// The same reading, later by `duration`: for tests, which move the time by hand.
    #[cfg(test)]
    pub(crate) fn after(self, duration: Duration) -> Now {
        Now { instant: self.instant + duration, wall: self.wall + duration }
    }
}
