//! Closing lines: what is logged of each exchange.

use super::*;

/// An observer that keeps what the access log would say of each exchange.
#[derive(Debug, Default)]
struct Closings(std::sync::Mutex<Vec<String>>);

impl Closings {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Closings {
    fn wants_closings(&self) -> bool {
        true
    }

    fn observe(&self, _connection: &Connection<'_>, event: &Event<'_>) {
        if let Event::Closed(closing) = event {
            let Closing { backend, request, status, queue, connect, first, .. } = closing;
            let Closing { total, bytes_in, bytes_out, retries, outcome, .. } = closing;
            let port = backend.map_or(0, |backend| backend.port());
            let request = String::from_utf8_lossy(request.unwrap_or_default());
            let status = status.unwrap_or_default();
            self.0.lock().unwrap().push(format!(
                "{request}: {status} of {port}, {queue:?} {connect:?} {first:?} {total:?}, \
                 {bytes_in} in, {bytes_out} out, {retries} retries, {outcome}"
            ));
        }
    }
}

/// A connection to this many back ends, each with room for one connection, and what is logged of it.
fn logged(backends: usize) -> (Exchange, Arc<Group>, Arc<Closings>, Now) {
    let now = start();
    let group = TestGateway { most: 1, ..TestGateway::new(backends) }.group();
    let closings = Arc::new(Closings::default());
    let context = RoleContext::new("test", Arc::clone(&closings) as Arc<dyn Observer>);
    let routes = Routes::new(Arc::clone(&group).into());
    let gateway = Arc::new(Gateway { context: Arc::new(context), routes, rules: Rules::default() });
    (Exchange::new(gateway, client(), now.instant, &now), group, closings, now)
}

fn from_client(exchange: &mut Exchange, bytes: &str, now: &Now) {
    exchange.client_space()[..bytes.len()].copy_from_slice(bytes.as_bytes());
    exchange.client_received(bytes.len(), now);
}

fn from_backend(exchange: &mut Exchange, bytes: &str, now: &Now) {
    exchange.backend_space()[..bytes.len()].copy_from_slice(bytes.as_bytes());
    exchange.backend_received(bytes.len(), now);
}

fn send_all_to_backend(exchange: &mut Exchange, now: &Now) {
    exchange.backend_sent(exchange.backend_output().concat().len(), now);
}

fn send_all_to_client(exchange: &mut Exchange, now: &Now) {
    exchange.client_sent(exchange.client_output().concat().len(), now);
}

#[test]
fn each_exchange_is_logged_with_its_own_times_and_bytes() {
    let (mut exchange, group, closings, start) = logged(2);
    let at = |seconds| start.after(Duration::from_secs(seconds));
    let waker = || Waker::noop().clone();
    let held = [(); 2].map(|()| group.next(&mut group.turn(), start.instant).unwrap());

    // Two seconds in the queue, one refused connect, and a response in two pieces.
    from_client(&mut exchange, POST, &start);
    assert!(exchange.choose_backend(&at(1), waker).is_none());
    drop(held);
    assert!(exchange.choose_backend(&at(3), waker).is_some());
    exchange.connect_failed(How::Refused, &at(4));
    let second = exchange.choose_backend(&at(5), waker).unwrap().address.port();
    exchange.connected(false, &at(7));
    send_all_to_backend(&mut exchange, &at(8));
    from_backend(&mut exchange, OK.trim_end_matches("tu"), &at(9));
    send_all_to_client(&mut exchange, &at(10));
    from_backend(&mut exchange, "tu", &at(11));
    assert_eq!(closings.take(), [""; 0], "it is not over");
    drop(exchange.release_backend(&at(12)));
    send_all_to_client(&mut exchange, &at(13));
    // The gateway adds the date that the back end left out.
    let date = "Date: Tue, 13 Jul 2021 13:31:13 GMT\r\n";
    let (bytes_in, bytes_out) = (POST.len(), OK_SENT.len() + date.len());
    let line = format!(
        "POST /: 200 of {second}, 2s Some(4s) Some(9s) 13s, {bytes_in} in, {bytes_out} out, 1 retries, finished"
    );
    assert_eq!(closings.take(), [line]);

    // Nothing of the first counts for the second, which nobody accepts.
    from_client(&mut exchange, GET, &at(20));
    for attempt in [21, 23] {
        assert!(exchange.choose_backend(&at(attempt), waker).is_some());
        exchange.connect_failed(How::Refused, &at(attempt + 1));
    }
    assert!(exchange.choose_backend(&at(25), waker).is_none());
    let (bytes_in, bytes_out) = (GET.len(), exchange.client_output().concat().len());
    send_all_to_client(&mut exchange, &at(26));
    let line = format!(
        "GET /: 502 of 0, 0ns None Some(5s) 6s, {bytes_in} in, {bytes_out} out, 2 retries, back end refused in connect"
    );
    assert_eq!(closings.take(), [line]);
    exchange.drained();
    exchange.finish(&at(30));
    assert_eq!(closings.take(), [""; 0], "there is no exchange that could be logged");
}

/// A tunnel is logged when it begins, and an exchange that is cut when it is cut.
#[test]
fn a_tunnel_and_a_cut_exchange_are_logged_once() {
    let waker = || Waker::noop().clone();
    for (input, said, expected) in [
        (UPGRADE, SWITCHING, "GET /: 101 of 9001, "),
        (GET, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsatu", "GET /: 200 of 9001, "),
        ("GET", "", "GET: 0 of 0, "),
    ] {
        let (mut exchange, _, closings, now) = logged(1);
        from_client(&mut exchange, input, &now);
        if !said.is_empty() {
            exchange.choose_backend(&now, waker).unwrap();
            exchange.connected(false, &now);
            send_all_to_backend(&mut exchange, &now);
            from_backend(&mut exchange, said, &now);
            send_all_to_client(&mut exchange, &now);
        }
        if exchange.step() == Step::SwitchProtocols {
            exchange.into_relay(&now);
        } else {
            exchange.client_failed();
            exchange.finish(&now);
        }
        let lines = closings.take();
        assert!(lines.len() == 1 && lines[0].starts_with(expected), "{lines:?}");
    }
}

#[test]
fn each_attempt_after_the_first_is_a_retry() {
    let (mut exchange, _, closings, now) = logged(2);
    let waker = || Waker::noop().clone();
    // A dead idle connection is replaced by one to the same back end, and that one dies before it responds.
    from_client(&mut exchange, GET, &now);
    for reused in [true, false] {
        exchange.choose_backend(&now, waker).unwrap();
        exchange.connected(reused, &now);
        send_all_to_backend(&mut exchange, &now);
        exchange.backend_received(0, &now);
    }
    exchange.choose_backend(&now, waker).unwrap();
    exchange.connected(false, &now);
    send_all_to_backend(&mut exchange, &now);
    from_backend(&mut exchange, OK, &now);
    drop(exchange.release_backend(&now));
    send_all_to_client(&mut exchange, &now);
    let lines = closings.take();
    assert!(lines.len() == 1 && lines[0].contains(" 2 retries, finished"), "{lines:?}");
}

#[test]
fn a_response_of_our_own_behind_an_unread_interim_one_is_counted_alone() {
    let (mut exchange, _, closings, now) = logged(1);
    from_client(&mut exchange, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", &now);
    exchange.choose_backend(&now, || Waker::noop().clone()).unwrap();
    exchange.connected(false, &now);
    send_all_to_backend(&mut exchange, &now);
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    from_backend(&mut exchange, interim, &now);
    let before = exchange.client_output().concat().len();
    from_client(&mut exchange, "zz\r\n", &now);
    let length = exchange.client_output().concat().len() - before;
    drop(exchange.release_backend(&now));
    send_all_to_client(&mut exchange, &now);
    let lines = closings.take();
    assert!(lines.len() == 1 && lines[0].contains(&format!(" {length} out,")), "{lines:?}");
}

#[test]
fn a_response_that_the_client_does_not_take_is_logged_with_its_back_end() {
    let (mut exchange, _, closings, now) = logged(1);
    from_client(&mut exchange, GET, &now);
    exchange.choose_backend(&now, || Waker::noop().clone()).unwrap();
    exchange.connected(false, &now);
    send_all_to_backend(&mut exchange, &now);
    from_backend(&mut exchange, OK, &now);
    drop(exchange.release_backend(&now));
    exchange.client_failed();
    exchange.finish(&now);
    let lines = closings.take();
    assert!(lines.len() == 1 && lines[0].starts_with("GET /: 200 of 9001, "), "{lines:?}");
}
