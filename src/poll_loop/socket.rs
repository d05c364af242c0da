//! A nonblocking socket that remembers what it is ready for.
//!
//! Contract: the poller reports readiness once (edge triggered), so it is kept here until a call finds
//! the socket empty or full. Callers ask [`Socket::can_read`] and [`Socket::can_write`] first, so no
//! call is made in vain twice.

use std::fs::File;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry};

use super::slots::{Side, Source};
use crate::balance::idle_pool::Place;
use crate::net::connect::{self, ConnectError};
use crate::net::io::{self, Moved};
use crate::net::pipe::StreamPipe;
use crate::net::poller::{self, READ_INTEREST, SHORT_MOVES_END};
use crate::net::session::Stream;
use crate::net::socket::{AnySocket, Handle};
use crate::net::tls::{Arrived, Carrier, TlsStream, connect_error};
use crate::protocol::machine::Received;

/// How far the connect has come, as far as is known. The poller reports its end by readiness to write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Connect {
    UnderWay,
    /// An event says that the socket can be written to and has no error.
    Succeeded,
    /// An event reports an error, or something that needs a closer look.
    Unclear,
    Done,
}

/// A socket and its readiness.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    side: Side,
    /// Its slot in the loop's table for sockets of this side.
    slot: usize,
    /// What it is registered for with the loop's poller. It is registered only when there is something
    /// to wait for, so a connection that is served without waiting never costs the call; and for
    /// writing only once a write has found it full, for a new socket would be reported as writable at once.
    registered: Option<Interest>,
    readable: bool,
    writable: bool,
    /// The peer has closed its side: after what is left to read comes the end of the stream, which no
    /// further event reports.
    read_closed: bool,
    /// The connection is dead, by a reset for example.
    failed: bool,
    connect: Connect,
    /// The peer has sent urgent data (`MSG_OOB`): a read stops short of what is behind it.
    urgent: bool,
    tls: Option<Box<TlsStream>>,
}

impl Socket {
    /// A new connected socket: reading and writing are tried before any event.
    pub(crate) fn new(stream: TcpStream, side: Side, slot: usize) -> Socket {
        Socket {
            stream,
            side,
            slot,
            registered: None,
            readable: true,
            writable: true,
            read_closed: false,
            failed: false,
            connect: Connect::Done,
            urgent: false,
            tls: None,
        }
    }

    /// A back end's socket whose connect is under way: writing is tried before any event. Reading is not,
    /// for nothing can have arrived yet, and what arrives before it is registered is reported then.
    pub(crate) fn connecting(stream: TcpStream, tls: Option<TlsStream>, slot: usize) -> Socket {
        let tls = tls.map(Box::new);
        Socket {
            readable: false,
            connect: Connect::UnderWay,
            tls,
            ..Socket::new(stream, Side::Backend, slot)
        }
    }

    /// Remembers an event.
    pub(crate) fn note(&mut self, event: &Event) {
        let failed = poller::has_failed(event);
        self.readable |= event.is_readable() || event.is_read_closed() || failed;
        self.writable |= event.is_writable() || event.is_write_closed() || failed;
        self.read_closed |= event.is_read_closed() || failed;
        self.failed |= failed;
        self.urgent |= event.is_priority();
        if self.connect != Connect::Done {
            let succeeded = event.is_writable() && !failed && !event.is_write_closed();
            self.connect = if succeeded { Connect::Succeeded } else { Connect::Unclear };
        }
    }

    /// True if bytes may have come, or if records of a handshake wait for room that there is now.
    pub(crate) fn can_read(&self) -> bool {
        let decrypts = |tls: &TlsStream| tls.has_received() || (tls.has_to_send() && self.writable);
        self.readable || self.tls.as_deref().is_some_and(decrypts)
    }

    /// True if there may be room; before the end of a handshake with a back end there is none for our bytes.
    pub(crate) fn can_write(&self) -> bool {
        let is_open = |tls: &TlsStream| self.side == Side::Client || !tls.is_handshaking();
        self.writable && self.tls.as_deref().is_none_or(is_open)
    }

    /// The peer is known to have closed its side.
    pub(crate) fn has_closed(&self) -> bool {
        self.read_closed
    }

    /// The connection is known to be dead.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Registers for what is waited for: reading always, writing if the socket is full. An interest is
    /// never withdrawn, so a socket costs one call, and one more if its peer reads slowly.
    pub(crate) fn register(&mut self, registry: &Registry) -> std::io::Result<()> {
        let interest = match self.connect != Connect::Done || !self.writable {
            true => READ_INTEREST | Interest::WRITABLE,
            false => READ_INTEREST,
        };
        let token = Source::Socket(self.side, self.slot).token();
        match self.registered {
            None => registry.register(&mut self.stream, token, interest)?,
            Some(known) if known | interest != known => {
                registry.reregister(&mut self.stream, token, interest)?;
            }
            Some(_) => return Ok(()),
        }
        self.registered = Some(interest);
        Ok(())
    }

    /// Its slot in the loop's table for sockets of its side.
    pub(crate) fn slot(&self) -> usize {
        self.slot
    }

    /// Reads what is there.
    fn receive_bytes(&mut self, into: &mut [u8]) -> Moved {
        let room = into.len();
        let moved = io::receive(&self.stream, into);
        // It gave less than there was room for: it is empty, and the next byte is a new event (epoll(7)).
        let may_have_more = |count| count == room || !SHORT_MOVES_END || self.read_closed || self.urgent;
        if !matches!(moved, Ok(Some(count)) if may_have_more(count)) {
            self.readable = false;
            self.urgent = false;
        }
        moved
    }

    /// Sends what fits of two slices.
    fn send_bytes(&mut self, slices: [&[u8]; 2], more: bool) -> Moved {
        let length = slices[0].len() + slices[1].len();
        let moved = io::send(&self.stream, slices, more);
        if matches!(moved, Ok(Some(_))) {
            self.connect = Connect::Done;
        }
        if !matches!(moved, Ok(Some(count)) if count == length || !SHORT_MOVES_END) {
            self.writable = false;
        }
        moved
    }

    /// Reads what is there into `space`, or into the pipe if the stream `may_be_piped` and there is one.
    pub(crate) fn receive<'s>(
        &mut self,
        pipe: &mut StreamPipe,
        may_be_piped: bool,
        space: impl FnOnce() -> &'s mut [u8],
    ) -> std::io::Result<Received> {
        if let Some(tls) = self.tls.take() {
            return self.receive_secure(tls, space());
        }
        let Some(pipe) = pipe.acquire(may_be_piped) else {
            return Ok(self.receive_bytes(space())?.map_or(Received::Nothing, Received::Buffered));
        };
        // The number of bytes does not show whether more is left: small segments fill a pipe with fewer
        // bytes than large ones.
        let moved = pipe.fill(&self.stream);
        self.readable &= matches!(moved, Ok(Some(_)));
        Ok(moved?.map_or(Received::Nothing, Received::Piped))
    }

    /// Reads and decrypts.
    fn receive_secure(&mut self, mut tls: Box<TlsStream>, space: &mut [u8]) -> std::io::Result<Received> {
        let arrived = tls.receive(space, self);
        self.writable &= !tls.has_to_send();
        if !matches!(arrived, Ok(Arrived::PlainHttp)) {
            self.tls = Some(tls);
        }
        arrived.map(Received::from)
    }

    /// Sends what fits of the bytes in the pipe, or of two slices if it holds none. `more` if a file
    /// follows at once.
    pub(crate) fn send(&mut self, pipe: &mut StreamPipe, slices: [&[u8]; 2], more: bool) -> Moved {
        if let Some(tls) = &mut self.tls {
            let moved = tls.send(&self.stream, slices);
            self.writable &= matches!(moved, Ok(Some(_)));
            return moved;
        }
        let Some(pipe) = pipe.filled() else { return self.send_bytes(slices, more) };
        let moved = pipe.drain(&self.stream);
        self.writable &= matches!(moved, Ok(Some(_)));
        moved
    }

    /// Sends what fits of a file.
    pub(crate) fn send_file(&mut self, file: &File, offset: u64, length: u64) -> Moved {
        let moved = match &mut self.tls {
            Some(tls) => tls.send_file(&self.stream, file, offset, length),
            None => io::send_file(&self.stream, file, offset, length),
        };
        if matches!(moved, Ok(None) | Err(_)) {
            self.writable = false;
        }
        moved
    }

    /// Whether the connect to this place has succeeded; `Ok(false)` if it has not ended yet, or no event has come.
    pub(crate) fn is_connected(&mut self, place: &Place) -> Result<bool, ConnectError> {
        if !self.has_connected()? {
            return Ok(false);
        }
        let Some(mut tls) = self.tls.take() else { return Ok(true) };
        let shaken = loop {
            match tls.shake_hands(self) {
                // More is there than one read takes, and no event will tell of it.
                Ok(false) if self.readable && tls.is_handshaking() => {}
                shaken => break shaken,
            }
        };
        self.writable &= !tls.has_to_send();
        self.tls = Some(tls);
        let host = place.secure_host.as_deref().unwrap_or_default();
        shaken.map_err(|error| connect_error(place.address, host, &error))
    }

    fn has_connected(&mut self) -> Result<bool, ConnectError> {
        let is_connected = match self.connect {
            Connect::UnderWay => false,
            Connect::Succeeded | Connect::Done => true,
            Connect::Unclear => connect::finish(&self.stream)?,
        };
        self.connect = if is_connected { Connect::Done } else { Connect::UnderWay };
        Ok(is_connected)
    }
}

impl Stream for Socket {
    fn tls(&mut self) -> &mut Option<Box<TlsStream>> {
        &mut self.tls
    }

    fn is_secure(&self) -> bool {
        self.tls.is_some()
    }
}

impl Carrier for Socket {
    fn read(&mut self, into: &mut [u8]) -> Moved {
        if self.readable { self.receive_bytes(into) } else { Ok(None) }
    }
}

impl AnySocket for Socket {
    fn handle(&self) -> Handle<'_> {
        self.stream.handle()
    }

    fn would_block(&self) {
        self.stream.would_block();
    }
}
