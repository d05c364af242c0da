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
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use super::parking::{ParkedConnection, ParkingHandle};
use super::worker::PoolLoad;
use super::{Connection, Role};
use crate::net::clock;
use crate::net::permits::{Permit, Permits};
use crate::net::shutdown::Shutdown;
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
    sender: Sender<Work<C>>,
    receiver: Receiver<Work<C>>,
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
        let (sender, receiver) = crossbeam_channel::bounded(queue);
        let count = listeners.len();
        let shared = |listener| Arc::new(SharedAccept::new(listener, workers, count));
        Entrance {
            listeners: listeners.into_iter().map(shared).collect(),
            permits: permits.clone(),
            sender,
            receiver,
            idle: Arc::default(),
        }
    }

    /// The end of the channel that parked connections come back by.
    pub(crate) fn sender(&self) -> Sender<Work<C>> {
        self.sender.clone()
    }

    /// The intake of one worker.
    pub(crate) fn intake(&self, worker: usize) -> Intake<C> {
        Intake {
            // Each has a listener of its own: it cannot wait at two.
            listener: self.listeners.get(worker % self.listeners.len().max(1)).map(Arc::clone),
            permits: self.permits.clone(),
            work: self.receiver.clone(),
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
        queue_wait: Duration,
        shutdown: &Shutdown,
    ) -> io::Result<Vec<JoinHandle<()>>> {
        let start = |(number, listener): (usize, &Arc<SharedAccept>)| {
            let closes = Arc::clone(listener);
            shutdown.subscribe(move || closes.close());
            let acceptor = Acceptor {
                listener: Arc::clone(listener),
                queue: self.sender.clone(),
                queue_wait,
                full_since: Cell::new(None),
                permits: self.permits.clone(),
                role: role.clone(),
                load: Arc::clone(load),
                parking: parking.clone(),
                shutdown: shutdown.clone(),
            };
            acceptor.start(number)
        };
        self.listeners.iter().enumerate().map(start).collect()
    }
}

/// Where one worker gets its connections.
pub(crate) struct Intake<C> {
    listener: Option<Arc<SharedAccept>>,
    permits: Permits,
    work: Receiver<Work<C>>,
    idle: Arc<AtomicUsize>,
}

impl<C> Intake<C> {
    /// Waits for the next connection: what is in the channel comes first, then a client at the
    /// listener, then whichever comes to the channel. `None`: there will be no more.
    pub(crate) fn next(&self) -> Option<Work<C>> {
        if let Ok(work) = self.work.try_recv() {
            return Some(work);
        }
        if let Some(accepted) = self.accept() {
            return Some(Work::New(accepted));
        }
        self.idle.fetch_add(1, Ordering::Relaxed);
        let work = self.work.recv();
        self.idle.fetch_sub(1, Ordering::Relaxed);
        work.ok()
    }

    /// Waits at the listener for a moment, if this worker may.
    fn accept(&self) -> Option<Accepted> {
        let permit = self.permits.take_spare()?;
        let (client, peer) = self.listener.as_ref()?.accept_as_worker(self.idle.load(Ordering::Relaxed))?;
        Some(Accepted { client, peer, at: clock::now().instant, permit })
    }
}
