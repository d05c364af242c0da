//! One client: it sends a request, reads the response, and waits until it is told to send the next.
//!
//! Contract: a slot has at most one request under way, and every request ends in one [`Done`].
//!
//! ```text
//!   Idle --begin--> Connecting --connected--> Writing --all sent--> Reading --verdict--> Idle
//!     '---------- begin, on a kept connection ---^
//! ```
//!
//! With [serial connects](Connects::Serial) `begin` returns when the connect is over, in Reading.

use std::io::{self, ErrorKind, Read, Write};
use std::net;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::TICK;
use super::load::{Connects, Load};
use super::response::Response;
use super::tally::Fault;
use crate::net::connect::ConnectError;
use crate::net::shutdown::Shutdown;
use crate::net::socket::AnySocket;
use crate::net::wait::{Readiness, wait};

/// What is waited for in a connect.
const WRITABLE: Readiness = Readiness { read: false, write: true, failed: false };

/// What all slots of a run ask for.
#[derive(Debug)]
pub(super) struct Order<'l> {
    pub(super) load: &'l Load,
    /// The bytes of each request.
    pub(super) request: Vec<u8>,
    /// When the run began.
    pub(super) start: Instant,
    pub(super) stop: &'l Shutdown,
}

impl Order<'_> {
    /// True once the time of the run is over, or somebody stopped it.
    pub(super) fn is_over(&self) -> bool {
        self.start.elapsed() >= self.load.limit || self.stop.is_draining()
    }
}

/// A client.
#[derive(Debug)]
pub(super) struct Slot {
    token: Token,
    stream: Option<TcpStream>,
    phase: Phase,
    response: Response,
    /// When the request under way began.
    pub(super) begun: Instant,
    connected: Option<Instant>,
    first_byte: Option<Instant>,
    /// The connection has carried a response before.
    is_kept: bool,
    /// Kept connections that the server had closed; whoever counts them sets it to 0.
    pub(super) reopened: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Idle,
    Connecting,
    /// This many bytes of the request are sent.
    Writing(usize),
    Reading,
}

/// How a request ended.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) outcome: Result<(), Fault>,
    /// Since the request began, until the connect succeeded or the request ended without one; `None` on a kept
    /// connection.
    pub(super) connect: Option<Duration>,
    pub(super) first_byte: Option<Duration>,
    pub(super) total: Duration,
    pub(super) is_stray: bool,
}

impl Slot {
    /// A client that has not sent anything yet.
    pub(super) fn new(number: usize) -> Slot {
        Slot {
            token: Token(number),
            stream: None,
            phase: Phase::Idle,
            response: Response::default(),
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

    /// Begins a request, on the kept connection if there is one.
    pub(super) fn begin(&mut self, order: &Order<'_>, registry: &Registry) -> Option<Done> {
        self.begun = Instant::now();
        self.connected = None;
        self.first_byte = None;
        self.response.clear();
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
        let opened = TcpStream::connect(order.load.address).and_then(|mut stream| {
            registry.register(&mut stream, self.token, Interest::READABLE | Interest::WRITABLE)?;
            Ok(stream)
        });
        match opened {
            Ok(stream) => self.stream = Some(stream),
            Err(error) => return Some(self.end(Err(class(&error)))),
        }
        match order.load.connects {
            Connects::Overlapping => None,
            Connects::Serial => {
                self.wait_for_connect(order);
                self.advance(order, registry, &mut [])
            }
        }
    }

    /// Waits until the connect has succeeded or failed. Meanwhile no other client is looked at.
    fn wait_for_connect(&self, order: &Order<'_>) {
        let Some(stream) = &self.stream else { return };
        let asked = [(stream.handle(), WRITABLE), (stream.handle(), Readiness::default())];
        while !order.is_over() && self.begun.elapsed() < order.load.timeout {
            if wait(asked, TICK)[0] != Readiness::default() {
                return;
            }
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
            // The server closed a kept connection; the next request will find out.
            return None;
        }
        match self.work(order, space) {
            Ok(true) => {
                let verdict = self.response.verdict(&order.load.expected);
                Some(self.end(verdict))
            }
            Ok(false) => None,
            Err(fault) if self.is_kept && self.response.is_untouched() && fault != Fault::TimedOut => {
                // A server may close a kept connection at any time, also while we send: send again on a new one.
                self.reopened += 1;
                self.stream = None;
                self.open(order, registry)
            }
            Err(fault) => Some(self.end(Err(fault))),
        }
    }

    /// True once the response is complete, right or wrong.
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
        if space.is_empty() {
            // The response cannot be there yet.
            stream.would_block();
        }
        while !space.is_empty() {
            match stream.read(space) {
                Ok(0) if self.is_kept && self.response.is_untouched() => return Err(Fault::Short),
                // The end of the stream is the end of the response; the verdict says whether it is whole.
                Ok(0) => return Ok(true),
                Ok(count) => {
                    self.first_byte.get_or_insert_with(Instant::now);
                    self.response.take(&space[..count], &order.load.expected)?;
                    // Without keep-alive the response ends with the stream, as for `ab`: to close is
                    // part of the server's work, and stray bytes are seen.
                    if order.load.keep_alive && self.response.is_whole() {
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

    /// How long the connect of the request under way took, or has taken until `now`; `None` on a kept connection.
    pub(super) fn connect_time(&self, now: Instant) -> Option<Duration> {
        let until = self.connected.unwrap_or(now);
        (!self.is_kept).then(|| until.saturating_duration_since(self.begun))
    }

    /// Ends the request under way.
    pub(super) fn end(&mut self, outcome: Result<(), Fault>) -> Done {
        let now = Instant::now();
        let since = |instant: Instant| instant.duration_since(self.begun);
        let done = Done {
            outcome,
            connect: self.connect_time(now),
            first_byte: self.first_byte.map(since),
            total: since(now),
            is_stray: self.response.is_stray,
        };
        let is_kept = done.outcome.is_ok() && self.response.is_whole() && self.response.keeps_connection();
        if !is_kept && let Some(stream) = self.stream.take() {
            // To drop the stream closes it, but only this tells the server at once.
            let _ = stream.shutdown(net::Shutdown::Write);
        }
        self.phase = Phase::Idle;
        done
    }
}

/// False while the connection is not established: see `mio::net::TcpStream::connect`.
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
