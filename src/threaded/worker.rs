//! The workers: a fixed number of threads, each of which serves one connection after another.
//!
//! Contract: at most `workers` connections are served at one instant; a panic costs the connection it
//! happened to, and is logged. The threads are `threadpool`'s. Its own queue has no bound and never
//! refuses, so each thread runs one job for ever: take the next connection, serve it, again.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use threadpool::ThreadPool;

use super::intake::{Accepted, Intake, Work};
use super::parking::{ParkedConnection, ParkingHandle};
use super::waker::Wakers;
use super::{Connection, Parked, Role, Settings, show};
use crate::net::clock;
use crate::net::listen::ACCEPTED_READ_TIMEOUT;
use crate::net::shutdown::Shutdown;
use crate::net::threads::name_this_thread;
use crate::observe::lane::Kind;
use crate::protocol::buffer;
use crate::protocol::now::Now;

/// Longest single wait of a worker for bytes (a connect may take longer): how soon it sees a drain, and how long a quiet connection may
/// have a worker to itself.
pub(crate) const TICK: Duration = ACCEPTED_READ_TIMEOUT;

/// One worker in this many may wait in `accept` at a time (`intake/shared_accept.rs`). A connection that comes
/// back from parking does not reach a worker there. So when no more workers than that are free, the pool
/// counts as crowded, and connections are parked at once.
pub(crate) const CROWDED_PART: usize = 8;

/// How busy the workers are, and whether the end has come.
pub(crate) struct PoolLoad {
    workers: usize,
    busy: AtomicUsize,
    /// False with `--no-park`: a connection keeps its worker to its end.
    parks: bool,
    /// The drain's time is over: cut what is left.
    over: AtomicBool,
    shutdown: Shutdown,
    wakers: Wakers,
}

impl PoolLoad {
    pub(crate) fn new(workers: usize, parks: bool, shutdown: &Shutdown, wakers: Wakers) -> PoolLoad {
        PoolLoad {
            workers,
            busy: AtomicUsize::new(0),
            parks,
            over: AtomicBool::new(false),
            shutdown: shutdown.clone(),
            wakers,
        }
    }

    /// From now on whatever is still open is cut.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    fn is_crowded(&self) -> bool {
        let free = self.workers.saturating_sub(self.busy.load(Ordering::Relaxed));
        CROWDED_PART * free <= self.workers
    }
}

/// How long a worker may wait for the connection that it serves: the rule, and what it depends on.
pub(crate) struct WaitBudget<'p> {
    load: &'p PoolLoad,
    /// A wait of this connection was in vain: the next one is not waited here.
    waited: Cell<bool>,
    /// For a thread that may look and never wait.
    never: bool,
}

impl<'p> WaitBudget<'p> {
    /// For a worker.
    pub(crate) fn new(load: &'p PoolLoad) -> WaitBudget<'p> {
        WaitBudget { load, waited: Cell::new(false), never: false }
    }

    /// For a thread that may look and never wait.
    pub(crate) fn none(load: &'p PoolLoad) -> WaitBudget<'p> {
        WaitBudget { load, waited: Cell::new(false), never: true }
    }

    /// How long the next wait may be, up to the `deadline`; zero: only look.
    ///
    /// While enough workers are free, waiting is cheapest: parking wakes two threads, to take the
    /// connection there and to bring it back. In a crowded pool a worker is worth more than that.
    pub(crate) fn limit(&self, deadline: Option<Instant>, now: &Now) -> Duration {
        let may_not_wait = self.load.parks && (self.waited.get() || self.load.is_crowded());
        if self.never || may_not_wait {
            return Duration::ZERO;
        }
        deadline.map_or(TICK, |deadline| deadline.saturating_duration_since(now.instant).min(TICK))
    }

    /// Something moved: the connection may be waited for again.
    pub(crate) fn renew(&self) {
        self.waited.set(false);
    }

    /// Nothing moved in a wait that [`limit`](WaitBudget::limit) allowed. Parks the connection, unless
    /// its deadline has come, which is for its machine to act on.
    pub(crate) fn waited_in_vain(&self, deadline: Option<Instant>) -> Result<(), Parked> {
        self.waited.set(true);
        if self.load.parks || self.never { self.park(deadline) } else { Ok(()) }
    }

    /// Parks the connection, unless its deadline has come.
    pub(crate) fn park(&self, deadline: Option<Instant>) -> Result<(), Parked> {
        let is_due = deadline.is_some_and(|deadline| deadline <= clock::now().instant);
        if is_due { Ok(()) } else { Err(Parked) }
    }

    /// A waker for a connection that has to wait in the queue for a back end, and its number.
    pub(crate) fn waker(&self) -> (Waker, u64) {
        self.load.wakers.waker()
    }

    /// The program stops: finish what is in flight.
    pub(crate) fn is_draining(&self) -> bool {
        self.load.shutdown.is_draining()
    }

    /// The time for that is over too.
    pub(crate) fn is_over(&self) -> bool {
        self.load.over.load(Ordering::Relaxed)
    }
}

/// Starts the workers; each gets an intake of its own from `intake`.
pub(crate) fn start<C: Connection>(
    settings: &Settings,
    role: &Role<C>,
    load: &Arc<PoolLoad>,
    parking: &ParkingHandle<C>,
    intake: impl Fn(usize) -> Intake<C>,
) -> ThreadPool {
    let workers = settings.workers;
    let threads = threadpool::Builder::new().num_threads(workers).thread_name("worker".to_owned()).build();
    for number in 0..workers {
        let worker = Worker {
            intake: intake(number),
            role: role.clone(),
            load: Arc::clone(load),
            parking: parking.clone(),
        };
        let view = settings.view.clone();
        threads.execute(move || {
            let name = format!("worker-{number:02}");
            // `threadpool` has one name for all of them, and a debugger shows which is which.
            name_this_thread(&name);
            show(view.as_ref(), Kind::Worker, &name);
            buffer::keep_few_spares();
            worker.run();
        });
    }
    threads
}

struct Worker<C: Connection> {
    intake: Intake<C>,
    role: Role<C>,
    load: Arc<PoolLoad>,
    parking: ParkingHandle<C>,
}

impl<C: Connection> Worker<C> {
    fn run(&self) {
        while let Some(work) = self.intake.next() {
            self.load.busy.fetch_add(1, Ordering::Relaxed);
            if panic::catch_unwind(AssertUnwindSafe(|| self.serve(work))).is_err() {
                log::error!("a connection was lost to a panic of its worker");
            }
            self.load.busy.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn serve(&self, work: Work<C>) {
        // Rust drops the last variable first: the sockets close before the permit is given back.
        let (permit, mut connection) = match work {
            Work::Resumed(ParkedConnection { connection, permit }) => (permit, connection),
            Work::New(Accepted { client, peer, at, permit }) => {
                (permit, Box::new(self.role.accept(client, peer, at, &clock::now())))
            }
        };
        if let Err(Parked) = connection.serve(&WaitBudget::new(&self.load)) {
            self.parking.park(ParkedConnection { connection, permit });
        }
    }
}
