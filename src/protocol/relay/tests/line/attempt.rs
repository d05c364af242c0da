//! Attempts to connect, the queue and the PROXY header.

use super::*;

#[test]
fn what_the_client_says_meanwhile_goes_to_the_back_end_that_accepts() {
    let group = || Arc::new(Group::new("test", backends(4)));
    for failing in [
        [Attempt::Refused, Attempt::RefusedLate, Attempt::Ignored],
        [Attempt::Ignored, Attempt::Refused, Attempt::RefusedLate],
    ] {
        for last in [Attempt::Accepted, Attempt::AcceptedLate] {
            let line = Line::of(group(), says("satu"), says("dua").listens_first());
            let mut line = line.attempts(&[&failing[..], &[last]].concat());
            line.run();
            let began = line.now.instant;
            assert!(line.relay.is_connecting() && line.backend.got.is_empty());
            assert_eq!(line.client.said, 4, "it is read from while it waits");
            line.waits();
            assert_eq!(line.now.instant - began, Timeouts::default().connect);
            assert_eq!(
                (line.backend.got.as_slice(), line.client.got.as_slice()),
                (&b"satu"[..], &b"dua"[..])
            );
            let tried: std::collections::BTreeSet<_> = line.tried.iter().collect();
            assert_eq!(tried.len(), 4, "each once: {:?}", line.tried);
            let backend = line.tried[3];
            let closing = format!("finished: {backend} in=4 out=3 retries=3");
            assert_eq!(line.told(), [format!("from {}", client()), format!("to {backend}"), closing]);
        }
    }
}

#[test]
fn with_none_left_to_try_it_ends_without_a_reset() {
    let group = Arc::new(Group::new("test", backends(2)));
    let mut line = Line::of(Arc::clone(&group), says("satu"), says(""));
    line = line.attempts(&[Attempt::RefusedLate, Attempt::Refused]);
    line.run();
    assert_eq!(line.told().last().unwrap(), "back end refused in connect: - in=4 out=0 retries=2");
    assert!(!line.relay.was_cut());
    let failures: Vec<_> = group.backends().iter().map(|backend| backend.failures_reported()).collect();
    assert_eq!(failures, [1, 1]);
    assert!(group.backends().iter().all(|backend| backend.active() == 0));
}

#[test]
fn a_limit_of_ours_is_no_fault_of_the_back_end() {
    let group = Arc::new(Group::new("test", backends(2)));
    let mut line = Line::of(Arc::clone(&group), says("satu"), says("")).attempts(&[Attempt::Impossible]);
    line.run();
    assert_eq!(line.tried.len(), 1, "another one would not help");
    assert_eq!(line.told().last().unwrap(), "we hit a limit in connect: - in=0 out=0 retries=1");
    assert!(group.backends().iter().all(|backend| backend.failures_reported() == 0));
}

#[test]
fn who_waits_in_the_queue_is_read_from_until_the_buffer_is_full() {
    let group = Arc::new(Group::limited("test", backends(1), 1));
    let mut first = Line::of(Arc::clone(&group), says("").holds(), says("").holds());
    first.run();
    let said = stream(5, 3 * BULK_BUFFER_BYTES);
    let mut second = Line::of(Arc::clone(&group), says(said.clone()), says("dua").listens_first()).piped();
    second.run();
    assert_eq!((second.relay.step(), second.client.said), (Step::Queue, BUFFER_BYTES));
    assert_eq!(group.waiting(), 1);
    drop(first);
    second.run();
    second.assert_all_arrived();
    assert_eq!(second.tried, backends(1));
}

#[test]
fn a_header_in_any_pieces_is_read_and_told_on() {
    let policy = |send| Policy { accept: true, trust: vec!["127.0.0.0/8".parse().unwrap()], send };
    let header = b"PROXY TCP4 203.0.113.9 198.51.100.1 1 80\r\n";
    let input = says([&header[..], b"satu"].concat());
    for (send, told) in [(None, &b""[..]), (Some(Version::V1), &header[..])] {
        for pieces in all_pieces(input.says.len()) {
            let group = Arc::new(Group::new("test", backends(1)));
            let line = Line::coming_through(&policy(send), group, input.clone(), says("dua"));
            let mut line = line.in_pieces(pieces);
            line.run();
            assert_eq!(line.backend.got, [told, b"satu"].concat(), "{pieces:?}");
            assert_eq!(line.client.got, b"dua");
            assert_eq!(line.told()[..2], ["from 203.0.113.9:1", "to 127.0.0.1:9001"]);
            assert_eq!(line.outcome().as_deref(), Some("finished"));
        }
    }
    for cut in 1..header.len() {
        let (group, cut) = (Arc::new(Group::new("test", backends(1))), says(&header[..cut]));
        let mut line = Line::coming_through(&policy(None), group, cut, says("dua"));
        line.run();
        assert_eq!(line.outcome().as_deref(), Some("client closed in PROXY header"));
        assert!(line.tried.is_empty() && !line.relay.was_cut());
    }
}
