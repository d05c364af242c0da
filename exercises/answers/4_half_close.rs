//! A model answer of exercise 4: half-close.
//!
//! An orderly end (`Ok(0)`) closes the target for writing and nothing else: the target's own direction goes on.
//! An error still ends both.

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
    loop {
        match source.read(&mut data) {
            Ok(0) => {
                let _ = target.shutdown(Shutdown::Write);
                return;
            }
            Ok(count) if target.write_all(&data[..count]).is_ok() => {}
            // One of them is gone: without this the other thread would wait for ever.
            _ => break,
        }
    }
    let _ = source.shutdown(Shutdown::Both);
    let _ = target.shutdown(Shutdown::Both);
}

#[path = "../4_half_close/tests.rs"]
mod tests;
