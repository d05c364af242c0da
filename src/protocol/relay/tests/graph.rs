//! The graph of states in the documentation.

use super::*;

/// The name of a state in the graph of the module's documentation.
fn name(relay: &Relay) -> &'static str {
    match relay.state {
        State::Arriving { .. } => "Arriving",
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
        assert_eq!(relay.needs_backend(), !["Joined", "Over"].contains(&state), "{state}");
        seen.insert(state);
    };
    // Arriving --> Connecting --> next candidate --> Joined --> Over, by both ends.
    let mut relay = introduced("10.0.0.1:1", &now);
    is_at(&relay, "Arriving");
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
