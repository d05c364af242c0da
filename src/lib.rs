//! *Giliran* is Indonesian for "turn": a round robin gives every back end its turn, an event loop gives
//! every connection its turn, a worker pool gives every socket its turn at a thread.
//!
//! The crate is a suite of small network programs, each of which serves its clients in one of two ways:
//!
//! - the **threaded** model: a fixed number of threads, each of which waits in blocking calls for the one
//!   connection that it serves;
//! - the **async** model (`--model async`, the folder `poll_loop`): event loops over nonblocking sockets,
//!   each of which serves all of its connections and waits for none of them. It needs no `async fn`.
//!
//! | program | what it does | how a connection is served | begin reading at |
//! |---|---|---|---|
//! | `lb-threaded`, `lb-async` with `--mode tcp` (the default) | balances bytes over back ends | relay | `threaded/relay.rs`, `poll_loop/relay.rs` |
//! | the same with `--mode http`, and `reverse-proxy` | balances requests, routes them by path | gateway | `threaded/gateway.rs`, `poll_loop/gateway.rs` |
//! | `default-server`, `image-server`, `pdf-server`, `web-server` | answers from a folder | web | `threaded/web.rs`, `poll_loop/web.rs` |
//! | `suite`, `lab` | starts all of them; measures them | | `app/suite.rs`, `lab/mod.rs` |
//! | `giliran` | all of the above as commands of one program, to install | | `app/program/mod.rs` |
//!
//! `app/roles.rs` turns the flags of each program into its service.
//!
//! The same rules have to hold for both models, so the rules never touch a socket: they are *machines* that
//! are given bytes and the time, and say what has to be done. A *driver* owns the sockets and does it, in its
//! own way of waiting. That is why the crate is divided as it is. Each of its nine modules (we call them
//! rooms) may use only the rooms that stand above it in this table; a test (`integration/boundaries`)
//! holds them to it.
//!
//! | room | what it owns | may use |
//! |---|---|---|
//! | [`balance`] | whose turn it is: groups of back ends, policies, health, the queue, routes by path. No socket, no clock | nothing |
//! | [`protocol`] | what bytes mean: HTTP, forwarding, the PROXY protocol, and three machines, each of which serves one client connection. No socket, no clock, no file | `balance` |
//! | [`net`] | the only room that touches the operating system: sockets, clocks, signals, names, pipes | `protocol`, `balance` |
//! | [`site`] | pages and files: what a web server answers | `protocol`, `net` |
//! | [`observe`] | what is told while it runs: the log, counters, the status page | `balance`, `protocol`, `net` |
//! | [`threaded`] | the threaded driver: a pool of workers, and blocking calls in the order of the story | the rooms above |
//! | [`poll_loop`] | the async driver: event loops over nonblocking sockets | the same, but not `threaded` |
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
//! | machine | a client connection that is | threaded driver | async driver |
//! |---|---|---|---|
//! | [`Web`](protocol::web::Web) | answered from a [`Site`](site::Site) | `threaded/web.rs` | `poll_loop/web.rs` |
//! | [`Exchange`](protocol::exchange::Exchange) | forwarded request by request to a back end | `threaded/gateway.rs` | `poll_loop/gateway.rs` |
//! | [`Relay`](protocol::relay::Relay) | joined byte for byte to a back end | `threaded/relay.rs` | `poll_loop/relay.rs` |
//!
//! **Ten words.** *Driver*: the code that owns sockets and waits. *Machine*: the rules of one connection.
//! *Step*: the next thing a machine wants done. *Interest*: which bytes it wants moved. *Turn*: a back end's
//! turn in the round robin. *Parked*: waiting without a worker (threaded). *Due*: to be served in this
//! iteration of a loop (async). *Permit*: one of the connections that may be open at a time. *Drain*: after
//! SIGTERM, finishing what is in flight and accepting nothing new. *Queue*: there are three, the kernel's
//! backlog, the worker queue (threaded), and the queue for a back end that has a limit.
//!
//! **Where to begin reading.** `threaded/relay.rs`, whose `serve` is three lines; then
//! `threaded/session.rs`, which moves the bytes; then `protocol/relay/mod.rs`, which decides; then their
//! twins in `poll_loop`. What both drivers hold of a connection is in `net/session.rs`. `docs/side-by-side.md` leads from accept to close in eight files for each driver.
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
