//! Reading the clocks for the machines, which have none.
//!
//! The drivers get the [`Now`] that they pass to a machine from here, so that the deadlines and the dates of
//! one step come from one reading. Code outside of `protocol/` and `balance/` that measures a duration for
//! itself (the health checks, the lab, the wait for a drain) calls `Instant::now` where it needs it.

use std::time::{Instant, SystemTime};

use crate::protocol::now::Now;

/// Reads both clocks. An event loop calls it once each time it wakes up; a thread that waits in system calls,
/// after each call that may have waited.
pub fn now() -> Now {
    Now { instant: Instant::now(), wall: SystemTime::now() }
}
