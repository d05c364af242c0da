//! Connections to back ends that are kept open for the next request.
//!
//! Contract: at most [`IDLE_PER_BACKEND_MAX`] to a back end, none idle for longer than
//! [`BACKEND_IDLE_TIMEOUT`]. The newest is taken first: the back end is least likely to be closing that
//! one. No connection is dropped in here: one that may not stay goes back to the caller, who may have a
//! poller to tell.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::limits::{BACKEND_IDLE_TIMEOUT, IDLE_PER_BACKEND_MAX};

/// Where a connection to a back end leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    /// If it is encrypted: the host whose certificate was verified.
    pub(crate) secure_host: Option<Arc<str>>,
}

/// Idle connections by the place they lead to. `T` is the driver's kind of socket.
///
/// By place, not by group: two groups with a back end in common share its connections.
#[derive(Debug)]
pub(crate) struct IdlePool<T> {
    /// One entry for each place in use: few enough to search from the front. Oldest connection first.
    backends: Vec<(Place, VecDeque<Idle<T>>)>,
}

#[derive(Debug)]
struct Idle<T> {
    since: Instant,
    connection: T,
}

impl<T> Default for IdlePool<T> {
    fn default() -> IdlePool<T> {
        IdlePool { backends: Vec::new() }
    }
}

impl<T> IdlePool<T> {
    /// Adds a connection. Gives back the oldest one to this back end if there are too many now.
    #[must_use = "a connection that comes back is to be closed"]
    pub(crate) fn put(&mut self, backend: Place, connection: T, now: Instant) -> Option<T> {
        let index = self.backends.iter().position(|(place, _)| *place == backend);
        let index = index.unwrap_or_else(|| {
            self.backends.push((backend, VecDeque::new()));
            self.backends.len() - 1
        });
        let idle = &mut self.backends[index].1;
        idle.push_back(Idle { since: now, connection });
        if idle.len() > IDLE_PER_BACKEND_MAX {
            idle.pop_front().map(|oldest| oldest.connection)
        } else {
            None
        }
    }

    /// The newest connection to a back end. One that is too old stays until [`expire`](IdlePool::expire) gives it back.
    pub(crate) fn take(&mut self, backend: &Place, now: Instant) -> Option<T> {
        let (_, idle) = self.backends.iter_mut().find(|(place, _)| place == backend)?;
        if is_old(idle.back()?, now) { None } else { idle.pop_back().map(|newest| newest.connection) }
    }

    /// Takes out the connection for which `is_it` is true: its back end closed it, or sent what nobody asked for.
    pub(crate) fn remove(&mut self, mut is_it: impl FnMut(&T) -> bool) -> Option<T> {
        self.backends.iter_mut().find_map(|(_, idle)| {
            let index = idle.iter().position(|idle| is_it(&idle.connection))?;
            idle.remove(index).map(|found| found.connection)
        })
    }

    /// Gives back one connection that is too old to be used. To be called until it returns `None`.
    #[must_use = "a connection that comes back is to be closed"]
    pub(crate) fn expire(&mut self, now: Instant) -> Option<T> {
        let has_old = |idle: &VecDeque<Idle<T>>| idle.front().is_some_and(|oldest| is_old(oldest, now));
        let index = self.backends.iter().position(|(_, idle)| has_old(idle))?;
        let oldest = self.backends[index].1.pop_front();
        if self.backends[index].1.is_empty() {
            // The addresses of a name change in time: a place without connections is forgotten.
            self.backends.swap_remove(index);
        }
        oldest.map(|oldest| oldest.connection)
    }
}

fn is_old<T>(idle: &Idle<T>, now: Instant) -> bool {
    now.saturating_duration_since(idle.since) >= BACKEND_IDLE_TIMEOUT
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn backend(port: u16) -> Place {
        Place { address: ([127, 0, 0, 1], port).into(), secure_host: None }
    }

    fn len<T>(pool: &IdlePool<T>) -> usize {
        pool.backends.iter().map(|(_, idle)| idle.len()).sum()
    }

    #[test]
    fn newest_first_and_each_to_its_own_back_end() {
        let (mut pool, now) = (IdlePool::default(), Instant::now());
        for (port, name) in [(1, "a"), (1, "b"), (2, "c")] {
            assert_eq!(pool.put(backend(port), name, now), None);
        }
        assert_eq!(pool.take(&backend(1), now), Some("b"));
        assert_eq!(pool.take(&backend(1), now), Some("a"));
        assert_eq!(pool.take(&backend(1), now), None);
        assert_eq!(pool.take(&backend(3), now), None);
        assert_eq!(len(&pool), 1);
    }

    #[test]
    fn a_connection_whose_certificate_was_verified_is_for_that_host_only() {
        let (mut pool, now) = (IdlePool::default(), Instant::now());
        let secure = |host: &str| Place { secure_host: Some(host.into()), ..backend(1) };
        assert_eq!(pool.put(secure("a.example"), "a", now), None);
        assert_eq!((pool.take(&backend(1), now), pool.take(&secure("b.example"), now)), (None, None));
        assert_eq!(pool.take(&secure("a.example"), now), Some("a"));
    }

    #[test]
    fn the_oldest_makes_room() {
        let (mut pool, now) = (IdlePool::default(), Instant::now());
        for number in 0..IDLE_PER_BACKEND_MAX {
            assert_eq!(pool.put(backend(1), number, now), None);
        }
        assert_eq!(pool.put(backend(1), 1000, now), Some(0));
        assert_eq!(len(&pool), IDLE_PER_BACKEND_MAX);
    }

    #[test]
    fn none_is_used_past_its_time_and_none_is_lost() {
        let (mut pool, now) = (IdlePool::default(), Instant::now());
        assert_eq!(pool.put(backend(1), "old", now), None);
        let later = now + Duration::from_secs(1);
        assert_eq!(pool.put(backend(2), "new", later), None);
        assert_eq!(pool.expire(later), None);
        let end = now + BACKEND_IDLE_TIMEOUT;
        assert_eq!(pool.expire(end - Duration::from_nanos(1)), None);
        assert_eq!(pool.take(&backend(1), end), None);
        assert_eq!(pool.expire(end), Some("old"));
        assert_eq!(pool.expire(end), None);
        assert_eq!(pool.backends.len(), 1, "a place without connections is forgotten");
        assert_eq!(pool.take(&backend(2), end), Some("new"));
        assert_eq!(len(&pool), 0);
    }

    #[test]
    fn one_that_was_closed_is_found_and_the_others_stay() {
        let (mut pool, now) = (IdlePool::default(), Instant::now());
        for (port, name) in [(1, "a"), (2, "b"), (2, "c"), (2, "d")] {
            assert_eq!(pool.put(backend(port), name, now), None);
        }
        assert_eq!(pool.remove(|name| *name == "c"), Some("c"));
        assert_eq!(pool.remove(|name| *name == "c"), None);
        assert_eq!(pool.take(&backend(2), now), Some("d"));
        assert_eq!(pool.take(&backend(2), now), Some("b"));
        assert_eq!(pool.take(&backend(1), now), Some("a"));
        assert_eq!(len(&pool), 0);
    }
}
