//! Classes of errors of `accept(2)`, by what an acceptor has to do next.
//!
//! Contract: no error may make an acceptor loop without progress or end without a message.

use std::io;
use std::net::SocketAddr;

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
