//! The names of back ends: their addresses (A and AAAA) and the records of services (SRV), looked up at the start and
//! followed while the program runs.
//!
//! Contract: one thread a role does all look-ups, and no connection waits for it. What a name server sends is bounded
//! and checked; whatever it sends or does not send, the back ends from before stay until it names others.
//!
//! The queries are sent from here, because the system's resolver tells neither how long an address holds (the TTL) nor
//! what a service has. It is still asked for all that name servers do not know: [`Resolver`] has the order.
//!
//! | file | what it owns |
//! |---|---|
//! | `group` | a group of back ends, the names they come from, and when each is looked up again |
//! | `watch` | the thread that does it |
//! | `resolver` | from a name to its addresses: whom to ask, and in which order |
//! | `service` | from the SRV records of a service to back ends with a weight |
//! | `servers` | the name servers and how to ask them: `/etc/resolv.conf`, or flags |
//! | `hosts` | which names the hosts file has |
//! | `transport` | one query to one server: UDP, then TCP |
//! | `message` | queries as bytes, and what a response says |

mod group;
mod hosts;
mod message;
mod resolver;
mod servers;
mod service;
mod transport;
mod watch;

pub(crate) use group::ResolvedGroup;
pub(crate) use resolver::Resolver;
pub(crate) use servers::DNS_PORT;
pub(crate) use watch::{DnsWatcher, LookUps, Pace};
