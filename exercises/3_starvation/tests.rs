//! What must pass. Do not change it.

use std::io::{self, ErrorKind, Read};

use super::{Connection, PIECE, turn};

/// Has so many bytes to be read; then nothing, or the end.
struct Socket {
    left: usize,
    ends: bool,
}

impl Read for Socket {
    fn read(&mut self, data: &mut [u8]) -> io::Result<usize> {
        let count = self.left.min(data.len());
        self.left -= count;
        match count {
            0 if !self.ends => Err(ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

fn connections(sockets: [(usize, bool); 2]) -> [Connection<Socket>; 2] {
    sockets.map(|(left, ends)| Connection { socket: Socket { left, ends }, received: 0, is_over: false })
}

#[test]
fn polite_clients_are_served() {
    let mut both = connections([(100, true), (PIECE + 1, false)]);
    for _ in 0..10 {
        turn(&mut both);
    }
    assert_eq!((both[0].received, both[0].is_over), (100, true));
    assert_eq!((both[1].received, both[1].is_over), (PIECE + 1, false));
}

#[test]
fn nobody_waits_for_one_that_never_stops() {
    let mut both = connections([(10_000 * PIECE, false), (5, false)]);
    turn(&mut both);
    assert_eq!(both[1].received, 5);
    let first = both[0].received / PIECE;
    assert!(first >= 1, "the first is served, too");
    assert!(first <= 16, "the second waited for {first} reads of the first");
}
