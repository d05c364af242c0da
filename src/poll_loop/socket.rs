//! A socket that remembers what it is ready for.
//!
//! Contract: edge triggered readiness is told once, so it is kept here until a call finds the
//! socket empty or full. A call is made only while the flag stands: no call is made in vain twice.

use std::fs::File;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::net::connect::{self, ConnectError};
use crate::net::io::{self, Moved};
use crate::net::pipe::StreamPipe;
use crate::net::poller::READ_INTEREST;

/// What the poller has told of a connect that is under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    Nothing,
    /// It can be written to, and no error: it is through.
    Through,
    /// An error, or something that needs a closer look.
    Unclear,
}

/// What a read brought, and where the bytes are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Received {
    /// So many bytes in the buffer; 0 is the end of the stream.
    Buffered(usize),
    /// So many bytes in the pipe; 0 is the end of the stream.
    Piped(usize),
    /// There were none.
    Nothing,
}

/// A nonblocking socket and its readiness.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    token: Token,
    /// What it is registered for with the loop's poller: nothing until there is something to wait
    /// for, so a connection that is served at a stretch never costs the call; and writing only once
    /// a write found it full, for the poller would tell at once that a fresh socket is writable.
    registered: Option<Interest>,
    readable: bool,
    writable: bool,
    /// The peer has closed its side: what is left to read ends with an end of stream, of which no
    /// further event tells.
    read_closed: bool,
    /// The connection is dead: reset, for one.
    failed: bool,
    /// The connect is not known to be through: the poller tells by readiness to write.
    connecting: bool,
    /// The peer has sent urgent data (`MSG_OOB`), at which a read stops short of what is behind it.
    urgent: bool,
    /// What an event has told of the connect since the last look.
    told: Told,
}

impl Socket {
    /// A socket that was just made: worth a try in both directions, before any event.
    pub(crate) fn new(stream: TcpStream, token: Token) -> Socket {
        Socket {
            stream,
            token,
            registered: None,
            readable: true,
            writable: true,
            read_closed: false,
            failed: false,
            connecting: false,
            urgent: false,
            told: Told::Nothing,
        }
    }

    /// A socket that is being connected: worth a try for writing; nothing can have come yet, and
    /// the registration tells at once what has come until then.
    pub(crate) fn connecting(stream: TcpStream, token: Token) -> Socket {
        Socket { readable: false, connecting: true, ..Socket::new(stream, token) }
    }

    /// Remembers an event.
    pub(crate) fn note(&mut self, event: &Event) {
        let failed = event.is_error();
        self.readable |= event.is_readable() || event.is_read_closed() || failed;
        self.writable |= event.is_writable() || event.is_write_closed() || failed;
        self.read_closed |= event.is_read_closed() || failed;
        self.failed |= failed;
        self.urgent |= event.is_priority();
        if self.connecting {
            let is_through = event.is_writable() && !failed && !event.is_write_closed();
            self.told = if is_through { Told::Through } else { Told::Unclear };
        }
    }

    pub(crate) fn can_read(&self) -> bool {
        self.readable
    }

    pub(crate) fn can_write(&self) -> bool {
        self.writable
    }

    /// The peer is known to have closed its side.
    pub(crate) fn has_closed(&self) -> bool {
        self.read_closed
    }

    /// The connection is known to be dead.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Registers for what is waited for: reading always, writing if the socket is full. Nothing is
    /// ever taken back, so a socket costs one call, and one more if its peer reads slowly.
    pub(crate) fn register(&mut self, registry: &Registry) -> std::io::Result<()> {
        let interest = match self.connecting || !self.writable {
            true => READ_INTEREST | Interest::WRITABLE,
            false => READ_INTEREST,
        };
        match self.registered {
            None => registry.register(&mut self.stream, self.token, interest)?,
            Some(known) if known | interest != known => {
                registry.reregister(&mut self.stream, self.token, interest)?;
            }
            Some(_) => return Ok(()),
        }
        self.registered = Some(interest);
        Ok(())
    }

    /// The place in the table that the registration names.
    pub(crate) fn token(&self) -> Token {
        self.token
    }

    /// Reads what is there.
    pub(crate) fn receive(&mut self, into: &mut [u8]) -> Moved {
        let room = into.len();
        let moved = io::receive(&self.stream, into);
        // Less than there was room for: the socket is empty, and the next byte is a new edge (epoll(7)).
        if !matches!(moved, Ok(Some(count)) if count == room || self.read_closed || self.urgent) {
            self.readable = false;
            self.urgent = false;
        }
        moved
    }

    /// Sends what fits.
    pub(crate) fn send(&mut self, slices: [&[u8]; 2], more: bool) -> Moved {
        let length = slices[0].len() + slices[1].len();
        let moved = io::send(&self.stream, slices, more);
        self.connecting &= !matches!(moved, Ok(Some(_)));
        if !matches!(moved, Ok(Some(count)) if count == length) {
            self.writable = false;
        }
        moved
    }

    /// Reads what is there into `space`, or into the pipe if the stream `may_be_piped` and there is one.
    pub(crate) fn receive_stream<'s>(
        &mut self,
        pipe: &mut StreamPipe,
        may_be_piped: bool,
        space: impl FnOnce() -> &'s mut [u8],
    ) -> std::io::Result<Received> {
        let Some(pipe) = pipe.to_fill(may_be_piped) else {
            return Ok(self.receive(space())?.map_or(Received::Nothing, Received::Buffered));
        };
        // How much a pipe took says nothing of what is left: it is full sooner with small segments
        // than with large ones.
        let moved = pipe.fill(&self.stream);
        self.readable &= matches!(moved, Ok(Some(_)));
        Ok(moved?.map_or(Received::Nothing, Received::Piped))
    }

    /// Sends what fits of the bytes in the pipe, or of `bytes` if it holds none.
    pub(crate) fn send_stream(&mut self, pipe: &mut StreamPipe, bytes: &[u8]) -> Moved {
        let Some(pipe) = pipe.to_drain() else { return self.send([bytes, &[]], false) };
        let moved = pipe.drain(&self.stream);
        self.writable &= matches!(moved, Ok(Some(_)));
        moved
    }

    /// Sends what fits of a file.
    pub(crate) fn send_file(&mut self, file: &File, offset: u64, length: u64) -> Moved {
        let moved = io::send_file(&self.stream, file, offset, length);
        if matches!(moved, Ok(None) | Err(_)) {
            self.writable = false;
        }
        moved
    }

    /// Whether a started connect is through; `Ok(false)` if it is not, or nothing was heard of it.
    pub(crate) fn is_connected(&mut self) -> Result<bool, ConnectError> {
        let through = match std::mem::replace(&mut self.told, Told::Nothing) {
            Told::Nothing => false,
            Told::Through => true,
            Told::Unclear => connect::finish(&self.stream)?,
        };
        self.connecting &= !through;
        Ok(through)
    }

    /// The address of ours that the peer has connected to.
    pub(crate) fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// Closes our sending side.
    pub(crate) fn shut(&self) -> std::io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Makes the close a reset: the peer must not take what it has for the whole.
    pub(crate) fn reset_on_close(&self) {
        io::reset_on_close(&self.stream);
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
