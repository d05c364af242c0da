//! Attempts to connect, and the queue.

use super::*;

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
    assert_eq!(outcome(&relay), "back end refused in connect");
    let mut alone = self::relay(0, &now);
    assert_eq!(alone.choose_backend(&now, waker), None);
    assert_eq!(outcome(&alone), "no back end was up");
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
