//! Where the workers' next connection comes from: one way in, [`Intake::next`].
//!
//! ```text
//!                +-- a worker is idle: it accepts by itself ------------------+
//!   listener ----+                                                            +--> worker
//!                +-- none is: acceptor --> bounded channel --> Intake::next --+
//!                                              ^
//!                       parked connections ----+  (their wait is over)
//! ```
//!
//! | name | what it is |
//! |---|---|
//! | [`Entrance`] | all of this room, as the driver makes it |
//! | [`Intake`] | one worker's part of it |
//! | `SharedAccept` | one listener, from which idle workers or the acceptor accept |
//! | `Acceptor` | the thread that accepts from one listener when no worker does |
//!
//! The channel is the *worker queue*. It is one of three queues a client may wait in: before it there is the
//! kernel's backlog of the listener, and behind it, if back ends have a limit, the queue for a back end
//! (`balance/queue`). The async driver has no worker queue.
//!
//! Contract: at most `queue` connections wait in the channel. When it is full, the acceptor accepts no
//! further, so clients wait in the kernel's backlog: a relay's for as long as it takes, a server's until
//! the channel has been full for `queue_wait`. From then on a server answers 503 at once.

mod acceptor;
mod shared_accept;

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::parking::{ParkedConnection, ParkingHandle};
use super::worker::PoolLoad;
use super::{Connection, Role, Settings};
use crate::net::clock;
use crate::net::permits::{Permit, Permits};
use crate::net::shutdown::Shutdown;
use crate::observe::counters::Counter;
use crate::observe::lane::{self, Phase};
use acceptor::Acceptor;
use shared_accept::SharedAccept;

/// A client that was accepted, and its permit among the open connections.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) client: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) at: Instant,
    pub(crate) permit: Permit,
}

/// What a worker does next.
pub(crate) enum Work<C> {
    /// A client that nobody has looked at yet.
    New(Accepted),
    /// A parked connection whose wait is over.
    Resumed(ParkedConnection<C>),
}

/// The listeners of a role and the channel to its workers.
pub(crate) struct Entrance<C> {
    listeners: Vec<Arc<SharedAccept>>,
    permits: Permits,
    worker_queue: (Sender<Work<C>>, Receiver<Work<C>>),
    /// Workers that wait at the channel.
    idle: Arc<AtomicUsize>,
}

impl<C: Connection> Entrance<C> {
    /// For `workers` that serve these listeners, with a channel of `queue` places.
    pub(crate) fn new(
        listeners: Vec<TcpListener>,
        workers: usize,
        queue: usize,
        permits: &Permits,
    ) -> Entrance<C> {
        let count = listeners.len();
        let shared = |listener| Arc::new(SharedAccept::new(listener, workers, count));
        Entrance {
            listeners: listeners.into_iter().map(shared).collect(),
            permits: permits.clone(),
            worker_queue: crossbeam_channel::bounded(queue),
            idle: Arc::default(),
        }
    }

    /// The end of the channel that parked connections come back by.
    pub(crate) fn sender(&self) -> Sender<Work<C>> {
        self.worker_queue.0.clone()
    }

    /// Tells how many connections wait in the channel.
    pub(crate) fn queue_length(&self) -> impl Fn() -> usize + Send + Sync + 'static + use<C> {
        // Not a sender: the workers end when the last one is gone.
        let receiver = self.worker_queue.1.clone();
        move || receiver.len()
    }

    /// The intake of one worker.
    pub(crate) fn intake(&self, worker: usize) -> Intake<C> {
        Intake {
            // A worker cannot wait at two listeners, so the workers are divided among them.
            listener: self.listeners.get(worker % self.listeners.len().max(1)).map(Arc::clone),
            permits: self.permits.clone(),
            worker_queue: self.worker_queue.1.clone(),
            idle: Arc::clone(&self.idle),
        }
    }

    /// Starts a thread for each listener, which accepts when no worker does, and closes its listener
    /// when the drain begins. When those threads have ended, nothing new comes.
    pub(crate) fn start_acceptors(
        self,
        role: &Role<C>,
        load: &Arc<PoolLoad>,
        parking: &ParkingHandle<C>,
        settings: &Settings,
        shutdown: &Shutdown,
    ) -> io::Result<Vec<JoinHandle<()>>> {
        let start = |(number, listener): (usize, &Arc<SharedAccept>)| {
            let closes = Arc::clone(listener);
            shutdown.subscribe(move || closes.close());
            let acceptor = Acceptor {
                listener: Arc::clone(listener),
                worker_queue: self.worker_queue.0.clone(),
                queue_wait: settings.queue_wait,
                full_since: Cell::new(None),
                permits: self.permits.clone(),
                role: role.clone(),
                load: Arc::clone(load),
                parking: parking.clone(),
                shutdown: shutdown.clone(),
            };
            acceptor.start(number, settings.view.clone())
        };
        self.listeners.iter().enumerate().map(start).collect()
    }
}

/// Where one worker gets its connections.
pub(crate) struct Intake<C> {
    listener: Option<Arc<SharedAccept>>,
    permits: Permits,
    worker_queue: Receiver<Work<C>>,
    idle: Arc<AtomicUsize>,
}

impl<C> Intake<C> {
    /// Waits for the next connection: what is in the channel comes first, then a client at the
    /// listener, then whichever comes to the channel. `None`: there will be no more.
    pub(crate) fn next(&self) -> Option<Work<C>> {
        if let Ok(work) = self.worker_queue.try_recv() {
            return Some(work);
        }
        if let Some(accepted) = self.accept() {
            return Some(Work::New(accepted));
        }
        lane::enter(Phase::Idle, 0);
        self.idle.fetch_add(1, Ordering::Relaxed);
        let work = self.worker_queue.recv();
        self.idle.fetch_sub(1, Ordering::Relaxed);
        work.ok()
    }

    /// Waits at the listener for a moment, if this worker may.
    fn accept(&self) -> Option<Accepted> {
        let permit = self.permits.take_spare()?;
        lane::enter(Phase::Accept, 0);
        let (client, peer) = self.listener.as_ref()?.accept_as_worker(self.idle.load(Ordering::Relaxed))?;
        lane::count(Counter::Accepted, 1);
        Some(Accepted { client, peer, at: clock::now().instant, permit })
    }
}
