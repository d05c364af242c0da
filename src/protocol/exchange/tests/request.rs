//! Requests: what is forwarded of them, and what is refused.

use super::*;
use crate::protocol::proxy_header::{self, Policy};

#[test]
fn requests_follow_each_other_on_a_reused_connection() {
    let gateway = TestGateway::new(1);
    let connection = gateway.run_in_all_pieces(&GET.repeat(3), &[says(OK), says(OK), says(OK)]);
    assert_eq!(connection.text(), OK_SENT.repeat(3));
    assert_eq!(connection.state(), gateway.idle());
    let reused: Vec<_> =
        connection.visits.iter().map(|visit| (visit.got.clone(), visit.reused, visit.kept)).collect();
    assert_eq!(reused, [false, true, true].map(|reused| (GOT.as_bytes().to_vec(), reused, Some(true))));
}

#[test]
fn requests_with_bodies_are_forwarded_whole_and_on_new_connections() {
    let gateway = TestGateway::new(1);
    let chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = "3;x=y\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n";
    let input = format!("{POST}{chunks}{body}{GET}");
    let first = says(OK).after(gateway.forwarded(POST));
    let second = says(OK).after(gateway.forwarded(&format!("{chunks}{body}")));
    let connection = gateway.run_in_all_pieces(&input, &[first, second, says(OK)]);
    assert_eq!(connection.text(), OK_SENT.repeat(3));
    assert!(
        connection.got(0).contains("Content-Length: 5\r\n") && connection.got(0).ends_with("\r\n\r\nsatu!")
    );
    assert!(connection.got(1).contains("Transfer-Encoding: chunked\r\n"));
    assert!(connection.got(1).ends_with(&format!("\r\n\r\n{}", body.replace(";x=y", ""))));
    assert_eq!(connection.visits.iter().map(|visit| visit.reused).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn a_request_without_a_host_names_the_back_end_that_it_goes_to() {
    let gateway = TestGateway::new(2);
    for input in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n"] {
        let connection = gateway.run_in_all_pieces(input, &[says("").ends(), says(OK)]);
        for (visit, port) in [(0, 9001), (1, 9002)] {
            let got = connection.got(visit);
            assert!(got.starts_with(&format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-")), "{got}");
            assert_eq!(got.matches("Host:").count(), 1, "{got}");
        }
    }
}

#[test]
fn a_folder_of_a_route_is_redirected_to_its_slash() {
    let gateway = TestGateway { prefixes: &["/images/"], ..TestGateway::new(1) };
    let sent = "HTTP/1.1 301 Moved Permanently\r\nServer: giliran\r\nLocation: /images/?a=b\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Length: 36\r\n\r\nThis folder has a slash at its end.\n";
    let folder = "GET /images?a=b HTTP/1.1\r\nHost: a\r\n\r\n";
    let connection = gateway.run_in_all_pieces(&format!("{folder}{folder}{GET}"), &[says(OK)]);
    assert_eq!(connection.text(), format!("{}{OK_SENT}", sent.repeat(2)));
    assert_eq!(connection.state(), gateway.idle());
    let absolute = "GET http://b/images?a=b HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(gateway.run_in_all_pieces(absolute, &[]).text(), sent);
    // The body of another method is not waited for.
    let post = "POST /images HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nsatu";
    for connection in gateway.runs_in_all_pieces(post, &[]) {
        assert_eq!((connection.statuses(), connection.state()), (vec![301], LINGERS));
        assert!(connection.text().contains("Connection: close\r\n"), "{}", connection.text());
    }
}

/// An unexpected PROXY header, as the fuzzer cut it.
#[test]
fn malformed_heads_behind_empty_lines_are_refused_in_any_pieces() {
    let gateway = TestGateway::new(1);
    let input = "\r\n\r\n\0\r\nQUIT\n!!\0%%";
    for pieces in all_pieces(input.len()) {
        let mut connection = TestConnection { pieces, ends: true, ..gateway.connection(input, &[]) };
        assert_eq!(connection.run().statuses(), [400], "in {pieces:?}");
    }
}

#[test]
fn what_cannot_be_forwarded_is_refused_and_the_connection_lingers() {
    let gateway = TestGateway::new(1);
    for (input, status) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), 505),
        (format!("GET /{} HTTP/1.1\r\n", "x".repeat(8200)), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(17_000)), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(16_300)), 431),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".to_owned(), 501),
        ("GET /../x HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n".to_owned(), 501),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
                .to_owned(),
            400,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), 400),
    ] {
        for pieces in [Pieces::Whole, Pieces::Bytes, Pieces::Dice(3)] {
            let mut connection =
                TestConnection { pieces, ..gateway.connection(&format!("{input}{GET}"), &[]) };
            connection.run();
            assert_eq!(connection.statuses(), [status], "{input:.60?}");
            assert!(connection.text().contains("\r\nConnection: close\r\n"));
            assert_eq!(connection.shut_at, Some(connection.received.len()));
            assert_eq!(connection.waits().state(), Status::Closed);
        }
    }
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n";
    for connection in gateway.runs_in_all_pieces(&format!("{GET}{chunked}"), &[says(OK), says("")]) {
        assert_eq!((connection.statuses(), connection.state()), (vec![200, 400], LINGERS));
        // In one piece it is refused before a back end is chosen.
        let got = connection.visits.get(1).map(|visit| String::from_utf8_lossy(&visit.got).into_owned());
        let body = got.and_then(|got| Some(got.split_once("\r\n\r\n")?.1.to_owned()));
        assert!(body.is_none_or(|body| "1\r\na".starts_with(&body)), "the malformed part is not forwarded");
    }
}

#[test]
fn a_connection_has_as_many_requests_as_are_allowed() {
    let gateway = TestGateway { requests: 2, ..TestGateway::new(1) };
    let connection = gateway.run(&GET.repeat(3), &[says(OK), says(OK)]);
    assert_eq!((connection.text(), connection.state()), (format!("{OK_SENT}{OK_LAST}"), LINGERS));
}

#[test]
fn a_host_that_was_missing_is_in_the_head_and_not_in_the_header_before_it() {
    let gateway = TestGateway::new(1);
    let mut connection = gateway.connection(OLD, &[says(OK)]);
    let policy = Policy { send: Some(proxy_header::Version::V1), ..Policy::default() };
    let client = policy.identify(client(), || Ok(SocketAddr::from(([127, 0, 0, 1], 80))));
    let gateway = Arc::clone(&connection.exchange.gateway);
    connection.exchange = Exchange::new(gateway, client, connection.now.instant, &connection.now);
    let begin = "PROXY TCP4 127.0.0.1 127.0.0.1 22530 80\r\nGET / HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n";
    assert!(connection.run().got(0).starts_with(begin), "{}", connection.got(0));
}
