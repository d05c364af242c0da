//! Lanes: what each thread of a driver is doing at this moment, and what it has counted.
//!
//! Contract: a lane is written by the one thread that it belongs to, without a lock; anybody may read it at
//! any time. The phase, the connection and the time are three words, so a reader may now and then see the phase
//! of one moment with the time of the next: a picture, not a proof.
//!
//! A thread has at most one lane ([`attach`]), and the functions here act on the lane of the thread that calls
//! them. Without `--status` and `--trace` no thread has one, and all of them cost one look at a thread-local.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::counters::{Counter, Counters};
use super::trace::Ring;

/// What a thread is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Nothing: a worker waits for work, a loop sleeps in its poller.
    Idle,
    /// It waits in `accept`, or takes clients from the backlog.
    Accept,
    /// It reads, or waits for a client to send.
    Read,
    /// It connects to a back end.
    Connect,
    /// It waits for a back end; in a relay, for either side.
    Wait,
    /// It writes to a client or a back end.
    Write,
    /// It waits for the connections that are parked.
    Parked,
}

/// The names of the phases, in their order.
pub(crate) const PHASES: [&str; 7] = ["idle", "accept", "read", "connect", "wait", "write", "parked"];

/// The kinds of thread that have a lane.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// A worker of the threaded driver.
    Worker,
    /// An event loop of the async driver.
    Loop,
    /// The thread that waits for parked connections.
    Parking,
    /// A thread that accepts when no worker does.
    Acceptor,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Worker => "worker",
            Kind::Loop => "loop",
            Kind::Parking => "parking",
            Kind::Acceptor => "acceptor",
        }
    }
}

/// The last closing lines that a lane keeps while somebody looks at them.
const CLOSINGS_KEPT: usize = 50;

/// Bytes of a closing line that are kept: more than all but the longest targets need.
const CLOSING_BYTES_MAX: usize = 512;

/// What is recorded beyond counters and phases because somebody wants it now. All lanes of a process share it.
#[derive(Debug)]
pub(crate) struct Switches {
    /// What the times of lanes and traces count from.
    pub(crate) began: Instant,
    tracing: AtomicBool,
    /// Until when closing lines are kept, microseconds since `began`.
    watched_until_us: AtomicU64,
}

impl Switches {
    pub(crate) fn new() -> Switches {
        let (tracing, watched_until_us) = (AtomicBool::new(false), AtomicU64::new(0));
        Switches { began: Instant::now(), tracing, watched_until_us }
    }

    /// Microseconds from the start of the process's status to `at`.
    pub(crate) fn microseconds(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) fn is_tracing(&self) -> bool {
        self.tracing.load(Ordering::Relaxed)
    }

    /// True if this call has changed it.
    pub(crate) fn set_tracing(&self, on: bool) -> bool {
        self.tracing.swap(on, Ordering::SeqCst) != on
    }

    /// Keep closing lines until `until`.
    pub(crate) fn watch(&self, until: Instant) {
        self.watched_until_us.store(self.microseconds(until), Ordering::Relaxed);
    }

    fn is_watched(&self) -> bool {
        let until_us = self.watched_until_us.load(Ordering::Relaxed);
        until_us > 0 && self.microseconds(Instant::now()) < until_us
    }
}

/// What can be seen of one thread. On cache lines of its own, for another thread writes the next lane.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Lane {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The phase in the lowest 8 bits, the number of the connection above.
    moment: AtomicU64,
    /// When that began, microseconds since [`Switches::began`].
    since_us: AtomicU64,
    /// Connections that this thread looks after.
    holds: AtomicU64,
    pub(crate) counters: Counters,
    pub(crate) ring: Ring,
    /// Time and text of the last closing lines. Locked by its thread and by who shows them, and only while
    /// somebody watches.
    closings: Mutex<VecDeque<(u64, String)>>,
    switches: Arc<Switches>,
}

/// What a lane showed at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Moment {
    /// An index of [`PHASES`].
    pub(crate) phase: usize,
    /// The connection that is served; 0 for none.
    pub(crate) connection: u64,
    /// When this began, microseconds since the start.
    pub(crate) since_us: u64,
}

impl Moment {
    /// Phase and connection out of the word that holds both.
    pub(crate) fn unpack(word: u64, since_us: u64) -> Moment {
        // The lowest 8 bits fit everywhere.
        Moment { phase: (word & 0xff) as usize, connection: word >> 8, since_us }
    }
}

fn pack(phase: Phase, connection: u64) -> u64 {
    connection << 8 | u64::from(phase as u8)
}

impl Lane {
    pub(crate) fn new(name: &str, kind: Kind, switches: &Arc<Switches>) -> Lane {
        Lane {
            name: name.to_owned(),
            kind,
            moment: AtomicU64::new(pack(Phase::Idle, 0)),
            since_us: AtomicU64::new(switches.microseconds(Instant::now())),
            holds: AtomicU64::new(0),
            counters: Counters::default(),
            ring: Ring::for_lane(kind),
            closings: Mutex::default(),
            switches: Arc::clone(switches),
        }
    }

    /// From now on its thread does this. `now` is read only if it is needed.
    fn enter(&self, phase: Phase, connection: u64, now: impl FnOnce() -> Instant) {
        let (before, word) = (self.moment.load(Ordering::Relaxed), pack(phase, connection));
        if before == word {
            return;
        }
        self.moment.store(word, Ordering::Relaxed);
        self.since_us.store(self.switches.microseconds(now()), Ordering::Relaxed);
        if self.switches.is_tracing() {
            // A loop reads the clock once an iteration, which is too coarse for a trace.
            self.ring.push(self.switches.microseconds(Instant::now()), before, word);
        }
    }

    /// What it does now.
    pub(crate) fn moment(&self) -> Moment {
        let word = self.moment.load(Ordering::Relaxed);
        Moment::unpack(word, self.since_us.load(Ordering::Relaxed))
    }

    /// Connections that its thread looks after: one or none for a worker.
    pub(crate) fn holds(&self) -> u64 {
        match self.kind {
            Kind::Worker => u64::from(self.moment().connection > 0),
            _ => self.holds.load(Ordering::Relaxed),
        }
    }

    /// Keeps a closing line if somebody watches; `line` makes it.
    pub(crate) fn keep_closing(&self, line: impl FnOnce() -> String) {
        if !self.switches.is_watched() {
            return;
        }
        let mut line = line();
        let end = (0..=CLOSING_BYTES_MAX.min(line.len())).rev().find(|end| line.is_char_boundary(*end));
        line.truncate(end.unwrap_or(0));
        let mut closings = self.lines();
        if closings.len() == CLOSINGS_KEPT {
            closings.pop_front();
        }
        closings.push_back((self.switches.microseconds(Instant::now()), line));
    }

    /// The closing lines it keeps, each with its time in microseconds since the start.
    pub(crate) fn closings(&self) -> Vec<(u64, String)> {
        self.lines().iter().cloned().collect()
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<(u64, String)>> {
        // Lines are added and removed whole.
        self.closings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    static LANE: OnceCell<Arc<Lane>> = const { OnceCell::new() };
}

/// Makes this the lane of the running thread, for as long as the thread lives.
pub(crate) fn attach(lane: Arc<Lane>) {
    // A thread that had one already keeps it.
    LANE.with(|own| _ = own.set(lane));
}

/// Does something with the lane of the running thread, if it has one.
pub(crate) fn with(act: impl FnOnce(&Lane)) {
    // While a thread ends its lane may be gone.
    let _ = LANE.try_with(|lane| lane.get().map(|lane| act(lane)));
}

/// From now on this thread is in this phase, for the connection of this number (0 for none).
pub(crate) fn enter(phase: Phase, connection: u64) {
    with(|lane| lane.enter(phase, connection, Instant::now));
}

/// The same, for who knows the time.
pub(crate) fn enter_at(phase: Phase, connection: u64, now: Instant) {
    with(|lane| lane.enter(phase, connection, || now));
}

/// Adds to a counter of this thread.
pub(crate) fn count(counter: Counter, count: u64) {
    with(|lane| lane.counters.add(counter, count));
}

/// This thread looks after so many connections.
pub(crate) fn holds(connections: usize) {
    with(|lane| lane.holds.store(connections as u64, Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn lane(kind: Kind) -> Lane {
        Lane::new("worker-00", kind, &Arc::new(Switches::new()))
    }

    #[test]
    fn a_phase_has_a_connection_and_a_beginning() {
        let lane = lane(Kind::Worker);
        let at = |seconds| lane.switches.began + Duration::from_secs(seconds);
        lane.enter(Phase::Wait, 70_000, || at(3));
        let moment = Moment { phase: Phase::Wait as usize, connection: 70_000, since_us: 3_000_000 };
        assert_eq!((lane.moment(), lane.holds()), (moment, 1));
        lane.enter(Phase::Wait, 70_000, || at(9));
        assert_eq!(lane.moment(), moment, "the same phase goes on");
        lane.enter(Phase::Idle, 0, || at(10));
        assert_eq!((lane.moment().connection, lane.holds()), (0, 0));
        assert_eq!(PHASES[Phase::Parked as usize], "parked");
    }

    #[test]
    fn closing_lines_are_kept_while_somebody_watches_and_are_bounded() {
        let lane = lane(Kind::Loop);
        lane.keep_closing(|| unreachable!("nobody watches"));
        lane.switches.watch(Instant::now() + Duration::from_secs(1000));
        for number in 0..=CLOSINGS_KEPT {
            lane.keep_closing(|| number.to_string());
        }
        lane.keep_closing(|| "é".repeat(CLOSING_BYTES_MAX));
        let lines = lane.closings();
        assert_eq!((lines.len(), lines[0].1.as_str()), (CLOSINGS_KEPT, "2"));
        assert_eq!(lines.last().map(|(_, line)| line.len()), Some(CLOSING_BYTES_MAX));
    }

    #[test]
    fn a_thread_acts_on_its_own_lane_and_without_one_on_none() {
        enter(Phase::Read, 1);
        count(Counter::Accepted, 1);
        let mine = Arc::new(lane(Kind::Loop));
        let theirs = Arc::clone(&mine);
        std::thread::spawn(move || {
            attach(theirs);
            enter(Phase::Read, 7);
            holds(3);
        })
        .join()
        .unwrap();
        assert_eq!((mine.moment().connection, mine.holds()), (7, 3));
    }
}
