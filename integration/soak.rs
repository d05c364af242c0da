//! Good and bad traffic for a while, on every kind of role: nothing grows, nothing good fails, and
//! whatever was accepted is in the log.
//!
//! Some seconds by default; `GILIRAN_SOAK_SECONDS=1800 cargo test --release soak -- --nocapture` for long,
//! with a table of what the processes hold.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::support::client::{Client, post, request};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::{Model, PATIENCE, both};

both![good_and_bad_traffic_leaves_nothing_behind];

/// Clients of each target at one time.
const CLIENTS: usize = 3;
/// Looks at the processes in the course of a soak.
const LOOKS: u32 = 10;

fn length() -> Duration {
    let seconds = std::env::var("GILIRAN_SOAK_SECONDS").map_or(15, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
}

/// A role under traffic, and what its clients know.
struct Target {
    name: &'static str,
    role: Role,
    log: std::path::PathBuf,
    connections: AtomicUsize,
    /// Whole answers to `GET /santai`.
    answers: AtomicUsize,
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    descriptors: usize,
    threads: usize,
    kibibytes: usize,
}

impl Held {
    /// Once the role has started all its threads: it can be reached before that.
    fn at_rest(role: &Role) -> Held {
        let mut before = Held::by(role);
        loop {
            std::thread::park_timeout(Duration::from_millis(200));
            let held = Held::by(role);
            if (held.descriptors, held.threads) == (before.descriptors, before.threads) {
                return held;
            }
            before = held;
        }
    }

    fn by(role: &Role) -> Held {
        let process = format!("/proc/{}", role.process().id());
        let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
        let number = |name: &str| -> usize {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        Held {
            descriptors: std::fs::read_dir(format!("{process}/fd")).unwrap().count(),
            threads: number("Threads:"),
            kibibytes: number("VmRSS:"),
        }
    }
}

/// Reproducible choices (xorshift64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Drops the connection by a reset.
fn reset(mut client: Client) {
    SockRef::from(client.wire().stream()).set_linger(Some(Duration::ZERO)).unwrap();
}

/// One connection of a client that behaves, or does not; gives the answers to `GET /santai` it got.
fn visit(mut client: Client, dice: &mut Dice) -> usize {
    let santai = request("GET", "/santai", "");
    let ask = |client: &mut Client| assert_eq!(client.get("/santai").text(), "santai saja");
    match dice.roll(16) {
        0..=2 => {
            (0..10).for_each(|_| ask(&mut client));
            return 10;
        }
        3 => assert_eq!(client.get("/?size=300000").body.len(), 300_000),
        4 => assert_eq!(client.send(post("/", &[b'x'; 100_000])).answer().text(), "kosong"),
        5 => {
            let head = request("POST", "/", "Transfer-Encoding: chunked\r\n");
            client.send(head + &"4\r\nsatu\r\n".repeat(50) + "0\r\n\r\n");
            assert_eq!(client.answer().text(), "kosong");
        }
        6 => {
            client.send(santai.repeat(5));
            (0..5).for_each(|_| assert_eq!(client.answer().text(), "santai saja"));
            return 5;
        }
        7 => {
            assert_eq!(client.send(&santai).finish_sending().answer().text(), "santai saja");
            return 1;
        }
        8 => {
            client.send("GET /santai HTTP/1.1\r\nHo");
            reset(client);
        }
        9 => drop(client.send("GET /santai HTTP/1.1\r\nHo").finish_sending().wire().rest()),
        10 => {
            client.send(request("POST", "/", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"));
            assert_eq!(client.answer().status, 400);
        }
        11 => {
            client.send(request("GET", "/?size=10000000", ""));
            client.wire().exact(1000).unwrap();
            reset(client);
        }
        12 => drop(client.send(&post("/", &[b'x'; 50_000])[..20_000])),
        13 => reset(client),
        14 => {
            // What is sent behind the refusal may meet a connection that is closed by then.
            let _ = client.wire().stream().write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
            let _ = client.wire().rest();
        }
        _ => {}
    }
    0
}

impl Target {
    fn new(name: &'static str, launch: Launch, folder: &Path) -> Target {
        let log = folder.join(name);
        let role = launch.flag("--log-file", log.display()).start();
        Target { name, role, log, connections: AtomicUsize::new(0), answers: AtomicUsize::new(0) }
    }

    fn visit_until(&self, end: Instant, seed: u64) {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        while Instant::now() < end {
            let client = Client::connect(self.role.address());
            self.connections.fetch_add(1, Ordering::Relaxed);
            self.answers.fetch_add(visit(client, &mut dice), Ordering::Relaxed);
        }
    }

    /// Waits until it holds no more descriptors than before; what it holds then.
    fn settle(&self, before: &Held) -> Held {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let held = Held::by(&self.role);
            if held.descriptors <= before.descriptors || Instant::now() > deadline {
                return held;
            }
            std::thread::park_timeout(Duration::from_millis(50)); // connections to back ends are kept for 4 s
        }
    }

    /// Ends it and holds its log against what the clients know.
    fn account(&mut self) {
        assert!(self.role.terminate().success());
        let log = std::fs::read_to_string(&self.log).unwrap();
        let count =
            |texts: &[&str]| log.lines().filter(|line| texts.iter().all(|text| line.contains(text))).count();
        let (connections, answers) =
            (self.connections.load(Ordering::Relaxed), self.answers.load(Ordering::Relaxed));
        println!(
            "{}: {connections} connections, {answers} answers, {} lines",
            self.name,
            log.lines().count()
        );
        assert_eq!(count(&["connection from "]), connections, "{}", self.name);
        match self.name.ends_with("tcp") {
            true => assert_eq!(count(&[" closed "]), connections, "{}", self.name),
            false => {
                let lines = count(&[" closed ", "\"GET /santai\" status=200", "clean=true"]);
                assert_eq!(lines, answers, "{}", self.name);
            }
        }
        for trouble in ["panic", "dropped", " ERROR "] {
            assert_eq!(
                count(&[trouble]),
                0,
                "{}: {:?}",
                self.name,
                log.lines().find(|line| line.contains(trouble))
            );
        }
    }
}

fn good_and_bad_traffic_leaves_nothing_behind(model: Model) {
    let folder = tempfile::tempdir().unwrap();
    let back_ends = [(); 2].map(|()| Launch::web_server(model).flag("--log", "warn").start());
    let addresses = back_ends.each_ref().map(Role::address);
    let proxy =
        Launch::role("reverse-proxy", model).flag("--default", format!("{},{}", addresses[0], addresses[1]));
    let mut targets = [
        Target::new("web-server", Launch::web_server(model), folder.path()),
        Target::new("reverse-proxy", proxy, folder.path()),
        Target::new("balancer-http", Launch::balancer(model, "http", addresses), folder.path()),
        Target::new("balancer-tcp", Launch::balancer(model, "tcp", addresses), folder.path()),
    ];
    let before = targets.each_ref().map(|target| Held::at_rest(&target.role));
    let start = Instant::now();
    let mut looks = Vec::new();
    std::thread::scope(|scope| {
        for target in &targets {
            (1..=CLIENTS as u64)
                .for_each(|seed| drop(scope.spawn(move || target.visit_until(start + length(), seed))));
        }
        for look in 1..=LOOKS {
            std::thread::park_timeout(
                (start + length() * look / LOOKS).saturating_duration_since(Instant::now()),
            );
            let held = targets.each_ref().map(|target| Held::by(&target.role));
            for (target, held) in targets.iter().zip(&held) {
                let seconds = start.elapsed().as_secs();
                println!("{model:?} {seconds:>5} s  {:<13} {held:?}", target.name);
            }
            looks.push(held);
        }
    });
    for (place, target) in targets.iter_mut().enumerate() {
        let (before, after) = (&before[place], target.settle(&before[place]));
        println!("{model:?} before {before:?}, after {after:?}: {}", target.name);
        assert!(after.descriptors <= before.descriptors, "{}: {before:?}, {after:?}", target.name);
        assert!(after.threads <= before.threads, "{}: {before:?}, {after:?}", target.name);
        // From half-time on memory stays; the allowance is for buffers of the moment.
        let half = looks[looks.len() / 2][place].kibibytes;
        assert!(after.kibibytes <= half + half / 4 + 4096, "{}: {half} KiB, {after:?}", target.name);
        target.account();
    }
}
