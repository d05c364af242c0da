//! Whole connections without a socket: a client in memory, back ends that keep to a script, and a
//! driver between them that does only what is wanted.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::balance::limits::RETRIES;
use crate::protocol::limits::CLIENT_WATCH_AFTER;
use crate::protocol::testing::{Pieces, all_pieces, client, context, start};

/// A gateway with one group of back ends.
struct Bench {
    backends: usize,
    /// So many requests at a time for each; 0 for any number.
    most: usize,
    timeouts: Timeouts,
    now: Now,
}

/// What one connection to a back end does, from the request to its end.
#[derive(Clone, Debug)]
struct Act {
    accepts: bool,
    /// Never accepts and never refuses.
    hangs: bool,
    says: Vec<u8>,
    /// Says it when it has taken so many bytes of the request.
    after: usize,
    then: Then,
    /// Takes so many bytes.
    takes: usize,
    /// And fails then, instead of taking no more.
    breaks: bool,
}

#[derive(Clone, Copy, Debug)]
enum Then {
    Holds,
    Ends,
    Resets,
}

fn says(text: &str) -> Act {
    let (says, takes) = (text.as_bytes().to_vec(), usize::MAX);
    Act { accepts: true, hangs: false, says, after: 0, then: Then::Holds, takes, breaks: false }
}

impl Act {
    fn ends(self) -> Act {
        Act { then: Then::Ends, ..self }
    }

    fn resets(self) -> Act {
        Act { then: Then::Resets, ..self }
    }

    fn after(self, bytes: usize) -> Act {
        Act { after: bytes, ..self }
    }

    fn takes(self, bytes: usize) -> Act {
        Act { takes: bytes, ..self }
    }

    fn breaks(self, bytes: usize) -> Act {
        Act { takes: bytes, breaks: true, ..self }
    }
}

fn refuses() -> Act {
    Act { accepts: false, ..says("") }
}

fn hangs() -> Act {
    Act { hangs: true, ..says("") }
}

impl Bench {
    fn new(backends: usize) -> Bench {
        Bench { backends, most: 0, timeouts: Timeouts::default(), now: start() }
    }

    fn group(&self) -> Arc<Group> {
        let address = |index| SocketAddr::from(([127, 0, 0, 1], 9001 + index as u16));
        Arc::new(Group::limited("test", (0..self.backends).map(address).collect(), self.most))
    }

    fn line(&self, input: &str, acts: &[Act]) -> Line {
        self.line_of(self.group(), input, acts)
    }

    /// A client of a group that others use too.
    fn line_of(&self, group: Arc<Group>, input: &str, acts: &[Act]) -> Line {
        let routes = Routes::new(Arc::clone(&group));
        let context = Arc::new(context(self.timeouts));
        let gateway = Arc::new(Gateway { context, routes, rules: Rules::default() });
        Line {
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
            acts: acts.to_vec().into(),
            backend: None,
            kept: Vec::new(),
            visits: Vec::new(),
            tunnels: false,
            calls: 0,
        }
    }

    fn run(&self, input: &str, acts: &[Act]) -> Line {
        let mut line = self.line(input, acts);
        line.run();
        line
    }

    /// The same in whatever pieces bytes come and go, on both sides.
    fn all_ways(&self, input: &str, acts: &[Act]) -> Line {
        let whole = self.run(input, acts);
        for line in self.each_way(input, acts) {
            let pieces = line.pieces;
            assert_eq!(line.text(), whole.text(), "{input:?} in {pieces:?}");
            assert_eq!(line.state(), whole.state(), "{input:?} in {pieces:?}");
            assert_eq!(line.visits, whole.visits, "{input:?} in {pieces:?}");
        }
        whole
    }

    /// One run for each way to cut, where what was sent before an end may differ.
    fn each_way(&self, input: &str, acts: &[Act]) -> Vec<Line> {
        let length = acts.iter().map(|act| act.says.len()).max().unwrap_or(0).max(input.len());
        let run = |pieces| {
            let mut line = Line { pieces, ..self.line(input, acts) };
            line.run();
            line
        };
        all_pieces(length).into_iter().map(run).collect()
    }

    /// How many bytes a back end gets of this request.
    fn forwarded(&self, request: &str) -> usize {
        self.run(request, &[says("")]).visits[0].got.len()
    }

    fn idle(&self) -> Standing {
        Standing::Waits(self.timeouts.keep_alive)
    }
}

/// A client, its back ends and the driver between them.
struct Line {
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
    acts: VecDeque<Act>,
    backend: Option<(SocketAddr, Act, usize)>,
    kept: Vec<SocketAddr>,
    visits: Vec<Visit>,
    tunnels: bool,
    calls: usize,
}

/// What a back end saw of one connection, or of one request on a kept one.
#[derive(Clone, Debug, PartialEq)]
struct Visit {
    got: Vec<u8>,
    reused: bool,
    /// What became of it; `None` while it lasts, or if all was dropped at once.
    kept: Option<bool>,
}

/// What became of the client's connection.
#[derive(Debug, PartialEq)]
enum Standing {
    Waits(Duration),
    Closed,
    Reset,
    Tunnel,
}

impl Line {
    fn run(&mut self) -> &mut Line {
        loop {
            self.calls += 1;
            assert!(self.calls < 1_000_000, "it goes round and round: {:?}", self.exchange);
            self.exchange.expired(&self.now);
            let (step, interest) = (self.exchange.step(), self.exchange.interest());
            let waits = step == Step::Transfer && interest == Interest::NONE;
            assert!(
                !waits || self.exchange.deadline().is_some(),
                "nobody would wake it: {:?}",
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
                    let (address, ..) = self.backend.take().expect("a back end to let go");
                    self.visits.last_mut().unwrap().kept = Some(kept);
                    self.kept.extend(kept.then_some(address));
                }
                Step::Connect => self.connect(),
                Step::ShutClient => {
                    self.shut_at = Some(self.received.len());
                    self.exchange.client_shut();
                }
                // One move a time: what comes next may be another thing.
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
        // A back end that was there before and is no more: the driver drops it when it connects anew.
        self.backend = None;
        let Some(choice) = self.exchange.choose_backend(&self.now, || Waker::noop().clone()) else { return };
        let act = self.acts.pop_front().expect("a connection that the script knows of");
        if !act.accepts {
            return self.exchange.connect_failed(How::Refused, &self.now);
        }
        let place = self.kept.iter().position(|kept| choice.may_reuse && *kept == choice.address);
        let reused = place.map(|place| self.kept.remove(place)).is_some();
        self.visits.push(Visit { got: Vec::new(), reused, kept: None });
        if !act.hangs {
            self.exchange.connected(reused, &self.now);
        }
        self.backend = Some((choice.address, act, 0));
    }

    fn write_backend(&mut self, interest: &Interest) -> bool {
        let Some((_, act, _)) = &self.backend else { return false };
        let visit = self.visits.last_mut().unwrap();
        if !interest.write_backend || act.hangs {
            return false;
        }
        let bytes = self.exchange.backend_output().concat();
        assert!(!bytes.is_empty(), "a write of nothing");
        let room = act.takes - visit.got.len();
        if room == 0 {
            if act.breaks {
                self.exchange.backend_send_failed(How::Reset, &self.now);
            }
            return act.breaks;
        }
        let count = self.pieces.next(visit.got.len(), bytes.len().min(room));
        visit.got.extend(&bytes[..count]);
        self.exchange.backend_sent(count, &self.now);
        true
    }

    fn read_backend(&mut self, interest: &Interest) -> bool {
        let Some((_, act, said)) = &mut self.backend else { return false };
        if !interest.read_backend || act.hangs || self.visits.last().unwrap().got.len() < act.after {
            return false;
        }
        let space = self.exchange.backend_space();
        assert!(!space.is_empty(), "a read into no room looks like the end of the stream");
        let rest = &act.says[*said..];
        match (rest.is_empty(), act.then) {
            (true, Then::Holds) => {
                self.exchange.nothing_from_backend();
                return false;
            }
            (true, Then::Ends) => self.exchange.backend_received(0, &self.now),
            (true, Then::Resets) => self.exchange.backend_failed(How::Reset, &self.now),
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
        assert!(!space.is_empty(), "a read into no room looks like the end of the stream");
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
        assert!(!bytes.is_empty(), "a write of nothing");
        let count = self.pieces.next(self.received.len(), bytes.len().min(room));
        self.received.extend(&bytes[..count]);
        self.exchange.client_sent(count, &self.now);
        true
    }

    /// Lets the time pass up to the deadline, and serves on. That the client is worth a look is none.
    fn waits(&mut self) -> &mut Line {
        if matches!(self.exchange.link, Link::Up { .. })
            && !self.exchange.watches
            && self.exchange.awaits_response()
        {
            self.now = self.now.after(self.exchange.deadline().unwrap() - self.now.instant);
            self.run();
        }
        let deadline = self.exchange.deadline().expect("it waits");
        let wait = deadline.saturating_duration_since(self.now.instant);
        self.now = self.now.after(wait);
        self.run()
    }

    fn state(&self) -> Standing {
        match self.exchange.state {
            State::Tunnel => Standing::Tunnel,
            State::Over(_) if self.exchange.was_cut() => Standing::Reset,
            State::Over(_) => Standing::Closed,
            _ => {
                let is_up = matches!(self.exchange.link, Link::Up { .. });
                let deadline = match is_up && self.exchange.awaits_response() {
                    // That the client is worth a look before is a matter of its own.
                    true => self.exchange.response_due(),
                    false => self.exchange.deadline().expect("it waits"),
                };
                Standing::Waits(deadline.saturating_duration_since(self.now.instant))
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
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
/// What a client makes of [`OK`], and of [`OK`] if its connection ends with it.
const OK_SENT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nVia: 1.1 giliran\r\n\r\nsatu";
const OK_LAST: &str =
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\nVia: 1.1 giliran\r\n\r\nsatu";
/// How long a client is listened to in vain.
const LINGERS: Standing = Standing::Waits(crate::protocol::limits::LINGER_TIMEOUT);

#[test]
fn requests_take_turns_on_a_kept_connection() {
    let bench = Bench::new(1);
    let line = bench.all_ways(&GET.repeat(3), &[says(OK), says(OK), says(OK)]);
    assert_eq!(line.text(), OK_SENT.repeat(3));
    assert_eq!(line.state(), bench.idle());
    let reused: Vec<_> =
        line.visits.iter().map(|visit| (visit.got.clone(), visit.reused, visit.kept)).collect();
    assert_eq!(reused, [false, true, true].map(|reused| (GOT.as_bytes().to_vec(), reused, Some(true))));
}

#[test]
fn requests_with_bodies_are_forwarded_whole_and_on_fresh_connections() {
    let bench = Bench::new(1);
    let chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = "3;x=y\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n";
    let input = format!("{POST}{chunks}{body}{GET}");
    let first = says(OK).after(bench.forwarded(POST));
    let second = says(OK).after(bench.forwarded(&format!("{chunks}{body}")));
    let line = bench.all_ways(&input, &[first, second, says(OK)]);
    assert_eq!(line.text(), OK_SENT.repeat(3));
    assert!(line.got(0).contains("Content-Length: 5\r\n") && line.got(0).ends_with("\r\n\r\nsatu!"));
    assert!(line.got(1).contains("Transfer-Encoding: chunked\r\n"));
    assert!(line.got(1).ends_with(&format!("\r\n\r\n{body}")));
    assert_eq!(line.visits.iter().map(|visit| visit.reused).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn answers_of_every_framing_arrive_whole() {
    let bench = Bench::new(1);
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n1;x=y\r\n!\r\n0\r\nX: y\r\n\r\n";
    let line = bench.all_ways(&GET.repeat(2), &[says(chunked), says(OK)]);
    let chunked_sent = chunked.replacen("chunked\r\n", "chunked\r\nVia: 1.1 giliran\r\n", 1);
    assert_eq!(line.text(), format!("{chunked_sent}{OK_SENT}"));
    assert_eq!(line.visits[0].kept, Some(true));

    let line = bench.all_ways(GET, &[says("HTTP/1.1 200 OK\r\n\r\nsatu").ends()]);
    let sent = "HTTP/1.1 200 OK\r\nConnection: close\r\nVia: 1.1 giliran\r\n\r\nsatu";
    assert_eq!((line.text().as_str(), line.visits[0].kept), (sent, Some(false)));

    for bodiless in ["204 No Content", "304 Not Modified"] {
        let says = [says(&format!("HTTP/1.1 {bodiless}\r\nETag: \"a\"\r\n\r\n")), says(OK)];
        let line = bench.all_ways(&GET.repeat(2), &says);
        assert!(line.text().ends_with(&format!("ETag: \"a\"\r\nVia: 1.1 giliran\r\n\r\n{OK_SENT}")));
        assert_eq!(line.visits[0].kept, Some(true));
    }
    let head = GET.replace("GET", "HEAD");
    let line = bench.all_ways(&format!("{head}{GET}"), &[says(OK.trim_end_matches("satu")), says(OK)]);
    assert_eq!(line.text(), format!("{}{OK_SENT}", OK_SENT.trim_end_matches("satu")));
}

#[test]
fn an_older_client_gets_no_chunks() {
    let bench = Bench::new(1);
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n";
    for input in [OLD, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"] {
        let line = bench.all_ways(input, &[says(chunked)]);
        assert_eq!(line.text(), "HTTP/1.1 200 OK\r\nConnection: close\r\nVia: 1.1 giliran\r\n\r\nsatu!");
        assert_eq!(line.visits[0].kept, Some(true));
        // A body of which the end is told by the close alone must not end in an orderly one.
        let cut = says(chunked.trim_end_matches("0\r\nX: y\r\n\r\n")).ends();
        assert!(bench.each_way(input, &[cut]).iter().all(|line| line.state() == Standing::Reset));
    }
    let line = bench.all_ways(&OLD.replace("\r\n\r\n", "\r\nConnection: keep-alive\r\n\r\n"), &[says(OK)]);
    assert!(line.text().contains("Connection: keep-alive\r\n"));
    assert_eq!(line.state(), bench.idle());
}

#[test]
fn interim_answers_come_first() {
    let bench = Bench::new(1);
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let input = format!("{GET}{GET}");
    let line = bench.all_ways(&input, &[says(&format!("{early}{early}{OK}")), says(OK)]);
    let early = early.replace("</a>\r\n", "</a>\r\nVia: 1.1 giliran\r\n");
    assert_eq!(line.text(), format!("{early}{early}{OK_SENT}{OK_SENT}"));
    assert_eq!(line.visits[0].kept, Some(true));
    let line = bench.all_ways(OLD, &[says(&format!("HTTP/1.1 100 Continue\r\n\r\n{OK}"))]);
    assert_eq!(line.text(), OK_LAST);
}

#[test]
fn trailers_pass_unless_they_count_in_a_head_only() {
    let bench = Bench::new(1);
    let body = |trailers: &str| format!("4\r\nsatu\r\n0\r\n{trailers}\r\n");
    let bad = "X-Forwarded-For: 6.6.6.6\r\ncontent-length: 9\r\nHost: b\r\nCookie: a=b\r\n";
    let mixed = body(&format!("X-Satu: 1\r\n{bad}X-Dua: 2\r\n"));
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n";
    let answer_head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
    for (connection, passed) in [("", "X-Satu: 1\r\nX-Dua: 2\r\n"), ("Connection: X-Satu\r\n", "")] {
        let input = format!("{head}{connection}\r\n{mixed}");
        let forwarded = bench.forwarded(&input);
        let response = says(&format!("{answer_head}{connection}\r\n{mixed}")).after(forwarded);
        let line = bench.all_ways(&format!("{input}{GET}"), &[response, says(OK)]);
        assert!(line.got(0).ends_with(&format!("\r\n\r\n{}", body(passed))), "{}", line.got(0));
        let sent = format!("Via: 1.1 giliran\r\n\r\n{}{OK_SENT}", body(passed));
        assert!(line.text().ends_with(&sent), "{}", line.text());
    }
}

#[test]
fn a_head_of_an_answer_has_one_deadline_however_it_drips() {
    let bench = Bench::new(1);
    let backend = bench.timeouts.backend;
    let mut line = bench.line(GET, &[says("HTTP/1.1 103 A\r\n\r\nHTTP/1.1 200 OK\r\nX: y")]);
    line.run();
    assert_eq!(line.state(), Standing::Waits(backend));
    for byte in 1..10 {
        line.now = line.now.after(backend / 10);
        line.exchange.backend_space()[0] = b'y';
        line.exchange.backend_received(1, &line.now);
        line.run();
        assert_eq!(line.state(), Standing::Waits(backend - byte * (backend / 10)), "{byte}");
    }
    line.waits();
    assert_eq!(line.statuses(), [103, 504]);
    // An interim answer starts it anew: the back end says that it is at work.
    let mut line = bench.line(GET, &[says("")]);
    line.run();
    line.now = line.now.after(backend / 2);
    let early = b"HTTP/1.1 103 A\r\n\r\n";
    line.exchange.backend_space()[..early.len()].copy_from_slice(early);
    line.exchange.backend_received(early.len(), &line.now);
    assert_eq!(line.run().state(), Standing::Waits(backend));
}

#[test]
fn a_request_that_finds_all_full_waits_for_its_turn() {
    let bench = Bench { most: 1, ..Bench::new(1) };
    let group = bench.group();
    let line = |input, acts: &[Act]| bench.line_of(Arc::clone(&group), input, acts);
    let mut first = line(GET, &[says("")]);
    let [mut second, mut third] = [(); 2].map(|()| line(GET, &[says(OK)]));
    first.run();
    for late in [&mut second, &mut third] {
        assert_eq!(late.run().state(), Standing::Waits(bench.timeouts.connect));
        assert_eq!(late.exchange.step(), Step::Queue);
        assert!(late.exchange.interest().watch_client);
    }
    // The answer comes to the first: its place is free as soon as the answer is whole.
    first.backend.as_mut().unwrap().1.says = OK.into();
    assert_eq!(first.run().text(), OK_SENT);
    assert_eq!((second.exchange.step(), third.exchange.step()), (Step::Connect, Step::Queue));
    assert_eq!((second.run().text().as_str(), third.run().text().as_str()), (OK_SENT, OK_SENT));
    assert_eq!(group.backends()[0].active(), 0);
}

#[test]
fn a_place_is_free_when_the_connection_is_closed_and_not_before() {
    let bench = Bench { most: 1, ..Bench::new(1) };
    let group = bench.group();
    let mut line = bench.line_of(Arc::clone(&group), GET, &[says("nonsense\r\n\r\n")]);
    line.run();
    assert_eq!(line.statuses(), [502]);
    assert_eq!(group.backends()[0].active(), 0);
    let mut line = bench.line_of(Arc::clone(&group), GET, &[says("")]);
    line.run();
    line.exchange.client_failed();
    line.run();
    assert_eq!(group.backends()[0].active(), 1, "the driver drops its sockets first");
    drop(line);
    assert_eq!(group.backends()[0].active(), 0);
}

#[test]
fn who_waits_too_long_or_leaves_makes_room_in_the_queue() {
    let bench = Bench { most: 1, ..Bench::new(1) };
    let group = bench.group();
    let mut held = bench.line_of(Arc::clone(&group), GET, &[says("")]);
    held.run();
    let mut late = bench.line_of(Arc::clone(&group), &GET.repeat(2), &[]);
    assert_eq!(late.run().waits().statuses(), [503, 0][..1]);
    assert!(late.text().contains("Proxy-Status: giliran; error=connection_limit_reached"), "{}", late.text());
    assert_eq!(late.state(), Standing::Waits(bench.timeouts.connect), "the next request waits in its turn");
    assert_eq!(group.waiting(), 1);
    late.exchange.client_failed();
    assert_eq!(late.run().outcome().to_string(), "client reset in queue");
    drop(late);
    assert_eq!(group.waiting(), 0);
}

#[test]
fn when_all_are_out_those_who_wait_are_told_at_once() {
    let bench = Bench { most: 1, ..Bench::new(1) };
    let group = bench.group();
    let mut held = bench.line_of(Arc::clone(&group), GET, &[says("")]);
    held.run();
    let mut late = bench.line_of(Arc::clone(&group), GET, &[]);
    late.run();
    group.check_failed(&group.backends()[0]);
    assert_eq!(late.run().statuses(), [503]);
    assert!(late.text().contains("error=destination_unavailable"), "{}", late.text());
}

#[test]
fn a_client_is_watched_while_its_answer_takes_long() {
    let bench = Bench::new(1);
    let mut line = bench.line(GET, &[says("")]);
    line.run();
    assert!(!line.exchange.interest().watch_client);
    assert_eq!(line.exchange.deadline(), Some(line.now.instant + CLIENT_WATCH_AFTER));
    line.now = line.now.after(CLIENT_WATCH_AFTER);
    line.run();
    assert!(line.exchange.interest().watch_client);
    assert_eq!(line.state(), Standing::Waits(bench.timeouts.backend - CLIENT_WATCH_AFTER));
    line.exchange.client_failed();
    assert_eq!(line.run().outcome().to_string(), "client reset before answer head");
}

#[test]
fn interim_answers_without_end_wait_for_the_client() {
    let bench = Bench::new(1);
    let early = format!("HTTP/1.1 103 Early Hints\r\nX: {}\r\n\r\n", "y".repeat(5000));
    let mut line = Line { takes: 100, ..bench.line(GET, &[says(&format!("{}{OK}", early.repeat(20)))]) };
    line.run();
    assert!(matches!(line.state(), Standing::Waits(_)));
    line.takes = usize::MAX;
    line.run();
    assert_eq!(line.statuses().len(), 21);
    assert!(line.text().ends_with(OK_SENT));
    // A client that takes none of them is told nothing that would not fit behind what it was sent.
    let mut line = Line { takes: 100, ..bench.line(GET, &[says(&early.repeat(20))]) };
    line.run().waits();
    assert_eq!((line.outcome().who, line.outcome().how), (Who::Client, How::TimedOut));
    assert_eq!(line.text(), early[..100]);
    // Half of one is out when the back end goes on with nonsense: no answer begins within another.
    let nonsense = format!("{early}nonsense\r\n\r\n");
    let mut line = Line { takes: 100, ..bench.line(GET, &[says(&nonsense)]) };
    line.run().takes = usize::MAX;
    line.run();
    let (first, second) = line.text().split_once("yHTTP").map_or((0, 0), |(a, b)| (a.len(), b.len()));
    assert_eq!((first, second), (0, 0), "the interim answer ends with its own empty line");
    assert_eq!(line.statuses(), [103, 502]);
}

#[test]
fn continue_is_asked_of_the_back_end() {
    let bench = Bench::new(1);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let mut line = bench.line(head, &[says(&format!("{go_on}{OK}"))]);
    line.backend = None;
    line.acts[0].says.truncate(go_on.len());
    line.run();
    assert_eq!(line.text(), "HTTP/1.1 100 Continue\r\nVia: 1.1 giliran\r\n\r\n");
    line.backend.as_mut().unwrap().1.says.extend(OK.as_bytes());
    line.backend.as_mut().unwrap().1.after = line.visits[0].got.len() + 5;
    line.input.extend(b"satu!");
    line.run();
    assert!(line.text().ends_with(OK_SENT) && line.got(0).ends_with("satu!"));
    assert_eq!(line.state(), bench.idle());
    // Refused instead: the body may come or not, so nothing else can follow.
    let mut line = bench.line(head, &[says("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")]);
    line.run();
    assert!(line.text().contains("417 No\r\nContent-Length: 0\r\nConnection: close\r\n"));
    assert_eq!((line.state(), line.visits[0].kept), (LINGERS, Some(false)));
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

#[test]
fn an_upgrade_becomes_a_tunnel_and_loses_no_byte() {
    let bench = Bench::new(1);
    let line = bench.all_ways(UPGRADE, &[says(SWITCHING)]);
    assert_eq!(line.state(), Standing::Tunnel);
    assert!(line.text().ends_with("Connection: Upgrade\r\nUpgrade: websocket\r\nVia: 1.1 giliran\r\n\r\n"));
    let line = bench.run(&format!("{UPGRADE}early"), &[says(&format!("{SWITCHING}words"))]);
    let relay = line.exchange.into_relay(&bench.now);
    assert_eq!((relay.backend_output(), relay.client_output()), (&b"early"[..], &b"words"[..]));
    // Refused, the connection goes on in HTTP.
    let line = bench.all_ways(&format!("{UPGRADE}{GET}"), &[says(OK), says(OK)]);
    assert_eq!(line.text(), OK_SENT.repeat(2));
}

#[test]
fn a_switch_that_nobody_asked_for_is_nonsense() {
    let bench = Bench::new(1);
    let h2c = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    for input in [GET, h2c] {
        let line = bench.all_ways(input, &[says(SWITCHING)]);
        assert_eq!((line.statuses(), line.state()), (vec![502], bench.idle()));
    }
}

#[test]
fn an_early_answer_ends_the_upload() {
    let bench = Bench::new(1);
    let input =
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n{}", "x".repeat(100_000));
    for act in [says(OK), says(OK).takes(200), says(OK).breaks(200), says(OK).ends()] {
        let mut line = bench.line(&input, &[act]);
        line.run();
        assert_eq!(line.text(), OK_LAST);
        assert_eq!(line.visits[0].kept, Some(false));
        assert_eq!(line.shut_at, Some(line.received.len()));
        assert_eq!(line.state(), LINGERS);
        assert_eq!(line.waits().state(), Standing::Closed);
    }
}

#[test]
fn upload_and_answer_may_run_at_the_same_time() {
    let bench = Bench::new(1);
    let body = "x".repeat(200_000);
    let input = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for pieces in [Pieces::Whole, Pieces::Dice(1), Pieces::Dice(2), Pieces::Dice(3)] {
        let mut line = Line { pieces, ..bench.line(&input, &[says(&response).after(1000)]) };
        line.acts[0].says.truncate(response.len() - 10);
        line.run();
        assert!(line.got(0).ends_with(&body), "all of the upload, while the answer is not over");
        line.backend.as_mut().unwrap().1.says.extend(b"xxxxxxxxxx");
        line.run();
        assert!(line.text().ends_with(&body));
        assert!(line.visits[0].kept.is_some());
    }
}

/// The worst that an early answer can do: the rest of a body must never be taken for a request.
#[test]
fn what_is_left_of_a_body_is_never_a_request() {
    let bench = Bench::new(1);
    let inner = "GET /inner HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", inner.len());
    let input = format!("{head}{inner}{GET}");
    // The back end takes the head and no more; or can be connected in no way.
    let sent = GOT.replace("GET", "POST").len() + "Content-Length: 33\r\n".len();
    let next = says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nnext!");
    for first in
        [says(OK).takes(sent), says(OK).breaks(sent), says("nonsense\r\n\r\n").takes(sent), refuses()]
    {
        for pieces in all_pieces(input.len()) {
            let mut line = Line { pieces, ..bench.line(&input, &[first.clone(), next.clone()]) };
            line.run();
            let others = line.visits.iter().skip(usize::from(first.accepts));
            assert!(
                others.clone().all(|visit| visit.got == GOT.as_bytes()),
                "{first:?} in {pieces:?}: {others:?}"
            );
            assert!(line.statuses().len() <= 2);
        }
    }
}

/// A head without the body that it announces: the next request on that connection would lose its first bytes.
#[test]
fn a_request_of_which_the_body_was_dropped_is_neither_repeated_nor_kept() {
    let bench = Bench::new(2);
    let request = POST.replace("POST", "GET");
    let head = bench.forwarded(&request) - "satu!".len();
    let line = bench.run(&request, &[says("").breaks(head).ends(), says(OK)]);
    assert_eq!((line.statuses(), line.visits.len()), (vec![502], 1));
    let line = bench.run(&request, &[says(OK).breaks(head)]);
    assert_eq!((line.text().as_str(), line.visits[0].kept), (OK_SENT, Some(false)));
    assert_eq!(line.state(), bench.idle());
}

#[test]
fn a_fault_of_the_client_ends_a_connect_under_way() {
    let bench = Bench::new(1);
    let input = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut line = bench.line(input, &[hangs()]);
    line.run().input.extend(b"zz");
    line.run();
    assert_eq!((line.statuses(), line.visits[0].kept, line.state()), (vec![400], Some(false), LINGERS));
}

#[test]
fn an_error_answer_keeps_the_connection_of_a_whole_request() {
    let bench = Bench::new(1);
    for (act, status) in [
        (refuses(), 502),
        (says("").ends(), 502),
        (says("").resets(), 502),
        (says("nonsense\r\n\r\n"), 502),
        (says("HTTP/1.1 200 OK\r\nContent-").ends(), 502),
    ] {
        for request in [GET, POST] {
            let act = act.clone().after(bench.forwarded(request));
            let line = bench.run(&format!("{request}{GET}"), &[act.clone(), says(OK)]);
            assert_eq!(line.statuses(), [status, 200], "{act:?}");
            assert!(line.text().contains("\r\nProxy-Status: giliran; error="));
            assert!(line.text().ends_with(OK_SENT) && line.state() == bench.idle());
        }
    }
    // Of half a request the rest may come or not.
    let half = POST.trim_end_matches("u!");
    let line = bench.run(half, &[refuses()]);
    assert_eq!((line.statuses(), line.state()), (vec![502], LINGERS));
}

#[test]
fn a_safe_request_that_its_back_end_dies_of_is_sent_to_one_other_and_no_further() {
    let bench = Bench::new(5);
    let dies = [says("").resets(), says("").ends()].map(|act| act.after(bench.forwarded(GET)));
    for death in &dies {
        let line = bench.run(GET, &[death.clone(), says(OK)]);
        assert_eq!((line.statuses(), line.visits.len()), (vec![200], 2));
        let line = bench.run(GET, &vec![death.clone(); 5]);
        assert_eq!((line.statuses(), line.visits.len()), (vec![502], 2));
        let counted = line.group.backends().iter().map(|backend| backend.failures_reported()).sum::<u64>();
        assert_eq!(counted, 1, "the second death is the request's doing");
        // Refusals in between are no deaths.
        let acts = [death.clone(), refuses(), refuses(), says(OK)];
        assert_eq!(bench.run(GET, &acts).statuses(), [200]);
    }
    let death = dies[0].clone().after(bench.forwarded(POST));
    assert_eq!(bench.run(POST, &[death, says(OK)]).statuses(), [502]);
}

#[test]
fn nonsense_is_502() {
    let bench = Bench::new(1);
    for nonsense in [
        "ini bukan http\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 999 X\r\n\r\n",
        "HTTP/1.1 099 X\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nsatu",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nsatu",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\rz\r\n\r\n",
    ] {
        let line = bench.all_ways(GET, &[says(nonsense)]);
        assert_eq!((line.statuses(), line.state()), (vec![502], bench.idle()), "{nonsense:?}");
        assert_eq!(line.visits[0].kept, Some(false));
        assert_eq!(line.group.backends()[0].failures_reported(), 1);
    }
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(10_000));
    assert_eq!(bench.run(GET, &[says(&endless)]).statuses(), [502]);
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(16_340));
    assert_eq!(bench.run(GET, &[says(&long)]).statuses(), [502]);
}

#[test]
fn a_cut_answer_never_looks_complete() {
    let bench = Bench::new(1);
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsatu",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n0\r\n",
    ] {
        for act in [says(cut).ends(), says(cut).resets()] {
            for line in bench.each_way(&GET.repeat(2), &[act]) {
                assert_eq!(line.state(), Standing::Reset, "{cut:?}");
                assert_eq!((line.outcome().who, line.outcome().phase), (Who::Backend, Phase::ResponseBody));
            }
        }
    }
    let broken = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n+1\r\n";
    let line = bench.run(GET, &[says(broken)]);
    assert_eq!((line.state(), line.outcome().how), (Standing::Reset, How::Malformed));
    assert!(!line.text().contains('+'));
    // A body until the close, cut by a reset.
    let line = bench.run(GET, &[says("HTTP/1.1 200 OK\r\n\r\nsatu").resets()]);
    assert_eq!(line.state(), Standing::Reset);
}

/// The client itself spoils the request while an answer until the close is on its way.
#[test]
fn an_answer_cut_by_its_client_does_not_look_complete_either() {
    let bench = Bench::new(1);
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";
    let until_close = "HTTP/1.1 200 OK\r\n\r\nsatu";
    let mut line = bench.line(chunked, &[says(until_close)]);
    line.run().input.extend(b"zz");
    assert_eq!(line.run().state(), Standing::Reset);
    let mut line = bench.line(chunked, &[says(until_close)]);
    line.run().ends = true;
    assert_eq!(line.run().state(), Standing::Reset);
    assert!(!line.got(0).ends_with("0\r\n\r\n"));
}

#[test]
fn an_answer_that_is_all_here_gets_out_whatever_the_client_does() {
    let bench = Bench::new(1);
    let half = POST.trim_end_matches("u!");
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";
    for (input, more) in [(half, ""), (chunked, ""), (chunked, "zz\r\n")] {
        for act in [refuses(), says(OK), says("nonsense\r\n\r\n")] {
            let mut line = Line { takes: 10, ..bench.line(input, &[act]) };
            line.run().input.extend(more.as_bytes());
            line.ends = more.is_empty();
            line.run().takes = usize::MAX;
            line.run();
            assert_eq!(line.statuses().len(), 1);
            assert!(line.text().ends_with("satu") || line.text().ends_with(".\n"), "{:?}", line.text());
        }
    }
}

#[test]
fn bytes_beyond_the_answer_belong_to_nobody() {
    let bench = Bench::new(1);
    let extra = format!("{OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
    for pieces in [Pieces::Whole, Pieces::Dice(1)] {
        let mut line = Line { pieces, ..bench.line(&GET.repeat(2), &[says(&extra), says(OK)]) };
        if matches!(pieces, Pieces::Whole) {
            line.run();
            assert_eq!(line.text(), OK_SENT.repeat(2));
            assert_eq!(line.visits[0].kept, Some(false));
        } else {
            assert!(!line.run().text().contains("poison"));
        }
    }
    let head = GET.replace("GET", "HEAD");
    let line = bench.run(&format!("{head}{GET}"), &[says(OK), says(OK)]);
    assert_eq!(line.text().matches("satu").count(), 1);
    assert_eq!(line.visits[0].kept, Some(false));
    let line = bench.run(GET, &[says("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")]);
    assert_eq!((line.visits[0].kept, line.state()), (Some(false), bench.idle()));
}

#[test]
fn a_kept_connection_that_died_is_replaced_once_and_for_safe_methods_only() {
    let bench = Bench::new(2);
    for death in [says("").ends(), says("").resets(), says("").breaks(0), says("").breaks(20)] {
        let mut line = bench.line(&GET.repeat(3), &[says(OK), says(OK), death.clone(), says(OK)]);
        line.run();
        // The third request comes to the first back end again, on the connection that died meanwhile.
        assert_eq!(line.text(), OK_SENT.repeat(3), "{death:?}");
        assert_eq!(
            line.visits.iter().map(|visit| visit.reused).collect::<Vec<_>>(),
            [false, false, true, false]
        );
        assert_eq!(line.got(3), GOT);
        assert_eq!(line.group.backends().iter().map(|backend| backend.failures_reported()).sum::<u64>(), 0);
        // The fresh one dies as well, and so do both of the other back end: that is their fault.
        let ends = says("").ends();
        let dead = [says(OK), says(OK), death.clone(), ends.clone(), ends.clone(), ends];
        assert_eq!(bench.run(&GET.repeat(3), &dead).statuses(), [200, 200, 502]);
    }
    // A POST is never sent on a kept connection, so it is never in doubt.
    let one = Bench::new(1);
    let line = one.run(&format!("{GET}{POST}"), &[says(OK), says("").ends()]);
    assert_eq!((line.statuses(), line.visits[1].reused), (vec![200, 502], false));
}

#[test]
fn the_next_candidate_is_tried_while_nothing_was_sent() {
    let bench = Bench::new(3);
    for request in [GET, POST] {
        let acts = [refuses(), refuses(), says(OK).after(bench.forwarded(request))];
        assert_eq!(bench.all_ways(request, &acts).text(), OK_SENT);
        let line = bench.run(request, &[says("").breaks(0), says(OK).after(bench.forwarded(request))]);
        assert_eq!(line.text(), OK_SENT, "nothing was sent yet");
    }
    // Something was sent: nobody knows what became of it.
    assert_eq!(bench.run(POST, &[says("").breaks(20)]).statuses(), [502]);
    assert_eq!(bench.run(POST, &[says("").ends()]).statuses(), [502]);
    let line = bench.run(GET, &[refuses(), refuses(), refuses()]);
    assert_eq!((line.statuses(), line.state()), (vec![502], bench.idle()));
    assert_eq!(Bench::new(0).run(GET, &[]).statuses(), [503]);
}

#[test]
fn all_back_ends_are_tried_until_one_accepts_or_the_time_to_connect_is_spent() {
    let many = Bench::new(9);
    for request in [GET, POST] {
        let mut acts = vec![refuses(); 8];
        acts.push(says(OK).after(many.forwarded(request)));
        assert_eq!(many.all_ways(request, &acts).text(), OK_SENT);
    }
    assert_eq!(many.run(GET, &vec![refuses(); 9]).statuses(), [502]);
    // Beyond the retries, a connect has what is left of the time for all.
    let acts = [vec![refuses(); RETRIES + 1], vec![hangs()]].concat();
    let mut line = many.line(GET, &acts);
    assert_eq!(line.run().state(), Standing::Waits(many.timeouts.connect));
    assert_eq!(line.waits().statuses(), [504], "no time is left for the others");
    // As many retries as ever are made when a connect takes all the time by itself.
    let mut line = many.line(GET, &vec![hangs(); RETRIES + 1]);
    line.run();
    (0..=RETRIES).for_each(|_| _ = line.waits());
    assert_eq!(line.statuses(), [504]);
    // Once something was sent they are bounded too: the death of one is no licence to try all.
    let acts = [vec![refuses(); RETRIES], vec![says("").ends()]].concat();
    assert_eq!(many.run(GET, &acts).statuses(), [502]);
}

#[test]
fn a_connect_has_a_deadline_and_then_the_next_is_tried() {
    let bench = Bench::new(2);
    let mut line = bench.line(GET, &[hangs(), says(OK)]);
    assert_eq!(line.run().state(), Standing::Waits(bench.timeouts.connect));
    assert_eq!(line.waits().text(), OK_SENT);
    let mut line = bench.line(GET, &[hangs(), hangs()]);
    line.run().waits().waits();
    assert_eq!((line.statuses(), line.state()), (vec![504], bench.idle()));
    // The last one tried says it for all.
    let mut line = bench.line(GET, &[hangs(), refuses()]);
    assert_eq!(line.run().waits().statuses(), [502]);
}

#[test]
fn a_deadline_in_each_state() {
    let bench = Bench::new(1);
    let times = bench.timeouts;
    let half = POST.trim_end_matches("u!");
    for (input, acts, wait, status, state) in [
        ("", vec![], times.header, None, Standing::Closed),
        ("GET", vec![], times.header, Some(408), LINGERS),
        (half, vec![says("")], times.stall, Some(408), LINGERS),
        (GET, vec![says("")], times.backend, Some(504), bench.idle()),
        (GET, vec![says("HTTP/1.1 200")], times.backend, Some(504), bench.idle()),
        (POST, vec![says("").takes(50)], times.stall, Some(504), bench.idle()),
        (POST, vec![says("").breaks(bench.forwarded(POST) - 2)], times.backend, Some(504), bench.idle()),
        (
            GET,
            vec![says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsatu")],
            times.stall,
            None,
            Standing::Reset,
        ),
        (GET, vec![says("HTTP/1.1 200 OK\r\n\r\nsatu")], times.stall, None, Standing::Reset),
    ] {
        let mut line = bench.line(input, &acts);
        assert_eq!(line.run().state(), Standing::Waits(wait), "{input:?} {acts:?}");
        line.waits();
        if let Some(status) = status {
            assert_eq!(line.statuses(), [status], "{input:?} {acts:?}");
        }
        assert_eq!(line.state(), state, "{input:?} {acts:?}");
    }
    // A client that does not take its answer, ours or the back end's.
    for act in [says(OK), refuses(), says("HTTP/1.1 200 OK\r\n\r\nsatu").ends()] {
        let mut line = Line { takes: 10, ..bench.line(GET, &[act]) };
        assert_eq!(line.run().state(), Standing::Waits(times.stall));
        assert_eq!(line.waits().state(), Standing::Reset);
        assert_eq!(line.outcome(), Outcome::new(Who::Client, How::TimedOut, Phase::ResponseBody));
    }
}

#[test]
fn an_error_answer_has_its_own_time_to_get_out() {
    let mut bench = Bench::new(1);
    bench.timeouts.stall = Duration::from_secs(1);
    let half = POST.trim_end_matches("u!");
    for (input, acts) in [("GET", vec![]), (half, vec![says("")]), (GET, vec![says("")])] {
        let mut line = Line { takes: 0, ..bench.line(input, &acts) };
        line.run().waits();
        assert_eq!(line.state(), Standing::Waits(bench.timeouts.stall), "{input:?}");
        line.takes = usize::MAX;
        assert_eq!(line.run().statuses().len(), 1);
    }
}

#[test]
fn an_end_of_the_client_in_each_state() {
    let bench = Bench::new(1);
    let half = POST.trim_end_matches("u!");
    for (input, acts, sent, phase) in [
        ("", vec![], "", Phase::Idle),
        ("\r\n", vec![], "", Phase::Idle),
        ("GET", vec![], "", Phase::RequestHead),
        (GET, vec![says(OK)], OK_SENT, Phase::Idle),
        (&*GET.repeat(2), vec![says(OK), says(OK)], &*OK_SENT.repeat(2), Phase::Idle),
        (half, vec![says("")], "", Phase::RequestBody),
        (&*format!("{GET}{half}"), vec![says(OK), says("")], OK_SENT, Phase::RequestBody),
    ] {
        for pieces in all_pieces(input.len()) {
            let mut line = Line { pieces, ends: true, ..bench.line(input, &acts) };
            line.run();
            assert_eq!(line.text(), sent, "{input:?} in {pieces:?}");
            assert_eq!(line.outcome(), Outcome::new(Who::Client, How::Closed, phase), "{input:?}");
            assert_eq!(line.state(), Standing::Closed);
        }
    }
}

/// A PROXY header that nobody asked for, as the fuzzer cut it.
#[test]
fn nonsense_behind_empty_lines_is_refused_in_any_pieces() {
    let bench = Bench::new(1);
    let input = "\r\n\r\n\0\r\nQUIT\n!!\0%%";
    for pieces in all_pieces(input.len()) {
        let mut line = Line { pieces, ends: true, ..bench.line(input, &[]) };
        assert_eq!(line.run().statuses(), [400], "in {pieces:?}");
    }
}

#[test]
fn a_failure_of_the_client_in_each_state() {
    let bench = Bench::new(1);
    let half = POST.trim_end_matches("u!");
    for (input, acts, phase) in [
        ("", vec![], Phase::Idle),
        ("GET", vec![], Phase::RequestHead),
        (half, vec![says("")], Phase::RequestBody),
        (GET, vec![says("")], Phase::ResponseHead),
        (GET, vec![hangs()], Phase::ResponseHead),
        (GET, vec![says(OK)], Phase::ResponseBody),
    ] {
        let mut line = Line { takes: 10, ..bench.line(input, &acts) };
        line.run().exchange.client_failed();
        assert_eq!(line.run().outcome(), Outcome::new(Who::Client, How::Reset, phase), "{input:?}");
    }
}

#[test]
fn a_drain_in_each_state() {
    let bench = Bench::new(1);
    let half = POST.trim_end_matches("u!");
    for (input, acts, rest, sent) in [
        ("", vec![], "", ""),
        ("\r\n", vec![], "", ""),
        (GET, vec![says(OK)], "", OK_SENT),
        ("GET / HTTP/1.1\r\n", vec![says(OK)], "Host: a\r\n\r\n", OK_LAST),
        (half, vec![says(OK).after(bench.forwarded(POST))], "u!", OK_LAST),
        (&*GET.repeat(2), vec![says(OK).after(1)], "", OK_SENT),
    ] {
        let mut line = Line { takes: 10, ..bench.line(input, &acts) };
        line.run().exchange.drain();
        line.run().input.extend(rest.as_bytes());
        line.takes = usize::MAX;
        line.run();
        assert_eq!(line.text(), sent, "{input:?}");
        // It may have sent a next request, or be about to: no reset may take the answer from it.
        assert_eq!(line.state(), if sent.is_empty() { Standing::Closed } else { LINGERS }, "{input:?}");
    }
}

#[test]
fn the_end_of_a_drain_resets_only_what_is_half_sent() {
    let bench = Bench::new(1);
    for (input, takes, state) in [
        ("", usize::MAX, Standing::Closed),
        ("GET", usize::MAX, Standing::Closed),
        (GET, usize::MAX, Standing::Closed),
        (GET, 10, Standing::Reset),
        ("GET / HTTP/1.1\r\n\r\n", usize::MAX, Standing::Closed),
    ] {
        let mut line = Line { takes, ..bench.line(input, &[says(OK)]) };
        line.run().exchange.drained();
        assert_eq!(line.run().state(), state, "{input:?}");
    }
}

#[test]
fn what_cannot_be_forwarded_is_refused_and_the_connection_lingers() {
    let bench = Bench::new(1);
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
            let mut line = Line { pieces, ..bench.line(&format!("{input}{GET}"), &[]) };
            line.run();
            assert_eq!(line.statuses(), [status], "{input:.60?}");
            assert!(line.text().contains("\r\nConnection: close\r\n"));
            assert_eq!(line.shut_at, Some(line.received.len()));
            assert_eq!(line.waits().state(), Standing::Closed);
        }
    }
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n";
    for line in bench.each_way(&format!("{GET}{chunked}"), &[says(OK), says("")]) {
        assert_eq!((line.statuses(), line.state()), (vec![200, 400], LINGERS));
        // In one piece it is refused before a back end is asked for.
        let got = line.visits.get(1).map(|visit| String::from_utf8_lossy(&visit.got).into_owned());
        let body = got.and_then(|got| Some(got.split_once("\r\n\r\n")?.1.to_owned()));
        assert!(body.is_none_or(|body| "1\r\na".starts_with(&body)), "nothing of the fault is forwarded");
    }
}

#[test]
fn without_a_worker_the_answer_is_503_and_the_connection_lingers() {
    let bench = Bench::new(1);
    for input in ["", GET] {
        let mut line = bench.line("", &[]);
        line.exchange.refuse_for_lack_of_workers(&bench.now);
        line.input.extend(input.as_bytes());
        line.run();
        assert_eq!((line.statuses(), line.state()), (vec![503], LINGERS));
    }
}

#[test]
fn the_back_end_is_let_go_before_the_next_request() {
    let bench = Bench::new(1);
    // The client takes nothing of the first answer: its back end is free all the same.
    let mut line = Line { takes: 0, ..bench.line(&GET.repeat(2), &[says(OK), says(OK)]) };
    line.run();
    assert_eq!((line.visits.len(), line.visits[0].kept), (1, Some(true)));
    line.takes = usize::MAX;
    assert_eq!(line.run().text(), OK_SENT.repeat(2));
}

/// Accepting is no proof of health: a back end that accepts and never answers has to be taken out.
#[test]
fn a_back_end_that_accepts_and_never_answers_goes_out() {
    let bench = Bench::new(2);
    let acts = [vec![says(""), says(OK), says(""), says(OK), says("")], vec![says(OK); 3]].concat();
    let mut bench =
        Bench { timeouts: Timeouts { backend: Duration::from_secs(1), ..bench.timeouts }, ..bench };
    bench.timeouts.keep_alive = Duration::from_secs(60);
    let mut line = bench.line(&GET.repeat(8), &acts);
    line.run();
    while line.statuses().len() < 8 {
        line.waits();
    }
    assert_eq!(line.statuses(), [504, 200, 504, 200, 504, 200, 200, 200]);
    let ups: Vec<bool> = line.group.backends().iter().map(|backend| backend.is_up()).collect();
    assert_eq!(ups, [false, true]);
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

/// Pieces of messages, put together wrongly.
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
    fn any_requests_in_any_pieces_get_the_same_answers(
        requests in prop::collection::vec((request(), response()), 1..6), seed: u64,
    ) {
        let bench = Bench::new(1);
        let input: String = requests.iter().map(|((request, _), _)| request.as_str()).collect();
        // Each back end answers when it has the whole request, as it would without a split.
        let acts: Vec<_> = requests.iter().map(|((request, is_head), response)| {
            let body_at = response.rfind("\r\n\r\n").map_or(response.len(), |at| at + 4);
            let text = if *is_head && response.starts_with("HTTP/1.1 200 OK") { &response[..body_at] } else { response };
            says(text).after(bench.forwarded(request))
        }).collect();
        let whole = bench.run(&input, &acts);
        for pieces in [Pieces::Bytes, Pieces::Dice(seed)] {
            let mut line = Line { pieces, ..bench.line(&input, &acts) };
            line.run();
            prop_assert_eq!(line.text(), whole.text());
            prop_assert_eq!(line.state(), whole.state());
            let got = |line: &Line| line.visits.iter().map(|visit| visit.got.clone()).collect::<Vec<_>>();
            prop_assert_eq!(got(&line), got(&whole));
        }
    }

    #[test]
    fn garbage_on_either_side_ends_or_waits_and_never_for_ever(
        input in garbage(), responses in prop::collection::vec((garbage(), 0..3, 0..4usize), 40),
        seed: u64, ends: bool, takes in 0usize..300,
    ) {
        let bench = Bench::new(2);
        let acts: Vec<_> = responses.into_iter().cycle().take(400).map(|(text, then, kind)| {
            let then = [Then::Holds, Then::Ends, Then::Resets][then as usize];
            let act = Act { then, ..says(&text) };
            match kind {
                0 => refuses(),
                1 => act.takes(30),
                2 => act.breaks(130),
                _ => act,
            }
        }).collect();
        let mut line = Line { pieces: Pieces::Dice(seed), ends, ..bench.line(&input, &acts) };
        line.takes = if takes < 200 { takes } else { usize::MAX };
        line.run();
        for _ in 0..400 {
            if matches!(line.exchange.state, State::Over(_) | State::Tunnel) {
                break;
            }
            line.waits();
        }
        prop_assert!(matches!(line.exchange.state, State::Over(_) | State::Tunnel), "{:?}", line.exchange);
    }
}
