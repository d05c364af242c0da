//! Health checks of back ends: one thread that connects to them, sends requests and reads responses.
//!
//! Contract: no check waits for another. All connections are nonblocking and belong to one poller, so
//! that a back end which does not answer costs its own check `CHECK_TIMEOUT` and delays no other one.
//! What a result means is decided in `balance::health`; only changes are logged.

mod check;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use rustls::ClientConfig;

use crate::balance::health::{Change, Health, Probe};
use crate::balance::limits::CHECK_TIMEOUT;
use crate::balance::{Backend, Group};
use crate::net::clock;
use crate::net::connect::{self, ConnectError};
use crate::net::tls::TlsStream;
use crate::protocol::context::BackendTls;
use crate::protocol::proxy_header::{Version, local_header};
use check::{Check, CheckError};

/// The health checks of one role's back ends; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Checker {
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Checker {
    /// Starts to check all back ends of the groups, also those that join later. With `send` each request
    /// begins with a PROXY header of that version. `None` if there is nothing to check.
    ///
    /// Errors: the poller or the thread cannot be created.
    pub(crate) fn start(
        groups: Vec<Arc<Group>>,
        interval: Option<Duration>,
        probe: Probe,
        send: Option<Version>,
        tls: Option<Arc<ClientConfig>>,
    ) -> io::Result<Option<Checker>> {
        let Some(interval) = interval.filter(|_| !groups.is_empty()) else { return Ok(None) };
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let called: std::task::Waker = Arc::new(Call(Arc::clone(&waker))).into();
        groups.iter().for_each(|group| group.checked_by(called.clone()));
        let stop = Arc::new(AtomicBool::new(false));
        let checks = Checks {
            poll,
            probe,
            send,
            tls,
            interval,
            groups,
            targets: Vec::new(),
            next_token: 0,
            seeds: RandomState::new(),
        };
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("checks".to_owned()).spawn(move || checks.run(&stopped))?;
        Ok(Some(Checker { stop, waker, thread: Some(thread) }))
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Without this the thread would notice only when the next check is due.
        let _ = self.waker.wake();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the checks of back ends ended by a panic");
        }
    }
}

/// Calls the thread before the next check is due.
struct Call(Arc<Waker>);

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        // It fails only if the thread has ended, and then there is nothing to hasten.
        let _ = self.0.wake();
    }
}

/// The waker's token; those of back ends count up from 0 and never get there.
const WAKER: Token = Token(usize::MAX);

/// Events taken from the poller at a time: more than most groups have back ends, and what does not fit
/// is there at the next call.
const EVENTS_MAX: usize = 64;

/// Time before a poller that failed is called again, so that a fault of ours does not become a busy loop.
const PAUSE_AFTER_FAULT: Duration = Duration::from_millis(100);

/// What the thread owns.
struct Checks {
    poll: Poll,
    probe: Probe,
    /// The version of the PROXY header that back ends expect in front of each request.
    send: Option<Version>,
    /// How those that are `https://` are spoken to.
    tls: Option<Arc<ClientConfig>>,
    interval: Duration,
    groups: Vec<Arc<Group>>,
    targets: Vec<Target>,
    next_token: usize,
    /// A different one in each process, so that two balancers do not check in step.
    seeds: RandomState,
}

/// A back end that is checked.
struct Target {
    group: Arc<Group>,
    backend: Arc<Backend>,
    token: Token,
    /// The check under way.
    check: Option<Check>,
}

impl Checks {
    fn run(mut self, stop: &AtomicBool) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !stop.load(Ordering::Acquire) {
            let now = clock::now().instant;
            self.follow_groups(now);
            self.begin_due(now);
            let next =
                self.targets.iter().filter_map(Target::next_moment).min().unwrap_or(now + self.interval);
            // Poll rounds down to milliseconds on some systems: a millisecond more, or it would return
            // just before the moment and be called again at once.
            let wait = next.saturating_duration_since(now) + Duration::from_millis(1);
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("the checks of back ends cannot wait for their sockets: {error}");
                thread::sleep(PAUSE_AFTER_FAULT);
            }
            for event in &events {
                if let Some(target) = self.targets.iter_mut().find(|target| target.token == event.token()) {
                    target.proceed();
                }
            }
            let now = clock::now().instant;
            self.targets.iter_mut().for_each(|target| target.time_out(now));
        }
    }

    /// Adds targets for new back ends and drops those of removed ones.
    fn follow_groups(&mut self, now: Instant) {
        let present: Vec<(&Arc<Group>, Arc<Backend>)> = self
            .groups
            .iter()
            .flat_map(|group| group.backends().into_iter().map(move |backend| (group, backend)))
            .collect();
        self.targets
            .retain(|target| present.iter().any(|(_, backend)| Arc::ptr_eq(backend, &target.backend)));
        for (group, backend) in present {
            if self.targets.iter().any(|target| Arc::ptr_eq(&target.backend, &backend)) {
                continue;
            }
            let token = Token(self.next_token);
            self.next_token += 1;
            match &mut *backend.health() {
                Some(health) => health.resume(self.interval, now),
                health => *health = Some(Health::new(self.interval, self.seeds.hash_one(token.0), now)),
            }
            self.targets.push(Target { group: Arc::clone(group), backend, token, check: None });
        }
    }

    fn begin_due(&mut self, now: Instant) {
        for target in self.targets.iter_mut().filter(|target| target.check.is_none()) {
            match &mut *target.backend.health() {
                Some(health) if health.due() <= now => health.check_begins(now),
                _ => continue,
            }
            let address = target.backend.address;
            let tls = self.tls.as_ref().zip(target.backend.secure_host());
            let mut request = match tls {
                Some((_, host)) => self.probe.request(authority(host, address)),
                None => self.probe.request(address),
            };
            if let Some(version) = self.send.filter(|_| !request.is_empty()) {
                request.splice(..0, local_header(version));
            }
            let connecting = connect::start(address).and_then(|mut stream| {
                let both = Interest::READABLE | Interest::WRITABLE;
                let registered = self.poll.registry().register(&mut stream, target.token, both);
                registered.map_err(|error| ConnectError::from(&error))?;
                let tls = tls
                    .map(|(config, host)| BackendTls { config: Arc::clone(config), host: Arc::clone(host) });
                let encrypted = tls.as_ref().map(TlsStream::connect).transpose();
                Ok((stream, encrypted.map_err(|error| ConnectError::from(&error))?))
            });
            match connecting {
                Ok((stream, tls)) => {
                    target.check = Some(Check::new(stream, tls, request, now + CHECK_TIMEOUT))
                }
                Err(error) => target.conclude(Err(CheckError::Connect(error))),
            }
        }
    }
}

/// A host and the port of its address, as they stand in `Host`.
fn authority(host: &str, address: SocketAddr) -> String {
    match (host.contains(':'), address.port()) {
        (true, port) => format!("[{host}]:{port}"),
        (false, HTTPS_PORT) => host.to_owned(),
        (false, port) => format!("{host}:{port}"),
    }
}

/// The port that a `Host` does not name.
const HTTPS_PORT: u16 = 443;

impl Target {
    /// When something is to be done about it even if its socket has no event.
    fn next_moment(&self) -> Option<Instant> {
        match &self.check {
            Some(check) => Some(check.deadline()),
            None => self.backend.health().as_ref().map(Health::due),
        }
    }

    /// Its socket has an event.
    fn proceed(&mut self) {
        if let Some(result) = self.check.as_mut().and_then(Check::proceed) {
            self.conclude(result);
        }
    }

    fn time_out(&mut self, now: Instant) {
        if self.check.as_ref().is_some_and(|check| check.deadline() <= now) {
            self.conclude(Err(CheckError::TimedOut));
        }
    }

    /// The check is over: closes its connection, and logs what it changes.
    fn conclude(&mut self, result: Result<(), CheckError>) {
        self.check = None;
        let Target { group, backend, .. } = self;
        let change = match result {
            // That this process is out of descriptors or ports says nothing about the back end.
            Err(CheckError::Connect(error)) if error.is_ours() => return,
            Err(_) => backend.health().as_mut().and_then(Health::failed),
            Ok(()) => backend.health().as_mut().and_then(Health::passed),
        };
        backend.count_check(result.is_ok());
        match (change, result) {
            (Some(Change::Out), Err(error)) if group.check_failed(backend) => {
                log::error!("{}: {} is out: its checks fail: {error}", group.name(), backend.address);
            }
            (Some(Change::Back), _) if group.check_passed(backend) => {
                log::info!("{}: {} is back: its checks pass", group.name(), backend.address);
            }
            // One is enough against what connections reported.
            (None, Ok(())) if group.succeeded(backend) => {
                log::info!("{}: {} is back: its check passes", group.name(), backend.address);
            }
            _ => {}
        }
    }
}
