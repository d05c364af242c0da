//! Many short connections with ends of every kind: each client gets its own answer or none, never
//! another's, and no place is lost. In a loop, places of the connection table are used again all
//! the time, and events of the closed ones are about.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::SockRef;

use crate::support::backend::{Backend, Visit, ok};
use crate::support::client::{Client, request};
use crate::support::dice::Dice;
use crate::support::launch::Launch;
use crate::support::{Model, both};

both![requests_through_back_ends_that_reset, relays_to_back_ends_that_reset, clients_that_come_and_go,];

const CLIENTS: usize = 8;
const CONNECTIONS_EACH: usize = 150;

/// Back ends that fail in a row are taken out for a while: then a new role begins afresh.
const ROUNDS: usize = 15;

/// Answers with what was asked for, or ends as its first letter says.
fn moody(visit: &mut Visit) -> Result<()> {
    loop {
        let target = visit.request()?.head.word(1).to_owned();
        match target.as_bytes().get(1) {
            Some(b'r') => return visit.reset(),
            Some(b'c') => return Ok(()),
            Some(b'h') => {
                visit.send("HTTP/1.1 200 OK\r\nContent-")?;
                return visit.reset();
            }
            Some(b'b') => {
                visit.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nsatu")?;
                return visit.reset();
            }
            // Says that it goes on, and does not.
            Some(b'l') => return visit.send(ok(&target)),
            _ => visit.send(ok(&target))?,
        }
    }
}

/// Several clients at once, each with many connections; what one asks names it and its turn.
fn many(address: SocketAddr, each: usize, converse: impl Fn(&mut Client, &mut Dice, &str) + Sync) {
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let converse = &converse;
            scope.spawn(move || {
                let mut dice = Dice::new(number as u64 + 1);
                for turn in 0..each {
                    converse(&mut Client::connect(address), &mut dice, &format!("{number}-{turn}"));
                }
            });
        }
    });
}

fn backends() -> Vec<Backend> {
    (0..8).map(|_| Backend::start(moody)).collect()
}

fn requests_through_back_ends_that_reset(model: Model) {
    let backends = backends();
    let own = AtomicUsize::new(0);
    for _ in 0..ROUNDS {
        let role = Launch::balancer(model, "http", backends.iter().map(Backend::address)).start();
        many(role.address(), CONNECTIONS_EACH / ROUNDS, |client, dice, name| {
            for further in 0..3 {
                let mood = dice.pick(&["x", "x", "x", "x", "x", "l", "l", "r", "c", "h", "b"]);
                let target = format!("/{mood}-{name}-{further}");
                client.send(request("GET", &target, ""));
                match client.try_response("GET") {
                    Ok(response) if response.status == 200 => {
                        assert_eq!(response.text(), target);
                        own.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(response) => {
                        assert!(matches!(response.status, 502 | 503), "{target}: {}", response.status)
                    }
                    Err(error) => return expect_cut(&error, &target),
                }
            }
        });
    }
    assert!(own.into_inner() > CLIENTS * CONNECTIONS_EACH / 2);
}

/// The connection ended before its answer did.
fn expect_cut(error: &Error, target: &str) {
    assert!(
        matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
        "{target}: {error}"
    );
}

fn relays_to_back_ends_that_reset(model: Model) {
    let backends = backends();
    let role = Launch::balancer(model, "tcp", backends.iter().map(Backend::address)).start();
    let own = AtomicUsize::new(0);
    many(role.address(), CONNECTIONS_EACH, |client, dice, name| {
        let mood = dice.pick(&["x", "x", "l", "r", "c", "h", "b"]);
        let target = format!("/{mood}-{name}");
        client.send(request("GET", &target, ""));
        match client.try_response("GET") {
            Ok(response) => {
                assert_eq!((response.status, response.text()), (200, &target[..]));
                own.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                assert!(!matches!(mood, "x" | "l"), "{target}: {error}");
                expect_cut(&error, &target);
            }
        }
    });
    assert!(own.into_inner() > CLIENTS * CONNECTIONS_EACH / 4);
    // Both ends of every relay are closed.
    backends.iter().for_each(Backend::wait_until_left);
}

/// Clients that leave at any point, some by a reset, on no more places than there are clients.
fn clients_that_come_and_go(model: Model) {
    let backend = Backend::start(moody);
    let server = Launch::web_server(model).start();
    for launch in [
        Launch::web_server(model),
        Launch::reverse_proxy(model, backend.address()),
        Launch::balancer(model, "tcp", [server.address()]),
    ] {
        let role = launch.flag("--connections-max", 2 * CLIENTS).start();
        many(role.address(), CONNECTIONS_EACH, |client, dice, name| {
            let bytes = request("GET", &format!("/x-{name}"), "");
            let cut = dice.below(2 * bytes.len()).min(bytes.len());
            client.send(&bytes[..cut]);
            if cut == bytes.len() && dice.one_in(2) {
                let response = client.response();
                assert!(response.status == 404 || response.text() == format!("/x-{name}"), "{response:?}");
            }
            if dice.one_in(2) {
                SockRef::from(client.wire().stream()).set_linger(Some(Duration::ZERO)).unwrap();
            }
        });
        // All places have come back.
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(role.address())).collect();
        for client in &mut clients {
            assert!(matches!(client.get("/x").status, 200 | 404));
        }
    }
}
