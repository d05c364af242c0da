//! What a socket is to the system: a descriptor on Unix, a handle on Windows.
//!
//! Contract: this is all that a driver tells of its sockets, so it names neither. Calls that move bytes are in `io`,
//! waits in `wait` and `watch`.

use std::net::{TcpListener, TcpStream};
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket, AsSocket};

/// A socket for as long as a call on it takes.
#[cfg(unix)]
pub(crate) type Handle<'s> = std::os::fd::BorrowedFd<'s>;
#[cfg(windows)]
pub(crate) type Handle<'s> = std::os::windows::io::BorrowedSocket<'s>;

/// A socket of any kind.
pub(crate) trait AnySocket {
    /// Its descriptor or handle.
    fn handle(&self) -> Handle<'_>;

    /// A call on it would have had to wait. The poller of Windows reports a socket again only after it was told so.
    fn would_block(&self) {}
}

impl AnySocket for Handle<'_> {
    fn handle(&self) -> Handle<'_> {
        *self
    }
}

impl AnySocket for TcpStream {
    fn handle(&self) -> Handle<'_> {
        #[cfg(unix)]
        return self.as_fd();
        #[cfg(windows)]
        return self.as_socket();
    }
}

impl AnySocket for TcpListener {
    fn handle(&self) -> Handle<'_> {
        #[cfg(unix)]
        return self.as_fd();
        #[cfg(windows)]
        return self.as_socket();
    }
}

impl AnySocket for mio::net::TcpStream {
    fn handle(&self) -> Handle<'_> {
        #[cfg(unix)]
        return self.as_fd();
        #[cfg(windows)]
        return self.as_socket();
    }

    #[cfg(windows)]
    fn would_block(&self) {
        // The result is the error that it is given; if the poller is gone, there is nothing to report.
        let _ = self.try_io(|| Err::<(), _>(std::io::ErrorKind::WouldBlock.into()));
    }
}

#[cfg(test)]
#[cfg(unix)]
impl AnySocket for std::os::unix::net::UnixStream {
    fn handle(&self) -> Handle<'_> {
        self.as_fd()
    }
}

/// A number that no other open socket has.
pub(crate) fn number(socket: &impl AnySocket) -> usize {
    #[cfg(unix)]
    let number = socket.handle().as_raw_fd();
    #[cfg(windows)]
    let number = socket.handle().as_raw_socket();
    // Descriptors that are open are not negative, and handles are as wide as an address.
    number.try_into().unwrap_or_default()
}
