//! A model answer of exercise 5: a deadline.
//!
//! The deadline is a moment, fixed before the first read; each read has as its timeout what is left until then.

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
    let deadline = client.now() + LIMIT;
    while !head.ends_with(b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(client.now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into()); // as a timeout, zero is refused
        }
        client.set_read_timeout(left)?;
        head.push(client.read()?.ok_or(ErrorKind::UnexpectedEof)?);
    }
    Ok(head)
}

#[path = "../5_deadline/tests.rs"]
mod tests;
