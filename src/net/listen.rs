//! Listeners: a bound socket with its options set, or an error of one line that says what to do.
//!
//! Contract: `[::]` listens on both families, unless an IPv4 address is given beside it with the same port.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::net::endpoint::Endpoint;
use crate::net::keep_alive;

/// True where an accepted socket inherits `TCP_NODELAY` from its listener, which saves a system call for each
/// connection. Elsewhere the acceptor sets it. A test checks this against the system.
pub(crate) const ACCEPTED_INHERIT_NODELAY: bool = cfg!(target_os = "linux");

/// Receive timeout of accepted sockets, for reads that wait: a worker checks its deadlines and a drain at least
/// this often.
pub(crate) const ACCEPTED_READ_TIMEOUT: Duration = Duration::from_millis(250);

/// True where an accepted socket inherits the receive timeout of its listener, which saves a system call for
/// each connection. A test checks this against the system.
pub(crate) const ACCEPTED_INHERIT_TIMEOUT: bool = cfg!(target_os = "linux");

/// An address to listen on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ListenAddress {
    /// Where.
    pub(crate) address: SocketAddr,
    /// It is `[::]` and stands for `0.0.0.0` too.
    pub(crate) is_dual: bool,
    /// No TLS is spoken there, even if the role has a certificate.
    pub(crate) is_plain: bool,
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> ListenAddress {
        ListenAddress { address, is_dual: false, is_plain: false }
    }
}

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: TcpListener,
    /// No TLS is spoken here, even if the role has a certificate.
    pub(crate) is_plain: bool,
    /// It was [passed](super::passed): whoever opened it has it too, and it goes on to listen after this process.
    pub(crate) is_passed: bool,
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Listener {
        Listener { socket, is_plain: false, is_passed: false }
    }
}

/// Gives a client of a passed listener the options that it inherits from any other: it may have waited there since
/// before ours were set.
pub(crate) fn set_accepted_options(client: &SockRef<'_>) {
    // Failing costs delay, not correctness; without the time limit a worker would not hear of a drain, and that is told.
    if let Err(error) = set_options(client) {
        log::warn!("a client that waited for the start cannot be given its options: {error}");
    }
}

/// The options of a listener, which the sockets that it accepts inherit.
pub(crate) fn set_options(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    keep_alive::set(socket)?;
    // Without the timeout a read could wait for ever and miss every deadline. An accept call that waits has the same
    // timeout and is simply called again.
    if ACCEPTED_INHERIT_TIMEOUT {
        socket.set_read_timeout(Some(ACCEPTED_READ_TIMEOUT))?;
    }
    Ok(())
}

/// The addresses behind these endpoints, and which of them stand for both families; at those of `plain`, no TLS is
/// spoken. Looks names up.
///
/// Errors, as one line that begins with the endpoint: a name that is not found; one that takes the place of another.
pub(crate) fn lay_out(endpoints: &[Endpoint], plain: &[Endpoint]) -> Result<Vec<ListenAddress>, LayoutError> {
    let mut found: Vec<(&Endpoint, SocketAddr)> = Vec::new();
    let mut plain_from = 0;
    for (index, endpoint) in endpoints.iter().chain(plain).enumerate() {
        if index == endpoints.len() {
            plain_from = found.len();
        }
        for address in endpoint.resolve().map_err(|error| LayoutError::Unknown(endpoint.clone(), error))? {
            let other = found.iter().find(|(other, at)| {
                address.port() != 0
                    && address.port() == at.port()
                    && (covers(endpoint, address, *at) || covers(other, *at, address))
            });
            if let Some((other, _)) = other {
                return Err(LayoutError::Overlap((*other).clone(), endpoint.clone()));
            }
            found.push((endpoint, address));
        }
    }
    let is_dual = |address: &SocketAddr| {
        let has_v4_beside = found
            .iter()
            .any(|(_, other)| other.is_ipv4() && other.port() == address.port() && other.port() != 0);
        address.is_ipv6() && address.ip().is_unspecified() && !has_v4_beside
    };
    let laid_out = |(index, (_, address)): (usize, &(&Endpoint, SocketAddr))| ListenAddress {
        address: *address,
        is_dual: is_dual(address),
        is_plain: !plain.is_empty() && index >= plain_from,
    };
    Ok(found.iter().enumerate().map(laid_out).collect())
}

/// True if whoever listens on `address` has clients of `other` too. `[::]` makes room for IPv4 addresses that are
/// given beside it; `:80` says that it wants all of them.
fn covers(endpoint: &Endpoint, address: SocketAddr, other: SocketAddr) -> bool {
    let is_wildcard = address.ip().is_unspecified() && address.is_ipv4() == other.is_ipv4();
    address == other || is_wildcard || endpoint.is_everywhere()
}

/// Why endpoints cannot be listened on together.
#[derive(Debug)]
pub(crate) enum LayoutError {
    /// The name is not found.
    Unknown(Endpoint, io::Error),
    /// One covers the other.
    Overlap(Endpoint, Endpoint),
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutError::Unknown(endpoint, error) => write!(f, "{endpoint}: {error}"),
            LayoutError::Overlap(one, other) => {
                write!(
                    f,
                    "{one} and {other} are the same place, or one is part of the other; give one of them"
                )
            }
        }
    }
}

/// Binds and listens as [`bind_to`] does, for one family.
pub(crate) fn bind(address: SocketAddr, backlog: u32) -> Result<TcpListener, ListenError> {
    bind_to(address.into(), backlog)
}

/// Binds and listens. Port 0 takes a free one; ask the listener for it.
///
/// `SO_REUSEADDR` on Unix, so that a restart need not wait for connections in `TIME_WAIT` (on
/// Windows it would let two programs share a port).
/// An IPv6 listener takes IPv6 only, unless its address stands for both families; where there is no IPv6, that
/// one takes IPv4 only.
pub(crate) fn bind_to(address: ListenAddress, backlog: u32) -> Result<TcpListener, ListenError> {
    let ListenAddress { address, is_dual, .. } = address;
    let says_no_to_v6 = |error: &io::Error| {
        !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
    };
    try_bind(address, !is_dual, backlog)
        .or_else(|cause| match is_dual && says_no_to_v6(&cause) {
            true => {
                try_bind((Ipv4Addr::UNSPECIFIED, address.port()).into(), true, backlog).map_err(|_| cause)
            }
            false => Err(cause),
        })
        .map_err(|cause| ListenError { address, cause })
}

fn try_bind(address: SocketAddr, only_v6: bool, backlog: u32) -> io::Result<TcpListener> {
    // `Socket::new` sets close-on-exec.
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    // Options to inherit are set before `listen`, since a client may connect at once after it.
    set_options(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
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
    use std::net::TcpStream;

    fn error(address: &str, kind: io::ErrorKind) -> ListenError {
        ListenError { address: address.parse().unwrap(), cause: kind.into() }
    }

    fn any_port() -> SocketAddr {
        ([127, 0, 0, 1], 0).into()
    }

    fn laid_out(texts: &[&str]) -> Result<Vec<(String, bool)>, String> {
        let endpoints: Vec<Endpoint> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let addresses = lay_out(&endpoints, &[]).map_err(|error| error.to_string())?;
        Ok(addresses.iter().map(|listen| (listen.address.to_string(), listen.is_dual)).collect())
    }

    #[test]
    fn the_ipv6_wildcard_stands_for_both_families_unless_ipv4_is_given_beside_it() {
        for (texts, expected) in [
            (&["[::]:80"][..], &[("[::]:80", true)][..]),
            (&["80"], &[("[::]:80", true)]),
            (&[":80"], &[("[::]:80", true)]),
            (&["[::1]:80"], &[("[::1]:80", false)]),
            (&["0.0.0.0:80", "[::]:80"], &[("0.0.0.0:80", false), ("[::]:80", false)]),
            (&["[::]:80", "127.0.0.1:80"], &[("[::]:80", false), ("127.0.0.1:80", false)]),
            (&["[::]:80", "0.0.0.0:81"], &[("[::]:80", true), ("0.0.0.0:81", false)]),
            (&["[::]:0", "0.0.0.0:0", "0"], &[("[::]:0", true), ("0.0.0.0:0", false), ("[::]:0", true)]),
        ] {
            let expected: Vec<_> = expected.iter().map(|(text, dual)| ((*text).to_owned(), *dual)).collect();
            assert_eq!(laid_out(texts), Ok(expected), "{texts:?}");
        }
        for texts in [
            ["80", "127.0.0.1:80"],
            ["0.0.0.0:80", ":80"],
            ["0.0.0.0:80", "127.0.0.1:80"],
            ["[::1]:80", "[::]:80"],
            ["127.0.0.1:80", "127.0.0.1:80"],
        ] {
            assert!(laid_out(&texts).unwrap_err().contains("the same place"), "{texts:?}");
        }
        assert!(laid_out(&["name.invalid:80"]).unwrap_err().starts_with("name.invalid:80: "));
    }

    #[test]
    fn a_dual_listener_has_clients_of_both_families() {
        let dual =
            ListenAddress { is_dual: true, ..ListenAddress::from("[::]:0".parse::<SocketAddr>().unwrap()) };
        let listener = bind_to(dual, 8).unwrap();
        let address = listener.local_addr().unwrap();
        TcpStream::connect(("127.0.0.1", address.port())).unwrap();
        // Where there is no IPv6, IPv4 is all there is.
        if address.is_ipv6() {
            TcpStream::connect(("::1", address.port())).unwrap();
        }
    }

    #[test]
    fn the_wildcards_of_both_families_can_be_given_side_by_side() {
        let v4 = bind("0.0.0.0:0".parse().unwrap(), 8).unwrap();
        let v6 = SocketAddr::new("::".parse().unwrap(), v4.local_addr().unwrap().port());
        match bind(v6, 8) {
            Ok(_) => {}
            // Where there is no IPv6.
            Err(error) => assert_ne!(error.cause.kind(), io::ErrorKind::AddrInUse, "{error}"),
        }
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
        use crate::net::limits::{KEEP_ALIVE_AFTER, KEEP_ALIVE_INTERVAL};
        use socket2::SockRef;
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
