//! Chunked bodies: their extensions and trailers.

use super::*;

#[test]
fn trailers_are_forwarded_unless_they_are_valid_in_a_head_only() {
    let gateway = TestGateway::new(1);
    let body = |trailers: &str| format!("4\r\nsatu\r\n0\r\n{trailers}\r\n");
    let bad = "X-Forwarded-For: 6.6.6.6\r\ncontent-length: 9\r\nHost: b\r\nCookie: a=b\r\n";
    let mixed = body(&format!("X-Satu: 1\r\n{bad}X-Dua: 2\r\n"));
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n";
    let answer_head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
    for (connection, passed) in [("", "X-Satu: 1\r\nX-Dua: 2\r\n"), ("Connection: X-Satu\r\n", "")] {
        let input = format!("{head}{connection}\r\n{mixed}");
        let forwarded = gateway.forwarded(&input);
        let response = says(&format!("{answer_head}{connection}\r\n{mixed}")).after(forwarded);
        let connection = gateway.run_in_all_pieces(&format!("{input}{GET}"), &[response, says(OK)]);
        assert!(connection.got(0).ends_with(&format!("\r\n\r\n{}", body(passed))), "{}", connection.got(0));
        let sent = format!("Via: 1.1 giliran\r\n\r\n{}{OK_SENT}", body(passed));
        assert!(connection.text().ends_with(&sent), "{}", connection.text());
    }
}

#[test]
fn chunk_extensions_are_dropped_both_ways() {
    let gateway = TestGateway::new(1);
    let sent = "4;a=b\r\nsatu\r\n003 ; c ;d=\"e;\\\"\"\r\ndua\r\n0;f\r\nX-Sum: 1\r\n\r\n";
    let passed = "4\r\nsatu\r\n003\r\ndua\r\n0\r\nX-Sum: 1\r\n\r\n";
    let input = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{sent}");
    let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{sent}");
    let response = says(&answer).after(gateway.forwarded(&input));
    let connection = gateway.run_in_all_pieces(&format!("{input}{GET}"), &[response, says(OK)]);
    assert!(connection.got(0).ends_with(&format!("\r\n\r\n{passed}")), "{}", connection.got(0));
    let text = connection.text();
    assert!(text.ends_with(&format!("\r\n\r\n{passed}{OK_SENT}")), "{text}");
    assert_eq!(connection.state(), gateway.idle());
}

#[test]
fn malformed_chunk_extensions_are_refused_both_ways() {
    let gateway = TestGateway::new(1);
    for line in ["4;", "4;bad[=x", "4;\"a\"", "4;a=\"b", "8000000000000000"] {
        let body = format!("{line}\r\nsatu\r\n0\r\n\r\n");
        let input = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}{GET}");
        for connection in gateway.runs_in_all_pieces(&input, &[says("")]) {
            assert!(connection.text().starts_with("HTTP/1.1 400 "), "{line}: {}", connection.text());
            assert_eq!(
                connection.visits.iter().filter(|visit| visit.got.ends_with(b"\r\n0\r\n\r\n")).count(),
                0
            );
        }
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        for connection in gateway.runs_in_all_pieces(GET, &[says(&answer)]) {
            assert_eq!(connection.state(), Status::Reset, "{line}");
        }
    }
}
