//! Which connection an event of a back end's socket is for.
//!
//! A back end's connection outlives the client it was made for: it is kept and serves another. Its
//! registration names a place in this table for as long as it lives, so handing it over is one
//! assignment and no system call.

/// Who owns each back end's socket.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    places: Vec<Owner>,
    free: Vec<usize>,
    /// Freed in this turn: an event of the same turn may still name them.
    freed: Vec<usize>,
}

/// One of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Owner {
    /// The connection in this place of the loop's table.
    Connection(usize),
    /// Nobody: kept for the next request.
    Idle,
    /// The socket is closed.
    Gone,
}

impl Owners {
    /// A place for a new socket of this connection.
    pub(crate) fn add(&mut self, connection: usize) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Owner::Gone);
            self.places.len() - 1
        });
        self.places[place] = Owner::Connection(connection);
        place
    }

    /// Hands a socket over.
    pub(crate) fn set(&mut self, place: usize, owner: Owner) {
        self.places[place] = owner;
    }

    /// The socket is closed.
    pub(crate) fn remove(&mut self, place: usize) {
        self.places[place] = Owner::Gone;
        self.freed.push(place);
    }

    /// Who owns the socket in this place.
    pub(crate) fn of(&self, place: usize) -> Owner {
        self.places.get(place).copied().unwrap_or(Owner::Gone)
    }

    /// All events of the turn are dealt with: freed places may be used again.
    pub(crate) fn end_turn(&mut self) {
        self.free.append(&mut self.freed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_not_given_to_a_successor_within_the_same_turn() {
        let mut owners = Owners::default();
        let first = owners.add(7);
        owners.remove(first);
        let second = owners.add(8);
        assert_ne!(first, second);
        assert_eq!((owners.of(first), owners.of(second)), (Owner::Gone, Owner::Connection(8)));
        owners.end_turn();
        assert_eq!(owners.add(9), first);
    }
}
