//! Events: what a machine reports to the log and to counters.
//!
//! Contract: an event is data. The observer reads the clock, formats and counts. A machine only says
//! what happened; it never waits for an observer and never fails because of one.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::outcome::Outcome;

/// Something that happened to a client's connection.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A client has connected.
    ConnectionFrom(SocketAddr),
    /// A client is now connected to this back end.
    ForwardedTo(SocketAddr),
    /// A connection or an exchange ended.
    Closed(&'a Closing<'a>),
}

/// The end of one connection or exchange.
#[derive(Clone, Debug)]
pub struct Closing<'a> {
    /// The role that served it.
    pub(crate) role: &'a str,
    /// The client.
    pub(crate) client: SocketAddr,
    /// The back end it was forwarded to, if any.
    pub(crate) backend: Option<SocketAddr>,
    /// Method and target, such as `GET /images/`; none for a relay.
    pub(crate) request: Option<&'a str>,
    /// The status code sent to the client.
    pub(crate) status: Option<u16>,
    /// Why the request was refused, if it was refused here and the status does not say it all.
    pub(crate) cause: Option<&'a str>,
    /// Bytes received from the client.
    pub(crate) bytes_in: u64,
    /// Bytes sent to the client.
    pub(crate) bytes_out: u64,
    /// Time spent in queues: from accept until a worker or loop took it up, and for a back end with room.
    pub(crate) queue: Duration,
    /// Time from the first attempt to connect until a back end accepted.
    pub(crate) connect: Option<Duration>,
    /// Time from the beginning until the first byte of the response.
    pub(crate) first: Option<Duration>,
    /// Time from the beginning to the end.
    pub(crate) total: Duration,
    /// Attempts on back ends that failed before this one.
    pub(crate) retries: u32,
    /// Who ended it, how, and in which phase.
    pub(crate) outcome: Outcome,
}

/// A receiver of events: the access log, counters, a test.
pub trait Observer: fmt::Debug + Send + Sync {
    /// False if the observer ignores [`Event::Closed`]; then machines do not remember request lines for it.
    fn wants_closings(&self) -> bool;

    /// Handles one event. It must return at once, since the machine is in the middle of its work.
    fn observe(&self, event: &Event<'_>);
}
