//! A socket that waits for bytes as long as it is told, and no longer.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::net::io::{Moved, receive};

/// A blocking socket and the receive timeout that is set on it.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// `SO_RCVTIMEO`: changed only when it does not fit, so a connection costs one call and not one a read.
    timeout: Option<Duration>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Socket {
        Socket { stream, timeout: None }
    }

    /// Reads; waits for the first byte at most `patience`, and not at all if that is zero.
    pub(crate) fn receive(&mut self, into: &mut [u8], patience: Duration) -> Moved {
        if patience.is_zero() {
            return receive(&self.stream, into);
        }
        // A shorter timeout than allowed does as well: the caller looks at its deadline and comes again.
        let fits = self.timeout.is_some_and(|set| set <= patience && set >= patience / 2);
        if !fits {
            self.stream.set_read_timeout(Some(patience))?;
            self.timeout = Some(patience);
        }
        loop {
            match rustix::io::read(&self.stream, &mut *into) {
                Ok(count) => return Ok(Some(count)),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Closes our sending side.
    pub(crate) fn shut(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Makes the close a reset: the peer must not take what it has for the whole.
    pub(crate) fn reset_on_close(&self) {
        // Failing means that the socket is dead already, and a dead one is what is wanted.
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
