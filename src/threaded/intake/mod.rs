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
//! | [`Intake`] | what the workers take from |
//! | `SharedAccept` | one listener, from which idle workers or the acceptor accept |
//! | [`Acceptor`] | the thread that accepts from one listener when no worker does |
//!
//! The channel is the *worker queue*. It is one of three queues a client may wait in: before it there is the
//! kernel's backlog of the listener, and behind it, if back ends have a limit, the queue for a back end
//! (`balance/queue`). The async driver has no worker queue.
//!
//! Contract: at most `queue` connections wait in the channel. When it is full, the acceptor accepts no
//! further, so clients wait in the kernel's backlog: a relay's for as long as it takes, a server's until
//! the channel has been full for `queue_wait`. From then on a server refuses them at once
//! ([`refuse_for_lack_of_workers`](crate::protocol::machine::Machine::refuse_for_lack_of_workers)).

mod acceptor;
mod shared_accept;

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use crate::net::clock;
use crate::net::listen::Listener;
use crate::net::permits::{Permit, Permits};
use crate::observe::counters::Counter;
use crate::observe::lane::{self, Phase};
use shared_accept::SharedAccept;

pub(crate) use acceptor::Acceptor;

/// A client that was accepted, and its permit among the open connections.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) client: TcpStream,
    pub(crate) peer: SocketAddr,
    /// It came to an address without TLS.
    pub(crate) is_plain: bool,
    pub(crate) at: Instant,
    pub(crate) permit: Permit,
}

/// What a worker does next.
pub(crate) enum Work {
    /// A client that nobody has looked at yet.
    New(Accepted),
    /// Parked connections whose wait is over: they are taken from the parking.
    TakeReady,
}

/// The listeners of a role, and the workers' end of the channel.
pub(crate) struct Intake {
    listeners: Vec<Arc<SharedAccept>>,
    permits: Permits,
    worker_queue: Receiver<Work>,
    /// Workers that wait at the channel.
    idle: AtomicUsize,
}

impl Intake {
    /// For `workers` that serve these listeners, and the other end of their channel, which has `queue` places.
    pub(crate) fn new(
        listeners: Vec<Listener>,
        workers: usize,
        queue: usize,
        permits: &Permits,
    ) -> (Arc<Intake>, Sender<Work>) {
        let count = listeners.len();
        let shared = |listener| Arc::new(SharedAccept::new(listener, workers, count));
        let listeners = listeners.into_iter().map(shared).collect();
        let (sender, worker_queue) = crossbeam_channel::bounded(queue);
        let idle = AtomicUsize::new(0);
        (Arc::new(Intake { listeners, permits: permits.clone(), worker_queue, idle }), sender)
    }

    /// How many connections wait in the channel.
    pub(crate) fn queue_length(&self) -> usize {
        self.worker_queue.len()
    }

    /// The next connection of this worker: what is in the channel comes first, then a client at the listener, then
    /// whichever comes to the channel. `None`: there will be no more.
    pub(crate) fn next(&self, worker: usize) -> Option<Work> {
        if let Ok(work) = self.worker_queue.try_recv() {
            return Some(work);
        }
        if let Some(accepted) = self.accept(worker) {
            return Some(Work::New(accepted));
        }
        lane::enter(Phase::Idle, 0);
        self.idle.fetch_add(1, Ordering::Relaxed);
        let work = self.worker_queue.recv();
        self.idle.fetch_sub(1, Ordering::Relaxed);
        work.ok()
    }

    /// Waits at the listener for a moment, if this worker may.
    fn accept(&self, worker: usize) -> Option<Accepted> {
        let permit = self.permits.take_spare()?;
        // A worker cannot wait at two listeners, so the workers are divided among them.
        let listener = self.listeners.get(worker % self.listeners.len().max(1))?;
        lane::enter(Phase::Accept, 0);
        let (client, peer) = listener.accept_as_worker(self.idle.load(Ordering::Relaxed))?;
        lane::count(Counter::Accepted, 1);
        let is_plain = listener.is_plain();
        Some(Accepted { client, peer, is_plain, at: clock::now().instant, permit })
    }
}
