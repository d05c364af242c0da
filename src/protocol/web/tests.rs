//! Whole connections without sockets: a driver in memory gives the machine bytes in pieces, takes its output
//! in pieces, and does only what the machine asks for.

use std::fs;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::protocol::context::RoleContext;
use crate::protocol::limits::{BULK_BUFFER_BYTES, KEEP_ALIVE_REQUESTS, LINGER_BYTES_MAX};
use crate::protocol::testing::{Pieces, all_pieces, client, context, drawn_states, start};
use crate::site::limits::CACHED_FILE_BYTES_MAX;
use crate::site::{Site, SiteKind};

/// A site with a page, a small file, a file that is cached in memory, and one that is sent from the disk.
struct TestServer {
    _folder: tempfile::TempDir,
    site: Arc<Site>,
    now: Now,
    timeouts: Timeouts,
}

const LARGE_BYTES: usize = CACHED_FILE_BYTES_MAX as usize + 1234;

impl TestServer {
    fn new() -> TestServer {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("small.txt"), "hello").unwrap();
        fs::write(folder.path().join("cached.txt"), vec![b'c'; 20_000]).unwrap();
        fs::write(folder.path().join("large.txt"), vec![b'l'; LARGE_BYTES]).unwrap();
        fs::create_dir(folder.path().join("d")).unwrap();
        fs::write(folder.path().join("d/index.html"), "index").unwrap();
        let site = Arc::new(Site::open(SiteKind::Backend, folder.path()).unwrap());
        TestServer { _folder: folder, site, now: start(), timeouts: Timeouts::default() }
    }

    fn mirror() -> TestServer {
        let server = TestServer::new();
        let site = Arc::into_inner(server.site).unwrap().with_mirror();
        TestServer { site: Arc::new(site), ..server }
    }

    fn client(&self) -> Client {
        self.client_with(KEEP_ALIVE_REQUESTS)
    }

    fn client_with(&self, requests: u32) -> Client {
        let context = RoleContext { keep_alive_requests: requests, ..context(self.timeouts) };
        let service = Arc::new(WebService { context: Arc::new(context), site: Arc::clone(&self.site) });
        let web = Web::new(service, client(), self.now.instant, &self.now);
        Client {
            web,
            now: self.now,
            input: Vec::new(),
            sent: 0,
            ends: false,
            received: Vec::new(),
            reads: Pieces::Whole,
            writes: Pieces::Whole,
            takes: usize::MAX,
            shut_at: None,
            calls: 0,
        }
    }

    /// A client that has sent `input`. Checks that its result is the same however the bytes are cut into pieces.
    fn responses(&self, input: &str) -> Client {
        let mut whole = self.client().sends(input);
        whole.run();
        for pieces in all_pieces(input.len()) {
            let mut client = self.client().sends(input).in_pieces(pieces);
            client.run();
            assert_eq!(client.text(), whole.text(), "{input:?} in {pieces:?}");
            assert_eq!(client.state(), whole.state(), "{input:?} in {pieces:?}");
        }
        whole
    }
}

/// A client, and the driver that serves it.
struct Client {
    web: Web<Site>,
    now: Now,
    /// What it sends, how much of it is sent so far, and whether it then closes its sending side.
    input: Vec<u8>,
    sent: usize,
    ends: bool,
    received: Vec<u8>,
    reads: Pieces,
    writes: Pieces,
    /// It receives this many bytes, and then no more.
    takes: usize,
    /// How much it had received when the server closed its sending side.
    shut_at: Option<usize>,
    calls: usize,
}

/// The state of a connection after a run.
#[derive(Debug, PartialEq)]
enum Status {
    /// It waits, until this deadline.
    Waits(Duration),
    /// It is over, with an orderly close.
    Closed,
    /// It is over, with a reset.
    Reset,
}

impl Client {
    fn sends(mut self, input: &str) -> Client {
        self.input.extend(input.as_bytes());
        self
    }

    fn ends(mut self) -> Client {
        self.ends = true;
        self
    }

    fn in_pieces(self, pieces: Pieces) -> Client {
        Client { reads: pieces, writes: pieces, ..self }
    }

    fn takes(self, bytes: usize) -> Client {
        Client { takes: bytes, ..self }
    }

    /// Runs until there is nothing to do but wait. Writes come before reads, as in the drivers; with
    /// pseudo-random pieces a read may come first.
    fn run(&mut self) -> &mut Client {
        loop {
            self.calls += 1;
            assert!(self.calls < 3_000_000, "no end of steps: {:?}", self.web);
            self.web.expired(&self.now);
            let (step, interest) = (self.web.step(), self.web.interest());
            let waits = step == Step::Transfer && interest == Interest::NONE;
            assert!(!waits || self.web.deadline().is_some(), "nothing would make it go on: {:?}", self.web);
            let may_read = interest.read_client && (self.sent < self.input.len() || self.ends);
            match step {
                Step::Finish => {
                    self.web.finish(&self.now);
                    return self;
                }
                Step::ShutClient => {
                    self.shut_at = Some(self.received.len());
                    self.web.client_shut();
                }
                _ if may_read && self.reads.toss() => self.read(),
                _ if interest.write_client && self.received.len() < self.takes => self.write(),
                _ if may_read => self.read(),
                _ => return self,
            }
        }
    }

    fn read(&mut self) {
        let space = self.web.client_space();
        assert!(!space.is_empty(), "a read into an empty space looks like the end of the stream");
        let rest = &self.input[self.sent..];
        if rest.is_empty() {
            return self.web.client_received(0, &self.now);
        }
        let count = self.reads.next(self.sent, rest.len().min(space.len()));
        space[..count].copy_from_slice(&rest[..count]);
        self.sent += count;
        self.web.client_received(count, &self.now);
    }

    fn write(&mut self) {
        let room = self.takes - self.received.len();
        let at = self.received.len();
        let count = match self.web.client_output() {
            Output::Bytes { first, second, .. } => {
                let bytes = [first, second].concat();
                assert!(!bytes.is_empty(), "there is nothing to send");
                let count = self.writes.next(at, bytes.len().min(room));
                self.received.extend(&bytes[..count]);
                count
            }
            Output::File { file, offset, length } => {
                let count = self.writes.next(at, room.min(length as usize));
                let mut bytes = vec![0; count];
                let count = file.read_at(&mut bytes, offset).unwrap();
                self.received.extend(&bytes[..count]);
                count
            }
        };
        match count {
            0 => self.web.file_ended(),
            _ => self.web.client_sent(count, &self.now),
        }
    }

    /// Moves the time to the deadline and goes on.
    fn waits(&mut self) -> &mut Client {
        let deadline = self.web.deadline().expect("it has a deadline");
        let wait = deadline.saturating_duration_since(self.now.instant);
        self.now = self.now.after(wait);
        self.run()
    }

    fn state(&self) -> Status {
        match self.web.deadline() {
            Some(deadline) => Status::Waits(deadline.saturating_duration_since(self.now.instant)),
            None if self.web.was_cut() => Status::Reset,
            None => Status::Closed,
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// Status codes and bodies of all responses, in order; interim ones have no body.
    fn responses(&self) -> Vec<(u16, String)> {
        responses(&self.text())
    }

    fn statuses(&self) -> Vec<u16> {
        self.responses().into_iter().map(|(status, _)| status).collect()
    }

    fn outcome(&self) -> Outcome {
        match self.web.state {
            State::Over(outcome) => outcome,
            _ => panic!("it is not over: {:?}", self.web),
        }
    }
}

/// Splits the responses by their lengths, as a client does.
fn responses(text: &str) -> Vec<(u16, String)> {
    let (mut rest, mut responses) = (text, Vec::new());
    while let Some((head, after)) = rest.split_once("\r\n\r\n") {
        let status = head[9..12].parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        responses.push((status, after[..length].to_owned()));
        rest = &after[length..];
    }
    assert_eq!(rest, "", "there is nothing behind the responses");
    responses
}

const HOME: &str = "Ini Adalah web Server percobaan";
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn idle(server: &TestServer) -> Status {
    Status::Waits(server.timeouts.keep_alive)
}

#[test]
fn keep_alive_depends_on_version_and_connection_field() {
    let server = TestServer::new();
    for (request, connection, kept) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", None, true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", Some("close"), false),
        ("GET / HTTP/1.0\r\n\r\n", Some("close"), false),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Some("keep-alive"), true),
    ] {
        let client = server.responses(request);
        assert_eq!(client.responses(), [(200, HOME.to_owned())]);
        let said = client.text();
        let said = said.lines().find_map(|line| line.strip_prefix("Connection: "));
        assert_eq!(said, connection, "{request:?}");
        assert_eq!(client.state(), if kept { idle(&server) } else { Status::Closed }, "{request:?}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = TestServer::new();
    let input = format!(
        "{GET}GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\n\
         POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n\
         POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n\
         HEAD /small.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\
         GET /cached.txt HTTP/1.1\r\nHost: a\r\n\r\nDELETE / HTTP/1.1\r\nHost: a\r\n\r\n{GET}"
    );
    let client = server.responses(&input);
    let text = client.text();
    // The response to a HEAD has a length and no body.
    let (before, after) = text.split_once("Connection: keep-alive\r\n\r\n").unwrap();
    assert!(before.ends_with("Content-Length: 5\r\n"));
    let before = before.rsplit_once("HTTP/1.1 200 OK").unwrap().0;
    let statuses = |text: &str| responses(text).iter().map(|(status, _)| *status).collect::<Vec<_>>();
    assert_eq!(statuses(before), [200, 200, 200, 404, 200]);
    let bodies = responses(before).into_iter().map(|(_, body)| body).collect::<Vec<_>>();
    assert_eq!(bodies[..3], [HOME, "hello", "kosong"]);
    assert_eq!(statuses(after), [200, 405, 200]);
    assert_eq!(client.state(), idle(&server));
}

#[test]
fn many_pipelined_requests_fill_no_more_than_the_buffers() {
    let server = TestServer::new();
    let input = GET.repeat(900);
    let mut client = server.client().sends(&input).takes(0);
    client.run();
    assert!(client.sent < input.len(), "the machine stops reading");
    client.takes = usize::MAX;
    client.run();
    assert_eq!(client.statuses(), [200; 900]);
    assert_eq!(client.state(), idle(&server));
}

#[test]
fn a_client_that_never_reads_times_out() {
    let server = TestServer::new();
    for input in [GET.repeat(900), GET.to_owned(), "GET /large.txt HTTP/1.0\r\n\r\n".to_owned()] {
        let mut client = server.client().sends(&input).takes(100);
        client.run();
        assert_eq!(client.state(), Status::Waits(server.timeouts.stall));
        assert_eq!(client.waits().state(), Status::Reset);
        assert_eq!(client.outcome(), Outcome::new(Who::Client, How::TimedOut, Phase::ResponseBody));
    }
}

#[test]
fn a_slow_head_has_one_deadline_even_behind_an_unread_response() {
    let server = TestServer::new();
    let mut client = server.client().sends(&format!("{GET}G")).takes(10);
    client.run();
    let begun = client.now.instant;
    for byte in GET.chars().skip(1).take(20) {
        client.now = client.now.after(Duration::from_secs(1));
        client.input.push(byte as u8);
        client.run();
    }
    assert!(client.now.instant > begun + server.timeouts.header);
    assert_eq!(client.state(), Status::Reset);
}

#[test]
fn request_bodies_are_discarded() {
    let server = TestServer::new();
    for (fields, body) in [
        ("Content-Length: 0\r\n", ""),
        ("Content-Length: 11\r\n", "GET / HTTP/"),
        ("Transfer-Encoding: chunked\r\n", "b;x=y\r\nGET / HTTP/\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nA: b\r\n\r\n"),
    ] {
        let input = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}{GET}");
        let client = server.responses(&input);
        assert_eq!(client.responses(), [(200, "kosong".to_owned()), (200, HOME.to_owned())]);
        assert_eq!(client.state(), idle(&server));
    }
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it() {
    let server = TestServer::new();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    for pieces in all_pieces(head.len()) {
        let mut client = server.client().sends(head).in_pieces(pieces);
        client.run();
        assert_eq!(client.text(), "HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(client.state(), Status::Waits(server.timeouts.stall));
        client.input.extend(b"abc");
        client.run();
        assert_eq!(client.statuses(), [100, 200]);
        assert_eq!(client.state(), idle(&server));
    }
    // Not if the body has come already, not in HTTP/1.0, and not if the request is refused.
    for (input, statuses) in [
        (format!("{head}abc"), vec![200]),
        (head.replace("1.1", "1.0") + "abc", vec![200]),
        (head.replace("h: 3", "h: 9999999"), vec![413]),
    ] {
        let mut client = server.client().sends(&input);
        assert_eq!(client.run().statuses(), statuses, "{input:?}");
    }
}

#[test]
fn bad_requests_are_refused_once_and_the_connection_lingers() {
    let server = TestServer::new();
    let long = |bytes| "x".repeat(bytes);
    for (input, status) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n".to_owned(), 413),
        (format!("GET /{} HTTP/1.1\r\n", long(8200)), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", long(17_000)), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(101)), 431),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            400,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".to_owned(), 501),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), 505),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(), 400),
    ] {
        let mut client = server.client();
        for pieces in [Pieces::Whole, Pieces::Bytes, Pieces::Dice(5)] {
            client = server.client().sends(&input).in_pieces(pieces);
            client.run();
            assert_eq!(client.statuses(), [status], "{input:.60?}");
            assert!(client.text().contains("\r\nConnection: close\r\n"));
            assert_eq!(
                client.shut_at,
                Some(client.received.len()),
                "the whole response, then our half-close"
            );
            assert!(matches!(client.state(), Status::Waits(wait) if wait <= Duration::from_secs(2)));
        }
        assert_eq!(client.waits().state(), Status::Closed);
        // What comes behind it is not read as a request.
        let mut client = server.client().sends(&(input + GET)).ends();
        assert_eq!(client.run().statuses(), [status]);
        assert_eq!(client.state(), Status::Closed);
    }
}

#[test]
fn a_refusal_comes_after_earlier_responses() {
    let server = TestServer::new();
    let client = server.responses(&format!("{GET}{GET}GET / HTTP/1.1\r\n\r\n"));
    assert_eq!(client.statuses(), [200, 200, 400]);
}

#[test]
fn a_malformed_head_is_refused_before_its_deadline() {
    let server = TestServer::new();
    let mut client = server.client().sends("\u{16}\u{3}\u{1}");
    assert_eq!(client.run().statuses(), [400]);
}

#[test]
fn lingering_is_bounded_in_bytes() {
    let server = TestServer::new();
    let input = format!("GET / HTTP/1.1\r\n\r\n{}", "x".repeat(2 * LINGER_BYTES_MAX as usize));
    let mut client = server.client().sends(&input);
    client.run();
    assert_eq!(client.state(), Status::Closed);
    assert!(client.sent <= LINGER_BYTES_MAX as usize + 4 * BULK_BUFFER_BYTES);
}

#[test]
fn a_chunked_body_is_bounded_too() {
    let server = TestServer::new();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let mut client = server.client().sends(&format!("{head}{}0\r\n\r\n", chunk.repeat(16)));
    assert_eq!(client.run().statuses(), [200]);
    let mut client = server.client().sends(&format!("{head}{}1\r\nx\r\n0\r\n\r\n", chunk.repeat(16)));
    assert_eq!(client.run().statuses(), [413]);
    // One that is announced to be too long is refused before its content comes.
    for body in ["100001\r\n", "3\r\nabc\r\nffffe\r\n", "7fffffffffffffff\r\n"] {
        for pieces in all_pieces(head.len() + body.len()) {
            let mut client = server.client().sends(&format!("{head}{body}"));
            client.reads = pieces;
            assert_eq!(client.run().statuses(), [413], "{body:?} in {pieces:?}");
        }
    }
}

#[test]
fn the_last_response_of_a_connection_says_close_and_lingers() {
    let server = TestServer::new();
    let mut client = server.client_with(2).sends(&GET.repeat(2));
    client.run();
    assert_eq!(client.statuses(), [200, 200]);
    assert!(client.text().ends_with(&format!("Connection: close\r\n\r\n{HOME}")));
    // The client could not know. What it has sent meanwhile must not cause a reset that loses the response.
    assert_eq!(client.shut_at, Some(client.received.len()));
    client.input.extend(GET.as_bytes());
    client.ends = true;
    client.run();
    assert_eq!((client.statuses(), client.state()), (vec![200, 200], Status::Closed));
}

#[test]
fn the_client_closes_in_each_state() {
    let server = TestServer::new();
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na";
    for (input, statuses, phase) in [
        ("".to_owned(), vec![], Phase::Idle),
        ("GET / HT".to_owned(), vec![], Phase::RequestHead),
        (GET.to_owned(), vec![200], Phase::Idle),
        (GET.repeat(3), vec![200; 3], Phase::Idle),
        (format!("{GET}GET"), vec![200], Phase::RequestHead),
        (post.to_owned(), vec![], Phase::RequestBody),
        (format!("{GET}{post}"), vec![200], Phase::RequestBody),
        ("GET /?delay=1s&size=3 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), vec![200], Phase::Idle),
        ("GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), vec![200], Phase::Idle),
    ] {
        for pieces in [Pieces::Whole, Pieces::Bytes, Pieces::Dice(1), Pieces::Dice(2), Pieces::Dice(3)] {
            let mut client = server.client().sends(&input).ends().in_pieces(pieces);
            client.run();
            if input.contains("delay") {
                client.waits();
            }
            assert_eq!(client.statuses(), statuses, "{input:?} in {pieces:?}");
            assert_eq!(client.outcome(), Outcome::new(Who::Client, How::Closed, phase), "{input:?}");
            assert_eq!(client.state(), Status::Closed);
        }
    }
}

#[test]
fn a_deadline_in_each_state() {
    let server = TestServer::new();
    let timeouts = server.timeouts;
    for (input, wait, statuses, how) in [
        ("", timeouts.header, vec![], How::TimedOut),
        ("GET /", timeouts.header, vec![408], How::TimedOut),
        (GET, timeouts.keep_alive, vec![200], How::TimedOut),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na",
            timeouts.stall,
            vec![408],
            How::TimedOut,
        ),
        ("GET / HTTP/1.1\r\n\r\n", Duration::from_secs(2), vec![400], How::Malformed),
    ] {
        let mut client = server.client().sends(input);
        assert_eq!(client.run().state(), Status::Waits(wait), "{input:?}");
        client.waits();
        assert_eq!(client.statuses(), statuses, "{input:?}");
        if statuses == [408] {
            // The response has a stall timeout of its own, and lingering has its own time.
            assert_eq!(client.state(), Status::Waits(Duration::from_secs(2)));
            client.waits();
        }
        assert_eq!((client.state(), client.outcome().how), (Status::Closed, how), "{input:?}");
    }
}

#[test]
fn a_late_response_has_a_stall_timeout_of_its_own() {
    let mut server = TestServer::new();
    server.timeouts.stall = Duration::from_secs(1);
    // The client does not read at first: the earlier deadline must not count.
    for input in [
        "GET /?delay=5s HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HT",
        "POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\n",
    ] {
        let mut client = server.client().sends(input).takes(0);
        client.run().waits().run();
        assert_eq!(client.state(), Status::Waits(server.timeouts.stall), "{input:?}");
        client.takes = usize::MAX;
        assert_eq!(client.run().responses().len(), 1);
    }
}

#[test]
fn an_empty_line_does_not_begin_a_request() {
    let server = TestServer::new();
    let client = server.responses(&format!("\r\n{GET}\r\n\r\n{GET}\r\n"));
    assert_eq!(client.statuses(), [200, 200]);
    // So there is no 408, which the client would take for the response to its next request.
    assert_eq!(client.state(), idle(&server));
    let mut client = server.client().sends(&format!("{GET}\r\n"));
    client.run().web.drain();
    assert_eq!(client.run().state(), Status::Closed);
}

#[test]
fn the_client_is_reset_in_each_state() {
    let server = TestServer::new();
    for (input, takes, phase) in [
        ("", 0, Phase::Idle),
        ("GET", 0, Phase::RequestHead),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na", 0, Phase::RequestBody),
        ("GET /?delay=1s HTTP/1.1\r\nHost: a\r\n\r\n", 0, Phase::ResponseBody),
        (GET, 10, Phase::ResponseBody),
        ("GET /?size=99999 HTTP/1.1\r\nHost: a\r\n\r\n", 10, Phase::ResponseBody),
    ] {
        let mut client = server.client().sends(input).takes(takes);
        client.run().web.client_failed();
        client.run();
        assert_eq!(client.outcome(), Outcome::new(Who::Client, How::Reset, phase), "{input:?}");
    }
    let mut client = server.client().sends("GET / HTTP/1.1\r\n\r\n");
    client.run().web.client_failed();
    client.run();
    assert_eq!(client.outcome().how, How::Malformed, "the outcome is that of the last response");
}

#[test]
fn a_drain_in_each_state() {
    let server = TestServer::new();
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na";
    for (input, takes, rest, statuses) in [
        ("", usize::MAX, "", vec![]),
        (GET, usize::MAX, "", vec![200]),
        ("GET / HTTP/1.1\r\n", usize::MAX, "Host: a\r\n\r\n", vec![200]),
        (post, usize::MAX, "bc", vec![200]),
        ("GET /?delay=1s&size=3 HTTP/1.1\r\nHost: a\r\n\r\n", usize::MAX, "", vec![200]),
        ("GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n", 100, "", vec![200]),
        (GET, 100, "", vec![200]),
        (&*GET.repeat(2), 100, "", vec![200, 200]),
    ] {
        let mut client = server.client().sends(input).takes(takes);
        client.run().web.drain();
        client.run();
        client.input.extend(rest.as_bytes());
        client.takes = usize::MAX;
        client.run();
        if input.contains("delay") {
            client.waits();
        }
        assert_eq!(client.statuses(), statuses, "{input:?}");
        let wait = Duration::from_secs(2);
        assert!(matches!(client.state(), Status::Closed) || client.state() == Status::Waits(wait));
        if !rest.is_empty() {
            assert!(client.text().contains("\r\nConnection: close\r\n"), "{input:?}");
        }
    }
}

#[test]
fn the_end_of_a_drain_resets_only_half_sent_responses() {
    let server = TestServer::new();
    for (input, takes, state) in [
        ("", usize::MAX, Status::Closed),
        ("GET / HTTP", usize::MAX, Status::Closed),
        (GET, usize::MAX, Status::Closed),
        (GET, 10, Status::Reset),
        ("GET /large.txt HTTP/1.0\r\n\r\n", 1000, Status::Reset),
        ("GET / HTTP/1.1\r\n\r\n", usize::MAX, Status::Closed),
    ] {
        let mut client = server.client().sends(input).takes(takes);
        client.run().web.drained();
        assert_eq!(client.run().state(), state, "{input:?}");
    }
}

#[test]
fn without_a_worker_the_response_is_503_whatever_comes() {
    let server = TestServer::new();
    for input in ["", GET, "GET"] {
        let mut client = server.client();
        client.web.refuse_for_lack_of_workers(&server.now);
        client.input.extend(input.as_bytes());
        client.run();
        assert_eq!(client.statuses(), [503]);
        assert_eq!(client.shut_at, Some(client.received.len()));
        client.ends = true;
        assert_eq!(client.run().outcome(), Outcome::new(Who::Us, How::Limited, Phase::Queue));
    }
}

#[test]
fn test_responses_are_complete_at_any_pace() {
    let server = TestServer::new();
    let expected: String = format!("{HOME}\n").chars().cycle().take(40_000).collect();
    let client = server.responses(&format!("GET /?size=40000 HTTP/1.1\r\nHost: a\r\n\r\n{GET}"));
    assert_eq!(client.responses(), [(200, expected.clone()), (200, HOME.to_owned())]);
    let mut client = server.client().sends("GET /?size=40000&chunked=1 HTTP/1.1\r\nHost: a\r\n\r\n");
    client.run();
    let text = client.text();
    let (head, mut rest) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Transfer-Encoding: chunked") && !head.contains("Content-Length"));
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&after[..size]);
        rest = after[size..].strip_prefix("\r\n").unwrap();
        if size == 0 {
            break;
        }
    }
    assert_eq!((body, rest), (expected.clone(), ""));
    assert_eq!(client.state(), idle(&server));
    // A client of HTTP/1.0 reads until the close, even if it asked for keep-alive.
    let mut client =
        server.client().sends("GET /?size=40000&chunked=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    client.run();
    assert!(client.text().ends_with(&format!("Connection: close\r\n\r\n{expected}")));
}

#[test]
fn nothing_is_read_during_a_delay() {
    let server = TestServer::new();
    let input = format!("GET /?delay=500ms&status=503 HTTP/1.1\r\nHost: a\r\n\r\n{GET}");
    let mut client = server.client().sends(&input);
    assert_eq!(client.run().state(), Status::Waits(Duration::from_millis(500)));
    assert_eq!(client.text(), "");
    client.waits();
    assert_eq!(client.statuses(), [503, 200]);
    assert_eq!(client.state(), idle(&server));
}

#[test]
fn a_large_file_is_sent_from_the_disk() {
    let server = TestServer::new();
    let input = format!("GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n{GET}");
    let client = server.responses(&input);
    let responses = client.responses();
    assert_eq!(responses[0], (200, "l".repeat(LARGE_BYTES)));
    assert_eq!(responses[1], (200, HOME.to_owned()));
    let mut client = server.client().sends(&input).takes(0);
    client.run();
    assert!(matches!(client.web.client_output(), Output::Bytes { more: true, second: b"", .. }));
    client.web.client_sent(client.web.output.len(), &server.now);
    assert!(matches!(client.web.client_output(), Output::File { offset: 0, .. }));
}

#[test]
fn a_file_that_shrinks_never_looks_complete() {
    let server = TestServer::new();
    let mut client = server.client().sends("GET /large.txt HTTP/1.0\r\n\r\n").takes(1000);
    client.run();
    fs::write(server._folder.path().join("large.txt"), "short").unwrap();
    client.takes = usize::MAX;
    assert_eq!(client.run().state(), Status::Reset);
}

#[test]
fn the_mirror_sends_four_extra_bytes_and_closes() {
    let server = TestServer::mirror();
    for (input, end) in [
        (GET.to_owned(), format!("{HOME}\r\n\r\n")),
        ("GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "lll\r\n\r\n".to_owned()),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "Content-Length: 31\r\n\r\n".to_owned()),
        ("nonsense\r\n\r\n".to_owned(), "Content-Length: 0\r\n\r\n\r\n\r\n".to_owned()),
    ] {
        for pieces in all_pieces(input.len()).into_iter().take(20) {
            let mut client = server.client().sends(&input).in_pieces(pieces);
            client.run();
            assert!(client.text().starts_with("HTTP/1.0 ") && client.text().ends_with(&end), "{input:?}");
            assert_eq!(client.text().matches("HTTP/1.0").count(), 1);
            client.ends = true;
            assert_eq!(client.run().state(), Status::Closed);
        }
    }
}

fn request() -> impl Strategy<Value = String> {
    let target = prop::sample::select(vec![
        "/",
        "/small.txt",
        "/cached.txt",
        "/large.txt",
        "/nothing",
        "/?size=5000",
        "/?size=17000",
        "/?size=5000&chunked=1",
        "/video",
        "/?status=204",
        "http://a/",
        "/..",
        "/?status=304&chunked=1",
    ]);
    let method = prop::sample::select(vec!["GET", "GET", "HEAD", "POST", "PUT", "OPTIONS", "BREW"]);
    let body = prop::option::of((any::<bool>(), prop::collection::vec(97u8..123, 0..300)));
    let rest = prop::sample::select(vec!["", "Range: bytes=1-3\r\n", "X: \u{e9}\r\n", "Connection: x\r\n"]);
    (method, target, rest, body, any::<bool>()).prop_map(|(method, target, rest, body, old)| {
        let (version, kept) = if old { ("1.0", "Connection: keep-alive\r\n") } else { ("1.1", "") };
        let head = format!("{method} {target} HTTP/{version}\r\nHost: a\r\n{kept}{rest}");
        let Some((chunked, body)) = body else { return format!("{head}\r\n") };
        let body = String::from_utf8(body).unwrap();
        let length = body.len();
        match chunked && !old {
            false => format!("{head}Content-Length: {length}\r\n\r\n{body}"),
            true if body.is_empty() => format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            true => {
                format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\nA: b\r\n\r\n")
            }
        }
    })
}

/// Parts of requests in a random order.
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
        "ffffffff",
        "Connection: close\r\n",
        " ",
        "5\r\nhello\r\n",
        "HTTP/1.0",
        "x: y",
        "GET /?delay=1s HTTP/1.0\r\n\r\n",
        "GET /?size=70000 HTTP/1.1\r\nHost: a\r\n\r\n",
        "\u{e9}",
        "GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    prop::collection::vec(prop::sample::select(words), 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_requests_in_any_pieces_get_the_same_responses(
        requests in prop::collection::vec(request(), 1..6), seed: u64, ends: bool,
    ) {
        let server = TestServer::new();
        let input = requests.concat();
        let mut whole = server.client().sends(&input);
        whole.ends = ends;
        whole.run();
        for pieces in [Pieces::Bytes, Pieces::Dice(seed)] {
            let mut client = server.client().sends(&input).in_pieces(pieces);
            client.ends = ends;
            client.run();
            prop_assert!(client.text() == whole.text(), "in {:?}", pieces);
            prop_assert_eq!(client.state(), whole.state());
        }
    }

    #[test]
    fn a_connection_with_garbage_comes_to_an_end(input in garbage(), seed: u64, ends: bool, takes in 0usize..300) {
        let server = TestServer::new();
        let mut client = server.client().sends(&input).in_pieces(Pieces::Dice(seed));
        client.ends = ends;
        client.takes = if takes < 200 { takes } else { usize::MAX };
        client.run();
        for _ in 0..100 {
            if client.web.step() == Step::Finish {
                break;
            }
            client.waits();
        }
        prop_assert!(client.web.step() == Step::Finish, "it never ends: {:?}", client.web);
    }
}

/// The name of a state in the graph of the module's documentation.
fn name<R>(state: &State<R>) -> &'static str {
    match state {
        State::Head => "Head",
        State::Body { .. } => "Body",
        State::Delay { .. } => "Delay",
        State::Room { .. } => "Room",
        State::Response { .. } => "Response",
        State::Linger(..) => "Linger",
        State::Over(..) => "Over",
    }
}

#[test]
fn the_graph_of_the_documentation_is_walked() {
    let server = TestServer::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut is_at = |client: &Client, state: &'static str| {
        assert_eq!(name(&client.web.state), state);
        seen.insert(state);
    };
    // Head --> Body --> Delay --> Response --> Head.
    let mut client = server.client().takes(0);
    is_at(&client, "Head");
    client = client.sends("POST /?delay=1s HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1");
    is_at(client.run(), "Body");
    client.input.push(b'2');
    is_at(client.run(), "Delay");
    is_at(client.waits(), "Response");
    client.takes = usize::MAX;
    is_at(client.run(), "Head");

    // Room --> Response: the head of a redirect does not fit behind that of another one.
    let long = format!("GET /d?{} HTTP/1.1\r\nHost: a\r\n\r\n", "q".repeat(8100));
    let mut client = server.client().sends(&long.repeat(2)).takes(0);
    is_at(client.run(), "Room");
    client.takes = usize::MAX;
    is_at(client.run(), "Head");
    assert_eq!(client.text().matches("301 Moved Permanently").count(), 2);

    // Head --> Response --> Over, for a client that wants no more.
    let mut client = server.client().sends("GET / HTTP/1.0\r\n\r\n").takes(0);
    is_at(client.run(), "Response");
    client.takes = usize::MAX;
    is_at(client.run(), "Over");

    // Refused, from Head and from Body: Response --> Linger --> Over.
    let body = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (start, state, rest) in [("GET / HTTP/1.1\r\n", "Head", "\r\n"), (body, "Body", "zz\r\n")] {
        let mut client = server.client().sends(start).takes(0);
        is_at(client.run(), state);
        client.input.extend(rest.as_bytes());
        is_at(client.run(), "Response");
        client.takes = usize::MAX;
        is_at(client.run(), "Linger");
        is_at(client.waits(), "Over");
    }
    assert_eq!(seen, drawn_states(include_str!("mod.rs")), "all that is drawn, and nothing else");
}
