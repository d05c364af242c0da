//! Forwarding fields, which tell the back end about the client.

use super::*;

#[test]
fn forwarding_fields_of_an_untrusted_peer_are_replaced() {
    let head = "GET / HTTP/1.1\nHost: a\nX-Forwarded-For: 1.1.1.1\nX-forwarded-PROTO: https\n\
        X-Forwarded-Host: b\nX-Forwarded-Port: 1\nForwarded: for=x";
    assert_eq!(forwarded(head), format!("GET / HTTP/1.1\nHost: a\n{ADDED}"));
}

#[test]
fn forwarding_fields_of_a_trusted_peer_are_extended() {
    let head = "GET / HTTP/1.1\nHost: a\nX-Forwarded-For: 1.1.1.1, 2.2.2.2\nForwarded: for=x\n\
        X-Forwarded-For: 3.3.3.3\nX-Forwarded-Proto: https\nX-Forwarded-Host: b\n\
        Connection: X-Forwarded-For";
    let expected = "GET / HTTP/1.1\nHost: a\nForwarded: for=x\nX-Forwarded-Proto: https\n\
        X-Forwarded-Host: b\nX-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.7\nVia: 1.1 giliran\n\n";
    assert_eq!(forwarded_by(&rules(&["192.0.2.0/24"]), head), expected);
}

#[test]
fn a_mapped_client_address_is_shown_as_ipv4() {
    let head = request_head("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (client, shown) in [("[::ffff:10.0.0.1]:5", "10.0.0.1"), ("[fd00::1]:5", "fd00::1")] {
        let mut out = Buffer::new();
        rules(&[])
            .write_request_head(&head, Framing::None, client.parse::<SocketAddr>().unwrap(), None, &mut out)
            .unwrap();
        let text = String::from_utf8(out.bytes().to_vec()).unwrap();
        assert!(text.contains(&format!("X-Forwarded-For: {shown}\r\n")), "{text}");
    }
}
