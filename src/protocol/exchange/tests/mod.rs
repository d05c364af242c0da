//! Whole connections without sockets: a client in memory, back ends that follow a script, and a driver
//! between them that does only what the machine asks for.

mod backend;
mod chunks;
mod closing;
mod deadline;
mod end;
mod graph;
mod guarded;
mod properties;
mod queue;
mod request;
mod response;
mod upgrade;
mod upload;

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::balance::limits::{PASSIVE_FAILURES, RETRIES};
use crate::protocol::event::{Connection, Observer};
use crate::protocol::guard::Guards;
use crate::protocol::limits::{CLIENT_WATCH_AFTER, INTERIM_RESPONSES_MAX, KEEP_ALIVE_REQUESTS};
use crate::protocol::testing::{Pieces, all_pieces, client, context, drawn_states, start};

/// A gateway with one group of back ends.
struct TestGateway {
    backends: usize,
    /// The most connections to each back end at a time; 0 for no limit.
    most: usize,
    timeouts: Timeouts,
    /// The most requests on one connection of a client.
    requests: u32,
    rules: Rules,
    /// Prefixes of routes besides the default one; all of them have the same back ends.
    prefixes: &'static [&'static str],
    guards: Option<Arc<Guards>>,
    now: Now,
}

/// What the back end does on one connection.
#[derive(Clone, Debug)]
struct BackendScript {
    accepts: bool,
    /// It neither accepts nor refuses the connection.
    hangs: bool,
    says: Vec<u8>,
    /// It sends `says` after it has received this many bytes of the request.
    after: usize,
    then: AfterResponse,
    /// It receives at most this many bytes.
    takes: usize,
    /// After these bytes, sending to it fails, instead of being blocked.
    breaks: bool,
}

#[derive(Clone, Copy, Debug)]
enum AfterResponse {
    Holds,
    Ends,
    Resets,
}

fn says(text: &str) -> BackendScript {
    let (says, takes) = (text.as_bytes().to_vec(), usize::MAX);
    BackendScript {
        accepts: true,
        hangs: false,
        says,
        after: 0,
        then: AfterResponse::Holds,
        takes,
        breaks: false,
    }
}

impl BackendScript {
    fn ends(self) -> BackendScript {
        BackendScript { then: AfterResponse::Ends, ..self }
    }

    fn resets(self) -> BackendScript {
        BackendScript { then: AfterResponse::Resets, ..self }
    }

    fn after(self, bytes: usize) -> BackendScript {
        BackendScript { after: bytes, ..self }
    }

    fn takes(self, bytes: usize) -> BackendScript {
        BackendScript { takes: bytes, ..self }
    }

    fn breaks(self, bytes: usize) -> BackendScript {
        BackendScript { takes: bytes, breaks: true, ..self }
    }
}

fn refuses() -> BackendScript {
    BackendScript { accepts: false, ..says("") }
}

fn hangs() -> BackendScript {
    BackendScript { hangs: true, ..says("") }
}

impl TestGateway {
    fn new(backends: usize) -> TestGateway {
        TestGateway {
            backends,
            most: 0,
            timeouts: Timeouts::default(),
            requests: KEEP_ALIVE_REQUESTS,
            rules: Rules::default(),
            prefixes: &[],
            guards: None,
            now: start(),
        }
    }

    fn group(&self) -> Arc<Group> {
        let address = |index| SocketAddr::from(([127, 0, 0, 1], 9001 + index as u16));
        Arc::new(Group::limited("test", (0..self.backends).map(address).collect(), self.most))
    }

    fn connection(&self, input: &str, scripts: &[BackendScript]) -> TestConnection {
        self.connection_of(self.group(), input, scripts)
    }

    /// A connection whose group of back ends other connections use too.
    fn connection_of(&self, group: Arc<Group>, input: &str, scripts: &[BackendScript]) -> TestConnection {
        let mut routes = Routes::new(Arc::clone(&group).into());
        for prefix in self.prefixes {
            routes.add(&prefix.parse().unwrap(), Arc::clone(&group).into()).unwrap();
        }
        let context = Arc::new(RoleContext {
            keep_alive_requests: self.requests,
            guards: self.guards.clone(),
            ..context(self.timeouts)
        });
        let gateway = Arc::new(Gateway { context, routes, rules: self.rules.clone() });
        TestConnection {
            exchange: Exchange::new(gateway, client(), self.now.instant, &self.now),
            group,
            now: self.now,
            input: input.as_bytes().to_vec(),
            sent: 0,
            ends: false,
            received: Vec::new(),
            takes: usize::MAX,
            pieces: Pieces::Whole,
            shut_at: None,
            scripts: scripts.to_vec().into(),
            backend: None,
            kept: Vec::new(),
            visits: Vec::new(),
            tunnels: false,
            calls: 0,
        }
    }

    fn run(&self, input: &str, scripts: &[BackendScript]) -> TestConnection {
        let mut connection = self.connection(input, scripts);
        connection.run();
        connection
    }

    /// Checks that the result is the same however the bytes are cut into pieces, on both sides.
    fn run_in_all_pieces(&self, input: &str, scripts: &[BackendScript]) -> TestConnection {
        let whole = self.run(input, scripts);
        for connection in self.runs_in_all_pieces(input, scripts) {
            let pieces = connection.pieces;
            assert_eq!(connection.text(), whole.text(), "{input:?} in {pieces:?}");
            assert_eq!(connection.state(), whole.state(), "{input:?} in {pieces:?}");
            assert_eq!(connection.visits, whole.visits, "{input:?} in {pieces:?}");
        }
        whole
    }

    /// One run for each way to cut; the results are not compared.
    fn runs_in_all_pieces(&self, input: &str, scripts: &[BackendScript]) -> Vec<TestConnection> {
        let length = scripts.iter().map(|script| script.says.len()).max().unwrap_or(0).max(input.len());
        let run = |pieces| {
            let mut connection = TestConnection { pieces, ..self.connection(input, scripts) };
            connection.run();
            connection
        };
        all_pieces(length).into_iter().map(run).collect()
    }

    /// How many bytes the back end gets for this request.
    fn forwarded(&self, request: &str) -> usize {
        self.run(request, &[says("")]).visits[0].got.len()
    }

    fn idle(&self) -> Status {
        Status::Waits(self.timeouts.keep_alive)
    }
}

/// A client, its back ends and the driver between them.
struct TestConnection {
    exchange: Exchange,
    group: Arc<Group>,
    now: Now,
    input: Vec<u8>,
    sent: usize,
    ends: bool,
    received: Vec<u8>,
    takes: usize,
    pieces: Pieces,
    shut_at: Option<usize>,
    scripts: VecDeque<BackendScript>,
    backend: Option<(SocketAddr, BackendScript, usize)>,
    kept: Vec<SocketAddr>,
    visits: Vec<Visit>,
    tunnels: bool,
    calls: usize,
}

/// What a back end got: of one connection, or of one request on a reused one.
#[derive(Clone, Debug, PartialEq)]
struct Visit {
    got: Vec<u8>,
    reused: bool,
    /// Whether the connection was kept at its release; `None` before that, and if the exchange was dropped.
    kept: Option<bool>,
}

/// The state of the client's connection after a run.
#[derive(Debug, PartialEq)]
enum Status {
    Waits(Duration),
    Closed,
    Reset,
    Tunnel,
}

impl TestConnection {
    fn run(&mut self) -> &mut TestConnection {
        loop {
            self.calls += 1;
            assert!(self.calls < 1_000_000, "no end of steps: {:?}", self.exchange);
            self.exchange.expired(&self.now);
            let (step, interest) = (self.exchange.step(), self.exchange.interest());
            let waits = step == Step::Transfer && interest == Interest::NONE;
            assert!(
                !waits || self.exchange.deadline().is_some(),
                "nothing would make it go on: {:?}",
                self.exchange
            );
            let reads_first = self.pieces.toss();
            if reads_first && self.exchange.is_idle() {
                self.set_aside();
            }
            match step {
                Step::Finish => {
                    self.exchange.finish(&self.now);
                    return self;
                }
                Step::SwitchProtocols => {
                    self.tunnels = true;
                    return self;
                }
                Step::ReleaseBackend => {
                    let kept = self.exchange.release_backend(&self.now).keep;
                    let (address, ..) = self.backend.take().expect("a back end to release");
                    self.visits.last_mut().unwrap().kept = Some(kept);
                    self.kept.extend(kept.then_some(address));
                }
                Step::Verify => self.exchange.verify_password(&self.now, || Waker::noop().clone()),
                Step::Connect => self.connect(),
                Step::ShutClient => {
                    self.shut_at = Some(self.received.len());
                    self.exchange.client_shut();
                }
                // One move at a time: after it the machine may ask for something else.
                _ => {
                    let moved = reads_first && (self.read_client(&interest) || self.read_backend(&interest))
                        || self.write_backend(&interest)
                        || self.write_client(&interest)
                        || self.read_backend(&interest)
                        || self.read_client(&interest);
                    if !moved {
                        return self;
                    }
                }
            }
        }
    }

    /// Makes the machine again from what is remembered of an idle client.
    fn set_aside(&mut self) {
        let gateway = Arc::clone(&self.exchange.gateway);
        let blank = Exchange::new(gateway, client(), self.now.instant, &self.now);
        let (number, deadline) = (self.exchange.client.number(), self.exchange.deadline());
        let idle = std::mem::replace(&mut self.exchange, blank).into_idle();
        self.exchange = Exchange::from_idle(idle, &self.now);
        assert!(self.exchange.is_idle());
        assert_eq!((self.exchange.client.number(), self.exchange.deadline()), (number, deadline));
    }

    fn connect(&mut self) {
        // A connection that failed before: a driver drops it when it connects again.
        self.backend = None;
        let Some(choice) = self.exchange.choose_backend(&self.now, || Waker::noop().clone()) else { return };
        let script = self.scripts.pop_front().expect("a script for each connection");
        if !script.accepts {
            return self.exchange.connect_failed(How::Refused, &self.now);
        }
        let place = self.kept.iter().position(|kept| choice.may_reuse && *kept == choice.address);
        let reused = place.map(|place| self.kept.remove(place)).is_some();
        self.visits.push(Visit { got: Vec::new(), reused, kept: None });
        if !script.hangs {
            self.exchange.connected(reused, &self.now);
        }
        self.backend = Some((choice.address, script, 0));
    }

    fn write_backend(&mut self, interest: &Interest) -> bool {
        let Some((_, script, _)) = &self.backend else { return false };
        let visit = self.visits.last_mut().unwrap();
        if !interest.write_backend || script.hangs {
            return false;
        }
        let bytes = self.exchange.backend_output().concat();
        assert!(!bytes.is_empty(), "there is nothing to send");
        let room = script.takes - visit.got.len();
        if room == 0 {
            if script.breaks {
                self.exchange.backend_send_failed(How::Reset, &self.now);
            }
            return script.breaks;
        }
        let count = self.pieces.next(visit.got.len(), bytes.len().min(room));
        visit.got.extend(&bytes[..count]);
        self.exchange.backend_sent(count, &self.now);
        true
    }

    fn read_backend(&mut self, interest: &Interest) -> bool {
        let Some((_, script, said)) = &mut self.backend else { return false };
        if !interest.read_backend || script.hangs || self.visits.last().unwrap().got.len() < script.after {
            return false;
        }
        let space = self.exchange.backend_space();
        assert!(!space.is_empty(), "a read into an empty space looks like the end of the stream");
        let rest = &script.says[*said..];
        match (rest.is_empty(), script.then) {
            (true, AfterResponse::Holds) => {
                self.exchange.nothing_from_backend();
                return false;
            }
            (true, AfterResponse::Ends) => self.exchange.backend_received(0, &self.now),
            (true, AfterResponse::Resets) => self.exchange.backend_failed(How::Reset, &self.now),
            _ => {
                let count = self.pieces.next(*said, rest.len().min(space.len()));
                space[..count].copy_from_slice(&rest[..count]);
                *said += count;
                self.exchange.backend_received(count, &self.now);
            }
        }
        true
    }

    fn read_client(&mut self, interest: &Interest) -> bool {
        let rest = &self.input[self.sent..];
        if !interest.read_client || (rest.is_empty() && !self.ends) {
            return false;
        }
        let space = self.exchange.client_space();
        assert!(!space.is_empty(), "a read into an empty space looks like the end of the stream");
        if rest.is_empty() {
            self.exchange.client_received(0, &self.now);
            return true;
        }
        let count = self.pieces.next(self.sent, rest.len().min(space.len()));
        space[..count].copy_from_slice(&rest[..count]);
        self.sent += count;
        self.exchange.client_received(count, &self.now);
        true
    }

    fn write_client(&mut self, interest: &Interest) -> bool {
        let room = self.takes.saturating_sub(self.received.len());
        if !interest.write_client || room == 0 {
            return false;
        }
        let bytes = self.exchange.client_output().concat();
        assert!(!bytes.is_empty(), "there is nothing to send");
        let count = self.pieces.next(self.received.len(), bytes.len().min(room));
        self.received.extend(&bytes[..count]);
        self.exchange.client_sent(count, &self.now);
        true
    }

    /// Moves the time to the deadline and goes on. The moment from which the client is watched is skipped.
    fn waits(&mut self) -> &mut TestConnection {
        if matches!(self.exchange.backend, BackendConnection::Connected { .. })
            && !self.exchange.watches_client
            && self.exchange.awaits_response()
        {
            self.now = self.now.after(self.exchange.deadline().unwrap() - self.now.instant);
            self.run();
        }
        let deadline = self.exchange.deadline().expect("it has a deadline");
        let wait = deadline.saturating_duration_since(self.now.instant);
        self.now = self.now.after(wait);
        self.run()
    }

    fn state(&self) -> Status {
        match self.exchange.state {
            State::Tunnel => Status::Tunnel,
            State::Over(_) if self.exchange.was_cut() => Status::Reset,
            State::Over(_) => Status::Closed,
            _ => {
                let is_up = matches!(self.exchange.backend, BackendConnection::Connected { .. });
                let deadline = match is_up && self.exchange.awaits_response() {
                    // Not the earlier moment from which the client is watched.
                    true => self.exchange.response_due(),
                    false => self.exchange.deadline().expect("it has a deadline"),
                };
                Status::Waits(deadline.saturating_duration_since(self.now.instant))
            }
        }
    }

    /// What the client got, without the dates that were added: no back end here sends one.
    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.received);
        text.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: Tue, 13 Jul 2021 13:")).collect()
    }

    /// The status lines in what the client got.
    fn statuses(&self) -> Vec<u16> {
        let text = self.text();
        text.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3)?.parse::<u16>().ok()).collect()
    }

    fn got(&self, visit: usize) -> String {
        String::from_utf8_lossy(&self.visits[visit].got).into_owned()
    }

    fn outcome(&self) -> Outcome {
        match self.exchange.state {
            State::Over(outcome) => outcome,
            _ => panic!("it is not over: {:?}", self.exchange),
        }
    }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GOT: &str = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n\
    X-Forwarded-Host: a\r\nVia: 1.1 giliran\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nsatu!";
const OLD: &str = "GET / HTTP/1.0\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsatu";
/// What the client gets for [`OK`], and for [`OK`] if the connection ends with it.
const OK_SENT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nVia: 1.1 giliran\r\n\r\nsatu";
const OK_LAST: &str =
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\nVia: 1.1 giliran\r\n\r\nsatu";
/// The connection lingers.
const LINGERS: Status = Status::Waits(crate::protocol::limits::LINGER_TIMEOUT);

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
