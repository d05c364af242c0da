//! Time stamps in local time.
//!
//! Contract: date and time are worked out once a second in each thread, since that costs more than all
//! the rest of a line; between two seconds only the milliseconds change. The time zone is read from a
//! file: the writer's thread does that, and never a thread that serves connections.

use std::cell::RefCell;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{FixedOffset, Local, TimeZone};

use super::line::push_three_digits;

/// Seconds that local time is ahead of UTC.
static AHEAD: AtomicI32 = AtomicI32::new(0);

/// Looks up the distance to UTC again: summer time may have begun.
pub(super) fn look_up_zone() {
    AHEAD.store(Local::now().offset().local_minus_utc(), Ordering::Relaxed);
}

/// A moment in time, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stamp(u64);

/// This moment.
pub(super) fn now() -> Stamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Stamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl Stamp {
    /// For people: `2026-11-22 20:31:13.123`.
    pub(super) fn plain(self, out: &mut String) {
        self.cached(|cache| self.push(out, [&cache.date, " ", &cache.time], ""));
    }

    /// For programs (RFC 3339): `2026-11-22T20:31:13.123+07:00`.
    pub(super) fn rfc3339(self, out: &mut String) {
        self.cached(|cache| self.push(out, [&cache.date, "T", &cache.time], &cache.zone));
    }

    /// As Apache shows it (the Common Log Format): `22/Nov/2026:20:31:13 +0700`.
    pub(super) fn common(self, out: &mut String) {
        self.cached(|cache| out.push_str(&cache.common));
    }

    /// The moment that was so long before.
    pub(super) fn before(self, duration: Duration) -> Stamp {
        Stamp(self.0.saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Writes the second, the milliseconds and what follows them.
    fn push(self, out: &mut String, second: [&str; 3], zone: &str) {
        second.into_iter().for_each(|piece| out.push_str(piece));
        out.push('.');
        push_three_digits(out, self.0);
        out.push_str(zone);
    }

    fn cached(self, show: impl FnOnce(&Cache)) {
        let second = self.0 / 1000;
        CACHE.with_borrow_mut(|cache| {
            if cache.second != Some(second) {
                *cache = Cache::new(second);
            }
            show(cache);
        });
    }
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::new(Cache::default());
}

#[derive(Default)]
struct Cache {
    second: Option<u64>,
    date: String,
    time: String,
    zone: String,
    common: String,
}

impl Cache {
    fn new(second: u64) -> Cache {
        let seconds = i64::try_from(second).unwrap_or(i64::MAX);
        // A time beyond the calendar (year 262143) is shown as 1970; it is no reason to panic.
        let zone = FixedOffset::east_opt(AHEAD.load(Ordering::Relaxed));
        let local = zone.and_then(|zone| zone.timestamp_opt(seconds, 0).earliest()).unwrap_or_default();
        Cache {
            second: Some(second),
            date: local.format("%Y-%m-%d").to_string(),
            time: local.format("%H:%M:%S").to_string(),
            zone: local.format("%:z").to_string(),
            common: local.format("%d/%b/%Y:%H:%M:%S %z").to_string(),
        }
    }
}

#[cfg(test)]
impl Stamp {
    /// A fixed moment for tests.
    pub(super) const fn at(milliseconds: u64) -> Stamp {
        Stamp(milliseconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn a_stamp_is_the_moment_it_was_made_of() {
        for milliseconds in [1_795_379_473_007, 1_795_379_473_999, 1_795_379_474_000, 0] {
            let mut text = String::new();
            Stamp::at(milliseconds).rfc3339(&mut text);
            let read = DateTime::parse_from_rfc3339(&text).unwrap();
            assert_eq!(read.timestamp_millis(), i64::try_from(milliseconds).unwrap(), "{text}");
            let mut plain = String::new();
            Stamp::at(milliseconds).plain(&mut plain);
            assert_eq!(plain, text[..23].replace('T', " "));
            let mut common = String::new();
            Stamp::at(milliseconds).before(Duration::from_millis(milliseconds % 1000)).common(&mut common);
            let read = DateTime::parse_from_str(&common, "%d/%b/%Y:%H:%M:%S %z").unwrap();
            assert_eq!(read.timestamp(), i64::try_from(milliseconds / 1000).unwrap(), "{common}");
        }
        let mut text = String::new();
        Stamp::at(u64::MAX).plain(&mut text);
    }
}
