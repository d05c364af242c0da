//! Back ends that fail, and the next attempt.

use super::*;

#[test]
fn a_safe_request_is_repeated_once_if_its_back_end_dies() {
    let gateway = TestGateway::new(5);
    let dies = [says("").resets(), says("").ends()].map(|script| script.after(gateway.forwarded(GET)));
    for death in &dies {
        let connection = gateway.run(GET, &[death.clone(), says(OK)]);
        assert_eq!((connection.statuses(), connection.visits.len()), (vec![200], 2));
        let connection = gateway.run(GET, &vec![death.clone(); 5]);
        assert_eq!((connection.statuses(), connection.visits.len()), (vec![502], 2));
        let counted =
            connection.group.backends().iter().map(|backend| backend.failures_reported()).sum::<u64>();
        assert_eq!(counted, 1, "the second failure is not counted against a back end");
        assert_eq!(connection.group.backends()[0].failures_reported(), 1);
        // Refused connects in between do not count.
        let scripts = [death.clone(), refuses(), refuses(), says(OK)];
        assert_eq!(gateway.run(GET, &scripts).statuses(), [200]);
    }
    let death = dies[0].clone().after(gateway.forwarded(POST));
    assert_eq!(gateway.run(POST, &[death, says(OK)]).statuses(), [502]);
}

#[test]
fn a_dead_idle_connection_is_replaced_once_and_for_safe_methods_only() {
    let gateway = TestGateway::new(2);
    for death in [says("").ends(), says("").resets(), says("").breaks(0), says("").breaks(20)] {
        let mut connection =
            gateway.connection(&GET.repeat(3), &[says(OK), says(OK), death.clone(), says(OK)]);
        connection.run();
        // The third request goes to the first back end again, on the connection that has died meanwhile.
        assert_eq!(connection.text(), OK_SENT.repeat(3), "{death:?}");
        assert_eq!(
            connection.visits.iter().map(|visit| visit.reused).collect::<Vec<_>>(),
            [false, false, true, false]
        );
        assert_eq!(connection.got(3), GOT);
        assert_eq!(
            connection.group.backends().iter().map(|backend| backend.failures_reported()).sum::<u64>(),
            0
        );
        // The new connection fails as well, and so do both to the other back end: these failures count.
        let ends = says("").ends();
        let dead = [says(OK), says(OK), death.clone(), ends.clone(), ends.clone(), ends];
        assert_eq!(gateway.run(&GET.repeat(3), &dead).statuses(), [200, 200, 502]);
    }
    // A POST is never sent on an idle connection, so there is no doubt about it.
    let one = TestGateway::new(1);
    let connection = one.run(&format!("{GET}{POST}"), &[says(OK), says("").ends()]);
    assert_eq!((connection.statuses(), connection.visits[1].reused), (vec![200, 502], false));
}

#[test]
fn the_next_candidate_is_tried_if_nothing_was_sent() {
    let gateway = TestGateway::new(3);
    for request in [GET, POST] {
        let scripts = [refuses(), refuses(), says(OK).after(gateway.forwarded(request))];
        assert_eq!(gateway.run_in_all_pieces(request, &scripts).text(), OK_SENT);
        let connection =
            gateway.run(request, &[says("").breaks(0), says(OK).after(gateway.forwarded(request))]);
        assert_eq!(connection.text(), OK_SENT, "nothing was sent yet");
    }
    // Something was sent: the back end may have acted on it.
    assert_eq!(gateway.run(POST, &[says("").breaks(20)]).statuses(), [502]);
    assert_eq!(gateway.run(POST, &[says("").ends()]).statuses(), [502]);
    let connection = gateway.run(GET, &[refuses(), refuses(), refuses()]);
    assert_eq!((connection.statuses(), connection.state()), (vec![502], gateway.idle()));
    assert_eq!(TestGateway::new(0).run(GET, &[]).statuses(), [503]);
}

#[test]
fn all_back_ends_are_tried_until_one_accepts_or_the_time_to_connect_is_spent() {
    let many = TestGateway::new(9);
    for request in [GET, POST] {
        let mut scripts = vec![refuses(); 8];
        scripts.push(says(OK).after(many.forwarded(request)));
        assert_eq!(many.run_in_all_pieces(request, &scripts).text(), OK_SENT);
    }
    assert_eq!(many.run(GET, &vec![refuses(); 9]).statuses(), [502]);
    // Beyond the retries, a connect has what is left of the time for all.
    let scripts = [vec![refuses(); RETRIES + 1], vec![hangs()]].concat();
    let mut connection = many.connection(GET, &scripts);
    assert_eq!(connection.run().state(), Status::Waits(many.timeouts.connect));
    assert_eq!(connection.waits().statuses(), [504], "no time is left for the others");
    let mut slow = many.connection(GET, &[]);
    let (now, later) = (slow.now, slow.now.after(many.timeouts.connect / 2));
    let waker = || Waker::noop().clone();
    assert!(slow.read_client(&Interest { read_client: true, ..Interest::NONE }));
    for _ in 0..=RETRIES {
        slow.exchange.choose_backend(&now, waker).unwrap();
        slow.exchange.connect_failed(How::Refused, &now);
    }
    slow.exchange.choose_backend(&later, waker).unwrap();
    assert_eq!(slow.exchange.connect_timeout(&later), many.timeouts.connect / 2);
    // As many retries as ever are made when a connect takes all the time by itself.
    let mut connection = many.connection(GET, &vec![hangs(); RETRIES + 1]);
    connection.run();
    (0..=RETRIES).for_each(|_| _ = connection.waits());
    assert_eq!(connection.statuses(), [504]);
    // Once something was sent they are bounded too: the death of one is no licence to try all.
    let scripts = [vec![refuses(); RETRIES], vec![says("").ends()]].concat();
    assert_eq!(many.run(GET, &scripts).statuses(), [502]);
}

#[test]
fn a_connect_has_a_deadline_and_then_the_next_back_end_is_tried() {
    let gateway = TestGateway::new(2);
    let mut connection = gateway.connection(GET, &[hangs(), says(OK)]);
    assert_eq!(connection.exchange.connect_timeout(&connection.now), gateway.timeouts.connect);
    assert_eq!(connection.run().state(), Status::Waits(gateway.timeouts.connect));
    let (second, left) = (Duration::from_secs(1), gateway.timeouts.connect - Duration::from_secs(1));
    assert_eq!(connection.exchange.connect_timeout(&connection.now.after(second)), left);
    assert_eq!(connection.waits().text(), OK_SENT);
    let mut connection = gateway.connection(GET, &[hangs(), hangs()]);
    connection.run().waits().waits();
    assert_eq!((connection.statuses(), connection.state()), (vec![504], gateway.idle()));
    // The failure of the last attempt decides.
    let mut connection = gateway.connection(GET, &[hangs(), refuses()]);
    assert_eq!(connection.run().waits().statuses(), [502]);
}

#[test]
fn the_back_end_is_released_before_the_next_request() {
    let gateway = TestGateway::new(1);
    // The client reads nothing of the first response: the back end is released anyway.
    let mut connection =
        TestConnection { takes: 0, ..gateway.connection(&GET.repeat(2), &[says(OK), says(OK)]) };
    connection.run();
    assert_eq!((connection.visits.len(), connection.visits[0].kept), (1, Some(true)));
    connection.takes = usize::MAX;
    assert_eq!(connection.run().text(), OK_SENT.repeat(2));
}

/// That a back end accepts connections does not prove that it is healthy: it must be marked as down if it never
/// responds.
#[test]
fn a_back_end_that_accepts_and_never_responds_goes_down() {
    let gateway = TestGateway::new(2);
    let scripts = [vec![says(""), says(OK), says(""), says(OK), says("")], vec![says(OK); 3]].concat();
    let mut gateway =
        TestGateway { timeouts: Timeouts { backend: Duration::from_secs(1), ..gateway.timeouts }, ..gateway };
    gateway.timeouts.keep_alive = Duration::from_secs(60);
    let mut connection = gateway.connection(&GET.repeat(8), &scripts);
    connection.run();
    while connection.statuses().len() < 8 {
        connection.waits();
    }
    assert_eq!(connection.statuses(), [504, 200, 504, 200, 504, 200, 200, 200]);
    let ups: Vec<bool> = connection.group.backends().iter().map(|backend| backend.is_up()).collect();
    assert_eq!(ups, [false, true]);
}

#[test]
fn a_limit_of_ours_is_no_fault_of_the_back_end() {
    let gateway = TestGateway::new(2);
    let mut connection = gateway.connection(GET, &[]);
    assert!(connection.read_client(&Interest { read_client: true, ..Interest::NONE }));
    connection.exchange.choose_backend(&gateway.now, || Waker::noop().clone()).unwrap();
    connection.exchange.connect_failed(How::Limited, &gateway.now);
    connection.run();
    assert_eq!((connection.statuses(), connection.state()), (vec![503], gateway.idle()));
    assert!(connection.group.backends().iter().all(|backend| backend.failures_reported() == 0));
}

#[test]
fn a_response_clears_the_failures_before_it() {
    let gateway = TestGateway::new(2);
    let group = gateway.group();
    let fail = |times| {
        for _ in 0..times {
            group.report_failure(&group.backends()[0], &"a test", gateway.now.instant);
        }
    };
    fail(PASSIVE_FAILURES - 1);
    for _ in 0..2 {
        gateway.connection_of(Arc::clone(&group), GET, &[says(OK)]).run();
    }
    fail(PASSIVE_FAILURES - 1);
    assert!(group.backends()[0].is_up());
}

#[test]
fn a_connection_is_kept_if_nothing_speaks_against_it() {
    let gateway = TestGateway::new(1);
    for (first, second) in [(true, true), (true, false), (false, true)] {
        let mut connection = gateway.connection(GET, &[says("")]);
        let exchange = &mut connection.run().exchange;
        exchange.mark_released(first);
        exchange.mark_released(second);
        assert_eq!(exchange.release_backend(&gateway.now).keep, first && second);
    }
}
