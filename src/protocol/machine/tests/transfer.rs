//! Bytes that go through, in each machine.

use super::*;

#[test]
fn a_site_is_served_from_memory_and_from_a_file() {
    for blocks in [false, true] {
        let input = [GET, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n", GET].concat();
        let mut driver = Driver { blocks, ..Driver::new(ending(&input), peer(b"")) };
        let (_folder, mut web) = web(&driver.now);
        assert!(driver.serve(&mut web));
        let text = String::from_utf8_lossy(&driver.client.got);
        assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3);
        assert!(text.contains(&"l".repeat(LARGE_BYTES)) && !Machine::was_cut(&web));
    }
    let mut driver = Driver::new(peer(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n"), peer(b""));
    let (folder, mut web) = web(&driver.now);
    let interest = web.interest();
    assert!(driver.read_client(&mut web, interest));
    fs::write(folder.path().join("large"), "short").unwrap();
    assert!(driver.serve(&mut web));
    assert!(Machine::was_cut(&web), "the file is shorter than was promised");
}

#[test]
fn requests_are_forwarded_to_the_back_end_that_accepts() {
    let mut driver = Driver { refused: 1, ..Driver::new(peer(GET), peer(OK)) };
    let mut exchange = exchange(&driver.now);
    assert_eq!(Machine::connect_timeout(&exchange, &driver.now), Duration::from_secs(3));
    assert!(!driver.serve(&mut exchange));
    assert_eq!((driver.choices.as_slice(), driver.kept.as_slice()), (&[true, true][..], &[true][..]));
    assert!(driver.backend.got.starts_with(b"GET / HTTP/1.1\r\n"));
    assert!(driver.client.got.starts_with(b"HTTP/1.1 200 OK\r\n") && driver.client.got.ends_with(b"satu"));
    driver.client.ends = true;
    assert!(driver.serve(&mut exchange) && !Machine::was_cut(&exchange));
}

#[test]
fn a_relay_joins_both_and_pipes_long_streams() {
    let (up, down) = (stream(3 * BUFFER_BYTES), stream(4 * BUFFER_BYTES));
    let mut driver = Driver { refused: 1, ..Driver::new(ending(&up), ending(&down)) };
    let mut relay = relay(&driver.now);
    assert_eq!(Machine::connect_timeout(&relay, &driver.now), Duration::from_secs(3));
    assert!(driver.serve(&mut relay));
    assert!(driver.backend.got == up && driver.client.got == down);
    assert_eq!(driver.piped, 5 * BUFFER_BYTES);
    assert_eq!(driver.choices, [false, false]);
    // Half-closed, one after the other.
    for (client, backend) in [(ending(b"satu"), peer(b"dua")), (peer(b"satu"), ending(b"dua"))] {
        let mut driver = Driver::new(client, backend);
        let mut relay = self::relay(&driver.now);
        assert!(!driver.serve(&mut relay));
        assert_eq!(driver.backend.heard_end, driver.client.ends);
        assert_eq!(driver.client.heard_end, driver.backend.ends);
        driver.client.ends = true;
        driver.backend.ends = true;
        assert!(driver.serve(&mut relay) && !Machine::was_cut(&relay) && !Machine::backend_was_cut(&relay));
    }
}

#[test]
fn a_read_of_nothing_leaves_no_trace() {
    fn assert_unchanged<M: Kind + std::fmt::Debug>(mut machine: M, has_backend: bool) {
        let mut driver = Driver::new(peer(b""), peer(b""));
        driver.serve(&mut machine);
        let before = format!("{machine:?}");
        assert!(!machine.client_space().is_empty());
        assert_ne!(format!("{machine:?}"), before, "the space is memory of its own");
        machine.nothing_from_client();
        assert_eq!(format!("{machine:?}"), before);
        assert_eq!(!machine.backend_space().is_empty(), has_backend);
        assert_eq!(format!("{machine:?}") != before, has_backend);
        machine.nothing_from_backend();
        assert_eq!(format!("{machine:?}"), before);
    }
    let now = start();
    assert_unchanged(web(&now).1, false);
    assert_unchanged(exchange(&now), true);
    assert_unchanged(relay(&now), true);
}
