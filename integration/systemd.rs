//! What systemd gives a role and is told of it, with this test in the place of systemd: it opens the socket, passes it
//! at the start, and listens at `NOTIFY_SOCKET`.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::Signal;

use super::operations::Config;
use crate::support::backend::Backend;
use crate::support::client::{Client, get, request};
use crate::support::launch::Launch;
use crate::support::site::Site;
use crate::support::tls::Setup;
use crate::support::{Model, WAIT_MAX, both};

both![
    it_is_told_when_a_role_listens_and_when_it_ends,
    it_is_told_of_a_reload_and_of_its_end_whatever_comes_of_it,
    nobody_to_tell_costs_a_line_of_the_log,
    a_socket_that_was_passed_is_used_as_it_is,
    who_waited_before_the_start_is_a_client_as_any_other,
    a_restart_refuses_nobody,
    a_socket_of_another_place_is_an_error_that_names_it,
    a_socket_that_is_in_the_way_is_an_error_that_names_it,
    a_socket_for_another_process_is_not_taken,
    a_socket_without_tls_stays_without,
    the_status_page_takes_a_socket_too,
];

/// Where a role says how it is.
struct Manager {
    socket: UnixDatagram,
    folder: Site,
}

impl Manager {
    fn start() -> Manager {
        let folder = Site::new();
        let socket = UnixDatagram::bind(Manager::path_in(&folder)).unwrap();
        socket.set_read_timeout(Some(WAIT_MAX)).unwrap();
        Manager { socket, folder }
    }

    fn path_in(folder: &Site) -> PathBuf {
        folder.path().join("notify")
    }

    /// The environment of a role that it started.
    fn environment(&self) -> String {
        format!("export NOTIFY_SOCKET='{}'", Manager::path_in(&self.folder).display())
    }

    /// The lines of the next message.
    fn next(&self) -> Vec<String> {
        let mut message = [0; 4096];
        let length =
            self.socket.recv(&mut message).unwrap_or_else(|error| panic!("nothing was told: {error}"));
        String::from_utf8_lossy(&message[..length]).lines().map(str::to_owned).collect()
    }
}

/// A socket of systemd, and where it is.
fn socket() -> (TcpListener, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A web server that listens nowhere else.
fn web_server(model: Model, address: SocketAddr) -> Launch {
    let model = if model == Model::Threaded { "threaded" } else { "async" };
    Launch::bare("web-server").flag("--model", model).flag("--listen", address)
}

fn it_is_told_when_a_role_listens_and_when_it_ends(model: Model) {
    let manager = Manager::start();
    let mut role = Launch::web_server(model).after(manager.environment()).start();
    let status = format!("STATUS=listening on {}", role.address());
    assert_eq!(manager.next(), ["READY=1", status.as_str()]);
    assert_eq!(get(role.address(), "/").status, 200);
    assert!(role.terminate().success());
    assert_eq!(manager.next(), ["STOPPING=1", "STATUS=finishing what is in flight"]);
}

#[test]
fn it_is_told_when_all_roles_of_a_suite_listen() {
    let manager = Manager::start();
    let launch = Launch::bare("suite").flag("--port-base", 0).flag("--root", "public");
    let mut suite = launch.after(manager.environment()).process();
    assert_eq!(manager.next()[0], "READY=1", "{}", suite.err.text());
    suite.signal(Signal::TERM);
    assert!(suite.wait(WAIT_MAX).unwrap().success());
    assert_eq!(manager.next()[0], "STOPPING=1");
}

fn it_is_told_of_a_reload_and_of_its_end_whatever_comes_of_it(model: Model) {
    let (manager, backend) = (Manager::start(), Backend::saying("satu"));
    let content = format!("default = [\"{}\"]\n", backend.address());
    let config = Config::new(&content);
    let launch = Launch::role("reverse-proxy", model).flag("--config", config.path().display());
    let role = launch.after(manager.environment()).start();
    assert_eq!(manager.next()[0], "READY=1");
    for (nth, content) in
        [format!("{content}keep-alive = \"7s\"\n"), "nonsense".to_owned()].iter().enumerate()
    {
        config.reload(&role, nth, content);
        let told = manager.next();
        assert_eq!((told[0].as_str(), told[1].split_once('=').unwrap().0), ("RELOADING=1", "MONOTONIC_USEC"));
        assert_eq!(manager.next(), ["READY=1"]);
    }
}

fn nobody_to_tell_costs_a_line_of_the_log(model: Model) {
    let mut role = Launch::web_server(model).after("export NOTIFY_SOCKET=/tidak/ada").start();
    assert_eq!(get(role.address(), "/").status, 200);
    role.wait_for_log("the service manager (NOTIFY_SOCKET) cannot be told Ready: ");
    assert!(role.terminate().success());
}

fn a_socket_that_was_passed_is_used_as_it_is(model: Model) {
    let (socket, address) = socket();
    let mut role = web_server(model, address).with_socket(&socket, "web.socket").start();
    assert_eq!(role.address(), address);
    let mut client = Client::connect(address);
    assert_eq!(client.get("/").status, 200);
    // The drain closes what it has accepted and leaves the socket: this client waits for whoever comes next.
    assert!(role.terminate().success(), "{}", role.log());
    client.expect_end();
    let mut early = Client::connect(address);
    early.send(request("GET", "/", ""));
    let _role = web_server(model, address).with_socket(&socket, "web.socket").start();
    assert_eq!(early.response().status, 200);
}

fn who_waited_before_the_start_is_a_client_as_any_other(model: Model) {
    let (socket, address) = socket();
    // They came before the socket had any option of ours.
    let mut early = [(); 3].map(|()| Client::connect(address));
    let mut role =
        web_server(model, address).with_socket(&socket, "web.socket").flag("--keep-alive", "10m").start();
    early.iter_mut().for_each(|client| assert_eq!(client.get("/").status, 200));
    assert!(role.terminate().success(), "a client that says nothing holds up the end:\n{}", role.log());
    assert_eq!(role.logged("the drain's time is over"), 0, "{}", role.log());
}

fn a_restart_refuses_nobody(model: Model) {
    const RESTARTS: usize = 5;
    let (socket, address) = socket();
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let clients = [(); 4].map(|()| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // It connects also while no role is there, and waits for the next one.
                    assert_eq!(get(address, "/").status, 200);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        for _ in 0..RESTARTS {
            let before = served.load(Ordering::Relaxed);
            let mut role = web_server(model, address).with_socket(&socket, "web.socket").start();
            while served.load(Ordering::Relaxed) < before + 50
                && !clients.iter().any(|client| client.is_finished())
            {
                std::thread::yield_now();
            }
            assert!(role.terminate().success(), "{}", role.log());
        }
        done.store(true, Ordering::Relaxed);
        let _last = web_server(model, address).with_socket(&socket, "web.socket").start();
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
}

fn a_socket_of_another_place_is_an_error_that_names_it(model: Model) {
    let (socket, address) = socket();
    let ended = Launch::web_server(model).with_socket(&socket, "web.socket").end();
    let words =
        format!("a socket on {address} was passed at the start (web.socket), and nothing here listens there");
    assert!(ended.status == Some(1) && ended.err.contains(&words), "{ended:?}");
    // The suite has addresses of its own.
    let suite = Launch::bare("suite").flag("--port-base", 0).flag("--root", "public");
    let ended = suite.with_socket(&socket, "web.socket").end();
    assert!(ended.status == Some(1) && ended.err.contains(&words), "{ended:?}");
}

fn a_socket_that_is_in_the_way_is_an_error_that_names_it(model: Model) {
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let wanted = SocketAddr::from(([127, 0, 0, 1], port));
    let ended = web_server(model, wanted).with_socket(&socket, "web.socket").end();
    let words = format!("a socket on 0.0.0.0:{port} was passed at the start (web.socket), and nothing");
    assert!(ended.status == Some(1) && ended.err.contains(&words), "{ended:?}");
}

fn a_socket_for_another_process_is_not_taken(model: Model) {
    let (socket, _) = socket();
    // Process 1 is never a test.
    let launch = Launch::web_server(model).with_socket(&socket, "web.socket LISTEN_PID=1");
    let role = launch.start();
    assert_eq!(get(role.address(), "/").status, 200);
}

fn a_socket_without_tls_stays_without(model: Model) {
    let (setup, backend) = (Setup::new(), Backend::saying("satu"));
    let (socket, address) = socket();
    let launch = setup.before(Launch::reverse_proxy(model, backend.address())).flag("--plain", address);
    let role = launch.with_socket(&socket, "plain.socket").start();
    assert_eq!(get(address, "/").text(), "satu");
    let mut client = Client::secure(role.listens_on(0), &setup.client(), "localhost").unwrap();
    assert_eq!(client.get("/").text(), "satu");
}

fn the_status_page_takes_a_socket_too(model: Model) {
    let (socket, address) = socket();
    let mut role =
        Launch::web_server(model).flag("--status", address).with_socket(&socket, "status.socket").start();
    assert_eq!(get(address, "/readyz").status, 200);
    assert_eq!(get(role.address(), "/").status, 200);
    assert!(role.terminate().success());
    assert!(std::net::TcpStream::connect(address).is_ok(), "its socket outlives it");
}
