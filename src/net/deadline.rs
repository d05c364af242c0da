//! Deadlines of blocking sockets: a moment by which something is done, not a limit for each call.
//!
//! A limit for each read never stops a client that sends a byte every nine seconds. So the time
//! that is left is worked out anew before each call.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The moment by which something is to be done.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Deadline(Instant);

impl Deadline {
    /// At this moment.
    pub fn at(moment: Instant) -> Deadline {
        Deadline(moment)
    }

    /// So long after `now`.
    pub fn after(now: Instant, duration: Duration) -> Deadline {
        Deadline(now + duration)
    }

    /// The moment itself.
    pub fn moment(self) -> Instant {
        self.0
    }

    /// The time left; `None` if none is, so never 0, which sockets take for "for ever".
    pub fn remaining(self, now: Instant) -> Option<Duration> {
        self.0.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// True if its moment has come.
    pub fn is_over(self, now: Instant) -> bool {
        self.remaining(now).is_none()
    }
}

/// A blocking socket whose reads and writes end by a deadline, with the error kind `TimedOut` on all systems.
#[derive(Debug)]
pub struct TimedStream {
    stream: TcpStream,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl TimedStream {
    /// Takes over a blocking socket on which no time limit is set.
    pub fn new(stream: TcpStream) -> TimedStream {
        TimedStream { stream, read_timeout: None, write_timeout: None }
    }

    /// The socket, for its addresses, its descriptor and its shutdown.
    pub fn get(&self) -> &TcpStream {
        &self.stream
    }

    /// The socket; a time limit may be set on it, up to the last deadline's length.
    pub fn into_inner(self) -> TcpStream {
        self.stream
    }

    /// Reads what has come, waiting for it until the deadline; 0 is the end of the stream.
    pub fn read(&mut self, bytes: &mut [u8], deadline: Deadline) -> io::Result<usize> {
        loop {
            let left = time_left(deadline)?;
            if let Some(timeout) = fitting_timeout(self.read_timeout, left) {
                self.stream.set_read_timeout(Some(timeout))?;
                self.read_timeout = Some(timeout);
            }
            match self.stream.read(bytes) {
                Err(error) if is_time_or_signal(&error) => {}
                result => return result,
            }
        }
    }

    /// Writes what the kernel takes, waiting until the deadline for it to take something.
    pub fn write(&mut self, bytes: &[u8], deadline: Deadline) -> io::Result<usize> {
        loop {
            let left = time_left(deadline)?;
            if let Some(timeout) = fitting_timeout(self.write_timeout, left) {
                self.stream.set_write_timeout(Some(timeout))?;
                self.write_timeout = Some(timeout);
            }
            match self.stream.write(bytes) {
                Err(error) if is_time_or_signal(&error) => {}
                result => return result,
            }
        }
    }
}

fn time_left(deadline: Deadline) -> io::Result<Duration> {
    deadline.remaining(Instant::now()).ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// Below this the socket's time limit is the time left to the dot.
const EXACT_BELOW: Duration = Duration::from_millis(10);

/// The time limit to set on the socket, if the one that is set does not do.
///
/// Any does that is not above the time left, or the call would wake too late, and not below a
/// quarter of it: waking too early finds time left and waits again. It is set to three quarters, so
/// that it does for the calls to come: a deadline that moves with every progress then costs no system call, and
/// one that stands costs one each time the time left has shrunk by a quarter, not one a call.
fn fitting_timeout(set: Option<Duration>, left: Duration) -> Option<Duration> {
    match set {
        Some(set) if set <= left && set >= left / 4 => None,
        _ if left < EXACT_BELOW => Some(left),
        _ => Some(left * 3 / 4),
    }
}

/// A socket's time limit shows as `WouldBlock` on Unix and `TimedOut` on Windows.
fn is_time_or_signal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::connect::connect;
    use crate::net::listen::bind;

    fn pair() -> (TimedStream, TcpStream) {
        let listener = bind(([127, 0, 0, 1], 0).into(), 8, false).unwrap();
        let ours = connect(listener.local_addr().unwrap(), Duration::from_secs(10)).unwrap();
        (TimedStream::new(ours), listener.accept().unwrap().0)
    }

    fn soon(milliseconds: u64) -> Deadline {
        Deadline::after(Instant::now(), Duration::from_millis(milliseconds))
    }

    #[test]
    fn what_is_left_is_never_zero() {
        let now = Instant::now();
        let deadline = Deadline::after(now, Duration::from_secs(2));
        assert_eq!(deadline.remaining(now + Duration::from_secs(1)), Some(Duration::from_secs(1)));
        assert_eq!(deadline.remaining(deadline.moment()), None);
        assert!(deadline.is_over(now + Duration::from_secs(3)));
    }

    #[test]
    fn silence_ends_with_timed_out_and_not_before_the_deadline() {
        let (mut ours, _theirs) = pair();
        // A short limit from before must not cut the longer one.
        assert_eq!(ours.read(&mut [0; 8], soon(5)).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let deadline = soon(60);
        assert_eq!(ours.read(&mut [0; 8], deadline).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(deadline.is_over(Instant::now()));
        assert_eq!(ours.write(b"x", deadline).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_peer_that_drips_does_not_move_the_deadline() {
        let (mut ours, mut theirs) = pair();
        let dripping = std::thread::spawn(move || while theirs.write_all(b"x").is_ok() {});
        let deadline = soon(30);
        let error = loop {
            if let Err(error) = ours.read(&mut [0; 8], deadline) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(ours);
        dripping.join().unwrap();
    }

    #[test]
    fn few_calls_set_a_time_limit() {
        let seconds = Duration::from_secs;
        assert_eq!(fitting_timeout(None, seconds(60)), Some(seconds(45)));
        for left in [45, 50, 60, 180] {
            assert_eq!(fitting_timeout(Some(seconds(45)), seconds(left)), None, "{left} s left");
        }
        assert_eq!(fitting_timeout(Some(seconds(45)), seconds(44)), Some(seconds(33)));
        assert_eq!(fitting_timeout(Some(seconds(1)), seconds(60)), Some(seconds(45)));
        // A deadline that stands, looked at each millisecond.
        let mut set = None;
        let changes = (10..10_000).rev().filter(|left| {
            let fitting = fitting_timeout(set, Duration::from_millis(*left));
            set = fitting.or(set);
            fitting.is_some()
        });
        assert!(changes.count() < 30);
    }
}
