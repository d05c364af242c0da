//! Testbeds of Python counterparts, of peers and of a role that only pretends.

use std::io;
use std::time::Instant;

use super::*;
use needs::{APACHE, HAPROXY, NGINX, PYTHON, lacks};

#[path = "../../../integration/support/needs.rs"]
mod needs;

/// A role that listens where it is told and answers everything with its own arguments.
const PRETENDED_ROLE: &str = r#"
import socket, sys
host, port = sys.argv[sys.argv.index("--listen") + 1].split(":")
listener = socket.create_server((host, int(port)))
print("listening on {}:{}".format(*listener.getsockname()), flush=True)
while True:
    connection, _ = listener.accept()
    connection.recv(1024)
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + " ".join(sys.argv[1:]).encode())
    connection.close()
"#;

fn pretending() -> Programs {
    roles(&["python3", "-c", PRETENDED_ROLE])
}

/// Our roles by a command of this begin.
fn roles(begin: &[&str]) -> Programs {
    Programs { role: begin.iter().map(Into::into).collect(), ..Programs::default() }
}

fn testbed(contender: &Contender, backends: usize) -> Testbed {
    let options = TestbedOptions { backends, ..TestbedOptions::default() };
    Testbed::start_with(pretending(), contender, &options).unwrap_or_else(|error| panic!("{error}"))
}

/// The whole answer to a request for `/`.
fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(process::START_MAX))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// True if it is neither gone nor waiting to be reaped.
fn is_alive(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

/// A killed process takes a moment to die, and only its parent's death is waited for by us.
fn expect_gone(ids: &[u32]) {
    let deadline = Instant::now() + process::START_MAX;
    while ids.iter().any(|id| is_alive(*id)) {
        assert!(Instant::now() < deadline, "{ids:?}");
        std::thread::yield_now();
    }
}

/// Drops the testbed and looks for what may be left of it.
fn expect_nothing_left(testbed: Testbed) {
    let ids = [testbed.balancer_pids(), testbed.backend_pids()].concat();
    let folder = testbed.folder().to_owned();
    assert!(folder.exists() && ids.iter().all(|id| is_alive(*id)), "{ids:?}");
    drop(testbed);
    assert!(!folder.exists(), "{}", folder.display());
    expect_gone(&ids);
}

#[test]
fn python_counterparts_balance_and_leave_nothing_running() {
    if lacks(&[PYTHON]) {
        return;
    }
    for contender in [Contender::PythonThreaded, Contender::PythonAsync] {
        let testbed = testbed(&contender, 3);
        assert_eq!((testbed.backend_pids().len(), testbed.backend_addresses.len()), (3, 3));
        for _ in 0..6 {
            let answer = ask(testbed.address).unwrap();
            assert!(answer.ends_with("Ini Adalah web Server percobaan\r\n\r\n"), "{answer}");
        }
        expect_nothing_left(testbed);
    }
}

#[test]
fn roles_get_their_flags() {
    if lacks(&[PYTHON]) {
        return;
    }
    let options = TestbedOptions {
        backends: 2,
        backlog: Some(7),
        backend_is_async: None,
        extra: vec!["--workers".to_owned(), "3".to_owned()],
        backend_extra: vec!["--no-park".to_owned()],
    };
    let testbed = Testbed::start_with(pretending(), &Contender::Threaded, &options).unwrap();
    let [first, second] = &testbed.backend_addresses[..] else { panic!() };
    let (balancer, backend) = (ask(testbed.address).unwrap(), ask(*first).unwrap());
    let flags = format!("--backend {first} --backend {second} --backlog 7 --workers 3");
    assert!(balancer.ends_with(&format!("lb-threaded --listen 127.0.0.1:0 {flags}")), "{balancer}");
    let site = std::fs::canonicalize("public").unwrap();
    let flags = format!("--root {} --backlog 7 --no-park", site.display());
    let expected = format!("web-server --model threaded --listen 127.0.0.1:0 {flags}");
    assert!(backend.ends_with(&expected), "{backend}");
    expect_nothing_left(testbed);
}

#[test]
fn a_killed_back_end_comes_back_on_its_port() {
    if lacks(&[PYTHON]) {
        return;
    }
    let mut testbed = testbed(&Contender::PythonThreaded, 2);
    let addresses = testbed.backend_addresses.clone();
    testbed.kill_backend(1);
    testbed.kill_backend(1);
    assert_eq!(testbed.backend_pids().len(), 1);
    assert_eq!(ask(addresses[1]).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    testbed.restart_backend(1).unwrap();
    testbed.restart_backend(1).unwrap();
    assert_eq!((&testbed.backend_addresses, testbed.backend_pids().len()), (&addresses, 2));
    assert!(ask(addresses[1]).unwrap().starts_with("HTTP/1.0 200 OK"));
    expect_nothing_left(testbed);
}

#[test]
fn what_ignores_sigterm_is_killed_with_its_children() {
    const DEAF: &str = "trap '' TERM; sleep 600 & echo listening on 127.0.0.1:1; wait; wait";
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", DEAF]);
    let mut process = Process::start("deaf", command, folder.path()).unwrap();
    assert_eq!(process.wait_until_it_listens().unwrap().port(), 1);
    let ids = process.ids();
    assert_eq!(ids.len(), 2, "the shell and its child: {ids:?}");
    drop(process);
    expect_gone(&ids);
}

#[test]
fn a_program_that_ends_too_early_is_quoted() {
    let programs = roles(&["sh", "-c", "echo $0: the port is taken >&2; exit 1"]);
    let options = TestbedOptions { backends: 1, ..TestbedOptions::default() };
    let error = Testbed::start_with(programs, &Contender::Async, &options).err().unwrap();
    let expected =
        "backend-1 ended before it could print where it listens; it printed:\nweb-server: the port is taken";
    assert_eq!(error, TestbedError::Failed(expected.to_owned()));
}

#[test]
fn what_is_not_installed_is_named_with_its_package() {
    let options = TestbedOptions { backends: 1, ..TestbedOptions::default() };
    let build =
        if cfg!(debug_assertions) { "cargo build --examples" } else { "cargo build --examples --release" };
    let step = format!("/nowhere/4_poll_loop is not there: build it with {build}");
    for (contender, text) in [
        (Contender::Ladder(4), &*step),
        (Contender::PythonAsync, "nosuchpython is not installed (apt-get install python3)"),
        (Contender::Haproxy, "/nowhere/haproxy is not installed (apt-get install haproxy)"),
    ] {
        let (python, haproxy) = ("nosuchpython".into(), "/nowhere/haproxy".into());
        let programs = Programs { python, haproxy, examples: "/nowhere".into(), ..pretending() };
        let error = Testbed::start_with(programs, &contender, &options).err().unwrap();
        assert_eq!(error, TestbedError::Missing(text.to_owned()));
    }
}

#[test]
fn a_checkout_is_refused_before_anything_starts() {
    if lacks(&[PYTHON]) {
        return;
    }
    let checkout = tempfile::tempdir().unwrap();
    let contender = Contender::CourseThreaded(checkout.path().to_owned());
    let started = |options: &TestbedOptions| Testbed::start_with(pretending(), &contender, options).err();
    let options = TestbedOptions { backends: 1, ..TestbedOptions::default() };
    let error = started(&options).unwrap().to_string();
    assert!(error.ends_with("lacks server_thread_9001.py, lbthread.py"), "{error}");
    let error = started(&TestbedOptions { backlog: Some(5), ..options }).unwrap().to_string();
    assert_eq!(error, "the course's programs have their backlog in the source");
}

/// What is tested is our configuration. Whether a peer is there is for the testbed to say, which looks
/// in more folders than PATH names, and for modules.
fn peer_balances_and_leaves_nothing_running(contender: &Contender, peer: needs::Program) {
    if lacks(&[PYTHON]) {
        return;
    }
    let options = TestbedOptions { backends: 2, backlog: Some(64), ..TestbedOptions::default() };
    let testbed = match Testbed::start_with(pretending(), contender, &options) {
        Ok(testbed) => testbed,
        Err(TestbedError::Missing(_)) => return needs::skip(&[peer]),
        Err(error) => panic!("{contender}: {error}"),
    };
    for _ in 0..4 {
        let answer = ask(testbed.address).unwrap();
        let expected = "web-server --model async --listen 127.0.0.1:0";
        assert!(answer.contains(expected), "{contender}: {answer}");
    }
    expect_nothing_left(testbed);
}

#[test]
fn haproxy_balances_and_leaves_nothing_running() {
    peer_balances_and_leaves_nothing_running(&Contender::Haproxy, HAPROXY);
}

#[test]
fn nginx_balances_and_leaves_nothing_running() {
    peer_balances_and_leaves_nothing_running(&Contender::Nginx, NGINX);
}

#[test]
fn apache_balances_and_leaves_nothing_running() {
    peer_balances_and_leaves_nothing_running(&Contender::Apache, APACHE);
}
