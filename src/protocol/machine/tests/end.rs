//! Ends from outside: a stop, a failure, a deadline.

use super::*;

/// A machine that was told this at its start, and then served a client that says `GET`: whether it is
/// over, and what the client got.
fn after<M: Kind>(mut machine: M, tell: impl FnOnce(&mut M, &Now)) -> (bool, String) {
    let mut driver = Driver::new(peer(GET), peer(OK));
    let now = driver.now;
    tell(&mut machine, &now);
    let is_over = driver.serve(&mut machine);
    (is_over, String::from_utf8_lossy(&driver.client.got).into_owned())
}

#[test]
fn a_stop_reaches_every_machine() {
    let now = start();
    let fresh_web = || web(&now).1;
    for (is_over, text) in [
        after(fresh_web(), |web, _| Machine::drain(web)),
        after(exchange(&now), |exchange, _| Machine::drain(exchange)),
        after(fresh_web(), |web, _| Machine::drained(web)),
        after(exchange(&now), |exchange, _| Machine::drained(exchange)),
        after(relay(&now), |relay, _| Machine::drained(relay)),
        after(relay(&now), Machine::refuse_for_lack_of_workers),
        after(fresh_web(), |web, _| Machine::client_failed(web)),
        after(exchange(&now), |exchange, _| Machine::client_failed(exchange)),
        after(relay(&now), |relay, _| Machine::client_failed(relay)),
    ] {
        assert!(is_over && text.is_empty(), "{text}");
    }
    // The last request is answered, and the answer says that it was the last one.
    for (_, text) in [
        after(fresh_web(), |web, _| Machine::take_last_request(web)),
        after(exchange(&now), |exchange, _| Machine::take_last_request(exchange)),
    ] {
        assert!(text.contains(" 200 OK\r\n") && text.contains("\r\nConnection: close\r\n"), "{text}");
    }
    for (_, text) in [
        after(fresh_web(), Machine::refuse_for_lack_of_workers),
        after(exchange(&now), Machine::refuse_for_lack_of_workers),
    ] {
        assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
    }
    // A relay goes on.
    let (is_over, text) = after(relay(&now), |relay, _| Machine::drain(relay));
    assert!(!is_over && text.as_bytes() == OK);
    let (_, text) = after(relay(&now), |relay, _| Machine::take_last_request(relay));
    assert!(text.as_bytes() == OK);
}

/// Serves a machine whose back end says only this, and then tells of a failure of it.
fn cut<M: Kind>(mut machine: M, says: &[u8], tell: impl FnOnce(&mut M, &Now)) -> (bool, bool) {
    let mut driver = Driver::new(peer(GET), peer(says));
    assert!(!driver.serve(&mut machine));
    let now = driver.now;
    tell(&mut machine, &now);
    driver.serve(&mut machine);
    (machine.was_cut(), machine.backend_was_cut())
}

#[test]
fn a_failure_resets_whoever_would_take_a_part_for_the_whole() {
    let now = start();
    let half = &OK[..OK.len() - 1];
    type Tell<M> = fn(&mut M, &Now);
    let of_exchange: [Tell<Exchange>; 2] = [
        |exchange, now| Machine::backend_failed(exchange, How::Reset, now),
        |exchange, _| Machine::client_failed(exchange),
    ];
    for tell in of_exchange {
        assert_eq!(cut(exchange(&now), half, tell), (true, false));
    }
    let of_relay: [Tell<Relay>; 3] = [
        |relay, now| Machine::backend_failed(relay, How::Reset, now),
        |relay, now| Machine::backend_send_failed(relay, How::Reset, now),
        |relay, _| Machine::client_failed(relay),
    ];
    for tell in of_relay {
        assert_eq!(cut(relay(&now), half, tell), (true, true));
    }
    // A back end that fails before it has the head has not got the request.
    let mut driver = Driver::new(peer(GET), peer(b""));
    let mut exchange = exchange(&driver.now);
    let interest = exchange.interest();
    assert!(driver.read_client(&mut exchange, interest));
    driver.connect(&mut exchange);
    assert!(exchange.interest().write_backend);
    Machine::backend_send_failed(&mut exchange, How::Reset, &driver.now);
    assert!(!exchange.interest().write_backend);
}

#[test]
fn a_deadline_reaches_every_machine() {
    fn waits_in_vain<M: Kind>(mut machine: M) {
        let mut driver = Driver::new(peer(b""), peer(b""));
        assert!(!driver.serve(&mut machine));
        let deadline = machine.deadline().unwrap();
        assert!(deadline > driver.now.instant);
        driver.now = driver.now.after(deadline - driver.now.instant);
        // The first silence of a relay only starts the probes.
        if !driver.serve(&mut machine) {
            driver.now = driver.now.after(machine.deadline().unwrap() - driver.now.instant);
            assert!(driver.serve(&mut machine));
        }
        assert!(machine.deadline().is_none() && machine.interest() == Interest::NONE);
    }
    let now = start();
    waits_in_vain(web(&now).1);
    waits_in_vain(exchange(&now));
    waits_in_vain(relay(&now));
}

#[test]
fn a_machine_with_something_in_flight_is_not_set_aside() {
    let now = start();
    let relay = relay(&now);
    assert!(!relay.is_idle() && Machine::into_idle(relay).is_none());
    for half in ["G", "GET / HTTP/1.1\r\nHost: a", "\r\n"] {
        let mut driver = Driver::new(peer(half.as_bytes()), peer(b""));
        let (mut web, mut exchange) = (web(&now).1, exchange(&now));
        assert!(Machine::is_idle(&web) && Machine::is_idle(&exchange));
        driver.serve(&mut web);
        assert!(!Machine::is_idle(&web) && Machine::into_idle(web).is_none(), "{half:?}");
        let mut driver = Driver::new(peer(half.as_bytes()), peer(b""));
        driver.serve(&mut exchange);
        assert!(!Machine::is_idle(&exchange) && Machine::into_idle(exchange).is_none(), "{half:?}");
    }
    // The next request began to come together with one that is answered now.
    let (mut answered, mut forwarded) = (web(&now).1, exchange(&now));
    let both = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nG";
    Driver::new(peer(both), peer(b"")).serve(&mut answered);
    Driver::new(peer(both), peer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).serve(&mut forwarded);
    assert!(!Machine::is_idle(&answered) && !Machine::is_idle(&forwarded));
    // The drain has begun: what comes next is the last.
    let (mut web, mut exchange) = (web(&now).1, exchange(&now));
    Machine::take_last_request(&mut web);
    Machine::take_last_request(&mut exchange);
    assert!(!Machine::is_idle(&web) && !Machine::is_idle(&exchange));
}

/// Counts the closing lines.
#[derive(Debug, Default)]
struct Closings(AtomicUsize);

impl Observer for Closings {
    fn wants_closings(&self) -> bool {
        true
    }

    fn observe(&self, _connection: &Connection<'_>, event: &Event<'_>) {
        if let Event::Closed(_) = event {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn an_end_in_the_middle_is_told_once() {
    fn closings<M: Kind>(make: impl FnOnce(Arc<RoleContext>, &Now) -> M) -> usize {
        let told = Arc::new(Closings::default());
        let mut driver = Driver::new(peer(&GET[..10]), peer(b""));
        let mut machine =
            make(Arc::new(RoleContext::new("test", Arc::clone(&told) as Arc<dyn Observer>)), &driver.now);
        assert!(!driver.serve(&mut machine));
        machine.client_failed();
        assert!(driver.serve(&mut machine));
        told.0.load(Ordering::Relaxed)
    }
    assert_eq!(closings(|context, now| web_with(context, now).1), 1);
    assert_eq!(closings(exchange_with), 1);
    assert_eq!(closings(relay_with), 1);
}

/// Keeps the request lines that it is told of, and wants none: requests are cheaper without them.
#[derive(Debug, Default)]
struct Indifferent(Mutex<Vec<String>>);

impl Observer for Indifferent {
    fn wants_closings(&self) -> bool {
        false
    }

    fn observe(&self, _connection: &Connection<'_>, event: &Event<'_>) {
        if let Event::Closed(Closing { request: Some(request), .. }) = event {
            self.0.lock().unwrap().push(String::from_utf8_lossy(request).into_owned());
        }
    }
}

#[test]
fn an_observer_that_wants_no_closings_is_told_of_none() {
    fn told<M: Kind>(says: &[u8], make: impl FnOnce(Arc<RoleContext>, &Now) -> M) -> Vec<String> {
        let told = Arc::new(Indifferent::default());
        let mut driver = Driver::new(peer(says), peer(OK));
        let mut machine =
            make(Arc::new(RoleContext::new("test", Arc::clone(&told) as Arc<dyn Observer>)), &driver.now);
        driver.serve(&mut machine);
        machine.client_failed();
        assert!(driver.serve(&mut machine));
        std::mem::take(&mut *told.0.lock().unwrap())
    }
    for says in [GET, &GET[..10], b"GET\r\n\r\n"] {
        assert_eq!(told(says, |context, now| web_with(context, now).1), [""; 0]);
        assert_eq!(told(says, exchange_with), [""; 0]);
    }
}
