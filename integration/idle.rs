//! A process with nothing to do does nothing, whatever kinds of connections are open.

use std::time::Duration;

use crate::support::backend::Backend;
use crate::support::client::{Client, request};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::{Model, both};

both![a_server_with_idle_clients, gateways_with_idle_clients_and_back_ends, a_relay_of_silence,];

/// How long the process is watched.
const WATCH: Duration = Duration::from_secs(2);

/// What each thread may be woken in that time. A loop and the parking thread look over what they
/// keep once a second, an acceptor looks four times; the rest sleeps for ever. A thread that spins is
/// switched or runs thousands of times.
const SWITCHES_MAX: usize = 40;

/// Processor time in that time: a thread that spins takes all of it.
const CPU_SECONDS_MAX: f64 = 0.1;

/// Watches a role while `client` hears nothing from it.
fn expect_idle(role: &Role, client: &mut Client) {
    // Until workers have parked what they hold and the log is written.
    client.expect_silence(Duration::from_millis(700));
    let before = (role.process().switches(), role.process().cpu_seconds());
    client.expect_silence(WATCH);
    let switches = role.process().switches() - before.0;
    let cpu_seconds = role.process().cpu_seconds() - before.1;
    assert!(switches <= SWITCHES_MAX, "woken {switches} times in {WATCH:?}");
    assert!(cpu_seconds < CPU_SECONDS_MAX, "{cpu_seconds} s of processor time in {WATCH:?}");
}

/// Clients that speak HTTP with a role and have nothing to say now.
fn idle_clients(role: &Role) -> Vec<Client> {
    let mut clients: Vec<_> = (0..6).map(|_| Client::connect(role.address())).collect();
    let [fresh, kept, in_head, in_body, _, ended] = &mut clients[..] else { unreachable!() };
    let _ = fresh;
    assert_eq!(kept.get("/").status, 200);
    in_head.send("GET / HTTP/1.1\r\nHost: a");
    in_body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nsa");
    // Of one that has finished sending, the answer is still awaited.
    ended.send(request("GET", "/?delay=1m", "")).finish_sending();
    clients
}

fn a_server_with_idle_clients(model: Model) {
    let role = Launch::web_server(model).start();
    let mut clients = idle_clients(&role);
    // One does not read: its answer waits for room.
    clients[4].send(request("GET", "/?size=50000000", ""));
    expect_idle(&role, &mut clients[0]);
}

fn gateways_with_idle_clients_and_back_ends(model: Model) {
    let server = Launch::web_server(model).start();
    for launch in
        [Launch::reverse_proxy(model, server.address()), Launch::balancer(model, "http", [server.address()])]
    {
        let role = launch.start();
        let mut clients = idle_clients(&role);
        clients[4].send(request("GET", "/?size=50000000", ""));
        expect_idle(&role, &mut clients[0]);
    }
    // Back ends that stop in the middle of an answer.
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.send(match visit.number % 2 {
            0 => "HTTP/1.1 200 OK\r\nContent-",
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsatu",
        })?;
        visit.freeze();
        Ok(())
    });
    let role = Launch::reverse_proxy(model, backend.address()).start();
    let mut clients: Vec<_> = (0..4).map(|_| Client::connect(role.address())).collect();
    for client in &mut clients {
        client.send(request("GET", "/", ""));
    }
    backend.wait_for_request(3);
    expect_idle(&role, &mut Client::connect(role.address()));
}

fn a_relay_of_silence(model: Model) {
    let backend = Backend::start(|visit| {
        let said = visit.some()?;
        match &said[..] {
            // The back end has ended, the client has not.
            b"akhiri" => visit.finish_sending()?,
            // The back end pours, and the client does not read.
            b"banyak" => visit.pour(|| vec![b'x'; 64 * 1024], 64 * 1024 * 1024)?,
            _ => visit.send("halo")?,
        }
        visit.freeze();
        Ok(())
    });
    let role = Launch::balancer(model, "tcp", [backend.address()]).start();
    let mut clients: Vec<_> = (0..5).map(|_| Client::connect(role.address())).collect();
    clients[1].send("halo");
    assert_eq!(clients[1].wire().exact(4).unwrap(), b"halo");
    clients[2].send("akhiri");
    clients[2].expect_end();
    clients[3].send("banyak");
    clients[4].send("halo").finish_sending();
    assert_eq!(clients[4].wire().exact(4).unwrap(), b"halo");
    backend.wait_until_poured_full();
    // Until a second of silence has had the back ends probed, once each.
    clients[0].expect_silence(Duration::from_millis(1500));
    expect_idle(&role, &mut clients[0]);
}
