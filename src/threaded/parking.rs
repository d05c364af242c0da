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
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use slab::Slab;

use super::intake::Work;
use super::session::Waiting;
use super::{Awaited, Connection, Role, show};
use crate::net::clock;
use crate::net::permits::Permit;
use crate::net::timers::Timers;
use crate::observe::lane::{self, Kind, Phase};
use crate::observe::role_view::RoleView;
use crate::protocol::interest::Step;

/// Events looked at in one iteration; more of them wait for the next.
const EVENTS_PER_ITERATION_MAX: usize = 1024;

/// How soon a connection whose wait is over, and for which the workers' channel had no room, is tried again.
const FULL_QUEUE_RETRY: Duration = Duration::from_millis(5);

/// How often what the role keeps between connections is looked over: idle back-end connections, for one.
const TIDY_INTERVAL: Duration = Duration::from_secs(1);

const WAKE: Token = Token(usize::MAX);

/// A connection between two workers.
pub(crate) struct ParkedConnection<C> {
    /// On the heap: it changes hands often.
    pub(crate) connection: Box<C>,
    pub(crate) permit: Permit,
}

/// The thread that waits for all parked connections.
#[derive(Debug)]
pub(crate) struct Parking(JoinHandle<()>);

/// Hands connections over to be parked. Clones lead to the same thread.
pub(crate) struct ParkingHandle<C> {
    /// Without a bound of its own: each open connection is in it once at most, and those are bounded.
    orders: Sender<Order<C>>,
    waker: Arc<Waker>,
}

enum Order<C> {
    Park(ParkedConnection<C>),
    /// The waker of this number was called.
    Wake(u64),
    /// The drain begins: every connection is told, and those with nothing in flight end.
    Drain,
    /// The drain is over: cut every connection.
    Stop,
}

impl<C> Clone for ParkingHandle<C> {
    fn clone(&self) -> ParkingHandle<C> {
        ParkingHandle { orders: self.orders.clone(), waker: Arc::clone(&self.waker) }
    }
}

impl<C: Connection> ParkingHandle<C> {
    /// Lets a connection wait without a worker.
    pub(crate) fn park(&self, parked: ParkedConnection<C>) {
        self.order(Order::Park(parked));
    }

    /// Brings the connection back that waits for the waker of this number.
    pub(crate) fn wake(&self, number: u64) {
        self.order(Order::Wake(number));
    }

    /// The drain begins.
    pub(crate) fn drain(&self) {
        self.order(Order::Drain);
    }

    /// The drain is over.
    pub(crate) fn stop(&self) {
        self.order(Order::Stop);
    }

    fn order(&self, order: Order<C>) {
        match self.orders.send(order) {
            // Waking fails only if the poller is gone, and then its end of the channel is gone too.
            Ok(()) => _ = self.waker.wake(),
            Err(refused) => {
                if let Order::Park(mut parked) = refused.0 {
                    cut(&mut *parked.connection);
                }
            }
        }
    }
}

impl Parking {
    /// Starts the thread. `worker_queue` is where connections go back to.
    pub(crate) fn start<C: Connection>(
        worker_queue: Sender<Work<C>>,
        role: &Role<C>,
        view: Option<Arc<RoleView>>,
    ) -> io::Result<(Parking, ParkingHandle<C>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (orders, received) = crossbeam_channel::unbounded();
        let poller = Poller {
            poll,
            worker_queue,
            role: role.clone(),
            received,
            parked: Slab::new(),
            timers: Timers::new(),
            wakers: HashMap::new(),
            returning: VecDeque::new(),
            is_draining: false,
        };
        let run = move || {
            show(view.as_ref(), Kind::Parking, "parking");
            poller.run();
        };
        let thread = thread::Builder::new().name("parking".to_owned()).spawn(run)?;
        Ok((Parking(thread), ParkingHandle { orders, waker }))
    }

    /// Waits for its end, which [`stop`](ParkingHandle::stop) brings about.
    pub(crate) fn join(self) {
        if self.0.join().is_err() {
            log::error!("the parking thread ended by a panic");
        }
    }
}

/// What the thread owns.
struct Poller<C: Connection> {
    poll: Poll,
    worker_queue: Sender<Work<C>>,
    role: Role<C>,
    received: Receiver<Order<C>>,
    parked: Slab<ParkedConnection<C>>,
    timers: Timers,
    /// The slots of connections that wait for a waker, by its number.
    wakers: HashMap<u64, usize>,
    /// Connections whose wait is over and for which the workers' channel had no room yet.
    returning: VecDeque<ParkedConnection<C>>,
    is_draining: bool,
}

impl<C: Connection> Poller<C> {
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
            // Events before orders: a slot that an event empties is filled again only after all events
            // of this iteration, so no event can reach a successor.
            for event in &events {
                if event.token() != WAKE && !self.is_of_no_interest(event) {
                    self.bring_back(event.token().0 / 2);
                }
            }
            let now = clock::now();
            while let Some(slot) = self.timers.expired(now.instant) {
                self.bring_back(slot);
            }
            self.return_to_workers();
            if now.instant - tidied >= TIDY_INTERVAL {
                self.role.tidy(&now);
                tidied = now.instant;
            }
            while let Ok(order) = self.received.try_recv() {
                match order {
                    Order::Park(parked) => self.park(parked),
                    Order::Wake(number) => {
                        if let Some(slot) = self.wakers.get(&number) {
                            self.bring_back(*slot);
                        }
                    }
                    Order::Drain => self.drain(),
                    Order::Stop => return self.cut_all(),
                }
            }
        }
    }

    /// True if an event is of a client that is only watched for a failure, and it has not failed: it
    /// has sent on, or finished sending, and waits for its response.
    fn is_of_no_interest(&self, event: &Event) -> bool {
        let (slot, is_client) = (event.token().0 / 2, event.token().0.is_multiple_of(2));
        let session = self.parked.get(slot).and_then(|parked| parked.connection.session());
        let Some(Awaited { interest, .. }) = session.map(Waiting::awaited) else { return false };
        is_client && !interest.read_client && !interest.write_client && !event.is_error()
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
        for (slot, parked) in &mut self.parked {
            if let Some(session) = parked.connection.session_mut() {
                session.drain();
                if session.awaited().step == Step::Finish {
                    ended.push(slot);
                }
            }
        }
        ended.into_iter().for_each(|slot| self.bring_back(slot));
    }

    fn park(&mut self, mut parked: ParkedConnection<C>) {
        let slot = self.parked.vacant_key();
        let Some(session) = parked.connection.session_mut() else { return };
        if self.is_draining {
            // Its worker may not have heard of it.
            session.drain();
        }
        let awaited = session.awaited();
        let registered = register(self.poll.registry(), &awaited, slot);
        // It was called before it came here, or the drain has ended it.
        let is_due = matches!(awaited.step, Step::Connect | Step::Finish);
        if let (Step::Queue, Some(number)) = (awaited.step, awaited.waker) {
            self.wakers.insert(number, slot);
        }
        if let Some(deadline) = session.deadline() {
            self.timers.set(slot, deadline);
        }
        self.parked.insert(parked);
        if let Err(error) = &registered {
            // It cannot wait here, so it waits in the channel; its own calls will tell what is wrong.
            log::error!("a connection could not be parked: {error}");
        }
        if is_due || registered.is_err() {
            self.bring_back(slot);
        }
    }

    /// Takes a connection out of its slot, if it is still there, and hands it to the workers.
    fn bring_back(&mut self, slot: usize) {
        let Some(parked) = self.parked.try_remove(slot) else { return };
        if let Some(awaited) = parked.connection.session().map(Waiting::awaited) {
            deregister(self.poll.registry(), &awaited);
            if let Some(number) = awaited.waker {
                self.wakers.remove(&number);
            }
        }
        self.timers.clear(slot);
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
        let parked = self.parked.drain().chain(self.returning.drain(..));
        parked.for_each(|mut parked| cut(&mut *parked.connection));
    }
}

fn cut(connection: &mut impl Connection) {
    if let Some(session) = connection.session_mut() {
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

fn register(registry: &Registry, awaited: &Awaited<'_>, slot: usize) -> io::Result<()> {
    let sockets = [Some(awaited.client), awaited.backend];
    for (side, (socket, interest)) in sockets.into_iter().zip(interests(awaited)).enumerate() {
        if let (Some(socket), Some(interest)) = (socket, interest) {
            registry.register(&mut SourceFd(&socket.as_raw_fd()), Token(2 * slot + side), interest)?;
        }
    }
    Ok(())
}

fn deregister(registry: &Registry, awaited: &Awaited<'_>) {
    for socket in std::iter::once(awaited.client).chain(awaited.backend) {
        // A socket that was not registered is not there to be taken out: nothing to do about it.
        let _ = registry.deregister(&mut SourceFd(&socket.as_raw_fd()));
    }
}
