//! Exercise 4: half-close.
//!
//! `relay` copies both ways between a client and a back end, as the course's `lb_thread.py`: a thread for each
//! direction. As there, the first end of a stream ends both directions, so a client that finishes sending and
//! then waits gets no response. TCP can do better: each direction ends by itself (`Shutdown::Write`). Change
//! `copy`, so that the end of one direction is passed on, and the other goes on until its own end.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

/// Copies both ways; returns when both directions have ended.
pub fn relay(client: &TcpStream, backend: &TcpStream) {
    thread::scope(|scope| {
        scope.spawn(|| copy(client, backend));
        scope.spawn(|| copy(backend, client));
    });
}

/// Copies from `source` to `target` until the source ends, or one of them fails.
fn copy(mut source: &TcpStream, mut target: &TcpStream) {
    let mut data = [0; 16 * 1024];
    while let Ok(count @ 1..) = source.read(&mut data) {
        if target.write_all(&data[..count]).is_err() {
            break;
        }
    }
    let _ = source.shutdown(Shutdown::Both);
    let _ = target.shutdown(Shutdown::Both);
}

mod tests;
