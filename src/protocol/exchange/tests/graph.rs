//! The graph of states in the documentation.

use super::*;
use crate::protocol::testing::{get_with, password_guards};

/// Where a connection is in the graph of the module's documentation: the client's, and the back end's.
fn place(connection: &TestConnection) -> (&'static str, &'static str) {
    let client = match connection.exchange.state {
        State::Head => "Head",
        State::Verifying { .. } => "Verifying",
        State::Exchanging => "Exchanging",
        State::Tunnel => "Tunnel",
        State::Linger(..) => "Linger",
        State::Over(..) => "Over",
    };
    let backend = match connection.exchange.backend {
        BackendConnection::None => "None",
        BackendConnection::Needed { .. } => "Needed",
        BackendConnection::Queued { .. } => "Queued",
        BackendConnection::Connecting { .. } => "Connecting",
        BackendConnection::Connected { .. } => "Connected",
        BackendConnection::Released { .. } => "Released",
    };
    (client, backend)
}

#[test]
fn the_graph_of_the_documentation_is_walked() {
    let mut seen = std::collections::BTreeSet::new();
    let mut is_at = |connection: &TestConnection, client: &'static str, backend: &'static str| {
        assert_eq!(place(connection), (client, backend));
        let exchange = &connection.exchange;
        assert_eq!(exchange.is_open(), ["Head", "Verifying", "Exchanging"].contains(&client), "{client}");
        assert_eq!(exchange.is_verifying(), client == "Verifying");
        assert_eq!(exchange.awaits_request(), client == "Head");
        assert_eq!(exchange.is_exchanging(), client == "Exchanging", "{client}");
        assert_eq!(exchange.needs_backend(), ["Needed", "Queued"].contains(&backend), "{backend}");
        seen.extend([client, backend]);
    };
    let gateway = TestGateway { most: 1, ..TestGateway::new(2) };
    let group = gateway.group();
    let line = |input: &str| gateway.connection_of(Arc::clone(&group), input, &[]);

    // Head --> Exchanging; Needed --> Connecting, refused --> Needed --> Connecting --> Up --> Released.
    let mut first = line(GET);
    let everything = Interest { read_client: true, read_backend: true, ..Interest::NONE };
    is_at(&first, "Head", "None");
    assert!(first.read_client(&everything));
    is_at(&first, "Exchanging", "Needed");
    let now = first.now;
    let waker = || Waker::noop().clone();
    assert!(first.exchange.choose_backend(&now, waker).is_some());
    is_at(&first, "Exchanging", "Connecting");
    first.exchange.connect_failed(How::Refused, &now);
    is_at(&first, "Exchanging", "Needed");
    assert!(first.exchange.choose_backend(&now, waker).is_some());
    first.exchange.connected(false, &now);
    is_at(&first, "Exchanging", "Connected");

    // All full: Needed --> Queued --called--> Connecting.
    let mut second = line(GET);
    let mut third = line(GET);
    for late in [&mut second, &mut third] {
        assert!(late.read_client(&everything));
        late.exchange.choose_backend(&now, waker);
    }
    is_at(&second, "Exchanging", "Connecting");
    is_at(&third, "Exchanging", "Queued");
    drop(second);
    assert!(third.exchange.choose_backend(&now, waker).is_some());
    is_at(&third, "Exchanging", "Connecting");

    // The response: Body --> Out, and back to Head when the client has it.
    first.exchange.backend_sent(first.exchange.backend_output().concat().len(), &now);
    let (head, body) = OK.split_at(OK.len() - 4);
    for part in [head, body] {
        first.exchange.backend_space()[..part.len()].copy_from_slice(part.as_bytes());
        first.exchange.backend_received(part.len(), &now);
    }
    first.exchange.client_sent(first.exchange.client_output().concat().len(), &now);
    is_at(&first, "Exchanging", "Released");
    assert!(first.exchange.release_backend(&now).keep);
    is_at(&first, "Head", "None");

    // Up, and the idle connection was dead: Needed.
    let mut again =
        TestGateway::new(1).connection(&GET.repeat(2), &[says(OK), says("").ends().after(1), says("")]);
    again.run();
    assert_eq!(again.visits.iter().map(|visit| visit.reused).collect::<Vec<_>>(), [false, true, false]);
    is_at(&again, "Exchanging", "Connected");

    // Refused --> Linger --> Over.
    let mut refused = gateway.connection("GET / HTTP/1.1\r\n\r\n", &[]);
    refused.run();
    is_at(&refused, "Linger", "None");
    is_at(refused.waits(), "Over", "None");

    // 101 --> Tunnel.
    let mut tunnel = gateway.connection(UPGRADE, &[says(SWITCHING)]);
    tunnel.run();
    is_at(&tunnel, "Tunnel", "Connected");

    // Head --> Verifying --> Exchanging.
    let (guards, auth) = password_guards();
    let guarded = TestGateway { guards: Some(guards), ..TestGateway::new(1) };
    let mut guarded = guarded.connection(&get_with("budi:rahasia"), &[says("")]);
    guarded.run();
    is_at(&guarded, "Verifying", "None");
    auth.close();
    auth.verify();
    is_at(guarded.run(), "Exchanging", "Connected");

    let drawn = drawn_states(include_str!("../mod.rs"));
    // Where nothing is drawn, there is no back end.
    seen.remove("None");
    assert!(seen.is_subset(&drawn), "{seen:?} in {drawn:?}");
}
