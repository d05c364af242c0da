//! Upgrades.

use super::*;

#[test]
fn a_supported_upgrade_is_forwarded_both_ways() {
    let asked = "GET / HTTP/1.1\nHost: a\nUpgrade: websocket\nConnection: keep-alive, Upgrade";
    let expected = "GET / HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\n";
    assert_eq!(forwarded(asked), format!("{expected}{ADDED}"));
    for (sent, written) in [
        ("Content-Length: 0", "Content-Length: 0\n"),
        ("Content-Length: 5", "Content-Length: 5\n"),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked\n"),
    ] {
        let asked = format!("POST / HTTP/1.1\nHost: a\n{sent}\nUpgrade: tcp\nConnection: Upgrade");
        let expected = format!("POST / HTTP/1.1\nHost: a\n{written}Connection: Upgrade\nUpgrade: tcp\n");
        assert_eq!(forwarded(&asked), format!("{expected}{ADDED}"));
    }
    for refused in [
        "GET / HTTP/1.1\nHost: a\nUpgrade: h2c\nHTTP2-Settings: x\nConnection: Upgrade, HTTP2-Settings",
        "GET / HTTP/1.1\nHost: a\nUpgrade: websocket",
        "GET / HTTP/1.1\nHost: a\nUpgrade: websocket\nUpgrade: x\nConnection: Upgrade",
    ] {
        assert_eq!(forwarded(refused), format!("GET / HTTP/1.1\nHost: a\n{ADDED}"));
    }
    let answer = "HTTP/1.1 101 Switching Protocols\nConnection: upgrade\nUpgrade: websocket\nX: y";
    assert_eq!(
        answered(answer, Method::Get, Some("keep-alive"), Version::Http11),
        "HTTP/1.1 101 Switching Protocols\nX: y\nConnection: Upgrade\nUpgrade: websocket\nVia: 1.1 giliran\n\n"
    );
}

#[test]
fn a_426_says_what_to_upgrade_to() {
    let answer = "HTTP/1.1 426 Upgrade Required\nConnection: Upgrade\nUpgrade: websocket\nUpgrade: x/2";
    for (connection, sent) in [(None, "Upgrade"), (Some("close"), "close, Upgrade")] {
        assert_eq!(
            answered(answer, Method::Get, connection, Version::Http11),
            format!(
                "HTTP/1.1 426 Upgrade Required\nConnection: {sent}\nUpgrade: websocket\nUpgrade: x/2\n\
                 Via: 1.1 giliran\n\n"
            )
        );
    }
    // With other responses it is an offer of one connection only.
    let answer = "HTTP/1.1 200 OK\nConnection: Upgrade\nUpgrade: h2,h2c\nContent-Length: 0";
    let expected = "HTTP/1.1 200 OK\nContent-Length: 0\nVia: 1.1 giliran\n\n";
    assert_eq!(answered(answer, Method::Get, None, Version::Http11), expected);
}

#[test]
fn a_101_without_a_protocol_is_malformed() {
    let head = response_head("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    let mut out = Buffer::new();
    assert!(
        rules(&[])
            .write_response_head(&head, Framing::None, None, Version::Http11, &epoch(), &mut out)
            .is_err()
    );
}
