//! Upgrades, which become tunnels.

use super::*;

#[test]
fn an_upgrade_becomes_a_tunnel_and_loses_no_byte() {
    let gateway = TestGateway::new(1);
    let connection = gateway.run_in_all_pieces(UPGRADE, &[says(SWITCHING)]);
    assert_eq!(connection.state(), Status::Tunnel);
    assert!(connection.tunnels, "the driver is told to switch once the 101 is sent");
    assert!(
        connection.text().ends_with("Connection: Upgrade\r\nUpgrade: websocket\r\nVia: 1.1 giliran\r\n\r\n")
    );
    let connection = gateway.run(&format!("{UPGRADE}early"), &[says(&format!("{SWITCHING}words"))]);
    let relay = connection.exchange.into_relay(&gateway.now);
    assert_eq!((relay.backend_output(), relay.client_output()), (&b"early"[..], &b"words"[..]));
    // If the back end does not switch, the connection continues in HTTP.
    let connection = gateway.run_in_all_pieces(&format!("{UPGRADE}{GET}"), &[says(OK), says(OK)]);
    assert_eq!(connection.text(), OK_SENT.repeat(2));
}

#[test]
fn an_upgrade_with_a_body_switches_after_the_body() {
    let gateway = TestGateway::new(1);
    let head = "POST /exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n";
    for (framing, body, passed) in [
        ("Content-Length: 0", "", ""),
        ("Content-Length: 4", "satu", "satu"),
        ("Transfer-Encoding: chunked", "4;a=b\r\nsatu\r\n0\r\nHost: b\r\n\r\n", "4\r\nsatu\r\n0\r\n\r\n"),
    ] {
        let request = format!("{head}{framing}\r\n\r\n{body}");
        let bytes = gateway.forwarded(&request);
        // At the end of the request, and before its body: both are taken at the end.
        for after in [bytes, bytes - passed.len()] {
            let script = says(&format!("{SWITCHING}halo")).after(after);
            for connection in
                gateway.runs_in_all_pieces(&format!("{request}\0\u{ff}GET"), std::slice::from_ref(&script))
            {
                let pieces = connection.pieces;
                assert_eq!(connection.state(), Status::Tunnel, "{framing} after {after} in {pieces:?}");
                assert!(connection.got(0).ends_with(&format!("\r\n\r\n{passed}")), "{}", connection.got(0));
                assert!(connection.text().starts_with("HTTP/1.1 101 "), "{}", connection.text());
            }
        }
    }
    // The rest of the body never comes: the connection does not become a tunnel.
    let short = format!("{head}Content-Length: 9\r\n\r\nsatu");
    for connection in gateway.runs_in_all_pieces(&short, &[says(SWITCHING)]) {
        assert_eq!(
            (connection.state(), connection.text()),
            (Status::Waits(gateway.timeouts.stall), String::new())
        );
    }
}

#[test]
fn a_101_without_a_request_for_it_is_malformed() {
    let gateway = TestGateway::new(1);
    let h2c = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    for input in [GET, h2c] {
        let connection = gateway.run_in_all_pieces(input, &[says(SWITCHING)]);
        assert_eq!((connection.statuses(), connection.state()), (vec![502], gateway.idle()));
    }
}

#[test]
fn a_101_to_a_request_that_was_not_taken_whole_is_malformed() {
    let gateway = TestGateway::new(1);
    let request =
        format!("{}Content-Length: 5\r\n\r\nsatu!", UPGRADE.trim_end_matches("\r\n").to_owned() + "\r\n");
    let scripts = [says(SWITCHING).breaks(gateway.forwarded(&request) - 2)];
    assert_eq!(gateway.run(&request, &scripts).statuses(), [502]);
}
