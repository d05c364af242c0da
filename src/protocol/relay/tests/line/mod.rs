//! Whole relayed connections without a socket: a client and a back end in memory, and a driver between
//! them that does only what the machine asks for.

mod attempt;
mod properties;
mod stream;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::protocol::event::{Connection, Observer};
use crate::protocol::limits::BULK_BUFFER_BYTES;
use crate::protocol::testing::{Pieces, all_pieces, client, start};

/// What a pipe of the driver holds at most, as one of the kernel does.
const PIPE_BYTES: usize = 64 * 1024;

/// One end of a relay.
#[derive(Clone, Debug, Default)]
struct Peer {
    says: Vec<u8>,
    said: usize,
    /// What it does when it has said everything.
    then: Then,
    /// Says nothing before it is told that the other one has ended.
    listens_first: bool,
    /// It takes this many bytes and then no more.
    takes: Option<usize>,
    /// And its connection fails then.
    breaks: bool,
    got: Vec<u8>,
    /// It was told that nothing more will come.
    heard_end: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Then {
    Holds,
    #[default]
    Ends,
    Resets,
}

/// What a connection attempt comes to.
#[derive(Clone, Copy, Debug)]
enum Attempt {
    /// Accepted while the driver waits, or later.
    Accepted,
    AcceptedLate,
    Refused,
    RefusedLate,
    /// Never answered.
    Ignored,
    /// No descriptor or port is left for it.
    Impossible,
}

fn says(bytes: impl Into<Vec<u8>>) -> Peer {
    Peer { says: bytes.into(), ..Peer::default() }
}

impl Peer {
    fn holds(self) -> Peer {
        Peer { then: Then::Holds, ..self }
    }

    fn resets(self) -> Peer {
        Peer { then: Then::Resets, ..self }
    }

    fn listens_first(self) -> Peer {
        Peer { listens_first: true, ..self }
    }

    fn takes(self, bytes: usize) -> Peer {
        Peer { takes: Some(bytes), ..self }
    }

    fn breaks(self, bytes: usize) -> Peer {
        Peer { breaks: true, ..self.takes(bytes) }
    }

    /// The bytes that it could send now; `None` while it has nothing to say or to end.
    fn next_bytes(&self) -> Option<&[u8]> {
        let rest = &self.says[self.said..];
        match self.listens_first && !self.heard_end || rest.is_empty() && self.then == Then::Holds {
            true => None,
            false => Some(rest),
        }
    }

    /// How many more bytes it takes.
    fn room(&self) -> usize {
        self.takes.map_or(usize::MAX, |takes| takes - self.got.len())
    }
}

/// A client, a back end and the driver between them.
struct Line {
    relay: Relay,
    now: Now,
    client: Peer,
    backend: Peer,
    attempts: VecDeque<Attempt>,
    /// One that is not through yet.
    attempt: Option<Attempt>,
    tried: Vec<SocketAddr>,
    pieces: Pieces,
    /// The driver's pipes, up and down, if it has any.
    pipes: Option<[VecDeque<u8>; 2]>,
    piped: usize,
    told: Arc<Recorder>,
    calls: usize,
}

/// Remembers what the machine tells.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<String>>);

impl Observer for Recorder {
    fn wants_closings(&self) -> bool {
        true
    }

    fn observe(&self, connection: &Connection<'_>, event: &Event<'_>) {
        let line = match event {
            Event::ConnectionFrom => format!("from {}", connection.client),
            Event::ForwardedTo(backend, _) => format!("to {backend}"),
            Event::RequestHead(_) | Event::ResponseHead(_) => unreachable!("a relay knows no heads"),
            Event::Closed(closing) => {
                let Closing { backend, bytes_in, bytes_out, retries, outcome, .. } = closing;
                let backend = backend.map_or("-".to_owned(), |backend| backend.to_string());
                format!("{outcome}: {backend} in={bytes_in} out={bytes_out} retries={retries}")
            }
        };
        self.0.lock().unwrap().push(line);
    }
}

fn backends(count: usize) -> Vec<SocketAddr> {
    (0..count).map(|index| SocketAddr::from(([127, 0, 0, 1], 9001 + index as u16))).collect()
}

impl Line {
    fn new(client: Peer, backend: Peer) -> Line {
        Line::of(Arc::new(Group::new("test", backends(1))), client, backend)
    }

    fn of(group: Arc<Group>, client: Peer, backend: Peer) -> Line {
        Line::coming_through(&Policy::default(), group, client, backend)
    }

    fn coming_through(policy: &Policy, group: Arc<Group>, peer: Peer, backend: Peer) -> Line {
        let (now, told) = (start(), Arc::new(Recorder::default()));
        let context = RoleContext::new("test", Arc::clone(&told) as Arc<dyn Observer>);
        let service = Arc::new(RelayService { context: Arc::new(context), group });
        let caller = policy.identify(client(), || Ok("10.0.0.2:80".parse().unwrap()));
        Line {
            relay: Relay::new(service, caller, now.instant, &now),
            now,
            client: peer,
            backend,
            attempts: VecDeque::new(),
            attempt: None,
            tried: Vec::new(),
            pieces: Pieces::Whole,
            pipes: None,
            piped: 0,
            told,
            calls: 0,
        }
    }

    fn attempts(self, attempts: &[Attempt]) -> Line {
        Line { attempts: attempts.iter().copied().collect(), ..self }
    }

    fn piped(self) -> Line {
        Line { pipes: Some(Default::default()), ..self }
    }

    fn in_pieces(self, pieces: Pieces) -> Line {
        Line { pieces, ..self }
    }

    /// Serves it until it is over, or nobody has anything to do.
    fn run(&mut self) -> &mut Line {
        loop {
            self.calls += 1;
            assert!(self.calls < 100_000, "it goes round and round: {:?}", self.relay);
            self.relay.expired(&self.now);
            self.assert_sound();
            let interest = self.relay.interest();
            let reads_first = self.pieces.toss();
            match self.relay.step() {
                Step::Finish => {
                    let was_cut = self.relay.was_cut();
                    self.relay.finish(&self.now);
                    assert_eq!(self.relay.was_cut(), was_cut);
                    for peer in [&mut self.client, &mut self.backend] {
                        peer.heard_end |= !was_cut;
                    }
                    return self;
                }
                Step::Connect => self.connect(),
                Step::ShutClient => {
                    assert!(!self.client.heard_end, "told twice");
                    self.client.heard_end = true;
                    self.relay.client_shut();
                }
                Step::ShutBackend => {
                    assert!(!self.backend.heard_end, "told twice");
                    self.backend.heard_end = true;
                    self.relay.backend_shut();
                }
                Step::StartProbes => self.relay.probes_started(),
                // One move a time: what comes next may be another thing.
                _ => {
                    let moved = reads_first && (self.read_client(&interest) || self.read_backend(&interest))
                        || self.write_backend(&interest)
                        || self.write_client(&interest)
                        || self.read_backend(&interest)
                        || self.read_client(&interest)
                        || self.attempt_is_through();
                    if !moved {
                        return self;
                    }
                }
            }
        }
    }

    /// What holds at every moment.
    fn assert_sound(&self) {
        let (relay, interest) = (&self.relay, self.relay.interest());
        let is_over = matches!(relay.state, State::Over { .. });
        assert_eq!(relay.deadline().is_none(), is_over, "only the end waits for nothing: {relay:?}");
        assert!(!is_over || relay.step() == Step::Finish && interest == Interest::NONE, "{relay:?}");
        let is_joined = matches!(relay.state, State::Joined { .. });
        if is_joined && relay.step() == Step::Transfer {
            assert_ne!(interest, Interest::NONE, "it would wait for its deadline only: {relay:?}");
        }
        assert_eq!(relay.is_connecting(), matches!(relay.state, State::Connecting { .. }));
        assert_eq!(relay.needs_backend(), !is_joined && !is_over);
        for (flow, pipe) in [(&relay.up, 0), (&relay.down, 1)] {
            let in_pipe = self.pipes.as_ref().map_or(0, |pipes| pipes[pipe].len());
            assert_eq!(flow.piped, in_pipe);
            assert!(flow.piped == 0 || flow.buffer.is_empty(), "order would be lost: {flow:?}");
            assert!(flow.buffer.len() <= BULK_BUFFER_BYTES && flow.piped <= PIPE_BYTES);
            assert!(
                !flow.end_passed_on || flow.is_through(),
                "told of an end before the last byte: {flow:?}"
            );
        }
        let header = PROXY_HEADER_BYTES_MAX;
        assert!(self.backend.got.len() <= self.client.said + header, "bytes go out again and again");
        assert!(self.client.got.len() <= self.backend.said, "bytes go out again and again");
        assert!(!interest.read_client || !relay.up.ended);
        assert!(!interest.read_backend || is_joined && !relay.down.ended);
    }

    fn connect(&mut self) {
        self.attempt = None;
        let Some(address) = self.relay.choose_backend(&self.now, waker) else { return };
        self.tried.push(address);
        match self.attempts.pop_front().unwrap_or(Attempt::Accepted) {
            Attempt::Accepted => self.relay.connected(&self.now),
            Attempt::Refused => self.relay.connect_failed(How::Refused, &self.now),
            Attempt::Impossible => self.relay.connect_failed(How::Limited, &self.now),
            later => self.attempt = Some(later),
        }
    }

    fn attempt_is_through(&mut self) -> bool {
        match self.attempt {
            Some(Attempt::AcceptedLate) => self.relay.connected(&self.now),
            Some(Attempt::RefusedLate) => self.relay.connect_failed(How::Refused, &self.now),
            _ => return false,
        }
        self.attempt = None;
        true
    }

    fn read_client(&mut self, interest: &Interest) -> bool {
        let Line { relay, client, .. } = self;
        if !interest.read_client {
            return false;
        }
        let Some(rest) = client.next_bytes() else {
            relay.client_space();
            relay.nothing_from_client();
            return false;
        };
        if rest.is_empty() && client.then == Then::Resets {
            relay.client_failed();
            return true;
        }
        match &mut self.pipes {
            Some([pipe, _]) if relay.client_may_be_piped() => {
                assert!(pipe.is_empty() && relay.up.buffer.is_empty());
                let count = match rest.len().min(PIPE_BYTES) {
                    0 => 0,
                    available => self.pieces.next(client.said, available),
                };
                pipe.extend(&rest[..count]);
                client.said += count;
                self.piped += count;
                relay.client_piped(count, &self.now);
            }
            _ => {
                let space = relay.client_space();
                assert!(!space.is_empty(), "a read into no room looks like the end of the stream");
                let count = match rest.len().min(space.len()) {
                    0 => 0,
                    available => self.pieces.next(client.said, available),
                };
                space[..count].copy_from_slice(&rest[..count]);
                client.said += count;
                relay.client_received(count, &self.now);
            }
        }
        true
    }

    fn read_backend(&mut self, interest: &Interest) -> bool {
        let Line { relay, backend, .. } = self;
        if !interest.read_backend {
            return false;
        }
        let Some(rest) = backend.next_bytes() else {
            relay.backend_space();
            relay.nothing_from_backend();
            return false;
        };
        if rest.is_empty() && backend.then == Then::Resets {
            relay.backend_failed();
            return true;
        }
        match &mut self.pipes {
            Some([_, pipe]) if relay.backend_may_be_piped() => {
                assert!(pipe.is_empty() && relay.down.buffer.is_empty());
                let count = match rest.len().min(PIPE_BYTES) {
                    0 => 0,
                    available => self.pieces.next(backend.said, available),
                };
                pipe.extend(&rest[..count]);
                backend.said += count;
                self.piped += count;
                relay.backend_piped(count, &self.now);
            }
            _ => {
                let space = relay.backend_space();
                assert!(!space.is_empty(), "a read into no room looks like the end of the stream");
                let count = match rest.len().min(space.len()) {
                    0 => 0,
                    available => self.pieces.next(backend.said, available),
                };
                space[..count].copy_from_slice(&rest[..count]);
                backend.said += count;
                relay.backend_received(count, &self.now);
            }
        }
        true
    }

    fn write_backend(&mut self, interest: &Interest) -> bool {
        if !interest.write_backend || matches!(self.attempt, Some(Attempt::Ignored | Attempt::RefusedLate)) {
            return false;
        }
        if self.attempt.take().is_some() {
            // That bytes go out is how a driver learns that the connection is there.
            self.relay.connected(&self.now);
        }
        if self.backend.room() == 0 {
            if self.backend.breaks {
                self.relay.backend_failed();
            }
            return self.backend.breaks;
        }
        let pipe = self.pipes.as_mut().map(|[pipe, _]| pipe);
        let count = take(pipe, self.relay.backend_output(), &mut self.backend, &mut self.pieces);
        self.relay.backend_sent(count, &self.now);
        true
    }

    fn write_client(&mut self, interest: &Interest) -> bool {
        if !interest.write_client {
            return false;
        }
        if self.client.room() == 0 {
            if self.client.breaks {
                self.relay.client_failed();
            }
            return self.client.breaks;
        }
        let pipe = self.pipes.as_mut().map(|[_, pipe]| pipe);
        let count = take(pipe, self.relay.client_output(), &mut self.client, &mut self.pieces);
        self.relay.client_sent(count, &self.now);
        true
    }

    /// Lets the time pass up to the deadline, and serves on. The first deadline of a silent relay only starts the
    /// probes: the time passes on to the next.
    fn waits(&mut self) -> &mut Line {
        let probes = self.relay.probes;
        let wait = self.relay.deadline().expect("it waits").saturating_duration_since(self.now.instant);
        self.now = self.now.after(wait);
        self.run();
        if self.relay.probes == probes { self } else { self.waits() }
    }

    fn outcome(&self) -> Option<String> {
        match &self.relay.state {
            State::Over { outcome, .. } => Some(outcome.to_string()),
            _ => None,
        }
    }

    fn told(&self) -> Vec<String> {
        self.told.0.lock().unwrap().clone()
    }

    #[track_caller]
    fn assert_all_arrived(&self) {
        assert!(self.backend.got == self.client.says, "{:?}", self.pieces);
        assert!(self.client.got == self.backend.says, "{:?}", self.pieces);
        assert!(self.client.heard_end && self.backend.heard_end);
        assert_eq!(self.outcome().as_deref(), Some("finished"));
        let (up, down) = (self.client.says.len(), self.backend.says.len());
        let closing = format!("finished: {} in={up} out={down} retries=0", self.tried[0]);
        assert_eq!(self.told().last(), Some(&closing));
    }

    /// Neither got what the other did not say.
    #[track_caller]
    fn assert_nothing_made_up(&self) {
        assert!(self.client.says.starts_with(&self.backend.got), "{:?}", self.pieces);
        assert!(self.backend.says.starts_with(&self.client.got), "{:?}", self.pieces);
    }
}

/// A peer takes some bytes: of the pipe if that holds any, else of `output`.
fn take(pipe: Option<&mut VecDeque<u8>>, output: &[u8], peer: &mut Peer, pieces: &mut Pieces) -> usize {
    let (room, at) = (peer.room(), peer.got.len());
    let pipe = pipe.filter(|pipe| !pipe.is_empty());
    let available = pipe.as_ref().map_or(output.len(), |pipe| pipe.len());
    assert!(available > 0, "a write of nothing");
    let count = pieces.next(at, available.min(room));
    match pipe {
        Some(pipe) => {
            assert!(output.is_empty(), "two places to send from");
            peer.got.extend(pipe.drain(..count));
        }
        None => peer.got.extend(&output[..count]),
    }
    count
}

/// Bytes that show where they belong.
fn stream(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|index| (index / 251) as u8 ^ (index % 251) as u8 ^ seed).collect()
}

/// The same connection in all pieces, with and without pipes, with a prompt and a late back end.
fn all_ways(client: &Peer, backend: &Peer) -> Vec<Line> {
    let length = client.says.len().max(backend.says.len());
    let mut lines = Vec::new();
    for pieces in all_pieces(length) {
        for (is_piped, attempt) in
            [(false, Attempt::Accepted), (true, Attempt::Accepted), (true, Attempt::AcceptedLate)]
        {
            let line = Line::new(client.clone(), backend.clone()).attempts(&[attempt]).in_pieces(pieces);
            let mut line = if is_piped { line.piped() } else { line };
            line.run();
            lines.push(line);
        }
    }
    lines
}
