//! The threaded driver: a fixed number of workers, and calls that wait.
//!
//! A worker takes one connection and serves it with blocking calls, in the order in which a person
//! would tell it: read the request, choose a back end, connect, send, read the response, pass it on.
//! Each service has its story in a file of its own, and `serve` is its first screen.
//!
//! The price of this model is a thread for each connection that waits. So a connection that waits
//! longer than a moment is *parked*: its worker hands it to one thread that waits for all of those, and
//! goes on to the next. A step of a story that has to wait too long returns [`Parked`], and `?` leaves
//! the story; later another worker calls `serve` again, and every step that is done already finds
//! nothing to do, because what is done is remembered by the connection's machine in `protocol`.
//!
//! | file | owns |
//! |---|---|
//! | `web` `gateway` `relay` | the story of one connection of each service (twins in `poll_loop`) |
//! | `session` | what those stories have in common: the moves of bytes, and the wait between them |
//! | `intake` | where a worker's next connection comes from |
//! | `worker` | the workers, and how long each may wait |
//! | `parking` | connections that wait without a worker |
//! | `waker` | how a connection is called that waits in the queue for a back end |
//! | `io` | how a call on a socket waits |

mod gateway;
mod intake;
mod io;
mod parking;
mod relay;
mod session;
mod waker;
mod web;
mod worker;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::net::clock;
use crate::net::permits::Permits;
use crate::net::shutdown::Shutdown;
use crate::observe::lane::Kind;
use crate::observe::role_view::{Gauges, RoleView};
use crate::observe::status::StatusSite;
use crate::protocol::exchange::Gateway;
use crate::protocol::interest::{Interest, Step};
use crate::protocol::now::Now;
use crate::protocol::relay::RelayService;
use crate::protocol::web::WebService;
use crate::site::Site;
use intake::Entrance;
use parking::Parking;
use session::Waiting;
use waker::Wakers;
use worker::{PoolLoad, WaitBudget};

/// What the driver is told.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Threads of the pool.
    pub(crate) workers: usize,
    /// Accepted connections that may wait for a worker.
    pub(crate) queue: usize,
    /// How long that queue may be full before a server refuses clients.
    pub(crate) queue_wait: Duration,
    /// Park connections that wait for their peer; off, each of them keeps its worker.
    pub(crate) park: bool,
    /// Open client connections; further ones wait in the kernel's backlog.
    pub(crate) connections_max: usize,
    /// From the first signal to the end.
    pub(crate) drain: Duration,
    /// Where the threads show what they do; `None` if nobody looks.
    pub(crate) view: Option<Arc<RoleView>>,
}

/// Serves the listeners until `shutdown`, then drains: returns when the last connection is gone or the
/// drain's time is over. `service` may be replaced meanwhile; it holds for connections accepted later.
///
/// Errors: threads or pollers that cannot be made; nothing that a client or a back end does.
pub(crate) fn serve<S: Service>(
    listeners: Vec<TcpListener>,
    service: &Arc<ArcSwap<S>>,
    settings: &Settings,
    shutdown: &Shutdown,
) -> std::io::Result<()> {
    let role = Role::<S::Connection> { service: Arc::clone(service), common: Default::default() };
    let permits = Permits::new(settings.connections_max);
    let entrance = Entrance::new(listeners, settings.workers, settings.queue, &permits);
    if let Some(view) = &settings.view {
        view.set_gauges(gauges(&permits, entrance.queue_length()));
    }
    let (parking, handle) = Parking::start(entrance.sender(), &role, settings.view.clone())?;
    let wakers = Wakers::new({
        let handle = handle.clone();
        move |number| handle.wake(number)
    });
    let load = Arc::new(PoolLoad::new(settings.workers, settings.park, shutdown, wakers));
    let workers = worker::start(settings, &role, &load, &handle, |number| entrance.intake(number));
    let acceptors = entrance.start_acceptors(&role, &load, &handle, settings, shutdown)?;

    shutdown.wait();
    let until = clock::now().instant + settings.drain;
    for acceptor in acceptors {
        if acceptor.join().is_err() {
            log::error!("an acceptor ended by a panic");
        }
    }
    handle.drain();
    let left = permits.wait_until_none(until);
    if left > 0 {
        log::warn!("the drain's time is over: {left} connections are cut");
    }
    load.end();
    handle.stop();
    // The parking held the last sender of the worker queue. Without a sender the workers' `recv` fails: they end.
    parking.join();
    workers.join();
    Ok(())
}

/// What only this driver can tell of a role.
fn gauges(permits: &Permits, worker_queue: impl Fn() -> usize + Send + Sync + 'static) -> Gauges {
    let permits = permits.clone();
    Gauges { permits: Box::new(move || permits.count()), worker_queue: Box::new(worker_queue) }
}

/// Gives the running thread a lane, if somebody looks.
fn show(view: Option<&Arc<RoleView>>, kind: Kind, name: &str) {
    view.into_iter().for_each(|view| view.attach(kind, name));
}

/// What this driver can serve.
pub(crate) trait Service: Sized + Send + Sync + 'static {
    /// Its connections.
    type Connection: Connection<Service = Self>;
}

impl Service for WebService<Site> {
    type Connection = web::WebConnection<Site>;
}

/// The status page is a web server as well.
impl Service for WebService<StatusSite> {
    type Connection = web::WebConnection<StatusSite>;
}

impl Service for Gateway {
    type Connection = gateway::GatewayConnection;
}

impl Service for RelayService {
    type Connection = relay::RelayConnection;
}

/// The connection waits for something that its worker does not wait for: it is to be parked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Parked;

/// A kind of connection that the workers can serve.
pub(crate) trait Connection: Send + Sized + 'static {
    /// The service it is accepted for.
    type Service: Send + Sync + 'static;
    /// What the connections of a role share beyond that, however often the service is replaced.
    type Common: Clone + Default + Send + Sync + 'static;
    /// What a full queue means: a server says 503, a relay lets the kernel's backlog fill up.
    const REFUSES_WHEN_FULL: bool;

    /// Takes up a client that was accepted at `accepted`.
    fn accept(
        service: Arc<Self::Service>,
        common: &Self::Common,
        client: TcpStream,
        peer: SocketAddr,
        accepted: Instant,
        now: &Now,
    ) -> Self;

    /// Serves it to its end, or until it has to wait longer than `budget` allows.
    fn serve(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked>;

    /// The session behind it, which waits while no worker serves it. `None`: it is over.
    fn session(&self) -> Option<&dyn Waiting>;

    /// The same, to be told of the drain.
    fn session_mut(&mut self) -> Option<&mut dyn Waiting>;

    /// What the role keeps between connections is looked over, once in a while.
    fn tidy(_common: &Self::Common, _now: &Now) {}
}

/// What a parked connection waits for, and on which sockets.
pub(crate) struct Awaited<'c> {
    pub(crate) step: Step,
    pub(crate) interest: Interest,
    pub(crate) client: BorrowedFd<'c>,
    pub(crate) backend: Option<BorrowedFd<'c>>,
    /// The number of the waker it was given when it last had to wait for a back end.
    pub(crate) waker: Option<u64>,
}

/// The role whose connections are served.
pub(crate) struct Role<C: Connection> {
    service: Arc<ArcSwap<C::Service>>,
    common: C::Common,
}

impl<C: Connection> Clone for Role<C> {
    fn clone(&self) -> Role<C> {
        Role { service: Arc::clone(&self.service), common: self.common.clone() }
    }
}

impl<C: Connection> Role<C> {
    fn accept(&self, client: TcpStream, peer: SocketAddr, accepted: Instant, now: &Now) -> C {
        C::accept(self.service.load_full(), &self.common, client, peer, accepted, now)
    }

    fn tidy(&self, now: &Now) {
        C::tidy(&self.common, now);
    }
}
