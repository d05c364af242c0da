//! The loop: events, timers, accepting and the end, one turn after another.
//!
//! Contract: work a turn is bounded, by the events taken, the clients accepted and the calls one
//! connection may make; no event reaches the successor of a closed connection; with nothing to do
//! the loop sleeps in the poller.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use mio::{Events, Poll, Token, Waker};

use super::Settings;
use super::bell::Bells;
use super::listeners::{LISTENERS_MAX, Listeners};
use super::owners::{Owner, Owners};
use super::places::Places;
use super::socket::Socket;
use super::{Around, Connection, Side, Turn};
use crate::net::clock;
use crate::net::permits::{Permit, Permits};
use crate::net::shutdown::Shutdown;
use crate::net::timers::Timers;
use crate::protocol::now::Now;

/// Events taken in one turn; more of them wait for the next.
const EVENTS_MAX: usize = 1024;

/// How often what the loop keeps is looked over.
const TIDY: Duration = Duration::from_secs(1);

/// Tokens: the waker, then the listeners, then clients (even) and back ends (odd).
const WAKE: Token = Token(0);
const FIRST_SOCKET: usize = LISTENERS_MAX + 1;

/// The token of a socket in this place of its table.
pub(crate) fn token(side: Side, place: usize) -> Token {
    Token(FIRST_SOCKET + 2 * place + usize::from(side == Side::Backend))
}

/// The place a back end's token names.
pub(crate) fn backend_place(token: Token) -> usize {
    (token.0 - FIRST_SOCKET) / 2
}

/// One poll loop.
pub(crate) struct Reactor<C: Connection> {
    poll: Poll,
    bells: Arc<Bells>,
    listeners: Listeners,
    service: Arc<ArcSwap<C::Service>>,
    local: C::Local,
    open: Permits,
    shutdown: Shutdown,
    drain: Duration,
    connections: Places<Entry<C>>,
    owners: Owners,
    timers: Timers,
    /// Connections to be served in this turn, each once.
    due: Vec<usize>,
    /// Those that had enough for one turn.
    again: Vec<usize>,
}

struct Entry<C> {
    connection: Box<C>,
    is_due: bool,
    _permit: Permit,
}

/// A poller for a loop, and the bells that wake it, to be held for as long as the loop runs.
pub(crate) fn poller() -> io::Result<(Poll, Arc<Bells>)> {
    let poll = Poll::new()?;
    let bells = Bells::new(Waker::new(poll.registry(), WAKE)?);
    Ok((poll, bells))
}

impl<C: Connection> Reactor<C> {
    /// Prepares a loop; the function that comes back makes it, on the thread where it is to run.
    pub(crate) fn starter(
        (poll, bells): (Poll, Arc<Bells>),
        service: Arc<ArcSwap<C::Service>>,
        listeners: Listeners,
        open: Permits,
        settings: &Settings,
        shutdown: &Shutdown,
    ) -> impl FnOnce() -> Reactor<C> + Send + use<C> {
        let (shutdown, drain) = (shutdown.clone(), settings.drain);
        move || Reactor {
            poll,
            bells,
            listeners,
            service,
            local: C::Local::default(),
            open,
            shutdown,
            drain,
            connections: Places::default(),
            owners: Owners::default(),
            timers: Timers::new(),
            due: Vec::new(),
            again: Vec::new(),
        }
    }

    /// Turns until the end.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut tidied = Instant::now();
        let mut drain_until = None;
        self.attend(&clock::now());
        loop {
            if let Err(error) = self.poll.poll(&mut events, Some(self.patience(drain_until)))
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("the poller failed: {error}");
            }
            let now = clock::now();
            if self.shutdown.is_draining() && drain_until.is_none() {
                drain_until = Some(now.instant + self.drain);
                self.begin_drain();
            }
            self.take_events(&events, &now);
            while let Some(place) = self.timers.expired(now.instant) {
                self.make_due(place);
            }
            if self.attend(&now) {
                self.listeners.all().for_each(|number| self.accept(number, 0, &now));
            }
            self.serve_due(&now);
            if now.instant - tidied >= TIDY {
                C::tidy(&mut self.local, &mut self.owners, &now);
                tidied = now.instant;
            }
            self.connections.end_turn();
            self.owners.end_turn();
            if drain_until.is_some() && self.is_drained(drain_until, &now) {
                return;
            }
        }
    }

    fn attend(&mut self, now: &Now) -> bool {
        let (mine, all) = (self.connections.len(), self.open.count());
        self.listeners.attend(mine, all, self.poll.registry(), now)
    }

    /// How long the poller may wait.
    fn patience(&self, drain_until: Option<Instant>) -> Duration {
        if !self.again.is_empty() {
            return Duration::ZERO;
        }
        let next =
            [self.timers.next(), self.listeners.paused_until(), drain_until].into_iter().flatten().min();
        next.map_or(TIDY, |at| at.saturating_duration_since(Instant::now()).min(TIDY))
    }

    fn take_events(&mut self, events: &Events, now: &Now) {
        for event in events {
            match event.token() {
                WAKE => self.bells.take_rung().into_iter().for_each(|place| self.make_due(place)),
                Token(number) if number < FIRST_SOCKET => self.accept(number - 1, events.iter().count(), now),
                Token(number) => {
                    let (place, is_backend) = ((number - FIRST_SOCKET) / 2, (number - FIRST_SOCKET) % 2 == 1);
                    let (connection, side) = match (is_backend, self.owners.get(place)) {
                        (false, _) => (place, Side::Client),
                        (true, Some(Owner::Connection(connection))) => (*connection, Side::Backend),
                        (true, Some(Owner::Idle)) => {
                            // A kept connection has nothing to say: it was closed, or breaks the rules.
                            if event.is_readable() || event.is_read_closed() || event.is_error() {
                                C::drop_idle(&mut self.local, place);
                                self.owners.remove(place);
                            }
                            continue;
                        }
                        (true, None) => continue,
                    };
                    if let Some(entry) = self.connections.get_mut(connection) {
                        entry.connection.note(side, event);
                        self.make_due(connection);
                    }
                }
            }
        }
    }

    /// Accepts a batch from one listener, in a turn with so many events.
    fn accept(&mut self, number: usize, events: usize, now: &Now) {
        for _ in 0..self.listeners.allowance(events) {
            // The place comes first: a client that has none waits in the kernel's backlog, not in ours.
            let Some(permit) = self.open.take() else {
                let why = format_args!("all {} connections are open", self.open.most());
                return self.listeners.pause(self.poll.registry(), now, why);
            };
            let Some((client, peer)) = self.listeners.accept(number, self.poll.registry(), now) else {
                return;
            };
            let client = Socket::new(client, token(Side::Client, self.connections.next()));
            let connection = Box::new(C::accept(self.service.load_full(), client, peer, now));
            let slot = self.connections.add(Entry { connection, is_due: false, _permit: permit });
            self.make_due(slot);
            let (mine, all) = (self.connections.len(), self.open.count());
            self.listeners.client_accepted(mine, all, self.poll.registry(), now);
        }
        self.listeners.had_enough(now);
    }

    fn make_due(&mut self, place: usize) {
        if let Some(entry) = self.connections.get_mut(place)
            && !std::mem::replace(&mut entry.is_due, true)
        {
            self.due.push(place);
        }
    }

    /// Serves each connection that is due, once.
    fn serve_due(&mut self, now: &Now) {
        for place in std::mem::take(&mut self.again) {
            self.make_due(place);
        }
        let mut due = std::mem::take(&mut self.due);
        for place in due.drain(..) {
            self.serve(place, now);
        }
        // Only the memory of the list is handed back: serving makes nobody due.
        self.due = due;
    }

    fn serve(&mut self, place: usize, now: &Now) {
        let Some(entry) = self.connections.get_mut(place) else { return };
        entry.is_due = false;
        let mut around = Around {
            local: &mut self.local,
            registry: self.poll.registry(),
            owners: &mut self.owners,
            bells: &self.bells,
            place,
            now: *now,
            is_draining: self.shutdown.is_draining(),
        };
        // A panic costs the connection it happened to, not the loop and all others on it.
        let served = panic::catch_unwind(AssertUnwindSafe(|| entry.connection.serve(&mut around)));
        let turn = served.unwrap_or_else(|_| {
            log::error!("a connection was lost to a panic of its loop");
            Turn::Done
        });
        match turn {
            Turn::Done => self.close(place),
            Turn::Again => self.again.push(place),
            Turn::Wait => {
                if let Some(deadline) = entry.connection.deadline() {
                    self.timers.set(place, deadline);
                }
            }
        }
    }

    fn close(&mut self, place: usize) {
        self.connections.remove(place);
        self.timers.clear(place);
        self.listeners.connection_closed(self.connections.len(), self.open.count());
    }

    /// No more clients; everybody else is told.
    fn begin_drain(&mut self) {
        self.listeners.close(self.poll.registry());
        self.connections.all().for_each(|place| self.make_due(place));
    }

    /// True if nobody is left, or nobody may be: then those who are left are cut.
    fn is_drained(&mut self, until: Option<Instant>, now: &Now) -> bool {
        let left = self.connections.len();
        if left > 0 && until.is_some_and(|until| now.instant < until) {
            return false;
        }
        if left > 0 {
            log::warn!("the drain's time is over: {left} connections are cut");
        }
        self.connections.iter_mut().for_each(|entry| entry.connection.cut(now));
        true
    }
}
