//! Idle connections to back ends, kept for the next request.
//!
//! Contract: at most [`IDLE_PER_BACKEND_MAX`] a back end, none older than [`BACKEND_IDLE_TIMEOUT`], newest first:
//! the one that idled least is the least likely to be closed under our hands. Nothing is dropped in
//! here: what may no longer be kept comes back to the caller, who may have a poller to tell.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use crate::balance::limits::{BACKEND_IDLE_TIMEOUT, IDLE_PER_BACKEND_MAX};
use crate::protocol::now::Now;

/// The idle connections of one owner, by the address they lead to. `T` is the driver's kind of socket.
///
/// By address, not by place in a group: two groups with a back end in common share its connections.
#[derive(Debug)]
pub struct IdlePool<T> {
    /// One entry an address that is in use: few enough to walk.
    backends: Vec<(SocketAddr, VecDeque<Idle<T>>)>,
}

#[derive(Debug)]
struct Idle<T> {
    since: Instant,
    connection: T,
}

impl<T> Default for IdlePool<T> {
    fn default() -> IdlePool<T> {
        IdlePool::new()
    }
}

impl<T> IdlePool<T> {
    /// None kept yet.
    pub const fn new() -> IdlePool<T> {
        IdlePool { backends: Vec::new() }
    }

    /// Keeps a connection. Gives back the oldest to this back end if there are too many now.
    #[must_use = "what comes back is to be closed"]
    pub fn put(&mut self, backend: SocketAddr, connection: T, now: &Now) -> Option<T> {
        let place = self.backends.iter().position(|(address, _)| *address == backend);
        let place = place.unwrap_or_else(|| {
            self.backends.push((backend, VecDeque::new()));
            self.backends.len() - 1
        });
        let idle = &mut self.backends[place].1;
        idle.push_back(Idle { since: now.instant, connection });
        if idle.len() > IDLE_PER_BACKEND_MAX {
            idle.pop_front().map(|oldest| oldest.connection)
        } else {
            None
        }
    }

    /// The newest connection to a back end, unless it is too old; then [`expire`](IdlePool::expire) gives it back.
    pub fn take(&mut self, backend: SocketAddr, now: &Now) -> Option<T> {
        let idle = self.of(backend)?;
        if is_old(idle.back()?, now) { None } else { idle.pop_back().map(|newest| newest.connection) }
    }

    /// Takes the connection that `is_it` knows: its back end closed it, or sent what nobody asked for.
    pub fn remove(&mut self, backend: SocketAddr, is_it: impl FnMut(&T) -> bool) -> Option<T> {
        let idle = self.of(backend)?;
        let place = idle.iter().map(|idle| &idle.connection).position(is_it)?;
        idle.remove(place).map(|found| found.connection)
    }

    /// Takes the connection that `is_it` knows, to whichever back end.
    pub fn remove_any(&mut self, mut is_it: impl FnMut(&T) -> bool) -> Option<T> {
        self.backends.iter_mut().find_map(|(_, idle)| {
            let place = idle.iter().position(|idle| is_it(&idle.connection))?;
            idle.remove(place).map(|found| found.connection)
        })
    }

    /// Gives back one connection that is too old to be used; call until `None`.
    #[must_use = "what comes back is to be closed"]
    pub fn expire(&mut self, now: &Now) -> Option<T> {
        let old = |idle: &VecDeque<Idle<T>>| idle.front().is_some_and(|oldest| is_old(oldest, now));
        let place = self.backends.iter().position(|(_, idle)| old(idle))?;
        let oldest = self.backends[place].1.pop_front();
        if self.backends[place].1.is_empty() {
            // Names lead elsewhere in time: an address that nobody uses any more is forgotten.
            self.backends.swap_remove(place);
        }
        oldest.map(|oldest| oldest.connection)
    }

    /// Gives back all of them: the program ends.
    pub fn clear(&mut self) -> impl Iterator<Item = T> {
        self.backends.drain(..).flat_map(|(_, idle)| idle).map(|idle| idle.connection)
    }

    /// When the next one is too old; `None` if none is kept.
    pub fn next_expiry(&self) -> Option<Instant> {
        let oldest = self.backends.iter().filter_map(|(_, idle)| idle.front());
        oldest.map(|oldest| oldest.since + BACKEND_IDLE_TIMEOUT).min()
    }

    /// How many are kept, to all back ends.
    pub fn len(&self) -> usize {
        self.backends.iter().map(|(_, idle)| idle.len()).sum()
    }

    /// True if none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn of(&mut self, backend: SocketAddr) -> Option<&mut VecDeque<Idle<T>>> {
        self.backends.iter_mut().find(|(address, _)| *address == backend).map(|(_, idle)| idle)
    }
}

fn is_old<T>(idle: &Idle<T>, now: &Now) -> bool {
    now.instant.saturating_duration_since(idle.since) >= BACKEND_IDLE_TIMEOUT
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    fn start() -> Now {
        Now { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH }
    }

    fn backend(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn newest_first_and_each_to_its_own_back_end() {
        let (mut kept, now) = (IdlePool::new(), start());
        for (port, name) in [(1, "a"), (1, "b"), (2, "c")] {
            assert_eq!(kept.put(backend(port), name, &now), None);
        }
        assert_eq!(kept.take(backend(1), &now), Some("b"));
        assert_eq!(kept.take(backend(1), &now), Some("a"));
        assert_eq!(kept.take(backend(1), &now), None);
        assert_eq!(kept.take(backend(3), &now), None);
        assert_eq!(kept.len(), 1);
    }

    #[test]
    fn the_oldest_makes_room() {
        let (mut kept, now) = (IdlePool::new(), start());
        for number in 0..IDLE_PER_BACKEND_MAX {
            assert_eq!(kept.put(backend(1), number, &now), None);
        }
        assert_eq!(kept.put(backend(1), 1000, &now), Some(0));
        assert_eq!(kept.len(), IDLE_PER_BACKEND_MAX);
    }

    #[test]
    fn none_is_used_past_its_time_and_none_is_lost() {
        let (mut kept, now) = (IdlePool::new(), start());
        assert_eq!(kept.next_expiry(), None);
        assert_eq!(kept.put(backend(1), "old", &now), None);
        let later = now.after(Duration::from_secs(1));
        assert_eq!(kept.put(backend(2), "new", &later), None);
        assert_eq!(kept.next_expiry(), Some(now.instant + BACKEND_IDLE_TIMEOUT));
        assert_eq!(kept.expire(&later), None);
        let end = now.after(BACKEND_IDLE_TIMEOUT);
        assert_eq!(kept.take(backend(1), &end), None);
        assert_eq!(kept.expire(&end), Some("old"));
        assert_eq!(kept.expire(&end), None);
        assert_eq!(kept.take(backend(2), &end), Some("new"));
        assert!(kept.is_empty());
    }

    #[test]
    fn one_that_died_is_found_and_all_are_given_back_at_the_end() {
        let (mut kept, now) = (IdlePool::new(), start());
        for name in ["a", "b", "c"] {
            assert_eq!(kept.put(backend(1), name, &now), None);
        }
        assert_eq!(kept.remove(backend(1), |name| *name == "b"), Some("b"));
        assert_eq!(kept.remove(backend(1), |name| *name == "b"), None);
        assert_eq!(kept.clear().collect::<Vec<_>>(), ["a", "c"]);
        assert!(kept.is_empty());
    }
}
