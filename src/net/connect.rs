//! Connections to back ends: [`connect`] waits up to a time limit; [`start`] begins a connect, which
//! [`finish`] completes when the poller reports the socket.
//!
//! Contract: the error tells whether the back end or this machine is the cause. If we have no descriptor or
//! port left ([`ConnectError::is_ours`]), another back end would not help, and the failure must not count
//! against the back end's health.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::io::SOCKETS_BLOCK;
use crate::protocol::outcome::How;

/// Why a connect failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ConnectError {
    /// No program listens on that address.
    Refused,
    /// The connection was not made within the time limit.
    TimedOut,
    /// There is no route to that machine or network.
    Unreachable,
    /// This process, or the system, has no descriptor or memory left.
    NoDescriptors,
    /// This machine has no local port left: too many connections to the same address, `TIME_WAIT` included.
    NoPorts,
    /// It does not speak TLS as we do, or its certificate is not believed.
    NoTls,
    /// Anything else.
    Other(io::ErrorKind),
}

impl ConnectError {
    /// True if this machine is the cause, and not the back end.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, ConnectError::NoDescriptors | ConnectError::NoPorts)
    }
}

impl From<&io::Error> for ConnectError {
    fn from(error: &io::Error) -> ConnectError {
        if let Some(ours) = our_own(error) {
            return ours;
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => ConnectError::Refused,
            io::ErrorKind::TimedOut => ConnectError::TimedOut,
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown => ConnectError::Unreachable,
            io::ErrorKind::AddrNotAvailable => ConnectError::NoPorts,
            kind => ConnectError::Other(kind),
        }
    }
}

/// The error if this machine is the cause.
#[cfg(unix)]
fn our_own(error: &io::Error) -> Option<ConnectError> {
    match Errno::from_io_error(error)? {
        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => Some(ConnectError::NoDescriptors),
        // Linux returns EAGAIN when the range of local ports is used up: see connect(2).
        Errno::ADDRNOTAVAIL | Errno::AGAIN => Some(ConnectError::NoPorts),
        _ => None,
    }
}

/// The error if this machine is the cause.
#[cfg(windows)]
fn our_own(error: &io::Error) -> Option<ConnectError> {
    match Errno::from_io_error(error)? {
        Errno::MFILE => Some(ConnectError::NoDescriptors),
        // Windows returns WSAENOBUFS when the range of local ports is used up.
        Errno::ADDRNOTAVAIL | Errno::NOBUFS => Some(ConnectError::NoPorts),
        _ => None,
    }
}

impl From<ConnectError> for How {
    fn from(error: ConnectError) -> How {
        match error {
            ConnectError::TimedOut => How::TimedOut,
            ConnectError::NoDescriptors | ConnectError::NoPorts => How::Limited,
            ConnectError::NoTls => How::Malformed,
            ConnectError::Refused | ConnectError::Unreachable | ConnectError::Other(_) => How::Refused,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConnectError::Refused => "connection refused",
            ConnectError::TimedOut => "connection timed out",
            ConnectError::Unreachable => "no route to it",
            ConnectError::NoDescriptors => "this process has no descriptor left",
            ConnectError::NoTls => "no agreement on TLS with it",
            ConnectError::NoPorts => "this machine has no local port left",
            ConnectError::Other(kind) => return kind.fmt(f),
        })
    }
}

impl std::error::Error for ConnectError {}

/// Connects for the threaded driver: as [`connect_blocking`], but the stream is in the mode that the driver's sockets
/// have on this system ([`SOCKETS_BLOCK`]).
pub(crate) fn connect(address: SocketAddr, timeout: Duration) -> Result<TcpStream, ConnectError> {
    let stream = connect_blocking(address, timeout)?;
    if !SOCKETS_BLOCK {
        stream.set_nonblocking(true).map_err(|error| ConnectError::from(&error))?;
    }
    Ok(stream)
}

/// Connects, and waits for at most `timeout`; with 0 the result is [`ConnectError::TimedOut`] at once. The stream
/// is in blocking mode and has `TCP_NODELAY`.
pub(crate) fn connect_blocking(address: SocketAddr, timeout: Duration) -> Result<TcpStream, ConnectError> {
    if timeout.is_zero() {
        return Err(ConnectError::TimedOut);
    }
    loop {
        match attempt(address, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            attempted => return attempted.map_err(|error| ConnectError::from(&error)),
        }
    }
}

/// On Linux the send timeout of a blocking socket limits its connect as well (socket(7)). Setting it is one
/// system call more than a connect without a limit; a nonblocking connect and a poll would be six.
#[cfg(target_os = "linux")]
fn attempt(address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let socket = socket(address, Type::STREAM)?;
    socket.set_write_timeout(Some(timeout))?;
    match socket.connect(&address.into()) {
        Err(error) if is_in_progress(&error) => Err(io::ErrorKind::TimedOut.into()),
        connected => connected.map(|()| socket.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn attempt(address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let socket = socket(address, Type::STREAM)?;
    socket.connect_timeout(&address.into(), timeout)?;
    Ok(socket.into())
}

/// Begins to connect. Register the stream for writing, and call [`finish`] when the poller reports it.
pub(crate) fn start(address: SocketAddr) -> Result<mio::net::TcpStream, ConnectError> {
    let attempt = || {
        #[cfg(target_os = "linux")]
        let socket = socket(address, Type::STREAM.nonblocking())?;
        #[cfg(not(target_os = "linux"))]
        let socket = socket(address, Type::STREAM)?;
        #[cfg(not(target_os = "linux"))]
        socket.set_nonblocking(true)?;
        match socket.connect(&address.into()) {
            Err(error) if !is_in_progress(&error) => Err(error),
            _ => Ok(mio::net::TcpStream::from_std(socket.into())),
        }
    };
    attempt().map_err(|error: io::Error| ConnectError::from(&error))
}

/// Checks whether a started connection is made. `Ok(false)` means that it is not yet: a poller may report a
/// socket too early. An error is reported once only, because the kernel clears it.
pub(crate) fn finish(stream: &mio::net::TcpStream) -> Result<bool, ConnectError> {
    match stream.take_error() {
        Ok(None) => {}
        Ok(Some(error)) | Err(error) => return Err(ConnectError::from(&error)),
    }
    // No error does not mean that the connection is made. Only a connected socket has a peer address.
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(ConnectError::from(&error)),
    }
}

fn socket(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    return Errno::from_io_error(error) == Some(Errno::INPROGRESS);
    #[cfg(not(unix))]
    return error.kind() == io::ErrorKind::WouldBlock;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::listen::bind;
    use mio::{Events, Interest, Poll, Token};

    /// Waits until the poller reports `stream`, and finishes the connect.
    fn finish_when_reported(stream: &mut mio::net::TcpStream) -> Result<bool, ConnectError> {
        let mut poll = Poll::new().unwrap();
        poll.registry().register(stream, Token(0), Interest::WRITABLE).unwrap();
        let mut events = Events::with_capacity(1);
        poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
        assert!(!events.is_empty(), "the connect has not finished");
        finish(stream)
    }

    fn refusing_address() -> SocketAddr {
        // A socket that is bound and does not listen: no other program gets the port, and connects are refused.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        std::mem::forget(socket);
        address
    }

    #[test]
    fn both_ways_connect_with_nodelay() {
        let listener = bind(([127, 0, 0, 1], 0).into(), 8).unwrap();
        let address = listener.local_addr().unwrap();
        let blocking = connect(address, Duration::from_secs(10)).unwrap();
        assert!(blocking.nodelay().unwrap());
        let mut started = start(address).unwrap();
        assert_eq!(finish_when_reported(&mut started), Ok(true));
        assert!(started.nodelay().unwrap());
    }

    #[test]
    fn both_ways_report_a_refusal() {
        let address = refusing_address();
        assert_eq!(connect(address, Duration::from_secs(10)).unwrap_err(), ConnectError::Refused);
        // Some systems refuse in `start` already.
        let result = start(address).and_then(|mut stream| finish_when_reported(&mut stream));
        assert_eq!(result, Err(ConnectError::Refused));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_accept_queue_times_out() {
        let listener = bind(([127, 0, 0, 1], 0).into(), 0).unwrap();
        let address = listener.local_addr().unwrap();
        let _queued: Vec<_> = (0..4).map(|_| start(address)).collect();
        let error = connect(address, Duration::from_millis(50)).unwrap_err();
        assert_eq!(error, ConnectError::TimedOut);
        assert_eq!(connect(address, Duration::ZERO).unwrap_err(), ConnectError::TimedOut);
    }

    #[cfg(unix)]
    #[test]
    fn our_own_limits_do_not_count_against_the_back_end() {
        use rustix::io::Errno;
        for (errno, error, ours) in [
            (Errno::MFILE, ConnectError::NoDescriptors, true),
            (Errno::ADDRNOTAVAIL, ConnectError::NoPorts, true),
            (Errno::AGAIN, ConnectError::NoPorts, true),
            (Errno::HOSTUNREACH, ConnectError::Unreachable, false),
            (Errno::TIMEDOUT, ConnectError::TimedOut, false),
        ] {
            let found = ConnectError::from(&io::Error::from(errno));
            assert_eq!((found, found.is_ours()), (error, ours), "{errno}");
        }
    }
}
