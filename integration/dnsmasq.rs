//! Back ends behind Debian's name server, `dnsmasq`, whose hosts change while `ab` runs: no request fails, and an
//! address that is gone gets nothing new.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::backend::{Backend, Visit, ok};
use crate::support::launch::Launch;
use crate::support::needs::{AB, DNSMASQ, lacks};
use crate::support::process::Process;
use crate::support::role::Role;
use crate::support::{Model, WAIT_MAX, both};

both![
    addresses_that_come_and_go_under_load_fail_no_request,
    hosts_of_a_service_that_come_and_go_under_load_fail_no_request,
];

const NAME: &str = "web.example";
const SERVICE: &str = "_http._tcp.web.example";

/// A running `dnsmasq` with a hosts file of its own.
struct Dnsmasq {
    process: Process,
    address: SocketAddr,
    folder: TempDir,
    readings: usize,
}

impl Dnsmasq {
    /// One that knows these hosts, and further `records`.
    fn start(hosts: &str, records: &[String]) -> Dnsmasq {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("hosts"), hosts).unwrap();
        // It takes no free port by itself. One that was free a moment ago nearly always still is.
        for _ in 0..10 {
            let port = free_port();
            let mut command = DNSMASQ.command();
            command
                .args(["--no-daemon", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts"])
                .args(["--listen-address=127.0.0.1", "--bind-interfaces", "--local=/example/"])
                // Its own user could not read the folder.
                .args(["--local-ttl=0", "--user=root", &format!("--port={port}")])
                .arg(format!("--addn-hosts={}", folder.path().join("hosts").display()))
                .args(records);
            let process = Process::start(&mut command).unwrap();
            if process.err.wait_nth(0, |line| line.contains("/hosts - ")).is_some() {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                return Dnsmasq { process, address, folder, readings: 1 };
            }
            assert!(process.err.text().contains("in use"), "{}", process.err.text());
        }
        panic!("no port is free");
    }

    fn hosts(&self) -> PathBuf {
        self.folder.path().join("hosts")
    }

    /// Gives it other hosts, and waits until it has read them.
    fn set(&mut self, hosts: &str) {
        // Never half written: it reads when it is told to, and not before.
        fs::write(self.hosts(), hosts).unwrap();
        self.process.signal(Signal::HUP);
        let read = self.process.err.wait_nth(self.readings, |line| line.contains("/hosts - "));
        assert!(read.is_some(), "{}", self.process.err.text());
        self.readings += 1;
    }
}

/// A port that is free for both protocols.
fn free_port() -> u16 {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        if UdpSocket::bind(tcp.local_addr().unwrap()).is_ok() {
            return tcp.local_addr().unwrap().port();
        }
    }
}

/// What a back end does: it serves a client of HTTP/1.0, such as `ab` without `-k`, once.
fn serve(visit: &mut Visit) -> io::Result<()> {
    loop {
        let is_last = visit.request()?.head.start.ends_with("HTTP/1.0");
        visit.send(ok("halo"))?;
        if is_last {
            return Ok(());
        }
    }
}

/// `ab` that asks the role for so many pages.
fn load(role: &Role, count: usize, further: &[&str]) -> Process {
    let mut command = AB.command();
    command.args(["-q", "-c", "8", "-s", "20", "-n", &count.to_string()]).args(further).arg(role.url("/"));
    Process::start(&mut command).unwrap()
}

/// Expects all of its requests to have been served.
fn expect_whole(ab: &mut Process, count: usize, role: &Role) {
    let status = ab.wait(3 * WAIT_MAX);
    let said = ab.out.text();
    assert!(status.is_some_and(|status| status.success()), "{said}\n{}\n{}", ab.err.text(), role.log());
    let number = |label: &str| -> Option<usize> {
        let line = said.lines().find_map(|line| line.strip_prefix(label))?;
        line.split_whitespace().next()?.parse().ok()
    };
    assert_eq!(number("Complete requests:"), Some(count), "{said}");
    assert_eq!(number("Failed requests:"), Some(0), "{said}\n{}", role.log());
    assert_eq!(number("Non-2xx responses:"), None, "{said}\n{}", role.log());
}

/// Changes the hosts while `ab` runs, from both to the second alone and back, each time until the role has seen it.
/// Returns how often the first one was gone.
fn change_under_load(
    dnsmasq: &mut Dnsmasq,
    role: &Role,
    ab: &mut Process,
    both: &str,
    second: &str,
) -> usize {
    let mut gone = 0;
    while ab.wait(Duration::from_millis(1)).is_none() {
        dnsmasq.set(second);
        role.wait_for_logs(" is gone", gone + 1);
        gone += 1;
        dnsmasq.set(both);
        role.wait_for_logs(" is new", gone);
    }
    gone
}

/// What holds for every kind of name: `second` leaves one of the hosts of `both`.
fn expect_no_failed_request(
    (model, mode, further): (Model, &str, &[&str]),
    mut dnsmasq: Dnsmasq,
    target: &str,
    backends: &[Backend; 2],
    [both, second]: [&str; 2],
) {
    const COUNT: usize = 4000;
    let role = Launch::balancer(model, mode, [])
        .flag("--backend", target)
        .flag("--resolver", dnsmasq.address)
        .flag("--resolve-min", "10ms")
        .flag("--health-interval", "off")
        .flag("--log", "info")
        .start();
    let mut ab = load(&role, COUNT, further);
    backends[0].wait_for_request(0);
    let gone = change_under_load(&mut dnsmasq, &role, &mut ab, both, second);
    expect_whole(&mut ab, COUNT, &role);
    assert!(gone > 1, "ab was over too soon to meet a change");
    let served = backends.each_ref().map(Backend::request_count);
    assert!(served[0] > 0 && served.iter().sum::<usize>() >= COUNT, "{served:?}");
    // Now for good: what it has is nothing, and what comes goes to the other one.
    dnsmasq.set(second);
    role.wait_for_logs(" is gone", gone + 1);
    let mut ab = load(&role, 200, further);
    expect_whole(&mut ab, 200, &role);
    let after = backends.each_ref().map(Backend::request_count);
    assert_eq!(after[0], served[0], "the one that is gone got something new");
    assert!(after[1] >= served[1] + 200, "{served:?} {after:?}");
    assert_eq!(role.logged("cannot be looked up"), 0, "{}", role.log());
}

const MODES: [(&str, &[&str]); 3] = [("tcp", &[]), ("http", &[]), ("http", &["-k"])];

fn addresses_that_come_and_go_under_load_fail_no_request(model: Model) {
    if lacks(&[AB, DNSMASQ]) {
        return;
    }
    for (mode, further) in MODES {
        let backends = Backend::pair_of([serve, serve]);
        let both = format!("127.0.0.2 {NAME}\n127.0.0.3 {NAME}\n");
        let second = format!("127.0.0.3 {NAME}\n");
        let dnsmasq = Dnsmasq::start(&both, &[]);
        let target = format!("{NAME}:{}", backends[0].address().port());
        expect_no_failed_request((model, mode, further), dnsmasq, &target, &backends, [&both, &second]);
    }
}

fn hosts_of_a_service_that_come_and_go_under_load_fail_no_request(model: Model) {
    if lacks(&[AB, DNSMASQ]) {
        return;
    }
    for (mode, further) in MODES {
        let backends = [Backend::start(serve), Backend::start(serve)];
        let record = |host: &str, backend: &Backend| {
            format!("--srv-host={SERVICE},{host},{},10,5", backend.address().port())
        };
        let records = [record("a.example", &backends[0]), record("b.example", &backends[1])];
        let (both, second) = ("127.0.0.1 a.example\n127.0.0.1 b.example\n", "127.0.0.1 b.example\n");
        let dnsmasq = Dnsmasq::start(both, &records);
        let target = format!("srv:{SERVICE}");
        expect_no_failed_request((model, mode, further), dnsmasq, &target, &backends, [both, second]);
    }
}
