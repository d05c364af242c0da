//! Responses: what the client gets of them, and what becomes of malformed ones.

use super::*;

#[test]
fn responses_of_every_framing_arrive_whole() {
    let gateway = TestGateway::new(1);
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n1;x=y\r\n!\r\n0\r\nX: y\r\n\r\n";
    let connection = gateway.run_in_all_pieces(&GET.repeat(2), &[says(chunked), says(OK)]);
    let chunked_sent = chunked.replacen("chunked\r\n", "chunked\r\nVia: 1.1 giliran\r\n", 1);
    assert_eq!(connection.text(), format!("{}{OK_SENT}", chunked_sent.replace(";x=y", "")));
    assert_eq!(connection.visits[0].kept, Some(true));

    let connection = gateway.run_in_all_pieces(GET, &[says("HTTP/1.1 200 OK\r\n\r\nsatu").ends()]);
    let sent = "HTTP/1.1 200 OK\r\nConnection: close\r\nVia: 1.1 giliran\r\n\r\nsatu";
    assert_eq!((connection.text().as_str(), connection.visits[0].kept), (sent, Some(false)));

    for bodiless in ["204 No Content", "304 Not Modified"] {
        let says = [says(&format!("HTTP/1.1 {bodiless}\r\nETag: \"a\"\r\n\r\n")), says(OK)];
        let connection = gateway.run_in_all_pieces(&GET.repeat(2), &says);
        assert!(connection.text().ends_with(&format!("ETag: \"a\"\r\nVia: 1.1 giliran\r\n\r\n{OK_SENT}")));
        assert_eq!(connection.visits[0].kept, Some(true));
    }
    let head = GET.replace("GET", "HEAD");
    let connection =
        gateway.run_in_all_pieces(&format!("{head}{GET}"), &[says(OK.trim_end_matches("satu")), says(OK)]);
    assert_eq!(connection.text(), format!("{}{OK_SENT}", OK_SENT.trim_end_matches("satu")));
}

#[test]
fn an_http_1_0_client_gets_no_chunks() {
    let gateway = TestGateway::new(1);
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n";
    for input in [OLD, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"] {
        let connection = gateway.run_in_all_pieces(input, &[says(chunked)]);
        assert_eq!(
            connection.text(),
            "HTTP/1.1 200 OK\r\nConnection: close\r\nVia: 1.1 giliran\r\n\r\nsatu!"
        );
        assert_eq!(connection.visits[0].kept, Some(true));
        // The body ends with the close. If it is cut short, the close must not be an orderly one.
        let cut = says(chunked.trim_end_matches("0\r\nX: y\r\n\r\n")).ends();
        assert!(
            gateway
                .runs_in_all_pieces(input, &[cut])
                .iter()
                .all(|connection| connection.state() == Status::Reset)
        );
    }
    let connection = gateway
        .run_in_all_pieces(&OLD.replace("\r\n\r\n", "\r\nConnection: keep-alive\r\n\r\n"), &[says(OK)]);
    assert!(connection.text().contains("Connection: keep-alive\r\n"));
    assert_eq!(connection.state(), gateway.idle());
}

#[test]
fn interim_responses_come_first() {
    let gateway = TestGateway::new(1);
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let input = format!("{GET}{GET}");
    let connection = gateway.run_in_all_pieces(&input, &[says(&format!("{early}{early}{OK}")), says(OK)]);
    let early = early.replace("</a>\r\n", "</a>\r\nVia: 1.1 giliran\r\n");
    assert_eq!(connection.text(), format!("{early}{early}{OK_SENT}{OK_SENT}"));
    assert_eq!(connection.visits[0].kept, Some(true));
    let connection = gateway.run_in_all_pieces(OLD, &[says(&format!("HTTP/1.1 100 Continue\r\n\r\n{OK}"))]);
    assert_eq!(connection.text(), OK_LAST);
}

#[test]
fn pedantry_is_no_fault_of_a_back_end() {
    let gateway = TestGateway::new(1);
    let sent = "HTTP/1.1 200 OK\r\nConnection: close\r\nVia: 1.1 giliran\r\n\r\nsatu";
    let chunks =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nVia: 1.1 giliran\r\n\r\n4\r\nsatu\r\n0\r\n\r\n";
    for (answer, sent) in [
        ("HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nsatu", OK_SENT),
        ("HTTP/1.1 200 OK\r\nContent-Length\t : 4\r\n\r\nsatu", OK_SENT),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 4\r\n\r\nsatu", OK_SENT),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Identity\r\n\r\nsatu", sent),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4 \r\nsatu\r\n0\t \r\n\r\n", chunks),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n4\r\nsatu\r\n0\r\n\r\n", chunks),
    ] {
        let until_close = sent.contains("close");
        let script = if until_close { says(answer).ends() } else { says(answer) };
        let connection = gateway.run_in_all_pieces(GET, &[script]);
        assert_eq!(connection.text(), sent, "{answer:?}");
        assert_eq!(connection.group.backends()[0].failures_reported(), 0, "{answer:?}");
    }
}

#[test]
fn a_reason_phrase_is_passed_on_byte_for_byte() {
    let gateway = TestGateway::new(1);
    let mut script = says(OK);
    script.says = [b"HTTP/1.1 200 Tr\xe8s bien\r\n", &OK.as_bytes()["HTTP/1.1 200 OK\r\n".len()..]].concat();
    for connection in gateway.runs_in_all_pieces(GET, &[script]) {
        assert!(connection.received.starts_with(b"HTTP/1.1 200 Tr\xe8s bien\r\n"), "{}", connection.text());
    }
}

#[test]
fn with_mirror_an_answer_of_the_python_is_passed_on_byte_for_byte() {
    let mut gateway = TestGateway::new(1);
    gateway.rules.mirror = true;
    let python = "HTTP/1.0 200 OK\r\nDate: Tue Jul 13 20:31:13 2021\r\nConnection: close\r\nServer: myserver/1.0\r\n\
        Content-Length: 4\r\n\r\nsatu\r\n\r\n";
    let connection = gateway.run_in_all_pieces(GET, &[says(python).ends()]);
    assert_eq!(connection.text(), python);
    assert!(!connection.got(0).contains("Via"), "{}", connection.got(0));
    // One that breaks off is still seen to be cut.
    for connection in gateway.runs_in_all_pieces(GET, &[says(python).resets()]) {
        assert_eq!(connection.state(), Status::Reset);
    }
    // A back end that keeps the connection is forwarded as ever.
    let connection = gateway.run_in_all_pieces(&GET.repeat(2), &[says(OK), says(OK)]);
    assert_eq!(connection.text(), OK_SENT.replace("Via: 1.1 giliran\r\n", "").repeat(2));
}

#[test]
fn endless_interim_responses_are_read_at_the_pace_of_the_client() {
    let gateway = TestGateway::new(1);
    let early = format!("HTTP/1.1 103 Early Hints\r\nX: {}\r\n\r\n", "y".repeat(5000));
    let mut connection = TestConnection {
        takes: 100,
        ..gateway.connection(GET, &[says(&format!("{}{OK}", early.repeat(20)))])
    };
    connection.run();
    assert!(matches!(connection.state(), Status::Waits(_)));
    connection.takes = usize::MAX;
    connection.run();
    assert_eq!(connection.statuses().len(), 21);
    assert!(connection.text().ends_with(OK_SENT));
    // A client that stops reading within an interim response gets no error response behind half of it.
    let mut connection = TestConnection { takes: 100, ..gateway.connection(GET, &[says(&early.repeat(20))]) };
    connection.run().waits();
    assert_eq!((connection.outcome().who, connection.outcome().how), (Who::Client, How::TimedOut));
    assert_eq!(connection.text(), early[..100]);
    // Half of an interim response is sent when the back end sends a malformed one: the error response must
    // not begin within the first.
    let nonsense = format!("{early}nonsense\r\n\r\n");
    let mut connection = TestConnection { takes: 100, ..gateway.connection(GET, &[says(&nonsense)]) };
    connection.run().takes = usize::MAX;
    connection.run();
    let (first, second) = connection.text().split_once("yHTTP").map_or((0, 0), |(a, b)| (a.len(), b.len()));
    assert_eq!((first, second), (0, 0), "the interim response ends with its own empty line");
    assert_eq!(connection.statuses(), [103, 502]);
}

#[test]
fn an_error_response_to_a_complete_request_keeps_the_connection_alive() {
    let gateway = TestGateway::new(1);
    for (script, status) in [
        (refuses(), 502),
        (says("").ends(), 502),
        (says("").resets(), 502),
        (says("nonsense\r\n\r\n"), 502),
        (says("HTTP/1.1 200 OK\r\nContent-").ends(), 502),
    ] {
        for request in [GET, POST] {
            let script = script.clone().after(gateway.forwarded(request));
            let connection = gateway.run(&format!("{request}{GET}"), &[script.clone(), says(OK)]);
            assert_eq!(connection.statuses(), [status, 200], "{script:?}");
            assert!(connection.text().contains("\r\nProxy-Status: giliran; error="));
            assert!(connection.text().ends_with(OK_SENT) && connection.state() == gateway.idle());
        }
    }
    // If only half of a request has come, its rest may come or not.
    let half = POST.trim_end_matches("u!");
    let connection = gateway.run(half, &[refuses()]);
    assert_eq!((connection.statuses(), connection.state()), (vec![502], LINGERS));
}

#[test]
fn a_malformed_response_is_502() {
    let gateway = TestGateway::new(1);
    for nonsense in [
        "ini bukan http\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 999 X\r\n\r\n",
        "HTTP/1.1 099 X\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nsatu",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nsatu",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX z: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\rz\r\n\r\n",
    ] {
        let connection = gateway.run_in_all_pieces(GET, &[says(nonsense)]);
        assert_eq!((connection.statuses(), connection.state()), (vec![502], gateway.idle()), "{nonsense:?}");
        assert_eq!(connection.visits[0].kept, Some(false));
        assert_eq!(connection.group.backends()[0].failures_reported(), 1);
    }
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(10_000));
    assert_eq!(gateway.run(GET, &[says(&endless)]).statuses(), [502]);
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(16_340));
    assert_eq!(gateway.run(GET, &[says(&long)]).statuses(), [502]);
}

#[test]
fn a_response_that_is_cut_short_never_looks_complete() {
    let gateway = TestGateway::new(1);
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsatu",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n0\r\n",
    ] {
        for script in [says(cut).ends(), says(cut).resets()] {
            for connection in gateway.runs_in_all_pieces(&GET.repeat(2), &[script]) {
                assert_eq!(connection.state(), Status::Reset, "{cut:?}");
                assert_eq!(
                    (connection.outcome().who, connection.outcome().phase),
                    (Who::Backend, Phase::ResponseBody)
                );
            }
        }
    }
    let broken = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n+1\r\n";
    let connection = gateway.run(GET, &[says(broken)]);
    assert_eq!((connection.state(), connection.outcome().how), (Status::Reset, How::Malformed));
    assert!(!connection.text().contains('+'));
    // A body that ends with the close, cut short by a reset.
    let connection = gateway.run(GET, &[says("HTTP/1.1 200 OK\r\n\r\nsatu").resets()]);
    assert_eq!(connection.state(), Status::Reset);
}

/// The client sends a malformed body while it gets a response that ends with the close.
#[test]
fn a_response_cut_short_by_a_fault_of_the_client_does_not_look_complete() {
    let gateway = TestGateway::new(1);
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";
    let until_close = "HTTP/1.1 200 OK\r\n\r\nsatu";
    let mut connection = gateway.connection(chunked, &[says(until_close)]);
    connection.run().input.extend(b"zz");
    assert_eq!(connection.run().state(), Status::Reset);
    let mut connection = gateway.connection(chunked, &[says(until_close)]);
    connection.run().ends = true;
    assert_eq!(connection.run().state(), Status::Reset);
    assert!(!connection.got(0).ends_with("0\r\n\r\n"));
}

#[test]
fn a_complete_response_is_sent_whatever_the_client_does() {
    let gateway = TestGateway::new(1);
    let half = POST.trim_end_matches("u!");
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";
    for (input, more) in [(half, ""), (chunked, ""), (chunked, "zz\r\n")] {
        for script in [refuses(), says(OK), says("nonsense\r\n\r\n")] {
            let mut connection = TestConnection { takes: 10, ..gateway.connection(input, &[script]) };
            connection.run().input.extend(more.as_bytes());
            connection.ends = more.is_empty();
            connection.run().takes = usize::MAX;
            connection.run();
            assert_eq!(connection.statuses().len(), 1);
            assert!(
                connection.text().ends_with("satu") || connection.text().ends_with(".\n"),
                "{:?}",
                connection.text()
            );
        }
    }
}

#[test]
fn bytes_behind_a_response_are_dropped() {
    let gateway = TestGateway::new(1);
    let extra = format!("{OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
    for pieces in [Pieces::Whole, Pieces::Dice(1)] {
        let mut connection =
            TestConnection { pieces, ..gateway.connection(&GET.repeat(2), &[says(&extra), says(OK)]) };
        if matches!(pieces, Pieces::Whole) {
            connection.run();
            assert_eq!(connection.text(), OK_SENT.repeat(2));
            assert_eq!(connection.visits[0].kept, Some(false));
        } else {
            assert!(!connection.run().text().contains("poison"));
        }
    }
    let head = GET.replace("GET", "HEAD");
    let connection = gateway.run(&format!("{head}{GET}"), &[says(OK), says(OK)]);
    assert_eq!(connection.text().matches("satu").count(), 1);
    assert_eq!(connection.visits[0].kept, Some(false));
    let connection =
        gateway.run(GET, &[says("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")]);
    assert_eq!((connection.visits[0].kept, connection.state()), (Some(false), gateway.idle()));
}

#[test]
fn a_back_end_that_closes_behind_an_unread_interim_response_has_responded() {
    let gateway = TestGateway::new(1);
    let script = says(&format!("HTTP/1.1 103 E\r\n\r\n{OK}")).ends();
    let mut connection = TestConnection { takes: 5, ..gateway.connection(POST, &[script]) };
    connection.run().takes = usize::MAX;
    assert_eq!(connection.run().statuses(), [103, 200]);
}

#[test]
fn interim_responses_are_bounded_in_number() {
    let gateway = TestGateway::new(1);
    for (more, last) in [(0, 200), (1, 502)] {
        let interim = "HTTP/1.1 103 E\r\n\r\n".repeat(INTERIM_RESPONSES_MAX as usize + more);
        let statuses = gateway.run(POST, &[says(&format!("{interim}{OK}"))]).statuses();
        assert_eq!(statuses.len(), INTERIM_RESPONSES_MAX as usize + 1);
        assert_eq!(statuses.last(), Some(&last));
    }
}
