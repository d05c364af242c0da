//! Errors of `accept(2)`: whether an acceptor goes on or pauses, and what the log is told.
//!
//! Contract: no error may make an acceptor loop without progress or end without a message.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;

/// Time without a shortage after which the next one is told again: long enough that clients who come and go at a
/// limit are one shortage and not one each.
const CALM: Duration = Duration::from_secs(60);

/// A shortage of which the process tells once, however many loops, roles and clients meet it.
#[derive(Debug)]
pub(crate) struct Shortage(Mutex<Option<Instant>>);

/// All connections that may be open are.
pub(crate) static NO_PERMIT: Shortage = Shortage::new();

/// Accepting fails, mostly for want of a descriptor.
pub(crate) static ACCEPT_FAILS: Shortage = Shortage::new();

impl Shortage {
    /// One that was not met yet.
    pub(crate) const fn new() -> Shortage {
        Shortage(Mutex::new(None))
    }

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

/// True if only this one client is lost, or there is none to accept: go on. Else the next call would fail as well: no
/// descriptor or memory is left, or the listener itself is broken. Then accepting pauses until a connection closes
/// or a while has passed, and is tried again for as long as the program runs; [`ACCEPT_FAILS`] bounds what is told.
pub(crate) fn is_transient(error: &io::Error) -> bool {
    // On Linux accept also returns network errors of the new connection (EPROTO, ENETDOWN, EHOSTUNREACH and more)
    // and EPERM from a firewall, see accept(2): so this lists what lasts.
    #[cfg(unix)]
    const NO_MEANS: &[Errno] = &[Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    #[cfg(windows)]
    const NO_MEANS: &[Errno] = &[Errno::MFILE, Errno::NOBUFS];
    const BROKEN: [Errno; 5] = [Errno::BADF, Errno::INVAL, Errno::NOTSOCK, Errno::OPNOTSUPP, Errno::FAULT];
    Errno::from_io_error(error).is_some_and(|errno| !NO_MEANS.contains(&errno) && !BROKEN.contains(&errno))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

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
    fn an_error_that_would_come_again_is_not_transient() {
        for errno in [Errno::CONNABORTED, Errno::INTR, Errno::AGAIN, Errno::PROTO, Errno::PERM] {
            assert!(is_transient(&errno.into()), "{errno}");
        }
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::BADF, Errno::INVAL] {
            assert!(!is_transient(&errno.into()), "{errno}");
        }
        assert!(!is_transient(&io::Error::other("no errno")));
    }
}
