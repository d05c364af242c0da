//! The event loop: readiness events, timers, accepting and the drain, one iteration after another.
//!
//! Contract: the work of an iteration is bounded, by the events taken, the clients accepted and the
//! calls that one connection may make; no event reaches the successor of a closed connection; with
//! nothing to do the loop sleeps in the poller.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use mio::event::Event;
use mio::{Events, Poll, Waker};

use super::accept::Accept;
use super::session::Session;
use super::slots::{BackendOwner, BackendSlots, Side, Slots, Source};
use super::socket::Socket;
use super::{Connection, LoopContext, LoopSettings, Served, Service};
use crate::net::clock;
use crate::net::held::{Held, SET_ASIDE_FROM};
use crate::net::permits::Permit;
use crate::net::shutdown::Shutdown;
use crate::net::timers::Timers;
use crate::net::waker::PollerWaker;
use crate::observe::counters::Counter;
use crate::observe::lane::{self, Phase};
use crate::protocol::now::Now;

/// Events taken in one iteration, a few dozen bytes each; the poller keeps the rest for the next. With
/// more of them the timers and the other connections would wait too long.
const EVENTS_PER_ITERATION_MAX: usize = 1024;

/// How often what the loop keeps between connections is tidied up, and so the longest sleep. What is
/// kept has limits of seconds.
const TIDY_INTERVAL: Duration = Duration::from_secs(1);

/// One event loop.
pub(crate) struct EventLoop<C: Connection> {
    poll: Poll,
    waker: Arc<PollerWaker>,
    accept: Accept,
    service: Arc<ArcSwap<Service<C>>>,
    local: C::Local,
    shutdown: Shutdown,
    drain: Duration,
    /// When the drain ends, once it has begun.
    drain_until: Option<Instant>,
    tidied: Instant,
    connections: Slots<Entry<C>>,
    backends: BackendSlots,
    /// Deadlines, by slot of the connection.
    timers: Timers,
    /// Slots of the connections to be served in this iteration, each once.
    due: Vec<usize>,
    /// Slots of those that had more to do than one iteration allows: they are due in the next.
    again: Vec<usize>,
}

struct Entry<C: Connection> {
    connection: Held<C>,
    is_due: bool,
    _permit: Permit,
}

/// A poller for a loop, and the waker of that loop, which must live as long as the loop runs.
pub(crate) fn poller() -> io::Result<(Poll, Arc<PollerWaker>)> {
    let poll = Poll::new()?;
    let waker = PollerWaker::new(Waker::new(poll.registry(), Source::Waker.token())?);
    Ok((poll, waker))
}

impl<C: Connection> EventLoop<C> {
    pub(crate) fn new(
        (poll, waker): (Poll, Arc<PollerWaker>),
        service: Arc<ArcSwap<Service<C>>>,
        accept: Accept,
        settings: &LoopSettings,
        shutdown: &Shutdown,
    ) -> EventLoop<C> {
        EventLoop {
            poll,
            waker,
            accept,
            service,
            local: C::Local::default(),
            shutdown: shutdown.clone(),
            drain: settings.drain,
            drain_until: None,
            tidied: Instant::now(),
            connections: Slots::default(),
            backends: BackendSlots::default(),
            timers: Timers::new(),
            due: Vec::new(),
            again: Vec::new(),
        }
    }

    /// Runs until the drain is over.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_PER_ITERATION_MAX);
        // The first iteration has no events: it registers the listeners, so that the first poll can tell of them.
        loop {
            let now = clock::now();
            if self.shutdown.is_draining() && self.drain_until.is_none() {
                self.begin_drain(&now);
            }
            let count = self.note_events(&events, &now);
            lane::count(Counter::Iterations, 1);
            lane::count(Counter::Events, count as u64);
            while let Some(slot) = self.timers.expired(now.instant) {
                self.make_due(slot);
            }
            self.accept_clients(count, &now);
            self.serve_due(&now);
            self.tidy(&now);
            if self.is_drained(&now) {
                return;
            }
            lane::holds(self.connections.len());
            lane::enter_at(Phase::Idle, 0, now.instant);
            if let Err(error) = self.poll.poll(&mut events, Some(self.timeout()))
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("the poller failed: {error}");
            }
        }
    }

    /// How long the poller may sleep if there is no event.
    fn timeout(&self) -> Duration {
        if !self.again.is_empty() || self.accept.has_work(self.connections.len()) {
            return Duration::ZERO;
        }
        let times = [self.timers.next(), self.accept.paused_until(), self.drain_until];
        let next = times.into_iter().flatten().min();
        next.map_or(TIDY_INTERVAL, |at| at.saturating_duration_since(Instant::now()).min(TIDY_INTERVAL))
    }

    /// Makes each connection due that has an event; returns the number of events.
    fn note_events(&mut self, events: &Events, now: &Now) -> usize {
        let mut count = 0;
        for event in events {
            count += 1;
            match Source::of(event.token()) {
                Source::Waker => self.waker.take_woken().into_iter().for_each(|slot| self.make_due(slot)),
                Source::Listener(number) => self.accept.note(number),
                Source::Socket(Side::Client, slot) => self.note(slot, Side::Client, event, now),
                Source::Socket(Side::Backend, slot) => match self.backends.get(slot) {
                    Some(BackendOwner::Connection(connection)) => {
                        self.note(*connection, Side::Backend, event, now)
                    }
                    Some(BackendOwner::Pool) => self.note_idle(slot, event),
                    None => {}
                },
            }
        }
        count
    }

    fn note(&mut self, slot: usize, side: Side, event: &Event, now: &Now) {
        if let Some(entry) = self.connections.get_mut(slot) {
            if let Some(session) = entry.connection.take_up(|| *now).and_then(C::session) {
                session.note(side, event);
            }
            self.make_due(slot);
        }
    }

    /// An idle connection to a back end has nothing to say: it was closed, or speaks without a request.
    fn note_idle(&mut self, backend: usize, event: &Event) {
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            C::drop_idle(&mut self.local, backend);
            self.backends.remove(backend);
        }
    }

    /// Accepts what this loop may, in an iteration that has this number of events.
    fn accept_clients(&mut self, events: usize, now: &Now) {
        let EventLoop { accept, connections, due, service, poll, .. } = self;
        accept.batch(connections.len(), events, poll.registry(), now, |client, accepted, permit| {
            lane::enter_at(Phase::Accept, 0, now.instant);
            lane::count(Counter::Accepted, 1);
            let client = Socket::new(client, Side::Client, connections.next());
            let session = Session::accept(service.load_full(), client, accepted, now);
            let connection = Held::new(session.into());
            due.push(connections.insert(Entry { connection, is_due: true, _permit: permit }));
        });
    }

    fn make_due(&mut self, slot: usize) {
        if let Some(entry) = self.connections.get_mut(slot)
            && !std::mem::replace(&mut entry.is_due, true)
        {
            self.due.push(slot);
        }
    }

    /// Serves each connection that is due, once.
    fn serve_due(&mut self, now: &Now) {
        for slot in std::mem::take(&mut self.again) {
            self.make_due(slot);
        }
        let mut due = std::mem::take(&mut self.due);
        for slot in due.drain(..) {
            self.serve(slot, now);
        }
        // No connection becomes due by serving another: only the list's memory is handed back.
        self.due = due;
    }

    fn serve(&mut self, slot: usize, now: &Now) {
        let has_many = self.connections.len() >= SET_ASIDE_FROM;
        let Some(entry) = self.connections.get_mut(slot) else { return };
        entry.is_due = false;
        let mut context = LoopContext {
            registry: self.poll.registry(),
            backends: &mut self.backends,
            waker: &self.waker,
            slot,
            now: *now,
            is_draining: self.shutdown.is_draining(),
        };
        // A panic costs the connection it happened to, not the loop and all others on it.
        let served = panic::catch_unwind(AssertUnwindSafe(|| {
            let connection = entry.connection.take_up(|| *now);
            connection.map_or(Served::Closed, |it| it.serve(&mut self.local, &mut context))
        }));
        match served.unwrap_or_else(|_| {
            log::error!("a connection is closed because serving it panicked");
            Served::Closed
        }) {
            Served::Closed => {
                self.connections.remove(slot);
                self.timers.clear(slot);
            }
            Served::MoreToDo => self.again.push(slot),
            Served::Waiting => {
                let session = entry.connection.take_up(|| *now).and_then(C::session);
                if let Some(deadline) = session.and_then(|session| session.deadline()) {
                    self.timers.set(slot, deadline);
                }
                if has_many {
                    entry.connection.set_aside();
                }
            }
        }
    }

    /// The end of an iteration: slots that it freed may be used again, and once in a while what the
    /// loop keeps between connections is tidied up.
    fn tidy(&mut self, now: &Now) {
        if now.instant - self.tidied >= TIDY_INTERVAL {
            C::tidy(&mut self.local, &mut self.backends, now);
            self.tidied = now.instant;
        }
        self.connections.end_iteration();
        self.backends.end_iteration();
    }

    /// Accepts no more clients, and serves each connection once so that it learns of the drain.
    fn begin_drain(&mut self, now: &Now) {
        self.drain_until = Some(now.instant + self.drain);
        self.accept.close(self.poll.registry());
        (0..self.connections.end()).for_each(|slot| self.make_due(slot));
    }

    /// True once the drain is over: no connection is left, or its time is up and those left are cut.
    fn is_drained(&mut self, now: &Now) -> bool {
        let Some(until) = self.drain_until else { return false };
        let left = self.connections.len();
        if left > 0 && now.instant < until {
            return false;
        }
        if left > 0 {
            log::warn!("the drain's time is over: {left} connections are cut");
        }
        for entry in self.connections.iter_mut() {
            if let Some(session) = entry.connection.take_up(|| *now).and_then(C::session) {
                session.cut(now);
            }
        }
        true
    }
}
