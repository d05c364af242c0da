//! Checks of back ends as they happen: one thread that connects, asks and listens for all of them.
//!
//! Contract: no check waits for another. All connections are nonblocking and belong to one poller,
//! so that a silent back end costs its own check [`CHECK_TIMEOUT`] and nobody else's anything. What a
//! result means is decided in [`health`](crate::balance::health); the log hears of changes only.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::balance::health::{Answer, Change, Health, Probe};
use crate::balance::limits::{CHECK_ANSWER_BYTES_MAX, CHECK_TIMEOUT};
use crate::balance::{Backend, Group};
use crate::net::connect::{self, ConnectError};
use crate::net::{clock, io as net_io};
use crate::protocol::proxy_header::{Version, own_header};

/// The checks of one role's back ends; they end when this is dropped.
#[derive(Debug)]
pub struct Checker {
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Checker {
    /// Starts to check all back ends of the groups, those that join later included. `None` if there is nothing to do.
    ///
    /// Errors: no poller or no thread can be had.
    pub fn start(
        groups: Vec<Arc<Group>>,
        interval: Option<Duration>,
        probe: Probe,
        introduces: Option<Version>,
    ) -> io::Result<Option<Checker>> {
        let Some(interval) = interval.filter(|_| !groups.is_empty()) else { return Ok(None) };
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let stop = Arc::new(AtomicBool::new(false));
        let round = Round {
            poll,
            probe,
            introduces,
            interval,
            groups,
            patients: Vec::new(),
            next_token: 0,
            seeds: RandomState::new(),
        };
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("checks".to_owned()).spawn(move || round.run(&stopped))?;
        Ok(Some(Checker { stop, waker, thread: Some(thread) }))
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Without the word it would notice at its next check.
        let _ = self.waker.wake();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the checks of back ends ended by a panic");
        }
    }
}

/// Below every back end's token.
const WAKER: Token = Token(usize::MAX);

/// How often a poller that fails is asked again: a fault of ours must not become a spin.
const PAUSE_AFTER_FAULT: Duration = Duration::from_millis(100);

/// The thread's own: every back end with its health and the check that is under way.
struct Round {
    poll: Poll,
    probe: Probe,
    /// Back ends want a PROXY header ahead of what they are asked for.
    introduces: Option<Version>,
    interval: Duration,
    groups: Vec<Arc<Group>>,
    patients: Vec<Patient>,
    next_token: usize,
    /// Random by the standard library's care: two balancers do not check in step.
    seeds: RandomState,
}

struct Patient {
    group: Arc<Group>,
    backend: Arc<Backend>,
    token: Token,
    health: Health,
    visit: Option<Visit>,
}

/// A check under way.
struct Visit {
    stream: TcpStream,
    until: Instant,
    connected: bool,
    /// What is still to be asked.
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// Why a check failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    Connect(ConnectError),
    TimedOut,
    Closed,
    Nonsense,
    Status(u16),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Connect(error) => error.fmt(f),
            Fault::TimedOut => write!(f, "no answer within {} s", CHECK_TIMEOUT.as_secs()),
            Fault::Closed => f.write_str("closed without an answer"),
            Fault::Nonsense => f.write_str("the answer is not HTTP"),
            Fault::Status(status) => write!(f, "the answer is {status}"),
        }
    }
}

impl Round {
    fn run(mut self, stop: &AtomicBool) {
        let mut events = Events::with_capacity(64);
        while !stop.load(Ordering::Acquire) {
            let now = clock::now().instant;
            self.meet_newcomers(now);
            self.begin_due(now);
            let next = self.patients.iter().map(Patient::next_moment).min().unwrap_or(now + self.interval);
            // A moment is over when it is over: poll rounds down to milliseconds on some systems.
            let wait = next.saturating_duration_since(now) + Duration::from_millis(1);
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("the checks of back ends cannot wait for their sockets: {error}");
                thread::sleep(PAUSE_AFTER_FAULT);
            }
            for event in &events {
                let called = self.patients.iter_mut().find(|patient| patient.token == event.token());
                if let Some(patient) = called {
                    patient.go_on();
                }
            }
            let now = clock::now().instant;
            self.patients.iter_mut().for_each(|patient| patient.give_up_if_late(now));
        }
    }

    /// Follows the groups' lists: new back ends are taken in, those that left are let go.
    fn meet_newcomers(&mut self, now: Instant) {
        let here: Vec<(&Arc<Group>, Arc<Backend>)> = self
            .groups
            .iter()
            .flat_map(|group| group.backends().into_iter().map(move |one| (group, one)))
            .collect();
        self.patients
            .retain(|patient| here.iter().any(|(_, backend)| Arc::ptr_eq(backend, &patient.backend)));
        for (group, backend) in here {
            if self.patients.iter().any(|patient| Arc::ptr_eq(&patient.backend, &backend)) {
                continue;
            }
            let token = Token(self.next_token);
            self.next_token += 1;
            let health = Health::new(self.interval, self.seeds.hash_one(token.0), now);
            self.patients.push(Patient { group: Arc::clone(group), backend, token, health, visit: None });
        }
    }

    fn begin_due(&mut self, now: Instant) {
        for patient in self.patients.iter_mut().filter(|patient| patient.visit.is_none()) {
            if patient.health.due() > now {
                continue;
            }
            patient.health.began(now);
            let address = patient.backend.address;
            let mut request = self.probe.request(address);
            if let Some(version) = self.introduces.filter(|_| !request.is_empty()) {
                request.splice(..0, own_header(version));
            }
            let begun = connect::start(address).and_then(|mut stream| {
                let both = Interest::READABLE | Interest::WRITABLE;
                let registered = self.poll.registry().register(&mut stream, patient.token, both);
                registered.map(|()| stream).map_err(|error| ConnectError::from(&error))
            });
            match begun {
                Ok(stream) => {
                    let until = now + CHECK_TIMEOUT;
                    let visit = Visit { stream, until, connected: false, request, answer: Vec::new() };
                    patient.visit = Some(visit);
                }
                Err(error) => patient.conclude(Err(Fault::Connect(error))),
            }
        }
    }
}

impl Patient {
    /// When something is to be done about it even if nothing happens.
    fn next_moment(&self) -> Instant {
        self.visit.as_ref().map_or(self.health.due(), |visit| visit.until)
    }

    /// Its socket is ready for something.
    fn go_on(&mut self) {
        if let Some(result) = self.visit.as_mut().and_then(Visit::go_on) {
            self.conclude(result);
        }
    }

    fn give_up_if_late(&mut self, now: Instant) {
        if self.visit.as_ref().is_some_and(|visit| visit.until <= now) {
            self.conclude(Err(Fault::TimedOut));
        }
    }

    /// The check is over: closes its connection, and tells of what it changes.
    fn conclude(&mut self, result: Result<(), Fault>) {
        self.visit = None;
        let Patient { group, backend, health, .. } = self;
        if backend.is_out_by_failures() {
            health.mark_out();
        }
        let change = match result {
            // A lack of ours says nothing about the back end.
            Err(Fault::Connect(error)) if error.is_ours() => return,
            Err(_) => health.failed(),
            Ok(()) => health.passed(),
        };
        match (change, result) {
            (Some(Change::Out), Err(fault)) if group.check_failed(backend) => {
                log::error!("{}: {} is out: its checks fail: {fault}", group.name(), backend.address);
            }
            (Some(Change::Back), _) if group.check_passed(backend) => {
                log::info!("{}: {} is back: its checks pass", group.name(), backend.address);
            }
            _ => {}
        }
    }
}

impl Visit {
    /// Goes as far as it goes without waiting; the result once there is one.
    fn go_on(&mut self) -> Option<Result<(), Fault>> {
        if !self.connected {
            match connect::finish(&self.stream) {
                Ok(true) => self.connected = true,
                Ok(false) => return None,
                Err(error) => return Some(Err(Fault::Connect(error))),
            }
            if self.request.is_empty() {
                return Some(Ok(()));
            }
        }
        while !self.request.is_empty() {
            match net_io::send(&self.stream, [&self.request, &[]], false) {
                Ok(Some(count)) => drop(self.request.drain(..count)),
                Ok(None) => return None,
                Err(_) => return Some(Err(Fault::Closed)),
            }
        }
        loop {
            // More than is looked at: what stays unread would make the close a reset.
            let mut bytes = [0; 2048];
            match net_io::receive(&self.stream, &mut bytes) {
                Ok(Some(0)) | Err(_) => return Some(Err(Fault::Closed)),
                Ok(None) => return None,
                Ok(Some(count)) => {
                    let room = CHECK_ANSWER_BYTES_MAX - self.answer.len();
                    self.answer.extend_from_slice(&bytes[..count.min(room)]);
                }
            }
            match Answer::of(&self.answer) {
                Answer::Partial => {}
                Answer::Well(_) => return Some(Ok(())),
                Answer::Ill(status) => return Some(Err(Fault::Status(status))),
                Answer::Nonsense => return Some(Err(Fault::Nonsense)),
            }
        }
    }
}
