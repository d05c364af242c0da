//! Whole connections without sockets: a driver in memory gives the machine bytes in pieces, takes its output
//! in pieces, and does only what the machine asks for.

mod closing;
mod deadline;
mod end;
mod graph;
mod guarded;
mod properties;
mod refusal;
mod request;
mod response;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use std::task::Waker;

use super::*;
use crate::net::files::read_at;
use crate::protocol::context::RoleContext;
use crate::protocol::guard::Guards;
use crate::protocol::limits::{BULK_BUFFER_BYTES, KEEP_ALIVE_REQUESTS, LINGER_BYTES_MAX};
use crate::protocol::testing::{Pieces, all_pieces, client, context, drawn_states, start};
use crate::site::limits::CACHED_FILE_BYTES_MAX;
use crate::site::{Site, SiteKind};
use std::net::SocketAddr;

/// A site with a page, a small file, a file that is cached in memory, and one that is sent from the disk.
struct TestServer {
    _folder: tempfile::TempDir,
    site: Arc<Site>,
    now: Now,
    timeouts: Timeouts,
    guards: Option<Arc<Guards>>,
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
        TestServer { _folder: folder, site, now: start(), timeouts: Timeouts::default(), guards: None }
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
        let guards = self.guards.clone();
        let context = RoleContext { keep_alive_requests: requests, guards, ..context(self.timeouts) };
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
    /// pseudo-random pieces a read may come first, and an idle client may be set aside.
    fn run(&mut self) -> &mut Client {
        loop {
            self.calls += 1;
            assert!(self.calls < 3_000_000, "no end of steps: {:?}", self.web);
            if self.web.is_idle() && self.reads.toss() {
                self.set_aside();
            }
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
                Step::Verify => self.web.verify_password(&self.now, || Waker::noop().clone()),
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

    /// Makes the machine again from what is remembered of an idle client.
    fn set_aside(&mut self) {
        let other = SocketAddr::from(([127, 0, 0, 1], 1));
        let blank = Web::new(Arc::clone(&self.web.service), other, self.now.instant, &self.now);
        let (number, deadline) = (self.web.client.number(), self.web.deadline());
        let idle = std::mem::replace(&mut self.web, blank).into_idle();
        self.web = Web::from_idle(idle, &self.now);
        assert!(self.web.is_idle());
        assert_eq!((self.web.client.number(), self.web.deadline()), (number, deadline));
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
                let count = read_at(file, &mut bytes, offset).unwrap();
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
