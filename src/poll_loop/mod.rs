//! The async driver: one thread serves many connections, and never waits for one of them.
//!
//! ```text
//!   one iteration of an event loop:
//!
//!   wait in the poller --> note the events --> accept clients --> serve what is due --> tidy up --+
//!     ^                    and the deadlines                      each until a call               |
//!     |                    that have come                         would have to wait              |
//!     +-------------------------------------------------------------------------------------------+
//! ```
//!
//! The poller (epoll or kqueue, through mio) returns when sockets are ready, a deadline has come or another
//! thread wakes the loop. Each event is only noted at first: its socket remembers that it is ready, and its
//! connection is *due*. Then the loop accepts a bounded number of new clients, which are due as well, and
//! serves each connection that is due, as far as it goes without waiting and for at most
//! [`CALLS_PER_ITERATION_MAX`] calls. What a connection must remember until its next event is in a struct,
//! not on a stack. The price is that nothing may block: no name look-up, no log line, no read from a slow
//! disk, because all connections of the loop would wait with it.
//!
//! Sockets are edge triggered: the poller reports once that one is ready (`socket`). Listeners are level
//! triggered on Linux: the poller reports one again for as long as clients wait in its backlog (`accept`).
//! There is no async runtime and no `async fn`. A role has several loops, each on its own thread; a connection
//! stays with the loop that accepted it.
//!
//! | file | owns | in `threaded/` |
//! |---|---|---|
//! | `web` `gateway` `relay` | one connection of each service | the same names |
//! | `event_loop` | events, timers, the drain | `worker`, `parking` |
//! | `accept` | the listeners as one loop has them | `intake/` |
//! | `scaling` | which loops accept | `intake/shared_accept` |
//! | `slots` | which connection an event is for | nothing: a worker has one connection |
//! | `session` | what the connections have in common: the moves of bytes | `session`, which also waits |
//! | `socket` | a socket that remembers what it is ready for | `io`, whose calls wait instead |

mod accept;
mod event_loop;
mod gateway;
mod relay;
mod scaling;
mod session;
mod slots;
mod socket;
mod web;

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use mio::Registry;

use crate::net::held::Idling;
use crate::net::io::FileToSend;
use crate::net::listen;
use crate::net::permits::Permits;
use crate::net::shutdown::Shutdown;
use crate::net::threads::join;
use crate::net::waker::PollerWaker;
use crate::observe::lane::Kind;
use crate::observe::role_view::{Gauges, RoleView};
use crate::protocol::machine::Machine;
use crate::protocol::now::Now;
use accept::Accept;
use event_loop::EventLoop;
use scaling::AcceptScaling;
use session::{Pollable, Session};
use slots::BackendSlots;

pub(crate) use gateway::GatewayConnection;
pub(crate) use relay::RelayConnection;
pub(crate) use web::WebConnection;

/// What the driver is told.
#[derive(Clone, Debug)]
pub(crate) struct LoopSettings {
    /// Poll loops, each with its own thread.
    pub(crate) loops: usize,
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
    listeners: Vec<listen::Listener>,
    service: &Arc<ArcSwap<Service<C>>>,
    settings: &LoopSettings,
    shutdown: &Shutdown,
) -> io::Result<()> {
    let permits = Permits::new(settings.connections_max);
    if let Some(view) = &settings.view {
        view.set_gauges(gauges(&permits));
    }
    let pollers = (0..settings.loops).map(|_| event_loop::poller()).collect::<io::Result<Vec<_>>>()?;
    let scaling = Arc::new(AcceptScaling::new(pollers.iter().map(|(_, waker)| Arc::clone(waker))));
    let mut threads = Vec::new();
    for (number, poller) in pollers.into_iter().enumerate() {
        let waker = Arc::clone(&poller.1);
        shutdown.subscribe(move || waker.wake());
        let accept = Accept::new(&listeners, permits.clone(), Arc::clone(&scaling), number)?;
        let event_loop = EventLoop::<C>::new(poller, Arc::clone(service), accept, settings, shutdown);
        let (name, view) = (format!("loop-{number}"), settings.view.clone());
        threads.push(thread::Builder::new().name(name.clone()).spawn(move || {
            RoleView::show(view.as_ref(), Kind::Loop, &name);
            event_loop.run();
        })?);
    }
    // Only the loops hold the listeners now: when the last loop closes them, clients are refused.
    drop(listeners);
    threads.into_iter().for_each(|thread| join(thread, "an event loop"));
    Ok(())
}

/// What only this driver can tell of a role. It has no worker queue.
fn gauges(permits: &Permits) -> Gauges {
    let permits = permits.clone();
    Gauges {
        permits: Box::new(move || permits.count()),
        worker_queue: Box::new(|| 0),
        parked: Box::new(|| 0),
    }
}

/// A kind of connection that a loop can serve.
pub(crate) trait Connection:
    From<Session<Self::Machine>> + Idling<Idle: Send> + Send + 'static
{
    /// What decides for a client that has just come.
    type Machine: Machine<Service: Send + Sync + 'static, File: FileToSend>;
    /// What the connections of one loop share.
    type Local: Default + Send;

    /// Serves it as far as it goes without waiting, and within the bounds of one iteration.
    fn serve(&mut self, local: &mut Self::Local, context: &mut LoopContext<'_>) -> Served;

    /// The session behind it, while the loop does not serve it. `None`: it is over.
    fn session(&mut self) -> Option<&mut dyn Pollable>;

    /// Drops the idle connection to a back end whose socket is in this slot: it was closed, or sends
    /// what nobody has asked for.
    fn drop_idle(_local: &mut Self::Local, _backend: usize) {}

    /// Drops what has been idle for too long; called about once a second.
    fn tidy(_local: &mut Self::Local, _backends: &mut BackendSlots, _now: &Now) {}
}

/// What connections of this kind are served with.
pub(crate) type Service<C> = <<C as Connection>::Machine as Machine>::Service;

/// What a connection may use of its loop while it is served.
pub(crate) struct LoopContext<'l> {
    pub(crate) registry: &'l Registry,
    pub(crate) backends: &'l mut BackendSlots,
    pub(crate) waker: &'l Arc<PollerWaker>,
    /// The connection's own slot in the loop's table.
    pub(crate) slot: usize,
    /// When this iteration began; before and after a connect it is read anew, for a back end on the same machine
    /// accepts within the iteration, and the connect would seem to take no time.
    pub(crate) now: Now,
    pub(crate) is_draining: bool,
}

/// What the loop does with a connection that it has served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Served {
    /// It is over: drop it.
    Closed,
    /// It waits for an event or its deadline.
    Waiting,
    /// It has more to do, but others wait: serve it again in the next iteration.
    MoreToDo,
}

/// Calls that move bytes which one connection may make in an iteration: 16 of 16 KiB are a quarter of a
/// megabyte, some 50 us. Long bodies move in larger pieces, and files by as much as the socket takes, at
/// most 16 MiB. Then the other connections are served.
pub(crate) const CALLS_PER_ITERATION_MAX: usize = 16;
