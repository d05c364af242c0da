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
