//! Response heads for the client.

use super::*;

#[test]
fn a_response_without_a_date_gets_one() {
    let full = |lines: &str| answered_in_full(lines, Method::Get, None, Version::Http11);
    assert!(full("HTTP/1.1 200 OK\nContent-Length: 0").contains(DATE));
    let dated = full("HTTP/1.1 200 OK\nContent-Length: 0\ndate: gestern");
    assert!(!dated.contains("Date") && dated.contains("date: gestern\n"), "{dated}");
    // Interim responses need none.
    assert!(!full("HTTP/1.1 103 Early Hints\nLink: </a>").contains("Date"));
}

#[test]
fn no_via_is_added_where_it_is_switched_off() {
    let quiet = Rules { via: false, ..Rules::default() };
    let head = "GET / HTTP/1.1\nHost: a\nVia: 1.0 other";
    let expected = ADDED.replace("Via: 1.1 giliran\n", "");
    assert_eq!(forwarded_by(&quiet, head), format!("{head}\n{expected}"));
    let text = "HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n";
    let mut out = Buffer::new();
    quiet
        .write_response_head(&response_head(text), Framing::None, None, Version::Http11, &epoch(), &mut out)
        .unwrap();
    assert_eq!(std::str::from_utf8(out.bytes()), Ok(text));
}

#[test]
fn responses_get_our_framing_and_connection_fields() {
    let sent = "HTTP/1.0 200 Fine\nServer: x\nConnection: close, X-Mine\nX-Mine: 1\nKeep-Alive: 5\n\
        Content-Length: 31\nSet-Cookie: a\nSet-Cookie: b";
    let expected = "HTTP/1.1 200 Fine\nServer: x\nSet-Cookie: a\nSet-Cookie: b\nContent-Length: 31\n\
        Connection: keep-alive\nVia: 1.0 giliran\n\n";
    assert_eq!(answered(sent, Method::Get, Some("keep-alive"), Version::Http10), expected);
    let chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked";
    for (client, expected) in [
        (Version::Http11, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nVia: 1.1 giliran\n\n"),
        (Version::Http10, "HTTP/1.1 200 OK\nVia: 1.1 giliran\n\n"),
    ] {
        assert_eq!(answered(chunked, Method::Get, None, client), expected);
    }
}

#[test]
fn a_length_without_a_body_is_forwarded_for_head_and_304_only() {
    for (line, method, passes) in [
        ("HTTP/1.1 200 OK\nContent-Length: 31", Method::Head, true),
        ("HTTP/1.1 304 Not Modified\nContent-Length: 31", Method::Get, true),
        ("HTTP/1.1 200 OK\nContent-Length: 0", Method::Get, true),
        ("HTTP/1.1 204 No Content\nContent-Length: 0", Method::Get, false),
        ("HTTP/1.1 103 Early Hints\nContent-Length: 5", Method::Get, false),
        ("HTTP/1.1 200 OK\nContent-Length: 9223372036854775807", Method::Head, true),
        ("HTTP/1.1 200 OK\nContent-Length: 9223372036854775808", Method::Head, false),
    ] {
        let answer = answered(line, method, None, Version::Http11);
        assert_eq!(answer.contains("Content-Length: "), passes, "{line}");
    }
}
