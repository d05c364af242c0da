//! The graph of states in the documentation.

use super::*;
use crate::protocol::testing::{get_with, password_guards};

/// The name of a state in the graph of the module's documentation.
fn name<R>(state: &State<R>) -> &'static str {
    match state {
        State::Head => "Head",
        State::Verifying { .. } => "Verifying",
        State::Body { .. } => "Body",
        State::Delay { .. } => "Delay",
        State::Room { .. } => "Room",
        State::Response { .. } => "Response",
        State::Linger(..) => "Linger",
        State::Over(..) => "Over",
    }
}

#[test]
fn the_graph_of_the_documentation_is_walked() {
    let server = TestServer::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut is_at = |client: &Client, state: &'static str| {
        assert_eq!(name(&client.web.state), state);
        assert_eq!(client.web.is_open(), !["Linger", "Over"].contains(&state), "{state}");
        assert_eq!(client.web.awaits_request(), ["Head", "Body"].contains(&state), "{state}");
        assert_eq!(client.web.owes_response(), ["Delay", "Room", "Response"].contains(&state), "{state}");
        seen.insert(state);
    };
    // Head --> Body --> Delay --> Response --> Head.
    let mut client = server.client().takes(0);
    is_at(&client, "Head");
    client = client.sends("POST /?delay=1s HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1");
    is_at(client.run(), "Body");
    client.input.push(b'2');
    is_at(client.run(), "Delay");
    is_at(client.waits(), "Response");
    client.takes = usize::MAX;
    is_at(client.run(), "Head");

    // Room --> Response: the head of a redirect does not fit behind that of another one.
    let long = format!("GET /d?{} HTTP/1.1\r\nHost: a\r\n\r\n", "q".repeat(8100));
    let mut client = server.client().sends(&long.repeat(2)).takes(0);
    is_at(client.run(), "Room");
    client.takes = usize::MAX;
    is_at(client.run(), "Head");
    assert_eq!(client.text().matches("301 Moved Permanently").count(), 2);

    // Head --> Response --> Over, for a client that wants no more.
    let mut client = server.client().sends("GET / HTTP/1.0\r\n\r\n").takes(0);
    is_at(client.run(), "Response");
    client.takes = usize::MAX;
    is_at(client.run(), "Over");

    // Refused, from Head and from Body: Response --> Linger --> Over.
    let body = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (start, state, rest) in [("GET / HTTP/1.1\r\n", "Head", "\r\n"), (body, "Body", "zz\r\n")] {
        let mut client = server.client().sends(start).takes(0);
        is_at(client.run(), state);
        client.input.extend(rest.as_bytes());
        is_at(client.run(), "Response");
        client.takes = usize::MAX;
        is_at(client.run(), "Linger");
        is_at(client.waits(), "Over");
    }
    // Head --> Verifying --> Head.
    let (guards, auth) = password_guards();
    let guarded = TestServer { guards: Some(guards), ..TestServer::new() };
    let mut client = guarded.client().sends(&get_with("budi:rahasia"));
    is_at(client.run(), "Verifying");
    auth.close();
    auth.verify();
    is_at(client.run(), "Head");
    assert_eq!(client.statuses(), [200]);

    assert_eq!(seen, drawn_states(include_str!("../mod.rs")), "all that is drawn, and nothing else");
}
