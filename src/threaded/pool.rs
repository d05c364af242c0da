//! The workers: a fixed number of threads that take connections in turn, from the queue or at a door.
//!
//! Contract: at most `queue` connections wait and at most `workers` are served; a panic costs the
//! connection it happened to, and is logged. The threads are `threadpool`'s; its own queue has no
//! bound and never refuses, so the queue is ours and each thread runs one job for ever.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use threadpool::ThreadPool;

use super::bell::Bells;
use super::door::{Door, WORKERS_A_PLACE};
use super::lot::{Lot, Parker};
use super::queue::Queue;
use super::{Connection, Turn};
use crate::app::settings::Settings;
use crate::net::clock;
use crate::net::listen::ACCEPTED_READ_TIMEOUT;
use crate::net::permits::{Permit, Permits};
use crate::net::reloadable::Live;
use crate::net::shutdown::Shutdown;
use crate::protocol::buffer;
use crate::protocol::now::Now;

/// Longest single wait of a worker: how soon it sees a drain, and how long a quiet connection may
/// have a worker to itself.
pub(crate) const TICK: Duration = ACCEPTED_READ_TIMEOUT;

/// A client that was accepted, and its permit among the open ones.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) client: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) at: Instant,
    pub(crate) permit: Permit,
}

/// What workers take from the queue.
pub(crate) enum Work<C> {
    /// A client nobody has looked at.
    Fresh(Accepted),
    /// A parked connection whose wait is over.
    Back(Parked<C>),
}

/// A connection between two turns.
pub(crate) struct Parked<C> {
    /// On the heap: it changes hands often.
    pub(crate) connection: Box<C>,
    pub(crate) permit: Permit,
}

/// The pool of one role.
pub(crate) struct Pool<C: Connection> {
    pub(crate) queue: Arc<Queue<Work<C>>>,
    pub(crate) parker: Parker<C>,
    pub(crate) shared: Live<C::Shared>,
    lot: Lot,
    threads: ThreadPool,
    crowd: Arc<Crowd>,
}

/// How busy the workers are, and whether the end has come.
pub(crate) struct Crowd {
    workers: usize,
    busy: AtomicUsize,
    /// False with `--no-park`: whoever has a worker keeps it.
    parks: bool,
    /// The drain's time is over: cut what is left.
    over: AtomicBool,
    shutdown: Shutdown,
    bells: Bells,
}

/// How long a worker may wait for the connection it serves.
pub(crate) struct Patience<'p> {
    crowd: &'p Crowd,
    /// A connection that had its tick in vain is parked the next time.
    waited: Cell<bool>,
    /// For a thread that may look and never wait.
    never: bool,
}

impl<'p> Patience<'p> {
    pub(crate) fn new(crowd: &'p Crowd) -> Patience<'p> {
        Patience { crowd, waited: Cell::new(false), never: false }
    }

    /// For a thread that may look and never wait.
    pub(crate) fn none(crowd: &'p Crowd) -> Patience<'p> {
        Patience { crowd, waited: Cell::new(false), never: true }
    }

    /// How long the next wait may be; zero: look, and if there is nothing, park.
    ///
    /// While more than one worker in eight is free, waiting here is cheapest. When they are not, for
    /// so many may be at a door and deaf, a worker is worth more than parking costs: two threads are
    /// woken to take the connection there and back.
    pub(crate) fn next_wait(&self, deadline: Option<Instant>, now: &Now) -> Duration {
        let free = self.crowd.workers.saturating_sub(self.crowd.busy.load(Ordering::Relaxed));
        let crowded = WORKERS_A_PLACE * free <= self.crowd.workers;
        if self.never || (self.crowd.parks && (crowded || self.waited.get())) {
            return Duration::ZERO;
        }
        deadline.map_or(TICK, |deadline| deadline.saturating_duration_since(now.instant).min(TICK))
    }

    /// A wait was in vain. True if the connection is to be parked now.
    pub(crate) fn waited_in_vain(&self) -> bool {
        self.waited.set(true);
        self.crowd.parks || self.never
    }

    /// Something moved: the connection has its patience back.
    pub(crate) fn renew(&self) {
        self.waited.set(false);
    }

    /// A bell by which a parked connection is called, and its number.
    pub(crate) fn bell(&self) -> (Waker, u64) {
        self.crowd.bells.bell()
    }

    /// The program stops: finish what is in flight.
    pub(crate) fn is_draining(&self) -> bool {
        self.crowd.shutdown.is_draining()
    }

    /// The time for that is over too.
    pub(crate) fn is_over(&self) -> bool {
        self.crowd.over.load(Ordering::Relaxed)
    }
}

impl<C: Connection> Pool<C> {
    /// Starts the workers and the lot.
    pub(crate) fn start(
        shared: Live<C::Shared>,
        doors: &[Arc<Door>],
        open: &Permits,
        settings: &Settings,
        shutdown: &Shutdown,
    ) -> io::Result<Pool<C>> {
        let queue = Arc::new(Queue::new(settings.queue));
        let (lot, parker) = Lot::start::<C>(Arc::clone(&queue), shared.clone())?;
        let crowd = Arc::new(Crowd {
            workers: settings.workers,
            busy: AtomicUsize::new(0),
            parks: settings.park,
            over: AtomicBool::new(false),
            shutdown: shutdown.clone(),
            bells: Bells::new({
                let parker = parker.clone();
                move |number| parker.call(number)
            }),
        });
        let threads =
            threadpool::Builder::new().num_threads(settings.workers).thread_name("worker".to_owned()).build();
        for number in 0..settings.workers {
            let worker = Worker {
                // Each has a door of its own: it cannot wait at two.
                door: doors.get(number % doors.len().max(1)).map(Arc::clone),
                open: open.clone(),
                queue: Arc::clone(&queue),
                shared: shared.clone(),
                crowd: Arc::clone(&crowd),
                parker: parker.clone(),
            };
            threads.execute(move || {
                name_thread(number);
                buffer::keep_few_spares();
                worker.run();
            });
        }
        Ok(Pool { queue, parker, shared, lot, threads, crowd })
    }

    /// Wakes every parked connection, so that idle ones end and the others know.
    pub(crate) fn drain(&self) {
        self.parker.drain();
    }

    /// Cuts what is left and ends the threads.
    pub(crate) fn stop(self) {
        self.crowd.over.store(true, Ordering::Relaxed);
        self.parker.stop();
        self.lot.join();
        self.queue.close();
        self.threads.join();
    }

    /// How busy the workers are.
    pub(crate) fn crowd(&self) -> Arc<Crowd> {
        Arc::clone(&self.crowd)
    }
}

/// `worker-07`: `threadpool` has one name for all of them, and a debugger shows which is which.
fn name_thread(number: usize) {
    #[cfg(target_os = "linux")]
    if let Ok(name) = std::ffi::CString::new(format!("worker-{number:02}")) {
        // A thread without its name works as well.
        let _ = rustix::thread::set_name(&name);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = number;
}

struct Worker<C: Connection> {
    door: Option<Arc<Door>>,
    open: Permits,
    queue: Arc<Queue<Work<C>>>,
    shared: Live<C::Shared>,
    crowd: Arc<Crowd>,
    parker: Parker<C>,
}

impl<C: Connection> Worker<C> {
    fn run(&self) {
        while let Some(work) = self.next() {
            self.crowd.busy.fetch_add(1, Ordering::Relaxed);
            if panic::catch_unwind(AssertUnwindSafe(|| self.serve(work))).is_err() {
                log::error!("a connection was lost to a panic of its worker");
            }
            self.crowd.busy.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// What is in the queue comes first, then who is at the door; then whichever returns to the queue.
    fn next(&self) -> Option<Work<C>> {
        match self.queue.take() {
            Ok(work) => Some(work),
            Err(idle) => self.accept(idle).map(Work::Fresh).or_else(|| self.queue.pop()),
        }
    }

    /// Waits at the door a moment, if it may.
    fn accept(&self, idle: usize) -> Option<Accepted> {
        let permit = self.open.take_spare()?;
        let (client, peer) = self.door.as_ref()?.accept_as_worker(idle)?;
        Some(Accepted { client, peer, at: clock::now().instant, permit })
    }

    fn serve(&self, work: Work<C>) {
        let (mut connection, permit) = match work {
            Work::Back(Parked { connection, permit }) => (connection, permit),
            Work::Fresh(Accepted { client, peer, at, permit }) => {
                (Box::new(C::accept(&self.shared.get(), client, peer, at, &clock::now())), permit)
            }
        };
        match connection.serve(&Patience::new(&self.crowd)) {
            Turn::Done => {}
            Turn::Park => self.parker.park(Parked { connection, permit }),
        }
    }
}
