//! How many of the loops accept clients: one while there are few connections, more as there are more.
//!
//! One loop that serves ten clients takes their events in larger batches, and sleeps and wakes half as
//! often, as two loops that serve five each. All loops that accept share the listeners: whichever is
//! free first takes the next client, and no client waits for a particular loop.
//!
//! Contract: the loops that accept differ in the number of their connections by little more than
//! [`SURPLUS_MAX`]. A loop that stops accepting [makes the others look](AcceptScaling::make_others_look)
//! for clients, because the kernel may have told of a waiting client to that loop only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::net::waker::PollerWaker;

/// For every 16 open connections of the role one more loop accepts: one loop serves that many before the
/// last of them waits noticeably.
const CONNECTIONS_PER_LOOP: usize = 16;

/// Connections that a loop may have beyond its share before it leaves clients to the other loops. With
/// less the calls for leaving and coming back would cost more than an even share gains.
const SURPLUS_MAX: usize = 8;

/// Which loops accept. Shared by all of them; each is known by its number.
#[derive(Debug)]
pub(crate) struct AcceptScaling {
    loops: Vec<Loop>,
}

#[derive(Debug)]
struct Loop {
    waker: Arc<PollerWaker>,
    accepts: AtomicBool,
    /// Another loop has stopped accepting since this one looked for clients.
    is_to_look: AtomicBool,
}

impl AcceptScaling {
    /// For the loops that these wakers wake. At first only the first of them accepts.
    pub(crate) fn new(wakers: impl IntoIterator<Item = Arc<PollerWaker>>) -> AcceptScaling {
        let of_loop = |(number, waker)| Loop {
            waker,
            accepts: AtomicBool::new(number == 0),
            is_to_look: AtomicBool::new(false),
        };
        AcceptScaling { loops: wakers.into_iter().enumerate().map(of_loop).collect() }
    }

    /// Whether this loop accepts, with `all` connections open in all loops. The last of the loops that
    /// accept stops once half of them would do: much later than it began, so that it does not begin
    /// and stop again and again.
    pub(crate) fn accepts(&self, number: usize, all: usize) -> bool {
        let this = &self.loops[number];
        let accepts = this.accepts.load(Ordering::Relaxed);
        if accepts && 2 * all < number * CONNECTIONS_PER_LOOP {
            this.accepts.store(false, Ordering::Relaxed);
            return false;
        }
        accepts
    }

    /// A loop has accepted a client and has `mine` of `all` connections now. More loops accept if that
    /// many need them. True if this one is to leave the next clients to the others.
    ///
    /// This is asked after an accept and not before: a loop that left without a client would leave again
    /// and again, for as long as it has too many connections, and wake the others each time.
    pub(crate) fn has_accepted(&self, mine: usize, all: usize) -> bool {
        for other in &self.loops[..self.needed(all)] {
            // Read first: a write to what all loops read costs them more.
            if !other.accepts.load(Ordering::Relaxed) && !other.accepts.swap(true, Ordering::Relaxed) {
                other.waker.wake();
            }
        }
        self.surplus(mine, all) > SURPLUS_MAX
    }

    /// How many connections more than its share a loop has, with `mine` of `all`.
    pub(crate) fn surplus(&self, mine: usize, all: usize) -> usize {
        mine.saturating_sub(all.div_ceil(self.needed(all)))
    }

    /// Wakes the other loops that accept, to look for clients without an event of a listener. To be
    /// called by a loop that has just taken its listeners out of its poller.
    pub(crate) fn make_others_look(&self, number: usize) {
        for (other, state) in self.loops.iter().enumerate() {
            if other != number && state.accepts.load(Ordering::Relaxed) {
                // Set before the wake: it is a message to the other loop, so it must not be overtaken.
                state.is_to_look.store(true, Ordering::Release);
                state.waker.wake();
            }
        }
    }

    /// Whether another loop has asked this one to look for clients since the last call.
    pub(crate) fn is_to_look(&self, number: usize) -> bool {
        let is_to_look = &self.loops[number].is_to_look;
        is_to_look.load(Ordering::Relaxed) && is_to_look.swap(false, Ordering::Acquire)
    }

    /// How many loops this number of connections needs.
    fn needed(&self, connections: usize) -> usize {
        (1 + connections / CONNECTIONS_PER_LOOP).min(self.loops.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token, Waker};

    fn scaling(loops: usize) -> (Vec<Poll>, AcceptScaling) {
        let polls: Vec<_> = (0..loops).map(|_| Poll::new().unwrap()).collect();
        let waker = |poll: &Poll| PollerWaker::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let scaling = AcceptScaling::new(polls.iter().map(waker));
        (polls, scaling)
    }

    #[test]
    fn more_loops_accept_with_more_connections_and_fewer_with_half_as_many() {
        let (_polls, scaling) = scaling(3);
        let mut seen = Vec::new();
        let accepting = |all| (0..3).filter(|number| scaling.accepts(*number, all)).count();
        for all in [1, 15, 16, 31, 32, 1000] {
            scaling.has_accepted(all, all);
            seen.push(accepting(all));
        }
        assert_eq!(seen, [1, 1, 2, 2, 3, 3]);
        let seen: Vec<_> = [100, 16, 15, 8, 7, 0].into_iter().map(accepting).collect();
        assert_eq!(seen, [3, 3, 2, 2, 1, 1], "later than they began, or they would do so again and again");
    }

    #[test]
    fn a_share_is_what_each_accepting_loop_would_have() {
        let (_polls, scaling) = scaling(2);
        assert_eq!((scaling.surplus(10, 10), scaling.surplus(15, 15)), (0, 0), "it is alone");
        let surplus = [(16, 16), (18, 20), (2, 20)].map(|(mine, all)| scaling.surplus(mine, all));
        assert_eq!(surplus, [8, 8, 0]);
        assert!(!scaling.has_accepted(18, 20) && scaling.has_accepted(19, 20));
    }

    #[test]
    fn the_others_that_accept_look_once() {
        let (_polls, scaling) = scaling(3);
        scaling.has_accepted(16, 16);
        scaling.make_others_look(1);
        let looks = || [0, 1, 2].map(|number| scaling.is_to_look(number));
        assert_eq!((looks(), looks()), ([true, false, false], [false; 3]));
    }
}
