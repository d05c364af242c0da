//! Reading the clocks for the machines, which have none.
//!
//! The drivers and the health checks get the [`Now`] that they pass on from here, so that the deadlines and the
//! dates of one step come from one reading. This is not the only file that reads a clock: code that waits for
//! itself (timeouts of a poller, the end of a drain, the lab) calls `Instant::now`, and the log reads the time of
//! day for its lines. Only `protocol/` and `balance/` never read a clock.

#[cfg(target_os = "linux")]
use std::time::{Duration, UNIX_EPOCH};
use std::time::{Instant, SystemTime};

#[cfg(target_os = "linux")]
use rustix::time::{ClockId, clock_gettime};

use crate::protocol::now::Now;

/// Reads both clocks. An event loop calls it once each time it wakes up; a thread that waits in system calls,
/// after each call that may have waited.
pub(crate) fn now() -> Now {
    Now { instant: Instant::now(), wall: wall() }
}

/// The time of day as of the kernel's last tick, which is a few milliseconds ago. Dates show seconds, and the exact time
/// costs three times as much.
#[cfg(target_os = "linux")]
fn wall() -> SystemTime {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    // A clock set before 1970 shows 1970, as everywhere in here.
    let since = |seconds| Duration::new(seconds, now.tv_nsec.unsigned_abs() as u32);
    u64::try_from(now.tv_sec).map_or(UNIX_EPOCH, |seconds| UNIX_EPOCH + since(seconds))
}

#[cfg(not(target_os = "linux"))]
fn wall() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_time_of_day_is_that_of_the_system_but_for_a_tick() {
        let (before, wall) = (SystemTime::now(), now().wall);
        // The slowest kernels tick a hundred times a second.
        assert!(
            wall <= SystemTime::now() && wall >= before - Duration::from_millis(20),
            "{before:?} {wall:?}"
        );
    }
}
