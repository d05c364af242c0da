//! A socket that waits for bytes as long as it is told, and no longer.

use std::fs::File;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

use super::pool::TICK;
use crate::net::io::{self, Moved};
use crate::net::listen::ACCEPTED_INHERIT_TIMEOUT;
use crate::net::pipe::Pipe;
use crate::protocol::interest::Wants;

/// A blocking socket and the receive timeout that is set on it.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// `SO_RCVTIMEO`: changed only when it does not fit, so a connection costs one call and not one a read.
    timeout: Option<Duration>,
    /// `SO_SNDTIMEO` is set.
    sends_are_limited: bool,
    /// It no longer blocks: then `poll(2)` waits.
    unblocked: bool,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Socket {
        Socket { stream, timeout: None, sends_are_limited: false, unblocked: false }
    }

    /// A socket that came out of a listener, with the timeout it was given there.
    pub(crate) fn accepted(stream: TcpStream) -> Socket {
        Socket { timeout: ACCEPTED_INHERIT_TIMEOUT.then_some(TICK), ..Socket::new(stream) }
    }

    /// Reads; waits for the first byte at most `patience`, and not at all if that is zero.
    pub(crate) fn receive(&mut self, into: &mut [u8], patience: Duration) -> Moved {
        // What is asked for is often there already: the first look does without a timeout.
        if patience.is_zero() || self.timeout.is_none() || self.unblocked {
            let moved = io::receive(&self.stream, &mut *into);
            if patience.is_zero() || !matches!(moved, Ok(None)) {
                return moved;
            }
        }
        if self.unblocked {
            self.wait_for_bytes(patience);
            return io::receive(&self.stream, into);
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

    /// Reads into a pipe; waits for the first byte at most `patience`.
    pub(crate) fn fill(&mut self, pipe: &mut Pipe, patience: Duration) -> Moved {
        self.unblock()?;
        let moved = pipe.fill(&self.stream);
        if patience.is_zero() || !matches!(moved, Ok(None)) {
            return moved;
        }
        self.wait_for_bytes(patience);
        pipe.fill(&self.stream)
    }

    /// Sends what fits from a pipe.
    pub(crate) fn drain(&mut self, pipe: &mut Pipe) -> Moved {
        self.unblock()?;
        pipe.drain(&self.stream)
    }

    /// `splice(2)` has no way to be told not to wait for a socket, so from its first pipe on a socket
    /// does not block at all.
    fn unblock(&mut self) -> std::io::Result<()> {
        if !std::mem::replace(&mut self.unblocked, true) {
            self.stream.set_nonblocking(true)?;
        }
        Ok(())
    }

    fn wait_for_bytes(&self, patience: Duration) {
        let timeout = Timespec::try_from(patience).ok();
        // A signal ends the wait early: the caller looks at its deadline and comes again.
        let _ = rustix::event::poll(&mut [PollFd::new(&self.stream, PollFlags::IN)], timeout.as_ref());
    }

    /// Sends what fits of a file, waiting a tick at most: `sendfile` has no way to be told not to.
    pub(crate) fn send_file(&mut self, file: &File, offset: u64, length: u64) -> Moved {
        if !self.sends_are_limited {
            self.stream.set_write_timeout(Some(TICK))?;
            self.sends_are_limited = true;
        }
        io::send_file(&self.stream, file, offset, length)
    }

    /// Closes our sending side.
    pub(crate) fn shut(&self) -> std::io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Makes the close a reset: the peer must not take what it has for the whole.
    pub(crate) fn reset_on_close(&self) {
        // Failing means that the socket is dead already, and a dead one is what is wanted.
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Waits until one of the things wanted can be done, at most `patience` (`poll(2)`): which of them can.
///
/// With nothing wanted it only waits; `watch_client` is ready if the client's connection is dead. An error of a socket counts as ready: the call that follows tells it.
pub(crate) fn wait(wants: &Wants, client: &Socket, backend: Option<&Socket>, patience: Duration) -> Wants {
    let flags = |read: bool, write: bool| {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, read);
        flags.set(PollFlags::OUT, write);
        flags
    };
    let of_client = flags(wants.read_client, wants.write_client);
    let of_backend = flags(wants.read_backend, wants.write_backend);
    let second = backend.unwrap_or(client);
    let mut sockets = [PollFd::new(client, of_client), PollFd::new(second, of_backend)];
    // A socket of which nothing is wanted is left out: its hang-up would end each wait at once. Of one
    // that is only watched nothing is asked, and its failure is told all the same.
    let asked =
        match (of_client.is_empty() && !wants.watch_client, of_backend.is_empty() || backend.is_none()) {
            (false, false) => &mut sockets[..],
            (false, true) => &mut sockets[..1],
            (true, false) => &mut sockets[1..],
            (true, true) => &mut [],
        };
    let timeout = Timespec::try_from(patience).ok();
    if rustix::event::poll(asked, timeout.as_ref()).is_err() {
        // A signal, or no memory: the caller looks at its deadline and comes again.
        return Wants::default();
    }
    let failed = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    let is_ready = |socket: &PollFd<'_>, flag| socket.revents().intersects(flag | failed);
    Wants {
        read_client: wants.read_client && is_ready(&sockets[0], PollFlags::IN),
        write_client: wants.write_client && is_ready(&sockets[0], PollFlags::OUT),
        read_backend: wants.read_backend && is_ready(&sockets[1], PollFlags::IN),
        write_backend: wants.write_backend && is_ready(&sockets[1], PollFlags::OUT),
        watch_client: wants.watch_client && is_ready(&sockets[0], PollFlags::empty()),
        ..Wants::default()
    }
}
