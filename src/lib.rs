//! *Giliran* is Indonesian for "turn": a round robin gives every back end its turn, an event loop gives
//! every connection its turn, a worker pool gives every socket its turn at a thread.
//!
//! The crate is a suite of small network programs (static web servers, a reverse proxy, two load
//! balancers) whose rules exist once and which two drivers serve: one whose threads wait, and one whose
//! loops ask. This page is the map of its nine rooms. Each may use only the rooms that stand above it
//! in this table; a test (`integration/boundaries/`) holds them to it.
//!
//! | room | what it owns | may use |
//! |---|---|---|
//! | [`balance`] | whose turn it is: groups of back ends, health, the queue, routes by path. No socket, no clock | nothing |
//! | [`protocol`] | what bytes mean: HTTP, forwarding, the PROXY protocol, and three machines that serve one connection each. No socket, no clock, no file | `balance` |
//! | [`net`] | the only room that touches the operating system: sockets, clocks, signals, names, pipes | `protocol`, `balance` |
//! | [`site`] | pages and files: what a web server answers | `protocol`, `net` |
//! | [`observe`] | what is told while it runs: the log | `protocol` |
//! | [`threaded`] | the driver that waits: a pool of workers, and blocking calls in the order of the story | the rooms above |
//! | [`poll_loop`] | the driver that asks: event loops over nonblocking sockets | the same, but not `threaded` |
//! | [`app`] | from words to a running role: flags, the configuration file, the roles, the suite | the rooms above |
//! | [`lab`] | the course's experiment: load, measurements, lessons, reports | all |
//!
//! ```text
//!   bin/*.rs --> app ----> threaded --+--> protocol --> balance
//!                 |                   |       ^
//!                 +------> poll_loop -+--> site, net, observe
//! ```
//!
//! Three machines of [`protocol`] describe one client connection each. A driver holds the sockets, asks
//! a machine for its next [`Step`](protocol::interest::Step) and its
//! [`Interest`](protocol::interest::Interest), does what they say, and reports what came of it:
//!
//! | machine | a client connection that is | told as a story in | asked by a loop in |
//! |---|---|---|---|
//! | [`Web`](protocol::web::Web) | answered from a [`Site`](site::Site) | `threaded/web.rs` | `poll_loop/web.rs` |
//! | [`Exchange`](protocol::exchange::Exchange) | forwarded request by request to a back end | `threaded/gateway.rs` | `poll_loop/gateway.rs` |
//! | [`Relay`](protocol::relay::Relay) | joined byte for byte to a back end | `threaded/relay.rs` | `poll_loop/relay.rs` |
//!
//! **Where to begin reading.** `threaded/relay.rs`, whose `serve` is three lines; then
//! `threaded/session.rs`, which moves the bytes; then `protocol/relay/mod.rs`, which decides; then their
//! twins in `poll_loop`. `docs/side-by-side.md` leads from accept to close in eight files for each driver.
#![forbid(unsafe_code)]

pub mod app;
pub mod balance;
pub mod lab;
pub mod net;
pub mod observe;
mod poll_loop;
pub mod protocol;
pub mod site;
mod threaded;
