//! The listeners as one loop has them: how many clients it accepts in an iteration, and when none.
//!
//! Contract: a client that is not accepted waits in the kernel's backlog and is accepted later. A loop
//! with little to do makes no `accept` in vain. Which loops accept is the decision of
//! [`AcceptScaling`]; without descriptors or permits a loop pauses.

use std::fmt::Arguments;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::Registry;
use mio::net::TcpStream;

use super::scaling::AcceptScaling;
use super::slots::Source;
use crate::net::accept::{ACCEPT_FAILS, NO_PERMIT, Shortage, is_transient, peer_address};
use crate::net::listen::{self, ACCEPTED_INHERIT_NODELAY};
use crate::net::permits::{Permit, Permits};
use crate::net::poller::{self, LISTENERS_ARE_LEVEL_TRIGGERED};
use crate::net::session::Accepted;
use crate::protocol::now::Now;

/// Calls of `accept` for one listener in one iteration; then the connections are served.
const ACCEPTS_PER_ITERATION_MAX: usize = 64;

/// Where listeners are level triggered, an iteration accepts one client, and one more for every 8 of its
/// events. A busy loop must take several at a time, because its iterations are long. A loop with little to
/// do does not look for a second client: an `accept` that finds none costs nearly as much as one that does.
const EVENTS_PER_ACCEPT: usize = 8;

/// How long accepting pauses at most; if the reason is gone earlier, it resumes earlier. 100 ms is no
/// load for a loop that has no room, and few clients give up in that time.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// The listeners of a role, as one loop has them registered with its poller.
#[derive(Debug)]
pub(crate) struct Accept {
    listeners: Vec<Listener>,
    permits: Permits,
    scaling: Arc<AcceptScaling>,
    /// The loop's number.
    number: usize,
    are_registered: bool,
    pause: Option<Pause>,
}

#[derive(Debug)]
struct Listener {
    socket: mio::net::TcpListener,
    /// No TLS is spoken here.
    is_plain: bool,
    /// Its clients may lack what others inherit.
    is_passed: bool,
    /// Clients may wait in its backlog.
    is_ready: bool,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    reason: Reason,
    /// When to try again even if the reason may not be gone.
    until: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Reason {
    /// No descriptor or permit was left when this loop had this number of connections.
    NoRoom { connections: usize },
    /// This loop has more connections than its share.
    Surplus,
}

impl Accept {
    /// For the loop of this number. No client is accepted before the first [`batch`](Accept::batch).
    pub(crate) fn new(
        listeners: &[listen::Listener],
        permits: Permits,
        scaling: Arc<AcceptScaling>,
        number: usize,
    ) -> io::Result<Accept> {
        let shared = |listener: &listen::Listener| {
            listener.socket.set_nonblocking(true)?;
            let socket = mio::net::TcpListener::from_std(listener.socket.try_clone()?);
            let (is_plain, is_passed) = (listener.is_plain, listener.is_passed);
            Ok(Listener { socket, is_plain, is_passed, is_ready: false })
        };
        let listeners = listeners.iter().map(shared).collect::<io::Result<_>>()?;
        Ok(Accept { listeners, permits, scaling, number, are_registered: false, pause: None })
    }

    /// Remembers an event of this listener.
    pub(crate) fn note(&mut self, number: usize) {
        if let Some(listener) = self.listeners.get_mut(number) {
            listener.is_ready = true;
        }
    }

    /// Hands the clients of one iteration to `take`. `events` is the number of the iteration's events, `mine`
    /// the number of the loop's connections before.
    pub(crate) fn batch(
        &mut self,
        mut mine: usize,
        events: usize,
        registry: &Registry,
        now: &Now,
        mut take: impl FnMut(TcpStream, Accepted, Permit),
    ) {
        self.update(mine, registry, now);
        for number in 0..self.listeners.len() {
            for _ in 0..accepts_max(events) {
                if self.pause.is_some() || !self.listeners[number].is_ready {
                    break;
                }
                // The permit comes first: a client without one is to wait in the backlog.
                let Some(permit) = self.permits.take() else {
                    let why = format_args!("all {} connections are open", self.permits.most());
                    self.pause_without_room(mine, registry, now, &NO_PERMIT, why);
                    break;
                };
                match self.listeners[number].socket.accept() {
                    Ok((client, peer)) => {
                        if !ACCEPTED_INHERIT_NODELAY {
                            // Failing costs delay, not correctness.
                            let _ = client.set_nodelay(true);
                        }
                        if self.listeners[number].is_passed {
                            listen::set_accepted_options(&(&client).into());
                        }
                        let is_plain = self.listeners[number].is_plain;
                        let peer = peer_address(peer);
                        take(client, Accepted { peer, is_plain, at: now.instant }, permit);
                        mine += 1;
                        self.has_accepted(mine, registry, now);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.listeners[number].is_ready = false;
                    }
                    Err(error) if is_transient(&error) => {}
                    Err(error) => {
                        let why = format_args!("{error}");
                        self.pause_without_room(mine, registry, now, &ACCEPT_FAILS, why);
                    }
                }
            }
            // The poller reports again what is left, and to ask without its word may be in vain.
            if LISTENERS_ARE_LEVEL_TRIGGERED {
                self.listeners[number].is_ready = false;
            }
        }
    }

    /// Whether [`batch`](Accept::batch) has something to do before any event: clients may be left in a
    /// backlog, or the reason of a pause is gone, now that the loop has `mine` connections.
    pub(crate) fn has_work(&self, mine: usize) -> bool {
        match &self.pause {
            Some(pause) => self.is_gone(pause.reason, mine),
            None => self.listeners.iter().any(|listener| listener.is_ready),
        }
    }

    /// When [`batch`](Accept::batch) is to be called even without an event.
    pub(crate) fn paused_until(&self) -> Option<Instant> {
        self.pause.map(|pause| pause.until)
    }

    /// Closes the listeners for good. Once all loops have done so, clients are refused.
    pub(crate) fn close(&mut self, registry: &Registry) {
        self.register(false, registry);
        self.listeners.clear();
        self.pause = None;
    }

    /// Registers the listeners or takes them out of the poller, as pauses and the scaling want it.
    fn update(&mut self, mine: usize, registry: &Registry, now: &Now) {
        // With `--loops 1` this is not needed. With more, clients may be waiting although this loop's poller
        // has no event for them: it reported them before, or it reported them to another loop only.
        let is_to_look = self.scaling.is_to_look(self.number) || !self.are_registered;
        if self.pause.is_some_and(|pause| pause.until <= now.instant || self.is_gone(pause.reason, mine)) {
            self.pause = None;
        }
        let accepts = self.pause.is_none() && self.scaling.accepts(self.number, self.permits.count());
        match accepts || !self.are_registered {
            true => self.register(accepts, registry),
            false => self.leave_to_others(registry),
        }
        for listener in &mut self.listeners {
            listener.is_ready = accepts && (listener.is_ready || is_to_look);
        }
    }

    fn is_gone(&self, reason: Reason, mine: usize) -> bool {
        match reason {
            Reason::NoRoom { connections } => mine < connections,
            Reason::Surplus => self.scaling.surplus(mine, self.permits.count()) == 0,
        }
    }

    fn has_accepted(&mut self, mine: usize, registry: &Registry, now: &Now) {
        if self.scaling.has_accepted(mine, self.permits.count()) {
            self.leave_to_others(registry);
            self.pause(Reason::Surplus, registry, now);
        }
    }

    /// In this order: a client that comes in between is told of to the others.
    fn leave_to_others(&mut self, registry: &Registry) {
        self.register(false, registry);
        self.scaling.make_others_look(self.number);
    }

    fn pause_without_room(
        &mut self,
        mine: usize,
        registry: &Registry,
        now: &Now,
        shortage: &Shortage,
        why: Arguments<'_>,
    ) {
        if shortage.is_news(now.instant) {
            log::warn!("accepting pauses until a connection closes: {why}");
        }
        self.pause(Reason::NoRoom { connections: mine }, registry, now);
    }

    fn pause(&mut self, reason: Reason, registry: &Registry, now: &Now) {
        self.register(false, registry);
        self.pause = Some(Pause { reason, until: now.instant + PAUSE_MAX });
    }

    fn register(&mut self, wanted: bool, registry: &Registry) {
        if std::mem::replace(&mut self.are_registered, wanted) == wanted {
            return;
        }
        for (number, listener) in self.listeners.iter_mut().enumerate() {
            let done = match wanted {
                true => {
                    poller::add_listener(registry, &mut listener.socket, Source::Listener(number).token())
                }
                false => poller::remove_listener(registry, &mut listener.socket),
            };
            if let Err(error) = done {
                log::error!("a listener could not be registered with the poller, or taken out: {error}");
            }
        }
    }
}

/// How many calls of `accept` one listener gets in an iteration that has this number of events.
fn accepts_max(events: usize) -> usize {
    match LISTENERS_ARE_LEVEL_TRIGGERED {
        true => (1 + events / EVENTS_PER_ACCEPT).min(ACCEPTS_PER_ITERATION_MAX),
        false => ACCEPTS_PER_ITERATION_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::listen::bind;
    use crate::net::waker::PollerWaker;
    use crate::protocol::testing;
    use mio::{Events, Poll, Waker};

    /// Two loops at one listener, and permits for so many connections.
    fn two_loops(connections_max: usize) -> ([Poll; 2], [Accept; 2], Permits, listen::Listener) {
        let polls = [(); 2].map(|()| Poll::new().unwrap());
        let waker = |poll: &Poll| Waker::new(poll.registry(), Source::Waker.token()).unwrap();
        let scaling = Arc::new(AcceptScaling::new(polls.iter().map(|poll| PollerWaker::new(waker(poll)))));
        let permits = Permits::new(connections_max);
        let listener = listen::Listener::from(bind(([127, 0, 0, 1], 0).into(), 64).unwrap());
        let of_loop = |number| {
            let listeners = std::slice::from_ref(&listener);
            Accept::new(listeners, permits.clone(), Arc::clone(&scaling), number).unwrap()
        };
        let loops = [0, 1].map(of_loop);
        (polls, loops, permits, listener)
    }

    fn is_told(poll: &mut Poll, source: Source) -> bool {
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
        events.iter().any(|event| event.token() == source.token())
    }

    #[test]
    fn a_loop_that_leaves_calls_those_that_left_before() {
        let (mut polls, mut loops, permits, _listener) = two_loops(100);
        let now = testing::start();
        let mut open = Vec::new();
        // The first takes clients alone until it has too many: the second accepts now, the first pauses.
        loops[0].update(0, polls[0].registry(), &now);
        for mine in 1..=26 {
            open.extend(permits.take());
            loops[0].has_accepted(mine, polls[0].registry(), &now);
        }
        assert!(!loops[0].are_registered && loops[0].scaling.accepts(1, 26));
        // Then it is the second that has too many, while the first still pauses.
        loops[1].update(0, polls[1].registry(), &now);
        assert!(loops[1].are_registered);
        for mine in 1..=44 {
            open.extend(permits.take());
            loops[1].has_accepted(mine, polls[1].registry(), &now);
        }
        assert!(!loops[1].are_registered && !loops[0].are_registered);
        assert!(is_told(&mut polls[0], Source::Waker), "it was not called");
        assert!(loops[0].has_work(26), "it has less than its share now");
        loops[0].update(26, polls[0].registry(), &now);
        assert!(loops[0].are_registered && loops[0].has_work(26), "clients may wait already");
    }

    #[test]
    fn a_loop_that_is_not_needed_leaves_what_it_was_told_of_to_the_others() {
        let (mut polls, mut loops, permits, listener) = two_loops(100);
        let now = testing::start();
        let mut open: Vec<_> = (0..16).filter_map(|_| permits.take()).collect();
        loops[0].update(0, polls[0].registry(), &now);
        loops[0].has_accepted(8, polls[0].registry(), &now);
        loops[1].update(8, polls[1].registry(), &now);
        assert!(loops[1].are_registered);
        loops[1].note(0);
        let _client = std::net::TcpStream::connect(listener.socket.local_addr().unwrap()).unwrap();
        open.truncate(7);
        loops[1].batch(0, 1, polls[1].registry(), &now, |_, _, _| panic!("it is not needed"));
        assert!(!loops[1].are_registered && !loops[1].has_work(0));
        assert!(is_told(&mut polls[0], Source::Waker));
        let mut accepted = 0;
        while accepted == 0 {
            loops[0].batch(7, 0, polls[0].registry(), &now, |_, _, _| accepted += 1);
            loops[0].note(0);
        }
    }

    #[test]
    fn without_a_permit_it_pauses_until_a_connection_of_its_own_closes() {
        let (mut polls, mut loops, _permits, listener) = two_loops(1);
        let now = testing::start();
        let address = listener.socket.local_addr().unwrap();
        let _clients = [(); 2].map(|()| std::net::TcpStream::connect(address).unwrap());
        let mut open = Vec::new();
        let (poll, accept) = (&mut polls[0], &mut loops[0]);
        while accept.pause.is_none() {
            let mine = open.len();
            accept.batch(mine, 0, poll.registry(), &now, |_, _, permit| open.push(permit));
            accept.note(0);
        }
        assert_eq!((open.len(), accept.are_registered, accept.has_work(1)), (1, false, false));
        assert_eq!(accept.paused_until(), Some(now.instant + PAUSE_MAX));
        open.clear();
        assert!(accept.has_work(0));
        while open.is_empty() {
            accept.batch(0, 0, poll.registry(), &now, |_, _, permit| open.push(permit));
            accept.note(0);
        }
        // Where a listener is reported once, it has looked for the second client already, without a permit.
        assert_eq!(accept.are_registered, LISTENERS_ARE_LEVEL_TRIGGERED);
    }

    #[test]
    fn a_busy_iteration_accepts_more() {
        let most = [0, 7, 8, 100, 100_000].map(accepts_max);
        match LISTENERS_ARE_LEVEL_TRIGGERED {
            true => assert_eq!(most, [1, 1, 2, 13, 64]),
            false => assert_eq!(most, [64; 5]),
        }
    }
}
