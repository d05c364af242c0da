//! Deadlines.

use super::*;

#[test]
fn a_response_head_has_one_deadline_even_if_it_comes_byte_by_byte() {
    let gateway = TestGateway::new(1);
    let backend = gateway.timeouts.backend;
    let mut connection = gateway.connection(GET, &[says("HTTP/1.1 103 A\r\n\r\nHTTP/1.1 200 OK\r\nX: y")]);
    connection.run();
    assert_eq!(connection.state(), Status::Waits(backend));
    for byte in 1..10 {
        connection.now = connection.now.after(backend / 10);
        connection.exchange.backend_space()[0] = b'y';
        connection.exchange.backend_received(1, &connection.now);
        connection.run();
        assert_eq!(connection.state(), Status::Waits(backend - byte * (backend / 10)), "{byte}");
    }
    connection.waits();
    assert_eq!(connection.statuses(), [103, 504]);
    // An interim response starts the deadline anew.
    let mut connection = gateway.connection(GET, &[says("")]);
    connection.run();
    connection.now = connection.now.after(backend / 2);
    let early = b"HTTP/1.1 103 A\r\n\r\n";
    connection.exchange.backend_space()[..early.len()].copy_from_slice(early);
    connection.exchange.backend_received(early.len(), &connection.now);
    assert_eq!(connection.run().state(), Status::Waits(backend));
}

#[test]
fn a_client_is_watched_while_its_response_takes_long() {
    let gateway = TestGateway::new(1);
    let mut connection = gateway.connection(GET, &[says("")]);
    connection.run();
    assert!(!connection.exchange.interest().watch_client);
    assert_eq!(connection.exchange.deadline(), Some(connection.now.instant + CLIENT_WATCH_AFTER));
    connection.now = connection.now.after(CLIENT_WATCH_AFTER);
    connection.run();
    assert!(connection.exchange.interest().watch_client);
    assert_eq!(connection.state(), Status::Waits(gateway.timeouts.backend - CLIENT_WATCH_AFTER));
    connection.exchange.client_failed();
    assert_eq!(connection.run().outcome().to_string(), "client reset before response head");
}

#[test]
fn a_deadline_in_each_state() {
    let gateway = TestGateway::new(1);
    let times = gateway.timeouts;
    let half = POST.trim_end_matches("u!");
    for (input, scripts, wait, status, state) in [
        ("", vec![], times.header, None, Status::Closed),
        ("GET", vec![], times.header, Some(408), LINGERS),
        (half, vec![says("")], times.stall, Some(408), LINGERS),
        (GET, vec![says("")], times.backend, Some(504), gateway.idle()),
        (GET, vec![says("HTTP/1.1 200")], times.backend, Some(504), gateway.idle()),
        (POST, vec![says("").takes(50)], times.stall, Some(504), gateway.idle()),
        (POST, vec![says("").breaks(gateway.forwarded(POST) - 2)], times.backend, Some(504), gateway.idle()),
        (
            GET,
            vec![says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsatu")],
            times.stall,
            None,
            Status::Reset,
        ),
        (GET, vec![says("HTTP/1.1 200 OK\r\n\r\nsatu")], times.stall, None, Status::Reset),
    ] {
        let mut connection = gateway.connection(input, &scripts);
        assert_eq!(connection.run().state(), Status::Waits(wait), "{input:?} {scripts:?}");
        connection.waits();
        if let Some(status) = status {
            assert_eq!(connection.statuses(), [status], "{input:?} {scripts:?}");
        }
        assert_eq!(connection.state(), state, "{input:?} {scripts:?}");
    }
    // A client that does not read its response, ours or the back end's.
    for script in [says(OK), refuses(), says("HTTP/1.1 200 OK\r\n\r\nsatu").ends()] {
        let mut connection = TestConnection { takes: 10, ..gateway.connection(GET, &[script]) };
        assert_eq!(connection.run().state(), Status::Waits(times.stall));
        assert_eq!(connection.waits().state(), Status::Reset);
        assert_eq!(connection.outcome(), Outcome::new(Who::Client, How::TimedOut, Phase::ResponseBody));
    }
}

#[test]
fn an_error_response_has_a_stall_timeout_of_its_own() {
    let mut gateway = TestGateway::new(1);
    gateway.timeouts.stall = Duration::from_secs(1);
    let half = POST.trim_end_matches("u!");
    for (input, scripts) in [("GET", vec![]), (half, vec![says("")]), (GET, vec![says("")])] {
        let mut connection = TestConnection { takes: 0, ..gateway.connection(input, &scripts) };
        connection.run().waits();
        assert_eq!(connection.state(), Status::Waits(gateway.timeouts.stall), "{input:?}");
        connection.takes = usize::MAX;
        assert_eq!(connection.run().statuses().len(), 1);
    }
}
