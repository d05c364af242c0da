//! Exercise 5: a deadline instead of a timeout.
//!
//! A server gives a client `LIMIT` to send the head of its request. `read_head` sets that as the timeout of its
//! reads, and a client that sends one byte just before each timeout keeps its worker for as long as it likes
//! (an attack by the name of *slowloris*). Change `read_head`, so that the whole head has `LIMIT`, and not each
//! read. It then returns `ErrorKind::TimedOut`.
//!
//! The clock is part of `Client`, so that a test can move it by hand: ten seconds then take no time.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

pub const LIMIT: Duration = Duration::from_secs(10);

/// What `read_head` needs of a socket and of the system.
pub trait Client {
    fn now(&self) -> Instant;

    /// A read that has waited so long fails with `TimedOut`. Zero is refused with `InvalidInput`.
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()>;

    /// The next byte; `None` at the end of the stream.
    fn read(&mut self) -> io::Result<Option<u8>>;
}

/// Reads up to the empty line that ends a head.
pub fn read_head(client: &mut impl Client) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    client.set_read_timeout(LIMIT)?;
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read()?.ok_or(ErrorKind::UnexpectedEof)?);
    }
    Ok(head)
}

mod tests;
