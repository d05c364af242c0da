//! The threaded driver: a fixed pool of workers, and calls that wait.
//!
//! ```text
//!   door --a worker is idle------> worker-00 .. worker-63 --waits long--> lot (one poller thread)
//!     |                                  ^                                   |
//!     +--none is--> acceptor-0 --> bounded queue <--readable, or time is up--+
//! ```
//!
//! A worker takes one connection and serves it with calls that wait: it reads the request, connects,
//! writes, reads, writes, in the order in which a person would tell it (`web`, `gateway`,
//! `relay`). Where it stands is on its stack. The price is a thread for each connection that
//! waits; so one that waits longer than a moment is parked (`lot`) and the worker goes on to the next.
//!
//! | file | owns | twin in `poll_loop/` |
//! |---|---|---|
//! | `web` `gateway` `relay` | one connection of each service, phase by phase | the same names |
//! | `pool` `queue` | the workers, what waits for them, and who may wait | `reactor` |
//! | `door` | who waits at a listener: idle workers or the acceptor | `listeners` |
//! | `acceptor` | from the listener to the queue | `reactor` (`accept`) |
//! | `lot` | connections that wait without a worker | `reactor` |
//! | `bell` | how one is called that waits for a back end with room | the same name |
//! | `socket` | a socket whose reads wait so long | none: its reads never wait |

mod acceptor;
mod bell;
mod door;
mod gateway;
mod lot;
mod pool;
mod queue;
mod relay;
mod socket;
mod web;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

use crate::app::service::{Offer, Service};
use crate::app::settings::Settings;
use crate::net::clock;
use crate::net::permits::Permits;
use crate::net::reloadable::Live;
use crate::net::shutdown::Shutdown;
use crate::protocol::interest::Wants;
use crate::protocol::now::Now;
use door::Door;
use pool::{Patience, Pool};

/// Serves the listeners until `shutdown`; see [`crate::app::service::serve`].
pub fn serve(
    listeners: Vec<TcpListener>,
    offers: &Live<Offer>,
    settings: &Settings,
    shutdown: &Shutdown,
) -> io::Result<()> {
    match offers.get().service {
        Service::Web(_) => {
            let shared = offers.map(web::Shared::of);
            run::<web::WebConnection>(shared, listeners, settings, shutdown)
        }
        Service::Gateway(_) => {
            // One stock of kept connections, whatever is offered: they lead to addresses.
            let kept = Arc::default();
            let shared = offers.map(move |offer| gateway::Shared::of(offer, &kept));
            run::<gateway::GatewayConnection>(shared, listeners, settings, shutdown)
        }
        Service::Relay(_) => {
            let shared = offers.map(relay::Shared::of);
            run::<relay::RelayConnection>(shared, listeners, settings, shutdown)
        }
    }
}

/// A kind of connection that the pool can serve.
pub(crate) trait Connection: Send + Sized + 'static {
    /// What all connections of a role share.
    type Shared: Clone + Send + Sync + 'static;
    /// What a full queue means: a server says 503, a relay lets the kernel's backlog fill up.
    const REFUSES_WHEN_FULL: bool;

    /// Takes up a client that was accepted at `accepted`.
    fn accept(
        shared: &Self::Shared,
        client: TcpStream,
        peer: SocketAddr,
        accepted: Instant,
        now: &Now,
    ) -> Self;

    /// Serves it until it is over, or waits for something that `patience` does not cover.
    fn serve(&mut self, patience: &Patience<'_>) -> Turn;

    /// What it waits for, and on which sockets: the client's, the back end's.
    fn waits_for(&self) -> (Wants, [Option<BorrowedFd<'_>>; 2]);

    /// The number of the bell it waits for, if it has ever waited for one.
    fn bell(&self) -> Option<u64> {
        None
    }

    /// When it is to be served even if nothing happens.
    fn deadline(&self) -> Option<Instant>;

    /// The drain begins: what is in flight is the last of its kind.
    fn drain(&mut self);

    /// Answers 503 instead of serving.
    fn refuse(&mut self, now: &Now);

    /// The drain's time is over: ends it here and now, and says so in the log.
    fn cut(&mut self, now: &Now);

    /// What the role keeps between connections is looked over, once in a while.
    fn tidy(_shared: &Self::Shared, _now: &Now) {}
}

/// What a worker does with a connection that it has served for now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// It is over: drop it.
    Done,
    /// It waits: park it.
    Park,
}

/// Starts pool, lot and acceptors, waits for the end, and drains.
fn run<C: Connection>(
    shared: Option<Live<C::Shared>>,
    listeners: Vec<TcpListener>,
    settings: &Settings,
    shutdown: &Shutdown,
) -> io::Result<()> {
    // The service was looked at to choose this kind of connection.
    let Some(shared) = shared else { return Err(io::Error::other("the service is of another kind")) };
    let open = Permits::new(settings.connections_max);
    let count = listeners.len();
    let door = |listener| Arc::new(Door::new(listener, settings.workers, count));
    let doors: Vec<_> = listeners.into_iter().map(door).collect();
    let pool = Pool::<C>::start(shared, &doors, &open, settings, shutdown)?;
    let acceptors = doors
        .into_iter()
        .enumerate()
        .map(|(number, door)| acceptor::start(number, door, &pool, &open, shutdown))
        .collect::<io::Result<Vec<_>>>()?;
    shutdown.wait();
    let until = clock::now().instant + settings.timeouts.drain;
    for acceptor in acceptors {
        if acceptor.join().is_err() {
            log::error!("an acceptor ended by a panic");
        }
    }
    pool.drain();
    let left = open.wait_until_none(until);
    if left > 0 {
        log::warn!("the drain's time is over: {left} connections are cut");
    }
    pool.stop();
    Ok(())
}
