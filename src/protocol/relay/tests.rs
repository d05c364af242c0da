//! Relays without a socket: bytes, ends and moments go in by hand.

use super::*;
use crate::protocol::proxy_header::{Policy, Version};
use crate::protocol::testing::context;
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
    from_backend(&mut relay, &[b'a'; BUFFER_BYTES], &now);
    assert!(!relay.backend_may_be_piped(), "the buffer goes first");
    relay.client_sent(BUFFER_BYTES, &now);
    assert!(relay.backend_may_be_piped(), "a read has filled the buffer");
    relay.backend_piped(BUFFER_BYTES, &now);
    assert!(!relay.backend_may_be_piped() && !relay.interest().read_backend, "the pipe goes first");
    assert!(relay.interest().write_client && relay.client_output().is_empty());
    relay.client_sent(BUFFER_BYTES - 1, &now);
    assert_eq!(relay.piped_for_client(), 1);
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
    let caller = policy.caller(peer.parse().unwrap(), || Ok("10.0.0.2:80".parse().unwrap()));
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
