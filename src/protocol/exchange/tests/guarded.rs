//! Requests that guards refuse, and those that they let pass.

use super::*;
use crate::protocol::guard::{AccessList, BodyLimit, RateLimit};
use crate::protocol::testing::{get_with, password_guards};

fn guarded(guards: Guards) -> TestGateway {
    TestGateway { guards: Some(Arc::new(guards)), ..TestGateway::new(1) }
}

fn statuses(connection: &TestConnection) -> Vec<String> {
    connection.text().split("HTTP/1.1 ").skip(1).map(|rest| rest[..3].to_owned()).collect()
}

#[test]
fn an_address_that_may_not_ask_gets_403_and_may_ask_again() {
    let deny = |block: &str| AccessList::new(&[], &[block.parse().unwrap()]).map(Arc::new);
    let gateway = guarded(Guards { access: deny("127.0.0.0/8"), ..Guards::default() });
    let connection = gateway.run_in_all_pieces(&GET.repeat(2), &[]);
    assert_eq!(statuses(&connection), ["403", "403"]);
    assert!(connection.visits.is_empty() && connection.state() == gateway.idle());
    // A body that is not wanted is not read: the connection ends.
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n123";
    let connection = gateway.run_in_all_pieces(&format!("{post}{GET}"), &[]);
    assert_eq!((statuses(&connection), connection.state()), (vec!["403".to_owned()], LINGERS));
    let gateway = guarded(Guards { access: deny("10.0.0.0/8"), ..Guards::default() });
    assert_eq!(statuses(&gateway.run(GET, &[says(OK)])), ["200"]);
}

#[test]
fn beyond_the_rate_there_is_429_with_the_time_to_wait() {
    let limit = || Some(Arc::new(RateLimit::new("6/m,2".parse().unwrap())));
    let gateway = guarded(Guards { rate_limit: limit(), ..Guards::default() });
    let mut connection = gateway.connection(&GET.repeat(4), &[says(OK), says(OK)]);
    connection.run();
    assert_eq!(statuses(&connection), ["200", "200", "429", "429"]);
    assert!(connection.text().contains("Retry-After: 10\r\n"), "{}", connection.text());
}

#[test]
fn a_body_that_is_too_long_is_refused_at_once_or_when_it_grows_too_long() {
    let gateway = guarded(Guards { body: Some(BodyLimit(5)), ..Guards::default() });
    let head = |fields: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
    let by_length = format!("{}123456", head("Content-Length: 6"));
    let connection = gateway.run_in_all_pieces(&by_length, &[]);
    assert_eq!((statuses(&connection), connection.state()), (vec!["413".to_owned()], LINGERS));
    assert!(connection.visits.is_empty());

    // Not longer than it may be.
    for input in [
        format!("{}12345", head("Content-Length: 5")),
        format!("{}3\r\n123\r\n2\r\n45\r\n0\r\n\r\n", head("Transfer-Encoding: chunked")),
    ] {
        let length = gateway.forwarded(&input);
        assert_eq!(statuses(&gateway.run_in_all_pieces(&input, &[says(OK).after(length)])), ["200"]);
    }

    // The second chunk goes too far: the back end has the first at most, and never an end of the body.
    let chunks = format!("{}3\r\n123\r\n3\r\n456\r\n0\r\n\r\n", head("Transfer-Encoding: chunked"));
    for connection in gateway.runs_in_all_pieces(&chunks, &[says("")]) {
        assert_eq!((statuses(&connection), connection.state()), (vec!["413".to_owned()], LINGERS));
        for visit in &connection.visits {
            let got = String::from_utf8_lossy(&visit.got);
            assert!(!got.contains("0\r\n\r\n") && !got.contains("456"), "{got}");
            assert_ne!(visit.kept, Some(true), "{got}");
        }
    }
}

#[test]
fn a_password_is_asked_for_verified_once_and_passed_on() {
    let (guards, auth) = password_guards();
    let gateway = TestGateway { guards: Some(guards), ..TestGateway::new(1) };
    let connection = gateway.run_in_all_pieces(GET, &[]);
    assert_eq!(statuses(&connection), ["401"]);
    assert!(
        connection.text().contains("WWW-Authenticate: Basic realm=\"restricted\", charset=\"UTF-8\"\r\n")
    );
    assert_eq!(connection.state(), gateway.idle());

    // The first request waits, and so does the one behind it on the same connection.
    let input = get_with("budi:rahasia").repeat(2);
    let mut waiting = gateway.connection(&input, &[says(OK), says(OK)]);
    let mut wrong = gateway.connection(&get_with("budi:salah"), &[]);
    for connection in [&mut waiting, &mut wrong] {
        connection.run();
        assert_eq!((connection.exchange.step(), connection.text().as_str()), (Step::Queue, ""));
    }
    auth.close();
    auth.verify();
    assert_eq!(statuses(waiting.run()), ["200", "200"]);
    assert!(
        waiting.visits[0].got.windows(21).any(|bytes| bytes == b"Authorization: Basic "),
        "passed on, as in nginx"
    );
    assert_eq!(statuses(wrong.run()), ["401"]);
    // From now on nobody waits.
    let mut later = gateway.connection(&get_with("budi:rahasia"), &[says(OK)]);
    assert_eq!(statuses(later.run()), ["200"]);
    assert_eq!(statuses(&gateway.run(&get_with("budi:salah"), &[])), ["401"]);
    // The thread has ended: what is new gets 503 and is not left waiting.
    let mut new = gateway.connection(&get_with("siti:lain"), &[]);
    assert_eq!(statuses(new.run()), ["503"]);
    assert!(new.text().contains("Retry-After: 1\r\n") && new.state() == LINGERS);
}

#[test]
fn who_waits_for_too_long_gets_503_and_a_body_is_no_next_request() {
    let (guards, _auth) = password_guards();
    let gateway = TestGateway { guards: Some(guards), ..TestGateway::new(1) };
    let get = get_with("budi:rahasia");
    let post = get.replace("GET", "POST").replace("Host: a\r\n", "Host: a\r\nContent-Length: 41\r\n");
    let mut connection =
        gateway.connection(&format!("{post}GET /x HTTP/1.1\r\nHost: a\r\nConnection: cl\r\n"), &[]);
    connection.run();
    assert_eq!(connection.state(), Status::Waits(gateway.timeouts.header));
    assert_eq!(statuses(connection.waits()), ["503"]);
    assert_eq!(connection.state(), LINGERS);
}

#[test]
fn a_client_that_leaves_while_its_password_is_verified_leaves_nothing_behind() {
    let (guards, _auth) = password_guards();
    let gateway = TestGateway { guards: Some(guards), ..TestGateway::new(1) };
    let mut connection = gateway.connection(&get_with("budi:rahasia"), &[]);
    connection.run();
    assert!(connection.exchange.interest().watch_client);
    connection.exchange.client_failed();
    connection.run();
    assert_eq!(connection.state(), Status::Closed);
}
