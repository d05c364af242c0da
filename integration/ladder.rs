//! The ladder in `examples/`: each step shows the fault it has, and that it mended that of the step before.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::WAIT_MAX;
use crate::support::backend::{Backend, Refusing, ok};
use crate::support::client::{Client, get, request};
use crate::support::process::Process;
use crate::support::role::Role;

const BALANCERS: [&str; 4] = ["1_one_at_a_time", "2_thread_per_connection", "3_worker_pool", "4_poll_loop"];
const SERVERS: [&str; 4] =
    ["web_1_one_at_a_time", "web_2_thread_per_connection", "web_3_worker_pool", "web_4_poll_loop"];

/// Lines of a step at most: it is read from top to bottom in five minutes.
const LINES_MAX: usize = 120;
/// How long nothing must happen where nothing should.
const SILENCE: Duration = Duration::from_millis(200);
/// How long nobody takes a byte more before all buffers are called full.
const FULL: Duration = Duration::from_secs(1);
/// More silent clients than step 3 has workers.
const MANY: usize = 40;
/// More bytes than the system finds room for on the way, however much it has: of a file, of an upload.
const BIG: usize = 16 << 20;

/// The built program, which `cargo test` makes and `cargo test --test integration` does not.
fn program(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_lab")).with_file_name("examples").join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}.rs"));
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    assert!(
        changed(&program) >= changed(&source),
        "{} is missing or older than its source: cargo build --examples",
        program.display()
    );
    program
}

fn start(name: &str, arguments: &[String]) -> Role {
    let process = Process::start(Command::new(program(name)).arg("0").args(arguments)).unwrap();
    Role::reached(process, name)
}

fn balancer(step: usize, backends: &[SocketAddr]) -> Role {
    start(BALANCERS[step - 1], &backends.iter().map(SocketAddr::to_string).collect::<Vec<_>>())
}

fn server(step: usize, root: &Path) -> Role {
    start(SERVERS[step - 1], &[root.to_str().unwrap().to_owned()])
}

/// A web server of this step that is asked for no files.
fn pages(step: usize) -> Role {
    server(step, Path::new(env!("CARGO_MANIFEST_DIR")))
}

/// A back end that closes behind each response, as those of the course do.
fn closing() -> Backend {
    Backend::start(|visit| visit.request().and_then(|_| visit.send(ok("served"))))
}

fn silent_clients(role: &Role, count: usize) -> Vec<Client> {
    (0..count).map(|_| Client::connect(role.address())).collect()
}

fn threads(role: &Role) -> usize {
    fs::read_dir(format!("/proc/{}/task", role.process().id())).unwrap().count()
}

#[test]
fn every_step_is_short_and_uses_nothing_of_this_crate() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut found: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    let listed = BALANCERS.iter().chain(&SERVERS).map(|name| folder.join(format!("{name}.rs")));
    assert_eq!(found, listed.collect::<Vec<_>>(), "a listing is the ladder in its order");
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() <= LINES_MAX, "{}: {} lines", path.display(), text.lines().count());
        assert!(!text.contains("giliran"), "{}", path.display());
    }
}

#[test]
fn bad_arguments_get_a_usage_line() {
    for (name, bad) in [
        (BALANCERS, &["6660"][..]),
        (BALANCERS, &["x", "127.0.0.1:1"]),
        (BALANCERS, &["6660", "127.0.0.1:1", "nowhere"]),
        (SERVERS, &["x", "public"]),
        (SERVERS, &["9001"]),
    ]
    .iter()
    .flat_map(|(names, bad)| names.map(|name| (name, *bad)))
    {
        let output = Command::new(program(name)).args(bad).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name} {bad:?}: {text}");
        assert!(
            text.contains(&format!("usage: {name} PORT")) && text.contains(&format!("{bad:?}")),
            "{text}"
        );
    }
}

#[test]
fn all_balancers_take_turns_over_all_web_servers() {
    for step in 1..=4 {
        let backends = [pages(step), pages(step)];
        let role = balancer(step, &backends.each_ref().map(Role::address));
        for _ in 0..4 {
            assert_eq!(get(role.address(), "/santai").text(), "santai saja", "step {step}");
        }
        for backend in &backends {
            let told = format!("koneksi diteruskan ke {}", backend.address());
            role.wait_for_logs(&told, 2);
            assert_eq!(role.logged(&told), 2, "step {step}");
        }
    }
}

#[test]
fn step_1_lets_everybody_wait_for_one_and_cuts_the_request() {
    let (line, lines) = mpsc::channel();
    let backend = Backend::start(move |visit| {
        let _ = line.send(visit.line()?);
        while !visit.line()?.is_empty() {} // an error where the request is cut
        visit.send(ok("served"))
    });
    let role = balancer(1, &[backend.address()]);
    let silent = Client::connect(role.address());
    backend.wait_for_visits(1);
    let mut second = Client::connect(role.address());
    second.send(request("GET", "/", "")).expect_silence(SILENCE);
    drop(silent);
    assert_eq!(second.response().text(), "served");
    assert_eq!(lines.recv_timeout(WAIT_MAX).unwrap(), "GET / HTTP/1.1");

    let mut cut = Client::connect(role.address());
    cut.send("GET /cut HTTP/1.1\r\n");
    assert_eq!(lines.recv_timeout(WAIT_MAX).unwrap(), "GET /cut HTTP/1.1");
    cut.send("\r\n").expect_silence(SILENCE);
}

#[test]
fn step_2_serves_beside_a_silent_client_and_requests_in_pieces() {
    let backend = closing();
    let role = balancer(2, &[backend.address()]);
    let _silent = Client::connect(role.address());
    backend.wait_for_visits(1);
    let mut pieces = Client::connect(role.address());
    pieces.send("GET / HTTP/1.1\r\n");
    backend.wait_for_visits(2);
    assert_eq!(pieces.send("\r\n").response().text(), "served");
}

/// What a client gets that finishes sending before the response begins.
fn response_after_half_close(step: usize) -> Option<String> {
    let backend = Backend::start(|visit| {
        visit.request()?;
        visit.hold()?; // until the end of the client's stream is passed on
        visit.send(ok("late"))
    });
    let role = balancer(step, &[backend.address()]);
    let mut client = Client::connect(role.address());
    client.send(request("GET", "/", "")).finish_sending();
    client.try_response("GET").ok().map(|response| response.text().to_owned())
}

#[test]
fn step_2_ends_both_directions_with_the_first_and_later_steps_do_not() {
    assert_eq!(response_after_half_close(2), None);
    assert_eq!(response_after_half_close(3).as_deref(), Some("late"));
    assert_eq!(response_after_half_close(4).as_deref(), Some("late"));
}

/// How many of four clients are served while one of two back ends is down.
fn served_with_a_dead_back_end(step: usize) -> usize {
    let (dead, living) = (Refusing::new(), closing());
    let role = balancer(step, &[dead.address(), living.address()]);
    let ask = || Client::connect(role.address()).send(request("GET", "/", "")).try_response("GET");
    let served = (0..4).filter(|_| ask().is_ok()).count();
    if step > 2 {
        // The fault that is left: it is tried again at each of its turns.
        role.wait_for_logs(&format!("koneksi diteruskan ke {}", dead.address()), 2);
    }
    served
}

#[test]
fn step_2_gives_a_dead_back_end_its_turn_and_later_steps_go_on_to_the_next() {
    assert_eq!([2, 3, 4].map(served_with_a_dead_back_end), [2, 4, 4]);
}

#[test]
fn step_2_has_threads_without_limit_and_later_steps_do_not() {
    let backend = Backend::silent();
    for (step, most) in [(3, 1 + 8), (4, 1)] {
        let role = balancer(step, &[backend.address()]);
        let _silent = silent_clients(&role, 20);
        role.wait_for_logs("koneksi diteruskan", 8);
        assert_eq!(threads(&role), most, "step {step}");
    }
    let role = balancer(2, &[backend.address()]);
    let _silent = silent_clients(&role, 20);
    let deadline = Instant::now() + WAIT_MAX;
    while threads(&role) != 1 + 2 * 20 {
        assert!(Instant::now() < deadline, "{} threads", threads(&role));
        thread::yield_now();
    }
}

#[test]
fn step_3_has_no_worker_left_beside_eight_silent_clients_and_step_4_needs_none() {
    let backend = closing();
    let role = balancer(3, &[backend.address()]);
    let mut silent = silent_clients(&role, 8);
    backend.wait_for_visits(8);
    let mut ninth = Client::connect(role.address());
    ninth.send(request("GET", "/", "")).expect_silence(SILENCE);
    silent.pop();
    assert_eq!(ninth.response().text(), "served");

    let role = balancer(4, &[backend.address()]);
    let _silent = silent_clients(&role, MANY);
    assert_eq!(get(role.address(), "/").text(), "served");
}

/// Sends while the response, which it does not read, fills all buffers; true if the back end gets all of it.
fn sends_beside_a_response_that_nobody_reads(step: usize, patience: Duration) -> bool {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let role = balancer(step, &[listener.local_addr().unwrap()]);
    let mut client = TcpStream::connect(role.address()).unwrap();
    let (mut backend, _) = listener.accept().unwrap();
    let (mut sender, (poured, pours)) = (backend.try_clone().unwrap(), mpsc::channel());
    let pouring =
        thread::spawn(move || while sender.write_all(&[1; 4096]).is_ok() && poured.send(()).is_ok() {});
    while pours.recv_timeout(FULL).is_ok() {}
    client.set_write_timeout(Some(patience)).unwrap();
    backend.set_read_timeout(Some(patience)).unwrap();
    let came = thread::scope(|scope| {
        scope.spawn(|| client.write_all(&vec![2; BIG]));
        backend.read_exact(&mut vec![0; BIG]).is_ok()
    });
    drop((client, role)); // and with them the back end's connection
    pouring.join().unwrap();
    came
}

#[test]
fn step_3_writes_or_reads_and_step_4_does_both() {
    assert!(!sends_beside_a_response_that_nobody_reads(3, SILENCE));
    assert!(sends_beside_a_response_that_nobody_reads(4, WAIT_MAX));
}

#[test]
fn web_step_1_lets_everybody_wait_for_one_and_later_steps_do_not() {
    for step in 1..=4 {
        let role = pages(step);
        let silent = Client::connect(role.address());
        let mut second = Client::connect(role.address());
        second.send(request("GET", "/santai", ""));
        if step == 1 {
            second.expect_silence(SILENCE);
            drop(silent);
        }
        assert_eq!(second.response().text(), "santai saja", "step {step}");
    }
}

#[test]
fn web_steps_1_and_2_answer_pieces_and_later_steps_whole_requests() {
    for step in 1..=2 {
        let role = pages(step);
        let mut client = Client::connect(role.address());
        assert_eq!(client.send("GET /santai HTTP/1.0\r\n").response().status, 200, "step {step}");
    }
    for step in 3..=4 {
        let role = pages(step);
        let mut client = Client::connect(role.address());
        client.send("GET /santai HTTP/1.0\r\n").expect_silence(SILENCE);
        assert_eq!(client.send("\r\n").response().text(), "santai saja", "step {step}");
    }
}

#[test]
fn web_step_2_sends_stray_bytes_and_later_steps_do_not() {
    for (step, behind) in [(2, &b"\r\n\r\n"[..]), (3, b""), (4, b"")] {
        let role = pages(step);
        let mut client = Client::connect(role.address());
        assert_eq!(client.send(request("GET", "/santai", "")).response().text(), "santai saja");
        assert_eq!(client.rest(), behind, "step {step}");
    }
}

#[test]
fn web_step_3_refuses_behind_many_silent_clients_and_step_4_serves() {
    let role = pages(3);
    let deadline = Instant::now() + WAIT_MAX;
    // Again, because on a busy machine the first may have been given up before the last came.
    let mut silent = silent_clients(&role, MANY);
    while get(role.address(), "/").status != 503 {
        silent.extend(silent_clients(&role, MANY));
        assert!(Instant::now() < deadline, "nobody is refused");
    }
    let role = pages(4);
    let _silent = silent_clients(&role, MANY);
    assert_eq!(get(role.address(), "/").status, 200);
}

#[test]
fn web_step_4_has_a_request_for_each_client_and_reads_files_on_its_loop() {
    let root = tempfile::tempdir().unwrap();
    let fifo = root.path().join("x.txt");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let role = server(4, root.path());
    let (mut first, mut second) = (Client::connect(role.address()), Client::connect(role.address()));
    for (a, b) in request("GET", "/santai", "").bytes().zip(request("POST", "/apa/x", "").bytes()) {
        first.send([a]);
        second.send([b]);
    }
    assert_eq!(first.response().text(), "santai saja");
    assert_eq!(second.response().text(), "kosong");

    let mut reader = Client::connect(role.address());
    reader.send(request("GET", "/x.txt", ""));
    let mut writer = fs::OpenOptions::new().write(true).open(&fifo).unwrap(); // waits until it is being read
    let mut other = Client::connect(role.address());
    other.send(request("GET", "/", "")).expect_silence(SILENCE);
    writer.write_all(b"file").unwrap();
    drop(writer);
    assert_eq!(reader.response().text(), "file");
    assert_eq!(other.response().status, 200);
}

#[test]
fn web_servers_send_files_whole_and_nothing_from_outside_their_folder() {
    let root = tempfile::tempdir().unwrap();
    let body = vec![7; BIG];
    fs::create_dir(root.path().join("in")).unwrap();
    fs::write(root.path().join("in/big.pdf"), &body).unwrap();
    fs::write(root.path().join("secret.txt"), "secret").unwrap();
    for step in 1..=4 {
        let role = server(step, &root.path().join("in"));
        let response = get(role.address(), "/big.pdf");
        assert!(response.body == body, "step {step}");
        assert_eq!(response.field("content-type"), Some("application/pdf"));
        for target in ["/../secret.txt", "//../secret.txt", "/./../secret.txt", "/no.txt"] {
            assert_eq!(get(role.address(), target).status, 404, "step {step}, {target}");
        }
    }
}

#[test]
fn the_lab_measures_every_step() {
    BALANCERS.iter().chain(&SERVERS).for_each(|name| _ = program(name));
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(["--peer", "ladder", "--requests", "40", "--repeat", "1", "--backends", "2"]);
    command.args(["--concurrency", "2", "--allow-debug", "--out"]).arg(folder.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let csv = fs::read_to_string(folder.path().join("results.csv")).unwrap();
    for (step, model) in [(1, "threaded"), (2, "threaded"), (3, "threaded"), (4, "async")] {
        let row = csv.lines().find(|row| row.starts_with(&format!("ladder-{step},{model},")));
        let row = row.unwrap_or_else(|| panic!("no step {step}:\n{csv}"));
        assert!(row.contains(",40,40,0,0,0,0,0,0,0,0,"), "{row}");
    }
}
