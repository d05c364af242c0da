//! The programs in `integration/python/`: they speak the Python wire format, and each fault that
//! their headers list is really there. A counterpart without its faults would compare nothing.
//!
//! What the Rust programs do in the same situations: `python_faults.rs`, `transcript.rs`.

use std::fmt::Display;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::WAIT_MAX;
use crate::support::backend::{Backend, Refusing};
use crate::support::client::{Client, get};
use crate::support::needs::{PYTHON, lacks};
use crate::support::process::Process;
use crate::support::role::Role;
use crate::support::site::{Site, public, public_bytes};

const PAGE: &str = "Ini Adalah web Server percobaan";
const SERVERS: [&str; 2] = ["server_thread_http.py", "server_async_http.py"];
const BALANCERS: [&str; 2] = ["lb_thread.py", "lb_async.py"];

/// Starts one of the programs on a free port.
fn start(program: &str, flag: &str, value: impl Display) -> Role {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/integration/python");
    let mut command = PYTHON.command();
    command.arg(format!("{folder}/{program}")).args(["0", flag, &value.to_string()]);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    Role::reached(Process::start(&mut command).unwrap(), program)
}

fn serve(program: &str, site: &Site) -> Role {
    start(program, "--root", site.path().display())
}

fn balance(program: &str, backends: &[SocketAddr]) -> Role {
    let list = backends.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",");
    start(program, "--backends", list)
}

/// All bytes up to the end of the connection.
fn everything(address: SocketAddr, request: &str) -> Vec<u8> {
    Client::connect(address).send(request).rest()
}

#[test]
fn servers_write_the_python_wire_format() {
    if lacks(&[PYTHON]) {
        return;
    }
    let jpeg = public_bytes("images/pokijan.jpg");
    for program in SERVERS {
        let role = start(program, "--root", public("").display());
        let length = format!("Content-Length: {}\r\nContent-type: image/jpeg\r\n", jpeg.len());
        for (request, status, fields, body) in [
            ("GET / HTTP/1.0", "200 OK", "Content-Length: 31\r\n", PAGE.as_bytes()),
            ("GET /santai HTTP/1.1", "200 OK", "Content-Length: 11\r\n", b"santai saja"),
            (
                "GET /video HTTP/1.0",
                "302 Found",
                "Content-Length: 0\r\nlocation: https://youtu.be/katoxpnTf04\r\n",
                b"",
            ),
            ("GET /images/pokijan.jpg HTTP/1.0", "200 OK", &length, &jpeg),
            ("GET /tidak-ada HTTP/1.0", "404 Not Found", "Content-Length: 0\r\n", b""),
            ("POST /apa-saja HTTP/1.0", "200 OK", "Content-Length: 6\r\n", b"kosong"),
            // A fault of its own: HEAD is no bad request.
            ("HEAD / HTTP/1.0", "400 Bad Request", "Content-Length: 0\r\n", b""),
            ("hmm", "400 Bad Request", "Content-Length: 0\r\n", b""),
        ] {
            let response = everything(role.address(), &format!("{request}\r\n\r\n"));
            expect_mirrored(&response, status, fields, body);
        }
    }
}

/// The stray bytes behind the body included.
fn expect_mirrored(response: &[u8], status: &str, fields: &str, body: &[u8]) {
    let start = format!("HTTP/1.0 {status}\r\nDate: ");
    let shown = String::from_utf8_lossy(&response[..response.len().min(300)]);
    assert!(response.starts_with(start.as_bytes()), "{status}: {shown}");
    let behind_date = start.len() + "Tue Jul 13 20:31:13 2021".len();
    let head = format!("\r\nConnection: close\r\nServer: myserver/1.0\r\n{fields}\r\n");
    let expected = [head.as_bytes(), body, b"\r\n\r\n"].concat();
    assert!(response[behind_date..] == expected, "{status}: {shown}");
}

#[test]
fn any_piece_that_ends_in_crlf_is_answered() {
    if lacks(&[PYTHON]) {
        return;
    }
    for program in SERVERS {
        let role = serve(program, &Site::new());
        let mut client = Client::connect(role.address());
        assert_eq!(client.send("GET /santai HTTP/1.1\r\n").response().text(), "santai saja", "{program}");
    }
}

#[test]
fn the_threaded_server_reads_32_bytes_at_a_time() {
    if lacks(&[PYTHON]) {
        return;
    }
    let role = serve(SERVERS[0], &Site::new());
    let first = "GET /santai HTTP/1.1\r\nX: 45678\r\n";
    assert_eq!(first.len(), 32);
    // In one segment, and not at the end of a line: whoever reads more than 32 bytes waits for the rest.
    let mut client = Client::connect(role.address());
    assert_eq!(client.send(format!("{first}Host: a")).response().text(), "santai saja");
}

#[test]
fn the_async_server_has_one_buffer_for_all_clients() {
    if lacks(&[PYTHON]) {
        return;
    }
    let role = serve(SERVERS[1], &Site::new());
    let mut slow = Client::connect(role.address());
    slow.send("GET /santai HTTP/1.1 ");
    // The slow client connected and sent first, and a loop takes things in their order.
    let mut other = Client::connect(role.address());
    assert_eq!(other.send("GET / HTTP/1.1\r\n\r\n").response().text(), "santai saja");
    // What is left of the slow client's request makes no sense alone.
    assert_eq!(slow.send("\r\n\r\n").response().status, 400);
    // The threaded server has a buffer for each.
    let role = serve(SERVERS[0], &Site::new());
    let mut slow = Client::connect(role.address());
    slow.send("GET /santai HTTP/1.1 ");
    assert_eq!(get(role.address(), "/").text(), PAGE);
    assert_eq!(slow.send("\r\n\r\n").response().text(), "santai saja");
}

#[test]
fn an_unknown_extension_crashes_its_connection() {
    if lacks(&[PYTHON]) {
        return;
    }
    let site = Site::new().with("a.css", "satu").with("b.txt", "dua").with("folder.txt/c.txt", "tiga");
    for program in SERVERS {
        let role = serve(program, &site);
        assert_eq!(everything(role.address(), "GET /a.css HTTP/1.0\r\n\r\n"), b"", "{program}");
        role.wait_for_log("KeyError: '.css'");
        assert_eq!(everything(role.address(), "GET /folder.txt HTTP/1.0\r\n\r\n"), b"", "{program}");
        assert_eq!(get(role.address(), "/b.txt").text(), "dua", "the program lives on");
    }
}

#[test]
fn bytes_that_are_no_text_crash_their_connection() {
    if lacks(&[PYTHON]) {
        return;
    }
    for program in SERVERS {
        let role = serve(program, &Site::new());
        assert_eq!(Client::connect(role.address()).send(b"POST \xff\xfe").rest(), b"", "{program}");
        role.wait_for_log("UnicodeDecodeError");
        assert_eq!(get(role.address(), "/").text(), PAGE);
    }
}

#[test]
fn files_are_found_by_globbing_the_tree_each_time() {
    if lacks(&[PYTHON]) {
        return;
    }
    let site = Site::new().with("a.txt", "satu").with("x[1]/b.txt", "dua");
    for program in SERVERS {
        let role = serve(program, &site);
        assert_eq!(get(role.address(), "/a.txt").text(), "satu");
        assert_eq!(get(role.address(), "/x[1]/b.txt").text(), "dua", "it is in the list");
        // The root itself is part of the pattern, in which [1] stands for 1.
        let role = start(program, "--root", site.path().join("x[1]").display());
        assert_eq!(get(role.address(), "/b.txt").status, 404, "{program}");
    }
}

#[test]
fn the_async_server_loses_what_one_send_does_not_take() {
    if lacks(&[PYTHON]) {
        return;
    }
    let content = vec![b'x'; 32 * 1024 * 1024];
    let site = Site::new().with("besar.txt", &content);
    let [threaded, looped] = SERVERS.map(|program| {
        let role = serve(program, &site);
        everything(role.address(), "GET /besar.txt HTTP/1.0\r\n\r\n")
    });
    assert!(threaded.len() > content.len(), "{}", threaded.len());
    assert!(looped.starts_with(b"HTTP/1.0 200 OK\r\n"));
    assert!(looped.len() < content.len(), "{}", looped.len());
}

#[test]
fn backlogs_are_the_courses() {
    if lacks(&[PYTHON]) {
        return;
    }
    let backend = Backend::saying("satu");
    let server = |program| serve(program, &Site::new());
    let balancer = |program| balance(program, &[backend.address()]);
    for (role, backlog) in [
        (server(SERVERS[0]), 1),
        (server(SERVERS[1]), 5),
        (balancer(BALANCERS[0]), 5),
        (balancer(BALANCERS[1]), 5),
    ] {
        stop(&role);
        // Linux takes one more than the backlog; the next SYN is dropped, and sent again after a second.
        let connect =
            |patience_ms| TcpStream::connect_timeout(&role.address(), Duration::from_millis(patience_ms));
        let queued: Vec<_> = (0..=backlog).map(|_| connect(10_000).unwrap()).collect();
        assert_eq!(connect(300).unwrap_err().kind(), std::io::ErrorKind::TimedOut);
        assert_eq!(queued.len(), backlog + 1);
        role.signal(Signal::CONT);
    }
}

/// Stops a program and waits until it has: on its way there it may still accept one connection.
fn stop(role: &Role) {
    role.signal(Signal::STOP);
    let deadline = Instant::now() + WAIT_MAX;
    let path = format!("/proc/{}/stat", role.process().id());
    while !std::fs::read_to_string(&path).unwrap().contains(") T ") {
        assert!(Instant::now() < deadline, "it does not stop");
        std::thread::yield_now();
    }
}

#[test]
fn balancers_take_turns_and_log_as_the_course_did() {
    if lacks(&[PYTHON]) {
        return;
    }
    for program in BALANCERS {
        let backends = ["satu", "dua", "tiga"].map(Backend::saying);
        let role = balance(program, &backends.each_ref().map(Backend::address));
        for text in ["satu", "dua", "tiga", "satu"] {
            assert_eq!(get(role.address(), "/").text(), text, "{program}");
        }
        role.wait_for_log("WARNING:root:connection from ('127.0.0.1', ");
        let port = backends[2].address().port();
        role.wait_for_log(&format!("WARNING:root:koneksi diteruskan ke ('127.0.0.1', {port})"));
    }
}

#[test]
fn the_async_balancer_cuts_answers_at_8192_bytes() {
    if lacks(&[PYTHON]) {
        return;
    }
    let backend = Backend::saying(&"x".repeat(100_000));
    let [threaded, looped] = BALANCERS.map(|program| {
        let role = balance(program, &[backend.address()]);
        let mut client = Client::connect(role.address());
        client.send("GET / HTTP/1.0\r\n\r\n");
        // The threaded one relays a kept connection for as long as both ends keep it.
        if program == BALANCERS[0] { client.response().body } else { client.rest() }
    });
    assert_eq!(threaded.len(), 100_000);
    assert!((1..=8192).contains(&looped.len()), "{}", looped.len());
}

#[test]
fn the_threaded_balancer_ends_both_directions_at_the_first_end() {
    if lacks(&[PYTHON]) {
        return;
    }
    let backend = Backend::start(|visit| {
        visit.rest()?;
        visit.send("the answer to all of it")
    });
    let role = balance(BALANCERS[0], &[backend.address()]);
    let mut client = Client::connect(role.address());
    client.send("all there is to say").finish_sending().expect_end();
}

#[test]
fn a_dead_back_end_keeps_its_turn_in_the_threaded_balancer() {
    if lacks(&[PYTHON]) {
        return;
    }
    let (dead, living) = (Refusing::new(), Backend::saying("satu"));
    let role = balance(BALANCERS[0], &[dead.address(), living.address()]);
    for _ in 0..3 {
        Client::connect(role.address()).expect_end();
        assert_eq!(get(role.address(), "/").text(), "satu");
    }
}

#[test]
fn the_async_balancer_spins_at_the_end_of_a_stream() {
    if lacks(&[PYTHON]) {
        return;
    }
    let backend = Backend::silent();
    let mut role = balance(BALANCERS[1], &[backend.address()]);
    let mut client = Client::connect(role.address());
    client.send("GET / HTTP/1.0\r\n\r\n");
    backend.wait_for_visits(1);
    expect_rest(&role, &mut client);
    client.finish_sending();
    expect_spin(&role, &mut client);
    assert_eq!(role.terminate().code(), None, "SIGTERM ends it all the same");
}

#[test]
fn the_async_balancer_spins_on_a_dead_back_end() {
    if lacks(&[PYTHON]) {
        return;
    }
    let dead = Refusing::new();
    let mut role = balance(BALANCERS[1], &[dead.address()]);
    let mut client = Client::connect(role.address());
    expect_spin(&role, &mut client);
    assert_eq!(role.terminate().code(), None, "SIGTERM ends it all the same");
}

/// A loop with nothing to do uses no processor time.
fn expect_rest(role: &Role, client: &mut Client) {
    let before = role.process().cpu_seconds();
    client.expect_silence(Duration::from_millis(300));
    let used = role.process().cpu_seconds() - before;
    assert!(used < 0.1, "{used} s of processor time");
}

/// However busy the machine, a loop that spins uses half a second of processor time at some point,
/// and its client gets nothing for it.
fn expect_spin(role: &Role, client: &mut Client) {
    let before = role.process().cpu_seconds();
    let deadline = Instant::now() + WAIT_MAX;
    while role.process().cpu_seconds() - before < 0.5 {
        assert!(Instant::now() < deadline, "no spin");
        client.expect_silence(Duration::from_millis(50));
    }
}
