//! How a driver holds a connection that it does not serve at the moment.
//!
//! Contract: it is [taken up](Held::take_up) before anything else is done with it. A client that waits between two
//! requests may be [set aside](Held::set_aside): then its socket is kept and what is remembered of it, and the rest is
//! freed for others. With ten thousand idle clients that is most of the memory; and what serves the busy ones is always
//! the same few kilobytes, which the processor's cache has at hand.

use std::mem;

use crate::protocol::now::Now;

/// Connections of one loop, or of one parking, from which on idle clients are set aside. To do so takes some of the ten
/// thousand instructions of a small request; with fewer connections there is little to be gained: all of them together
/// take less than half a megabyte.
pub(crate) const SET_ASIDE_FROM: usize = 256;

/// A kind of connection that can be set aside.
pub(crate) trait Idling: Sized {
    /// What is kept of it then.
    type Idle;

    /// True if nothing is in flight.
    fn is_idle(&self) -> bool;

    /// What is to be kept; `None` if it is not idle.
    fn into_idle(self) -> Option<Self::Idle>;

    /// A connection as it was.
    fn from_idle(idle: Self::Idle, now: &Now) -> Self;
}

/// A connection that is held. Both kinds are on the heap: they change hands, and places in tables, often.
pub(crate) enum Held<C: Idling> {
    TakenUp(Box<C>),
    SetAside(Box<C::Idle>),
    /// For the moment between the two.
    Moving,
}

impl<C: Idling> Held<C> {
    pub(crate) fn new(connection: C) -> Held<C> {
        Held::TakenUp(Box::new(connection))
    }

    /// The connection, as it was before it was set aside. `None` if a panic has ended it.
    pub(crate) fn take_up(&mut self, now: impl FnOnce() -> Now) -> Option<&mut C> {
        if matches!(self, Held::SetAside(_))
            && let Held::SetAside(idle) = mem::replace(self, Held::Moving)
        {
            *self = Held::new(C::from_idle(*idle, &now()));
        }
        match self {
            Held::TakenUp(connection) => Some(connection),
            Held::SetAside(_) | Held::Moving => None,
        }
    }

    /// Keeps only what is remembered of it, if it is idle.
    pub(crate) fn set_aside(&mut self) {
        if matches!(self, Held::TakenUp(connection) if connection.is_idle())
            && let Held::TakenUp(connection) = mem::replace(self, Held::Moving)
        {
            // It is idle: that was asked.
            *self = connection.into_idle().map_or(Held::Moving, |idle| Held::SetAside(Box::new(idle)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::start;

    /// Idle if the number is even; what is kept of it is its half.
    #[derive(Debug, PartialEq)]
    struct Number(u32);

    impl Idling for Number {
        type Idle = u32;

        fn is_idle(&self) -> bool {
            self.0.is_multiple_of(2)
        }

        fn into_idle(self) -> Option<u32> {
            self.is_idle().then_some(self.0 / 2)
        }

        fn from_idle(half: u32, _now: &Now) -> Number {
            assert!(half < 100, "as the test wants");
            Number(2 * half)
        }
    }

    #[test]
    fn an_idle_connection_is_set_aside_and_comes_back_as_it_was() {
        for (number, is_set_aside) in [(8, true), (7, false)] {
            let mut held = Held::new(Number(number));
            held.set_aside();
            assert_eq!(matches!(held, Held::SetAside(_)), is_set_aside);
            held.set_aside();
            for _ in 0..2 {
                assert_eq!(held.take_up(start), Some(&mut Number(number)));
            }
        }
    }

    #[test]
    fn a_connection_that_panics_when_it_is_taken_up_is_gone() {
        let mut held = Held::new(Number(200));
        held.set_aside();
        let taken_up =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| held.take_up(start).is_some()));
        assert!(taken_up.is_err() && held.take_up(start).is_none());
    }
}
