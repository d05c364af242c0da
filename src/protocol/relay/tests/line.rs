//! Whole relayed connections without a socket: a client and a back end in memory, and a driver between
//! them that does only what the machine asks for.

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

    /// Lets the time pass up to the deadline, and serves on.
    fn waits(&mut self) -> &mut Line {
        let wait = self.relay.deadline().expect("it waits").saturating_duration_since(self.now.instant);
        self.now = self.now.after(wait);
        self.run()
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

#[test]
fn every_byte_arrives_and_both_ends_are_passed_on() {
    let (question, answer) = (says("question"), says(b"\0answer\xff"));
    for (client, backend) in [
        (question.clone(), answer.clone()),
        (question.clone(), answer.clone().listens_first()),
        (question.clone().listens_first(), answer.clone()),
        (says(""), answer.listens_first()),
        (question.listens_first(), says("")),
        (says(""), says("")),
    ] {
        for line in all_ways(&client, &backend) {
            line.assert_all_arrived();
        }
    }
}

#[test]
fn long_streams_both_ways_at_once() {
    let (up, down) = (stream(1, 300_000), stream(2, 270_001));
    for pieces in [Pieces::Whole, Pieces::CutAt(BUFFER_BYTES), Pieces::Dice(1), Pieces::Dice(2)] {
        let line = || Line::new(says(up.clone()), says(down.clone())).in_pieces(pieces);
        line().run().assert_all_arrived();
        let mut piped = line().piped();
        piped.run().assert_all_arrived();
        if matches!(pieces, Pieces::Whole) {
            // All but what shows that the stream is long.
            assert_eq!(piped.piped, up.len() + down.len() - 2 * BUFFER_BYTES);
        }
    }
}

#[test]
fn a_reader_that_stops_holds_up_its_sender_and_nobody_else() {
    let (long, most) = (stream(3, 1_000_000), 2 * BULK_BUFFER_BYTES + PIPE_BYTES);
    for pieces in [Pieces::Whole, Pieces::Dice(3), Pieces::Dice(4)] {
        for is_piped in [false, true] {
            let prepared = |line: Line| match is_piped {
                true => line.in_pieces(pieces).piped(),
                false => line.in_pieces(pieces),
            };
            let mut line = prepared(Line::new(says(long.clone()), says(stream(4, 90_000)).takes(20_000)));
            line.run();
            assert!(line.client.said >= 20_000 && line.client.said <= 20_000 + most);
            assert_eq!(line.client.got, line.backend.says);
            assert!(line.client.heard_end && !line.backend.heard_end);
            line.waits();
            assert_eq!(line.outcome().as_deref(), Some("client timed out in relay"));
            assert!(line.relay.was_cut());
            line.assert_nothing_made_up();

            let mut line = prepared(Line::new(says(stream(4, 90_000)).takes(20_000), says(long.clone())));
            line.run();
            assert!(line.backend.said >= 20_000 && line.backend.said <= 20_000 + most);
            assert_eq!(line.backend.got, line.client.says);
            line.waits();
            assert_eq!(line.outcome().as_deref(), Some("back end timed out in relay"));
            line.assert_nothing_made_up();
        }
    }
}

#[test]
fn a_failure_of_either_side_ends_both_with_a_reset() {
    for (client, backend, outcome) in [
        (says("satu").resets(), says("").holds(), "client reset in relay"),
        (says("").holds(), says("dua").resets(), "back end reset in relay"),
        (says("").holds().breaks(2), says("dua"), "client reset in relay"),
        (says("satu"), says("").holds().breaks(2), "back end reset in relay"),
    ] {
        for line in all_ways(&client, &backend) {
            assert_eq!(line.outcome().as_deref(), Some(outcome), "{:?}", line.pieces);
            assert!(line.relay.was_cut());
            line.assert_nothing_made_up();
        }
    }
}

#[test]
fn what_the_client_says_meanwhile_goes_to_the_back_end_that_accepts() {
    let group = || Arc::new(Group::new("test", backends(4)));
    for failing in [
        [Attempt::Refused, Attempt::RefusedLate, Attempt::Ignored],
        [Attempt::Ignored, Attempt::Refused, Attempt::RefusedLate],
    ] {
        for last in [Attempt::Accepted, Attempt::AcceptedLate] {
            let line = Line::of(group(), says("satu"), says("dua").listens_first());
            let mut line = line.attempts(&[&failing[..], &[last]].concat());
            line.run();
            let began = line.now.instant;
            assert!(line.relay.is_connecting() && line.backend.got.is_empty());
            assert_eq!(line.client.said, 4, "it is read from while it waits");
            line.waits();
            assert_eq!(line.now.instant - began, Timeouts::default().connect);
            assert_eq!(
                (line.backend.got.as_slice(), line.client.got.as_slice()),
                (&b"satu"[..], &b"dua"[..])
            );
            let tried: std::collections::BTreeSet<_> = line.tried.iter().collect();
            assert_eq!(tried.len(), 4, "each once: {:?}", line.tried);
            let backend = line.tried[3];
            let closing = format!("finished: {backend} in=4 out=3 retries=3");
            assert_eq!(line.told(), [format!("from {}", client()), format!("to {backend}"), closing]);
        }
    }
}

#[test]
fn with_none_left_to_try_it_ends_without_a_reset() {
    let group = Arc::new(Group::new("test", backends(2)));
    let mut line = Line::of(Arc::clone(&group), says("satu"), says(""));
    line = line.attempts(&[Attempt::RefusedLate, Attempt::Refused]);
    line.run();
    assert_eq!(line.told().last().unwrap(), "back end refused in connect: - in=4 out=0 retries=2");
    assert!(!line.relay.was_cut());
    let failures: Vec<_> = group.backends().iter().map(|backend| backend.failures_reported()).collect();
    assert_eq!(failures, [1, 1]);
    assert!(group.backends().iter().all(|backend| backend.active() == 0));
}

#[test]
fn a_limit_of_ours_is_no_fault_of_the_back_end() {
    let group = Arc::new(Group::new("test", backends(2)));
    let mut line = Line::of(Arc::clone(&group), says("satu"), says("")).attempts(&[Attempt::Impossible]);
    line.run();
    assert_eq!(line.tried.len(), 1, "another one would not help");
    assert_eq!(line.told().last().unwrap(), "we hit a limit in connect: - in=0 out=0 retries=1");
    assert!(group.backends().iter().all(|backend| backend.failures_reported() == 0));
}

#[test]
fn who_waits_in_the_queue_is_read_from_until_the_buffer_is_full() {
    let group = Arc::new(Group::limited("test", backends(1), 1));
    let mut first = Line::of(Arc::clone(&group), says("").holds(), says("").holds());
    first.run();
    let said = stream(5, 3 * BULK_BUFFER_BYTES);
    let mut second = Line::of(Arc::clone(&group), says(said.clone()), says("dua").listens_first()).piped();
    second.run();
    assert_eq!((second.relay.step(), second.client.said), (Step::Queue, BUFFER_BYTES));
    assert_eq!(group.waiting(), 1);
    drop(first);
    second.run();
    second.assert_all_arrived();
    assert_eq!(second.tried, backends(1));
}

#[test]
fn a_header_in_any_pieces_is_read_and_told_on() {
    let policy = |send| Policy { accept: true, trust: vec!["127.0.0.0/8".parse().unwrap()], send };
    let header = b"PROXY TCP4 203.0.113.9 198.51.100.1 1 80\r\n";
    let input = says([&header[..], b"satu"].concat());
    for (send, told) in [(None, &b""[..]), (Some(Version::V1), &header[..])] {
        for pieces in all_pieces(input.says.len()) {
            let group = Arc::new(Group::new("test", backends(1)));
            let line = Line::coming_through(&policy(send), group, input.clone(), says("dua"));
            let mut line = line.in_pieces(pieces);
            line.run();
            assert_eq!(line.backend.got, [told, b"satu"].concat(), "{pieces:?}");
            assert_eq!(line.client.got, b"dua");
            assert_eq!(line.told()[..2], ["from 203.0.113.9:1", "to 127.0.0.1:9001"]);
            assert_eq!(line.outcome().as_deref(), Some("finished"));
        }
    }
    for cut in 1..header.len() {
        let (group, cut) = (Arc::new(Group::new("test", backends(1))), says(&header[..cut]));
        let mut line = Line::coming_through(&policy(None), group, cut, says("dua"));
        line.run();
        assert_eq!(line.outcome().as_deref(), Some("client closed in PROXY header"));
        assert!(line.tried.is_empty() && !line.relay.was_cut());
    }
}

fn peer() -> impl Strategy<Value = Peer> {
    // Mostly short, now and then long enough for pipes.
    let length = prop_oneof![0..200usize, 0..200_000usize];
    (length, any::<u8>(), any::<bool>())
        .prop_map(|(length, seed, listens_first)| Peer { listens_first, ..says(stream(seed, length)) })
}

fn faulty_peer() -> impl Strategy<Value = Peer> {
    let then = prop_oneof![Just(Then::Holds), Just(Then::Ends), Just(Then::Resets)];
    (peer(), then, prop::option::of(0..100_000usize), any::<bool>())
        .prop_map(|(peer, then, takes, breaks)| Peer { then, takes, breaks, ..peer })
}

fn attempt() -> impl Strategy<Value = Attempt> {
    prop_oneof![
        4 => Just(Attempt::Accepted),
        4 => Just(Attempt::AcceptedLate),
        1 => Just(Attempt::Refused),
        1 => Just(Attempt::RefusedLate),
        1 => Just(Attempt::Ignored),
        1 => Just(Attempt::Impossible),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn streams_of_any_length_arrive_whole_in_any_pieces(
        mut client in peer(), mut backend in peer(), is_late: bool, is_piped: bool, seed: u64,
    ) {
        // Two that both wait for the other one to end would wait for ever.
        client.listens_first &= !backend.listens_first;
        backend.listens_first &= !client.listens_first;
        let attempt = if is_late { Attempt::AcceptedLate } else { Attempt::Accepted };
        let line = Line::new(client, backend).attempts(&[attempt]).in_pieces(Pieces::Dice(seed));
        let mut line = if is_piped { line.piped() } else { line };
        line.run();
        line.assert_all_arrived();
    }

    #[test]
    fn whatever_fails_it_ends_in_time_and_makes_nothing_up(
        client in faulty_peer(), backend in faulty_peer(), attempts in prop::collection::vec(attempt(), 4),
        is_piped: bool, seed: u64,
    ) {
        let group = Arc::new(Group::new("test", backends(3)));
        let line = Line::of(Arc::clone(&group), client, backend).attempts(&attempts);
        let line = line.in_pieces(Pieces::Dice(seed));
        let mut line = if is_piped { line.piped() } else { line };
        line.run();
        // A deadline for each attempt, and one for the silence.
        for _ in 0..4 {
            if line.outcome().is_none() {
                line.waits();
            }
        }
        let outcome = line.outcome();
        prop_assert!(outcome.is_some(), "{:?}", line.relay);
        line.assert_nothing_made_up();
        if outcome.as_deref() == Some("finished") {
            line.assert_nothing_made_up();
            prop_assert!(line.client.says == line.backend.got && line.backend.says == line.client.got);
        }
        prop_assert_eq!(line.told().iter().filter(|line| line.contains("retries=")).count(), 1);
        drop(line);
        prop_assert!(group.backends().iter().all(|backend| backend.active() == 0));
    }
}
