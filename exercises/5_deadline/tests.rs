//! What must pass. Do not change it.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::{Client, LIMIT, read_head};

const HEAD: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// A client that sends these bytes, one each `pace`, on a clock of its own.
struct Paced {
    bytes: &'static [u8],
    pace: Duration,
    began: Instant,
    now: Instant,
    timeout: Option<Duration>,
}

impl Paced {
    fn new(bytes: &'static [u8], pace: Duration) -> Paced {
        let now = Instant::now();
        Paced { bytes, pace, began: now, now, timeout: None }
    }

    /// What `read_head` returns, and how long it took by the client's clock.
    fn run(mut self) -> (Result<Vec<u8>, ErrorKind>, Duration) {
        let head = read_head(&mut self).map_err(|error| error.kind());
        (head, self.now - self.began)
    }
}

impl Client for Paced {
    fn now(&self) -> Instant {
        self.now
    }

    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.timeout = Some(timeout);
        if timeout.is_zero() { Err(ErrorKind::InvalidInput.into()) } else { Ok(()) }
    }

    fn read(&mut self) -> io::Result<Option<u8>> {
        let timeout = self.timeout.expect("a read without a timeout may wait for ever");
        self.now += timeout.min(self.pace);
        if timeout < self.pace {
            return Err(ErrorKind::TimedOut.into());
        }
        let Some((byte, rest)) = self.bytes.split_first() else { return Ok(None) };
        self.bytes = rest;
        Ok(Some(*byte))
    }
}

#[test]
fn a_head_in_time_is_read() {
    assert_eq!(Paced::new(HEAD, Duration::from_millis(100)).run().0.unwrap(), HEAD);
}

#[test]
fn a_client_that_leaves_in_the_middle_is_told_apart() {
    let (result, _) = Paced::new(&HEAD[..5], Duration::from_millis(100)).run();
    assert_eq!(result, Err(ErrorKind::UnexpectedEof));
}

#[test]
fn a_silent_client_is_given_up() {
    assert_eq!(Paced::new(HEAD, Duration::MAX).run(), (Err(ErrorKind::TimedOut), LIMIT));
}

#[test]
fn a_client_that_sends_byte_after_byte_is_given_up() {
    for seconds in [3, 5, 9] {
        let (result, taken) = Paced::new(HEAD, Duration::from_secs(seconds)).run();
        assert_eq!(result, Err(ErrorKind::TimedOut), "a byte each {seconds} s: it waited {taken:?}");
        assert_eq!(taken, LIMIT);
    }
}
