//! Where connections wait without a worker: a table of them, a poller for all, and one thread that waits there.
//!
//! Here the threaded model borrows the method of the other one, a poller, for connections that nobody serves
//! at the moment. With `--no-park` it does without, and shows what that costs.
//!
//! Contract: a parked connection goes back to the workers, once, when the first of these happens: a
//! socket it waits for is ready, its deadline comes, its waker is called, the drain begins. This is
//! what keeps a thousand idle clients from owning a thousand threads.
//!
//! How it goes back decides what a crowd costs, because to wake a thread costs more than to serve a small request:
//!
//! - A worker that parks a connection writes it into the table and tells the poller. It wakes nobody.
//! - The thread calls a worker for the connections that are ready. That worker is a *runner* until it has to wait or
//!   finds no more: it takes one after the other.
//! - There are never more runners than processors: a further one could not run anyway. While there are that many,
//!   the thread sleeps and the runners look at the poller themselves. So the busier it is, the fewer threads wake. (I/O
//!   completion ports of Windows limit their running threads in the same way.)

use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use mio::event::Event;
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use super::Connection;
use super::intake::Work;
use super::session::Awaited;
use crate::net::accept::Shortage;
use crate::net::clock;
use crate::net::held::{Held, SET_ASIDE_FROM};
use crate::net::permits::Permit;
use crate::net::poller::{self, Watched};
use crate::net::socket::number;
use crate::net::timers::Timers;
use crate::net::waker::PollerWaker;
use crate::observe::lane::{self, Kind, Phase};
use crate::observe::role_view::RoleView;
use crate::protocol::interest::Step;
use crate::protocol::now::Now;

/// Events taken from the poller at once; more of them wait for the next look.
const EVENTS_MAX: usize = 1024;

/// How soon a worker is called again after the workers' channel had no room for the call. The channel is full only while
/// every worker is busy: then a connection waits for its worker much longer than this, and 200 looks a second are no
/// load.
const FULL_QUEUE_RETRY: Duration = Duration::from_millis(5);

/// How soon a connection is looked at that the poller refuses to watch: the same.
const UNWATCHED_RETRY: Duration = FULL_QUEUE_RETRY;

/// How often what the role keeps between connections is looked over: idle back-end connections, for one.
const TIDY_INTERVAL: Duration = Duration::from_secs(1);

/// The poller refuses to watch a socket: the system's limit on that (`max_user_watches`) is reached.
static WATCHING_FAILS: Shortage = Shortage::new();

const WAKE: Token = Token(usize::MAX);

/// A connection between two workers.
pub(crate) struct ParkedConnection<C: Connection> {
    /// It goes first: the sockets close before the permit is given back.
    pub(crate) connection: Held<C>,
    pub(crate) _permit: Permit,
}

/// What the workers and the thread share.
pub(crate) struct Parking<C: Connection> {
    poller: Mutex<Poller>,
    registry: Registry,
    pub(crate) waker: Arc<PollerWaker>,
    table: Mutex<Table<C>>,
    /// The thread sleeps here while there are enough runners.
    runner_left: Condvar,
    /// How many are enough.
    runners_max: usize,
    common: C::Common,
}

struct Poller {
    poll: Poll,
    events: Events,
}

/// Who is parked.
struct Table<C: Connection> {
    /// By the [number] of their client's socket, as are the timers and wakers.
    parked: HashMap<usize, Entry<C>>,
    timers: Timers,
    /// Those of them that have nothing to wait for any more.
    due: Vec<usize>,
    /// Their wait is over, and no worker has them yet.
    ready: VecDeque<ParkedConnection<C>>,
    /// Workers that were called for what is ready.
    runners: usize,
    /// Until when the thread sleeps if nothing happens: who parks a connection with an earlier deadline wakes it.
    sleeps_until: Instant,
    /// The thread is not at the poller, but waits for a runner to leave.
    thread_rests: bool,
    is_draining: bool,
    is_over: bool,
}

/// A parked connection, and its sockets as the poller watches them: the client's and the back end's.
struct Entry<C: Connection> {
    parked: ParkedConnection<C>,
    watched: [Option<Watched>; 2],
    /// The poller refused to watch one of them.
    is_unwatched: bool,
}

/// Starts the thread, which runs until [`stop`](Parking::stop). `worker_queue` is where workers are called.
pub(crate) fn start<C: Connection>(
    workers: usize,
    worker_queue: Sender<Work>,
    common: C::Common,
    view: Option<Arc<RoleView>>,
) -> io::Result<(JoinHandle<()>, Arc<Parking<C>>)> {
    let poll = Poll::new()?;
    let parking = Arc::new(Parking {
        registry: poll.registry().try_clone()?,
        waker: PollerWaker::new(Waker::new(poll.registry(), WAKE)?),
        poller: Mutex::new(Poller { poll, events: Events::with_capacity(EVENTS_MAX) }),
        table: Mutex::default(),
        runner_left: Condvar::new(),
        runners_max: thread::available_parallelism().map_or(1, usize::from).min(workers),
        common,
    });
    let shared = Arc::clone(&parking);
    let thread = thread::Builder::new().name("parking".to_owned()).spawn(move || {
        RoleView::show(view.as_ref(), Kind::Parking, "parking");
        shared.run(&worker_queue);
    })?;
    Ok((thread, parking))
}

/// What workers do with the parking.
impl<C: Connection> Parking<C> {
    /// Parks a connection that has to wait.
    pub(crate) fn park(&self, mut parked: ParkedConnection<C>) {
        let mut table = self.table();
        if table.is_over {
            drop(table);
            return cut(parked);
        }
        let Some(session) = parked.connection.take_up(clock::now).and_then(C::session) else { return };
        if table.is_draining {
            // Its worker may not have heard of it.
            session.drain();
        }
        let awaited = session.awaited();
        let number = number(&awaited.client);
        // Within the lock: what happens to a socket from now on finds the connection in the table.
        let (watched, failed) = watch(&self.registry, &awaited, number);
        let mut deadline = awaited.deadline;
        if let Some(error) = &failed {
            // It cannot be waited for, so it is looked at again soon; its own calls will tell what is wrong.
            let now = Instant::now();
            deadline = Some(now + UNWATCHED_RETRY);
            if WATCHING_FAILS.is_news(now) {
                log::error!("connections cannot be parked, which costs time: {error}");
            }
        }
        // Its waker was called before it came here, the drain has ended it, or bytes for it are here already.
        let is_due =
            awaited.has_unread || matches!(awaited.step, Step::Verify | Step::Connect | Step::Finish);
        if is_due {
            table.due.push(number);
        }
        if let Some(deadline) = deadline {
            table.timers.set(number, deadline);
        }
        if table.parked.len() >= SET_ASIDE_FROM {
            parked.connection.set_aside();
        }
        table.parked.insert(number, Entry { parked, watched, is_unwatched: failed.is_some() });
        let is_early = deadline.is_some_and(|deadline| deadline < table.sleeps_until);
        drop(table);
        if is_due || is_early {
            self.waker.wake();
        }
    }

    /// For a runner: the next connection that is ready, if there is one.
    pub(crate) fn next_ready(&self) -> Option<ParkedConnection<C>> {
        let mut table = self.table();
        if table.ready.is_empty() && table.thread_rests {
            drop(table);
            // Another runner may be looking.
            if let Ok(mut poller) = self.poller.try_lock() {
                self.look(&mut poller, Instant::now());
            }
            table = self.table();
        }
        table.ready.pop_front()
    }

    /// For a runner that has to wait, or has found no more: it is a runner no longer. If it leaves something behind,
    /// the thread sees to it.
    pub(crate) fn stop_running(&self) {
        let mut table = self.table();
        table.runners -= 1;
        let (rests, leaves_some) = (table.thread_rests, !table.ready.is_empty());
        drop(table);
        if rests {
            self.runner_left.notify_one();
        } else if leaves_some {
            self.waker.wake();
        }
    }

    /// How many connections wait here.
    pub(crate) fn parked(&self) -> usize {
        self.table().parked.len()
    }

    /// How many connections are ready and wait for a worker, beside those for which one was called.
    pub(crate) fn waiting(&self) -> usize {
        let table = self.table();
        table.ready.len().saturating_sub(table.runners)
    }

    /// The drain begins: every connection is told, and those with nothing in flight end, the new ones in a moment.
    pub(crate) fn drain(&self) {
        let mut table = self.table();
        let Table { parked, due, timers, is_draining, .. } = &mut *table;
        *is_draining = true;
        for (number, entry) in parked {
            if let Some(session) = entry.parked.connection.take_up(clock::now).and_then(C::session) {
                session.drain();
                let awaited = session.awaited();
                if awaited.step == Step::Finish {
                    due.push(*number);
                }
                if let Some(deadline) = awaited.deadline {
                    timers.set(*number, deadline);
                }
            }
        }
        drop(table);
        self.waker.wake();
    }

    /// The drain is over: cuts every connection, and ends the thread.
    pub(crate) fn stop(&self) {
        let mut table = self.table();
        table.is_over = true;
        let (parked, ready) = (mem::take(&mut table.parked), mem::take(&mut table.ready));
        drop(table);
        parked.into_values().map(|entry| entry.parked).chain(ready).for_each(cut);
        self.waker.wake();
        self.runner_left.notify_one();
    }

    fn table(&self) -> MutexGuard<'_, Table<C>> {
        // A thread that panics with the lock leaves whole entries.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread does.
impl<C: Connection> Parking<C> {
    fn run(&self, worker_queue: &Sender<Work>) {
        let mut tidied = Instant::now();
        lane::enter(Phase::Parked, 0);
        while let Some(longest) = self.call_runners(worker_queue) {
            let mut poller = self.poller.lock().unwrap_or_else(PoisonError::into_inner);
            // Only now: a runner that was looking may have taken a call of the waker that was for this thread.
            let Some(until) = self.fall_asleep(longest) else { break };
            let now = self.look(&mut poller, until);
            drop(poller);
            if now.instant - tidied >= TIDY_INTERVAL {
                C::tidy(&self.common, &now);
                tidied = now.instant;
            }
        }
    }

    /// Calls workers for what is ready, and rests while there are enough of them. Says how long the poller may wait
    /// then; `None` at the end.
    fn call_runners(&self, worker_queue: &Sender<Work>) -> Option<Duration> {
        let until = Instant::now() + TIDY_INTERVAL;
        let mut table = self.table();
        while !table.is_over {
            let called = table.ready.len().min(self.runners_max - table.runners);
            if called > 0 {
                table.runners += called;
                drop(table); // a worker that wakes takes this lock first
                let refused = (0..called).filter(|_| worker_queue.try_send(Work::TakeReady).is_err()).count();
                table = self.table();
                table.runners -= refused;
                if refused > 0 {
                    return Some(FULL_QUEUE_RETRY);
                }
                continue; // some of them may have left already
            }
            let left = until.saturating_duration_since(Instant::now());
            if table.runners < self.runners_max {
                return Some(TIDY_INTERVAL);
            }
            if left.is_zero() {
                return Some(Duration::ZERO);
            }
            table.thread_rests = true;
            let woken = self.runner_left.wait_timeout(table, left);
            table = woken.unwrap_or_else(PoisonError::into_inner).0;
            table.thread_rests = false;
        }
        None
    }

    /// Until when the thread may wait at the poller, `longest` at most; `None` at the end.
    fn fall_asleep(&self, longest: Duration) -> Option<Instant> {
        let mut table = self.table();
        let now = Instant::now();
        let next = table.timers.next().map_or(now + longest, |next| next.min(now + longest));
        table.sleeps_until = if table.due.is_empty() { next } else { now };
        (!table.is_over).then_some(table.sleeps_until)
    }

    /// Waits at the poller until this moment at most, and moves to `ready` whose wait is over.
    fn look(&self, poller: &mut Poller, until: Instant) -> Now {
        let Poller { poll, events } = poller;
        let timeout = until.saturating_duration_since(Instant::now());
        if let Err(error) = poll.poll(events, Some(timeout))
            && error.kind() != io::ErrorKind::Interrupted
        {
            log::error!("the poller of parked connections failed: {error}");
        }
        let now = clock::now();
        let woken = self.waker.take_woken();
        // All events within one lock: a number that an event frees is parked again only after them, so no event
        // can reach a successor.
        let mut table = self.table();
        let mut ready: Vec<_> = events.iter().filter_map(|event| table.take_ready(event, &now)).collect();
        for number in mem::take(&mut table.due).into_iter().chain(woken) {
            ready.extend(table.parked.remove(&number));
        }
        while let Some(number) = table.timers.expired(now.instant) {
            ready.extend(table.take_expired(number, &now));
        }
        for Entry { parked, watched, .. } in ready {
            for watched in watched.into_iter().flatten() {
                // It was registered and is open, so it can be taken out.
                let _ = watched.end(&self.registry);
            }
            table.ready.push_back(parked);
        }
        now
    }
}

impl<C: Connection> Default for Table<C> {
    fn default() -> Table<C> {
        Table {
            parked: HashMap::new(),
            timers: Timers::new(),
            due: Vec::new(),
            ready: VecDeque::new(),
            runners: 0,
            sleeps_until: Instant::now(),
            thread_rests: false,
            is_draining: false,
            is_over: false,
        }
    }
}

impl<C: Connection> Table<C> {
    /// The connection to which this event has happened, if it waits for that.
    fn take_ready(&mut self, event: &Event, now: &Now) -> Option<Entry<C>> {
        let Token(token) = event.token();
        let (number, is_client) = (token / 2, token.is_multiple_of(2));
        let session =
            self.parked.get_mut(&number)?.parked.connection.take_up(|| *now).and_then(C::session)?;
        let of = session.awaited().interest;
        // A client that is only watched for a failure, and it has not failed: it has sent on, or finished
        // sending, and waits for its response.
        if is_client && !of.read_client && !of.write_client && !poller::has_failed(event) {
            return None;
        }
        session.expect_bytes(is_client);
        self.parked.remove(&number)
    }

    /// The connection whose timer has fired, if its deadline has come: the timer of a connection is set at each wait
    /// and not cleared after it.
    fn take_expired(&mut self, number: usize, now: &Now) -> Option<Entry<C>> {
        let has_many = self.parked.len() >= SET_ASIDE_FROM;
        let entry = self.parked.get_mut(&number)?;
        let session = entry.parked.connection.take_up(|| *now).and_then(C::session);
        match session.and_then(|session| session.awaited().deadline) {
            Some(deadline) if deadline > now.instant && !entry.is_unwatched => {
                self.timers.set(number, deadline);
                if has_many {
                    entry.parked.connection.set_aside();
                }
                None
            }
            _ => self.parked.remove(&number),
        }
    }
}

fn cut<C: Connection>(mut parked: ParkedConnection<C>) {
    if let Some(session) = parked.connection.take_up(clock::now).and_then(C::session) {
        session.cut();
    }
}

/// The readiness that a parked connection waits for on each of its sockets, the client's first.
fn interests(awaited: &Awaited<'_>) -> [Option<Interest>; 2] {
    let interest = |read: bool, write: bool| match (read, write) {
        (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
        (true, false) => Some(Interest::READABLE),
        (false, true) => Some(Interest::WRITABLE),
        (false, false) => None,
    };
    let of = awaited.interest;
    [interest(of.read_client, of.write_client), interest(of.read_backend, of.write_backend)]
}

/// Has the poller watch what the connection of this number waits for, as far as that can be done.
fn watch(
    registry: &Registry,
    awaited: &Awaited<'_>,
    number: usize,
) -> ([Option<Watched>; 2], Option<io::Error>) {
    let [of_client, of_backend] = interests(awaited);
    let watches_client = of_client.is_some() || awaited.interest.watch_client;
    let client = watches_client.then_some((awaited.client, of_client));
    let backend = awaited.backend.filter(|_| of_backend.is_some()).map(|socket| (socket, of_backend));
    let (mut watched, mut failed) = ([None, None], None);
    for (side, socket) in [client, backend].into_iter().enumerate() {
        if let Some((socket, interest)) = socket {
            match Watched::begin(registry, socket, Token(2 * number + side), interest) {
                Ok(begun) => watched[side] = Some(begun),
                Err(error) => failed = Some(error),
            }
        }
    }
    (watched, failed)
}
