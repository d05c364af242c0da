//! Requests that wait while all back ends are full.

use super::*;

#[test]
fn a_request_waits_in_the_queue_while_all_back_ends_are_full() {
    let gateway = TestGateway { most: 1, ..TestGateway::new(1) };
    let group = gateway.group();
    let connection =
        |input, scripts: &[BackendScript]| gateway.connection_of(Arc::clone(&group), input, scripts);
    let mut first = connection(GET, &[says("")]);
    let [mut second, mut third] = [(); 2].map(|()| connection(GET, &[says(OK)]));
    first.run();
    for late in [&mut second, &mut third] {
        assert_eq!(late.run().state(), Status::Waits(gateway.timeouts.connect));
        assert_eq!(late.exchange.step(), Step::Queue);
        assert!(late.exchange.interest().watch_client);
    }
    // The first gets its response: its back end has room again as soon as the response is complete.
    first.backend.as_mut().unwrap().1.says = OK.into();
    assert_eq!(first.run().text(), OK_SENT);
    assert_eq!((second.exchange.step(), third.exchange.step()), (Step::Connect, Step::Queue));
    assert_eq!((second.run().text().as_str(), third.run().text().as_str()), (OK_SENT, OK_SENT));
    assert_eq!(group.backends()[0].active(), 0);
}

#[test]
fn a_back_end_has_room_again_when_the_connection_is_closed_and_not_before() {
    let gateway = TestGateway { most: 1, ..TestGateway::new(1) };
    let group = gateway.group();
    let mut connection = gateway.connection_of(Arc::clone(&group), GET, &[says("nonsense\r\n\r\n")]);
    connection.run();
    assert_eq!(connection.statuses(), [502]);
    assert_eq!(group.backends()[0].active(), 0);
    let mut connection = gateway.connection_of(Arc::clone(&group), GET, &[says("")]);
    connection.run();
    connection.exchange.client_failed();
    connection.run();
    assert_eq!(group.backends()[0].active(), 1, "the driver drops its sockets first");
    drop(connection);
    assert_eq!(group.backends()[0].active(), 0);
}

#[test]
fn a_client_that_times_out_or_disconnects_leaves_the_queue() {
    let gateway = TestGateway { most: 1, ..TestGateway::new(1) };
    let group = gateway.group();
    let mut held = gateway.connection_of(Arc::clone(&group), GET, &[says("")]);
    held.run();
    let mut late = gateway.connection_of(Arc::clone(&group), &GET.repeat(2), &[]);
    assert_eq!(late.run().waits().statuses(), [503, 0][..1]);
    assert!(late.text().contains("Proxy-Status: giliran; error=connection_limit_reached"), "{}", late.text());
    assert_eq!(late.state(), Status::Waits(gateway.timeouts.connect), "the next request waits in its turn");
    assert_eq!(group.waiting(), 1);
    late.exchange.client_failed();
    assert_eq!(late.run().outcome().to_string(), "client reset in queue");
    drop(late);
    assert_eq!(group.waiting(), 0);
}

#[test]
fn waiting_requests_get_503_at_once_when_the_last_back_end_goes_down() {
    let gateway = TestGateway { most: 1, ..TestGateway::new(1) };
    let group = gateway.group();
    let mut held = gateway.connection_of(Arc::clone(&group), GET, &[says("")]);
    held.run();
    let mut late = gateway.connection_of(Arc::clone(&group), GET, &[]);
    late.run();
    group.check_failed(&group.backends()[0]);
    assert_eq!(late.run().statuses(), [503]);
    assert!(late.text().contains("error=destination_unavailable"), "{}", late.text());
}
