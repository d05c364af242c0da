//! Where connections wait without a worker: one poller thread for all of them.
//!
//! Contract: a parked connection comes back to the queue when a socket it waits for is ready, when
//! its deadline comes, its bell rings, or when the drain begins; whichever is first, and once. This is what keeps
//! a thousand idle clients from owning a thousand threads.

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

use super::Connection;
use super::pool::{Parked, Work};
use super::queue::Queue;
use crate::net::clock;
use crate::net::reloadable::Live;
use crate::net::timers::Timers;
use crate::protocol::interest::Wants;

/// Events looked at in one turn; more of them wait for the next.
const EVENTS_MAX: usize = 1024;

/// How soon a connection whose wait is over, and for which the queue had no room, is tried again.
const FULL_QUEUE_RETRY: Duration = Duration::from_millis(5);

/// How often the role's own things are looked over: kept back-end connections, for one.
const TIDY: Duration = Duration::from_secs(1);

const WAKE: Token = Token(usize::MAX);

/// The lot's thread.
#[derive(Debug)]
pub(crate) struct Lot(JoinHandle<()>);

/// Hands connections to the lot.
pub(crate) struct Parker<C> {
    /// Without a bound of its own: each open connection is in it once at most, and those are bounded.
    orders: Sender<Order<C>>,
    waker: Arc<Waker>,
}

enum Order<C> {
    Park(Parked<C>),
    /// The bell of this number was rung.
    Call(u64),
    /// The drain begins: everyone is told, and who has nothing in flight ends.
    Drain,
    /// The drain is over: cut everyone.
    Stop,
}

impl<C> Clone for Parker<C> {
    fn clone(&self) -> Parker<C> {
        Parker { orders: self.orders.clone(), waker: Arc::clone(&self.waker) }
    }
}

impl<C: Connection> Parker<C> {
    /// Lets a connection wait.
    pub(crate) fn park(&self, parked: Parked<C>) {
        self.order(Order::Park(parked));
    }

    /// Brings the connection back that waits for this bell.
    pub(crate) fn call(&self, number: u64) {
        self.order(Order::Call(number));
    }

    pub(crate) fn drain(&self) {
        self.order(Order::Drain);
    }

    pub(crate) fn stop(&self) {
        self.order(Order::Stop);
    }

    fn order(&self, order: Order<C>) {
        match self.orders.send(order) {
            // Waking fails only if the lot's poller is gone, and then so is its end of the channel.
            Ok(()) => _ = self.waker.wake(),
            Err(refused) => {
                if let Order::Park(mut parked) = refused.0 {
                    parked.connection.cut(&clock::now());
                }
            }
        }
    }
}

impl Lot {
    /// Starts the poller thread.
    pub(crate) fn start<C: Connection>(
        queue: Arc<Queue<Work<C>>>,
        shared: Live<C::Shared>,
    ) -> io::Result<(Lot, Parker<C>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (orders, received) = crossbeam_channel::unbounded();
        let keeper = Keeper {
            poll,
            queue,
            shared,
            received,
            places: Vec::new(),
            free: Vec::new(),
            timers: Timers::new(),
            bells: HashMap::new(),
            returning: VecDeque::new(),
            is_draining: false,
        };
        let thread = thread::Builder::new().name("lot".to_owned()).spawn(move || keeper.run())?;
        Ok((Lot(thread), Parker { orders, waker }))
    }

    pub(crate) fn join(self) {
        if self.0.join().is_err() {
            log::error!("the lot ended by a panic");
        }
    }
}

/// What the lot's thread owns.
struct Keeper<C: Connection> {
    poll: Poll,
    queue: Arc<Queue<Work<C>>>,
    shared: Live<C::Shared>,
    received: Receiver<Order<C>>,
    places: Vec<Option<Parked<C>>>,
    free: Vec<usize>,
    timers: Timers,
    /// The places of those who wait for a bell.
    bells: HashMap<u64, usize>,
    /// Those whose wait is over and for which the queue had no room yet.
    returning: VecDeque<Parked<C>>,
    is_draining: bool,
}

impl<C: Connection> Keeper<C> {
    fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut tidied = Instant::now();
        loop {
            if let Err(error) = self.poll.poll(&mut events, Some(self.patience()))
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("the lot's poller failed: {error}");
            }
            // Events before orders: a place that an event empties is filled again only after all
            // events of this turn, so none can reach a successor.
            for event in &events {
                if event.token() != WAKE && !self.is_idle_news(event) {
                    self.bring_back(event.token().0 / 2);
                }
            }
            let now = clock::now();
            while let Some(place) = self.timers.expired(now.instant) {
                self.bring_back(place);
            }
            self.return_to_queue();
            if now.instant - tidied >= TIDY {
                C::tidy(&self.shared.get(), &now);
                tidied = now.instant;
            }
            while let Ok(order) = self.received.try_recv() {
                match order {
                    Order::Park(parked) => self.park(parked),
                    Order::Call(number) => {
                        self.bells.get(&number).copied().into_iter().for_each(|place| self.bring_back(place))
                    }
                    Order::Drain => self.drain(),
                    Order::Stop => return self.cut_all(),
                }
            }
        }
    }

    /// True if an event is of a client of whom nothing is wanted but that it fails, and it does not:
    /// it has sent on, or finished sending, and waits for its answer.
    fn is_idle_news(&self, event: &Event) -> bool {
        let (place, is_client) = (event.token().0 / 2, event.token().0.is_multiple_of(2));
        let Some(Some(parked)) = self.places.get(place) else { return false };
        let wants = parked.connection.waits_for().0;
        is_client && !wants.read_client && !wants.write_client && !event.is_error()
    }

    /// How long the poller may wait.
    fn patience(&self) -> Duration {
        if !self.returning.is_empty() {
            return FULL_QUEUE_RETRY;
        }
        self.timers.next().map_or(TIDY, |at| at.saturating_duration_since(Instant::now()).min(TIDY))
    }

    fn drain(&mut self) {
        self.is_draining = true;
        for place in 0..self.places.len() {
            let Some(parked) = &mut self.places[place] else { continue };
            parked.connection.drain();
            if parked.connection.waits_for().0.finish {
                self.bring_back(place);
            }
        }
    }

    fn park(&mut self, mut parked: Parked<C>) {
        if self.is_draining {
            // Its worker may not have heard.
            parked.connection.drain();
            if parked.connection.waits_for().0.finish {
                self.returning.push_back(parked);
                return self.return_to_queue();
            }
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        let registered = register(self.poll.registry(), &*parked.connection, place);
        if let Some(deadline) = parked.connection.deadline() {
            self.timers.set(place, deadline);
        }
        let (wants, bell) = (parked.connection.waits_for().0, parked.connection.bell());
        if let (true, Some(number)) = (wants.queued, bell) {
            self.bells.insert(number, place);
        }
        self.places[place] = Some(parked);
        if wants.connect {
            // It was called before it came here.
            self.bring_back(place);
        } else if let Err(error) = registered {
            // It cannot wait here, so it waits in the queue; its own calls will tell what is wrong.
            log::error!("a connection could not be parked: {error}");
            self.bring_back(place);
        }
    }

    /// Takes a connection out of its place, if it is still there, and hands it to the queue.
    fn bring_back(&mut self, place: usize) {
        let Some(parked) = self.places.get_mut(place).and_then(Option::take) else { return };
        deregister(self.poll.registry(), &*parked.connection);
        self.timers.clear(place);
        if let Some(number) = parked.connection.bell() {
            self.bells.remove(&number);
        }
        self.free.push(place);
        self.returning.push_back(parked);
        self.return_to_queue();
    }

    fn return_to_queue(&mut self) {
        while let Some(parked) = self.returning.pop_front() {
            // What comes back is what went in.
            if let Err(Work::Back(parked)) = self.queue.push(Work::Back(parked)) {
                return self.returning.push_front(parked);
            }
        }
    }

    fn cut_all(&mut self) {
        let now = clock::now();
        let parked = self.places.drain(..).flatten().chain(self.returning.drain(..));
        parked.for_each(|mut parked| parked.connection.cut(&now));
    }
}

/// The readiness a connection waits for on each of its sockets.
fn interests(wants: &Wants) -> [Option<Interest>; 2] {
    let interest = |read: bool, write: bool| match (read, write) {
        (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
        (true, false) => Some(Interest::READABLE),
        (false, true) => Some(Interest::WRITABLE),
        (false, false) => None,
    };
    let hears_client = wants.read_client || wants.watch_client;
    [interest(hears_client, wants.write_client), interest(wants.read_backend, wants.write_backend)]
}

fn register<C: Connection>(registry: &Registry, connection: &C, place: usize) -> io::Result<()> {
    let (wants, sockets) = connection.waits_for();
    for (side, (socket, interest)) in sockets.into_iter().zip(interests(&wants)).enumerate() {
        if let (Some(socket), Some(interest)) = (socket, interest) {
            registry.register(&mut SourceFd(&socket.as_raw_fd()), Token(2 * place + side), interest)?;
        }
    }
    Ok(())
}

fn deregister<C: Connection>(registry: &Registry, connection: &C) {
    for socket in connection.waits_for().1.into_iter().flatten() {
        // A socket that was not registered is not there to be taken out: nothing to do about it.
        let _ = registry.deregister(&mut SourceFd(&socket.as_raw_fd()));
    }
}
