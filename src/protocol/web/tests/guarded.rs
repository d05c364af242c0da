//! Requests that guards refuse, and those that they let pass.

use super::*;
use crate::protocol::guard::{AccessList, Guards, RateLimit};
use crate::protocol::testing::{get_with, password_guards};

fn guarded(guards: Guards) -> TestServer {
    TestServer { guards: Some(Arc::new(guards)), ..TestServer::new() }
}

#[test]
fn refused_requests_get_their_status_and_the_connection_goes_on() {
    let deny = AccessList::new(&[], &["127.0.0.0/8".parse().unwrap()]).map(Arc::new);
    let server = guarded(Guards { access: deny, ..Guards::default() });
    let client = server.responses(&format!("{GET}HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    assert_eq!(client.text().matches("HTTP/1.1 403 Forbidden").count(), 2);
    assert!(client.text().ends_with("\r\n\r\n"), "no body for HEAD: {}", client.text());
    // A body is not waited for.
    let client =
        server.responses(&format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n123{GET}"));
    assert_eq!(client.statuses(), [403]);
    let server = guarded(Guards {
        rate_limit: Some(Arc::new(RateLimit::new("1/h,2".parse().unwrap()))),
        ..Guards::default()
    });
    let mut client = server.client().sends(&GET.repeat(3));
    assert_eq!(client.run().statuses(), [200, 200, 429]);
    assert!(client.text().contains("Retry-After: 3600\r\n"));
}

#[test]
fn a_password_is_verified_while_earlier_responses_are_sent() {
    let (guards, auth) = password_guards();
    let server = TestServer { guards: Some(guards), ..TestServer::new() };
    // A 401 first, which the client does not take yet.
    let mut client = server.client().sends(&format!("{GET}{}", get_with("budi:rahasia"))).takes(10);
    client.run();
    assert_eq!(client.web.step(), Step::Transfer);
    client.takes = usize::MAX;
    client.run();
    assert_eq!((client.web.step(), client.statuses()), (Step::Queue, vec![401]));
    auth.close();
    auth.verify();
    assert_eq!(client.run().statuses(), [401, 200]);
    let late = get_with("siti:x");
    assert_eq!(server.client().sends(&late).run().statuses(), [503]);
}

#[test]
fn who_waits_for_too_long_gets_503() {
    let (guards, _auth) = password_guards();
    let server = TestServer { guards: Some(guards), ..TestServer::new() };
    let mut client = server.client().sends(&get_with("budi:rahasia"));
    assert_eq!(client.run().state(), Status::Waits(server.timeouts.header));
    assert_eq!(client.waits().statuses(), [503]);
    client.waits();
    assert_eq!(client.state(), Status::Closed);
}
