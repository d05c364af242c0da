//! Where connections wait without a worker: one thread with a poller for all of them.
//!
//! Here the threaded model borrows the method of the other one, a poller, for connections that nobody serves
//! at the moment. With `--no-park` it does without, and shows what that costs.
//!
//! Contract: a parked connection goes back to the workers, once, when the first of these happens: a
//! socket it waits for is ready, its deadline comes, its waker is called, the drain begins. This is
//! what keeps a thousand idle clients from owning a thousand threads.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, SendError, Sender};
use mio::event::Event;
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use super::Connection;
use super::intake::Work;
use super::session::Awaited;
use crate::net::clock;
use crate::net::permits::Permit;
use crate::net::poller::{self, Watched};
use crate::net::socket::number;
use crate::net::timers::Timers;
use crate::net::waker::PollerWaker;
use crate::observe::lane::{self, Kind, Phase};
use crate::observe::role_view::RoleView;
use crate::protocol::interest::Step;

/// Events looked at in one iteration; more of them wait for the next.
const EVENTS_PER_ITERATION_MAX: usize = 1024;

/// How soon a connection whose wait is over, and for which the workers' channel had no room, is tried again. The
/// channel is full only while every worker is busy: then a connection waits for its worker much longer than this,
/// and 200 looks a second are no load.
const FULL_QUEUE_RETRY: Duration = Duration::from_millis(5);

/// How often what the role keeps between connections is looked over: idle back-end connections, for one.
const TIDY_INTERVAL: Duration = Duration::from_secs(1);

const WAKE: Token = Token(usize::MAX);

/// A connection between two workers.
pub(crate) struct ParkedConnection<C> {
    /// On the heap: it changes hands often. It goes first: the sockets close before the permit is given back.
    pub(crate) connection: Box<C>,
    pub(crate) _permit: Permit,
}

/// What the parking is told.
pub(crate) enum Order<C> {
    Park(ParkedConnection<C>),
    /// The drain begins: every connection is told, and those with nothing in flight end.
    Drain,
    /// The drain is over: cut every connection.
    Stop,
}

/// The way to the thread that waits for all parked connections.
pub(crate) struct ParkingHandle<C> {
    /// Without a bound of its own: each open connection is in it once at most, and those are bounded.
    orders: Sender<Order<C>>,
    pub(crate) waker: Arc<PollerWaker>,
}

impl<C: Connection> ParkingHandle<C> {
    pub(crate) fn send(&self, order: Order<C>) {
        match self.orders.send(order) {
            Ok(()) => self.waker.wake(),
            Err(SendError(Order::Park(parked))) => cut(parked),
            Err(SendError(Order::Drain | Order::Stop)) => {}
        }
    }
}

/// Starts the thread, which runs until [`Order::Stop`]. `worker_queue` is where connections go back to.
pub(crate) fn start<C: Connection>(
    worker_queue: Sender<Work<C>>,
    common: C::Common,
    view: Option<Arc<RoleView>>,
) -> io::Result<(JoinHandle<()>, ParkingHandle<C>)> {
    let poll = Poll::new()?;
    let waker = PollerWaker::new(Waker::new(poll.registry(), WAKE)?);
    let (orders, received) = crossbeam_channel::unbounded();
    let parking = Parking {
        poll,
        waker: Arc::clone(&waker),
        worker_queue,
        common,
        received,
        parked: HashMap::new(),
        timers: Timers::new(),
        returning: VecDeque::new(),
        is_draining: false,
    };
    let thread = thread::Builder::new().name("parking".to_owned()).spawn(move || {
        RoleView::show(view.as_ref(), Kind::Parking, "parking");
        parking.run();
    })?;
    Ok((thread, ParkingHandle { orders, waker }))
}

/// What the thread owns.
struct Parking<C: Connection> {
    poll: Poll,
    waker: Arc<PollerWaker>,
    worker_queue: Sender<Work<C>>,
    common: C::Common,
    received: Receiver<Order<C>>,
    /// By the [number] of their client's socket, as are the timers and wakers.
    parked: HashMap<usize, Entry<C>>,
    timers: Timers,
    /// Connections whose wait is over and for which the workers' channel had no room yet.
    returning: VecDeque<ParkedConnection<C>>,
    is_draining: bool,
}

/// A parked connection, and its sockets as the poller watches them: the client's and the back end's.
struct Entry<C> {
    parked: ParkedConnection<C>,
    watched: [Option<Watched>; 2],
}

impl<C: Connection> Parking<C> {
    fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_PER_ITERATION_MAX);
        let mut tidied = Instant::now();
        lane::enter(Phase::Parked, 0);
        loop {
            lane::holds(self.parked.len());
            if let Err(error) = self.poll.poll(&mut events, Some(self.timeout()))
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("the poller of parked connections failed: {error}");
            }
            // Events before orders: a number that an event frees is parked again only after all events of this
            // iteration, so no event can reach a successor.
            for event in &events {
                if event.token() == WAKE {
                    self.waker.take_woken().into_iter().for_each(|number| self.bring_back(number));
                } else if !self.is_of_no_interest(event) {
                    self.bring_back(event.token().0 / 2);
                }
            }
            let now = clock::now();
            while let Some(number) = self.timers.expired(now.instant) {
                self.bring_back(number);
            }
            self.return_to_workers();
            if now.instant - tidied >= TIDY_INTERVAL {
                C::tidy(&self.common, &now);
                tidied = now.instant;
            }
            while let Ok(order) = self.received.try_recv() {
                match order {
                    Order::Park(parked) => self.park(parked),
                    Order::Drain => self.drain(),
                    Order::Stop => return self.cut_all(),
                }
            }
        }
    }

    /// True if an event is of a client that is only watched for a failure, and it has not failed: it
    /// has sent on, or finished sending, and waits for its response.
    fn is_of_no_interest(&mut self, event: &Event) -> bool {
        let (number, is_client) = (event.token().0 / 2, event.token().0.is_multiple_of(2));
        let session = self.parked.get_mut(&number).and_then(|entry| entry.parked.connection.session());
        let Some(session) = session else { return false };
        let interest = session.awaited().interest;
        is_client && !interest.read_client && !interest.write_client && !poller::has_failed(event)
    }

    /// How long the poller may wait.
    fn timeout(&self) -> Duration {
        if !self.returning.is_empty() {
            return FULL_QUEUE_RETRY;
        }
        let next = self.timers.next();
        next.map_or(TIDY_INTERVAL, |at| at.saturating_duration_since(Instant::now()).min(TIDY_INTERVAL))
    }

    fn drain(&mut self) {
        self.is_draining = true;
        let mut ended = Vec::new();
        for (number, entry) in &mut self.parked {
            if let Some(session) = entry.parked.connection.session() {
                session.drain();
                if session.awaited().step == Step::Finish {
                    ended.push(*number);
                }
            }
        }
        ended.into_iter().for_each(|number| self.bring_back(number));
    }

    fn park(&mut self, mut parked: ParkedConnection<C>) {
        let Some(session) = parked.connection.session() else { return };
        if self.is_draining {
            // Its worker may not have heard of it.
            session.drain();
        }
        let awaited = session.awaited();
        let number = number(&awaited.client);
        let (watched, failed) = watch(self.poll.registry(), &awaited, number);
        if let Some(error) = &failed {
            // It cannot wait here, so it waits in the channel; its own calls will tell what is wrong.
            log::error!("a connection could not be parked: {error}");
        }
        // Its waker was called before it came here, or the drain has ended it.
        let is_due = matches!(awaited.step, Step::Verify | Step::Connect | Step::Finish);
        if let Some(deadline) = awaited.deadline {
            self.timers.set(number, deadline);
        }
        self.parked.insert(number, Entry { parked, watched });
        if is_due || failed.is_some() {
            self.bring_back(number);
        }
    }

    /// Hands the connection of this number to the workers, if it is still here.
    fn bring_back(&mut self, number: usize) {
        let Some(Entry { parked, watched }) = self.parked.remove(&number) else { return };
        for watched in watched.into_iter().flatten() {
            // It was registered and is open, so it can be taken out.
            let _ = watched.end(self.poll.registry());
        }
        self.timers.clear(number);
        self.returning.push_back(parked);
        self.return_to_workers();
    }

    fn return_to_workers(&mut self) {
        while let Some(parked) = self.returning.pop_front() {
            // What a channel gives back is what was sent.
            if let Err(Work::Resumed(parked)) =
                self.worker_queue.try_send(Work::Resumed(parked)).map_err(|refused| refused.into_inner())
            {
                return self.returning.push_front(parked);
            }
        }
    }

    fn cut_all(&mut self) {
        self.parked.drain().map(|(_, entry)| entry.parked).chain(self.returning.drain(..)).for_each(cut);
    }
}

fn cut<C: Connection>(mut parked: ParkedConnection<C>) {
    if let Some(session) = parked.connection.session() {
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
    let watches_client = of.read_client || of.watch_client;
    [interest(watches_client, of.write_client), interest(of.read_backend, of.write_backend)]
}

/// Has the poller watch the sockets for what the connection waits for, and what failed of that.
fn watch(
    registry: &Registry,
    awaited: &Awaited<'_>,
    number: usize,
) -> ([Option<Watched>; 2], Option<io::Error>) {
    let sockets = [Some(awaited.client), awaited.backend];
    let mut watched = [None, None];
    for (side, (socket, interest)) in sockets.into_iter().zip(interests(awaited)).enumerate() {
        if let (Some(socket), Some(interest)) = (socket, interest) {
            match Watched::begin(registry, socket, Token(2 * number + side), interest) {
                Ok(began) => watched[side] = Some(began),
                Err(error) => return (watched, Some(error)),
            }
        }
    }
    (watched, None)
}
