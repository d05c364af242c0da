//! Listeners: a bound socket with its options set, or an error of one line that says what to do.

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::keep_alive;

/// True where an accepted socket inherits `TCP_NODELAY` from its listener, which saves a system call for each
/// connection. Elsewhere the acceptor sets it. A test checks this against the system.
pub(crate) const ACCEPTED_INHERIT_NODELAY: bool = cfg!(target_os = "linux");

/// Receive timeout of accepted sockets, for reads that wait: a worker checks its deadlines and a drain at least
/// this often.
pub(crate) const ACCEPTED_READ_TIMEOUT: Duration = Duration::from_millis(250);

/// True where an accepted socket inherits the receive timeout of its listener, which saves a system call for
/// each connection. A test checks this against the system.
pub(crate) const ACCEPTED_INHERIT_TIMEOUT: bool = cfg!(target_os = "linux");

/// Binds and listens. With port 0 the system chooses a free port; ask the listener for it.
///
/// On Unix `SO_REUSEADDR` is set, so that a restart does not have to wait for connections in `TIME_WAIT` (on
/// Windows it would allow two programs to share a port). An IPv6 listener accepts IPv6 only, as in nginx, so
/// that `0.0.0.0` and `[::]` can be used together.
pub(crate) fn bind(address: SocketAddr, backlog: u32) -> Result<TcpListener, ListenError> {
    try_bind(address, backlog).map_err(|cause| ListenError { address, cause })
}

fn try_bind(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    // `Socket::new` sets close-on-exec.
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    keep_alive::set(&socket)?;
    // Options to inherit are set before `listen`, since a client may connect at once after it. Without the
    // timeout a read could wait for ever and miss every deadline. An accept call that waits has the same
    // timeout and is simply called again.
    if ACCEPTED_INHERIT_TIMEOUT {
        socket.set_read_timeout(Some(ACCEPTED_READ_TIMEOUT))?;
    }
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Accepts no more clients although the listener still exists: calls that wait in `accept` return.
pub(crate) fn close(listener: &TcpListener) {
    // An error means that it is closed already: nobody waits there.
    let _ = SockRef::from(listener).shutdown(Shutdown::Both);
}

/// Why a listener could not be opened; shown as one line with the address and what to do.
#[derive(Debug)]
pub(crate) struct ListenError {
    address: SocketAddr,
    cause: io::Error,
}

impl ListenError {
    /// The address that was wanted.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// For a privileged port the same address with a port that needs no privileges: 6660 for 666.
    pub(crate) fn unprivileged(&self) -> Option<SocketAddr> {
        let port = self.address.port();
        if self.cause.kind() != io::ErrorKind::PermissionDenied || !(1..1024).contains(&port) {
            return None;
        }
        // The first multiple by a power of ten from 1024 on. It is below 10240, so it fits into a port.
        let port =
            std::iter::successors(Some(port), |port| port.checked_mul(10)).find(|port| *port >= 1024)?;
        Some(SocketAddr::new(self.address.ip(), port))
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: ", self.address)?;
        match self.cause.kind() {
            io::ErrorKind::AddrInUse => {
                write!(f, "the port is in use; stop the program that listens there, or give another --listen")
            }
            io::ErrorKind::AddrNotAvailable => {
                write!(
                    f,
                    "it is not an address of this machine; try --listen 127.0.0.1:{}",
                    self.address.port()
                )
            }
            _ => match self.unprivileged() {
                Some(address) => write!(f, "ports below 1024 need privileges; try --listen {address}"),
                None => self.cause.fmt(f),
            },
        }
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::limits::{KEEP_ALIVE_AFTER, KEEP_ALIVE_INTERVAL};
    use std::net::TcpStream;

    fn error(address: &str, kind: io::ErrorKind) -> ListenError {
        ListenError { address: address.parse().unwrap(), cause: kind.into() }
    }

    fn any_port() -> SocketAddr {
        ([127, 0, 0, 1], 0).into()
    }

    #[test]
    fn accepted_sockets_inherit_nodelay_where_we_say_so() {
        let listener = bind(any_port(), 8).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        if ACCEPTED_INHERIT_NODELAY {
            assert!(accepted.nodelay().unwrap());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn accepted_sockets_inherit_keep_alive() {
        let listener = bind(any_port(), 8).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let socket = SockRef::from(&accepted);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEP_ALIVE_AFTER);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEP_ALIVE_INTERVAL);
    }

    #[test]
    fn accepted_sockets_inherit_the_timeout_where_we_say_so() {
        let listener = bind(any_port(), 8).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        // The system rounds it to its own clock.
        assert_eq!(accepted.read_timeout().unwrap().is_some(), ACCEPTED_INHERIT_TIMEOUT);
    }

    #[test]
    fn a_taken_port_is_named() {
        let first = bind(any_port(), 8).unwrap();
        let address = first.local_addr().unwrap();
        let line = bind(address, 8).unwrap_err().to_string();
        assert!(line.starts_with(&format!("cannot listen on {address}: the port is in use; ")), "{line}");
    }

    #[test]
    fn an_address_of_another_machine_is_named() {
        // TEST-NET-1 (RFC 5737) is never assigned to a machine.
        let line = bind(([192, 0, 2, 1], 9001).into(), 8).unwrap_err().to_string();
        let expected = "cannot listen on 192.0.2.1:9001: it is not an address of this machine; \
                        try --listen 127.0.0.1:9001";
        assert_eq!(line, expected);
    }

    #[test]
    fn a_privileged_port_suggests_one_that_is_not() {
        for (wanted, suggested) in
            [("127.0.0.1:666", "127.0.0.1:6660"), ("[::1]:80", "[::1]:8000"), ("0.0.0.0:1", "0.0.0.0:10000")]
        {
            let error = error(wanted, io::ErrorKind::PermissionDenied);
            let line = format!(
                "cannot listen on {wanted}: ports below 1024 need privileges; try --listen {suggested}"
            );
            assert_eq!(error.to_string(), line);
        }
        assert_eq!(error("127.0.0.1:8080", io::ErrorKind::PermissionDenied).unprivileged(), None);
        assert_eq!(error("127.0.0.1:80", io::ErrorKind::AddrInUse).unprivileged(), None);
    }
}
