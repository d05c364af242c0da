//! Which connection an event of a back end's socket is for.
//!
//! A back end's connection outlives the client it was made for: it is kept and serves another. Its
//! registration names a place in this table for as long as it lives, so handing it over is one
//! assignment and no system call. An empty place means that the socket is closed.

use super::places::Places;

/// Who owns each back end's socket.
pub(crate) type Owners = Places<Owner>;

/// One of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Owner {
    /// The connection in this place of the loop's table.
    Connection(usize),
    /// Nobody: kept for the next request.
    Idle,
}

impl Owners {
    /// Hands a socket over.
    pub(crate) fn set(&mut self, place: usize, owner: Owner) {
        if let Some(present) = self.get_mut(place) {
            *present = owner;
        }
    }
}
