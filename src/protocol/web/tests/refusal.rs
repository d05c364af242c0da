//! Requests that are refused.

use super::*;
use crate::protocol::limits::SITE_BODY_BYTES_MAX;

#[test]
fn bad_requests_are_refused_once_and_the_connection_lingers() {
    let server = TestServer::new();
    let long = |bytes| "x".repeat(bytes);
    for (input, status) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n".to_owned(), 413),
        (format!("GET /{} HTTP/1.1\r\n", long(8200)), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", long(17_000)), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(101)), 431),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            400,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".to_owned(), 501),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), 505),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(), 400),
    ] {
        let mut client = server.client();
        for pieces in [Pieces::Whole, Pieces::Bytes, Pieces::Dice(5)] {
            client = server.client().sends(&input).in_pieces(pieces);
            client.run();
            assert_eq!(client.statuses(), [status], "{input:.60?}");
            assert!(client.text().contains("\r\nConnection: close\r\n"));
            assert_eq!(
                client.shut_at,
                Some(client.received.len()),
                "the whole response, then our half-close"
            );
            assert!(matches!(client.state(), Status::Waits(wait) if wait <= Duration::from_secs(2)));
        }
        assert_eq!(client.waits().state(), Status::Closed);
        // What comes behind it is not read as a request.
        let mut client = server.client().sends(&(input + GET)).ends();
        assert_eq!(client.run().statuses(), [status]);
        assert_eq!(client.state(), Status::Closed);
    }
}

#[test]
fn a_refusal_comes_after_earlier_responses() {
    let server = TestServer::new();
    let client = server.responses(&format!("{GET}{GET}GET / HTTP/1.1\r\n\r\n"));
    assert_eq!(client.statuses(), [200, 200, 400]);
}

#[test]
fn a_malformed_head_is_refused_before_its_deadline() {
    let server = TestServer::new();
    let mut client = server.client().sends("\u{16}\u{3}\u{1}");
    assert_eq!(client.run().statuses(), [400]);
}

#[test]
fn lingering_is_bounded_in_bytes() {
    let server = TestServer::new();
    let input = format!("GET / HTTP/1.1\r\n\r\n{}", "x".repeat(2 * LINGER_BYTES_MAX as usize));
    let mut client = server.client().sends(&input);
    client.run();
    assert_eq!(client.state(), Status::Closed);
    assert!(client.sent <= LINGER_BYTES_MAX as usize + 4 * BULK_BUFFER_BYTES);
}

#[test]
fn a_chunked_body_is_bounded_too() {
    let server = TestServer::new();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let mut client = server.client().sends(&format!("{head}{}0\r\n\r\n", chunk.repeat(16)));
    assert_eq!(client.run().statuses(), [200]);
    let mut client = server.client().sends(&format!("{head}{}1\r\nx\r\n0\r\n\r\n", chunk.repeat(16)));
    assert_eq!(client.run().statuses(), [413]);
    // One that is announced to be too long is refused before its content comes.
    for body in ["100001\r\n", "3\r\nabc\r\nffffe\r\n", "7fffffffffffffff\r\n"] {
        for pieces in all_pieces(head.len() + body.len()) {
            let mut client = server.client().sends(&format!("{head}{body}"));
            client.reads = pieces;
            assert_eq!(client.run().statuses(), [413], "{body:?} in {pieces:?}");
        }
    }
}

#[test]
fn without_a_worker_the_response_is_503_whatever_comes() {
    let server = TestServer::new();
    for input in ["", GET, "GET"] {
        let mut client = server.client();
        client.web.refuse_for_lack_of_workers(&server.now);
        client.input.extend(input.as_bytes());
        client.run();
        assert_eq!(client.statuses(), [503]);
        assert_eq!(client.shut_at, Some(client.received.len()));
        client.ends = true;
        assert_eq!(client.run().outcome(), Outcome::new(Who::Us, How::Limited, Phase::Queue));
    }
}

#[test]
fn a_body_of_the_largest_size_is_read() {
    let server = TestServer::new();
    let head = |bytes| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n");
    for (bytes, statuses) in [(SITE_BODY_BYTES_MAX, vec![]), (SITE_BODY_BYTES_MAX + 1, vec![413])] {
        assert_eq!(server.client().sends(&head(bytes)).run().statuses(), statuses);
    }
}
