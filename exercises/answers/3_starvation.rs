//! A model answer of exercise 3: one read a turn.
//!
//! The inner loop read until the socket would have to wait. Of a client that sends faster than it is read that
//! moment never comes, and the loop never goes on to the next. One read (or any fixed number) a turn gives all
//! of them a share. What is left is ready in the next turn: `poll` says so again. With epoll's edge trigger it
//! would not, and the loop would have to remember who has more.

use std::io::{ErrorKind, Read};

/// Bytes of a read.
pub const PIECE: usize = 16 * 1024;

pub struct Connection<R> {
    pub socket: R,
    pub received: usize,
    pub is_over: bool,
}

/// One turn of the loop: serves every connection that is ready.
pub fn turn<R: Read>(connections: &mut [Connection<R>]) {
    for connection in connections.iter_mut().filter(|connection| !connection.is_over) {
        let mut data = [0; PIECE];
        match connection.socket.read(&mut data) {
            Ok(0) => connection.is_over = true,
            Ok(count) => connection.received += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => connection.is_over = true,
        }
    }
}

#[path = "../3_starvation/tests.rs"]
mod tests;
