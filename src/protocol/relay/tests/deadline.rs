//! Deadlines.

use super::*;

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

#[test]
fn a_silent_back_end_is_probed_once_and_one_that_speaks_is_not() {
    let start = now();
    let mut relay = relay(1, &start);
    relay.choose_backend(&start, waker).unwrap();
    relay.connected(&start);
    let later = start.after(PROBES_AFTER / 2);
    from_client(&mut relay, b"x", &later);
    relay.backend_sent(1, &later);
    let due = later.after(PROBES_AFTER);
    assert_eq!(relay.deadline(), Some(due.instant));
    relay.expired(&start.after(PROBES_AFTER));
    assert_eq!(relay.step(), Step::Transfer, "a byte has moved since");
    relay.expired(&due);
    assert_eq!(relay.step(), Step::StartProbes);
    relay.probes_started();
    assert_eq!(relay.step(), Step::Transfer);
    assert_eq!(relay.deadline(), Some(later.instant + Timeouts::default().relay_idle));
    relay.expired(&due.after(PROBES_AFTER));
    assert_eq!(relay.step(), Step::Transfer, "once is enough");
}

#[test]
fn a_silence_shorter_than_the_wait_for_probes_ends_the_relay() {
    let start = now();
    let timeouts = Timeouts { relay_idle: PROBES_AFTER / 2, ..Timeouts::default() };
    let group = Arc::new(Group::new("test", vec![SocketAddr::from(([127, 0, 0, 1], 9001))]));
    let service = Arc::new(RelayService { context: Arc::new(context(timeouts)), group });
    let mut relay = Relay::new(service, SocketAddr::from(([127, 0, 0, 1], 40_000)), start.instant, &start);
    relay.choose_backend(&start, waker).unwrap();
    relay.connected(&start);
    assert_eq!(relay.deadline(), Some(start.instant + timeouts.relay_idle));
    relay.expired(&start.after(timeouts.relay_idle));
    assert!(relay.was_cut() && relay.step() == Step::Finish);
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
    assert_eq!(relay.deadline(), Some(later.instant + PROBES_AFTER));
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
    relay.probes_started();
    assert_eq!(left(&relay), seconds(4));
    relay.client_received(0, &now);
    assert_eq!(left(&relay), seconds(8));
}
