//! The async driver: one thread serves all connections, and never waits for one of them.
//!
//! ```text
//!             +--------------------- one turn of a loop ---------------------+
//!   poll(2) --+--> listener: accept a batch                                  |
//!     ^       +--> socket: serve its connection until each call would wait   |
//!     |       +--> timers: deadlines that have come                          |
//!     +-------+--------------------------------------------------------------+
//! ```
//!
//! A connection is served as far as it goes without waiting; then its place in the story is in a
//! struct, not on a stack, and the loop goes on to the next. The price is that nothing may block:
//! not a name look-up, not a log line, not a read from a slow disk; for all would wait with it.
//!
//! No async runtime and no `async fn`: readiness comes from mio (epoll, kqueue), edge triggered,
//! with one registration a socket and none for a socket that never had to be waited for.
//!
//! | file | owns | twin in `threaded/` |
//! |---|---|---|
//! | `web` `gateway` `relay` | one connection of each service, phase by phase | the same names |
//! | `reactor` | the loop: events, timers, the end | `pool`, `lot` |
//! | `listeners` | who may come in during a turn, and when nobody may | `acceptor` |
//! | `places` `owners` | which connection an event is for | none: its worker knows |
//! | `bell` | how one is called that waits for a back end with room | the same name |
//! | `socket` | a socket that remembers what it is ready for | `socket`, which waits instead |

mod bell;
mod gateway;
mod listeners;
mod owners;
mod places;
mod reactor;
mod relay;
mod socket;
mod web;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use mio::Registry;
use mio::event::Event;

use crate::net::permits::Permits;
use crate::net::shutdown::Shutdown;
use crate::protocol::exchange::Gateway;
use crate::protocol::now::Now;
use crate::protocol::relay::RelayService;
use crate::protocol::web::WebService;
use crate::site::Site;
use bell::Bells;
use listeners::{Listeners, Tills};
use owners::Owners;
use reactor::Reactor;
use socket::Socket;

/// What the driver is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Poll loops, each with its own thread.
    pub loops: usize,
    /// Open client connections; further ones wait in the kernel's backlog.
    pub connections_max: usize,
    /// From the first signal to the end.
    pub drain: Duration,
}

/// Serves web clients until `shutdown`, then drains: returns when the last connection is gone or the
/// drain's time is over. `service` may be replaced meanwhile; it holds for connections accepted later.
///
/// Errors: threads or pollers that cannot be made; nothing that a client or a back end does.
pub fn serve_web(
    listeners: Vec<TcpListener>,
    service: &Arc<ArcSwap<WebService<Site>>>,
    settings: &Settings,
    shutdown: &Shutdown,
) -> io::Result<()> {
    run::<web::WebConnection>(listeners, service, settings, shutdown)
}

/// Serves the clients of a gateway; see [`serve_web`].
pub fn serve_gateway(
    listeners: Vec<TcpListener>,
    service: &Arc<ArcSwap<Gateway>>,
    settings: &Settings,
    shutdown: &Shutdown,
) -> io::Result<()> {
    run::<gateway::GatewayConnection>(listeners, service, settings, shutdown)
}

/// Serves the clients of a relay; see [`serve_web`].
pub fn serve_relay(
    listeners: Vec<TcpListener>,
    service: &Arc<ArcSwap<RelayService>>,
    settings: &Settings,
    shutdown: &Shutdown,
) -> io::Result<()> {
    run::<relay::RelayConnection>(listeners, service, settings, shutdown)
}

/// A kind of connection that a loop can serve.
pub(crate) trait Connection: Sized + 'static {
    /// The service it is accepted for.
    type Service: Send + Sync + 'static;
    /// What the connections of one loop share.
    type Local: Default;

    /// Takes up a client that was just accepted.
    fn accept(service: Arc<Self::Service>, client: Socket, peer: SocketAddr, now: &Now) -> Self;

    /// Serves it as far as it goes without waiting.
    fn serve(&mut self, around: &mut Around<'_, Self>) -> Turn;

    /// An event for one of its sockets: to be remembered, not yet acted on.
    fn note(&mut self, side: Side, event: &Event);

    /// When it is to be served even if nothing happens.
    fn deadline(&self) -> Option<Instant>;

    /// The drain's time is over: ends it here and now, and says so in the log.
    fn cut(&mut self, now: &Now);

    /// An event for a back end's connection that is kept idle: it was closed, or speaks unasked.
    fn drop_idle(_local: &mut Self::Local, _backend: usize) {}

    /// What the loop keeps between connections is looked over, once in a while.
    fn tidy(_local: &mut Self::Local, _owners: &mut Owners, _now: &Now) {}
}

/// Which of a connection's two sockets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Client,
    Backend,
}

/// What a connection finds around it while it is served.
pub(crate) struct Around<'l, C: Connection> {
    pub(crate) local: &'l mut C::Local,
    pub(crate) registry: &'l Registry,
    pub(crate) owners: &'l mut Owners,
    pub(crate) bells: &'l Arc<Bells>,
    /// The connection's own place in the loop's table.
    pub(crate) place: usize,
    /// The time of this turn.
    pub(crate) now: Now,
    pub(crate) is_draining: bool,
}

/// What the loop does with a connection that it has served for now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// It is over: drop it.
    Done,
    /// It waits for an event or its deadline.
    Wait,
    /// It could go on, but others wait: serve it again next turn.
    Again,
}

/// Calls that move bytes which one connection may make in a turn: 16 of 16 KiB are a quarter of a
/// megabyte, some 50 us; long bodies move in larger pieces, and files in what the socket takes, at
/// most a few megabytes. Then it is the others' turn.
pub(crate) const CALLS_A_TURN: usize = 16;

/// Starts the loops, which all wait at the same listeners, and waits for their end.
fn run<C: Connection>(
    listeners: Vec<TcpListener>,
    service: &Arc<ArcSwap<C::Service>>,
    settings: &Settings,
    shutdown: &Shutdown,
) -> io::Result<()> {
    let open = Permits::new(settings.connections_max);
    let pollers = (0..settings.loops).map(|_| reactor::poller()).collect::<io::Result<Vec<_>>>()?;
    let tills = Arc::new(Tills::new(pollers.iter().map(|(_, bells)| Arc::clone(bells)).collect()));
    let mut loops = Vec::new();
    for (number, poller) in pollers.into_iter().enumerate() {
        let wakes = Arc::clone(&poller.1);
        shutdown.subscribe(move || wakes.wake());
        let listeners = Listeners::new(&listeners, Arc::clone(&tills), number)?;
        let start =
            Reactor::<C>::starter(poller, Arc::clone(service), listeners, open.clone(), settings, shutdown);
        let thread = thread::Builder::new().name(format!("loop-{number}"));
        loops.push(thread.spawn(move || start().run())?);
    }
    // From here on they are open for as long as a loop accepts.
    drop(listeners);
    for thread in loops {
        if thread.join().is_err() {
            log::error!("a poll loop ended by a panic");
        }
    }
    Ok(())
}
