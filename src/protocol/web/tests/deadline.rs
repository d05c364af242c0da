//! Deadlines.

use super::*;

#[test]
fn a_client_that_never_reads_times_out() {
    let server = TestServer::new();
    for input in [GET.repeat(900), GET.to_owned(), "GET /large.txt HTTP/1.0\r\n\r\n".to_owned()] {
        let mut client = server.client().sends(&input).takes(100);
        client.run();
        assert_eq!(client.state(), Status::Waits(server.timeouts.stall));
        assert_eq!(client.waits().state(), Status::Reset);
        assert_eq!(client.outcome(), Outcome::new(Who::Client, How::TimedOut, Phase::ResponseBody));
    }
}

#[test]
fn a_slow_head_has_one_deadline_even_behind_an_unread_response() {
    let server = TestServer::new();
    let mut client = server.client().sends(&format!("{GET}G")).takes(10);
    client.run();
    let begun = client.now.instant;
    // The head is read although there is something to send; one that does one thing at a time sends first.
    let interest = client.web.interest();
    assert!(interest.read_client && interest.write_client);
    assert_eq!(client.web.blocking_interest(), Interest { read_client: false, ..interest });
    assert!(client.web.owes_response() && !client.web.awaits_request());
    for byte in GET.chars().skip(1).take(20) {
        client.now = client.now.after(Duration::from_secs(1));
        client.input.push(byte as u8);
        client.run();
    }
    assert!(client.now.instant > begun + server.timeouts.header);
    assert_eq!(client.state(), Status::Reset);
}

#[test]
fn a_deadline_in_each_state() {
    let server = TestServer::new();
    let timeouts = server.timeouts;
    for (input, wait, statuses, how) in [
        ("", timeouts.header, vec![], How::TimedOut),
        ("GET /", timeouts.header, vec![408], How::TimedOut),
        (GET, timeouts.keep_alive, vec![200], How::TimedOut),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na",
            timeouts.stall,
            vec![408],
            How::TimedOut,
        ),
        ("GET / HTTP/1.1\r\n\r\n", Duration::from_secs(2), vec![400], How::Malformed),
    ] {
        let mut client = server.client().sends(input);
        assert_eq!(client.run().state(), Status::Waits(wait), "{input:?}");
        client.waits();
        assert_eq!(client.statuses(), statuses, "{input:?}");
        if statuses == [408] {
            // The response has a stall timeout of its own, and lingering has its own time.
            assert_eq!(client.state(), Status::Waits(Duration::from_secs(2)));
            client.waits();
        }
        assert_eq!((client.state(), client.outcome().how), (Status::Closed, how), "{input:?}");
    }
}

#[test]
fn a_late_response_has_a_stall_timeout_of_its_own() {
    let mut server = TestServer::new();
    server.timeouts.stall = Duration::from_secs(1);
    // The client does not read at first: the earlier deadline must not count.
    for input in [
        "GET /?delay=5s HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HT",
        "POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\n",
    ] {
        let mut client = server.client().sends(input).takes(0);
        client.run().waits().run();
        assert_eq!(client.state(), Status::Waits(server.timeouts.stall), "{input:?}");
        client.takes = usize::MAX;
        assert_eq!(client.run().responses().len(), 1);
    }
}
