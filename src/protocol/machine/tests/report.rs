//! When a client is reported.

use super::*;

/// Counts the clients that it is told of.
#[derive(Debug, Default)]
struct Clients(AtomicUsize);

impl Observer for Clients {
    fn wants_closings(&self) -> bool {
        false
    }

    fn observe(&self, _connection: &Connection<'_>, event: &Event<'_>) {
        if let Event::ConnectionFrom = event {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_client_of_requests_is_reported_with_its_first_bytes_and_one_of_a_relay_at_once() {
    fn reported<M: Kind>(says: &[u8], make: impl FnOnce(Arc<RoleContext>, &Now) -> M) -> usize {
        let clients = Arc::new(Clients::default());
        let mut driver = Driver::new(peer(says), peer(b""));
        let context = Arc::new(RoleContext::new("test", Arc::clone(&clients) as Arc<dyn Observer>));
        driver.serve(&mut make(context, &driver.now));
        clients.0.load(Ordering::Relaxed)
    }
    // An empty line does not begin a request.
    for (says, count) in [(&b""[..], 0), (b"\r\n", 0), (b"G", 1), (GET, 1)] {
        assert_eq!(reported(says, |context, now| web_with(context, now).1), count);
        assert_eq!(reported(says, exchange_with), count);
        assert_eq!(reported(says, relay_with), 1);
    }
}
