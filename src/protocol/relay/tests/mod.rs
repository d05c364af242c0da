//! Relays without a socket: bytes, ends and moments go in by hand.

mod line;

use super::*;
use crate::balance::limits::BACKEND_QUEUE;
use crate::protocol::event::{Connection, Observer};
use crate::protocol::proxy_header::{Policy, Version};
use crate::protocol::testing::{context, drawn_states};
use std::net::SocketAddr;
use std::task::Waker;
use std::time::Duration;

fn now() -> Now {
    Now { instant: Instant::now(), wall: std::time::UNIX_EPOCH }
}

fn relay(backends: usize, now: &Now) -> Relay {
    let addresses = (0..backends).map(|index| SocketAddr::from(([127, 0, 0, 1], 9001 + index as u16)));
    let group = Arc::new(Group::new("test", addresses.collect()));
    let client = SocketAddr::from(([127, 0, 0, 1], 40_000));
    Relay::new(service(group), client, now.instant, now)
}

fn service(group: Arc<Group>) -> Arc<RelayService> {
    Arc::new(RelayService { context: Arc::new(context(Timeouts::default())), group })
}

fn waker() -> Waker {
    Waker::noop().clone()
}

#[test]
fn one_that_finds_all_full_waits_for_its_turn_or_its_deadline() {
    let now = now();
    let group = Arc::new(Group::limited("test", vec![SocketAddr::from(([127, 0, 0, 1], 9001))], 1));
    let open = || {
        let client = SocketAddr::from(([127, 0, 0, 1], 40_000));
        Relay::new(service(Arc::clone(&group)), client, now.instant, &now)
    };
    let (mut first, mut second, mut third) = (open(), open(), open());
    assert!(first.choose_backend(&now, waker).is_some());
    first.connected(&now);
    for late in [&mut second, &mut third] {
        assert_eq!(late.choose_backend(&now, waker), None);
        let interest = late.interest();
        assert_eq!(late.step(), Step::Queue);
        assert!(interest.watch_client && interest.read_client, "{interest:?}");
        // What it says meanwhile is kept, and so is that it has finished saying it.
        late.client_space()[..4].copy_from_slice(b"satu");
        late.client_received(4, &now);
        late.client_received(0, &now);
    }
    first.drained();
    assert_eq!(second.step(), Step::Queue, "the connection of the first is not closed yet");
    drop(first);
    assert_eq!((second.step(), third.step()), (Step::Connect, Step::Queue));
    assert!(second.choose_backend(&now, waker).is_some());
    second.connected(&now);
    assert_eq!(second.backend_output(), b"satu");
    assert_eq!(third.deadline(), Some(now.instant + Timeouts::default().connect));
    third.expired(&now.after(Timeouts::default().connect));
    assert!(third.step() == Step::Finish && !third.was_cut());
    let State::Over { outcome, .. } = &third.state else { panic!("{third:?}") };
    assert_eq!(outcome.to_string(), "we timed out in queue");
    assert_eq!(group.waiting(), 0);
}

fn joined(now: &Now) -> Relay {
    let mut relay = relay(1, now);
    relay.choose_backend(now, waker).unwrap();
    relay.connected(now);
    relay
}

fn from_client(relay: &mut Relay, bytes: &[u8], now: &Now) {
    relay.client_space()[..bytes.len()].copy_from_slice(bytes);
    relay.client_received(bytes.len(), now);
}

fn from_backend(relay: &mut Relay, bytes: &[u8], now: &Now) {
    relay.backend_space()[..bytes.len()].copy_from_slice(bytes);
    relay.backend_received(bytes.len(), now);
}

#[test]
fn all_back_ends_are_tried_until_one_accepts_or_the_time_to_connect_is_spent() {
    let (now, connect) = (now(), Timeouts::default().connect);
    let mut last = relay(9, &now);
    for _ in 0..8 {
        last.choose_backend(&now, waker).unwrap();
        last.connect_failed(How::Refused, &now);
    }
    last.choose_backend(&now, waker).expect("the ninth is left");
    last.connected(&now);
    assert!(!last.needs_backend());

    let mut slow = relay(9, &now);
    let later = now.after(connect / 2);
    for _ in 0..4 {
        slow.choose_backend(&now, waker).unwrap();
        slow.connect_failed(How::Refused, &now);
    }
    slow.choose_backend(&later, waker).unwrap();
    assert_eq!(slow.connect_timeout(&later), connect / 2, "what is left of the time for all");
    slow.expired(&now.after(connect));
    assert_eq!(slow.choose_backend(&now.after(connect), waker), None);
    assert_eq!(slow.step(), Step::Finish);
}

#[test]
fn bytes_go_both_ways_and_ends_are_passed_on() {
    let now = now();
    let mut relay = joined(&now);
    from_client(&mut relay, b"\0question\xff", &now);
    assert_eq!(relay.backend_output(), b"\0question\xff");
    relay.client_received(0, &now);
    assert_eq!(relay.step(), Step::Transfer, "bytes are still to go");
    relay.backend_sent(10, &now);
    assert_eq!(relay.step(), Step::ShutBackend);
    relay.backend_shut();
    assert_eq!(relay.step(), Step::Transfer);
    assert!(!relay.interest().read_client && relay.interest().read_backend);
    from_backend(&mut relay, b"answer", &now);
    relay.backend_received(0, &now);
    assert_eq!(relay.step(), Step::Transfer, "the answer is still to go");
    relay.client_sent(6, &now);
    assert_eq!(relay.step(), Step::Finish);
    relay.finish(&now);
    assert!(!relay.was_cut(), "all of it has arrived");
}

#[test]
fn a_back_end_that_ends_first_leaves_the_client_talking() {
    let now = now();
    let mut relay = joined(&now);
    relay.backend_received(0, &now);
    assert!(relay.step() == Step::ShutClient && relay.interest().read_client);
    relay.client_shut();
    from_client(&mut relay, b"more", &now);
    relay.backend_sent(4, &now);
    relay.client_received(0, &now);
    assert_eq!(relay.step(), Step::Finish);
}

#[test]
fn a_slow_reader_stops_the_reading_not_the_other_direction() {
    let now = now();
    let mut relay = joined(&now);
    from_backend(&mut relay, &[0; BUFFER_BYTES], &now);
    assert!(!relay.interest().read_backend && relay.interest().read_client);
    relay.client_sent(1, &now);
    assert!(relay.interest().read_backend);
}

#[test]
fn a_long_stream_may_be_piped_while_it_lasts() {
    let now = now();
    let mut relay = joined(&now);
    assert!(!relay.backend_may_be_piped(), "nothing has come yet");
    from_backend(&mut relay, b"short", &now);
    relay.client_sent(5, &now);
    assert!(!relay.backend_may_be_piped(), "that filled no buffer");
    from_backend(&mut relay, &[b'a'; BUFFER_BYTES], &now);
    assert!(!relay.backend_may_be_piped(), "the buffer goes first");
    relay.client_sent(BUFFER_BYTES, &now);
    assert!(relay.backend_may_be_piped(), "a read has filled the buffer");
    relay.backend_piped(BUFFER_BYTES, &now);
    assert!(!relay.backend_may_be_piped() && !relay.interest().read_backend, "the pipe goes first");
    assert!(relay.interest().write_client && relay.client_output().is_empty());
    relay.client_sent(BUFFER_BYTES - 1, &now);
    assert_eq!(relay.down.piped, 1);
    relay.client_sent(1, &now);
    assert!(relay.backend_may_be_piped(), "as much came as a buffer holds: it goes on");
    relay.backend_piped(4, &now);
    relay.client_sent(4, &now);
    assert!(!relay.backend_may_be_piped() && relay.interest().read_backend, "that was a short one");
    relay.backend_piped(0, &now);
    relay.client_received(0, &now);
    assert_eq!(relay.step(), Step::Finish);
}

#[test]
fn each_candidate_is_tried_once_and_then_it_is_over() {
    let now = now();
    let mut relay = relay(2, &now);
    let first = relay.choose_backend(&now, waker).unwrap();
    relay.connect_failed(How::Refused, &now);
    assert_eq!(relay.step(), Step::Connect);
    let second = relay.choose_backend(&now, waker).unwrap();
    assert_ne!(first, second);
    relay.connect_failed(How::Refused, &now);
    assert_eq!(relay.choose_backend(&now, waker), None);
    assert!(relay.step() == Step::Finish && !relay.was_cut());
}

/// A relay whose clients come through proxies of 10.0.0.0/8, and whose back ends are told of them.
fn introduced(peer: &str, now: &Now) -> Relay {
    let trust = vec!["10.0.0.0/8".parse().unwrap()];
    let policy = Policy { accept: true, trust, send: Some(Version::V1) };
    let caller = policy.identify(peer.parse().unwrap(), || Ok("10.0.0.2:80".parse().unwrap()));
    let group = Arc::new(Group::new("test", vec![SocketAddr::from(([127, 0, 0, 1], 9001))]));
    Relay::new(service(group), caller, now.instant, now)
}

#[test]
fn a_header_is_waited_for_and_told_on_ahead_of_all_else() {
    let now = now();
    let header = b"PROXY TCP4 203.0.113.9 198.51.100.1 1 80\r\n";
    for cut in 0..=header.len() {
        let mut relay = introduced("10.0.0.1:1", &now);
        assert_eq!(relay.deadline(), Some(now.instant + Timeouts::default().header));
        if cut > 0 {
            from_client(&mut relay, &header[..cut], &now);
        }
        assert_eq!(relay.step() == Step::Connect, cut == header.len());
        if relay.step() == Step::Connect {
            assert_eq!(relay.choose_backend(&now, waker), Some(SocketAddr::from(([127, 0, 0, 1], 9001))));
        }
        from_client(&mut relay, &[&header[cut..], b"behind"].concat(), &now);
        relay.choose_backend(&now, waker);
        relay.connected(&now);
        assert_eq!(relay.backend_output(), [&header[..], b"behind"].concat(), "{cut}");
    }
}

#[test]
fn what_comes_with_a_short_header_leaves_room_for_a_longer_one() {
    let now = now();
    let mut relay = introduced("10.0.0.1:1", &now);
    let space = relay.client_space();
    let count = space.len();
    assert!(count < BUFFER_BYTES);
    space.fill(b'x');
    space[..15].copy_from_slice(b"PROXY UNKNOWN\r\n");
    relay.client_received(count, &now);
    let output = relay.backend_output();
    assert!(output.starts_with(b"PROXY TCP4 10.0.0.1 10.0.0.2 1 80\r\nxxx"), "the peer itself");
    assert!(output.ends_with(&vec![b'x'; count - 15]));
}

#[test]
fn without_its_header_a_client_has_no_back_end() {
    let start = now();
    let outcome = |relay: &Relay| match relay.state {
        State::Over { outcome, .. } => Some((outcome.who, outcome.how, outcome.phase)),
        _ => None,
    };
    let relay = introduced("192.0.2.1:1", &start);
    assert_eq!(outcome(&relay), Some((Who::Us, How::Refused, Phase::ProxyHeader)));
    let mut relay = introduced("10.0.0.1:1", &start);
    from_client(&mut relay, b"GET /", &start);
    assert_eq!(outcome(&relay), Some((Who::Client, How::Malformed, Phase::ProxyHeader)));
    let mut relay = introduced("10.0.0.1:1", &start);
    relay.expired(&start.after(Timeouts::default().header));
    assert_eq!(outcome(&relay), Some((Who::Client, How::TimedOut, Phase::ProxyHeader)));
    let mut relay = introduced("10.0.0.1:1", &start);
    relay.client_received(0, &start);
    assert_eq!(outcome(&relay), Some((Who::Client, How::Closed, Phase::Idle)));
    assert!(relay.step() == Step::Finish && !relay.was_cut());
}

#[test]
fn silence_has_a_deadline_and_half_a_relay_a_shorter_one() {
    let start = now();
    let mut relay = joined(&start);
    let timeouts = Timeouts::default();
    assert_eq!(relay.deadline(), Some(start.instant + timeouts.relay_idle));
    let later = start.after(Duration::from_secs(5));
    from_client(&mut relay, b"x", &later);
    assert_eq!(relay.deadline(), Some(later.instant + timeouts.relay_idle));
    relay.client_received(0, &later);
    assert_eq!(relay.deadline(), Some(later.instant + timeouts.half_closed));
    relay.expired(&later);
    assert!(!relay.was_cut(), "not yet");
    relay.expired(&later.after(timeouts.half_closed));
    assert!(relay.was_cut() && relay.step() == Step::Finish);
}

/// A relay of which the last closing is kept, with its times.
#[derive(Debug, Default)]
struct LastClosing(std::sync::Mutex<String>);

impl Observer for LastClosing {
    fn wants_closings(&self) -> bool {
        true
    }

    fn observe(&self, _connection: &Connection<'_>, event: &Event<'_>) {
        if let Event::Closed(closing) = event {
            let Closing { queue, connect, first, total, bytes_in, bytes_out, retries, .. } = closing;
            *self.0.lock().unwrap() =
                format!("{queue:?} {connect:?} {first:?} {total:?} {bytes_in} {bytes_out} {retries}");
        }
    }
}

#[test]
fn the_closing_line_has_every_time_and_every_byte() {
    let accepted = now();
    let at = |seconds| accepted.after(Duration::from_secs(seconds));
    let observer = Arc::new(LastClosing::default());
    let context = RoleContext::new("test", Arc::clone(&observer) as Arc<dyn Observer>);
    let addresses = vec![SocketAddr::from(([127, 0, 0, 1], 9001)), SocketAddr::from(([127, 0, 0, 1], 9002))];
    let group = Arc::new(Group::limited("test", addresses, 1));
    let service = Arc::new(RelayService { context: Arc::new(context), group: Arc::clone(&group) });
    let client = SocketAddr::from(([127, 0, 0, 1], 40_000));
    let held = [(); 2].map(|()| group.next(&mut group.turn(), accepted.instant).unwrap());

    // One second until a worker takes it up, two in the queue.
    let mut relay = Relay::new(service, client, accepted.instant, &at(1));
    assert_eq!(relay.choose_backend(&at(2), waker), None);
    drop(held);
    assert!(relay.choose_backend(&at(4), waker).is_some());
    relay.connect_failed(How::Refused, &at(5));
    assert!(relay.choose_backend(&at(6), waker).is_some());
    relay.connected(&at(7));
    from_client(&mut relay, &[0; BUFFER_BYTES], &at(8));
    relay.backend_sent(BUFFER_BYTES, &at(8));
    relay.client_piped(100, &at(8));
    relay.backend_sent(100, &at(8));
    from_backend(&mut relay, b"satu", &at(9));
    relay.client_sent(3, &at(10));
    relay.client_sent(1, &at(10));
    relay.client_received(0, &at(11));
    relay.backend_received(0, &at(11));
    relay.finish(&at(12));
    let said = observer.0.lock().unwrap().clone();
    assert_eq!(said, format!("3s Some(3s) Some(9s) 12s {} 4 1", BUFFER_BYTES + 100));
}

#[test]
fn whatever_moves_starts_the_silence_anew() {
    let start = now();
    let moves: [fn(&mut Relay, &Now); 8] = [
        |relay, now| from_client(relay, b"x", now),
        |relay, now| from_backend(relay, b"x", now),
        |relay, now| relay.client_piped(1, now),
        |relay, now| relay.backend_piped(1, now),
        |relay, now| relay.backend_sent(1, now),
        |relay, now| relay.client_sent(1, now),
        |relay, now| relay.client_received(0, now),
        |relay, now| relay.backend_received(0, now),
    ];
    for (number, move_bytes) in moves.into_iter().enumerate() {
        let mut relay = joined(&start);
        if number == 4 {
            from_client(&mut relay, b"x", &start);
        } else if number == 5 {
            from_backend(&mut relay, b"x", &start);
        }
        let later = start.after(Duration::from_secs(7));
        move_bytes(&mut relay, &later);
        let silence = match number {
            6 | 7 => Timeouts::default().half_closed,
            _ => Timeouts::default().relay_idle,
        };
        assert_eq!(relay.deadline(), Some(later.instant + silence), "{number}");
    }
}

#[test]
fn each_attempt_has_the_time_of_a_connect_and_no_more() {
    let start = now();
    let limit = Timeouts::default().connect;
    let mut relay = relay(2, &start);
    assert_eq!(relay.connect_timeout(&start), limit);
    assert_eq!(relay.deadline(), Some(start.instant + limit));
    let chosen = start.after(Duration::from_secs(1));
    relay.choose_backend(&chosen, waker).unwrap();
    assert_eq!(relay.deadline(), Some(chosen.instant + limit));
    relay.expired(&chosen.after(limit - Duration::from_nanos(1)));
    assert_eq!(relay.step(), Step::Transfer, "not yet");
    let late = chosen.after(limit);
    relay.expired(&late);
    assert_eq!((relay.step(), relay.interest()), (Step::Connect, Interest::NONE));
    assert_eq!(relay.deadline(), Some(late.instant + limit));
    relay.choose_backend(&late, waker).unwrap();
    from_client(&mut relay, b"satu", &late);
    let interest = relay.interest();
    assert!(interest.read_client && interest.write_backend && !interest.read_backend, "{interest:?}");
    let later = late.after(Duration::from_secs(1));
    relay.connected(&later);
    assert_eq!(relay.deadline(), Some(later.instant + Timeouts::default().relay_idle));
}

#[test]
fn the_time_limits_are_those_of_the_role() {
    let now = now();
    let seconds = Duration::from_secs;
    let timeouts = Timeouts {
        header: seconds(1),
        connect: seconds(2),
        relay_idle: seconds(4),
        half_closed: seconds(8),
        ..Timeouts::default()
    };
    let group = Arc::new(Group::new("test", vec![SocketAddr::from(([127, 0, 0, 1], 9001))]));
    let service = Arc::new(RelayService { context: Arc::new(context(timeouts)), group });
    let policy = Policy { accept: true, trust: vec!["10.0.0.0/8".parse().unwrap()], send: None };
    let caller = policy.identify("10.0.0.1:1".parse().unwrap(), || Ok("10.0.0.2:80".parse().unwrap()));
    let mut relay = Relay::new(service, caller, now.instant, &now);
    let left = |relay: &Relay| relay.deadline().unwrap() - now.instant;
    assert_eq!(left(&relay), seconds(1));
    from_client(&mut relay, b"PROXY UNKNOWN\r\n", &now);
    assert_eq!(left(&relay), seconds(2));
    relay.choose_backend(&now, waker).unwrap();
    assert_eq!((left(&relay), relay.connect_timeout(&now)), (seconds(2), seconds(2)));
    relay.connected(&now);
    assert_eq!(left(&relay), seconds(4));
    relay.client_received(0, &now);
    assert_eq!(left(&relay), seconds(8));
}

fn outcome(relay: &Relay) -> String {
    let State::Over { outcome, .. } = &relay.state else { panic!("{relay:?}") };
    outcome.to_string()
}

#[test]
fn an_end_from_outside_tells_its_phase() {
    let now = now();
    let connecting = || {
        let mut relay = relay(1, &now);
        relay.choose_backend(&now, waker).unwrap();
        relay
    };
    let entering = || introduced("10.0.0.1:1", &now);
    let group = Arc::new(Group::limited("test", vec![SocketAddr::from(([127, 0, 0, 1], 9001))], 1));
    let _held = group.next(&mut group.turn(), now.instant).unwrap();
    let queued = || {
        let client = SocketAddr::from(([127, 0, 0, 1], 40_000));
        let mut relay = Relay::new(service(Arc::clone(&group)), client, now.instant, &now);
        assert_eq!(relay.choose_backend(&now, waker), None);
        relay
    };
    for (mut relay, phase, cut) in [
        (entering(), "in PROXY header", false),
        (queued(), "in queue", false),
        (connecting(), "in relay", true),
        (joined(&now), "in relay", true),
    ] {
        relay.drained();
        assert_eq!((outcome(&relay), relay.was_cut()), (format!("we drained {phase}"), cut));
    }
    for (mut relay, phase) in
        [(entering(), "in PROXY header"), (queued(), "in queue"), (joined(&now), "in relay")]
    {
        relay.client_failed();
        assert_eq!(outcome(&relay), format!("client reset {phase}"));
        // The first end is the one that counts.
        relay.backend_failed();
        relay.drained();
        relay.finish(&now);
        assert_eq!(outcome(&relay), format!("client reset {phase}"));
    }
    assert_eq!(group.waiting(), 0);
}

#[test]
fn an_answer_to_a_connect_that_nobody_waits_for_changes_nothing() {
    let now = now();
    let mut relay = joined(&now);
    relay.connected(&now);
    relay.connect_failed(How::Refused, &now);
    assert_eq!(relay.choose_backend(&now, waker), None);
    assert!(!relay.needs_backend() && relay.step() == Step::Transfer);
    assert_eq!(relay.service.group.backends()[0].failures_reported(), 0);
}

#[test]
fn a_tunnel_begins_with_what_was_read_before_it() {
    let now = now();
    let buffer = |bytes: &[u8]| {
        let mut buffer = Buffer::new();
        assert!(buffer.push(bytes));
        buffer
    };
    let group = Arc::new(Group::new("test", Vec::new()));
    let client = SocketAddr::from(([127, 0, 0, 1], 40_000));
    let buffers = [buffer(b"from client"), buffer(b"from backend")];
    let mut relay = Relay::join(service(group), client, None, buffers, &now);
    let interest = relay.interest();
    assert!(interest.write_backend && interest.write_client && interest.read_client && interest.read_backend);
    assert_eq!((relay.backend_output(), relay.client_output()), (&b"from client"[..], &b"from backend"[..]));
    relay.backend_sent(11, &now);
    relay.client_sent(12, &now);
    let interest = relay.interest();
    assert!(!interest.write_backend && !interest.write_client && interest.read_client);
}

#[test]
fn a_read_of_nothing_gives_the_memory_back_and_ends_the_long_stream() {
    let now = now();
    let mut relay = joined(&now);
    from_client(&mut relay, &[0; BUFFER_BYTES], &now);
    relay.backend_sent(BUFFER_BYTES, &now);
    from_backend(&mut relay, &[0; BUFFER_BYTES], &now);
    relay.client_sent(BUFFER_BYTES, &now);
    assert!(relay.client_may_be_piped() && relay.backend_may_be_piped());
    for _ in 0..2 {
        relay.client_space();
        relay.backend_space();
        assert!(relay.up.buffer.owns_memory() && relay.down.buffer.owns_memory());
        relay.nothing_from_client();
        assert!(!relay.up.buffer.owns_memory() && !relay.client_may_be_piped());
        relay.nothing_from_backend();
        assert!(!relay.down.buffer.owns_memory() && !relay.backend_may_be_piped());
    }
}

#[test]
fn a_pipe_that_is_empty_leaves_the_buffer_to_the_next_read() {
    let now = now();
    let mut relay = joined(&now);
    from_client(&mut relay, &[0; BUFFER_BYTES], &now);
    relay.backend_sent(BUFFER_BYTES, &now);
    relay.client_piped(BUFFER_BYTES - 1, &now);
    assert!(!relay.interest().read_client && relay.interest().write_backend);
    assert!(relay.step() == Step::Transfer && relay.backend_output().is_empty());
    // Its end is passed on only behind the bytes in the pipe.
    relay.backend_sent(BUFFER_BYTES - 2, &now);
    assert!(!relay.interest().read_client && relay.interest().write_backend);
    relay.backend_sent(1, &now);
    assert!(relay.interest().read_client && !relay.interest().write_backend);
    assert!(!relay.client_may_be_piped(), "less than a buffer came: it is no long stream any more");
    relay.client_piped(0, &now);
    assert_eq!(relay.step(), Step::ShutBackend);
}

/// The name of a state in the graph of the module's documentation.
fn name(relay: &Relay) -> &'static str {
    match relay.state {
        State::ProxyHeader { .. } => "ProxyHeader",
        State::Connecting { .. } => "Connecting",
        State::Queued { .. } => "Queued",
        State::Joined { .. } => "Joined",
        State::Over { .. } => "Over",
    }
}

#[test]
fn the_graph_of_the_documentation_is_walked() {
    let now = now();
    let mut seen = std::collections::BTreeSet::new();
    let mut is_at = |relay: &Relay, state: &'static str| {
        assert_eq!(name(relay), state);
        seen.insert(state);
    };
    // ProxyHeader --> Connecting --> next candidate --> Joined --> Over, by both ends.
    let mut relay = introduced("10.0.0.1:1", &now);
    is_at(&relay, "ProxyHeader");
    from_client(&mut relay, b"PROXY UNKNOWN\r\n", &now);
    is_at(&relay, "Connecting");
    relay.choose_backend(&now, waker).unwrap();
    relay.connected(&now);
    is_at(&relay, "Joined");
    relay.client_received(0, &now);
    relay.backend_received(0, &now);
    relay.backend_sent(relay.backend_output().len(), &now);
    is_at(&relay, "Joined");
    relay.finish(&now);
    is_at(&relay, "Over");

    // Connecting --> next candidate --> none left --> Over.
    let mut relay = self::relay(2, &now);
    for _ in 0..2 {
        relay.choose_backend(&now, waker).unwrap();
        relay.connect_failed(How::Refused, &now);
        is_at(&relay, "Connecting");
    }
    relay.choose_backend(&now, waker);
    is_at(&relay, "Over");

    // Connecting --> Queued --> Connecting --> Joined --> Over, by a reset.
    let group = Arc::new(Group::limited("test", vec![SocketAddr::from(([127, 0, 0, 1], 9001))], 1));
    let held = group.next(&mut group.turn(), now.instant).unwrap();
    let client = SocketAddr::from(([127, 0, 0, 1], 40_000));
    let open = || {
        let mut relay = Relay::new(service(Arc::clone(&group)), client, now.instant, &now);
        relay.choose_backend(&now, waker);
        relay
    };
    let mut waiting: Vec<Relay> = (0..BACKEND_QUEUE).map(|_| open()).collect();
    is_at(&waiting[0], "Queued");
    let refused = open();
    is_at(&refused, "Over");
    assert_eq!(outcome(&refused), "we hit a limit in queue");
    drop(held);
    let relay = &mut waiting[0];
    relay.choose_backend(&now, waker).unwrap();
    is_at(relay, "Connecting");
    relay.connected(&now);
    relay.backend_failed();
    is_at(relay, "Over");
    assert_eq!(seen, drawn_states(include_str!("../mod.rs")), "all that is drawn, and nothing else");
}
