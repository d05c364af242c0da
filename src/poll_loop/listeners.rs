//! The listeners as one loop sees them: who may come in during a turn, and when nobody may.
//!
//! It is as with the tills of a shop: one is enough for few customers, and the next opens when there
//! is a crowd ([`Tills`]). A loop that serves ten clients alone does so in larger batches and sleeps
//! and wakes half as often as two that serve five each. The listeners are shared: whichever loop
//! that has opened comes first takes the next client, and none waits for a particular loop.
//!
//! Contract: no accept in vain while there is little to do; open loops differ in what they hold by a
//! small number; a client that is not let in waits in the kernel's backlog and is let in later.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Registry, Token};

use super::bell::Bells;
use crate::net::accept::AcceptError;
use crate::net::listen::ACCEPTED_INHERIT_NODELAY;
use crate::net::poller::{self, LISTENERS_ARE_LEVEL_TRIGGERED};
use crate::protocol::now::Now;

/// Clients accepted from one listener in one turn.
const ACCEPTS_MAX: usize = 64;

/// A turn accepts one client, and one more for every so many of its events. A busy loop must let in
/// several at a time, for its turns are long; a loop with little to do need not ask for a second one,
/// and an accept in vain costs the kernel most of a connection.
const EVENTS_AN_ACCEPT: usize = 8;

/// Open connections for each of which another loop opens: what one loop serves without anybody
/// noticing that others wait.
const CONNECTIONS_A_LOOP: usize = 16;

/// Connections a loop may hold beyond its share before it leaves clients to the other loops. Less
/// would cost calls, for leaving and coming back, and gain nothing that anybody sees.
const SURPLUS_MAX: usize = 8;

/// How long accepting pauses at most when descriptors or places are used up: a connection of this
/// loop that closes ends the pause earlier.
const PAUSE: Duration = Duration::from_millis(100);

/// How many listeners a loop may have: their tokens stand before those of the clients.
pub(crate) const LISTENERS_MAX: usize = 63;

/// Which loops let clients in. Shared by all of them.
#[derive(Debug)]
pub(crate) struct Tills {
    loops: Vec<Till>,
}

#[derive(Debug)]
struct Till {
    bells: Arc<Bells>,
    is_open: AtomicBool,
}

impl Tills {
    /// The first is open, the others are not yet. Each bell wakes the loop of its place in the list.
    pub(crate) fn new(loops: Vec<Arc<Bells>>) -> Tills {
        let till = |(number, bells)| Till { bells, is_open: AtomicBool::new(number == 0) };
        Tills { loops: loops.into_iter().enumerate().map(till).collect() }
    }

    /// How many of them so many connections need.
    fn needed(&self, connections: usize) -> usize {
        (1 + connections / CONNECTIONS_A_LOOP).min(self.loops.len())
    }

    /// Opens as many as so many connections need.
    fn open(&self, connections: usize) {
        for till in &self.loops[..self.needed(connections)] {
            // Looked at first: writing what others read costs more than reading it.
            if !till.is_open.load(Ordering::Relaxed) && !till.is_open.swap(true, Ordering::Relaxed) {
                till.bells.wake();
            }
        }
    }

    /// Closes one if it is the last of those that are open and half of them would do.
    fn close(&self, number: usize, connections: usize) {
        if number > 0 && 2 * connections < number * CONNECTIONS_A_LOOP {
            self.loops[number].is_open.store(false, Ordering::Relaxed);
        }
    }

    /// Wakes the others that are open: it is their turn.
    fn call_others(&self, number: usize) {
        let others = self.loops.iter().enumerate().filter(|(other, _)| *other != number);
        others
            .filter(|(_, till)| till.is_open.load(Ordering::Relaxed))
            .for_each(|(_, till)| till.bells.wake());
    }

    fn is_open(&self, number: usize) -> bool {
        self.loops[number].is_open.load(Ordering::Relaxed)
    }

    /// How many connections more than its share a loop has, with `mine` of `all`.
    fn surplus(&self, mine: usize, all: usize) -> usize {
        mine.saturating_sub(all.div_ceil(self.needed(all)))
    }
}

/// The listeners of all loops, as one of them has them registered with its poller.
#[derive(Debug)]
pub(crate) struct Listeners {
    sockets: Vec<mio::net::TcpListener>,
    tills: Arc<Tills>,
    /// Which of them is this loop's.
    number: usize,
    /// They are registered with the poller.
    registered: bool,
    paused: Option<Pause>,
    told_of_pause: bool,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Instant,
    /// It is the others' turn; else there is no room.
    for_others: bool,
}

impl Listeners {
    /// The listeners for the loop of this number; nobody comes in before its first turn.
    ///
    /// Errors: more than [`LISTENERS_MAX`].
    pub(crate) fn new(listeners: &[TcpListener], tills: Arc<Tills>, number: usize) -> io::Result<Listeners> {
        if listeners.len() > LISTENERS_MAX {
            return Err(io::Error::other(format!("a loop serves at most {LISTENERS_MAX} listeners")));
        }
        let mine = |listener: &TcpListener| {
            listener.set_nonblocking(true)?;
            Ok(mio::net::TcpListener::from_std(listener.try_clone()?))
        };
        let sockets = listeners.iter().map(mine).collect::<io::Result<_>>()?;
        Ok(Listeners { sockets, tills, number, registered: false, paused: None, told_of_pause: false })
    }

    /// Their numbers.
    pub(crate) fn all(&self) -> std::ops::Range<usize> {
        0..self.sockets.len()
    }

    /// How many clients one of them may let in during a turn that has so many events.
    pub(crate) fn allowance(&self, events: usize) -> usize {
        match LISTENERS_ARE_LEVEL_TRIGGERED {
            true => (1 + events / EVENTS_AN_ACCEPT).min(ACCEPTS_MAX),
            false => ACCEPTS_MAX,
        }
    }

    /// Waits at the listeners or does not, as this turn's time and the other loops want it, of whose
    /// `all` connections this one has `mine`. True if there may be clients of whom no event tells.
    pub(crate) fn attend(&mut self, mine: usize, all: usize, registry: &Registry, now: &Now) -> bool {
        let pause_is_over = self.paused.is_some_and(|pause| {
            pause.until <= now.instant || (pause.for_others && self.tills.surplus(mine, all) == 0)
        });
        if pause_is_over {
            self.paused = None;
        }
        let wanted = self.paused.is_none() && self.tills.is_open(self.number);
        let begins = wanted && (pause_is_over || !self.registered);
        self.register(wanted, registry);
        begins
    }

    /// Lets a client in; `None` if there is none, or accepting has to pause.
    pub(crate) fn accept(
        &mut self,
        number: usize,
        registry: &Registry,
        now: &Now,
    ) -> Option<(TcpStream, SocketAddr)> {
        while self.paused.is_none() {
            match self.sockets.get(number)?.accept() {
                Ok((client, peer)) => {
                    self.told_of_pause = false;
                    if !ACCEPTED_INHERIT_NODELAY {
                        // Failing costs delay, not correctness.
                        let _ = client.set_nodelay(true);
                    }
                    return Some((client, peer));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) => match AcceptError::of(&error) {
                    AcceptError::Transient => {}
                    AcceptError::OutOfDescriptors | AcceptError::Fatal => {
                        self.pause(registry, now, format_args!("{error}"));
                    }
                },
            }
        }
        None
    }

    /// A turn has let in as many as it may, and there may be more: if no further event tells of
    /// them, the next turn looks by itself.
    pub(crate) fn had_enough(&mut self, now: &Now) {
        if !LISTENERS_ARE_LEVEL_TRIGGERED && self.paused.is_none() {
            self.paused = Some(Pause { until: now.instant, for_others: false });
        }
    }

    /// Lets nobody in until a connection closes.
    pub(crate) fn pause(&mut self, registry: &Registry, now: &Now, why: std::fmt::Arguments<'_>) {
        if !std::mem::replace(&mut self.told_of_pause, true) {
            log::warn!("accepting pauses until a connection closes: {why}");
        }
        self.begin_pause(registry, now, false);
    }

    /// This loop has let a client in and has `mine` of `all` connections now: others open if they are
    /// needed, and it leaves the next clients to them if it has far more than its share. That is asked
    /// after an accept, not before: perhaps no other loop was told of that client.
    pub(crate) fn client_accepted(&mut self, mine: usize, all: usize, registry: &Registry, now: &Now) {
        self.tills.open(all);
        if self.paused.is_none() && self.tills.surplus(mine, all) > SURPLUS_MAX {
            self.begin_pause(registry, now, true);
            // They may have left the clients to this one, and would not look for a while.
            self.tills.call_others(self.number);
        }
    }

    /// A connection of this loop has closed, which has `mine` of `all` now: a pause may be over.
    pub(crate) fn connection_closed(&mut self, mine: usize, all: usize) {
        self.tills.close(self.number, all);
        if let Some(pause) = &mut self.paused
            && (!pause.for_others || self.tills.surplus(mine, all) == 0)
        {
            pause.until = Instant::now();
        }
    }

    /// When accepting is to be resumed at the latest.
    pub(crate) fn paused_until(&self) -> Option<Instant> {
        self.paused.map(|pause| pause.until)
    }

    /// Closes them all. Who comes once all loops have done so is refused.
    pub(crate) fn close(&mut self, registry: &Registry) {
        self.register(false, registry);
        self.sockets.clear();
        self.paused = None;
    }

    fn begin_pause(&mut self, registry: &Registry, now: &Now, for_others: bool) {
        self.register(false, registry);
        self.paused = Some(Pause { until: now.instant + PAUSE, for_others });
    }

    fn register(&mut self, wanted: bool, registry: &Registry) {
        if std::mem::replace(&mut self.registered, wanted) == wanted {
            return;
        }
        for (number, listener) in self.sockets.iter_mut().enumerate() {
            report(match wanted {
                true => poller::add_listener(registry, listener, Token(1 + number)),
                false => poller::remove_listener(registry, listener),
            });
        }
    }
}

fn report(done: io::Result<()>) {
    if let Err(error) = done {
        log::error!("the poller of a listener failed: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Waker};

    fn tills(loops: usize) -> (Vec<Poll>, Tills) {
        let polls: Vec<_> = (0..loops).map(|_| Poll::new().unwrap()).collect();
        let bells = |poll: &Poll| Bells::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let bells = polls.iter().map(bells).collect();
        (polls, Tills::new(bells))
    }

    #[test]
    fn loops_open_with_the_crowd_and_close_behind_it() {
        let (_polls, tills) = tills(3);
        let open = || (0..3).filter(|number| tills.is_open(*number)).count();
        let mut seen = Vec::new();
        for connections in [0, 15, 16, 31, 32, 1000] {
            tills.open(connections);
            seen.push(open());
        }
        assert_eq!(seen, [1, 1, 2, 2, 3, 3]);
        for connections in [100, 16, 15, 8, 7, 0] {
            (0..3).for_each(|number| tills.close(number, connections));
            seen.push(open());
        }
        assert_eq!(seen[6..], [3, 3, 2, 2, 1, 1], "later than they opened, or they would do so in turns");
    }

    #[test]
    fn a_share_is_what_each_open_loop_would_have() {
        let (_polls, tills) = tills(2);
        assert_eq!((tills.surplus(10, 10), tills.surplus(15, 15)), (0, 0), "it is alone");
        assert_eq!((tills.surplus(16, 16), tills.surplus(18, 20), tills.surplus(2, 20)), (8, 8, 0));
        assert!(tills.surplus(19, 20) > SURPLUS_MAX);
    }

    #[test]
    fn a_loop_that_leaves_calls_those_that_left_before() {
        let (mut polls, tills) = tills(2);
        let tills = Arc::new(tills);
        let listener = crate::net::listen::bind(([127, 0, 0, 1], 0).into(), 8).unwrap();
        let now = crate::protocol::testing::start();
        let mut loops: Vec<_> = (0..2)
            .map(|number| {
                Listeners::new(std::slice::from_ref(&listener), Arc::clone(&tills), number).unwrap()
            })
            .collect();
        // The first takes a crowd alone until it has too many: the second is open now, the first pauses.
        loops[0].attend(0, 0, polls[0].registry(), &now);
        (1..=26).for_each(|mine| loops[0].client_accepted(mine, mine, polls[0].registry(), &now));
        assert!(!loops[0].registered && tills.is_open(1));
        // Then it is the second that has too many, while the first still pauses.
        loops[1].attend(0, 26, polls[1].registry(), &now);
        (1..=44).for_each(|mine| loops[1].client_accepted(mine, 26 + mine, polls[1].registry(), &now));
        assert!(!loops[1].registered && !loops[0].registered);
        let mut events = mio::Events::with_capacity(8);
        polls[0].poll(&mut events, Some(std::time::Duration::from_secs(20))).unwrap();
        assert!(events.iter().any(|event| event.token() == Token(0)), "it was not called");
        assert!(loops[0].attend(26, 70, polls[0].registry(), &now), "clients may wait already");
        assert!(loops[0].registered);
    }
}
