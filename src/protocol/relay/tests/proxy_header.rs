//! The PROXY header.

use super::*;

#[test]
fn a_header_is_waited_for_and_told_on_ahead_of_all_else() {
    let now = now();
    let header = b"PROXY TCP4 203.0.113.9 198.51.100.1 1 80\r\n";
    for cut in 0..=header.len() {
        let mut relay = introduced("10.0.0.1:1", &now);
        assert_eq!(relay.deadline(), Some(now.instant + Timeouts::default().header));
        if cut > 0 {
            from_client(&mut relay, &header[..cut], &now);
        }
        assert_eq!(relay.step() == Step::Connect, cut == header.len());
        if relay.step() == Step::Connect {
            assert_eq!(relay.choose_backend(&now, waker), Some(SocketAddr::from(([127, 0, 0, 1], 9001))));
        }
        from_client(&mut relay, &[&header[cut..], b"behind"].concat(), &now);
        relay.choose_backend(&now, waker);
        relay.connected(&now);
        assert_eq!(relay.backend_output(), [&header[..], b"behind"].concat(), "{cut}");
    }
}

#[test]
fn what_comes_with_a_short_header_leaves_room_for_a_longer_one() {
    let now = now();
    let mut relay = introduced("10.0.0.1:1", &now);
    let space = relay.client_space();
    let count = space.len();
    assert!(count < BUFFER_BYTES);
    space.fill(b'x');
    space[..15].copy_from_slice(b"PROXY UNKNOWN\r\n");
    relay.client_received(count, &now);
    let output = relay.backend_output();
    assert!(output.starts_with(b"PROXY TCP4 10.0.0.1 10.0.0.2 1 80\r\nxxx"), "the peer itself");
    assert!(output.ends_with(&vec![b'x'; count - 15]));
}

#[test]
fn without_its_header_a_client_has_no_back_end() {
    let start = now();
    let outcome = |relay: &Relay| match relay.state {
        State::Over { outcome, .. } => Some((outcome.who, outcome.how, outcome.phase)),
        _ => None,
    };
    let relay = introduced("192.0.2.1:1", &start);
    assert_eq!(outcome(&relay), Some((Who::Us, How::Refused, Phase::ProxyHeader)));
    let mut relay = introduced("10.0.0.1:1", &start);
    from_client(&mut relay, b"GET /", &start);
    assert_eq!(outcome(&relay), Some((Who::Client, How::Malformed, Phase::ProxyHeader)));
    let mut relay = introduced("10.0.0.1:1", &start);
    relay.expired(&start.after(Timeouts::default().header));
    assert_eq!(outcome(&relay), Some((Who::Client, How::TimedOut, Phase::ProxyHeader)));
    let mut relay = introduced("10.0.0.1:1", &start);
    relay.client_received(0, &start);
    assert_eq!(outcome(&relay), Some((Who::Client, How::Closed, Phase::Idle)));
    assert!(relay.step() == Step::Finish && !relay.was_cut());
}
