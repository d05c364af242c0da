//! Reading the clocks for the machines, which have none.
//!
//! The drivers and the health checks get the [`Now`] that they pass on from here, so that the deadlines and the
//! dates of one step come from one reading. This is not the only file that reads a clock: code that waits for
//! itself (timeouts of a poller, the end of a drain, the lab) calls `Instant::now`, and the log reads the time of
//! day for its lines. Only `protocol/` and `balance/` never read a clock.

use std::time::{Instant, SystemTime};

use crate::protocol::now::Now;

/// Reads both clocks. An event loop calls it once each time it wakes up; a thread that waits in system calls,
/// after each call that may have waited.
pub(crate) fn now() -> Now {
    Now { instant: Instant::now(), wall: SystemTime::now() }
}
