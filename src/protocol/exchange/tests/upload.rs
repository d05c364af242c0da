//! Request bodies, while the response to them may come at any time.

use super::*;

#[test]
fn the_back_end_decides_on_100_continue() {
    let gateway = TestGateway::new(1);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let mut connection = gateway.connection(head, &[says(&format!("{go_on}{OK}"))]);
    connection.backend = None;
    connection.scripts[0].says.truncate(go_on.len());
    connection.run();
    assert_eq!(connection.text(), "HTTP/1.1 100 Continue\r\nVia: 1.1 giliran\r\n\r\n");
    connection.backend.as_mut().unwrap().1.says.extend(OK.as_bytes());
    connection.backend.as_mut().unwrap().1.after = connection.visits[0].got.len() + 5;
    connection.input.extend(b"satu!");
    connection.run();
    assert!(connection.text().ends_with(OK_SENT) && connection.got(0).ends_with("satu!"));
    assert_eq!(connection.state(), gateway.idle());
    // If it refuses, the body may come or not, so no other request can follow.
    let mut connection = gateway.connection(head, &[says("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")]);
    connection.run();
    assert!(connection.text().contains("417 No\r\nContent-Length: 0\r\nConnection: close\r\n"));
    assert_eq!((connection.state(), connection.visits[0].kept), (LINGERS, Some(false)));
}

#[test]
fn an_early_response_ends_the_upload() {
    let gateway = TestGateway::new(1);
    let input =
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n{}", "x".repeat(100_000));
    for script in [says(OK), says(OK).takes(200), says(OK).breaks(200), says(OK).ends()] {
        let mut connection = gateway.connection(&input, &[script]);
        connection.run();
        assert_eq!(connection.text(), OK_LAST);
        assert_eq!(connection.visits[0].kept, Some(false));
        assert_eq!(connection.shut_at, Some(connection.received.len()));
        assert_eq!(connection.state(), LINGERS);
        assert_eq!(connection.waits().state(), Status::Closed);
    }
}

#[test]
fn upload_and_response_may_run_at_the_same_time() {
    let gateway = TestGateway::new(1);
    let body = "x".repeat(200_000);
    let input = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for pieces in [Pieces::Whole, Pieces::Dice(1), Pieces::Dice(2), Pieces::Dice(3)] {
        let mut connection =
            TestConnection { pieces, ..gateway.connection(&input, &[says(&response).after(1000)]) };
        connection.scripts[0].says.truncate(response.len() - 10);
        connection.run();
        assert!(
            connection.got(0).ends_with(&body),
            "the whole upload is sent while the response is not complete"
        );
        connection.backend.as_mut().unwrap().1.says.extend(b"xxxxxxxxxx");
        connection.run();
        assert!(connection.text().ends_with(&body));
        assert!(connection.visits[0].kept.is_some());
    }
}

/// After an early response the rest of a request body must never be read as the next request.
#[test]
fn the_rest_of_a_body_is_never_read_as_a_request() {
    let gateway = TestGateway::new(1);
    let inner = "GET /inner HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", inner.len());
    let input = format!("{head}{inner}{GET}");
    // The back end receives the head and no more; or no back end can be connected.
    let sent = GOT.replace("GET", "POST").len() + "Content-Length: 33\r\n".len();
    let next = says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nnext!");
    for first in
        [says(OK).takes(sent), says(OK).breaks(sent), says("nonsense\r\n\r\n").takes(sent), refuses()]
    {
        for pieces in all_pieces(input.len()) {
            let mut connection =
                TestConnection { pieces, ..gateway.connection(&input, &[first.clone(), next.clone()]) };
            connection.run();
            let others = connection.visits.iter().skip(usize::from(first.accepts));
            assert!(
                others.clone().all(|visit| visit.got == GOT.as_bytes()),
                "{first:?} in {pieces:?}: {others:?}"
            );
            assert!(connection.statuses().len() <= 2);
        }
    }
}

/// The back end got a head without the body that it announces: it would read the first bytes of the next
/// request on that connection as the body.
#[test]
fn a_request_whose_body_was_dropped_is_not_repeated_and_its_connection_not_kept() {
    let gateway = TestGateway::new(2);
    let request = POST.replace("POST", "GET");
    let head = gateway.forwarded(&request) - "satu!".len();
    let connection = gateway.run(&request, &[says("").breaks(head).ends(), says(OK)]);
    assert_eq!((connection.statuses(), connection.visits.len()), (vec![502], 1));
    let connection = gateway.run(&request, &[says(OK).breaks(head)]);
    assert_eq!((connection.text().as_str(), connection.visits[0].kept), (OK_SENT, Some(false)));
    assert_eq!(connection.state(), gateway.idle());
}

#[test]
fn a_fault_in_the_request_ends_a_connect_in_progress() {
    let gateway = TestGateway::new(1);
    let input = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut connection = gateway.connection(input, &[hangs()]);
    connection.run().input.extend(b"zz");
    connection.run();
    assert_eq!(
        (connection.statuses(), connection.visits[0].kept, connection.state()),
        (vec![400], Some(false), LINGERS)
    );
}
