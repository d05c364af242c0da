//! Exercise 3: find the starvation.
//!
//! A loop serves many connections on one thread: it asks each ready connection for its bytes and counts them.
//! It works in every test with polite clients. But one client that never stops sending stops all others. Why?
//! Change `turn` so that no connection waits for long, whatever the others do.
//!
//! A read that would have to wait gives `ErrorKind::WouldBlock`, as of a nonblocking socket.

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
        loop {
            match connection.socket.read(&mut data) {
                Ok(0) => {
                    connection.is_over = true;
                    break;
                }
                Ok(count) => connection.received += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    connection.is_over = true;
                    break;
                }
            }
        }
    }
}

mod tests;
