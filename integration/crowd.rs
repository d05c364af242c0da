//! More connections than workers: whoever waits without a worker is served when its turn comes, whatever the others do.
//!
//! Each case was a fault of our own once, when workers came to take many parked connections at one call.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::fairness::Stops;
use crate::support::client::{Client, request};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::site::Site;
use crate::support::tls::Setup;
use crate::support::{Model, WAIT_MAX, both};

both![
    a_crowd_that_leaves_at_once_delays_nobody,
    parked_clients_that_speak_at_once_are_all_served_at_once,
    slow_readers_of_a_large_file_hold_up_nobody,
    a_crowd_that_never_pauses_leaves_room_for_who_comes,
    a_turn_that_ends_loses_no_bytes_that_are_decrypted,
];

/// How long anybody may wait here: each of the faults took longer, and a slow machine does not.
const PATIENCE: Duration = WAIT_MAX.checked_div(4).unwrap();

/// Longer than a worker waits for a connection before it parks it, which no event tells.
const UNTIL_PARKED: Duration = Duration::from_millis(700);

/// A role, and clients of it that have asked once.
fn clients(launch: Launch, count: usize) -> (Role, Vec<Client>) {
    let role = launch.start();
    let mut clients: Vec<_> = (0..count).map(|_| Client::connect(role.address())).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").status, 200);
    }
    (role, clients)
}

/// With as few workers as that, or one loop.
fn narrow(launch: Launch, model: Model, workers: usize) -> Launch {
    match model {
        Model::Threaded => launch.flag("--workers", workers),
        Model::Async => launch.flag("--loops", 1),
    }
}

/// Workers that were called for the connections of a crowd and then had to wait were not replaced: each second two of
/// those that had left were looked at, and who came meanwhile waited behind them.
fn a_crowd_that_leaves_at_once_delays_nobody(model: Model) {
    let (role, crowd) = clients(Launch::web_server(model), 300);
    drop(crowd);
    let start = Instant::now();
    for _ in 0..3 {
        let mut client = Client::connect(role.address());
        assert_eq!(client.get("/").status, 200);
        assert_eq!(client.get("/").status, 200, "its connection was parked meanwhile");
    }
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

/// The same, where workers leave while others are being called.
fn parked_clients_that_speak_at_once_are_all_served_at_once(model: Model) {
    let (_role, mut crowd) = clients(Launch::web_server(model), 50);
    for _ in 0..2 {
        crowd[0].expect_silence(UNTIL_PARKED);
        let start = Instant::now();
        crowd.iter_mut().for_each(|client| _ = client.send(request("GET", "/", "")));
        crowd.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
        assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    }
}

/// A worker that served parked connections waited for room in a reader's socket, and kept the reader to the end of its
/// file.
fn slow_readers_of_a_large_file_hold_up_nobody(model: Model) {
    let site = Site::new().with("besar.bin", "").with("index.html", "kecil");
    let file = std::fs::File::options().write(true).open(site.path().join("besar.bin")).unwrap();
    file.set_len(1 << 30).unwrap(); // of nothing, which takes no room on the disk
    let launch = Launch::web_server(model).flag("--root", site.path().display());
    let (role, mut crowd) = clients(launch, 70);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            let mut reader = Client::connect(role.address());
            reader.send(request("GET", "/besar.bin", ""));
            scope.spawn(|| {
                let (mut reader, mut piece) = (reader, vec![0; 64 * 1024]);
                while !stop.load(Ordering::Relaxed) {
                    assert!(reader.wire().stream().read(&mut piece).unwrap() > 0);
                    thread::sleep(Duration::from_millis(20)); // a reader of 3 MB/s
                }
            });
        }
        let _stops = Stops(&stop);
        let start = Instant::now();
        for client in crowd.iter_mut().take(20) {
            assert_eq!(client.get("/").status, 200);
        }
        assert_eq!(Client::connect(role.address()).get("/").status, 200, "a fresh client");
        assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    });
}

/// A worker went on with parked connections for as long as there were any, and looked at no new client.
fn a_crowd_that_never_pauses_leaves_room_for_who_comes(model: Model) {
    /// Requests that a client sends before it reads the first response.
    const AHEAD: usize = 60;
    let (role, crowd) = clients(narrow(Launch::web_server(model), model, 1), 40);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for mut client in crowd {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    client.send(request("GET", "/", "").repeat(AHEAD));
                    (0..AHEAD).for_each(|_| assert_eq!(client.response().status, 200));
                }
            });
        }
        let _stops = Stops(&stop);
        let mut longest = Duration::ZERO;
        for _ in 0..5 {
            let start = Instant::now();
            assert_eq!(Client::connect(role.address()).get("/").status, 200, "a fresh client");
            longest = longest.max(start.elapsed());
        }
        assert!(longest < PATIENCE, "{longest:?}");
    });
}

/// A connection whose turn was over was parked although its next requests were here, decrypted: no event of the socket
/// was to come.
fn a_turn_that_ends_loses_no_bytes_that_are_decrypted(model: Model) {
    let setup = Setup::new();
    let role = setup.before(narrow(Launch::web_server(model), model, 1)).start();
    let padding = format!("X-Padding: {}\r\n", "a".repeat(900));
    for count in (250..700).step_by(30) {
        let mut client = setup.connect(&role);
        client.send(request("GET", "/", &padding).repeat(count));
        (0..count).for_each(|_| assert_eq!(client.response().status, 200));
    }
}
