//! One check of one back end: connect, send the request, read the status.
//!
//! Contract: [`proceed`](Check::proceed) never blocks; it is called for each event of the socket until it
//! has a result. The deadline is watched by the caller.

use std::fmt;
use std::time::Instant;

use mio::net::TcpStream;

use crate::balance::health::ProbeResult;
use crate::balance::limits::{CHECK_ANSWER_BYTES_MAX, CHECK_TIMEOUT};
use crate::net::connect::{self, ConnectError};
use crate::net::io::{self, Moved};
use crate::net::socket::{AnySocket, Handle};
use crate::net::tls::{Arrived, Carrier, TlsStream};

/// A check under way. Dropping it closes its connection.
pub(super) struct Check {
    stream: TcpStream,
    tls: Option<TlsStream>,
    deadline: Instant,
    is_connected: bool,
    /// There is a request; else a connection is enough.
    asks: bool,
    /// What is still to be sent.
    request: Vec<u8>,
    /// The first bytes of the response.
    response: Vec<u8>,
}

/// Why a check failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum CheckError {
    /// No connection could be made.
    Connect(ConnectError),
    /// The connection could not be encrypted.
    Tls(String),
    /// The deadline passed.
    TimedOut,
    /// The connection was closed or reset before the status was there.
    Closed,
    /// The response is not HTTP/1.
    NotHttp,
    /// The server says by this status that it does not work.
    Status(u16),
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckError::Connect(error) => error.fmt(f),
            CheckError::Tls(fault) => write!(f, "no TLS with it: {fault}"),
            CheckError::TimedOut => write!(f, "no response within {} s", CHECK_TIMEOUT.as_secs()),
            CheckError::Closed => f.write_str("closed without a response"),
            CheckError::NotHttp => f.write_str("the response is not HTTP"),
            CheckError::Status(status) => write!(f, "the status is {status}"),
        }
    }
}

/// A socket that is read without waiting.
struct Raw<'s> {
    stream: &'s TcpStream,
    /// The last read has found nothing, or none was made.
    is_empty: bool,
}

impl Raw<'_> {
    fn new(stream: &TcpStream) -> Raw<'_> {
        Raw { stream, is_empty: true }
    }
}

impl Carrier for Raw<'_> {
    fn read(&mut self, into: &mut [u8]) -> Moved {
        let moved = io::receive(self.stream, into);
        self.is_empty = matches!(moved, Ok(None));
        moved
    }
}

impl AnySocket for Raw<'_> {
    fn handle(&self) -> Handle<'_> {
        self.stream.handle()
    }

    fn would_block(&self) {
        self.stream.would_block();
    }
}

impl Check {
    /// A check over a connection that is being made. Without a `request`, that it is made is enough.
    pub(super) fn new(
        stream: TcpStream,
        tls: Option<TlsStream>,
        request: Vec<u8>,
        deadline: Instant,
    ) -> Check {
        Check {
            stream,
            tls,
            deadline,
            is_connected: false,
            asks: !request.is_empty(),
            request,
            response: Vec::new(),
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Does what can be done without waiting; the result once there is one.
    pub(super) fn proceed(&mut self) -> Option<Result<(), CheckError>> {
        if !self.is_connected {
            match connect::finish(&self.stream) {
                Ok(true) => self.is_connected = true,
                Ok(false) => return None,
                Err(error) => return Some(Err(CheckError::Connect(error))),
            }
        }
        if let Some(tls) = &mut self.tls {
            let mut raw = Raw::new(&self.stream);
            loop {
                match tls.shake_hands(&mut raw) {
                    Ok(true) => break,
                    Ok(false) if raw.is_empty => return None,
                    // More is there than one read takes, and no event will tell of it.
                    Ok(false) => {}
                    Err(error) => return Some(Err(CheckError::Tls(error.to_string()))),
                }
            }
        }
        if !self.asks {
            return Some(Ok(()));
        }
        while !self.request.is_empty() {
            let sent = match &mut self.tls {
                Some(tls) => tls.send(&self.stream, [&self.request, &[]]),
                None => io::send(&self.stream, [&self.request, &[]], false),
            };
            match sent {
                Ok(Some(count)) => drop(self.request.drain(..count)),
                Ok(None) => return None,
                Err(_) => return Some(Err(CheckError::Closed)),
            }
        }
        loop {
            // Room for a whole small response although only its start is looked at: bytes that stay unread
            // would make the close a reset.
            let mut bytes = [0; 2048];
            let received = match &mut self.tls {
                Some(tls) => match tls.receive(&mut bytes, &mut Raw::new(&self.stream)) {
                    Ok(Arrived::Bytes(count)) => Ok(Some(count)),
                    Ok(Arrived::Handshake) => continue,
                    Ok(Arrived::Nothing | Arrived::PlainHttp) => Ok(None),
                    Err(error) => Err(error),
                },
                None => io::receive(&self.stream, &mut bytes),
            };
            match received {
                Ok(Some(0)) | Err(_) => return Some(Err(CheckError::Closed)),
                Ok(None) => return None,
                Ok(Some(count)) => {
                    let room = CHECK_ANSWER_BYTES_MAX - self.response.len();
                    self.response.extend_from_slice(&bytes[..count.min(room)]);
                }
            }
            match ProbeResult::read(&self.response) {
                ProbeResult::Incomplete => {}
                ProbeResult::Passed => return Some(Ok(())),
                ProbeResult::ServerError(status) => return Some(Err(CheckError::Status(status))),
                ProbeResult::NotHttp => return Some(Err(CheckError::NotHttp)),
            }
        }
    }
}
