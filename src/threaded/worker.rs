//! The workers: a fixed number of threads, each of which serves one connection after another.
//!
//! Contract: at most `workers` connections are served at one instant; a panic costs the connection it
//! happened to, and is logged. The threads are `threadpool`'s. Its own queue has no bound and never
//! refuses, so each thread runs one job for ever: take the next connection, serve it, again.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use threadpool::ThreadPool;

use super::intake::{Accepted, Intake, Work};
use super::io::Socket;
use super::parking::{ParkedConnection, Parking};
use super::session::Session;
use super::{Connection, Parked, PoolSettings, Service};
use crate::net::clock;
use crate::net::held::Held;
use crate::net::listen::ACCEPTED_READ_TIMEOUT;
use crate::net::permits::Permits;
use crate::net::session;
use crate::net::shutdown::Shutdown;
use crate::net::threads;
use crate::net::waker::PollerWaker;
use crate::observe::lane::Kind;
use crate::observe::log::name_this_thread;
use crate::observe::role_view::RoleView;
use crate::protocol::buffer;
use crate::protocol::now::Now;

/// Longest single wait of a worker for bytes (a connect may take longer): how soon it sees a drain, and how long a quiet connection may
/// have a worker to itself.
pub(crate) const TICK: Duration = ACCEPTED_READ_TIMEOUT;

/// One worker in this many may wait in `accept` at a time (`intake/shared_accept.rs`), where a call of the parking does
/// not reach it. So the pool counts as crowded as soon as no more workers than that would be left if each connection
/// had one, and then connections are parked at once.
pub(crate) const CROWDED_PART: usize = 8;

/// Moves of bytes, reads and writes to the client, of one connection in a turn of its worker while the pool is crowded:
/// a client that always has its next request ready, or takes a large file as fast as it comes, would keep the worker
/// for as long. As many as in the other driver (`CALLS_PER_ITERATION_MAX`).
const MOVES_PER_TURN_MAX: usize = 16;

/// Parked connections that a worker serves before it looks whether new clients wait.
const READY_PER_TURN_MAX: usize = 16;

/// Starts the workers, which end when the senders of the worker queue are gone.
pub(crate) fn start<C: Connection>(
    settings: &PoolSettings,
    pool: &Arc<Pool<C>>,
    intake: &Arc<Intake>,
) -> ThreadPool {
    let workers = settings.workers;
    let threads = threadpool::Builder::new().num_threads(workers).thread_name("worker".to_owned()).build();
    for number in 0..workers {
        let (pool, intake, view) = (Arc::clone(pool), Arc::clone(intake), settings.view.clone());
        threads.execute(move || {
            // `threadpool` has one name for all of them; a debugger and the log show which is which.
            let name = format!("worker-{number:02}");
            threads::name_this_thread(&name);
            name_this_thread(&name);
            RoleView::show(view.as_ref(), Kind::Worker, &name);
            buffer::keep_few_spares();
            while let Some(work) = intake.next(number) {
                pool.work(work, &intake);
            }
        });
    }
    threads
}

/// What the workers and acceptors of a role share.
pub(crate) struct Pool<C: Connection> {
    pub(crate) service: Arc<ArcSwap<Service<C>>>,
    pub(crate) common: C::Common,
    pub(crate) load: PoolLoad,
    pub(crate) parking: Arc<Parking<C>>,
}

impl<C: Connection> Pool<C> {
    /// What a worker does with what it was given.
    fn work(&self, work: Work, intake: &Intake) {
        self.guard(|| match work {
            Work::New(accepted) => self.serve(self.accept(accepted), &WaitBudget::new(&self.load, &|| {})),
            Work::TakeReady => self.serve_ready(intake),
        });
    }

    /// Serves connections whose wait is over, one after the other, until there are no more, one has to be waited for,
    /// or new clients wait for a worker.
    fn serve_ready(&self, intake: &Intake) {
        let runner = Runner { parking: &self.parking, runs: Cell::new(true) };
        for served in 1.. {
            let Some(connection) = self.parking.next_ready() else { return };
            self.guard(|| self.serve(connection, &WaitBudget::new(&self.load, &|| runner.stop())));
            let looks_up = served % READY_PER_TURN_MAX == 0;
            if !runner.runs.get() || (looks_up && intake.queue_length() > 0) {
                return;
            }
        }
    }

    /// A panic costs the connection that is served by `serve`, and no other.
    fn guard(&self, serve: impl FnOnce()) {
        if panic::catch_unwind(AssertUnwindSafe(serve)).is_err() {
            log::error!("a connection was lost to a panic of its worker");
        }
    }

    /// Takes up a client.
    pub(crate) fn accept(&self, accepted: Accepted) -> ParkedConnection<C> {
        let Accepted { client, peer, is_plain, at, permit } = accepted;
        let (service, client) = (self.service.load_full(), Socket::accepted(client));
        let session =
            Session::accept(service, client, session::Accepted { peer, is_plain, at }, &clock::now());
        ParkedConnection { connection: Held::new(session.into()), _permit: permit.taken_up() }
    }

    /// Serves a connection to its end, or parks it when it has to wait longer than `budget` allows.
    pub(crate) fn serve(&self, mut parked: ParkedConnection<C>, budget: &WaitBudget<'_>) {
        let Some(connection) = parked.connection.take_up(clock::now) else { return };
        if let Err(Parked) = connection.serve(&self.common, budget) {
            self.parking.park(parked);
        }
    }
}

/// A worker that was called for what is ready, until it stops or is dropped: then the parking may call another.
struct Runner<'p, C: Connection> {
    parking: &'p Parking<C>,
    runs: Cell<bool>,
}

impl<C: Connection> Runner<'_, C> {
    fn stop(&self) {
        if self.runs.replace(false) {
            self.parking.stop_running();
        }
    }
}

impl<C: Connection> Drop for Runner<'_, C> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether there are enough workers, and whether the end has come.
pub(crate) struct PoolLoad {
    workers: usize,
    /// Of the connections that are open.
    permits: Permits,
    /// False with `--no-park`: a connection keeps its worker to its end.
    parks: bool,
    pub(crate) shutdown: Shutdown,
    over: AtomicBool,
    /// Wakes the parking.
    pub(crate) waker: Arc<PollerWaker>,
}

impl PoolLoad {
    pub(crate) fn new<C: Connection>(
        settings: &PoolSettings,
        permits: &Permits,
        shutdown: &Shutdown,
        parking: &Parking<C>,
    ) -> PoolLoad {
        PoolLoad {
            workers: settings.workers,
            permits: permits.clone(),
            parks: settings.park,
            shutdown: shutdown.clone(),
            over: AtomicBool::new(false),
            waker: Arc::clone(&parking.waker),
        }
    }

    /// The program stops: finish what is in flight.
    pub(crate) fn is_draining(&self) -> bool {
        self.shutdown.is_draining()
    }

    /// The time for that is over too: cut what is left.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// From now on it [is over](PoolLoad::is_over).
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// There is not a worker for each connection.
    fn is_crowded(&self) -> bool {
        let free = self.workers.saturating_sub(self.permits.taken_up());
        CROWDED_PART * free <= self.workers
    }
}

/// How long a worker may wait for the connection that it serves: the rule, and what it depends on.
pub(crate) struct WaitBudget<'p> {
    pub(crate) load: &'p PoolLoad,
    /// A wait of this connection was in vain: the next one is not waited here.
    waited: Cell<bool>,
    /// Moves in this turn.
    moves: Cell<usize>,
    /// For a thread that may look and never wait.
    never: bool,
    /// What a worker does before it waits.
    before_waiting: &'p dyn Fn(),
}

impl<'p> WaitBudget<'p> {
    /// For a worker, which calls `before_waiting` before it waits.
    pub(crate) fn new(load: &'p PoolLoad, before_waiting: &'p dyn Fn()) -> WaitBudget<'p> {
        WaitBudget { load, waited: Cell::new(false), moves: Cell::new(0), never: false, before_waiting }
    }

    /// For a thread that may look and never wait.
    pub(crate) fn none(load: &'p PoolLoad) -> WaitBudget<'p> {
        WaitBudget { never: true, ..WaitBudget::new(load, &|| {}) }
    }

    /// How long the next wait may be, up to the `deadline`; zero: only look. Parks the connection if its turn is over.
    ///
    /// While there is a worker for each connection, waiting is cheapest: to be brought back from parking wakes two
    /// threads, that of the parking and a worker. In a crowd those serve many connections each time they wake.
    pub(crate) fn limit(&self, deadline: Option<Instant>, now: &Now) -> Result<Duration, Parked> {
        if !self.count_move()? {
            return Ok(Duration::ZERO);
        }
        self.about_to_wait();
        let left =
            deadline.map_or(TICK, |deadline| deadline.saturating_duration_since(now.instant).min(TICK));
        Ok(left)
    }

    /// Before a move of bytes: whether it may wait. Parks the connection if its turn is over.
    pub(crate) fn count_move(&self) -> Result<bool, Parked> {
        if !self.never && !(self.load.parks && (self.waited.get() || self.load.is_crowded())) {
            return Ok(true);
        }
        self.moves.update(|moves| moves + 1);
        if self.moves.get() > MOVES_PER_TURN_MAX { Err(Parked) } else { Ok(false) }
    }

    /// The next call may wait: nothing else may wait behind it.
    pub(crate) fn about_to_wait(&self) {
        (self.before_waiting)();
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
}
