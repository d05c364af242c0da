//! Whole connections without sockets: a client in memory, back ends that follow a script, and a driver
//! between them that does only what the machine asks for.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::balance::limits::RETRIES;
use crate::protocol::event::{Connection, Observer};
use crate::protocol::limits::CLIENT_WATCH_AFTER;
use crate::protocol::testing::{Pieces, all_pieces, client, context, drawn_states, start};

/// A gateway with one group of back ends.
struct TestGateway {
    backends: usize,
    /// The most connections to each back end at a time; 0 for no limit.
    most: usize,
    timeouts: Timeouts,
    rules: Rules,
    /// Prefixes of routes besides the default one; all of them have the same back ends.
    prefixes: &'static [&'static str],
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
            rules: Rules::default(),
            prefixes: &[],
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
        let mut routes = Routes::new(Arc::clone(&group));
        for prefix in self.prefixes {
            routes.add(prefix, Arc::clone(&group)).unwrap();
        }
        let context = Arc::new(context(self.timeouts));
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
        text.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
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

#[test]
fn requests_follow_each_other_on_a_reused_connection() {
    let gateway = TestGateway::new(1);
    let connection = gateway.run_in_all_pieces(&GET.repeat(3), &[says(OK), says(OK), says(OK)]);
    assert_eq!(connection.text(), OK_SENT.repeat(3));
    assert_eq!(connection.state(), gateway.idle());
    let reused: Vec<_> =
        connection.visits.iter().map(|visit| (visit.got.clone(), visit.reused, visit.kept)).collect();
    assert_eq!(reused, [false, true, true].map(|reused| (GOT.as_bytes().to_vec(), reused, Some(true))));
}

#[test]
fn requests_with_bodies_are_forwarded_whole_and_on_new_connections() {
    let gateway = TestGateway::new(1);
    let chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = "3;x=y\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n";
    let input = format!("{POST}{chunks}{body}{GET}");
    let first = says(OK).after(gateway.forwarded(POST));
    let second = says(OK).after(gateway.forwarded(&format!("{chunks}{body}")));
    let connection = gateway.run_in_all_pieces(&input, &[first, second, says(OK)]);
    assert_eq!(connection.text(), OK_SENT.repeat(3));
    assert!(
        connection.got(0).contains("Content-Length: 5\r\n") && connection.got(0).ends_with("\r\n\r\nsatu!")
    );
    assert!(connection.got(1).contains("Transfer-Encoding: chunked\r\n"));
    assert!(connection.got(1).ends_with(&format!("\r\n\r\n{}", body.replace(";x=y", ""))));
    assert_eq!(connection.visits.iter().map(|visit| visit.reused).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn responses_of_every_framing_arrive_whole() {
    let gateway = TestGateway::new(1);
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n1;x=y\r\n!\r\n0\r\nX: y\r\n\r\n";
    let connection = gateway.run_in_all_pieces(&GET.repeat(2), &[says(chunked), says(OK)]);
    let chunked_sent = chunked.replacen("chunked\r\n", "chunked\r\nVia: 1.1 giliran\r\n", 1);
    assert_eq!(connection.text(), format!("{}{OK_SENT}", chunked_sent.replace(";x=y", "")));
    assert_eq!(connection.visits[0].kept, Some(true));

    let connection = gateway.run_in_all_pieces(GET, &[says("HTTP/1.1 200 OK\r\n\r\nsatu").ends()]);
    let sent = "HTTP/1.1 200 OK\r\nConnection: close\r\nVia: 1.1 giliran\r\n\r\nsatu";
    assert_eq!((connection.text().as_str(), connection.visits[0].kept), (sent, Some(false)));

    for bodiless in ["204 No Content", "304 Not Modified"] {
        let says = [says(&format!("HTTP/1.1 {bodiless}\r\nETag: \"a\"\r\n\r\n")), says(OK)];
        let connection = gateway.run_in_all_pieces(&GET.repeat(2), &says);
        assert!(connection.text().ends_with(&format!("ETag: \"a\"\r\nVia: 1.1 giliran\r\n\r\n{OK_SENT}")));
        assert_eq!(connection.visits[0].kept, Some(true));
    }
    let head = GET.replace("GET", "HEAD");
    let connection =
        gateway.run_in_all_pieces(&format!("{head}{GET}"), &[says(OK.trim_end_matches("satu")), says(OK)]);
    assert_eq!(connection.text(), format!("{}{OK_SENT}", OK_SENT.trim_end_matches("satu")));
}

#[test]
fn an_http_1_0_client_gets_no_chunks() {
    let gateway = TestGateway::new(1);
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n";
    for input in [OLD, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"] {
        let connection = gateway.run_in_all_pieces(input, &[says(chunked)]);
        assert_eq!(
            connection.text(),
            "HTTP/1.1 200 OK\r\nConnection: close\r\nVia: 1.1 giliran\r\n\r\nsatu!"
        );
        assert_eq!(connection.visits[0].kept, Some(true));
        // The body ends with the close. If it is cut short, the close must not be an orderly one.
        let cut = says(chunked.trim_end_matches("0\r\nX: y\r\n\r\n")).ends();
        assert!(
            gateway
                .runs_in_all_pieces(input, &[cut])
                .iter()
                .all(|connection| connection.state() == Status::Reset)
        );
    }
    let connection = gateway
        .run_in_all_pieces(&OLD.replace("\r\n\r\n", "\r\nConnection: keep-alive\r\n\r\n"), &[says(OK)]);
    assert!(connection.text().contains("Connection: keep-alive\r\n"));
    assert_eq!(connection.state(), gateway.idle());
}

#[test]
fn interim_responses_come_first() {
    let gateway = TestGateway::new(1);
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let input = format!("{GET}{GET}");
    let connection = gateway.run_in_all_pieces(&input, &[says(&format!("{early}{early}{OK}")), says(OK)]);
    let early = early.replace("</a>\r\n", "</a>\r\nVia: 1.1 giliran\r\n");
    assert_eq!(connection.text(), format!("{early}{early}{OK_SENT}{OK_SENT}"));
    assert_eq!(connection.visits[0].kept, Some(true));
    let connection = gateway.run_in_all_pieces(OLD, &[says(&format!("HTTP/1.1 100 Continue\r\n\r\n{OK}"))]);
    assert_eq!(connection.text(), OK_LAST);
}

#[test]
fn trailers_are_forwarded_unless_they_are_valid_in_a_head_only() {
    let gateway = TestGateway::new(1);
    let body = |trailers: &str| format!("4\r\nsatu\r\n0\r\n{trailers}\r\n");
    let bad = "X-Forwarded-For: 6.6.6.6\r\ncontent-length: 9\r\nHost: b\r\nCookie: a=b\r\n";
    let mixed = body(&format!("X-Satu: 1\r\n{bad}X-Dua: 2\r\n"));
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n";
    let answer_head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
    for (connection, passed) in [("", "X-Satu: 1\r\nX-Dua: 2\r\n"), ("Connection: X-Satu\r\n", "")] {
        let input = format!("{head}{connection}\r\n{mixed}");
        let forwarded = gateway.forwarded(&input);
        let response = says(&format!("{answer_head}{connection}\r\n{mixed}")).after(forwarded);
        let connection = gateway.run_in_all_pieces(&format!("{input}{GET}"), &[response, says(OK)]);
        assert!(connection.got(0).ends_with(&format!("\r\n\r\n{}", body(passed))), "{}", connection.got(0));
        let sent = format!("Via: 1.1 giliran\r\n\r\n{}{OK_SENT}", body(passed));
        assert!(connection.text().ends_with(&sent), "{}", connection.text());
    }
}

#[test]
fn a_request_without_a_host_names_the_back_end_that_it_goes_to() {
    let gateway = TestGateway::new(2);
    for input in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n"] {
        let connection = gateway.run_in_all_pieces(input, &[says("").ends(), says(OK)]);
        for (visit, port) in [(0, 9001), (1, 9002)] {
            let got = connection.got(visit);
            assert!(got.starts_with(&format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-")), "{got}");
            assert_eq!(got.matches("Host:").count(), 1, "{got}");
        }
    }
}

#[test]
fn a_folder_of_a_route_is_redirected_to_its_slash() {
    let gateway = TestGateway { prefixes: &["/images/"], ..TestGateway::new(1) };
    let sent = "HTTP/1.1 301 Moved Permanently\r\nServer: giliran\r\nLocation: /images/?a=b\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Length: 36\r\n\r\nThis folder has a slash at its end.\n";
    let folder = "GET /images?a=b HTTP/1.1\r\nHost: a\r\n\r\n";
    let connection = gateway.run_in_all_pieces(&format!("{folder}{folder}{GET}"), &[says(OK)]);
    assert_eq!(connection.text(), format!("{}{OK_SENT}", sent.repeat(2)));
    assert_eq!(connection.state(), gateway.idle());
    let absolute = "GET http://b/images?a=b HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(gateway.run_in_all_pieces(absolute, &[]).text(), sent);
    // The body of another method is not waited for.
    let post = "POST /images HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nsatu";
    for connection in gateway.runs_in_all_pieces(post, &[]) {
        assert_eq!((connection.statuses(), connection.state()), (vec![301], LINGERS));
        assert!(connection.text().contains("Connection: close\r\n"), "{}", connection.text());
    }
}

#[test]
fn pedantry_is_no_fault_of_a_back_end() {
    let gateway = TestGateway::new(1);
    let sent = "HTTP/1.1 200 OK\r\nConnection: close\r\nVia: 1.1 giliran\r\n\r\nsatu";
    let chunks =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nVia: 1.1 giliran\r\n\r\n4\r\nsatu\r\n0\r\n\r\n";
    for (answer, sent) in [
        ("HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nsatu", OK_SENT),
        ("HTTP/1.1 200 OK\r\nContent-Length\t : 4\r\n\r\nsatu", OK_SENT),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 4\r\n\r\nsatu", OK_SENT),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Identity\r\n\r\nsatu", sent),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4 \r\nsatu\r\n0\t \r\n\r\n", chunks),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n4\r\nsatu\r\n0\r\n\r\n", chunks),
    ] {
        let until_close = sent.contains("close");
        let script = if until_close { says(answer).ends() } else { says(answer) };
        let connection = gateway.run_in_all_pieces(GET, &[script]);
        assert_eq!(connection.text(), sent, "{answer:?}");
        assert_eq!(connection.group.backends()[0].failures_reported(), 0, "{answer:?}");
    }
}

#[test]
fn a_reason_phrase_is_passed_on_byte_for_byte() {
    let gateway = TestGateway::new(1);
    let mut script = says(OK);
    script.says = [b"HTTP/1.1 200 Tr\xe8s bien\r\n", &OK.as_bytes()["HTTP/1.1 200 OK\r\n".len()..]].concat();
    for connection in gateway.runs_in_all_pieces(GET, &[script]) {
        assert!(connection.received.starts_with(b"HTTP/1.1 200 Tr\xe8s bien\r\n"), "{}", connection.text());
    }
}

#[test]
fn with_mirror_an_answer_of_the_python_is_passed_on_byte_for_byte() {
    let mut gateway = TestGateway::new(1);
    gateway.rules.mirror = true;
    let python = "HTTP/1.0 200 OK\r\nDate: Tue Jul 13 20:31:13 2021\r\nConnection: close\r\nServer: myserver/1.0\r\n\
        Content-Length: 4\r\n\r\nsatu\r\n\r\n";
    let connection = gateway.run_in_all_pieces(GET, &[says(python).ends()]);
    assert_eq!(connection.text(), python);
    assert!(!connection.got(0).contains("Via"), "{}", connection.got(0));
    // One that breaks off is still seen to be cut.
    for connection in gateway.runs_in_all_pieces(GET, &[says(python).resets()]) {
        assert_eq!(connection.state(), Status::Reset);
    }
    // A back end that keeps the connection is forwarded as ever.
    let connection = gateway.run_in_all_pieces(&GET.repeat(2), &[says(OK), says(OK)]);
    assert_eq!(connection.text(), OK_SENT.replace("Via: 1.1 giliran\r\n", "").repeat(2));
}

#[test]
fn chunk_extensions_are_dropped_both_ways() {
    let gateway = TestGateway::new(1);
    let sent = "4;a=b\r\nsatu\r\n003 ; c ;d=\"e;\\\"\"\r\ndua\r\n0;f\r\nX-Sum: 1\r\n\r\n";
    let passed = "4\r\nsatu\r\n003\r\ndua\r\n0\r\nX-Sum: 1\r\n\r\n";
    let input = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{sent}");
    let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{sent}");
    let response = says(&answer).after(gateway.forwarded(&input));
    let connection = gateway.run_in_all_pieces(&format!("{input}{GET}"), &[response, says(OK)]);
    assert!(connection.got(0).ends_with(&format!("\r\n\r\n{passed}")), "{}", connection.got(0));
    let text = connection.text();
    assert!(text.ends_with(&format!("\r\n\r\n{passed}{OK_SENT}")), "{text}");
    assert_eq!(connection.state(), gateway.idle());
}

#[test]
fn malformed_chunk_extensions_are_refused_both_ways() {
    let gateway = TestGateway::new(1);
    for line in ["4;", "4;bad[=x", "4;\"a\"", "4;a=\"b", "8000000000000000"] {
        let body = format!("{line}\r\nsatu\r\n0\r\n\r\n");
        let input = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}{GET}");
        for connection in gateway.runs_in_all_pieces(&input, &[says("")]) {
            assert!(connection.text().starts_with("HTTP/1.1 400 "), "{line}: {}", connection.text());
            assert_eq!(
                connection.visits.iter().filter(|visit| visit.got.ends_with(b"\r\n0\r\n\r\n")).count(),
                0
            );
        }
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        for connection in gateway.runs_in_all_pieces(GET, &[says(&answer)]) {
            assert_eq!(connection.state(), Status::Reset, "{line}");
        }
    }
}

#[test]
fn a_response_head_has_one_deadline_even_if_it_comes_byte_by_byte() {
    let gateway = TestGateway::new(1);
    let backend = gateway.timeouts.backend;
    let mut connection = gateway.connection(GET, &[says("HTTP/1.1 103 A\r\n\r\nHTTP/1.1 200 OK\r\nX: y")]);
    connection.run();
    assert_eq!(connection.state(), Status::Waits(backend));
    for byte in 1..10 {
        connection.now = connection.now.after(backend / 10);
        connection.exchange.backend_space()[0] = b'y';
        connection.exchange.backend_received(1, &connection.now);
        connection.run();
        assert_eq!(connection.state(), Status::Waits(backend - byte * (backend / 10)), "{byte}");
    }
    connection.waits();
    assert_eq!(connection.statuses(), [103, 504]);
    // An interim response starts the deadline anew.
    let mut connection = gateway.connection(GET, &[says("")]);
    connection.run();
    connection.now = connection.now.after(backend / 2);
    let early = b"HTTP/1.1 103 A\r\n\r\n";
    connection.exchange.backend_space()[..early.len()].copy_from_slice(early);
    connection.exchange.backend_received(early.len(), &connection.now);
    assert_eq!(connection.run().state(), Status::Waits(backend));
}

#[test]
fn a_request_waits_in_the_queue_while_all_back_ends_are_full() {
    let gateway = TestGateway { most: 1, ..TestGateway::new(1) };
    let group = gateway.group();
    let connection =
        |input, scripts: &[BackendScript]| gateway.connection_of(Arc::clone(&group), input, scripts);
    let mut first = connection(GET, &[says("")]);
    let [mut second, mut third] = [(); 2].map(|()| connection(GET, &[says(OK)]));
    first.run();
    for late in [&mut second, &mut third] {
        assert_eq!(late.run().state(), Status::Waits(gateway.timeouts.connect));
        assert_eq!(late.exchange.step(), Step::Queue);
        assert!(late.exchange.interest().watch_client);
    }
    // The first gets its response: its back end has room again as soon as the response is complete.
    first.backend.as_mut().unwrap().1.says = OK.into();
    assert_eq!(first.run().text(), OK_SENT);
    assert_eq!((second.exchange.step(), third.exchange.step()), (Step::Connect, Step::Queue));
    assert_eq!((second.run().text().as_str(), third.run().text().as_str()), (OK_SENT, OK_SENT));
    assert_eq!(group.backends()[0].active(), 0);
}

#[test]
fn a_back_end_has_room_again_when_the_connection_is_closed_and_not_before() {
    let gateway = TestGateway { most: 1, ..TestGateway::new(1) };
    let group = gateway.group();
    let mut connection = gateway.connection_of(Arc::clone(&group), GET, &[says("nonsense\r\n\r\n")]);
    connection.run();
    assert_eq!(connection.statuses(), [502]);
    assert_eq!(group.backends()[0].active(), 0);
    let mut connection = gateway.connection_of(Arc::clone(&group), GET, &[says("")]);
    connection.run();
    connection.exchange.client_failed();
    connection.run();
    assert_eq!(group.backends()[0].active(), 1, "the driver drops its sockets first");
    drop(connection);
    assert_eq!(group.backends()[0].active(), 0);
}

#[test]
fn a_client_that_times_out_or_disconnects_leaves_the_queue() {
    let gateway = TestGateway { most: 1, ..TestGateway::new(1) };
    let group = gateway.group();
    let mut held = gateway.connection_of(Arc::clone(&group), GET, &[says("")]);
    held.run();
    let mut late = gateway.connection_of(Arc::clone(&group), &GET.repeat(2), &[]);
    assert_eq!(late.run().waits().statuses(), [503, 0][..1]);
    assert!(late.text().contains("Proxy-Status: giliran; error=connection_limit_reached"), "{}", late.text());
    assert_eq!(late.state(), Status::Waits(gateway.timeouts.connect), "the next request waits in its turn");
    assert_eq!(group.waiting(), 1);
    late.exchange.client_failed();
    assert_eq!(late.run().outcome().to_string(), "client reset in queue");
    drop(late);
    assert_eq!(group.waiting(), 0);
}

#[test]
fn waiting_requests_get_503_at_once_when_the_last_back_end_goes_down() {
    let gateway = TestGateway { most: 1, ..TestGateway::new(1) };
    let group = gateway.group();
    let mut held = gateway.connection_of(Arc::clone(&group), GET, &[says("")]);
    held.run();
    let mut late = gateway.connection_of(Arc::clone(&group), GET, &[]);
    late.run();
    group.check_failed(&group.backends()[0]);
    assert_eq!(late.run().statuses(), [503]);
    assert!(late.text().contains("error=destination_unavailable"), "{}", late.text());
}

#[test]
fn a_client_is_watched_while_its_response_takes_long() {
    let gateway = TestGateway::new(1);
    let mut connection = gateway.connection(GET, &[says("")]);
    connection.run();
    assert!(!connection.exchange.interest().watch_client);
    assert_eq!(connection.exchange.deadline(), Some(connection.now.instant + CLIENT_WATCH_AFTER));
    connection.now = connection.now.after(CLIENT_WATCH_AFTER);
    connection.run();
    assert!(connection.exchange.interest().watch_client);
    assert_eq!(connection.state(), Status::Waits(gateway.timeouts.backend - CLIENT_WATCH_AFTER));
    connection.exchange.client_failed();
    assert_eq!(connection.run().outcome().to_string(), "client reset before response head");
}

#[test]
fn endless_interim_responses_are_read_at_the_pace_of_the_client() {
    let gateway = TestGateway::new(1);
    let early = format!("HTTP/1.1 103 Early Hints\r\nX: {}\r\n\r\n", "y".repeat(5000));
    let mut connection = TestConnection {
        takes: 100,
        ..gateway.connection(GET, &[says(&format!("{}{OK}", early.repeat(20)))])
    };
    connection.run();
    assert!(matches!(connection.state(), Status::Waits(_)));
    connection.takes = usize::MAX;
    connection.run();
    assert_eq!(connection.statuses().len(), 21);
    assert!(connection.text().ends_with(OK_SENT));
    // A client that stops reading within an interim response gets no error response behind half of it.
    let mut connection = TestConnection { takes: 100, ..gateway.connection(GET, &[says(&early.repeat(20))]) };
    connection.run().waits();
    assert_eq!((connection.outcome().who, connection.outcome().how), (Who::Client, How::TimedOut));
    assert_eq!(connection.text(), early[..100]);
    // Half of an interim response is sent when the back end sends a malformed one: the error response must
    // not begin within the first.
    let nonsense = format!("{early}nonsense\r\n\r\n");
    let mut connection = TestConnection { takes: 100, ..gateway.connection(GET, &[says(&nonsense)]) };
    connection.run().takes = usize::MAX;
    connection.run();
    let (first, second) = connection.text().split_once("yHTTP").map_or((0, 0), |(a, b)| (a.len(), b.len()));
    assert_eq!((first, second), (0, 0), "the interim response ends with its own empty line");
    assert_eq!(connection.statuses(), [103, 502]);
}

#[test]
fn the_back_end_decides_on_100_continue() {
    let gateway = TestGateway::new(1);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let mut connection = gateway.connection(head, &[says(&format!("{go_on}{OK}"))]);
    connection.backend = None;
    connection.scripts[0].says.truncate(go_on.len());
    connection.run();
    assert_eq!(connection.text(), "HTTP/1.1 100 Continue\r\nVia: 1.1 giliran\r\n\r\n");
    connection.backend.as_mut().unwrap().1.says.extend(OK.as_bytes());
    connection.backend.as_mut().unwrap().1.after = connection.visits[0].got.len() + 5;
    connection.input.extend(b"satu!");
    connection.run();
    assert!(connection.text().ends_with(OK_SENT) && connection.got(0).ends_with("satu!"));
    assert_eq!(connection.state(), gateway.idle());
    // If it refuses, the body may come or not, so no other request can follow.
    let mut connection = gateway.connection(head, &[says("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")]);
    connection.run();
    assert!(connection.text().contains("417 No\r\nContent-Length: 0\r\nConnection: close\r\n"));
    assert_eq!((connection.state(), connection.visits[0].kept), (LINGERS, Some(false)));
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

#[test]
fn an_upgrade_becomes_a_tunnel_and_loses_no_byte() {
    let gateway = TestGateway::new(1);
    let connection = gateway.run_in_all_pieces(UPGRADE, &[says(SWITCHING)]);
    assert_eq!(connection.state(), Status::Tunnel);
    assert!(connection.tunnels, "the driver is told to switch once the 101 is sent");
    assert!(
        connection.text().ends_with("Connection: Upgrade\r\nUpgrade: websocket\r\nVia: 1.1 giliran\r\n\r\n")
    );
    let connection = gateway.run(&format!("{UPGRADE}early"), &[says(&format!("{SWITCHING}words"))]);
    let relay = connection.exchange.into_relay(&gateway.now);
    assert_eq!((relay.backend_output(), relay.client_output()), (&b"early"[..], &b"words"[..]));
    // If the back end does not switch, the connection continues in HTTP.
    let connection = gateway.run_in_all_pieces(&format!("{UPGRADE}{GET}"), &[says(OK), says(OK)]);
    assert_eq!(connection.text(), OK_SENT.repeat(2));
}

#[test]
fn an_upgrade_with_a_body_switches_after_the_body() {
    let gateway = TestGateway::new(1);
    let head = "POST /exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n";
    for (framing, body, passed) in [
        ("Content-Length: 0", "", ""),
        ("Content-Length: 4", "satu", "satu"),
        ("Transfer-Encoding: chunked", "4;a=b\r\nsatu\r\n0\r\nHost: b\r\n\r\n", "4\r\nsatu\r\n0\r\n\r\n"),
    ] {
        let request = format!("{head}{framing}\r\n\r\n{body}");
        let bytes = gateway.forwarded(&request);
        // At the end of the request, and before its body: both are taken at the end.
        for after in [bytes, bytes - passed.len()] {
            let script = says(&format!("{SWITCHING}halo")).after(after);
            for connection in
                gateway.runs_in_all_pieces(&format!("{request}\0\u{ff}GET"), std::slice::from_ref(&script))
            {
                let pieces = connection.pieces;
                assert_eq!(connection.state(), Status::Tunnel, "{framing} after {after} in {pieces:?}");
                assert!(connection.got(0).ends_with(&format!("\r\n\r\n{passed}")), "{}", connection.got(0));
                assert!(connection.text().starts_with("HTTP/1.1 101 "), "{}", connection.text());
            }
        }
    }
    // The rest of the body never comes: the connection does not become a tunnel.
    let short = format!("{head}Content-Length: 9\r\n\r\nsatu");
    for connection in gateway.runs_in_all_pieces(&short, &[says(SWITCHING)]) {
        assert_eq!(
            (connection.state(), connection.text()),
            (Status::Waits(gateway.timeouts.stall), String::new())
        );
    }
}

#[test]
fn a_101_without_a_request_for_it_is_malformed() {
    let gateway = TestGateway::new(1);
    let h2c = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    for input in [GET, h2c] {
        let connection = gateway.run_in_all_pieces(input, &[says(SWITCHING)]);
        assert_eq!((connection.statuses(), connection.state()), (vec![502], gateway.idle()));
    }
}

#[test]
fn an_early_response_ends_the_upload() {
    let gateway = TestGateway::new(1);
    let input =
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n{}", "x".repeat(100_000));
    for script in [says(OK), says(OK).takes(200), says(OK).breaks(200), says(OK).ends()] {
        let mut connection = gateway.connection(&input, &[script]);
        connection.run();
        assert_eq!(connection.text(), OK_LAST);
        assert_eq!(connection.visits[0].kept, Some(false));
        assert_eq!(connection.shut_at, Some(connection.received.len()));
        assert_eq!(connection.state(), LINGERS);
        assert_eq!(connection.waits().state(), Status::Closed);
    }
}

#[test]
fn upload_and_response_may_run_at_the_same_time() {
    let gateway = TestGateway::new(1);
    let body = "x".repeat(200_000);
    let input = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for pieces in [Pieces::Whole, Pieces::Dice(1), Pieces::Dice(2), Pieces::Dice(3)] {
        let mut connection =
            TestConnection { pieces, ..gateway.connection(&input, &[says(&response).after(1000)]) };
        connection.scripts[0].says.truncate(response.len() - 10);
        connection.run();
        assert!(
            connection.got(0).ends_with(&body),
            "the whole upload is sent while the response is not complete"
        );
        connection.backend.as_mut().unwrap().1.says.extend(b"xxxxxxxxxx");
        connection.run();
        assert!(connection.text().ends_with(&body));
        assert!(connection.visits[0].kept.is_some());
    }
}

/// After an early response the rest of a request body must never be read as the next request.
#[test]
fn the_rest_of_a_body_is_never_read_as_a_request() {
    let gateway = TestGateway::new(1);
    let inner = "GET /inner HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", inner.len());
    let input = format!("{head}{inner}{GET}");
    // The back end receives the head and no more; or no back end can be connected.
    let sent = GOT.replace("GET", "POST").len() + "Content-Length: 33\r\n".len();
    let next = says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nnext!");
    for first in
        [says(OK).takes(sent), says(OK).breaks(sent), says("nonsense\r\n\r\n").takes(sent), refuses()]
    {
        for pieces in all_pieces(input.len()) {
            let mut connection =
                TestConnection { pieces, ..gateway.connection(&input, &[first.clone(), next.clone()]) };
            connection.run();
            let others = connection.visits.iter().skip(usize::from(first.accepts));
            assert!(
                others.clone().all(|visit| visit.got == GOT.as_bytes()),
                "{first:?} in {pieces:?}: {others:?}"
            );
            assert!(connection.statuses().len() <= 2);
        }
    }
}

/// The back end got a head without the body that it announces: it would read the first bytes of the next
/// request on that connection as the body.
#[test]
fn a_request_whose_body_was_dropped_is_not_repeated_and_its_connection_not_kept() {
    let gateway = TestGateway::new(2);
    let request = POST.replace("POST", "GET");
    let head = gateway.forwarded(&request) - "satu!".len();
    let connection = gateway.run(&request, &[says("").breaks(head).ends(), says(OK)]);
    assert_eq!((connection.statuses(), connection.visits.len()), (vec![502], 1));
    let connection = gateway.run(&request, &[says(OK).breaks(head)]);
    assert_eq!((connection.text().as_str(), connection.visits[0].kept), (OK_SENT, Some(false)));
    assert_eq!(connection.state(), gateway.idle());
}

#[test]
fn a_fault_in_the_request_ends_a_connect_in_progress() {
    let gateway = TestGateway::new(1);
    let input = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut connection = gateway.connection(input, &[hangs()]);
    connection.run().input.extend(b"zz");
    connection.run();
    assert_eq!(
        (connection.statuses(), connection.visits[0].kept, connection.state()),
        (vec![400], Some(false), LINGERS)
    );
}

#[test]
fn an_error_response_to_a_complete_request_keeps_the_connection_alive() {
    let gateway = TestGateway::new(1);
    for (script, status) in [
        (refuses(), 502),
        (says("").ends(), 502),
        (says("").resets(), 502),
        (says("nonsense\r\n\r\n"), 502),
        (says("HTTP/1.1 200 OK\r\nContent-").ends(), 502),
    ] {
        for request in [GET, POST] {
            let script = script.clone().after(gateway.forwarded(request));
            let connection = gateway.run(&format!("{request}{GET}"), &[script.clone(), says(OK)]);
            assert_eq!(connection.statuses(), [status, 200], "{script:?}");
            assert!(connection.text().contains("\r\nProxy-Status: giliran; error="));
            assert!(connection.text().ends_with(OK_SENT) && connection.state() == gateway.idle());
        }
    }
    // If only half of a request has come, its rest may come or not.
    let half = POST.trim_end_matches("u!");
    let connection = gateway.run(half, &[refuses()]);
    assert_eq!((connection.statuses(), connection.state()), (vec![502], LINGERS));
}

#[test]
fn a_safe_request_is_repeated_once_if_its_back_end_dies() {
    let gateway = TestGateway::new(5);
    let dies = [says("").resets(), says("").ends()].map(|script| script.after(gateway.forwarded(GET)));
    for death in &dies {
        let connection = gateway.run(GET, &[death.clone(), says(OK)]);
        assert_eq!((connection.statuses(), connection.visits.len()), (vec![200], 2));
        let connection = gateway.run(GET, &vec![death.clone(); 5]);
        assert_eq!((connection.statuses(), connection.visits.len()), (vec![502], 2));
        let counted =
            connection.group.backends().iter().map(|backend| backend.failures_reported()).sum::<u64>();
        assert_eq!(counted, 1, "the second failure is not counted against a back end");
        // Refused connects in between do not count.
        let scripts = [death.clone(), refuses(), refuses(), says(OK)];
        assert_eq!(gateway.run(GET, &scripts).statuses(), [200]);
    }
    let death = dies[0].clone().after(gateway.forwarded(POST));
    assert_eq!(gateway.run(POST, &[death, says(OK)]).statuses(), [502]);
}

#[test]
fn a_malformed_response_is_502() {
    let gateway = TestGateway::new(1);
    for nonsense in [
        "ini bukan http\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 999 X\r\n\r\n",
        "HTTP/1.1 099 X\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nsatu",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nsatu",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX z: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\rz\r\n\r\n",
    ] {
        let connection = gateway.run_in_all_pieces(GET, &[says(nonsense)]);
        assert_eq!((connection.statuses(), connection.state()), (vec![502], gateway.idle()), "{nonsense:?}");
        assert_eq!(connection.visits[0].kept, Some(false));
        assert_eq!(connection.group.backends()[0].failures_reported(), 1);
    }
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(10_000));
    assert_eq!(gateway.run(GET, &[says(&endless)]).statuses(), [502]);
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(16_340));
    assert_eq!(gateway.run(GET, &[says(&long)]).statuses(), [502]);
}

#[test]
fn a_response_that_is_cut_short_never_looks_complete() {
    let gateway = TestGateway::new(1);
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsatu",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n0\r\n",
    ] {
        for script in [says(cut).ends(), says(cut).resets()] {
            for connection in gateway.runs_in_all_pieces(&GET.repeat(2), &[script]) {
                assert_eq!(connection.state(), Status::Reset, "{cut:?}");
                assert_eq!(
                    (connection.outcome().who, connection.outcome().phase),
                    (Who::Backend, Phase::ResponseBody)
                );
            }
        }
    }
    let broken = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n+1\r\n";
    let connection = gateway.run(GET, &[says(broken)]);
    assert_eq!((connection.state(), connection.outcome().how), (Status::Reset, How::Malformed));
    assert!(!connection.text().contains('+'));
    // A body that ends with the close, cut short by a reset.
    let connection = gateway.run(GET, &[says("HTTP/1.1 200 OK\r\n\r\nsatu").resets()]);
    assert_eq!(connection.state(), Status::Reset);
}

/// The client sends a malformed body while it gets a response that ends with the close.
#[test]
fn a_response_cut_short_by_a_fault_of_the_client_does_not_look_complete() {
    let gateway = TestGateway::new(1);
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";
    let until_close = "HTTP/1.1 200 OK\r\n\r\nsatu";
    let mut connection = gateway.connection(chunked, &[says(until_close)]);
    connection.run().input.extend(b"zz");
    assert_eq!(connection.run().state(), Status::Reset);
    let mut connection = gateway.connection(chunked, &[says(until_close)]);
    connection.run().ends = true;
    assert_eq!(connection.run().state(), Status::Reset);
    assert!(!connection.got(0).ends_with("0\r\n\r\n"));
}

#[test]
fn a_complete_response_is_sent_whatever_the_client_does() {
    let gateway = TestGateway::new(1);
    let half = POST.trim_end_matches("u!");
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";
    for (input, more) in [(half, ""), (chunked, ""), (chunked, "zz\r\n")] {
        for script in [refuses(), says(OK), says("nonsense\r\n\r\n")] {
            let mut connection = TestConnection { takes: 10, ..gateway.connection(input, &[script]) };
            connection.run().input.extend(more.as_bytes());
            connection.ends = more.is_empty();
            connection.run().takes = usize::MAX;
            connection.run();
            assert_eq!(connection.statuses().len(), 1);
            assert!(
                connection.text().ends_with("satu") || connection.text().ends_with(".\n"),
                "{:?}",
                connection.text()
            );
        }
    }
}

#[test]
fn bytes_behind_a_response_are_dropped() {
    let gateway = TestGateway::new(1);
    let extra = format!("{OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
    for pieces in [Pieces::Whole, Pieces::Dice(1)] {
        let mut connection =
            TestConnection { pieces, ..gateway.connection(&GET.repeat(2), &[says(&extra), says(OK)]) };
        if matches!(pieces, Pieces::Whole) {
            connection.run();
            assert_eq!(connection.text(), OK_SENT.repeat(2));
            assert_eq!(connection.visits[0].kept, Some(false));
        } else {
            assert!(!connection.run().text().contains("poison"));
        }
    }
    let head = GET.replace("GET", "HEAD");
    let connection = gateway.run(&format!("{head}{GET}"), &[says(OK), says(OK)]);
    assert_eq!(connection.text().matches("satu").count(), 1);
    assert_eq!(connection.visits[0].kept, Some(false));
    let connection =
        gateway.run(GET, &[says("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")]);
    assert_eq!((connection.visits[0].kept, connection.state()), (Some(false), gateway.idle()));
}

#[test]
fn a_dead_idle_connection_is_replaced_once_and_for_safe_methods_only() {
    let gateway = TestGateway::new(2);
    for death in [says("").ends(), says("").resets(), says("").breaks(0), says("").breaks(20)] {
        let mut connection =
            gateway.connection(&GET.repeat(3), &[says(OK), says(OK), death.clone(), says(OK)]);
        connection.run();
        // The third request goes to the first back end again, on the connection that has died meanwhile.
        assert_eq!(connection.text(), OK_SENT.repeat(3), "{death:?}");
        assert_eq!(
            connection.visits.iter().map(|visit| visit.reused).collect::<Vec<_>>(),
            [false, false, true, false]
        );
        assert_eq!(connection.got(3), GOT);
        assert_eq!(
            connection.group.backends().iter().map(|backend| backend.failures_reported()).sum::<u64>(),
            0
        );
        // The new connection fails as well, and so do both to the other back end: these failures count.
        let ends = says("").ends();
        let dead = [says(OK), says(OK), death.clone(), ends.clone(), ends.clone(), ends];
        assert_eq!(gateway.run(&GET.repeat(3), &dead).statuses(), [200, 200, 502]);
    }
    // A POST is never sent on an idle connection, so there is no doubt about it.
    let one = TestGateway::new(1);
    let connection = one.run(&format!("{GET}{POST}"), &[says(OK), says("").ends()]);
    assert_eq!((connection.statuses(), connection.visits[1].reused), (vec![200, 502], false));
}

#[test]
fn the_next_candidate_is_tried_if_nothing_was_sent() {
    let gateway = TestGateway::new(3);
    for request in [GET, POST] {
        let scripts = [refuses(), refuses(), says(OK).after(gateway.forwarded(request))];
        assert_eq!(gateway.run_in_all_pieces(request, &scripts).text(), OK_SENT);
        let connection =
            gateway.run(request, &[says("").breaks(0), says(OK).after(gateway.forwarded(request))]);
        assert_eq!(connection.text(), OK_SENT, "nothing was sent yet");
    }
    // Something was sent: the back end may have acted on it.
    assert_eq!(gateway.run(POST, &[says("").breaks(20)]).statuses(), [502]);
    assert_eq!(gateway.run(POST, &[says("").ends()]).statuses(), [502]);
    let connection = gateway.run(GET, &[refuses(), refuses(), refuses()]);
    assert_eq!((connection.statuses(), connection.state()), (vec![502], gateway.idle()));
    assert_eq!(TestGateway::new(0).run(GET, &[]).statuses(), [503]);
}

#[test]
fn all_back_ends_are_tried_until_one_accepts_or_the_time_to_connect_is_spent() {
    let many = TestGateway::new(9);
    for request in [GET, POST] {
        let mut scripts = vec![refuses(); 8];
        scripts.push(says(OK).after(many.forwarded(request)));
        assert_eq!(many.run_in_all_pieces(request, &scripts).text(), OK_SENT);
    }
    assert_eq!(many.run(GET, &vec![refuses(); 9]).statuses(), [502]);
    // Beyond the retries, a connect has what is left of the time for all.
    let scripts = [vec![refuses(); RETRIES + 1], vec![hangs()]].concat();
    let mut connection = many.connection(GET, &scripts);
    assert_eq!(connection.run().state(), Status::Waits(many.timeouts.connect));
    assert_eq!(connection.waits().statuses(), [504], "no time is left for the others");
    // As many retries as ever are made when a connect takes all the time by itself.
    let mut connection = many.connection(GET, &vec![hangs(); RETRIES + 1]);
    connection.run();
    (0..=RETRIES).for_each(|_| _ = connection.waits());
    assert_eq!(connection.statuses(), [504]);
    // Once something was sent they are bounded too: the death of one is no licence to try all.
    let scripts = [vec![refuses(); RETRIES], vec![says("").ends()]].concat();
    assert_eq!(many.run(GET, &scripts).statuses(), [502]);
}

#[test]
fn a_connect_has_a_deadline_and_then_the_next_back_end_is_tried() {
    let gateway = TestGateway::new(2);
    let mut connection = gateway.connection(GET, &[hangs(), says(OK)]);
    assert_eq!(connection.run().state(), Status::Waits(gateway.timeouts.connect));
    assert_eq!(connection.waits().text(), OK_SENT);
    let mut connection = gateway.connection(GET, &[hangs(), hangs()]);
    connection.run().waits().waits();
    assert_eq!((connection.statuses(), connection.state()), (vec![504], gateway.idle()));
    // The failure of the last attempt decides.
    let mut connection = gateway.connection(GET, &[hangs(), refuses()]);
    assert_eq!(connection.run().waits().statuses(), [502]);
}

#[test]
fn a_deadline_in_each_state() {
    let gateway = TestGateway::new(1);
    let times = gateway.timeouts;
    let half = POST.trim_end_matches("u!");
    for (input, scripts, wait, status, state) in [
        ("", vec![], times.header, None, Status::Closed),
        ("GET", vec![], times.header, Some(408), LINGERS),
        (half, vec![says("")], times.stall, Some(408), LINGERS),
        (GET, vec![says("")], times.backend, Some(504), gateway.idle()),
        (GET, vec![says("HTTP/1.1 200")], times.backend, Some(504), gateway.idle()),
        (POST, vec![says("").takes(50)], times.stall, Some(504), gateway.idle()),
        (POST, vec![says("").breaks(gateway.forwarded(POST) - 2)], times.backend, Some(504), gateway.idle()),
        (
            GET,
            vec![says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsatu")],
            times.stall,
            None,
            Status::Reset,
        ),
        (GET, vec![says("HTTP/1.1 200 OK\r\n\r\nsatu")], times.stall, None, Status::Reset),
    ] {
        let mut connection = gateway.connection(input, &scripts);
        assert_eq!(connection.run().state(), Status::Waits(wait), "{input:?} {scripts:?}");
        connection.waits();
        if let Some(status) = status {
            assert_eq!(connection.statuses(), [status], "{input:?} {scripts:?}");
        }
        assert_eq!(connection.state(), state, "{input:?} {scripts:?}");
    }
    // A client that does not read its response, ours or the back end's.
    for script in [says(OK), refuses(), says("HTTP/1.1 200 OK\r\n\r\nsatu").ends()] {
        let mut connection = TestConnection { takes: 10, ..gateway.connection(GET, &[script]) };
        assert_eq!(connection.run().state(), Status::Waits(times.stall));
        assert_eq!(connection.waits().state(), Status::Reset);
        assert_eq!(connection.outcome(), Outcome::new(Who::Client, How::TimedOut, Phase::ResponseBody));
    }
}

#[test]
fn an_error_response_has_a_stall_timeout_of_its_own() {
    let mut gateway = TestGateway::new(1);
    gateway.timeouts.stall = Duration::from_secs(1);
    let half = POST.trim_end_matches("u!");
    for (input, scripts) in [("GET", vec![]), (half, vec![says("")]), (GET, vec![says("")])] {
        let mut connection = TestConnection { takes: 0, ..gateway.connection(input, &scripts) };
        connection.run().waits();
        assert_eq!(connection.state(), Status::Waits(gateway.timeouts.stall), "{input:?}");
        connection.takes = usize::MAX;
        assert_eq!(connection.run().statuses().len(), 1);
    }
}

#[test]
fn the_client_closes_in_each_state() {
    let gateway = TestGateway::new(1);
    let half = POST.trim_end_matches("u!");
    for (input, scripts, sent, phase) in [
        ("", vec![], "", Phase::Idle),
        ("\r\n", vec![], "", Phase::Idle),
        ("GET", vec![], "", Phase::RequestHead),
        (GET, vec![says(OK)], OK_SENT, Phase::Idle),
        (&*GET.repeat(2), vec![says(OK), says(OK)], &*OK_SENT.repeat(2), Phase::Idle),
        (half, vec![says("")], "", Phase::RequestBody),
        (&*format!("{GET}{half}"), vec![says(OK), says("")], OK_SENT, Phase::RequestBody),
    ] {
        for pieces in all_pieces(input.len()) {
            let mut connection = TestConnection { pieces, ends: true, ..gateway.connection(input, &scripts) };
            connection.run();
            assert_eq!(connection.text(), sent, "{input:?} in {pieces:?}");
            assert_eq!(connection.outcome(), Outcome::new(Who::Client, How::Closed, phase), "{input:?}");
            assert_eq!(connection.state(), Status::Closed);
        }
    }
}

/// An unexpected PROXY header, as the fuzzer cut it.
#[test]
fn malformed_heads_behind_empty_lines_are_refused_in_any_pieces() {
    let gateway = TestGateway::new(1);
    let input = "\r\n\r\n\0\r\nQUIT\n!!\0%%";
    for pieces in all_pieces(input.len()) {
        let mut connection = TestConnection { pieces, ends: true, ..gateway.connection(input, &[]) };
        assert_eq!(connection.run().statuses(), [400], "in {pieces:?}");
    }
}

#[test]
fn the_client_is_reset_in_each_state() {
    let gateway = TestGateway::new(1);
    let half = POST.trim_end_matches("u!");
    for (input, scripts, phase) in [
        ("", vec![], Phase::Idle),
        ("GET", vec![], Phase::RequestHead),
        (half, vec![says("")], Phase::RequestBody),
        (GET, vec![says("")], Phase::ResponseHead),
        (GET, vec![hangs()], Phase::ResponseHead),
        (GET, vec![says(OK)], Phase::ResponseBody),
    ] {
        let mut connection = TestConnection { takes: 10, ..gateway.connection(input, &scripts) };
        connection.run().exchange.client_failed();
        assert_eq!(connection.run().outcome(), Outcome::new(Who::Client, How::Reset, phase), "{input:?}");
    }
}

#[test]
fn a_drain_in_each_state() {
    let gateway = TestGateway::new(1);
    let half = POST.trim_end_matches("u!");
    for (input, scripts, rest, sent) in [
        ("", vec![], "", ""),
        ("\r\n", vec![], "", ""),
        (GET, vec![says(OK)], "", OK_SENT),
        ("GET / HTTP/1.1\r\n", vec![says(OK)], "Host: a\r\n\r\n", OK_LAST),
        (half, vec![says(OK).after(gateway.forwarded(POST))], "u!", OK_LAST),
        (&*GET.repeat(2), vec![says(OK).after(1)], "", OK_SENT),
    ] {
        let mut connection = TestConnection { takes: 10, ..gateway.connection(input, &scripts) };
        connection.run().exchange.drain();
        connection.run().input.extend(rest.as_bytes());
        connection.takes = usize::MAX;
        connection.run();
        assert_eq!(connection.text(), sent, "{input:?}");
        // The client may have sent a next request or may send one: a reset could make it lose the response.
        assert_eq!(connection.state(), if sent.is_empty() { Status::Closed } else { LINGERS }, "{input:?}");
    }
}

#[test]
fn the_end_of_a_drain_resets_only_half_sent_responses() {
    let gateway = TestGateway::new(1);
    for (input, takes, state) in [
        ("", usize::MAX, Status::Closed),
        ("GET", usize::MAX, Status::Closed),
        (GET, usize::MAX, Status::Closed),
        (GET, 10, Status::Reset),
        ("GET / HTTP/1.1\r\n\r\n", usize::MAX, Status::Closed),
    ] {
        let mut connection = TestConnection { takes, ..gateway.connection(input, &[says(OK)]) };
        connection.run().exchange.drained();
        assert_eq!(connection.run().state(), state, "{input:?}");
    }
}

#[test]
fn what_cannot_be_forwarded_is_refused_and_the_connection_lingers() {
    let gateway = TestGateway::new(1);
    for (input, status) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), 505),
        (format!("GET /{} HTTP/1.1\r\n", "x".repeat(8200)), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(17_000)), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(16_300)), 431),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".to_owned(), 501),
        ("GET /../x HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n".to_owned(), 501),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
                .to_owned(),
            400,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), 400),
    ] {
        for pieces in [Pieces::Whole, Pieces::Bytes, Pieces::Dice(3)] {
            let mut connection =
                TestConnection { pieces, ..gateway.connection(&format!("{input}{GET}"), &[]) };
            connection.run();
            assert_eq!(connection.statuses(), [status], "{input:.60?}");
            assert!(connection.text().contains("\r\nConnection: close\r\n"));
            assert_eq!(connection.shut_at, Some(connection.received.len()));
            assert_eq!(connection.waits().state(), Status::Closed);
        }
    }
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n";
    for connection in gateway.runs_in_all_pieces(&format!("{GET}{chunked}"), &[says(OK), says("")]) {
        assert_eq!((connection.statuses(), connection.state()), (vec![200, 400], LINGERS));
        // In one piece it is refused before a back end is chosen.
        let got = connection.visits.get(1).map(|visit| String::from_utf8_lossy(&visit.got).into_owned());
        let body = got.and_then(|got| Some(got.split_once("\r\n\r\n")?.1.to_owned()));
        assert!(body.is_none_or(|body| "1\r\na".starts_with(&body)), "the malformed part is not forwarded");
    }
}

/// A reset would come if bytes were left unread at the close, and the client could lose the response.
#[test]
fn who_lingers_reads_and_drops_what_comes_until_the_client_closes() {
    let gateway = TestGateway::new(1);
    let mut connection = gateway.connection("GET / HTTP/1.1\r\n\r\n", &[]);
    assert_eq!(connection.run().state(), LINGERS);
    connection.input.extend(GET.as_bytes());
    assert_eq!(connection.run().state(), LINGERS);
    assert_eq!((connection.sent, connection.statuses()), (connection.input.len(), vec![400]));
    connection.ends = true;
    assert_eq!(connection.run().state(), Status::Closed);
    assert_eq!(connection.outcome(), Outcome::new(Who::Client, How::Malformed, Phase::RequestHead));
}

#[test]
fn without_a_worker_the_response_is_503_and_the_connection_lingers() {
    let gateway = TestGateway::new(1);
    for input in ["", GET] {
        let mut connection = gateway.connection("", &[]);
        connection.exchange.refuse_for_lack_of_workers(&gateway.now);
        connection.input.extend(input.as_bytes());
        connection.run();
        assert_eq!((connection.statuses(), connection.state()), (vec![503], LINGERS));
        connection.ends = true;
        assert_eq!(connection.run().outcome(), Outcome::new(Who::Us, How::Limited, Phase::Queue));
    }
}

#[test]
fn the_back_end_is_released_before_the_next_request() {
    let gateway = TestGateway::new(1);
    // The client reads nothing of the first response: the back end is released anyway.
    let mut connection =
        TestConnection { takes: 0, ..gateway.connection(&GET.repeat(2), &[says(OK), says(OK)]) };
    connection.run();
    assert_eq!((connection.visits.len(), connection.visits[0].kept), (1, Some(true)));
    connection.takes = usize::MAX;
    assert_eq!(connection.run().text(), OK_SENT.repeat(2));
}

/// That a back end accepts connections does not prove that it is healthy: it must be marked as down if it never
/// responds.
#[test]
fn a_back_end_that_accepts_and_never_responds_goes_down() {
    let gateway = TestGateway::new(2);
    let scripts = [vec![says(""), says(OK), says(""), says(OK), says("")], vec![says(OK); 3]].concat();
    let mut gateway =
        TestGateway { timeouts: Timeouts { backend: Duration::from_secs(1), ..gateway.timeouts }, ..gateway };
    gateway.timeouts.keep_alive = Duration::from_secs(60);
    let mut connection = gateway.connection(&GET.repeat(8), &scripts);
    connection.run();
    while connection.statuses().len() < 8 {
        connection.waits();
    }
    assert_eq!(connection.statuses(), [504, 200, 504, 200, 504, 200, 200, 200]);
    let ups: Vec<bool> = connection.group.backends().iter().map(|backend| backend.is_up()).collect();
    assert_eq!(ups, [false, true]);
}

/// An observer that keeps what the access log would say of each exchange.
#[derive(Debug, Default)]
struct Closings(std::sync::Mutex<Vec<String>>);

impl Closings {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Closings {
    fn wants_closings(&self) -> bool {
        true
    }

    fn observe(&self, _connection: &Connection<'_>, event: &Event<'_>) {
        if let Event::Closed(closing) = event {
            let Closing { backend, request, status, queue, connect, first, .. } = closing;
            let Closing { total, bytes_in, bytes_out, retries, outcome, .. } = closing;
            let port = backend.map_or(0, |backend| backend.port());
            let (request, status) = (request.unwrap_or_default(), status.unwrap_or_default());
            self.0.lock().unwrap().push(format!(
                "{request}: {status} of {port}, {queue:?} {connect:?} {first:?} {total:?}, \
                 {bytes_in} in, {bytes_out} out, {retries} retries, {outcome}"
            ));
        }
    }
}

/// A connection to this many back ends, each with room for one connection, and what is logged of it.
fn logged(backends: usize) -> (Exchange, Arc<Group>, Arc<Closings>, Now) {
    let now = start();
    let group = TestGateway { most: 1, ..TestGateway::new(backends) }.group();
    let closings = Arc::new(Closings::default());
    let context = RoleContext::new("test", Arc::clone(&closings) as Arc<dyn Observer>);
    let routes = Routes::new(Arc::clone(&group));
    let gateway = Arc::new(Gateway { context: Arc::new(context), routes, rules: Rules::default() });
    (Exchange::new(gateway, client(), now.instant, &now), group, closings, now)
}

fn from_client(exchange: &mut Exchange, bytes: &str, now: &Now) {
    exchange.client_space()[..bytes.len()].copy_from_slice(bytes.as_bytes());
    exchange.client_received(bytes.len(), now);
}

fn from_backend(exchange: &mut Exchange, bytes: &str, now: &Now) {
    exchange.backend_space()[..bytes.len()].copy_from_slice(bytes.as_bytes());
    exchange.backend_received(bytes.len(), now);
}

fn send_all_to_backend(exchange: &mut Exchange, now: &Now) {
    exchange.backend_sent(exchange.backend_output().concat().len(), now);
}

fn send_all_to_client(exchange: &mut Exchange, now: &Now) {
    exchange.client_sent(exchange.client_output().concat().len(), now);
}

#[test]
fn each_exchange_is_logged_with_its_own_times_and_bytes() {
    let (mut exchange, group, closings, start) = logged(2);
    let at = |seconds| start.after(Duration::from_secs(seconds));
    let waker = || Waker::noop().clone();
    let held = [(); 2].map(|()| group.next(&mut group.turn(), start.instant).unwrap());

    // Two seconds in the queue, one refused connect, and a response in two pieces.
    from_client(&mut exchange, POST, &start);
    assert!(exchange.choose_backend(&at(1), waker).is_none());
    drop(held);
    assert!(exchange.choose_backend(&at(3), waker).is_some());
    exchange.connect_failed(How::Refused, &at(4));
    let second = exchange.choose_backend(&at(5), waker).unwrap().address.port();
    exchange.connected(false, &at(7));
    send_all_to_backend(&mut exchange, &at(8));
    from_backend(&mut exchange, OK.trim_end_matches("tu"), &at(9));
    send_all_to_client(&mut exchange, &at(10));
    from_backend(&mut exchange, "tu", &at(11));
    assert_eq!(closings.take(), [""; 0], "it is not over");
    drop(exchange.release_backend(&at(12)));
    send_all_to_client(&mut exchange, &at(13));
    // The gateway adds the date that the back end left out.
    let date = "Date: Tue, 13 Jul 2021 13:31:13 GMT\r\n";
    let (bytes_in, bytes_out) = (POST.len(), OK_SENT.len() + date.len());
    let line = format!(
        "POST /: 200 of {second}, 2s Some(4s) Some(9s) 13s, {bytes_in} in, {bytes_out} out, 1 retries, finished"
    );
    assert_eq!(closings.take(), [line]);

    // Nothing of the first counts for the second, which nobody accepts.
    from_client(&mut exchange, GET, &at(20));
    for attempt in [21, 23] {
        assert!(exchange.choose_backend(&at(attempt), waker).is_some());
        exchange.connect_failed(How::Refused, &at(attempt + 1));
    }
    assert!(exchange.choose_backend(&at(25), waker).is_none());
    let (bytes_in, bytes_out) = (GET.len(), exchange.client_output().concat().len());
    send_all_to_client(&mut exchange, &at(26));
    let line = format!(
        "GET /: 502 of 0, 0ns None Some(5s) 6s, {bytes_in} in, {bytes_out} out, 2 retries, back end refused in connect"
    );
    assert_eq!(closings.take(), [line]);
    exchange.drained();
    exchange.finish(&at(30));
    assert_eq!(closings.take(), [""; 0], "there is no exchange that could be logged");
}

/// A tunnel is logged when it begins, and an exchange that is cut when it is cut.
#[test]
fn a_tunnel_and_a_cut_exchange_are_logged_once() {
    let waker = || Waker::noop().clone();
    for (input, said, expected) in [
        (UPGRADE, SWITCHING, "GET /: 101 of 9001, "),
        (GET, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsatu", "GET /: 200 of 9001, "),
        ("GET", "", "GET: 0 of 0, "),
    ] {
        let (mut exchange, _, closings, now) = logged(1);
        from_client(&mut exchange, input, &now);
        if !said.is_empty() {
            exchange.choose_backend(&now, waker).unwrap();
            exchange.connected(false, &now);
            send_all_to_backend(&mut exchange, &now);
            from_backend(&mut exchange, said, &now);
            send_all_to_client(&mut exchange, &now);
        }
        if exchange.step() == Step::SwitchProtocols {
            exchange.into_relay(&now);
        } else {
            exchange.client_failed();
            exchange.finish(&now);
        }
        let lines = closings.take();
        assert!(lines.len() == 1 && lines[0].starts_with(expected), "{lines:?}");
    }
}

fn request() -> impl Strategy<Value = (String, bool)> {
    let method = prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "BREW"]);
    let target = prop::sample::select(vec!["/", "/a/b?c", "http://a/", "/%70"]);
    let rest =
        prop::sample::select(vec!["", "X: \u{e9}\r\n", "Connection: x\r\nX: y\r\n", "TE: trailers\r\n"]);
    let body = prop::option::of((any::<bool>(), prop::collection::vec(97u8..123, 0..300)));
    (method, target, rest, body).prop_map(|(method, target, rest, body)| {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{rest}");
        let is_head = method == "HEAD";
        let Some((chunked, body)) = body else { return (format!("{head}\r\n"), is_head) };
        let body = String::from_utf8(body).unwrap();
        let length = body.len();
        let text = match chunked {
            false => format!("{head}Content-Length: {length}\r\n\r\n{body}"),
            true if body.is_empty() => format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            true => {
                format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\nA: b\r\n\r\n")
            }
        };
        (text, is_head)
    })
}

fn response() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        OK,
        "HTTP/1.1 204 No\r\n\r\n",
        "HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n",
        "HTTP/1.1 103 E\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nsatu",
    ])
    .prop_map(str::to_owned)
}

/// Parts of messages in a random order.
fn garbage() -> impl Strategy<Value = String> {
    let words = vec![
        "GET / HTTP/1.1\r\n",
        "Host: a\r\n",
        "\r\n",
        "\r",
        "\n",
        "POST / HTTP/1.1\r\nHost: a\r\n",
        "0\r\n\r\n",
        "Content-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "\0",
        "satu",
        "Connection: close\r\n",
        " ",
        "5\r\nhello\r\n",
        "HTTP/1.0",
        "HTTP/1.1 200 OK\r\n",
        UPGRADE,
        SWITCHING,
        OK,
        GET,
        POST,
        OLD,
        "HTTP/1.1 100 Continue\r\n\r\n",
        "\u{e9}",
        "HTTP/1.1 204 No\r\n",
        "ffffffffffffffff",
    ];
    prop::collection::vec(prop::sample::select(words), 0..30).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_requests_in_any_pieces_get_the_same_responses(
        requests in prop::collection::vec((request(), response()), 1..6), seed: u64,
    ) {
        let gateway = TestGateway::new(1);
        let input: String = requests.iter().map(|((request, _), _)| request.as_str()).collect();
        // Each back end responds once it has the whole request, whatever the pieces.
        let scripts: Vec<_> = requests.iter().map(|((request, is_head), response)| {
            let body_at = response.rfind("\r\n\r\n").map_or(response.len(), |at| at + 4);
            let text = if *is_head && response.starts_with("HTTP/1.1 200 OK") { &response[..body_at] } else { response };
            says(text).after(gateway.forwarded(request))
        }).collect();
        let whole = gateway.run(&input, &scripts);
        for pieces in [Pieces::Bytes, Pieces::Dice(seed)] {
            let mut connection = TestConnection { pieces, ..gateway.connection(&input, &scripts) };
            connection.run();
            prop_assert_eq!(connection.text(), whole.text());
            prop_assert_eq!(connection.state(), whole.state());
            let got = |connection: &TestConnection| connection.visits.iter().map(|visit| visit.got.clone()).collect::<Vec<_>>();
            prop_assert_eq!(got(&connection), got(&whole));
        }
    }

    #[test]
    fn a_connection_with_garbage_on_either_side_comes_to_an_end(
        input in garbage(), responses in prop::collection::vec((garbage(), 0..3, 0..4usize), 40),
        seed: u64, ends: bool, takes in 0usize..300,
    ) {
        let gateway = TestGateway::new(2);
        let scripts: Vec<_> = responses.into_iter().cycle().take(400).map(|(text, then, kind)| {
            let then = [AfterResponse::Holds, AfterResponse::Ends, AfterResponse::Resets][then as usize];
            let script = BackendScript { then, ..says(&text) };
            match kind {
                0 => refuses(),
                1 => script.takes(30),
                2 => script.breaks(130),
                _ => script,
            }
        }).collect();
        let mut connection = TestConnection { pieces: Pieces::Dice(seed), ends, ..gateway.connection(&input, &scripts) };
        connection.takes = if takes < 200 { takes } else { usize::MAX };
        connection.run();
        for _ in 0..400 {
            if matches!(connection.exchange.state, State::Over(_) | State::Tunnel) {
                break;
            }
            connection.waits();
        }
        prop_assert!(matches!(connection.exchange.state, State::Over(_) | State::Tunnel), "{:?}", connection.exchange);
    }
}

/// Where a connection is in the graph of the module's documentation: the client's, and the back end's.
fn place(connection: &TestConnection) -> (&'static str, &'static str) {
    let client = match connection.exchange.state {
        State::Head => "Head",
        State::Exchanging => "Exchanging",
        State::Tunnel => "Tunnel",
        State::Linger(..) => "Linger",
        State::Over(..) => "Over",
    };
    let backend = match connection.exchange.backend {
        BackendConnection::None => "None",
        BackendConnection::Needed { .. } => "Needed",
        BackendConnection::Queued { .. } => "Queued",
        BackendConnection::Connecting { .. } => "Connecting",
        BackendConnection::Connected { .. } => "Connected",
        BackendConnection::Released { .. } => "Released",
    };
    (client, backend)
}

#[test]
fn the_graph_of_the_documentation_is_walked() {
    let mut seen = std::collections::BTreeSet::new();
    let mut is_at = |connection: &TestConnection, client: &'static str, backend: &'static str| {
        assert_eq!(place(connection), (client, backend));
        seen.extend([client, backend]);
    };
    let gateway = TestGateway { most: 1, ..TestGateway::new(2) };
    let group = gateway.group();
    let line = |input: &str| gateway.connection_of(Arc::clone(&group), input, &[]);

    // Head --> Exchanging; Needed --> Connecting, refused --> Needed --> Connecting --> Up --> Released.
    let mut first = line(GET);
    let everything = Interest { read_client: true, read_backend: true, ..Interest::NONE };
    is_at(&first, "Head", "None");
    assert!(first.read_client(&everything));
    is_at(&first, "Exchanging", "Needed");
    let now = first.now;
    let waker = || Waker::noop().clone();
    assert!(first.exchange.choose_backend(&now, waker).is_some());
    is_at(&first, "Exchanging", "Connecting");
    first.exchange.connect_failed(How::Refused, &now);
    is_at(&first, "Exchanging", "Needed");
    assert!(first.exchange.choose_backend(&now, waker).is_some());
    first.exchange.connected(false, &now);
    is_at(&first, "Exchanging", "Connected");

    // All full: Needed --> Queued --called--> Connecting.
    let mut second = line(GET);
    let mut third = line(GET);
    for late in [&mut second, &mut third] {
        assert!(late.read_client(&everything));
        late.exchange.choose_backend(&now, waker);
    }
    is_at(&second, "Exchanging", "Connecting");
    is_at(&third, "Exchanging", "Queued");
    drop(second);
    assert!(third.exchange.choose_backend(&now, waker).is_some());
    is_at(&third, "Exchanging", "Connecting");

    // The response: Body --> Out, and back to Head when the client has it.
    first.exchange.backend_sent(first.exchange.backend_output().concat().len(), &now);
    let (head, body) = OK.split_at(OK.len() - 4);
    for part in [head, body] {
        first.exchange.backend_space()[..part.len()].copy_from_slice(part.as_bytes());
        first.exchange.backend_received(part.len(), &now);
    }
    first.exchange.client_sent(first.exchange.client_output().concat().len(), &now);
    is_at(&first, "Exchanging", "Released");
    assert!(first.exchange.release_backend(&now).keep);
    is_at(&first, "Head", "None");

    // Up, and the idle connection was dead: Needed.
    let mut again =
        TestGateway::new(1).connection(&GET.repeat(2), &[says(OK), says("").ends().after(1), says("")]);
    again.run();
    assert_eq!(again.visits.iter().map(|visit| visit.reused).collect::<Vec<_>>(), [false, true, false]);
    is_at(&again, "Exchanging", "Connected");

    // Refused --> Linger --> Over.
    let mut refused = gateway.connection("GET / HTTP/1.1\r\n\r\n", &[]);
    refused.run();
    is_at(&refused, "Linger", "None");
    is_at(refused.waits(), "Over", "None");

    // 101 --> Tunnel.
    let mut tunnel = gateway.connection(UPGRADE, &[says(SWITCHING)]);
    tunnel.run();
    is_at(&tunnel, "Tunnel", "Connected");

    let drawn = drawn_states(include_str!("mod.rs"));
    // Where nothing is drawn, there is no back end.
    seen.remove("None");
    assert!(seen.is_subset(&drawn), "{seen:?} in {drawn:?}");
}
