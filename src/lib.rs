//! *Giliran* is Indonesian for "turn": a round robin gives every back end its turn, an event loop
//! gives every connection its turn, a worker pool gives every socket its turn at a thread.
//!
//! The crate is one **core** under two **drivers**:
//!
//! ```text
//!             +----------------------- the core: no sockets, no clock --------------------+
//!             | http/  head  framing  body  response      site/  path  conditional  mime |
//!             | web   exchange   relay        route  balance  forward  proxy_protocol    |
//!             +---------------+-----------------------------------------+----------------+
//!                             |                                         |
//!             threaded/  pool web gateway relay          poll_loop/  reactor web gateway relay
//!             blocking calls, one thread waits           readiness, one thread serves all
//!                             |                                         |
//!             +---------------+--------------- edges ------------------+----------------+
//!             | net/ listen connect signals shutdown       log  status  config  cli      |
//!             +---------------------------------------------------------------------------+
//! ```
//!
//! The core holds every rule exactly once. Bytes, end of stream, connect results and [`now::Now`]
//! go in; bytes to send, what it waits for ([`wants::Wants`]), the next deadline and the
//! [`outcome::Outcome`] come out. A driver holds the sockets and differs from its twin in waiting only.
//!
//! Three machines of the core describe one client connection each:
//!
//! | machine | a client connection that is | threaded driver | poll-loop driver |
//! |---|---|---|---|
//! | [`web::Web`] | answered from a [`site::Site`] | `threaded/web.rs` | `poll_loop/web.rs` |
//! | [`exchange::Exchange`] | forwarded request by request to a back end | `threaded/gateway.rs` | `poll_loop/gateway.rs` |
//! | [`relay::Relay`] | joined byte for byte to a back end | `threaded/relay.rs` | `poll_loop/relay.rs` |
#![forbid(unsafe_code)]

pub mod app;
pub mod balance;
pub mod lab;
pub mod net;
pub mod observe;
pub mod poll_loop;
pub mod protocol;
pub mod site;
pub mod threaded;
