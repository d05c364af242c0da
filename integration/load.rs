//! `--max-per-backend`: so many at a time with one back end, and a queue of those who wait.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use socket2::SockRef;

use crate::support::backend::{Backend, Visit, ok};
use crate::support::client::{Client, get, post, request};
use crate::support::launch::Launch;
use crate::support::limits;
use crate::support::role::Role;
use crate::support::{Model, WAIT_MAX, both};

both![
    never_more_than_the_limit_at_a_back_end,
    a_queue_that_is_full_refuses_at_once,
    who_waits_too_long_is_refused,
    a_back_end_that_dies_gives_its_queue_to_the_others,
    a_client_that_leaves_gives_its_place_in_the_queue_up,
    a_client_that_has_finished_sending_gets_its_turn,
    waiting_clients_stop_nobody_else,
    back_ends_killed_under_load_fail_no_request,
    a_drain_finishes_those_who_wait,
];

/// Clients that may wait for a back end of one group.
const QUEUE: usize = 1024;
/// Both drivers' tests of a full queue have a client for each place at the same time, and other tests theirs.
const DESCRIPTORS_MIN: u64 = 4096;

/// A balancer that gives each back end so many at a time.
fn limited<'b>(
    model: Model,
    mode: &str,
    most: usize,
    backends: impl IntoIterator<Item = &'b Backend>,
) -> Launch {
    let backends = backends.into_iter().map(Backend::address);
    Launch::balancer(model, mode, backends)
        .checked("off")
        .flag("--max-per-backend", most)
        .flag("--log", "debug")
}

/// Waits until so many have come to wait.
fn wait_for_waiting(role: &Role, count: usize) {
    role.wait_for_logs("waits for a back end", count);
}

/// Answers each request when the test says so.
fn frozen(visit: &mut Visit) -> io::Result<()> {
    loop {
        let target = visit.request()?.head.word(1).to_owned();
        visit.freeze();
        visit.send(ok(&target))?;
    }
}

/// A client that has asked.
fn asking(role: &Role, target: &str) -> Client {
    let mut client = Client::connect(role.address());
    client.send(request("GET", target, ""));
    client
}

/// A client that has asked and says no more: so its relay is over with the answer, and its place free.
fn asking_once(role: &Role, target: &str) -> Client {
    let mut client = Client::connect(role.address());
    // One that was closed at once cannot even do that: the answer that does not come tells it.
    let asked = client.wire().send(request("GET", target, "").as_bytes());
    let _ = asked.and_then(|()| client.wire().finish_sending());
    client
}

/// How many are with a back end, and how many were there at most.
#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    fn enter(&self) {
        self.most.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

fn never_more_than_the_limit_at_a_back_end(model: Model) {
    const CLIENTS: usize = 24;
    for mode in ["http", "tcp"] {
        let gauges = [(); 2].map(|()| Arc::<Gauge>::default());
        let backends = gauges.each_ref().map(|gauge| {
            let (gauge, in_turn) = (Arc::clone(gauge), mode == "http");
            Backend::start(move |visit| {
                loop {
                    visit.request()?;
                    gauge.enter();
                    let undisturbed = visit.pause(Duration::from_millis(3));
                    gauge.leave();
                    undisturbed?;
                    visit.send(ok("satu"))?;
                    if !in_turn {
                        return Ok(()); // one connection is what counts
                    }
                }
            })
        });
        let role = limited(model, mode, 2, &backends).flag("--connect-timeout", "60s").start();
        std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                let role = &role;
                scope.spawn(move || {
                    let mut client = Client::connect(role.address());
                    for turn in 0..10 {
                        // Kept connections and fresh ones, requests that may be repeated and such that may not.
                        if mode == "tcp" || number % 2 == 0 {
                            client = Client::connect(role.address());
                        }
                        let response = match turn % 3 {
                            0 => client.send(post("/", b"isi")).response(),
                            _ => client.get("/"),
                        };
                        assert_eq!(response.text(), "satu", "{mode}");
                    }
                });
            }
        });
        let most = gauges.map(|gauge| gauge.most.load(Ordering::SeqCst));
        assert_eq!(most, [2, 2], "{mode}");
    }
}

fn a_queue_that_is_full_refuses_at_once(model: Model) {
    const SURPLUS: usize = 7;
    if limits::lacks_descriptors(DESCRIPTORS_MIN) {
        return;
    }
    for mode in ["http", "tcp"] {
        let backend = Backend::start(frozen);
        let mut launch = limited(model, mode, 1, [&backend]).flag("--connect-timeout", "10m");
        if model == Model::Threaded {
            launch = launch.flag("--queue", 10_000);
        }
        let role = launch.start();
        let mut clients: Vec<_> = (0..1 + QUEUE + SURPLUS).map(|_| asking_once(&role, "/")).collect();
        role.wait_for_logs("are full for", SURPLUS);
        assert_eq!(backend.visits(), 1, "{mode}");
        backend.release();
        let (mut served, mut refused) = (0, 0);
        for client in &mut clients {
            match client.try_response("GET") {
                Ok(response) if response.status == 200 => served += 1,
                Ok(response) => {
                    assert_eq!(response.status, 503);
                    let words = response.field("proxy-status").unwrap();
                    assert!(words.ends_with("error=connection_limit_reached"), "{words}");
                    refused += 1;
                }
                Err(_) if mode == "tcp" => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((served, refused), (1 + QUEUE, SURPLUS), "{mode}");
    }
}

fn who_waits_too_long_is_refused(model: Model) {
    for mode in ["http", "tcp"] {
        let backend = Backend::start(frozen);
        let role = limited(model, mode, 1, [&backend]).flag("--connect-timeout", "300ms").start();
        let mut held = asking(&role, "/satu");
        backend.wait_for_request(0);
        let mut late = asking(&role, "/dua");
        if mode == "http" {
            let response = late.response();
            assert_eq!((response.status, response.field("proxy-status").is_some()), (503, true));
        }
        let line = role.wait_for_log("we timed out in queue\"");
        assert!(line.contains("closed role=") && !line.contains("queue_ms=0.000"), "{line}");
        if mode == "tcp" {
            late.expect_end();
        }
        backend.release();
        assert_eq!(held.response().text(), "/satu", "{mode}");
        assert_eq!(backend.requests().len(), 1, "{mode}: who was refused is not forwarded");
    }
}

fn a_back_end_that_dies_gives_its_queue_to_the_others(model: Model) {
    for mode in ["http", "tcp"] {
        let dying = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, other) = (dying.local_addr().unwrap(), Backend::start(frozen));
        let role = Launch::balancer(model, mode, [address, other.address()])
            .checked("off")
            .flag("--max-per-backend", 1)
            .flag("--connect-timeout", "60s")
            .flag("--log", "debug")
            .start();
        let mut first = asking_once(&role, "/satu");
        role.wait_for_log(&format!("koneksi diteruskan ke {address}"));
        let (connection, _) = dying.accept().unwrap();
        let mut second = asking_once(&role, "/dua");
        other.wait_for_request(0);
        let mut waiting = [(); 6].map(|()| asking_once(&role, "/tiga"));
        wait_for_waiting(&role, waiting.len());
        // First it refuses, so that nobody else is let in for its last moment.
        drop(dying);
        drop(connection);
        other.release();
        for client in &mut waiting {
            assert_eq!(client.response().text(), "/tiga", "{mode}\n{}", role.log());
        }
        assert_eq!(second.response().text(), "/dua", "{mode}");
        // The request that it died on is sent to the other; of a relay nobody knows what was done.
        let response = first.try_response("GET").ok();
        let text = response.as_ref().map(|response| response.text());
        assert_eq!(text, (mode == "http").then_some("/satu"), "{mode}\n{}", role.log());
    }
}

fn a_client_that_leaves_gives_its_place_in_the_queue_up(model: Model) {
    for mode in ["http", "tcp"] {
        let backend = Backend::start(frozen);
        let role = limited(model, mode, 1, [&backend]).flag("--connect-timeout", "60s").start();
        let mut held = asking(&role, "/satu");
        backend.wait_for_request(0);
        let mut leaving = asking(&role, "/pergi");
        wait_for_waiting(&role, 1);
        SockRef::from(leaving.wire().stream()).set_linger(Some(Duration::ZERO)).unwrap();
        drop(leaving);
        role.wait_for_log("client reset in queue");
        let mut next = asking(&role, "/dua");
        backend.release();
        assert_eq!(held.response().text(), "/satu", "{mode}");
        drop(held);
        assert_eq!(next.response().text(), "/dua", "{mode}");
        assert_eq!(backend.requests().len(), 2, "{mode}");
    }
}

fn a_client_that_has_finished_sending_gets_its_turn(model: Model) {
    for mode in ["http", "tcp"] {
        let backend = Backend::start(frozen);
        let role = limited(model, mode, 1, [&backend]).flag("--connect-timeout", "60s").start();
        let held = asking(&role, "/satu");
        backend.wait_for_request(0);
        let mut half_closed = asking(&role, "/dua");
        half_closed.finish_sending();
        wait_for_waiting(&role, 1);
        backend.release();
        drop(held);
        assert_eq!(half_closed.response().text(), "/dua", "{mode}");
    }
}

fn waiting_clients_stop_nobody_else(model: Model) {
    let (slow, quick) = (Backend::start(frozen), Backend::saying("cepat"));
    let mut launch = Launch::reverse_proxy(model, quick.address())
        .flag("--route", format!("/lambat={}", slow.address()))
        .flag("--max-per-backend", 2)
        .flag("--connect-timeout", "60s");
    if model == Model::Threaded {
        launch = launch.flag("--workers", 2);
    }
    let role = launch.start();
    let mut waiting: Vec<_> = (0..20).map(|_| asking(&role, "/lambat")).collect();
    slow.wait_for_request(1);
    for _ in 0..10 {
        assert_eq!(get(role.address(), "/").text(), "cepat");
    }
    slow.release();
    waiting.iter_mut().for_each(|client| assert_eq!(client.response().text(), "/lambat"));
}

fn back_ends_killed_under_load_fail_no_request(model: Model) {
    const EACH: usize = 60;
    let mut servers: Vec<_> =
        (0..5).map(|_| Launch::web_server(model).flag("--log", "off").start()).collect();
    let role = Launch::balancer(model, "http", servers.iter().map(Role::address))
        .checked("50ms")
        .flag("--max-per-backend", 2)
        .flag("--connect-timeout", "60s")
        .start();
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..24 {
            let (role, done) = (&role, &done);
            scope.spawn(move || {
                for turn in 0..EACH {
                    let response = get(role.address(), if turn % 2 == 0 { "/" } else { "/?delay=2ms" });
                    assert_eq!(response.status, 200, "{}\n{}", response.text(), role.log());
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..2 {
            let (before, deadline) = (done.load(Ordering::Relaxed), Instant::now() + WAIT_MAX);
            while done.load(Ordering::Relaxed) < before + 200 && Instant::now() < deadline {
                std::thread::yield_now();
            }
            servers.remove(2).signal(Signal::KILL);
        }
    });
}

fn a_drain_finishes_those_who_wait(model: Model) {
    let backend = Backend::start(frozen);
    let mut role = limited(model, "http", 1, [&backend]).flag("--connect-timeout", "60s").start();
    let mut clients = [(); 3].map(|()| asking(&role, "/"));
    wait_for_waiting(&role, 2);
    backend.wait_for_request(0);
    role.signal(Signal::TERM);
    role.wait_until_it_refuses();
    backend.release();
    clients.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
    assert!(role.wait().success());
}
