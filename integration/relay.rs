//! Bytes relayed both ways, whatever they mean: a balancer in `--mode tcp`.

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::process::Stdio;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::support::backend::{Backend, Refusing};
use crate::support::client::{Client, get, request};
use crate::support::launch::Launch;
use crate::support::needs::{NC, lacks};
use crate::support::noise::Noise;
use crate::support::role::Role;
use crate::support::{Model, WAIT_MAX, both};

both![
    back_ends_take_turns,
    tcp_is_the_default_mode,
    sixty_four_mebibytes_up_and_down,
    half_close_passes_up,
    half_close_passes_down,
    nc_gets_the_whole_answer,
    a_back_end_may_speak_first,
    a_refusing_back_end_is_skipped,
    all_refusing_closes_the_client,
    a_slow_reader_costs_bounded_memory,
    a_reset_of_the_back_end_reaches_the_client,
    a_reset_of_the_client_frees_the_back_end,
    a_client_that_vanishes_frees_the_back_end,
    quiet_relays_do_not_stop_another,
    silent_peers_are_asked_for_signs_of_life,
];

const MIB: usize = 1024 * 1024;

fn relay(model: Model, backend: &Backend) -> Role {
    Launch::balancer(model, "tcp", [backend.address()]).start()
}

/// A back end that says its name to each client that says something, so that health checks do not count.
fn named(name: &'static str) -> Backend {
    Backend::start(move |visit| {
        visit.request()?;
        visit.send(format!("HTTP/1.0 200 OK\r\n\r\n{name}"))
    })
}

fn back_ends_take_turns(model: Model) {
    let backends = ["a", "b", "c"].map(named);
    let role = Launch::balancer(model, "tcp", backends.each_ref().map(Backend::address)).start();
    let turns: String = (0..30).map(|_| get(role.address(), "/").text().to_owned()).collect();
    let first = &turns[..3];
    assert_eq!(turns, first.repeat(10));
    // Many at once: the order is anybody's, the counts are not.
    let mut clients: Vec<_> = (0..40).map(|_| Client::connect(role.address())).collect();
    for client in &mut clients {
        client.send(request("GET", "/", ""));
    }
    for client in &mut clients {
        client.response();
    }
    let counts = backends.each_ref().map(|backend| backend.requests().len());
    assert_eq!(counts.iter().sum::<usize>(), 70);
    assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
}

fn tcp_is_the_default_mode(model: Model) {
    let binary = if model == Model::Threaded { "lb-threaded" } else { "lb-async" };
    let echo = Backend::echoing();
    let launch = Launch::bare(binary).flag("--listen", "127.0.0.1:0").flag("--backend", echo.address());
    let role = launch.start();
    let mut client = Client::connect(role.address());
    client.send("ini bukan http\r\n\r\n").finish_sending();
    assert_eq!(client.rest(), b"ini bukan http\r\n\r\n");
}

fn sixty_four_mebibytes_up_and_down(model: Model) {
    let echo = Backend::echoing();
    let role = relay(model, &echo);
    let client = Client::connect(role.address()).wire().stream().try_clone().unwrap();
    let (mut up, mut down) = (&client, &client);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            Noise::new(4).write_to(&mut up, 64 * MIB).unwrap();
            up.shutdown(Shutdown::Write).unwrap();
        });
        Noise::new(4).compare_with(&mut down, 64 * MIB).unwrap();
    });
    assert_eq!(std::io::copy(&mut down, &mut std::io::sink()).unwrap(), 0, "more came than was sent");
}

fn half_close_passes_up(model: Model) {
    // Says nothing before it has seen the end of what the client sends.
    let backend = Backend::start(|visit| {
        let heard = visit.rest()?;
        visit.send(format!("{} byte", heard.len()))
    });
    let role = relay(model, &backend);
    let mut client = Client::connect(role.address());
    client.send("12345").finish_sending();
    assert_eq!(client.rest(), b"5 byte");
}

fn half_close_passes_down(model: Model) {
    let backend = Backend::start(|visit| {
        visit.send("dulu")?;
        visit.finish_sending()?;
        visit.request().map(drop)
    });
    let role = relay(model, &backend);
    let mut client = Client::connect(role.address());
    assert_eq!(client.rest(), b"dulu");
    client.send(request("GET", "/kemudian", ""));
    assert_eq!(backend.wait_for_request(0).head.word(1), "/kemudian");
}

fn nc_gets_the_whole_answer(model: Model) {
    if lacks(&[NC]) {
        return;
    }
    let size = 5 * MIB;
    let backend = Backend::start(move |visit| {
        visit.rest()?;
        visit.send(Noise::new(5).take_bytes(size))
    });
    let role = relay(model, &backend);
    let mut nc = NC
        .command()
        .args(["-N", "-w", "20", "127.0.0.1", &role.address().port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    nc.stdin.take().unwrap().write_all(b"minta\n").unwrap(); // and the end of it, by dropping it
    let output = nc.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(output.stdout == Noise::new(5).take_bytes(size), "{} of {size} bytes", output.stdout.len());
}

fn a_back_end_may_speak_first(model: Model) {
    let backend = Backend::start(|visit| {
        visit.send("220 halo\r\n")?;
        visit.hold()
    });
    let role = relay(model, &backend);
    let mut client = Client::connect(role.address());
    assert_eq!(client.wire().exact(10).unwrap(), b"220 halo\r\n");
}

fn a_refusing_back_end_is_skipped(model: Model) {
    let (refusing, backend) = (Refusing::new(), named("satu"));
    let role = Launch::balancer(model, "tcp", [refusing.address(), backend.address()]).start();
    for _ in 0..10 {
        assert_eq!(get(role.address(), "/").text(), "satu");
    }
}

fn all_refusing_closes_the_client(model: Model) {
    let refusing = [Refusing::new(), Refusing::new()];
    let role = Launch::balancer(model, "tcp", refusing.each_ref().map(Refusing::address)).start();
    let mut client = Client::connect(role.address());
    client.expect_end();
    // Said, and not said again and again by something that spins.
    let said = role.wait_for_log("refused");
    let lines = role.log().lines().count();
    assert!(lines < 20, "{said}\n{}", role.log());
}

fn a_slow_reader_costs_bounded_memory(model: Model) {
    let backend = Backend::start(|visit| {
        visit.some()?;
        let mut noise = Noise::new(6);
        visit.pour(|| noise.take_bytes(64 * 1024), 64 * MIB)
    });
    // A check would be poured at too.
    let role = Launch::balancer(model, "tcp", [backend.address()]).checked("off").start();
    let mut client = Client::connect(role.address());
    SockRef::from(client.wire().stream()).set_recv_buffer_size(256 * 1024).unwrap();
    client.send("minta");
    let taken = backend.wait_until_poured_full();
    assert!(taken < 64 * MIB, "the kernel alone took it all: the test tests nothing");
    let resident = role.process().resident_bytes();
    assert!(resident < 48 * MIB, "{} MiB held for a reader that does not read", resident / MIB);
    // Through so small a window the rest may crawl: a segment on loopback is nearly as large, so that
    // the kernel sends one now and then by its persist timer only, a fifth of a second or more apart.
    SockRef::from(client.wire().stream()).set_recv_buffer_size(8 * MIB).unwrap();
    Noise::new(6).compare_with(&mut client.wire().stream(), 64 * MIB).unwrap();
    client.expect_end();
}

fn a_reset_of_the_back_end_reaches_the_client(model: Model) {
    let backend = Backend::start(|visit| {
        visit.some()?;
        visit.reset()
    });
    let role = relay(model, &backend);
    let mut client = Client::connect(role.address());
    client.send("minta");
    // Not an orderly end: a client that reads until close must not take a torn answer for whole.
    assert_eq!(client.wire().rest().unwrap_err().kind(), ErrorKind::ConnectionReset);
}

fn a_reset_of_the_client_frees_the_back_end(model: Model) {
    let backend = Backend::start(|visit| {
        visit.send("halo")?;
        visit.hold()
    });
    let role = relay(model, &backend);
    let mut client = Client::connect(role.address());
    client.wire().exact(4).unwrap();
    SockRef::from(client.wire().stream()).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    backend.wait_until_left();
}

fn a_client_that_vanishes_frees_the_back_end(model: Model) {
    let backend = Backend::start(|visit| {
        loop {
            visit.send([b'x'; 1024])?;
        }
    });
    let role = relay(model, &backend);
    let mut client = Client::connect(role.address());
    client.wire().exact(1024).unwrap();
    drop(client);
    backend.wait_until_left();
}

fn quiet_relays_do_not_stop_another(model: Model) {
    let backend = Backend::echoing();
    let role = relay(model, &backend);
    // More than there are workers.
    let mut quiet: Vec<_> = (0..100).map(|_| Client::connect(role.address())).collect();
    for client in quiet.iter_mut().rev() {
        client.send("halo");
        assert_eq!(client.wire().exact(4).unwrap(), b"halo");
    }
    for client in &mut quiet {
        client.send("lagi").finish_sending();
        assert_eq!(client.rest(), b"lagi");
    }
}

/// The kernel has a timer for the sockets of both sides of a relay: for the client's at once, for the back end's once the
/// relay has been silent for a second.
fn silent_peers_are_asked_for_signs_of_life(model: Model) {
    let backend = Backend::silent();
    let role = relay(model, &backend);
    let mut client = Client::connect(role.address());
    backend.wait_for_visits(1);
    let ours = client.wire().stream().local_addr().unwrap().port();
    // Local port, remote port: our socket to the client, and our socket to the back end.
    for (side, is_socket) in [
        (
            "client",
            Box::new(|local, remote| (local, remote) == (role.address().port(), ours))
                as Box<dyn Fn(u16, u16) -> bool>,
        ),
        ("back end", Box::new(|_, remote| remote == backend.address().port())),
    ] {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let timers = timers(&*is_socket);
            assert!(!timers.is_empty(), "{side}");
            if timers.iter().all(|kind| kind == KEEP_ALIVE) {
                break;
            }
            assert!(Instant::now() < deadline, "{side}: {timers:?}");
            std::thread::yield_now();
        }
    }
}

/// The kind of the timer of a socket that sends nothing and has keep-alive (proc(5)).
const KEEP_ALIVE: &str = "02";

/// The kinds of the timers of the open connections with these local and remote ports.
fn timers(is_wanted: &dyn Fn(u16, u16) -> bool) -> Vec<String> {
    const ESTABLISHED: &str = "01";
    let port = |address: &str| u16::from_str_radix(address.split(':').nth(1).unwrap(), 16).unwrap();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|line| line[3] == ESTABLISHED && is_wanted(port(line[1]), port(line[2])))
        .map(|line| line[5].split(':').next().unwrap().to_owned())
        .collect()
}
