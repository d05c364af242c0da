//! Bytes and half-closes, one direction at a time.

use super::*;

#[test]
fn bytes_go_both_ways_and_ends_are_passed_on() {
    let now = now();
    let mut relay = joined(&now);
    from_client(&mut relay, b"\0question\xff", &now);
    assert_eq!(relay.backend_output(), b"\0question\xff");
    relay.client_received(0, &now);
    assert_eq!(relay.step(), Step::Transfer, "bytes are still to go");
    relay.backend_sent(10, &now);
    assert_eq!(relay.step(), Step::ShutBackend);
    relay.backend_shut();
    assert_eq!(relay.step(), Step::Transfer);
    assert!(!relay.interest().read_client && relay.interest().read_backend);
    from_backend(&mut relay, b"answer", &now);
    relay.backend_received(0, &now);
    assert_eq!(relay.step(), Step::Transfer, "the answer is still to go");
    relay.client_sent(6, &now);
    assert_eq!(relay.step(), Step::Finish);
    relay.finish(&now);
    assert!(!relay.was_cut(), "all of it has arrived");
}

#[test]
fn a_back_end_that_ends_first_leaves_the_client_talking() {
    let now = now();
    let mut relay = joined(&now);
    relay.backend_received(0, &now);
    assert!(relay.step() == Step::ShutClient && relay.interest().read_client);
    relay.client_shut();
    from_client(&mut relay, b"more", &now);
    relay.backend_sent(4, &now);
    relay.client_received(0, &now);
    assert_eq!(relay.step(), Step::Finish);
}

#[test]
fn a_slow_reader_stops_the_reading_not_the_other_direction() {
    let now = now();
    let mut relay = joined(&now);
    from_backend(&mut relay, &[0; BUFFER_BYTES], &now);
    assert!(!relay.interest().read_backend && relay.interest().read_client);
    relay.client_sent(1, &now);
    assert!(relay.interest().read_backend);
}

#[test]
fn a_long_stream_may_be_piped_while_it_lasts() {
    let now = now();
    let mut relay = joined(&now);
    assert!(!relay.backend_may_be_piped(), "nothing has come yet");
    from_backend(&mut relay, b"short", &now);
    relay.client_sent(5, &now);
    assert!(!relay.backend_may_be_piped(), "that filled no buffer");
    from_backend(&mut relay, &[b'a'; BUFFER_BYTES], &now);
    assert!(!relay.backend_may_be_piped(), "the buffer goes first");
    relay.client_sent(BUFFER_BYTES, &now);
    assert!(relay.backend_may_be_piped(), "a read has filled the buffer");
    relay.backend_piped(BUFFER_BYTES, &now);
    assert!(!relay.backend_may_be_piped() && !relay.interest().read_backend, "the pipe goes first");
    assert!(relay.interest().write_client && relay.client_output().is_empty());
    relay.client_sent(BUFFER_BYTES - 1, &now);
    assert_eq!(relay.down.piped, 1);
    relay.client_sent(1, &now);
    assert!(relay.backend_may_be_piped(), "as much came as a buffer holds: it goes on");
    relay.backend_piped(4, &now);
    relay.client_sent(4, &now);
    assert!(!relay.backend_may_be_piped() && relay.interest().read_backend, "that was a short one");
    relay.backend_piped(0, &now);
    relay.client_received(0, &now);
    assert_eq!(relay.step(), Step::Finish);
}

#[test]
fn a_tunnel_begins_with_what_was_read_before_it() {
    let now = now();
    let buffer = |bytes: &[u8]| {
        let mut buffer = Buffer::new();
        assert!(buffer.push(bytes));
        buffer
    };
    let group = Arc::new(Group::new("test", Vec::new()));
    let client = SocketAddr::from(([127, 0, 0, 1], 40_000));
    let buffers = [buffer(b"from client"), buffer(b"from backend")];
    let mut relay = Relay::join(service(group), client, None, buffers, &now);
    let interest = relay.interest();
    assert!(interest.write_backend && interest.write_client && interest.read_client && interest.read_backend);
    assert_eq!((relay.backend_output(), relay.client_output()), (&b"from client"[..], &b"from backend"[..]));
    relay.backend_sent(11, &now);
    relay.client_sent(12, &now);
    let interest = relay.interest();
    assert!(!interest.write_backend && !interest.write_client && interest.read_client);
}

#[test]
fn a_read_of_nothing_gives_the_memory_back_and_ends_the_long_stream() {
    let now = now();
    let mut relay = joined(&now);
    from_client(&mut relay, &[0; BUFFER_BYTES], &now);
    relay.backend_sent(BUFFER_BYTES, &now);
    from_backend(&mut relay, &[0; BUFFER_BYTES], &now);
    relay.client_sent(BUFFER_BYTES, &now);
    assert!(relay.client_may_be_piped() && relay.backend_may_be_piped());
    for _ in 0..2 {
        relay.client_space();
        relay.backend_space();
        assert!(relay.up.buffer.owns_memory() && relay.down.buffer.owns_memory());
        relay.nothing_from_client();
        assert!(!relay.up.buffer.owns_memory() && !relay.client_may_be_piped());
        relay.nothing_from_backend();
        assert!(!relay.down.buffer.owns_memory() && !relay.backend_may_be_piped());
    }
}

#[test]
fn a_pipe_that_is_empty_leaves_the_buffer_to_the_next_read() {
    let now = now();
    let mut relay = joined(&now);
    from_client(&mut relay, &[0; BUFFER_BYTES], &now);
    relay.backend_sent(BUFFER_BYTES, &now);
    relay.client_piped(BUFFER_BYTES - 1, &now);
    assert!(!relay.interest().read_client && relay.interest().write_backend);
    assert!(relay.step() == Step::Transfer && relay.backend_output().is_empty());
    // Its end is passed on only behind the bytes in the pipe.
    relay.backend_sent(BUFFER_BYTES - 2, &now);
    assert!(!relay.interest().read_client && relay.interest().write_backend);
    relay.backend_sent(1, &now);
    assert!(relay.interest().read_client && !relay.interest().write_backend);
    assert!(!relay.client_may_be_piped(), "less than a buffer came: it is no long stream any more");
    relay.client_piped(0, &now);
    assert_eq!(relay.step(), Step::ShutBackend);
}
