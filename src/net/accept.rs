//! Classes of errors of `accept(2)`, by what an acceptor has to do next.
//!
//! Contract: no error may make an acceptor loop without progress or end without a message.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time without a shortage after which the next one is told again: long enough that clients who come and go at a
/// limit are one shortage and not one each.
const CALM: Duration = Duration::from_secs(60);

/// A shortage of which the process tells once, however many loops, roles and clients meet it.
#[derive(Debug)]
pub(crate) struct Shortage(Mutex<Option<Instant>>);

/// All connections that may be open are.
pub(crate) static NO_PERMIT: Shortage = Shortage(Mutex::new(None));

/// Accepting a client failed for want of a descriptor or memory.
pub(crate) static NO_DESCRIPTOR: Shortage = Shortage(Mutex::new(None));

impl Shortage {
    /// It is met now. True if it is to be told: not while the last time is less than [`CALM`] ago.
    pub(crate) fn is_news(&self, now: Instant) -> bool {
        // One value that is set whole.
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
        before.is_none_or(|before| now.saturating_duration_since(before) >= CALM)
    }
}

/// The address of a client as people write it: to a listener of both families, one that came by IPv4 seems to
/// have an IPv6 address (`::ffff:127.0.0.1`), which no list of trusted addresses and no reader of a log expects.
pub(crate) fn peer_address(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip if ip == address.ip() => address,
        ip => SocketAddr::new(ip, address.port()),
    }
}

/// What an error of accept means for the listener.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AcceptError {
    /// This one connection is lost, or there is none to accept: go on.
    Transient,
    /// The process or the kernel has no descriptor or memory left: stop accepting until a connection closes.
    /// Log it once.
    OutOfDescriptors,
    /// The listener itself is broken: stop and report.
    Fatal,
}

impl AcceptError {
    /// The class of an error. `WouldBlock` is [`Transient`](AcceptError::Transient); an event loop checks for it
    /// before, because it means that there is no client to accept now.
    #[cfg(unix)]
    pub(crate) fn of(error: &io::Error) -> AcceptError {
        use rustix::io::Errno;
        let Some(errno) = Errno::from_io_error(error) else {
            return AcceptError::Fatal;
        };
        match errno {
            Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => AcceptError::OutOfDescriptors,
            Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP | Errno::FAULT => {
                AcceptError::Fatal
            }
            // ECONNABORTED, EINTR, EAGAIN. On Linux accept also returns network errors of the new connection
            // (EPROTO, ENETDOWN, EHOSTUNREACH and more) and EPERM from a firewall: see accept(2).
            _ => AcceptError::Transient,
        }
    }

    /// The class of an error.
    #[cfg(not(unix))]
    pub(crate) fn of(error: &io::Error) -> AcceptError {
        match error.kind() {
            io::ErrorKind::OutOfMemory => AcceptError::OutOfDescriptors,
            io::ErrorKind::InvalidInput => AcceptError::Fatal,
            _ => AcceptError::Transient,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn a_client_that_came_by_ipv4_has_an_ipv4_address() {
        for (seen, meant) in [
            ("[::ffff:192.0.2.1]:80", "192.0.2.1:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("[fe80::1%3]:80", "[fe80::1%3]:80"),
        ] {
            assert_eq!(peer_address(seen.parse().unwrap()), meant.parse().unwrap());
        }
    }

    #[test]
    fn a_shortage_is_told_once_however_often_it_is_met() {
        let (shortage, mut now) = (Shortage(Mutex::default()), Instant::now());
        assert!(shortage.is_news(now));
        for _ in 0..100 {
            now += CALM - Duration::from_millis(1);
            assert!(!shortage.is_news(now), "it goes on");
        }
        assert!(shortage.is_news(now + CALM));
    }

    #[test]
    fn each_error_has_its_class() {
        for (errno, class) in [
            (Errno::CONNABORTED, AcceptError::Transient),
            (Errno::INTR, AcceptError::Transient),
            (Errno::AGAIN, AcceptError::Transient),
            (Errno::PROTO, AcceptError::Transient),
            (Errno::PERM, AcceptError::Transient),
            (Errno::MFILE, AcceptError::OutOfDescriptors),
            (Errno::NFILE, AcceptError::OutOfDescriptors),
            (Errno::NOMEM, AcceptError::OutOfDescriptors),
            (Errno::BADF, AcceptError::Fatal),
            (Errno::INVAL, AcceptError::Fatal),
        ] {
            assert_eq!(AcceptError::of(&errno.into()), class, "{errno}");
        }
        assert_eq!(AcceptError::of(&io::Error::other("no errno")), AcceptError::Fatal);
    }
}
