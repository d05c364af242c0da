//! The thread that looks the names of one role up again, each when its time is over.
//!
//! Contract: it is the only one that waits for a name server. It ends when its [`DnsWatcher`] is dropped, at the
//! latest behind the look-up that is going on; nobody waits for that.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::group::ResolvedGroup;
use crate::net::own::OwnAddresses;

/// How often names are looked up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pace {
    /// Time to the next look-up where nobody says how long an address holds, and after a failure.
    pub(crate) interval: Duration,
    /// The shortest time, however soon an address expires.
    pub(crate) least: Duration,
    /// The longest time, however long it holds.
    pub(crate) most: Duration,
}

impl Pace {
    /// The time from a look-up to the next one.
    pub(super) fn until_next(self, ttl: Option<Duration>) -> Duration {
        match ttl {
            None => self.interval,
            // Flags that cross are refused; should they come here, the longest time wins.
            Some(ttl) => ttl.max(self.least).min(self.most),
        }
    }
}

/// The look-ups of one role while it runs.
#[derive(Debug, Default)]
pub(crate) struct LookUps([AtomicU64; 2]);

impl LookUps {
    pub(super) fn count(&self, is_found: bool) {
        self.0[usize::from(!is_found)].fetch_add(1, Ordering::Relaxed);
    }

    /// Those that gave addresses.
    pub(crate) fn found(&self) -> u64 {
        self.0[0].load(Ordering::Relaxed)
    }

    /// Those that failed.
    pub(crate) fn failed(&self) -> u64 {
        self.0[1].load(Ordering::Relaxed)
    }
}

/// Keeps the groups of one role up to date with their names, until it is dropped.
#[derive(Debug)]
pub(crate) struct DnsWatcher {
    /// Nothing is ever sent: that the channel closes is the message.
    _stop: Sender<()>,
}

impl DnsWatcher {
    /// Starts to look the names up at this pace, and counts it. `None` if there is nothing to look up.
    ///
    /// Errors: the thread cannot be created.
    pub(crate) fn start(
        groups: Vec<ResolvedGroup>,
        pace: Option<Pace>,
        own: OwnAddresses,
        counts: Arc<LookUps>,
    ) -> io::Result<Option<DnsWatcher>> {
        let mut groups: Vec<ResolvedGroup> = groups.into_iter().filter(ResolvedGroup::may_change).collect();
        let Some(pace) = pace.filter(|_| !groups.is_empty()) else { return Ok(None) };
        groups.iter_mut().for_each(|group| group.begin(pace, Instant::now()));
        let (stop, stopped) = mpsc::channel();
        let watch = move || {
            while let Some(due) = groups.iter().filter_map(ResolvedGroup::due).min() {
                let wait = due.saturating_duration_since(Instant::now());
                if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                for group in &mut groups {
                    group.refresh(&own, pace, &counts);
                }
            }
        };
        // Never joined: a name server may keep it for half a minute, and the end does not wait for that.
        thread::Builder::new().name("look-ups".to_owned()).spawn(watch)?;
        Ok(Some(DnsWatcher { _stop: stop }))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The pace of tests: 5 s where nobody says, between 1 s and 5 minutes.
    pub(in crate::net::dns) fn pace() -> Pace {
        let seconds = Duration::from_secs;
        Pace { interval: seconds(5), least: seconds(1), most: seconds(300) }
    }

    #[test]
    fn the_time_to_live_decides_within_its_bounds() {
        let until_next = |ttl| pace().until_next(ttl).as_millis();
        assert_eq!(until_next(None), 5000);
        assert_eq!(until_next(Some(Duration::ZERO)), 1000);
        assert_eq!(until_next(Some(Duration::from_secs(30))), 30_000);
        assert_eq!(until_next(Some(Duration::MAX)), 300_000);
        let crossed = Pace { least: Duration::from_secs(400), ..pace() };
        assert_eq!(crossed.until_next(Some(Duration::from_secs(1))), Duration::from_secs(300));
    }
}
