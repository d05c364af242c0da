//! Responses: test responses, files from the disk, the mirror.

use super::*;

#[test]
fn test_responses_are_complete_at_any_pace() {
    let server = TestServer::new();
    let expected: String = format!("{HOME}\n").chars().cycle().take(40_000).collect();
    let client = server.responses(&format!("GET /?size=40000 HTTP/1.1\r\nHost: a\r\n\r\n{GET}"));
    assert_eq!(client.responses(), [(200, expected.clone()), (200, HOME.to_owned())]);
    let mut client = server.client().sends("GET /?size=40000&chunked=1 HTTP/1.1\r\nHost: a\r\n\r\n");
    client.run();
    let text = client.text();
    let (head, mut rest) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Transfer-Encoding: chunked") && !head.contains("Content-Length"));
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&after[..size]);
        rest = after[size..].strip_prefix("\r\n").unwrap();
        if size == 0 {
            break;
        }
    }
    assert_eq!((body, rest), (expected.clone(), ""));
    assert_eq!(client.state(), idle(&server));
    // A client of HTTP/1.0 reads until the close, even if it asked for keep-alive.
    let mut client =
        server.client().sends("GET /?size=40000&chunked=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    client.run();
    assert!(client.text().ends_with(&format!("Connection: close\r\n\r\n{expected}")));
}

#[test]
fn nothing_is_read_during_a_delay() {
    let server = TestServer::new();
    let input = format!("GET /?delay=500ms&status=503 HTTP/1.1\r\nHost: a\r\n\r\n{GET}");
    let mut client = server.client().sends(&input);
    assert_eq!(client.run().state(), Status::Waits(Duration::from_millis(500)));
    assert_eq!(client.text(), "");
    client.waits();
    assert_eq!(client.statuses(), [503, 200]);
    assert_eq!(client.state(), idle(&server));
}

#[test]
fn a_large_file_is_sent_from_the_disk() {
    let server = TestServer::new();
    let input = format!("GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n{GET}");
    let client = server.responses(&input);
    let responses = client.responses();
    assert_eq!(responses[0], (200, "l".repeat(LARGE_BYTES)));
    assert_eq!(responses[1], (200, HOME.to_owned()));
    let mut client = server.client().sends(&input).takes(0);
    client.run();
    assert!(matches!(client.web.client_output(), Output::Bytes { more: true, second: b"", .. }));
    client.web.client_sent(client.web.output.len(), &server.now);
    assert!(matches!(client.web.client_output(), Output::File { offset: 0, .. }));
}

#[test]
fn a_file_that_shrinks_never_looks_complete() {
    let server = TestServer::new();
    let mut client = server.client().sends("GET /large.txt HTTP/1.0\r\n\r\n").takes(1000);
    client.run();
    fs::write(server._folder.path().join("large.txt"), "short").unwrap();
    client.takes = usize::MAX;
    assert_eq!(client.run().state(), Status::Reset);
}

#[test]
fn the_mirror_sends_four_extra_bytes_and_closes() {
    let server = TestServer::mirror();
    for (input, end) in [
        (GET.to_owned(), format!("{HOME}\r\n\r\n")),
        ("GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "lll\r\n\r\n".to_owned()),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "Content-Length: 31\r\n\r\n".to_owned()),
        ("nonsense\r\n\r\n".to_owned(), "Content-Length: 0\r\n\r\n\r\n\r\n".to_owned()),
    ] {
        for pieces in all_pieces(input.len()).into_iter().take(20) {
            let mut client = server.client().sends(&input).in_pieces(pieces);
            client.run();
            assert!(client.text().starts_with("HTTP/1.0 ") && client.text().ends_with(&end), "{input:?}");
            assert_eq!(client.text().matches("HTTP/1.0").count(), 1);
            client.ends = true;
            assert_eq!(client.run().state(), Status::Closed);
        }
    }
}
