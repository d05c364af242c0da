//! The end of a role: what SIGTERM and Ctrl-C let finish, and how soon.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::backend::{Backend, ok};
use crate::support::client::{Client, request};
use crate::support::launch::Launch;
use crate::support::{Model, both};

both![
    an_idle_role_ends_at_once,
    a_request_in_flight_finishes,
    an_idle_kept_connection_is_closed,
    a_relay_in_flight_finishes,
    the_drain_time_is_a_bound,
    a_second_signal_ends_at_once,
    the_limit_on_processor_time_does_not_cut_its_own_drain,
];

fn an_idle_role_ends_at_once(model: Model) {
    let backend = Backend::saying("satu");
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::XCPU] {
        for launch in [
            Launch::web_server(model),
            Launch::reverse_proxy(model, backend.address()),
            Launch::balancer(model, "tcp", [backend.address()]),
            Launch::balancer(model, "http", [backend.address()]),
        ] {
            let mut role = launch.start();
            let start = Instant::now();
            role.signal(signal);
            assert_eq!(role.wait().code(), Some(0), "{}", role.log());
            assert!(start.elapsed() < Duration::from_secs(5), "{signal:?} took {:?}", start.elapsed());
        }
    }
}

fn a_request_in_flight_finishes(model: Model) {
    for proxy in [true, false] {
        let backend = Backend::start(|visit| {
            visit.request()?;
            visit.freeze();
            visit.send(ok("akhirnya"))
        });
        let mut role = match proxy {
            true => Launch::reverse_proxy(model, backend.address()),
            false => Launch::balancer(model, "http", [backend.address()]),
        }
        .start();
        let mut client = Client::connect(role.address());
        client.send(request("GET", "/", ""));
        backend.wait_for_request(0);
        role.signal(Signal::TERM);
        role.wait_until_it_refuses();
        backend.release();
        let response = client.response();
        assert_eq!(
            (response.text(), response.field("connection")),
            ("akhirnya", Some("close")),
            "{}",
            role.log()
        );
        client.expect_end();
        assert_eq!(role.wait().code(), Some(0), "{}", role.log());
    }
}

fn an_idle_kept_connection_is_closed(model: Model) {
    let mut role = Launch::web_server(model).start();
    let mut idle = Client::connect(role.address());
    assert_eq!(idle.get("/").status, 200);
    let mut busy = Client::connect(role.address());
    busy.send(request("GET", "/?delay=1s", ""));
    busy.expect_silence(Duration::from_millis(100));
    role.signal(Signal::TERM);
    idle.expect_end();
    assert_eq!(busy.response().status, 200);
    assert_eq!(role.wait().code(), Some(0), "{}", role.log());
}

fn a_relay_in_flight_finishes(model: Model) {
    let backend = Backend::start(|visit| {
        visit.some()?;
        visit.freeze();
        visit.send("akhirnya")
    });
    let mut role = Launch::balancer(model, "tcp", [backend.address()]).checked("off").start();
    let mut client = Client::connect(role.address());
    client.send("minta");
    backend.wait_for_visits(1);
    role.signal(Signal::TERM);
    role.wait_until_it_refuses();
    backend.release();
    assert_eq!(client.rest(), b"akhirnya");
    drop(client);
    assert_eq!(role.wait().code(), Some(0), "{}", role.log());
}

fn the_drain_time_is_a_bound(model: Model) {
    let backend = Backend::silent();
    for mode in ["tcp", "http"] {
        let launch =
            Launch::balancer(model, mode, [backend.address()]).checked("off").flag("--drain", "300ms");
        let mut role = launch.start();
        let before = backend.visits();
        let mut client = Client::connect(role.address());
        client.send(request("GET", "/", ""));
        backend.wait_for_visits(before + 1);
        let start = Instant::now();
        role.terminate();
        assert!(start.elapsed() < Duration::from_secs(5), "{mode} took {:?}", start.elapsed());
    }
}

fn a_second_signal_ends_at_once(model: Model) {
    let backend = Backend::silent();
    let mut role = Launch::reverse_proxy(model, backend.address()).flag("--drain", "10m").start();
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/", ""));
    backend.wait_for_visits(1);
    role.signal(Signal::TERM);
    role.wait_until_it_refuses();
    let start = Instant::now();
    role.signal(Signal::TERM);
    role.wait();
    assert!(start.elapsed() < Duration::from_secs(5), "took {:?}", start.elapsed());
}

fn the_limit_on_processor_time_does_not_cut_its_own_drain(model: Model) {
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.freeze();
        visit.send(ok("akhirnya"))
    });
    let mut role = Launch::reverse_proxy(model, backend.address()).start();
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/", ""));
    backend.wait_for_request(0);
    role.signal(Signal::XCPU);
    role.wait_until_it_refuses();
    // The kernel repeats it every second.
    role.signal(Signal::XCPU);
    backend.release();
    assert_eq!(client.response().text(), "akhirnya");
    assert_eq!(role.wait().code(), Some(0), "{}", role.log());
}
