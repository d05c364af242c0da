//! Thousands of idle connections, held open while a fresh client is served; and what one costs.
//!
//! `GILIRAN_IDLE_CLIENTS=10000 cargo test --release many_idle -- --nocapture` takes as many as that, or the
//! half of what the limit on open files allows, and prints the growth of memory.

use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::launch::Launch;
use crate::support::limits;
use crate::support::role::Role;
use crate::support::{Model, WAIT_MAX, both};

both![idle_clients_by_the_thousand];

/// Descriptors of a process for everything else.
const SPARE: u64 = 200;
/// Fewer clients would not show what one costs.
const CLIENTS_MIN: u64 = 500;

/// How many connections are to be held. A relay has two descriptors for each, and so has this
/// process, where the tests of both drivers run at the same time.
fn clients_wanted() -> usize {
    let wanted = std::env::var("GILIRAN_IDLE_CLIENTS")
        .map_or(2000, |count| count.parse().expect("GILIRAN_IDLE_CLIENTS"));
    let hard = limits::allow_many_descriptors();
    let fit = hard.map_or(usize::MAX, |hard| usize::try_from(hard.saturating_sub(SPARE) / 2).unwrap());
    fit.min(wanted)
}

fn idle_clients_by_the_thousand(model: Model) {
    if limits::lacks_descriptors(SPARE + 2 * CLIENTS_MIN) {
        return;
    }
    let count = clients_wanted();
    let patient = |launch: Launch| launch.flag("--keep-alive", "10m").flag("--header-timeout", "10m").start();
    let server = patient(Launch::web_server(model));
    hold(model, "web-server", &server, count);
    hold(model, "reverse-proxy", &patient(Launch::reverse_proxy(model, server.address())), count);
    for mode in ["http", "tcp"] {
        let role = patient(Launch::balancer(model, mode, [server.address()]));
        hold(model, mode, &role, count);
    }
}

/// Opens that many connections, each of which asks once and then says nothing.
fn hold(model: Model, name: &str, role: &Role, count: usize) {
    // Memory that is there from the first request on is not the connections'.
    assert_eq!(Client::connect(role.address()).get("/").status, 200);
    let before = role.process().own_bytes();
    // One after the other: thousands that come in one instant are more than a queue of workers takes.
    let mut idle = Vec::new();
    for number in 0..count {
        let mut client = Client::connect(role.address());
        assert_eq!(client.get("/").status, 200, "{name}: client {number}");
        idle.push(client);
    }
    idle[0].expect_silence(Duration::from_millis(700)); // until the workers have parked the last of them
    let grown = role.process().own_bytes().saturating_sub(before);
    println!("{model:?} {name}: {count} connections, {} bytes of memory each", grown / count);
    assert!(grown / count < 16 * 1024, "{name}: {} bytes a connection", grown / count);
    let start = Instant::now();
    assert_eq!(Client::connect(role.address()).get("/").status, 200, "a fresh client");
    assert!(start.elapsed() < WAIT_MAX / 10, "{name}: a fresh client waited {:?}", start.elapsed());
    // They are all still there.
    for client in idle.iter_mut().step_by(97) {
        assert_eq!(client.get("/").status, 200, "{name}");
    }
}
