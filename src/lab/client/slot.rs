//! One of the clients of a crowd: it asks, reads, and is told when it may ask again.
//!
//! Contract: a slot has at most one request under way, and every request ends in one [`Done`].

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::answer::Answer;
use super::tally::Fault;
use crate::net::connect::ConnectError;

/// What all slots of a run ask for.
#[derive(Debug)]
pub(super) struct Order<'o> {
    pub(super) address: SocketAddr,
    pub(super) request: &'o [u8],
    pub(super) expected: &'o [u8],
    pub(super) keep_alive: bool,
}

/// A client.
#[derive(Debug)]
pub(super) struct Slot {
    token: Token,
    stream: Option<TcpStream>,
    phase: Phase,
    answer: Answer,
    /// When the request under way was begun.
    pub(super) begun: Instant,
    connected: Option<Instant>,
    first_byte: Option<Instant>,
    /// The connection has carried an answer before.
    is_kept: bool,
    /// Kept connections found closed by the server, to be asked for with [`Slot::take_reopened`].
    reopened: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Idle,
    Connecting,
    /// So many bytes of the request are sent.
    Writing(usize),
    Reading,
}

/// How a request ended.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) outcome: Result<(), Fault>,
    /// From the begin; `None` on a kept connection.
    pub(super) connect: Option<Duration>,
    pub(super) first_byte: Option<Duration>,
    pub(super) total: Duration,
    pub(super) is_stray: bool,
}

impl Slot {
    /// A client that has not asked for anything yet.
    pub(super) fn new(number: usize) -> Slot {
        Slot {
            token: Token(number),
            stream: None,
            phase: Phase::Idle,
            answer: Answer::default(),
            begun: Instant::now(),
            connected: None,
            first_byte: None,
            is_kept: false,
            reopened: 0,
        }
    }

    /// True if no request is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// How many kept connections were found closed since the last call.
    pub(super) fn take_reopened(&mut self) -> u64 {
        std::mem::take(&mut self.reopened)
    }

    /// Begins a request, on the kept connection if there is one.
    pub(super) fn begin(&mut self, order: &Order<'_>, registry: &Registry) -> Option<Done> {
        self.begun = Instant::now();
        self.connected = None;
        self.first_byte = None;
        self.answer.clear();
        if self.stream.is_some() {
            self.is_kept = true;
            self.phase = Phase::Writing(0);
            return self.advance(order, registry, &mut []);
        }
        self.open(order, registry)
    }

    fn open(&mut self, order: &Order<'_>, registry: &Registry) -> Option<Done> {
        self.is_kept = false;
        self.phase = Phase::Connecting;
        let opened = TcpStream::connect(order.address).and_then(|mut stream| {
            registry.register(&mut stream, self.token, Interest::READABLE | Interest::WRITABLE)?;
            Ok(stream)
        });
        match opened {
            Ok(stream) => {
                self.stream = Some(stream);
                None
            }
            Err(error) => Some(self.end(Err(class(&error)))),
        }
    }

    /// Does whatever can be done without waiting. An empty `space` means: do not read yet.
    pub(super) fn advance(
        &mut self,
        order: &Order<'_>,
        registry: &Registry,
        space: &mut [u8],
    ) -> Option<Done> {
        if self.phase == Phase::Idle {
            // A kept connection that the server closes while nothing is asked of it; found at the next request.
            return None;
        }
        match self.work(order, space) {
            Ok(true) => {
                let verdict = self.answer.verdict(order.expected);
                Some(self.end(verdict))
            }
            Ok(false) => None,
            Err(fault) if self.is_kept && self.answer.is_untouched() && fault != Fault::TimedOut => {
                // The server may close a kept connection at any time, also as we ask: ask again, on a new one.
                self.reopened += 1;
                self.stream = None;
                self.open(order, registry)
            }
            Err(fault) => Some(self.end(Err(fault))),
        }
    }

    /// Gives the request up.
    pub(super) fn give_up(&mut self, fault: Fault) -> Done {
        self.end(Err(fault))
    }

    /// True once the answer is there, right or wrong.
    fn work(&mut self, order: &Order<'_>, space: &mut [u8]) -> Result<bool, Fault> {
        let Some(stream) = self.stream.as_mut() else { return Err(Fault::Other) };
        if self.phase == Phase::Connecting {
            if !is_connected(stream).map_err(|error| class(&error))? {
                return Ok(false);
            }
            self.connected = Some(Instant::now());
            self.phase = Phase::Writing(0);
        }
        while let Phase::Writing(sent) = self.phase {
            match stream.write(&order.request[sent..]) {
                Ok(count) if sent + count == order.request.len() => self.phase = Phase::Reading,
                Ok(count) => self.phase = Phase::Writing(sent + count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(class(&error)),
            }
        }
        while !space.is_empty() {
            match stream.read(space) {
                // The end of the stream is the end of the answer, whole or not: the verdict tells.
                Ok(0) if self.is_kept && self.answer.is_untouched() => return Err(Fault::Short),
                Ok(0) => return Ok(true),
                Ok(count) => {
                    self.first_byte.get_or_insert_with(Instant::now);
                    self.answer.take(&space[..count], order.expected)?;
                    // Without keep-alive the answer ends with the stream, as for `ab`: its close is
                    // part of the server's work, and stray bytes are seen.
                    if order.keep_alive && self.answer.is_whole() {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(class(&error)),
            }
        }
        Ok(false)
    }

    fn end(&mut self, outcome: Result<(), Fault>) -> Done {
        let now = Instant::now();
        let since = |instant: Instant| instant.duration_since(self.begun);
        let done = Done {
            outcome,
            connect: self.connected.map(since),
            first_byte: self.first_byte.map(since),
            total: since(now),
            is_stray: self.answer.is_stray,
        };
        let is_kept = done.outcome.is_ok() && self.answer.is_whole() && self.answer.keeps_connection();
        if !is_kept && let Some(stream) = self.stream.take() {
            // Closing deregisters; the shutdown only tells the server at once what the close will.
            let _ = stream.shutdown(Shutdown::Write);
        }
        self.phase = Phase::Idle;
        done
    }
}

/// False while it is still under way: see `mio::net::TcpStream::connect`.
fn is_connected(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// The class of a failed call.
fn class(error: &io::Error) -> Fault {
    match (error.kind(), ConnectError::from(error)) {
        (ErrorKind::ConnectionRefused, _) => Fault::Refused,
        (ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted, _) => {
            Fault::Reset
        }
        (ErrorKind::TimedOut, _) => Fault::TimedOut,
        (_, ConnectError::NoPorts) => Fault::NoPorts,
        _ => Fault::Other,
    }
}
