//! Requests: several on a connection, and their bodies.

use super::*;
use crate::protocol::http::response::HEAD_ROOM;
use crate::protocol::web::outgoing::COPIED_BYTES_MAX;

#[test]
fn keep_alive_depends_on_version_and_connection_field() {
    let server = TestServer::new();
    for (request, connection, kept) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", None, true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", Some("close"), false),
        ("GET / HTTP/1.0\r\n\r\n", Some("close"), false),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Some("keep-alive"), true),
    ] {
        let client = server.responses(request);
        assert_eq!(client.responses(), [(200, HOME.to_owned())]);
        let said = client.text();
        let said = said.lines().find_map(|line| line.strip_prefix("Connection: "));
        assert_eq!(said, connection, "{request:?}");
        assert_eq!(client.state(), if kept { idle(&server) } else { Status::Closed }, "{request:?}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = TestServer::new();
    let input = format!(
        "{GET}GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\n\
         POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n\
         POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n\
         HEAD /small.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\
         GET /cached.txt HTTP/1.1\r\nHost: a\r\n\r\nDELETE / HTTP/1.1\r\nHost: a\r\n\r\n{GET}"
    );
    let client = server.responses(&input);
    let text = client.text();
    // The response to a HEAD has a length and no body.
    let (before, after) = text.split_once("Connection: keep-alive\r\n\r\n").unwrap();
    assert!(before.ends_with("Content-Length: 5\r\n"));
    let before = before.rsplit_once("HTTP/1.1 200 OK").unwrap().0;
    let statuses = |text: &str| responses(text).iter().map(|(status, _)| *status).collect::<Vec<_>>();
    assert_eq!(statuses(before), [200, 200, 200, 404, 200]);
    let bodies = responses(before).into_iter().map(|(_, body)| body).collect::<Vec<_>>();
    assert_eq!(bodies[..3], [HOME, "hello", "kosong"]);
    assert_eq!(statuses(after), [200, 405, 200]);
    assert_eq!(client.state(), idle(&server));
}

#[test]
fn many_pipelined_requests_fill_no_more_than_the_buffers() {
    let server = TestServer::new();
    let input = GET.repeat(900);
    let mut client = server.client().sends(&input).takes(0);
    client.run();
    assert!(client.sent < input.len(), "the machine stops reading");
    client.takes = usize::MAX;
    client.run();
    assert_eq!(client.statuses(), [200; 900]);
    assert_eq!(client.state(), idle(&server));
}

#[test]
fn request_bodies_are_discarded() {
    let server = TestServer::new();
    for (fields, body) in [
        ("Content-Length: 0\r\n", ""),
        ("Content-Length: 11\r\n", "GET / HTTP/"),
        ("Transfer-Encoding: chunked\r\n", "b;x=y\r\nGET / HTTP/\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nA: b\r\n\r\n"),
    ] {
        let input = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}{GET}");
        let client = server.responses(&input);
        assert_eq!(client.responses(), [(200, "kosong".to_owned()), (200, HOME.to_owned())]);
        assert_eq!(client.state(), idle(&server));
    }
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it() {
    let server = TestServer::new();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    for pieces in all_pieces(head.len()) {
        let mut client = server.client().sends(head).in_pieces(pieces);
        client.run();
        assert_eq!(client.text(), "HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(client.state(), Status::Waits(server.timeouts.stall));
        client.input.extend(b"abc");
        client.run();
        assert_eq!(client.statuses(), [100, 200]);
        assert_eq!(client.state(), idle(&server));
    }
    // Not if the body has come already, not in HTTP/1.0, and not if the request is refused.
    for (input, statuses) in [
        (format!("{head}abc"), vec![200]),
        (head.replace("1.1", "1.0") + "abc", vec![200]),
        (head.replace("h: 3", "h: 9999999"), vec![413]),
    ] {
        let mut client = server.client().sends(&input);
        assert_eq!(client.run().statuses(), statuses, "{input:?}");
    }
}

#[test]
fn an_empty_line_does_not_begin_a_request() {
    let server = TestServer::new();
    let client = server.responses(&format!("\r\n{GET}\r\n\r\n{GET}\r\n"));
    assert_eq!(client.statuses(), [200, 200]);
    // So there is no 408, which the client would take for the response to its next request.
    assert_eq!(client.state(), idle(&server));
    let mut client = server.client().sends(&format!("{GET}\r\n"));
    client.run().web.drain();
    assert_eq!(client.run().state(), Status::Closed);
}

#[test]
fn a_head_is_read_as_soon_as_there_is_room_for_its_response() {
    let server = TestServer::new();
    for (missing, is_read) in [(0, true), (1, false)] {
        let mut web = server.client().web;
        let filled = web.output.room() - (HEAD_ROOM + COPIED_BYTES_MAX) + missing;
        assert!(web.output.push(&vec![b'x'; filled]));
        web.client_space()[..GET.len()].copy_from_slice(GET.as_bytes());
        web.client_received(GET.len(), &server.now);
        assert_eq!(web.input.is_empty(), is_read);
    }
}
