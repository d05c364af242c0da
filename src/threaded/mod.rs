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
//! | `io` | how a call on a socket waits |

mod gateway;
mod intake;
mod io;
mod parking;
mod relay;
mod session;
mod web;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::net::clock;
use crate::net::held::Idling;
use crate::net::io::FileToSend;
use crate::net::listen::Listener;
use crate::net::permits::Permits;
use crate::net::shutdown::Shutdown;
use crate::net::threads::join;
use crate::observe::role_view::{Gauges, RoleView};
use crate::protocol::machine::Machine;
use crate::protocol::now::Now;
use intake::{Acceptor, Intake};
use parking::Parking;
use session::{Parkable, Session};
use worker::{Pool, PoolLoad, WaitBudget};

pub(crate) use gateway::GatewayConnection;
pub(crate) use relay::RelayConnection;
pub(crate) use web::WebConnection;

/// What the driver is told.
#[derive(Clone, Debug)]
pub(crate) struct PoolSettings {
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
pub(crate) fn serve<C: Connection>(
    listeners: Vec<Listener>,
    service: &Arc<ArcSwap<Service<C>>>,
    settings: &PoolSettings,
    shutdown: &Shutdown,
) -> std::io::Result<()> {
    let permits = Permits::new(settings.connections_max);
    let (intake, worker_queue) = Intake::new(listeners, settings.workers, settings.queue, &permits);
    let common = C::Common::default();
    let (parking_thread, parking) =
        parking::start::<C>(settings.workers, worker_queue.clone(), common.clone(), settings.view.clone())?;
    if let Some(view) = &settings.view {
        view.set_gauges(gauges(&permits, &intake, &parking));
    }
    let load = PoolLoad::new(settings, &permits, shutdown, &parking);
    let pool = Arc::new(Pool { service: Arc::clone(service), common, load, parking });
    let workers = worker::start(settings, &pool, &intake);
    let acceptors = Acceptor::start_all(&pool, &intake, worker_queue, settings)?;

    shutdown.wait();
    let until = clock::now().instant + settings.drain;
    acceptors.into_iter().for_each(|acceptor| join(acceptor, "an acceptor"));
    pool.parking.drain();
    let left = permits.wait_until_none(until);
    if left > 0 {
        log::warn!("the drain's time is over: {left} connections are cut");
    }
    pool.load.end();
    pool.parking.stop();
    // The parking had the last sender of the worker queue. Without a sender the workers' `recv` fails: they end.
    join(parking_thread, "the parking thread");
    workers.join();
    Ok(())
}

/// What only this driver can tell of a role.
fn gauges<C: Connection>(permits: &Permits, intake: &Arc<Intake>, parking: &Arc<Parking<C>>) -> Gauges {
    let (permits, intake) = (permits.clone(), Arc::clone(intake));
    let (ready, parked) = (Arc::clone(parking), Arc::clone(parking));
    Gauges {
        permits: Box::new(move || permits.count()),
        worker_queue: Box::new(move || intake.queue_length() + ready.waiting()),
        parked: Box::new(move || parked.parked()),
    }
}

/// A kind of connection that the workers can serve.
pub(crate) trait Connection:
    From<Session<Self::Machine>> + Idling<Idle: Send> + Send + 'static
{
    /// What decides for a client that has just come.
    type Machine: Machine<Service: Send + Sync + 'static, File: FileToSend>;
    /// What the connections of a role share beyond their service, however often that is replaced.
    type Common: Clone + Default + Send + Sync + 'static;
    /// What a full worker queue means: a server refuses the client, a relay lets the kernel's backlog fill up.
    const REFUSES_WHEN_FULL: bool;

    /// Serves it to its end, or until it has to wait longer than `budget` allows.
    fn serve(&mut self, common: &Self::Common, budget: &WaitBudget<'_>) -> Result<(), Parked>;

    /// The session behind it, while no worker serves it. `None`: it is over.
    fn session(&mut self) -> Option<&mut dyn Parkable>;

    /// What the role keeps between connections is looked over, once in a while.
    fn tidy(_common: &Self::Common, _now: &Now) {}
}

/// What connections of this kind are served with.
pub(crate) type Service<C> = <<C as Connection>::Machine as Machine>::Service;

/// The connection waits for something that its worker does not wait for: it is to be parked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Parked;
