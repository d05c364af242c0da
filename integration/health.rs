//! Back ends that go and come: who notices, how soon, and what clients see of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::backend::{Backend, Refusing, ok};
use crate::support::client::{Client, get, request};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::{Model, WAIT_MAX, both};

both![
    a_back_end_killed_under_load_fails_no_request,
    a_back_end_killed_takes_only_its_own_relays_along,
    a_back_end_that_comes_back_gets_its_share,
    all_out_is_an_answer_at_once,
    the_only_back_end_goes_out_and_comes_back,
    all_out_closes_relays_at_once,
    every_group_of_the_reverse_proxy_is_checked,
    a_status_of_500_is_ill_and_501_is_not,
    a_silent_back_end_delays_no_other_check,
    checks_ask_for_the_path_and_changes_alone_are_logged,
    a_name_leads_to_its_addresses,
    a_page_whose_handler_dies_costs_no_other_page,
    failures_never_eject_the_last_back_end,
    a_passed_check_outvotes_failures,
    a_page_that_dies_on_one_back_end_is_told_as_it_is,
    count_and_length_of_passive_ejection_are_flags,
    the_first_check_alone_decides_nothing,
    five_dead_back_ends_and_a_live_one_fail_nobody,
];

const QUICK: &str = "50ms";

fn checked(model: Model, mode: &str, backends: impl IntoIterator<Item = SocketAddr>) -> Launch {
    Launch::balancer(model, mode, backends).checked(QUICK)
}

fn five_web_servers(model: Model) -> Vec<Role> {
    (0..5).map(|_| Launch::web_server(model).flag("--log", "off").start()).collect()
}

fn addresses(roles: &[Role]) -> Vec<SocketAddr> {
    roles.iter().map(Role::address).collect()
}

fn a_back_end_killed_under_load_fails_no_request(model: Model) {
    let mut servers = five_web_servers(model);
    let role = checked(model, "http", addresses(&servers)).start();
    let (done, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let wait_for = |count: usize| {
        let deadline = Instant::now() + WAIT_MAX;
        while done.load(Ordering::Relaxed) < count && !stop.load(Ordering::Relaxed) {
            assert!(Instant::now() < deadline, "{} of {count} requests", done.load(Ordering::Relaxed));
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (role, done, stop) = (&role, &done, &stop);
            scope.spawn(move || {
                // Whatever ends this one ends the test.
                let _stop = Stop(stop);
                let mut client = Client::connect(role.address());
                while !stop.load(Ordering::Relaxed) {
                    // Kept connections and fresh ones; a slow answer is in flight at the kill.
                    let target = if number % 2 == 0 { "/" } else { "/?delay=5ms" };
                    let response = match number % 4 < 2 {
                        true => client.get(target),
                        false => get(role.address(), target),
                    };
                    assert_eq!(response.status, 200, "{}\n{}", response.text(), role.log());
                    if response.field("connection") == Some("close") && number % 4 < 2 {
                        client = Client::connect(role.address());
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _stop = Stop(&stop);
        wait_for(200);
        let killed = servers.remove(2);
        killed.signal(Signal::KILL);
        let out = format!("{} is out", killed.address());
        drop(killed);
        role.wait_for_log(&out);
        wait_for(done.load(Ordering::Relaxed) + 200);
    });
}

/// Ends the load when it goes, by a panic too: a scope waits for all its threads.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn a_back_end_killed_takes_only_its_own_relays_along(model: Model) {
    let mut servers = five_web_servers(model);
    let role = checked(model, "tcp", addresses(&servers)).start();
    let mut clients: Vec<_> = (0..25).map(|_| Client::connect(role.address())).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").status, 200);
    }
    drop(servers.remove(3)); // kills it and waits for its end
    for _ in 0..25 {
        assert_eq!(get(role.address(), "/").status, 200, "a fresh connection goes to one that lives");
    }
    let cut = clients.iter_mut().filter_map(|client| {
        // Sending may fail already.
        let sent = client.wire().send(request("GET", "/", "").as_bytes());
        sent.and_then(|()| client.try_response("GET")).err()
    });
    assert_eq!(cut.count(), 5);
}

fn a_back_end_that_comes_back_gets_its_share(model: Model) {
    for mode in ["tcp", "http"] {
        let (gone, other) = (Refusing::new(), Backend::saying("satu"));
        let role = checked(model, mode, [gone.address(), other.address()]).start();
        role.wait_for_log(&format!("{} is out: its checks fail: connection refused", gone.address()));
        let failed_before = role.logged("failed:");
        for _ in 0..10 {
            assert_eq!(get(role.address(), "/").text(), "satu");
        }
        assert_eq!(role.logged("failed:"), failed_before, "nobody is sent to a back end that is out");
        let back = gone.revive("dua");
        role.wait_for_log(&format!("{} is back", back.address()));
        let responses: Vec<_> = (0..10).map(|_| get(role.address(), "/").text().to_owned()).collect();
        assert_eq!(responses.iter().filter(|text| *text == "dua").count(), 5, "{responses:?}");
    }
}

fn all_out_is_an_answer_at_once(model: Model) {
    let refusing = [Refusing::new(), Refusing::new()];
    let role = checked(model, "http", refusing.each_ref().map(Refusing::address)).start();
    role.wait_for_logs("is out", 2);
    let start = Instant::now();
    let response = get(role.address(), "/");
    assert_eq!((response.status, response.field("proxy-status").is_some()), (503, true), "{response:?}");
    assert!(start.elapsed() < Duration::from_secs(1), "took {:?}", start.elapsed());
}

fn the_only_back_end_goes_out_and_comes_back(model: Model) {
    let only = Refusing::new();
    let role = Launch::reverse_proxy(model, only.address()).checked(QUICK).start();
    role.wait_for_log("is out");
    assert_eq!(get(role.address(), "/").status, 503);
    let _back = only.revive("satu");
    role.wait_for_log("is back");
    assert_eq!(get(role.address(), "/").text(), "satu");
}

fn all_out_closes_relays_at_once(model: Model) {
    let refusing = Refusing::new();
    let role = checked(model, "tcp", [refusing.address()]).start();
    role.wait_for_log("is out");
    let start = Instant::now();
    Client::connect(role.address()).expect_end();
    assert!(start.elapsed() < Duration::from_secs(1), "took {:?}", start.elapsed());
}

fn every_group_of_the_reverse_proxy_is_checked(model: Model) {
    let refusing = [Refusing::new(), Refusing::new()];
    let role = Launch::reverse_proxy(model, refusing[0].address())
        .flag("--route", format!("/a/={}", refusing[1].address()))
        .checked(QUICK)
        .start();
    role.wait_for_log(&format!("the default route: {} is out", refusing[0].address()));
    role.wait_for_log(&format!("/a/: {} is out", refusing[1].address()));
}

fn a_status_of_500_is_ill_and_501_is_not(model: Model) {
    let answering = |status: &str| {
        Backend::answering(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
    };
    let backends = ["500", "501", "404"].map(answering);
    let role = checked(model, "http", backends.each_ref().map(Backend::address)).start();
    role.wait_for_log(&format!("{} is out: its checks fail: the status is 500", backends[0].address()));
    // The others were checked, and more than once.
    backends[1..].iter().for_each(|backend| _ = backend.wait_for_request(4));
    assert_eq!(role.logged("is out"), 1, "{}", role.log());
}

fn a_silent_back_end_delays_no_other_check(model: Model) {
    let (silent, lively) = (Backend::silent(), Backend::saying("satu"));
    let role = checked(model, "http", [silent.address(), lively.address()]).start();
    lively.wait_for_request(10);
    assert_eq!(role.logged("is out"), 0, "ten checks of one took less time than one of the other");
    role.wait_for_log(&format!("{} is out: its checks fail: no response within 2 s", silent.address()));
}

fn checks_ask_for_the_path_and_changes_alone_are_logged(model: Model) {
    let (refusing, backend) = (Refusing::new(), Backend::saying("satu"));
    let launch =
        checked(model, "tcp", [refusing.address(), backend.address()]).flag("--health-path", "/sehat");
    let role = launch.start();
    let seen = backend.wait_for_request(20).head;
    assert_eq!((seen.word(0), seen.word(1)), ("HEAD", "/sehat"));
    assert_eq!(seen.field("host"), Some(backend.address().to_string().as_str()));
    role.wait_for_log("is out");
    let told = [refusing.address(), backend.address()].map(|address| role.logged(&address.to_string()));
    assert_eq!(told, [1, 0], "{}", role.log());
}

fn a_name_leads_to_its_addresses(model: Model) {
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.send(ok("satu"))
    });
    let role = Launch::balancer(model, "http", [])
        .flag("--backend", format!("localhost:{}", backend.address().port()))
        .flag("--resolve-interval", "10ms")
        .start();
    // Looked up all the while, and nobody notices.
    for _ in 0..100 {
        assert_eq!(get(role.address(), "/").text(), "satu", "{}", role.log());
    }
    assert_eq!(role.logged("is new") + role.logged("is gone"), 0, "{}", role.log());
}

/// Closes without a word when it is asked for `/mati`, and answers everything else.
fn dying_on_one_page(text: &'static str) -> Backend {
    Backend::start(move |visit| {
        loop {
            if visit.request()?.head.word(1) == "/mati" {
                return Ok(());
            }
            visit.send(ok(text))?;
        }
    })
}

fn a_page_whose_handler_dies_costs_no_other_page(model: Model) {
    let backends = [dying_on_one_page("satu"), dying_on_one_page("dua")];
    for interval in ["off", QUICK, "10m"] {
        let role = Launch::balancer(model, "http", backends.each_ref().map(Backend::address))
            .checked(interval)
            .start();
        for _ in 0..6 {
            assert_eq!(get(role.address(), "/mati").status, 502);
            let responses: Vec<u16> = (0..4).map(|_| get(role.address(), "/").status).collect();
            assert_eq!(responses, [200; 4], "{interval}: {}", role.log());
        }
    }
}

fn failures_never_eject_the_last_back_end(model: Model) {
    for mode in ["tcp", "http"] {
        let gone = [Refusing::new(), Refusing::new()];
        let role =
            Launch::balancer(model, mode, gone.each_ref().map(Refusing::address)).checked("off").start();
        for _ in 0..8 {
            // Each of them is asked by every client.
            match mode {
                "http" => assert_eq!(get(role.address(), "/").status, 502),
                _ => Client::connect(role.address()).expect_end(),
            }
        }
        let [gone, _other] = gone;
        let _back = gone.revive("satu");
        assert_eq!(
            get(role.address(), "/").text(),
            "satu",
            "at once: nobody was out for long\n{}",
            role.log()
        );
    }
}

fn a_passed_check_outvotes_failures(model: Model) {
    let (dying, well) = (dying_on_one_page("satu"), Backend::saying("dua"));
    // So seldom that only a check which the failures have called for can come.
    let role = Launch::balancer(model, "http", [dying.address(), well.address()]).checked("10m").start();
    for _ in 0..6 {
        assert_eq!(get(role.address(), "/mati").text(), "dua");
    }
    let line = role.wait_for_log(" is out ");
    let words = "is out after 3 failures in a row: back by a check that passes, or by a connection that tries it after 10 s";
    assert!(line.ends_with(&format!("{} {words}", dying.address())), "{line}");
    role.wait_for_log(&format!("{} is back: its check passes", dying.address()));
    let responses: Vec<_> = (0..10).map(|_| get(role.address(), "/").text().to_owned()).collect();
    assert_eq!(responses.iter().filter(|text| *text == "satu").count(), 5, "{responses:?}");
}

fn a_page_that_dies_on_one_back_end_is_told_as_it_is(model: Model) {
    let (dying, well) = (dying_on_one_page("satu"), Backend::saying("dua"));
    let role = Launch::balancer(model, "http", [dying.address(), well.address()]).start();
    for _ in 0..6 {
        assert_eq!(get(role.address(), "/mati").text(), "dua");
    }
    let line = role.wait_for_log(" is out ");
    let words = "is out after 3 failures in a row: back by a connection that tries it after 10 s";
    assert!(line.ends_with(&format!("{} {words}", dying.address())), "{line}");
}

fn count_and_length_of_passive_ejection_are_flags(model: Model) {
    let (gone, well) = (Refusing::new(), Backend::saying("dua"));
    let launch = || Launch::balancer(model, "http", [gone.address(), well.address()]);
    let role = launch().flag("--passive-failures", 1).flag("--passive-out", "1500ms").start();
    assert_eq!(get(role.address(), "/").text(), "dua");
    role.wait_for_log("is out after 1 failure: back by a connection that tries it after 1.5 s");
    // 0 is never.
    let role = launch().flag("--passive-failures", 0).start();
    (0..20).for_each(|_| assert_eq!(get(role.address(), "/").text(), "dua"));
    role.wait_for_logs("failed:", 10);
    assert_eq!(role.logged("is out"), 0, "{}", role.log());
}

fn the_first_check_alone_decides_nothing(model: Model) {
    let (late, other) = (
        Backend::start(|visit| {
            visit.request()?;
            let text = match visit.number {
                0 => "HTTP/1.1 503 Not yet\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
                _ => ok("satu"),
            };
            visit.send(text)
        }),
        Backend::saying("dua"),
    );
    let role = checked(model, "http", [late.address(), other.address()]).start();
    late.wait_for_request(4);
    assert_eq!(role.logged("is out"), 0, "{}", role.log());
}

fn five_dead_back_ends_and_a_live_one_fail_nobody(model: Model) {
    let (gone, well) = ([(); 5].map(|()| Refusing::new()), Backend::saying("satu"));
    let addresses = || gone.iter().map(Refusing::address).chain([well.address()]);
    for mode in ["tcp", "http"] {
        let role = Launch::balancer(model, mode, addresses()).flag("--health-interval", "10m").start();
        let responses: Vec<_> = (0..12).map(|_| get(role.address(), "/").text().to_owned()).collect();
        assert!(responses.iter().all(|text| text == "satu"), "{mode}: {responses:?}\n{}", role.log());
    }
}
