//! Closing lines, and ends from outside.

use super::*;

/// A relay of which the last closing is kept, with its times.
#[derive(Debug, Default)]
struct LastClosing(std::sync::Mutex<String>);

impl Observer for LastClosing {
    fn wants_closings(&self) -> bool {
        true
    }

    fn observe(&self, _connection: &Connection<'_>, event: &Event<'_>) {
        if let Event::Closed(closing) = event {
            let Closing { queue, connect, first, total, bytes_in, bytes_out, retries, .. } = closing;
            *self.0.lock().unwrap() =
                format!("{queue:?} {connect:?} {first:?} {total:?} {bytes_in} {bytes_out} {retries}");
        }
    }
}

#[test]
fn the_closing_line_has_every_time_and_every_byte() {
    let accepted = now();
    let at = |seconds| accepted.after(Duration::from_secs(seconds));
    let observer = Arc::new(LastClosing::default());
    let context = RoleContext::new("test", Arc::clone(&observer) as Arc<dyn Observer>);
    let addresses = vec![SocketAddr::from(([127, 0, 0, 1], 9001)), SocketAddr::from(([127, 0, 0, 1], 9002))];
    let group = Arc::new(Group::limited("test", addresses, 1));
    let service = Arc::new(RelayService { context: Arc::new(context), group: Arc::clone(&group) });
    let client = SocketAddr::from(([127, 0, 0, 1], 40_000));
    let held = [(); 2].map(|()| group.next(&mut group.turn(), accepted.instant).unwrap());

    // One second until a worker takes it up, two in the queue.
    let mut relay = Relay::new(service, client, accepted.instant, &at(1));
    assert_eq!(relay.choose_backend(&at(2), waker), None);
    drop(held);
    assert!(relay.choose_backend(&at(4), waker).is_some());
    relay.connect_failed(How::Refused, &at(5));
    assert!(relay.choose_backend(&at(6), waker).is_some());
    relay.connected(&at(7));
    from_client(&mut relay, &[0; BUFFER_BYTES], &at(8));
    relay.backend_sent(BUFFER_BYTES, &at(8));
    relay.client_piped(100, &at(8));
    relay.backend_sent(100, &at(8));
    from_backend(&mut relay, b"satu", &at(9));
    relay.client_sent(3, &at(10));
    relay.client_sent(1, &at(10));
    relay.client_received(0, &at(11));
    relay.backend_received(0, &at(11));
    relay.finish(&at(12));
    let said = observer.0.lock().unwrap().clone();
    assert_eq!(said, format!("3s Some(3s) Some(9s) 12s {} 4 1", BUFFER_BYTES + 100));
}

#[test]
fn an_end_from_outside_tells_its_phase() {
    let now = now();
    let connecting = || {
        let mut relay = relay(1, &now);
        relay.choose_backend(&now, waker).unwrap();
        relay
    };
    let entering = || introduced("10.0.0.1:1", &now);
    let group = Arc::new(Group::limited("test", vec![SocketAddr::from(([127, 0, 0, 1], 9001))], 1));
    let _held = group.next(&mut group.turn(), now.instant).unwrap();
    let queued = || {
        let client = SocketAddr::from(([127, 0, 0, 1], 40_000));
        let mut relay = Relay::new(service(Arc::clone(&group)), client, now.instant, &now);
        assert_eq!(relay.choose_backend(&now, waker), None);
        relay
    };
    for (mut relay, phase, cut) in [
        (entering(), "in PROXY header", false),
        (queued(), "in queue", false),
        (connecting(), "in relay", true),
        (joined(&now), "in relay", true),
    ] {
        relay.drained();
        assert_eq!((outcome(&relay), relay.was_cut()), (format!("we drained {phase}"), cut));
    }
    for (mut relay, phase) in
        [(entering(), "in PROXY header"), (queued(), "in queue"), (joined(&now), "in relay")]
    {
        relay.client_failed();
        assert_eq!(outcome(&relay), format!("client reset {phase}"));
        // The first end is the one that counts.
        relay.backend_failed();
        relay.drained();
        relay.finish(&now);
        assert_eq!(outcome(&relay), format!("client reset {phase}"));
    }
    assert_eq!(group.waiting(), 0);
}
