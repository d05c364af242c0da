//! The loop's two tables, of connections and of back ends' sockets, and the tokens that name their slots.
//!
//! Contract: a slot that is freed in one iteration of the loop is not given to a successor before the
//! next. The poller reports events by token, and the events of one iteration may still name a socket
//! that the same iteration has closed: they must find its slot empty.

use mio::Token;
use slab::Slab;

/// What a token of the poller names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// The loop's own waker.
    Waker,
    /// The listener of this number.
    Listener(usize),
    /// The client of the connection in this slot, or the back end's socket in this slot.
    Socket(Side, usize),
}

impl Source {
    pub(crate) fn token(self) -> Token {
        Token(match self {
            Source::Waker => 0,
            Source::Listener(number) => 3 * (number + 1),
            Source::Socket(Side::Client, slot) => 3 * slot + 1,
            Source::Socket(Side::Backend, slot) => 3 * slot + 2,
        })
    }

    pub(crate) fn of(Token(token): Token) -> Source {
        match (token % 3, token / 3) {
            (0, 0) => Source::Waker,
            (0, number) => Source::Listener(number - 1),
            (1, slot) => Source::Socket(Side::Client, slot),
            (_, slot) => Source::Socket(Side::Backend, slot),
        }
    }
}

/// Which of a connection's two sockets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Client,
    Backend,
}

/// Whom an event of each back end's socket is for. Such a socket may outlive the connection that made
/// it: it is kept idle and then serves another. Its token names the same slot all that time, so handing
/// it over takes one assignment and no system call.
pub(crate) type BackendSlots = Slots<BackendOwner>;

/// Who has a back end's socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BackendOwner {
    /// The connection in this slot.
    Connection(usize),
    /// The pool of idle connections.
    Pool,
}

/// A table whose entries are known by the number of their slot.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    /// `None` is a slot that was freed in this iteration.
    slab: Slab<Option<T>>,
    freed: Vec<usize>,
}

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots { slab: Slab::new(), freed: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// The slot that the next entry will get.
    pub(crate) fn next(&self) -> usize {
        self.slab.vacant_key()
    }

    pub(crate) fn insert(&mut self, entry: T) -> usize {
        self.slab.insert(Some(entry))
    }

    pub(crate) fn get(&self, slot: usize) -> Option<&T> {
        self.slab.get(slot)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: usize) -> Option<&mut T> {
        self.slab.get_mut(slot)?.as_mut()
    }

    /// Replaces an entry; an empty slot stays empty.
    pub(crate) fn set(&mut self, slot: usize, entry: T) {
        if let Some(present) = self.get_mut(slot) {
            *present = entry;
        }
    }

    /// Empties this slot. Doing so twice is harmless: it is not freed twice.
    pub(crate) fn remove(&mut self, slot: usize) -> Option<T> {
        let removed = self.slab.get_mut(slot)?.take();
        if removed.is_some() {
            self.freed.push(slot);
        }
        removed
    }

    /// All events of the iteration are dealt with: freed slots may be used again.
    pub(crate) fn end_iteration(&mut self) {
        for slot in self.freed.drain(..) {
            self.slab.remove(slot);
        }
    }

    /// How many slots have an entry.
    pub(crate) fn len(&self) -> usize {
        self.slab.len() - self.freed.len()
    }

    /// All slots that have an entry are below this one.
    pub(crate) fn end(&self) -> usize {
        self.slab.capacity()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slab.iter_mut().filter_map(|(_, entry)| entry.as_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_what_it_was_made_for() {
        let first = [Source::Waker, Source::Listener(0), Source::Listener(63)];
        let sockets = [(Side::Client, 0), (Side::Backend, 0), (Side::Client, 1), (Side::Backend, 99)];
        for source in first.into_iter().chain(sockets.map(|(side, slot)| Source::Socket(side, slot))) {
            assert_eq!(Source::of(source.token()), source);
        }
    }

    #[test]
    fn a_slot_is_not_given_to_a_successor_within_the_same_iteration() {
        let mut slots = Slots::default();
        let first = slots.insert("first");
        assert_eq!(slots.remove(first), Some("first"));
        let second = slots.insert("second");
        assert_ne!(first, second);
        assert_eq!((slots.get(first), slots.get(second)), (None, Some(&"second")));
        assert_eq!(slots.len(), 1);
        slots.end_iteration();
        assert_eq!(slots.next(), first);
        assert_eq!(slots.insert("third"), first);
        assert_eq!(slots.len(), 2);
    }

    #[test]
    fn a_slot_freed_twice_is_given_out_once() {
        let mut slots = Slots::default();
        let first = slots.insert(1);
        assert_eq!((slots.remove(first), slots.remove(first), slots.remove(99)), (Some(1), None, None));
        slots.set(first, 7);
        assert_eq!(slots.get(first), None, "empty stays empty");
        slots.end_iteration();
        assert_ne!(slots.insert(2), slots.insert(3));
        assert_eq!(slots.iter_mut().map(|entry| *entry).sum::<i32>(), 5);
    }
}
