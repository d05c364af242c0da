//! One driver for all three machines, in memory: it knows them by [`Machine`] alone, as the real ones do.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::balance::Group;
use crate::balance::routes::Routes;
use crate::protocol::event::{Connection, Event, Observer};
use crate::protocol::exchange::{Exchange, Gateway};
use crate::protocol::forward::Rules;
use crate::protocol::limits::BUFFER_BYTES;
use crate::protocol::relay::{Relay, RelayService};
use crate::protocol::testing::{client, context, start};
use crate::protocol::timeouts::Timeouts;
use crate::protocol::web::{Web, WebService};
use crate::site;

/// The driver, and the two peers between which it moves bytes.
struct Driver {
    now: Now,
    /// It waits as the threaded one does: for one thing at a time.
    blocks: bool,
    client: Peer,
    backend: Peer,
    /// Connects that are refused before one is accepted.
    refused: usize,
    /// What was chosen: whether a kept connection would do.
    choices: Vec<bool>,
    /// What was released: whether its connection is kept.
    kept: Vec<bool>,
    piped: usize,
}

#[derive(Default)]
struct Peer {
    says: Vec<u8>,
    ends: bool,
    got: Vec<u8>,
    heard_end: bool,
    pipe: Vec<u8>,
}

fn peer(says: &[u8]) -> Peer {
    Peer { says: says.to_vec(), ..Peer::default() }
}

fn ending(says: &[u8]) -> Peer {
    Peer { ends: true, ..peer(says) }
}

fn waker() -> Waker {
    Waker::noop().clone()
}

impl Driver {
    fn new(client: Peer, backend: Peer) -> Driver {
        Driver {
            now: start(),
            blocks: false,
            client,
            backend,
            refused: 0,
            choices: Vec::new(),
            kept: Vec::new(),
            piped: 0,
        }
    }

    /// Serves until the end, or until nothing moves; true for the end.
    fn serve<M: Kind>(&mut self, machine: &mut M) -> bool {
        for _ in 0..10_000 {
            machine.expired(&self.now);
            match machine.step() {
                Step::Finish => {
                    machine.finish(&self.now);
                    return true;
                }
                Step::Connect => self.connect(machine),
                Step::ShutClient => {
                    self.client.heard_end = true;
                    machine.client_shut();
                }
                Step::ShutBackend => {
                    self.backend.heard_end = true;
                    machine.backend_shut();
                }
                Step::Transfer => {
                    let interest = if self.blocks { machine.blocking_interest() } else { machine.interest() };
                    assert!(
                        !self.blocks || !interest.write_client || !interest.read_client || self.piped > 0
                    );
                    let moved = self.write_client(machine, interest)
                        || self.write_backend(machine, interest)
                        || self.read_backend(machine, interest)
                        || self.read_client(machine, interest);
                    if !moved {
                        return false;
                    }
                }
                Step::ReleaseBackend => self.kept.push(machine.release(&self.now)),
                Step::Queue | Step::SwitchProtocols => return false,
            }
        }
        panic!("it goes round and round");
    }

    fn connect(&mut self, machine: &mut impl Machine) {
        let Some(choice) = machine.choose_backend(&self.now, waker) else { return };
        assert!(machine.is_connecting());
        self.choices.push(choice.may_reuse);
        if self.choices.len() <= self.refused {
            machine.connect_failed(How::Refused, &self.now);
        } else {
            machine.connected(false, &self.now);
            assert!(!machine.is_connecting());
        }
    }

    fn read_client(&mut self, machine: &mut impl Machine, interest: Interest) -> bool {
        if !interest.read_client {
            return false;
        }
        let says = &mut self.client.says;
        if says.is_empty() && !self.client.ends {
            machine.client_space();
            machine.nothing_from_client();
            return false;
        }
        if machine.client_may_be_piped() {
            machine.client_piped(says.len(), &self.now);
            self.piped += says.len();
            self.backend.pipe.append(says);
            return true;
        }
        let space = machine.client_space();
        let count = says.len().min(space.len());
        assert!(!space.is_empty());
        space[..count].copy_from_slice(&says[..count]);
        says.drain(..count);
        machine.client_received(count, &self.now);
        true
    }

    fn read_backend(&mut self, machine: &mut impl Machine, interest: Interest) -> bool {
        if !interest.read_backend {
            return false;
        }
        let says = &mut self.backend.says;
        if says.is_empty() && !self.backend.ends {
            machine.backend_space();
            machine.nothing_from_backend();
            return false;
        }
        if machine.backend_may_be_piped() {
            machine.backend_piped(says.len(), &self.now);
            self.piped += says.len();
            self.client.pipe.append(says);
            return true;
        }
        let space = machine.backend_space();
        let count = says.len().min(space.len());
        assert!(!space.is_empty());
        space[..count].copy_from_slice(&says[..count]);
        says.drain(..count);
        machine.backend_received(count, &self.now);
        true
    }

    fn write_client<M: Kind>(&mut self, machine: &mut M, interest: Interest) -> bool {
        if !interest.write_client {
            return false;
        }
        let mut bytes = match machine.client_output() {
            Output::Bytes { first, second, .. } => [first, second].concat(),
            Output::File { file, offset, length } => {
                let mut bytes = vec![0; length as usize];
                let count = file.as_file().read_at(&mut bytes, offset).unwrap();
                bytes.truncate(count);
                if bytes.is_empty() {
                    machine.file_ended();
                    return true;
                }
                bytes
            }
        };
        assert!(bytes.is_empty() || self.client.pipe.is_empty());
        bytes.append(&mut self.client.pipe);
        assert!(!bytes.is_empty(), "a write of nothing");
        machine.client_sent(bytes.len(), &self.now);
        self.client.got.append(&mut bytes);
        true
    }

    fn write_backend(&mut self, machine: &mut impl Machine, interest: Interest) -> bool {
        if !interest.write_backend {
            return false;
        }
        let mut bytes = machine.backend_output().concat();
        assert!(bytes.is_empty() || self.backend.pipe.is_empty());
        bytes.append(&mut self.backend.pipe);
        assert!(!bytes.is_empty(), "a write of nothing");
        machine.backend_sent(bytes.len(), &self.now);
        self.backend.got.append(&mut bytes);
        true
    }
}

/// The step that one kind of machine has for itself.
trait Kind: Machine<File: AsFile> {
    fn release(&mut self, _now: &Now) -> bool {
        panic!("there is no back end to release")
    }
}

impl Kind for Web<site::Site> {}
impl Kind for Relay {}
impl Kind for Exchange {
    fn release(&mut self, now: &Now) -> bool {
        self.release_backend(now).keep
    }
}

/// What a test reads a file from.
trait AsFile {
    fn as_file(&self) -> &File;
}

impl AsFile for NoFile {
    fn as_file(&self) -> &File {
        match *self {}
    }
}

impl AsFile for Arc<File> {
    fn as_file(&self) -> &File {
        self
    }
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsatu";
/// Larger than what a site keeps in memory.
const LARGE_BYTES: usize = site::limits::CACHED_FILE_BYTES_MAX as usize + 1;

/// A folder with one file that is sent from the disk, and a server of it.
fn web(now: &Now) -> (tempfile::TempDir, Web<site::Site>) {
    web_with(shared(), now)
}

fn web_with(context: Arc<RoleContext>, now: &Now) -> (tempfile::TempDir, Web<site::Site>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("large"), vec![b'l'; LARGE_BYTES]).unwrap();
    let site = Arc::new(site::Site::open(site::SiteKind::Backend, folder.path()).unwrap());
    let service = WebService { context, site };
    (folder, Web::new(Arc::new(service), client(), now.instant, now))
}

fn shared() -> Arc<RoleContext> {
    Arc::new(context(Timeouts { connect: Duration::from_secs(3), ..Timeouts::default() }))
}

fn group(active_max: usize) -> Arc<Group> {
    let addresses = [9001, 9002].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    Arc::new(Group::limited("test", addresses.to_vec(), active_max))
}

fn exchange(now: &Now) -> Exchange {
    exchange_with(shared(), now)
}

fn exchange_with(context: Arc<RoleContext>, now: &Now) -> Exchange {
    let gateway = Gateway { context, routes: Routes::new(group(0)), rules: Rules::default() };
    Exchange::new(Arc::new(gateway), client(), now.instant, now)
}

fn relay(now: &Now) -> Relay {
    relay_with(shared(), now)
}

fn relay_with(context: Arc<RoleContext>, now: &Now) -> Relay {
    let service = RelayService { context, group: group(0) };
    Relay::new(Arc::new(service), client(), now.instant, now)
}

fn stream(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

#[test]
fn a_site_is_served_from_memory_and_from_a_file() {
    for blocks in [false, true] {
        let input = [GET, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n", GET].concat();
        let mut driver = Driver { blocks, ..Driver::new(ending(&input), peer(b"")) };
        let (_folder, mut web) = web(&driver.now);
        assert!(driver.serve(&mut web));
        let text = String::from_utf8_lossy(&driver.client.got);
        assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3);
        assert!(text.contains(&"l".repeat(LARGE_BYTES)) && !Machine::was_cut(&web));
    }
    let mut driver = Driver::new(peer(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n"), peer(b""));
    let (folder, mut web) = web(&driver.now);
    let interest = web.interest();
    assert!(driver.read_client(&mut web, interest));
    fs::write(folder.path().join("large"), "short").unwrap();
    assert!(driver.serve(&mut web));
    assert!(Machine::was_cut(&web), "the file is shorter than was promised");
}

#[test]
fn requests_are_forwarded_to_the_back_end_that_accepts() {
    let mut driver = Driver { refused: 1, ..Driver::new(peer(GET), peer(OK)) };
    let mut exchange = exchange(&driver.now);
    assert_eq!(Machine::connect_timeout(&exchange, &driver.now), Duration::from_secs(3));
    assert!(!driver.serve(&mut exchange));
    assert_eq!((driver.choices.as_slice(), driver.kept.as_slice()), (&[true, true][..], &[true][..]));
    assert!(driver.backend.got.starts_with(b"GET / HTTP/1.1\r\n"));
    assert!(driver.client.got.starts_with(b"HTTP/1.1 200 OK\r\n") && driver.client.got.ends_with(b"satu"));
    driver.client.ends = true;
    assert!(driver.serve(&mut exchange) && !Machine::was_cut(&exchange));
}

#[test]
fn a_relay_joins_both_and_pipes_long_streams() {
    let (up, down) = (stream(3 * BUFFER_BYTES), stream(4 * BUFFER_BYTES));
    let mut driver = Driver { refused: 1, ..Driver::new(ending(&up), ending(&down)) };
    let mut relay = relay(&driver.now);
    assert_eq!(Machine::connect_timeout(&relay, &driver.now), Duration::from_secs(3));
    assert!(driver.serve(&mut relay));
    assert!(driver.backend.got == up && driver.client.got == down);
    assert_eq!(driver.piped, 5 * BUFFER_BYTES);
    assert_eq!(driver.choices, [false, false]);
    // Half-closed, one after the other.
    for (client, backend) in [(ending(b"satu"), peer(b"dua")), (peer(b"satu"), ending(b"dua"))] {
        let mut driver = Driver::new(client, backend);
        let mut relay = self::relay(&driver.now);
        assert!(!driver.serve(&mut relay));
        assert_eq!(driver.backend.heard_end, driver.client.ends);
        assert_eq!(driver.client.heard_end, driver.backend.ends);
        driver.client.ends = true;
        driver.backend.ends = true;
        assert!(driver.serve(&mut relay) && !Machine::was_cut(&relay) && !Machine::backend_was_cut(&relay));
    }
}

/// A machine that was told this at its start, and then served a client that says `GET`: whether it is
/// over, and what the client got.
fn after<M: Kind>(mut machine: M, tell: impl FnOnce(&mut M, &Now)) -> (bool, String) {
    let mut driver = Driver::new(peer(GET), peer(OK));
    let now = driver.now;
    tell(&mut machine, &now);
    let is_over = driver.serve(&mut machine);
    (is_over, String::from_utf8_lossy(&driver.client.got).into_owned())
}

#[test]
fn a_stop_reaches_every_machine() {
    let now = start();
    let fresh_web = || web(&now).1;
    for (is_over, text) in [
        after(fresh_web(), |web, _| Machine::drain(web)),
        after(exchange(&now), |exchange, _| Machine::drain(exchange)),
        after(fresh_web(), |web, _| Machine::drained(web)),
        after(exchange(&now), |exchange, _| Machine::drained(exchange)),
        after(relay(&now), |relay, _| Machine::drained(relay)),
        after(relay(&now), Machine::refuse_for_lack_of_workers),
        after(fresh_web(), |web, _| Machine::client_failed(web)),
        after(exchange(&now), |exchange, _| Machine::client_failed(exchange)),
        after(relay(&now), |relay, _| Machine::client_failed(relay)),
    ] {
        assert!(is_over && text.is_empty(), "{text}");
    }
    // The last request is answered, and the answer says that it was the last one.
    for (_, text) in [
        after(fresh_web(), |web, _| Machine::take_last_request(web)),
        after(exchange(&now), |exchange, _| Machine::take_last_request(exchange)),
    ] {
        assert!(text.contains(" 200 OK\r\n") && text.contains("\r\nConnection: close\r\n"), "{text}");
    }
    for (_, text) in [
        after(fresh_web(), Machine::refuse_for_lack_of_workers),
        after(exchange(&now), Machine::refuse_for_lack_of_workers),
    ] {
        assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
    }
    // A relay goes on.
    let (is_over, text) = after(relay(&now), |relay, _| Machine::drain(relay));
    assert!(!is_over && text.as_bytes() == OK);
    let (_, text) = after(relay(&now), |relay, _| Machine::take_last_request(relay));
    assert!(text.as_bytes() == OK);
}

/// Serves a machine whose back end says only this, and then tells of a failure of it.
fn cut<M: Kind>(mut machine: M, says: &[u8], tell: impl FnOnce(&mut M, &Now)) -> (bool, bool) {
    let mut driver = Driver::new(peer(GET), peer(says));
    assert!(!driver.serve(&mut machine));
    let now = driver.now;
    tell(&mut machine, &now);
    driver.serve(&mut machine);
    (machine.was_cut(), machine.backend_was_cut())
}

#[test]
fn a_failure_resets_whoever_would_take_a_part_for_the_whole() {
    let now = start();
    let half = &OK[..OK.len() - 1];
    type Tell<M> = fn(&mut M, &Now);
    let of_exchange: [Tell<Exchange>; 2] = [
        |exchange, now| Machine::backend_failed(exchange, How::Reset, now),
        |exchange, _| Machine::client_failed(exchange),
    ];
    for tell in of_exchange {
        assert_eq!(cut(exchange(&now), half, tell), (true, false));
    }
    let of_relay: [Tell<Relay>; 3] = [
        |relay, now| Machine::backend_failed(relay, How::Reset, now),
        |relay, now| Machine::backend_send_failed(relay, How::Reset, now),
        |relay, _| Machine::client_failed(relay),
    ];
    for tell in of_relay {
        assert_eq!(cut(relay(&now), half, tell), (true, true));
    }
    // A back end that fails before it has the head has not got the request.
    let mut driver = Driver::new(peer(GET), peer(b""));
    let mut exchange = exchange(&driver.now);
    let interest = exchange.interest();
    assert!(driver.read_client(&mut exchange, interest));
    driver.connect(&mut exchange);
    assert!(exchange.interest().write_backend);
    Machine::backend_send_failed(&mut exchange, How::Reset, &driver.now);
    assert!(!exchange.interest().write_backend);
}

#[test]
fn a_deadline_reaches_every_machine() {
    fn waits_in_vain<M: Kind>(mut machine: M) {
        let mut driver = Driver::new(peer(b""), peer(b""));
        assert!(!driver.serve(&mut machine));
        let deadline = machine.deadline().unwrap();
        assert!(deadline > driver.now.instant);
        driver.now = driver.now.after(deadline - driver.now.instant);
        assert!(driver.serve(&mut machine));
        assert!(machine.deadline().is_none() && machine.interest() == Interest::NONE);
    }
    let now = start();
    waits_in_vain(web(&now).1);
    waits_in_vain(exchange(&now));
    waits_in_vain(relay(&now));
}

/// Counts the closing lines.
#[derive(Debug, Default)]
struct Closings(AtomicUsize);

impl Observer for Closings {
    fn wants_closings(&self) -> bool {
        true
    }

    fn observe(&self, _connection: &Connection<'_>, event: &Event<'_>) {
        if let Event::Closed(_) = event {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn an_end_in_the_middle_is_told_once() {
    fn closings<M: Kind>(make: impl FnOnce(Arc<RoleContext>, &Now) -> M) -> usize {
        let told = Arc::new(Closings::default());
        let mut driver = Driver::new(peer(&GET[..10]), peer(b""));
        let mut machine =
            make(Arc::new(RoleContext::new("test", Arc::clone(&told) as Arc<dyn Observer>)), &driver.now);
        assert!(!driver.serve(&mut machine));
        machine.client_failed();
        assert!(driver.serve(&mut machine));
        told.0.load(Ordering::Relaxed)
    }
    assert_eq!(closings(|context, now| web_with(context, now).1), 1);
    assert_eq!(closings(exchange_with), 1);
    assert_eq!(closings(relay_with), 1);
}

#[test]
fn a_read_of_nothing_leaves_no_trace() {
    fn assert_unchanged<M: Kind + std::fmt::Debug>(mut machine: M, has_backend: bool) {
        let mut driver = Driver::new(peer(b""), peer(b""));
        driver.serve(&mut machine);
        let before = format!("{machine:?}");
        assert!(!machine.client_space().is_empty());
        assert_ne!(format!("{machine:?}"), before, "the space is memory of its own");
        machine.nothing_from_client();
        assert_eq!(format!("{machine:?}"), before);
        assert_eq!(!machine.backend_space().is_empty(), has_backend);
        assert_eq!(format!("{machine:?}") != before, has_backend);
        machine.nothing_from_backend();
        assert_eq!(format!("{machine:?}"), before);
    }
    let now = start();
    assert_unchanged(web(&now).1, false);
    assert_unchanged(exchange(&now), true);
    assert_unchanged(relay(&now), true);
}

/// One that has no back end, and says nothing about it.
struct Alone(Interest);

impl Machine for Alone {
    type Service = Arc<RoleContext>;
    type File = NoFile;

    fn open(_service: Arc<Arc<RoleContext>>, _: ClientIdentity, _accepted: Instant, _now: &Now) -> Alone {
        Alone(Interest::NONE)
    }
    fn context(service: &Arc<RoleContext>) -> &RoleContext {
        service
    }
    fn connection(&self) -> u64 {
        0
    }
    fn step(&self) -> Step {
        Step::Transfer
    }
    fn interest(&self) -> Interest {
        self.0
    }
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn expired(&mut self, _now: &Now) {}
    fn drain(&mut self) {}
    fn drained(&mut self) {}
    fn refuse_for_lack_of_workers(&mut self, _now: &Now) {}
    fn was_cut(&self) -> bool {
        true
    }
    fn finish(&mut self, _now: &Now) {}
    fn client_space(&mut self) -> &mut [u8] {
        &mut []
    }
    fn client_received(&mut self, _count: usize, _now: &Now) {}
    fn nothing_from_client(&mut self) {}
    fn client_output(&self) -> Output<'_, NoFile> {
        Output::Bytes { first: &[], second: &[], more: false }
    }
    fn client_sent(&mut self, _count: usize, _now: &Now) {}
    fn client_shut(&mut self) {}
    fn client_failed(&mut self) {}
}

#[test]
fn a_machine_without_a_back_end_need_not_speak_of_one() {
    let interest = Interest { read_client: true, ..Interest::NONE };
    let mut alone = Alone(interest);
    assert_eq!(alone.blocking_interest(), interest);
    assert!(!alone.backend_was_cut() && !alone.is_connecting());
    assert!(!alone.client_may_be_piped() && !alone.backend_may_be_piped());
    assert_eq!(alone.connect_timeout(&start()), Duration::ZERO);
    assert!(alone.choose_backend(&start(), waker).is_none());
    assert!(alone.backend_space().is_empty());
    assert!(alone.backend_output().iter().all(|bytes| bytes.is_empty()));
}
