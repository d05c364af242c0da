//! The only place that reads the clocks.

use std::time::{Instant, SystemTime};

use crate::protocol::now::Now;

/// One reading of both clocks: once a turn of a loop, or after each call that may have waited.
pub fn now() -> Now {
    Now { instant: Instant::now(), wall: SystemTime::now() }
}
