//! The end of a connection: by the client, by a drain, after a last response.

use super::*;
use crate::protocol::limits::FIRST_REQUEST_IN_DRAIN;

#[test]
fn the_last_response_of_a_connection_says_close_and_lingers() {
    let server = TestServer::new();
    let mut client = server.client_with(2).sends(&GET.repeat(2));
    client.run();
    assert_eq!(client.statuses(), [200, 200]);
    assert!(client.text().ends_with(&format!("Connection: close\r\n\r\n{HOME}")));
    // The client could not know. What it has sent meanwhile must not cause a reset that loses the response.
    assert_eq!(client.shut_at, Some(client.received.len()));
    client.input.extend(GET.as_bytes());
    client.ends = true;
    client.run();
    assert_eq!((client.statuses(), client.state()), (vec![200, 200], Status::Closed));
}

#[test]
fn the_client_closes_in_each_state() {
    let server = TestServer::new();
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na";
    for (input, statuses, phase) in [
        ("".to_owned(), vec![], Phase::Idle),
        ("GET / HT".to_owned(), vec![], Phase::RequestHead),
        (GET.to_owned(), vec![200], Phase::Idle),
        (GET.repeat(3), vec![200; 3], Phase::Idle),
        (format!("{GET}GET"), vec![200], Phase::RequestHead),
        (post.to_owned(), vec![], Phase::RequestBody),
        (format!("{GET}{post}"), vec![200], Phase::RequestBody),
        ("GET /?delay=1s&size=3 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), vec![200], Phase::Idle),
        ("GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), vec![200], Phase::Idle),
    ] {
        for pieces in [Pieces::Whole, Pieces::Bytes, Pieces::Dice(1), Pieces::Dice(2), Pieces::Dice(3)] {
            let mut client = server.client().sends(&input).ends().in_pieces(pieces);
            client.run();
            if input.contains("delay") {
                client.waits();
            }
            assert_eq!(client.statuses(), statuses, "{input:?} in {pieces:?}");
            assert_eq!(client.outcome(), Outcome::new(Who::Client, How::Closed, phase), "{input:?}");
            assert_eq!(client.state(), Status::Closed);
        }
    }
}

#[test]
fn the_client_is_reset_in_each_state() {
    let server = TestServer::new();
    for (input, takes, phase) in [
        ("", 0, Phase::Idle),
        ("GET", 0, Phase::RequestHead),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na", 0, Phase::RequestBody),
        ("GET /?delay=1s HTTP/1.1\r\nHost: a\r\n\r\n", 0, Phase::ResponseBody),
        (GET, 10, Phase::ResponseBody),
        ("GET /?size=99999 HTTP/1.1\r\nHost: a\r\n\r\n", 10, Phase::ResponseBody),
    ] {
        let mut client = server.client().sends(input).takes(takes);
        client.run().web.client_failed();
        client.run();
        assert_eq!(client.outcome(), Outcome::new(Who::Client, How::Reset, phase), "{input:?}");
    }
    let mut client = server.client().sends("GET / HTTP/1.1\r\n\r\n");
    client.run().web.client_failed();
    client.run();
    assert_eq!(client.outcome().how, How::Malformed, "the outcome is that of the last response");
}

#[test]
fn a_drain_in_each_state() {
    let server = TestServer::new();
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na";
    for (input, takes, rest, statuses) in [
        ("", usize::MAX, "", vec![]),
        (GET, usize::MAX, "", vec![200]),
        ("GET / HTTP/1.1\r\n", usize::MAX, "Host: a\r\n\r\n", vec![200]),
        (post, usize::MAX, "bc", vec![200]),
        ("GET /?delay=1s&size=3 HTTP/1.1\r\nHost: a\r\n\r\n", usize::MAX, "", vec![200]),
        ("GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n", 100, "", vec![200]),
        (GET, 100, "", vec![200]),
        (&*GET.repeat(2), 100, "", vec![200, 200]),
    ] {
        let mut client = server.client().sends(input).takes(takes);
        client.run().web.drain();
        client.run();
        client.input.extend(rest.as_bytes());
        client.takes = usize::MAX;
        client.run();
        if input.contains("delay") {
            client.waits();
        }
        assert_eq!(client.statuses(), statuses, "{input:?}");
        let wait = Duration::from_secs(2);
        assert!(matches!(client.state(), Status::Closed) || client.state() == Status::Waits(wait));
        if !rest.is_empty() {
            assert!(client.text().contains("\r\nConnection: close\r\n"), "{input:?}");
        }
    }
}

#[test]
fn a_drain_leaves_a_new_connection_a_moment_for_its_first_request() {
    let server = TestServer::new();
    let mut client = server.client();
    client.run();
    let now = client.now;
    client.web.drain_unless_new(&now);
    client.run();
    assert_eq!(client.state(), Status::Waits(FIRST_REQUEST_IN_DRAIN));
    client.input.extend(GET.as_bytes());
    client.run();
    assert_eq!(client.statuses(), [200]);
    assert!(client.text().contains("\r\nConnection: close\r\n"));
    // Nothing comes; and a connection that has had its response is not new.
    let mut client = server.client();
    client.run();
    let now = client.now;
    client.web.drain_unless_new(&now);
    client.waits();
    assert_eq!(client.state(), Status::Closed);
    let mut client = server.client().sends(GET);
    client.run();
    let now = client.now;
    client.web.drain_unless_new(&now);
    client.run();
    assert_eq!(client.state(), Status::Closed);
}

#[test]
fn the_end_of_a_drain_resets_only_half_sent_responses() {
    let server = TestServer::new();
    for (input, takes, state) in [
        ("", usize::MAX, Status::Closed),
        ("GET / HTTP", usize::MAX, Status::Closed),
        (GET, usize::MAX, Status::Closed),
        (GET, 10, Status::Reset),
        ("GET /large.txt HTTP/1.0\r\n\r\n", 1000, Status::Reset),
        ("GET / HTTP/1.1\r\n\r\n", usize::MAX, Status::Closed),
    ] {
        let mut client = server.client().sends(input).takes(takes);
        client.run().web.drained();
        assert_eq!(client.run().state(), state, "{input:?}");
    }
}

#[test]
fn a_reset_while_a_response_is_unread_cuts_it_off_whatever_is_read_meanwhile() {
    let server = TestServer::new();
    for input in [GET.to_owned(), format!("{GET}G")] {
        let mut client = server.client().sends(&input).takes(10);
        client.run().web.client_failed();
        assert_eq!(client.outcome(), Outcome::new(Who::Client, How::Reset, Phase::ResponseBody));
        assert_eq!(client.state(), Status::Reset);
    }
}
