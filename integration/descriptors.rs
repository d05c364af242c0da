//! Descriptors used up, at every place where one is needed: nobody spins, nobody exits, and it is
//! over by itself.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::support::backend::Backend;
use crate::support::client::{Client, get, request};
use crate::support::launch::Launch;
use crate::support::limits::limit_descriptors_of;
use crate::support::role::Role;
use crate::support::site::Site;
use crate::support::{Model, WAIT_MAX, both};

both![
    none_left_to_accept_with,
    none_left_to_connect_with_is_503,
    none_left_to_connect_with_closes_a_relay,
    none_left_to_open_a_file_with_is_503,
    a_small_limit_leaves_room_for_more_than_one_client,
];

/// Leaves a role so many descriptors more than it has now.
fn leave(role: &Role, count: u64) {
    let free =
        |open: &BTreeSet<u64>| (0..).filter(|number| !open.contains(number)).nth(count as usize).unwrap();
    let open = settled(|| role.process().descriptors());
    limit_descriptors_of(role.process().id(), free(&open));
}

/// What `look` gives once it has given the same for a while: a process that has just begun, or has
/// just lost a client, is about to close what it seems to have.
fn settled<T: PartialEq>(look: impl Fn() -> T) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    let (mut seen, mut since) = (look(), Instant::now());
    while since.elapsed() < Duration::from_millis(50) {
        assert!(Instant::now() < deadline, "it never settles");
        let now = look();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        std::thread::yield_now();
    }
    seen
}

/// Takes all that a role has left: clients that come one by one, until it lets no more in.
fn many_clients(role: &Role) -> Vec<Client> {
    let mut inside = Vec::new();
    while role.logged("accepting pauses") == 0 {
        assert!(inside.len() < 50, "there is always room:\n{}", role.log());
        let mut client = Client::connect(role.address());
        client.send(request("GET", "/", ""));
        // Until it is answered, or will not be.
        while client.wire().is_silent_for(Duration::from_millis(20)) && role.logged("accepting pauses") == 0 {
        }
        if role.logged("accepting pauses") == 0 && client.wire().exact(1).is_err() {
            // It was let in with the last one, and closed for want of another: so that nobody is any more.
            role.wait_for_log("no descriptor or local port is left");
            leave(role, 0);
        }
        inside.push(client);
    }
    inside
}

fn none_left_to_accept_with(model: Model) {
    let backend = Backend::saying("satu");
    let roles = [
        Launch::web_server(model),
        Launch::reverse_proxy(model, backend.address()),
        Launch::balancer(model, "tcp", [backend.address()]).checked("off"),
    ];
    for (number, launch) in roles.into_iter().enumerate() {
        let role = launch.start();
        assert_eq!(get(role.address(), "/").status, 200);
        leave(&role, 8);
        let inside = many_clients(&role);
        let mut outside: Vec<Client> = (0..10).map(|_| Client::connect(role.address())).collect();
        outside.iter_mut().for_each(|client| _ = client.send(request("GET", "/", "Connection: close\r\n")));
        let before = (role.process().cpu_seconds(), role.log().lines().count());
        outside[9].expect_silence(Duration::from_secs(1));
        let cpu_seconds = role.process().cpu_seconds() - before.0;
        assert!(cpu_seconds < 0.2, "{cpu_seconds} s of processor time with nothing to do");
        let said = role.log().lines().count() - before.1;
        assert!(said < 5, "{said} lines about it:\n{}", role.log());
        // Those who leave let the others in. To each of them a back end is to be connected, too.
        if number > 0 {
            limit_descriptors_of(role.process().id(), 1000);
        }
        drop(inside);
        for client in &mut outside {
            assert_eq!(client.response().status, 200, "{}", role.log());
        }
        assert_eq!(role.logged("panicked") + role.logged("is out"), 0, "{}", role.log());
    }
}

fn none_left_to_connect_with_is_503(model: Model) {
    let backends = [(); 2].map(|()| Backend::saying("satu"));
    let addresses = backends.each_ref().map(Backend::address);
    for launch in [Launch::reverse_proxy(model, addresses[0]), Launch::balancer(model, "http", addresses)] {
        let role = launch.start();
        let mut client = Client::connect(role.address());
        leave_after_accepting(&role, &mut client);
        for _ in 0..5 {
            let response = client.get("/");
            assert_eq!(
                (response.status, response.field("proxy-status").is_some()),
                (503, true),
                "{}",
                response.text()
            );
        }
        limit_descriptors_of(role.process().id(), 1000);
        assert_eq!(client.get("/").text(), "satu", "{}", role.log());
        assert_eq!(role.logged("is out"), 0, "no back end is to blame:\n{}", role.log());
    }
}

/// Lets this client in, and leaves nothing for its back end.
fn leave_after_accepting(role: &Role, client: &mut Client) {
    client.send("GET /awal HTTP/1.1\r\n");
    role.wait_for_log(&client.wire().stream().local_addr().unwrap().to_string());
    leave(role, 0);
    client.send("Host: a\r\n\r\n");
    assert_eq!(client.response().status, 503);
}

fn none_left_to_connect_with_closes_a_relay(model: Model) {
    let backend = Backend::saying("satu");
    let role = Launch::balancer(model, "tcp", [backend.address()]).checked("off").start();
    assert_eq!(get(role.address(), "/").status, 200);
    // A connection that was just being closed may have left more than was counted: then once more. And
    // accepting may pause, since the acceptor itself has found none left.
    let mut inside = Vec::new();
    while role.logged("we hit a limit in connect") == 0 {
        assert!(inside.len() < 50, "{}", role.log());
        leave(&role, 1);
        let joined = role.logged("koneksi diteruskan");
        let mut client = Client::connect(role.address());
        let deadline = Instant::now() + WAIT_MAX;
        while role.logged("koneksi diteruskan") == joined
            && client.wire().is_silent_for(Duration::from_millis(20))
        {
            assert!(Instant::now() < deadline, "{}", role.log());
            if role.logged("we hit a limit in connect") > 0 {
                break;
            }
        }
        inside.push(client);
    }
    let ended = inside
        .iter_mut()
        .filter_map(|client| (!client.wire().is_silent_for(Duration::from_millis(20))).then_some(()));
    assert!(ended.count() > 0, "the relay that has no back end is closed");
    limit_descriptors_of(role.process().id(), 1000);
    assert_eq!(get(role.address(), "/").text(), "satu");
    assert_eq!(role.logged("is out"), 0, "no back end is to blame:\n{}", role.log());
}

fn none_left_to_open_a_file_with_is_503(model: Model) {
    let site = Site::new().with("satu.txt", "satu").with("dua.txt", "dua");
    let role = Launch::web_server(model).flag("--root", site.path().display()).start();
    let mut client = Client::connect(role.address());
    assert_eq!(client.get("/satu.txt").text(), "satu");
    leave(&role, 0);
    assert_eq!(client.get("/dua.txt").status, 503);
    assert_eq!(client.get("/santai").status, 200, "what needs no file is answered");
    limit_descriptors_of(role.process().id(), 1000);
    assert_eq!(client.get("/dua.txt").text(), "dua");
}

fn a_small_limit_leaves_room_for_more_than_one_client(model: Model) {
    let backend = Backend::saying("satu");
    for launch in [
        Launch::web_server(model),
        Launch::reverse_proxy(model, backend.address()).checked("50ms"),
        Launch::balancer(model, "tcp", [backend.address()]).checked("50ms"),
    ] {
        let role = launch.with_descriptors(64).start();
        role.wait_for_log("16 open connections instead of 10000");
        let mut inside: Vec<Client> = (0..16).map(|_| Client::connect(role.address())).collect();
        for client in &mut inside {
            assert_eq!(client.get("/").status, 200, "{}", role.log());
        }
        // Each that leaves lets one in, and then accepting pauses again.
        for _ in 0..40 {
            let mut outside = Client::connect(role.address());
            outside.send(request("GET", "/", ""));
            drop(inside.remove(0));
            assert_eq!(outside.response().status, 200, "{}", role.log());
            inside.push(outside);
        }
        role.wait_for_log("all 16 connections are open");
        let said = role.logged("connections are open") + role.logged("accepting pauses until");
        assert!(said <= 2, "told once: {}", role.log());
        assert_eq!(role.logged("is out") + role.logged("no descriptor"), 0, "{}", role.log());
    }
}
