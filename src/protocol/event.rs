//! What a machine tells while it works: events for the log and for counters.
//!
//! Contract: events are data. Who observes them reads the clock, formats and counts; a machine only
//! says what happened, and neither waits nor fails because of it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::outcome::Outcome;

/// Something that happened to a client's connection.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A client came.
    ConnectionFrom(SocketAddr),
    /// A client was given this back end.
    ForwardedTo(SocketAddr),
    /// A connection or an exchange ended.
    Closed(&'a Closing<'a>),
}

/// The end of one connection or exchange.
#[derive(Clone, Debug)]
pub struct Closing<'a> {
    /// The role that served it.
    pub role: &'a str,
    /// Who asked.
    pub client: SocketAddr,
    /// The back end it was forwarded to, if any.
    pub backend: Option<SocketAddr>,
    /// Method and target, such as `GET /images/`; none on a relay.
    pub request: Option<&'a str>,
    /// The status sent to the client.
    pub status: Option<u16>,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
    /// From accept to the first work on it.
    pub queue: Duration,
    /// Until the back end accepted.
    pub connect: Option<Duration>,
    /// Until the first byte of the response.
    pub first: Option<Duration>,
    /// From first to last.
    pub total: Duration,
    /// Back ends tried without success before.
    pub retries: u32,
    /// Who ended it, how, and in which phase.
    pub outcome: Outcome,
}

/// Whoever is told of events: the access log, counters, a test.
pub trait Observer: fmt::Debug + Send + Sync {
    /// False if [`Event::Closed`] is of no use: then no request line is remembered for it.
    fn wants_closings(&self) -> bool;

    /// Takes note of one event, at once: the machine that tells it is in the middle of its work.
    fn observe(&self, event: &Event<'_>);
}
