use super::*;
use crate::protocol::limits::REQUEST_LINE_BYTES_MAX;
use crate::protocol::testing::leaked_space;
use proptest::prelude::*;

fn request(text: &str) -> Result<RequestHead<'_>, u16> {
    match RequestHead::parse(text.as_bytes(), leaked_space()) {
        Ok(Some(head)) => Ok(head),
        Ok(None) => panic!("not complete: {text:?}"),
        Err(refusal) => Err(refusal.status),
    }
}

#[test]
fn a_request_head_is_found_whole_and_at_every_split() {
    let text = "GET /images/pokijan.jpg?x=1 HTTP/1.1\r\nHost: a:80\r\nAccept:  */* \r\n\r\n";
    let head = request(text).unwrap();
    assert_eq!((head.method, head.target), (Method::Get, "/images/pokijan.jpg?x=1"));
    assert_eq!(head.fields.first("ACCEPT"), Some(&b"*/*"[..]));
    let bytes = [text.as_bytes(), b"GET /next"].concat();
    for split in 0..bytes.len() {
        let mut scan = HeadScan::default();
        let early = scan.advance(&bytes[..split]).unwrap();
        let late = scan.advance(&bytes);
        match split < text.len() {
            true => {
                assert_eq!(
                    (matches!(early, Scan::Complete(_)), late),
                    (false, Ok(Scan::Complete(text.len())))
                )
            }
            false => assert_eq!(early, Scan::Complete(text.len())),
        }
    }
}

#[test]
fn empty_lines_before_the_request_line_are_skipped() {
    let mut scan = HeadScan::default();
    let text = b"\r\n\r\nGET / HTTP/1.0\r\n\r\n";
    assert_eq!(scan.advance(text), Ok(Scan::Complete(text.len())));
    assert!(RequestHead::parse(text, leaked_space()).unwrap().is_some());
}

#[test]
fn a_slow_head_is_parsed_a_logarithmic_number_of_times() {
    let bytes = vec![b'a'; 8000];
    let mut scan = HeadScan::default();
    let tries = (1..=bytes.len()).filter(|&len| scan.advance(&bytes[..len]) == Ok(Scan::TryParse)).count();
    assert!(tries <= 14, "{tries}");
}

#[test]
fn too_long_lines_and_heads_have_their_own_status() {
    let rest = "GET / HTTP/1.1".len();
    let line = |bytes: usize| format!("GET /{} HTTP/1.1\r\n", "a".repeat(bytes - rest));
    assert!(HeadScan::default().advance(line(REQUEST_LINE_BYTES_MAX).as_bytes()).is_ok());
    let longer = line(REQUEST_LINE_BYTES_MAX + 1);
    assert_eq!(HeadScan::default().advance(longer.as_bytes()).unwrap_err().status, 414);
    let head = format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(3000));
    assert_eq!(HeadScan::default().advance(head.as_bytes()).unwrap_err().status, 431);
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(100));
    assert_eq!(request(&many).unwrap_err(), 431);
}

#[test]
fn heads_that_break_the_rules_are_refused() {
    for (text, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: [::1]80\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: [a]:80:80\r\n\r\n", 400),
        ("GET http://b/ HTTP/1.1\r\n\r\n", 400),
        ("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://?x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://\u{e9}/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET images HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("OPTIONS images HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\0\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r2\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("GET / HTTX/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.x\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/x.1\r\nHost: a\r\n\r\n", 400),
        ("GET /\r\nHost: a\r\n\r\n", 400),
        ("GET /pa th HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /x  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET  /x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /x HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        ("GET /x HTTP/2.0 \r\nHost: a\r\n\r\n", 400),
        ("GET /pa th HTTP/2.0\r\nHost: a\r\n\r\n", 400),
        ("GET /x HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /x\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("\r\nGET /x HTTP/1.2\nHost: a\n\n", 505),
        ("\u{16}\u{3}\u{1}\u{2}\r\n\r\n", 400),
    ] {
        assert_eq!(request(text).map(|_| ()), Err(status), "{text:?}");
    }
    for (line, status) in
        [(&b"GET / HTTP/2.0\r\n"[..], 505), (b"GET  HTTP/2.0\r\n", 400), (b" / HTTP/2.0\r\n", 400)]
    {
        assert_eq!(refuse_version(line).unwrap().status, status);
    }
}

#[test]
fn a_host_may_have_a_port_and_may_be_empty() {
    for host in
        ["", "a", "a:", "a:80", ":80", "127.0.0.1:80", "[::1]", "[::1]:80", "[v1.a:b]:", "xn--a.example"]
    {
        let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(request(&text).unwrap().host(), host);
    }
}

#[test]
fn the_absolute_form_is_a_host_and_a_path() {
    let head = request("GET http://A:80/x?y HTTP/1.1\r\nHost: b\r\n\r\n").unwrap();
    assert_eq!((head.host(), head.path_and_query()), ("A:80", "/x?y"));
    let head = request("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(head.path_and_query(), "/");
    for (target, host, path) in [
        ("http://localhost:80/h.txt", "localhost:80", "/h.txt"),
        ("http://localhost?x", "localhost", "/?x"),
        ("HTTPS://b?", "b", "/?"),
        ("http://b?x=/y", "b", "/?x=/y"),
        ("http://b/?x=http://c", "b", "/?x=http://c"),
    ] {
        let text = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let head = request(&text).unwrap();
        assert_eq!((head.host(), head.path_and_query()), (host, path), "{target}");
    }
    let head = request("GET /http://a/ HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!((head.host(), head.path_and_query()), ("", "/http://a/"));
}

#[test]
fn raw_bytes_in_a_target_are_read_as_escapes() {
    for (target, plain) in [
        (&b"/caf\xc3\xa9?\xe9=\xff"[..], "/caf%C3%A9?%E9=%FF"),
        (b"/caf\xe9", "/caf%E9"),
        (b"/%E9\x80", "/%E9%80"),
        (b"http://a/\xe9?", "http://a/%E9?"),
        (b"http://a?\xe9", "http://a/?%E9"),
    ] {
        let text = [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n"].concat();
        for end in 0..text.len() {
            let part = RequestHead::parse(&text[..end], leaked_space());
            assert!(matches!(part, Ok(None)), "{plain} cut at {end}");
        }
        let head = RequestHead::parse(&text, leaked_space()).unwrap().unwrap();
        assert_eq!((head.target, head.fields.first("x")), (plain, Some(&b"\xe9"[..])));
    }
    // Each of them has three bytes in the request line.
    let long = [b"GET /", &[0xe9; 3000][..], b" HTTP/1.1\r\n"].concat();
    assert_eq!(HeadScan::default().advance(&long).unwrap_err().status, 414);
}

#[test]
fn keep_alive_depends_on_version_and_connection_field() {
    for (version, field, kept) in [
        ("1.1", "X: y", true),
        ("1.1", "Connection: Close", false),
        ("1.1", "Connection: te, close", false),
        ("1.1", "Connection: closed", true),
        ("1.0", "X: y", false),
        ("1.0", "Connection: Keep-Alive", true),
        ("1.0", "Connection: keep-alive, close", false),
    ] {
        let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{field}\r\n\r\n");
        assert_eq!(request(&text).unwrap().keeps_alive(), kept, "{text:?}");
    }
}

#[test]
fn a_response_head_is_parsed() {
    let head = ResponseHead::parse(b"HTTP/1.0 200 OK\r\nContent-type: text/plain\r\n\r\nhi", leaked_space())
        .unwrap()
        .unwrap();
    assert_eq!((head.status, head.reason, head.keeps_alive()), (200, &b"OK"[..], false));
    for (text, reason) in [
        (&b"\r\n\nHTTP/1.1 200 Tr\xe8s bien\r\nA: b\r\n\r\n"[..], &b"Tr\xe8s bien"[..]),
        (b"HTTP/1.1 200 Schw\xc3\xb6r \n\n", b"Schw\xc3\xb6r "),
        (b"HTTP/1.1 200 \r\n\r\n", b""),
        (b"HTTP/1.1 200\r\n\r\n", b""),
    ] {
        assert_eq!(ResponseHead::parse(text, leaked_space()).unwrap().unwrap().reason, reason);
    }
    let blanks = b"HTTP/1.1 200 OK\r\nContent-Length \t: 2\r\n\r\n";
    let head = ResponseHead::parse(blanks, leaked_space()).unwrap().unwrap();
    assert_eq!(head.fields.only("content-length"), Some(&b"2"[..]));
    assert!(ResponseHead::parse(b"HTTP/1.1 200 OK\r\nA b: 2\r\n\r\n", leaked_space()).is_err());
    assert!(ResponseHead::parse(b"HTTP/1.1 200", leaked_space()).unwrap().is_none());
    assert!(ResponseHead::parse(b"hello\r\n\r\n", leaked_space()).is_err());
    assert!(ResponseHead::parse(b"HTTP/1.1 600 No\r\n\r\n", leaked_space()).is_err());
}

proptest! {
    /// If the two ends differed, the bytes between them would belong to no message or to two.
    #[test]
    fn the_scan_and_httparse_end_a_head_at_the_same_byte(
        words in prop::collection::vec(prop::sample::select(vec![
            "GET / HTTP/1.1", "\r\n", "\r\n", "\n", "\r", "Host: a", "X: y", " ", ":", "\0", "\t", "\r\n\r\n", "\n\n",
        ]), 0..14),
        cut in 0usize..60, begins: bool,
    ) {
        let text = format!("{}{}", if begins { "GET / HTTP/1.1\r\n" } else { "" }, words.concat());
        let bytes = text.as_bytes();
        let mut scan = HeadScan::default();
        let first = scan.advance(&bytes[..cut.min(bytes.len())]);
        let found = match first { Ok(Scan::Complete(length)) => Ok(Scan::Complete(length)), _ => scan.advance(bytes) };
        let mut headers = [httparse::EMPTY_HEADER; HEAD_FIELDS_MAX];
        let parsed = httparse::Request::new(&mut headers).parse(bytes);
        if let Ok(httparse::Status::Complete(length)) = parsed {
            prop_assert_eq!(found, Ok(Scan::Complete(length)), "{:?}", text);
        } else if let (Ok(Scan::Complete(length)), Ok(httparse::Status::Partial)) = (found, parsed) {
            prop_assert!(false, "the scan ends at {} of {:?}", length, text);
        }
    }
}
