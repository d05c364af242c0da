//! Events: what a machine reports to the log and to counters.
//!
//! Contract: an event is data. The observer reads the clock, formats and counts. A machine only says
//! what happened; it never waits for an observer and never fails because of one.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::guard::Guard;
use super::http::Version;
use super::outcome::Outcome;
use super::transport::Secured;

/// The client connection that an event is about.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    /// Its number: the connections of all roles of this process are counted from 1.
    pub(crate) number: u64,
    /// The role that serves it.
    pub(crate) role: &'a str,
    /// The client.
    pub(crate) client: SocketAddr,
    /// It is a health check, as far as can be seen, and nothing is wrong with it: no news.
    pub(crate) is_check: bool,
    /// How it is encrypted, if it is.
    pub(crate) secured: Option<&'a Secured>,
}

/// Something that happened to a client's connection.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A client has connected.
    ConnectionFrom,
    /// A client is now connected to a back end: its address, and the host as it was named if that was by a name.
    ForwardedTo(SocketAddr, Option<&'a str>),
    /// A server has received this request head.
    RequestHead(&'a [u8]),
    /// A server sends this response head.
    ResponseHead(&'a [u8]),
    /// A connection or an exchange ended.
    Closed(&'a Closing<'a>),
}

/// The end of one connection or exchange.
#[derive(Clone, Debug)]
pub struct Closing<'a> {
    /// The back end it was forwarded to, if any.
    pub(crate) backend: Option<SocketAddr>,
    /// The number of its group of back ends, if it has one and was routed.
    pub(crate) group: Option<usize>,
    /// The route of the request, as it is configured; none for the default, and where nothing is routed.
    pub(crate) route: Option<&'a str>,
    /// The identifier of the request, if it has one: see `request_id`.
    pub(crate) request_id: Option<&'a str>,
    /// Method and target, such as `GET /images/`, as the client sent them; none for a relay.
    pub(crate) request: Option<&'a [u8]>,
    /// The version of HTTP that the request was read as; none if it could not be read.
    pub(crate) version: Option<Version>,
    /// The host that was asked for.
    pub(crate) host: Option<&'a [u8]>,
    /// `User-Agent` of the request.
    pub(crate) user_agent: Option<&'a [u8]>,
    /// `Referer` of the request.
    pub(crate) referer: Option<&'a [u8]>,
    /// The user who has proved with a password who it is.
    pub(crate) user: Option<&'a [u8]>,
    /// Whom a trusted proxy in front says that it asks for.
    pub(crate) forwarded_for: Option<IpAddr>,
    /// The status code sent to the client.
    pub(crate) status: Option<u16>,
    /// The status code that the back end answered.
    pub(crate) backend_status: Option<u16>,
    /// The guard that refused it.
    pub(crate) guard: Option<Guard>,
    /// Why the request was refused, if it was refused here and the status does not say it all.
    pub(crate) cause: Option<&'a str>,
    /// Bytes received from the client.
    pub(crate) bytes_in: u64,
    /// Bytes sent to the client.
    pub(crate) bytes_out: u64,
    /// Those of them that belong to the body of the response, framing included.
    pub(crate) body_out: u64,
    /// Time spent in queues: from accept until a worker or loop took it up, and for a back end with room.
    pub(crate) queue: Duration,
    /// Time from the first attempt to connect until a back end accepted; none if an idle connection was used.
    pub(crate) connect: Option<Duration>,
    /// Time from the beginning until the first byte of the response; none if no byte was sent to the client.
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

    /// True if the observer uses [`Event::RequestHead`] and [`Event::ResponseHead`]; else they are not reported.
    fn wants_heads(&self) -> bool {
        false
    }

    /// Handles one event. It must return at once, since the machine is in the middle of its work.
    fn observe(&self, connection: &Connection<'_>, event: &Event<'_>);
}

/// The number of the next connection.
pub(crate) fn next_connection_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
impl Closing<'_> {
    /// An end of which nothing else is known.
    pub(crate) fn of(outcome: Outcome) -> Closing<'static> {
        let now = super::testing::start();
        super::timing::Timing::open(now.instant, &now).closing(outcome, &now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Silent;

    #[test]
    fn connections_are_counted_and_heads_are_reported_to_those_who_ask() {
        let [first, second] = [(); 2].map(|()| next_connection_number());
        assert!(0 < first && first < second);
        assert!(!Silent.wants_heads());
    }
}
