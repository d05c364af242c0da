//! The worker pool of the threaded model: parking, the bounded queue, the refusal when it is full.

use std::time::{Duration, Instant};

use crate::support::Model::Threaded;
use crate::support::WAIT_MAX;
use crate::support::client::{Client, get, request};
use crate::support::launch::Launch;

#[test]
fn idle_clients_do_not_own_workers() {
    let role = Launch::web_server(Threaded).flag("--workers", 2).start();
    let mut idle: Vec<_> = (0..20).map(|_| Client::connect(role.address())).collect();
    for client in &mut idle {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(get(role.address(), "/").status, 200, "a fresh client");
    for client in &mut idle {
        assert_eq!(client.get("/").status, 200, "a parked client comes back");
    }
}

#[test]
fn unfinished_heads_do_not_own_workers() {
    let role = Launch::web_server(Threaded).flag("--workers", 2).start();
    let mut unfinished: Vec<_> = (0..20).map(|_| Client::connect(role.address())).collect();
    for client in &mut unfinished {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    }
    assert_eq!(get(role.address(), "/").status, 200, "a fresh client");
    for client in &mut unfinished {
        assert_eq!(client.send("\r\n").response().status, 200);
    }
}

#[test]
fn without_parking_idle_clients_starve_the_rest() {
    let launch = Launch::web_server(Threaded).switch("--no-park").flag("--workers", 2).flag("--queue", 1);
    let role = launch.flag("--queue-wait", "100ms").start();
    // One behind the other: two at once may be one too many for a queue of one.
    let owning = [(); 2].map(|()| {
        let mut owner = Client::connect(role.address());
        assert_eq!(owner.get("/").status, 200); // and each keeps its worker
        owner
    });
    let mut queued = Client::connect(role.address());
    queued.send(request("GET", "/", ""));
    queued.expect_silence(Duration::from_millis(300));
    let start = Instant::now();
    let refused = get(role.address(), "/");
    assert_eq!((refused.status, refused.text().trim_end().lines().count()), (503, 1));
    assert!(start.elapsed() < Duration::from_secs(2), "refused after {:?}", start.elapsed());
    // A worker that is given back serves the one in the queue.
    drop(owning);
    assert_eq!(queued.response().status, 200);
}

/// Past fault: a full queue was a refusal in the same instant, so a burst of clients behind a short stall
/// of the machine lost most of them.
#[test]
fn a_burst_that_a_short_stall_holds_up_is_served() {
    let burst = |wait: &str| {
        let launch = Launch::web_server(Threaded).flag("--workers", 2).flag("--queue", 1);
        let role = launch.switch("--no-park").flag("--queue-wait", wait).start();
        let mut clients: Vec<_> = (0..8).map(|_| Client::connect(role.address())).collect();
        for client in &mut clients {
            client.send("GET /?delay=200ms HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        }
        clients.iter_mut().map(|client| client.response().status).collect::<Vec<_>>()
    };
    assert_eq!(burst("10s"), [200; 8]);
    assert!(burst("0s").contains(&503), "with no time to wait, a full queue refuses");
}

#[test]
fn workers_are_named() {
    let role = Launch::web_server(Threaded).flag("--workers", 3).start();
    assert_eq!(get(role.address(), "/").status, 200);
    let workers = || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", role.process().id())).unwrap();
        let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap());
        names.filter(|name| name.starts_with("worker-")).count()
    };
    // A thread gives itself its name, which is some time after it was made.
    let deadline = Instant::now() + WAIT_MAX;
    while workers() < 3 {
        assert!(Instant::now() < deadline, "{} workers have a name", workers());
        std::thread::yield_now();
    }
    assert_eq!(workers(), 3);
}
