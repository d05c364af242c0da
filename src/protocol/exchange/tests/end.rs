//! The end of a connection: by the client, by a drain, by a refusal.

use super::*;
use crate::protocol::limits::FIRST_REQUEST_IN_DRAIN;

#[test]
fn the_client_closes_in_each_state() {
    let gateway = TestGateway::new(1);
    let half = POST.trim_end_matches("u!");
    for (input, scripts, sent, phase) in [
        ("", vec![], "", Phase::Idle),
        ("\r\n", vec![], "", Phase::Idle),
        ("GET", vec![], "", Phase::RequestHead),
        (GET, vec![says(OK)], OK_SENT, Phase::Idle),
        (&*GET.repeat(2), vec![says(OK), says(OK)], &*OK_SENT.repeat(2), Phase::Idle),
        (half, vec![says("")], "", Phase::RequestBody),
        (&*format!("{GET}{half}"), vec![says(OK), says("")], OK_SENT, Phase::RequestBody),
    ] {
        for pieces in all_pieces(input.len()) {
            let mut connection = TestConnection { pieces, ends: true, ..gateway.connection(input, &scripts) };
            connection.run();
            assert_eq!(connection.text(), sent, "{input:?} in {pieces:?}");
            assert_eq!(connection.outcome(), Outcome::new(Who::Client, How::Closed, phase), "{input:?}");
            assert_eq!(connection.state(), Status::Closed);
        }
    }
}

#[test]
fn the_client_is_reset_in_each_state() {
    let gateway = TestGateway::new(1);
    let half = POST.trim_end_matches("u!");
    for (input, scripts, phase) in [
        ("", vec![], Phase::Idle),
        ("GET", vec![], Phase::RequestHead),
        (half, vec![says("")], Phase::RequestBody),
        (GET, vec![says("")], Phase::ResponseHead),
        (GET, vec![hangs()], Phase::ResponseHead),
        (GET, vec![says(OK)], Phase::ResponseBody),
    ] {
        let mut connection = TestConnection { takes: 10, ..gateway.connection(input, &scripts) };
        connection.run().exchange.client_failed();
        assert_eq!(connection.run().outcome(), Outcome::new(Who::Client, How::Reset, phase), "{input:?}");
    }
}

#[test]
fn a_drain_in_each_state() {
    let gateway = TestGateway::new(1);
    let half = POST.trim_end_matches("u!");
    for (input, scripts, rest, sent) in [
        ("", vec![], "", ""),
        ("\r\n", vec![], "", ""),
        (GET, vec![says(OK)], "", OK_SENT),
        ("GET / HTTP/1.1\r\n", vec![says(OK)], "Host: a\r\n\r\n", OK_LAST),
        (half, vec![says(OK).after(gateway.forwarded(POST))], "u!", OK_LAST),
        (&*GET.repeat(2), vec![says(OK).after(1)], "", OK_SENT),
    ] {
        let mut connection = TestConnection { takes: 10, ..gateway.connection(input, &scripts) };
        connection.run().exchange.drain();
        connection.run().input.extend(rest.as_bytes());
        connection.takes = usize::MAX;
        connection.run();
        assert_eq!(connection.text(), sent, "{input:?}");
        // The client may have sent a next request or may send one: a reset could make it lose the response.
        assert_eq!(connection.state(), if sent.is_empty() { Status::Closed } else { LINGERS }, "{input:?}");
    }
}

#[test]
fn a_drain_leaves_a_new_connection_a_moment_for_its_first_request() {
    let gateway = TestGateway::new(1);
    let scripts = [says(OK)];
    let mut connection = gateway.connection("", &scripts);
    connection.run();
    let now = connection.now;
    connection.exchange.drain_unless_new(&now);
    connection.run();
    assert_eq!(connection.state(), Status::Waits(FIRST_REQUEST_IN_DRAIN));
    connection.input.extend(GET.as_bytes());
    assert_eq!(connection.run().text(), OK_LAST);
    let mut silent = gateway.connection("", &scripts);
    silent.run();
    silent.exchange.drain_unless_new(&now);
    assert_eq!(silent.waits().state(), Status::Closed);
}

#[test]
fn the_end_of_a_drain_resets_only_half_sent_responses() {
    let gateway = TestGateway::new(1);
    for (input, takes, state) in [
        ("", usize::MAX, Status::Closed),
        ("GET", usize::MAX, Status::Closed),
        (GET, usize::MAX, Status::Closed),
        (GET, 10, Status::Reset),
        ("GET / HTTP/1.1\r\n\r\n", usize::MAX, Status::Closed),
    ] {
        let mut connection = TestConnection { takes, ..gateway.connection(input, &[says(OK)]) };
        connection.run().exchange.drained();
        assert_eq!(connection.run().state(), state, "{input:?}");
    }
}

/// A reset would come if bytes were left unread at the close, and the client could lose the response.
#[test]
fn who_lingers_reads_and_drops_what_comes_until_the_client_closes() {
    let gateway = TestGateway::new(1);
    let mut connection = gateway.connection("GET / HTTP/1.1\r\n\r\n", &[]);
    assert_eq!(connection.run().state(), LINGERS);
    connection.input.extend(GET.as_bytes());
    assert_eq!(connection.run().state(), LINGERS);
    assert_eq!((connection.sent, connection.statuses()), (connection.input.len(), vec![400]));
    connection.ends = true;
    assert_eq!(connection.run().state(), Status::Closed);
    let refused = Outcome::new(Who::Client, How::Malformed, Phase::RequestHead);
    assert_eq!(connection.outcome(), refused);
    // The response was sent, so its outcome stands, whatever comes then.
    let mut connection = gateway.connection("GET / HTTP/1.1\r\n\r\n", &[]);
    connection.run().exchange.client_failed();
    assert_eq!(connection.run().outcome(), refused);
}

#[test]
fn a_client_that_said_close_is_closed_at_once_unless_it_sent_more() {
    let gateway = TestGateway::new(1);
    let last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (more, state) in [("", Status::Closed), ("GET", LINGERS)] {
        assert_eq!(gateway.run(&format!("{last}{more}"), &[says(OK)]).state(), state, "{more:?}");
    }
}

#[test]
fn without_a_worker_the_response_is_503_and_the_connection_lingers() {
    let gateway = TestGateway::new(1);
    for input in ["", GET] {
        let mut connection = gateway.connection("", &[]);
        connection.exchange.refuse_for_lack_of_workers(&gateway.now);
        connection.input.extend(input.as_bytes());
        connection.run();
        assert_eq!((connection.statuses(), connection.state()), (vec![503], LINGERS));
        connection.ends = true;
        assert_eq!(connection.run().outcome(), Outcome::new(Who::Us, How::Limited, Phase::Queue));
    }
}
