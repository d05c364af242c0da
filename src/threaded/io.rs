//! Sockets whose calls wait as long as they are told, and no longer.
//!
//! Contract: a call waits at most the time it is given. How it waits is decided here, and nowhere in
//! the stories of `web`, `gateway` and `relay`: by the socket's own receive timeout or by `poll(2)`,
//! after a look that does not wait where bytes are likely, through a buffer or through a pipe.

use std::fs::File;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::worker::TICK;
use crate::net::clock;
use crate::net::io::{self, Moved, SOCKETS_BLOCK};
use crate::net::listen::ACCEPTED_INHERIT_TIMEOUT;
use crate::net::pipe::{Pipe, StreamPipe};
use crate::net::session::Stream;
use crate::net::socket::{AnySocket, Handle};
use crate::net::tls::{Arrived, Carrier, TlsStream};
use crate::net::wait::{self, Readiness};
use crate::protocol::interest::Interest;
use crate::protocol::machine::Received;

/// A blocking socket, and what is known of it.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// The receive timeout that is set (`SO_RCVTIMEO`): changed only when it does not fit, so it
    /// costs one call a connection and not one a read.
    timeout: Option<Duration>,
    /// A send timeout is set (`SO_SNDTIMEO`).
    sends_are_limited: bool,
    /// It is in nonblocking mode: then `poll(2)` waits. From the start where sockets do not block.
    nonblocking: bool,
    /// The last write found it full.
    full: bool,
    look: Look,
    tls: Option<Box<TlsStream>>,
}

/// An optimization, to be skipped at first reading: whether bytes are so likely that a read which does not
/// wait is cheaper than asking `poll(2)` first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Look {
    /// They are: while the back end was being connected, the client has mostly sent its request.
    Now,
    /// After the first read: a back end that answers once has mostly closed by the time its response
    /// is out. Once only, for one that goes on talking would be asked in vain each time.
    AfterFirstRead,
    /// They are not.
    No,
}

/// Which of two sockets can be read now, and how long that read may still wait.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ready {
    pub(crate) read_client: bool,
    pub(crate) read_backend: bool,
    /// A watched client's connection has failed.
    pub(crate) client_failed: bool,
    /// There is room again in a socket that was full.
    pub(crate) has_room: bool,
    /// How long the read may wait: none of the time was used if it is the only thing awaited.
    pub(crate) limit: Duration,
    /// Only a look, without a wait before it: that nothing has come proves nothing.
    pub(crate) is_look: bool,
}

impl Socket {
    /// A socket that was accepted: it has the timeout of its listener.
    pub(crate) fn accepted(stream: TcpStream) -> Socket {
        let timeout = ACCEPTED_INHERIT_TIMEOUT.then_some(TICK);
        Socket { timeout, look: Look::Now, ..Socket::connected(stream) }
    }

    /// A socket that we connected.
    pub(crate) fn connected(stream: TcpStream) -> Socket {
        Socket {
            stream,
            timeout: None,
            sends_are_limited: false,
            nonblocking: !SOCKETS_BLOCK,
            full: false,
            look: Look::AfterFirstRead,
            tls: None,
        }
    }

    /// Reads; waits for the first byte at most `limit`, and not at all if that is zero.
    fn receive_bytes(&mut self, into: &mut [u8], limit: Duration) -> Moved {
        // What is asked for is often there already: a first read does without a timeout.
        if limit.is_zero() || self.timeout.is_none() || self.nonblocking {
            let moved = io::receive(&self.stream, &mut *into);
            if limit.is_zero() || !matches!(moved, Ok(None)) {
                return moved;
            }
        }
        if self.nonblocking {
            self.wait_for_bytes(limit);
            return io::receive(&self.stream, into);
        }
        // A shorter timeout than allowed does as well: the caller looks at its deadline and comes again.
        let fits = self.timeout.is_some_and(|set| set <= limit && set >= limit / 2);
        if !fits {
            self.stream.set_read_timeout(Some(limit))?;
            self.timeout = Some(limit);
        }
        io::receive_waiting(&self.stream, into)
    }

    /// Reads into `space`, or into the pipe if the stream `may_be_piped` and there is one; waits for
    /// the first byte at most `limit`.
    pub(crate) fn receive<'s>(
        &mut self,
        pipe: &mut StreamPipe,
        may_be_piped: bool,
        space: impl FnOnce() -> &'s mut [u8],
        limit: Duration,
    ) -> std::io::Result<Received> {
        if let Some(tls) = self.tls.take() {
            return self.receive_secure(tls, space(), limit);
        }
        let (moved, received): (_, fn(usize) -> Received) = match pipe.acquire(may_be_piped) {
            Some(pipe) => (self.fill(pipe, limit)?, Received::Piped),
            None => (self.receive_bytes(space(), limit)?, Received::Buffered),
        };
        let is_first = self.look == Look::AfterFirstRead;
        // When the last piece of a long stream is out, the next one has mostly come.
        self.look = if is_first || may_be_piped { Look::Now } else { Look::No };
        Ok(moved.map_or(Received::Nothing, received))
    }

    /// Reads and decrypts.
    fn receive_secure(
        &mut self,
        mut tls: Box<TlsStream>,
        space: &mut [u8],
        limit: Duration,
    ) -> std::io::Result<Received> {
        let arrived = tls.receive(space, &mut Limited { socket: self, limit });
        self.look = if tls.has_received() { Look::Now } else { Look::No };
        if !matches!(arrived, Ok(Arrived::PlainHttp)) {
            self.tls = Some(tls);
        }
        arrived.map(Received::from)
    }

    /// Agrees with the back end on how to encrypt the connection, until this moment at the latest.
    pub(crate) fn shake_hands(&mut self, mut tls: Box<TlsStream>, until: Instant) -> std::io::Result<()> {
        loop {
            let limit = until.saturating_duration_since(clock::now().instant).min(TICK);
            if limit.is_zero() {
                return Err(std::io::ErrorKind::TimedOut.into());
            }
            if tls.shake_hands(&mut Limited { socket: self, limit })? {
                if tls.has_received() {
                    self.look = Look::Now; // the first bytes have come with the end of the handshake
                }
                self.tls = Some(tls);
                return Ok(());
            }
        }
    }

    fn fill(&mut self, pipe: &mut Pipe, limit: Duration) -> Moved {
        self.stop_blocking()?;
        let moved = pipe.fill(&self.stream);
        if limit.is_zero() || !matches!(moved, Ok(None)) {
            return moved;
        }
        self.wait_for_bytes(limit);
        pipe.fill(&self.stream)
    }

    /// `splice(2)` has no flag against waiting for a socket, so from its first pipe on a socket does
    /// not block at all.
    fn stop_blocking(&mut self) -> std::io::Result<()> {
        if !std::mem::replace(&mut self.nonblocking, true) {
            self.stream.set_nonblocking(true)?;
        }
        Ok(())
    }

    fn wait_for_bytes(&self, limit: Duration) {
        let bytes = Readiness { read: true, ..Readiness::default() };
        wait::wait([(self.handle(), bytes), (self.handle(), Readiness::default())], limit);
    }

    /// Sends what fits of the bytes in the pipe, or of two slices if it holds none; `None` if nothing
    /// fits. `more` if a file follows at once.
    pub(crate) fn send(&mut self, pipe: &mut StreamPipe, slices: [&[u8]; 2], more: bool) -> Moved {
        if self.full {
            return Ok(None);
        }
        if let Some(tls) = &mut self.tls {
            let moved = tls.send(&self.stream, slices);
            self.full = matches!(moved, Ok(None));
            return moved;
        }
        let moved = match pipe.filled() {
            Some(pipe) => {
                self.stop_blocking()?;
                pipe.drain(&self.stream)
            }
            None => io::send(&self.stream, slices, more),
        };
        self.full = matches!(moved, Ok(None));
        moved
    }

    /// Sends what fits of a file. If it `may_wait`, a socket in blocking mode waits for room, a tick at most:
    /// `sendfile(2)` has no flag against that.
    pub(crate) fn send_file(&mut self, file: &File, offset: u64, length: u64, may_wait: bool) -> Moved {
        if self.full {
            return Ok(None);
        }
        if let Some(tls) = &mut self.tls {
            let moved = tls.send_file(&self.stream, file, offset, length);
            self.full = matches!(moved, Ok(None));
            return moved;
        }
        if !may_wait {
            self.stop_blocking()?;
        } else if SOCKETS_BLOCK && !self.sends_are_limited {
            self.stream.set_write_timeout(Some(TICK))?;
            self.sends_are_limited = true;
        }
        let moved = io::send_file(&self.stream, file, offset, length);
        self.full = matches!(moved, Ok(None));
        moved
    }

    /// True if plain bytes, or the end of them, have come over an encrypted connection and were not read yet.
    pub(crate) fn holds_unread(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_received())
    }

    /// The poller has said so: to ask `poll(2)` again would be in vain.
    pub(crate) fn expect_bytes(&mut self) {
        self.look = Look::Now;
    }

    /// True, once, if a look is worth it.
    fn takes_look(&mut self) -> bool {
        let looks = self.look == Look::Now;
        if looks {
            self.look = Look::No;
        }
        looks
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

/// A socket that is read for so long at most.
struct Limited<'s> {
    socket: &'s mut Socket,
    limit: Duration,
}

impl Carrier for Limited<'_> {
    fn read(&mut self, into: &mut [u8]) -> Moved {
        self.socket.receive_bytes(into, self.limit)
    }
}

impl AnySocket for Limited<'_> {
    fn handle(&self) -> Handle<'_> {
        self.socket.handle()
    }
}

impl AnySocket for Socket {
    fn handle(&self) -> Handle<'_> {
        self.stream.handle()
    }
}

/// Waits until one of the things of `interest` can be done, at most `limit`.
///
/// If a single read is all that is awaited, this returns at once and leaves the wait to the read.
pub(crate) fn wait(
    interest: &Interest,
    client: &mut Socket,
    mut backend: Option<&mut Socket>,
    limit: Duration,
) -> Ready {
    let Interest { read_client, write_client, watch_client, read_backend, write_backend } = *interest;
    let read_backend = read_backend && backend.is_some();
    if !write_client && !watch_client && !write_backend && read_client != read_backend {
        return Ready { read_client, read_backend, limit, ..Ready::default() };
    }
    let look_at_client = read_client && client.takes_look();
    let look_at_backend = read_backend && backend.as_deref_mut().is_some_and(Socket::takes_look);
    if look_at_client || look_at_backend {
        return Ready {
            read_client: look_at_client,
            read_backend: look_at_backend,
            is_look: true,
            ..Ready::default()
        };
    }
    let of_client = Readiness { read: read_client, write: write_client, failed: watch_client };
    let of_backend = match &backend {
        Some(_) => Readiness { read: read_backend, write: write_backend, failed: false },
        None => Readiness::default(),
    };
    let second = backend.as_deref().map_or(client.handle(), Socket::handle);
    let [of_client, of_backend] = wait::wait([(client.handle(), of_client), (second, of_backend)], limit);
    client.full &= !of_client.write;
    if let Some(backend) = backend {
        backend.full &= !of_backend.write;
    }
    Ready {
        read_client: of_client.read,
        read_backend: of_backend.read,
        client_failed: watch_client && of_client.failed,
        has_room: of_client.write || of_backend.write,
        ..Ready::default()
    }
}
