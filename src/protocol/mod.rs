//! The protocol rules: what the bytes of a connection mean, and what has to be done about them.
//!
//! This room owns HTTP/1.0 and 1.1, the forwarding of a gateway, the PROXY protocol, and three state
//! machines, each of which serves one client connection. Both drivers, [`threaded`](crate::threaded) and
//! [`poll_loop`](crate::poll_loop), run the same machines, so that every rule is written once.
//!
//! Contract: no socket, no clock and no file in here. Into a machine go received bytes, the results of
//! connects, sends and other calls, and the time ([`Now`](now::Now)). Out of it come
//!
//! - bytes to send,
//! - the next [`Step`](interest::Step), an order that the driver carries out,
//! - its [`Interest`](interest::Interest): which bytes can be moved now,
//! - its deadline: when to call `expired` if nothing happens before,
//! - at the end an [`Outcome`](outcome::Outcome): who ended the connection, how, and in which phase.
//!
//! So a test can drive a machine with bytes and moments of its own choice, and no test has to wait.
//!
//! Read [`relay`] first: it is the smallest machine and has every part that the others have. Then
//! [`web`], then [`exchange`].
//!
//! | file | what it owns |
//! |---|---|
//! | **machines** | |
//! | [`relay`] | a client connected to a back end, byte for byte in both directions |
//! | [`web`] | a client whose requests are answered from a site |
//! | [`exchange`] | a client whose requests are forwarded to back ends, one at a time |
//! | **what a machine and its driver tell each other** | |
//! | [`interest`] | what a machine asks of its driver |
//! | [`now`] | the time, as the driver read it |
//! | [`outcome`] | how a connection ended |
//! | [`context`], `timeouts` | the settings that all connections of a role share |
//! | `event` | what a machine reports for the log and for counters |
//! | **rules and parts that machines share** | |
//! | [`http`] | heads, framing, bodies, dates and our own responses |
//! | [`forward`] | how a gateway rewrites heads |
//! | [`route`] | what a gateway does with the requests of one route |
//! | `request_id` | the identifier of a request, for the logs of all programs on its way |
//! | [`guard`] | which requests are refused before anybody answers them: by address, rate, password, length |
//! | [`proxy_header`] | the PROXY protocol, by which a proxy in front of us sends the client's address |
//! | `transport` | whether a client's connection is encrypted, and how |
//! | `cidr` | blocks of addresses |
//! | [`buffer`] | the bounded buffer of one direction |
//! | [`limits`] | every bound and every default time limit, with its reason |
//! | `linger` | the lingering close after a last response |
//! | `timing` | the times and byte counts of one exchange |
//! | `health_check` | how a health check of our own kind is recognised |
//! | `idle_client` | what is remembered of a client between two requests |
//! | `logged_request` | what the access log tells of a request |

pub mod buffer;
pub(crate) mod cidr;
pub mod context;
pub(crate) mod event;
pub mod exchange;
pub mod forward;
pub mod guard;
pub(crate) mod health_check;
pub mod http;
pub(crate) mod idle_client;
pub mod interest;
pub mod limits;
pub(crate) mod linger;
pub(crate) mod logged_request;
pub(crate) mod machine;
pub mod now;
pub mod outcome;
pub mod proxy_header;
pub mod relay;
pub(crate) mod request_id;
pub mod route;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod timeouts;
pub(crate) mod timing;
pub(crate) mod transport;
pub mod web;
