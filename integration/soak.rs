//! Good and bad traffic for a while, on every kind of role: nothing grows, nothing good fails, and
//! what the log says is what the clients know.
//!
//! Some seconds by default. For long, with tables of what the processes held and how connections ended:
//! `GILIRAN_SOAK_SECONDS=1800 cargo test --release soak -- --nocapture`.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::support::client::{Client, post, request};
use crate::support::dice::Dice;
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::{Model, WAIT_MAX, both};

both![good_and_bad_traffic_leaves_nothing_behind];

/// Clients of each target at one time.
const CLIENTS: usize = 3;
/// Looks at the processes in the course of a soak.
const LOOKS: u32 = 10;
/// Between two visits of one client: for hours, the number of visits is not what counts.
const REST: Duration = Duration::from_millis(10);

fn length() -> Duration {
    let seconds = std::env::var("GILIRAN_SOAK_SECONDS").map_or(15, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
}

/// One connection of a client that behaves, or does not.
struct Visit {
    name: &'static str,
    /// So many of all visits.
    weight: usize,
    /// What every closing line of it holds, in the log of a role that reads requests, and how many
    /// there are; `None` if that depends on how far its bytes came.
    leaves: Option<(&'static str, usize)>,
    run: fn(Client),
}

/// Every answer that must come is compared; what a bad client gets is for other tests.
const VISITS: &[Visit] = &[
    Visit { name: "ten requests", weight: 3, leaves: Some((SANTAI, 10)), run: ten_requests },
    Visit { name: "five at once", weight: 1, leaves: Some((SANTAI, 5)), run: five_at_once },
    Visit { name: "half-close", weight: 1, leaves: Some((SANTAI, 1)), run: half_close },
    Visit { name: "large answer", weight: 1, leaves: Some((LARGE, 1)), run: large_answer },
    Visit { name: "upload", weight: 1, leaves: Some((KOSONG, 1)), run: upload },
    Visit { name: "chunks", weight: 1, leaves: Some((KOSONG, 1)), run: chunks },
    Visit { name: "two lengths", weight: 1, leaves: Some((REFUSED, 1)), run: two_lengths },
    Visit { name: "TLS hello", weight: 1, leaves: Some((REFUSED, 1)), run: tls_hello },
    Visit { name: "reset in head", weight: 1, leaves: None, run: reset_in_head },
    Visit { name: "end in head", weight: 1, leaves: Some((ENDED, 1)), run: end_in_head },
    Visit { name: "reset in answer", weight: 1, leaves: None, run: reset_in_answer },
    Visit { name: "end in body", weight: 1, leaves: None, run: end_in_body },
    Visit { name: "reset, nothing said", weight: 1, leaves: None, run: reset },
    Visit { name: "nothing said", weight: 1, leaves: None, run: drop },
];

/// Parts of closing lines.
const SANTAI: &str = "\"GET /santai\" status=200 ";
const LARGE: &str = "\"GET /?size=300000\" status=200 ";
const KOSONG: &str = "\"POST /\" status=200 ";
const REFUSED: &str = " status=400 ";
const ENDED: &str = " outcome=\"client closed in request head\"";
const MARKS: [&str; 5] = [SANTAI, LARGE, KOSONG, REFUSED, ENDED];

fn ask(client: &mut Client) {
    assert_eq!(client.get("/santai").text(), "santai saja");
}

fn ten_requests(mut client: Client) {
    (0..10).for_each(|_| ask(&mut client));
}

fn five_at_once(mut client: Client) {
    client.send(request("GET", "/santai", "").repeat(5));
    (0..5).for_each(|_| assert_eq!(client.response().text(), "santai saja"));
}

fn half_close(mut client: Client) {
    client.send(request("GET", "/santai", ""));
    assert_eq!(client.finish_sending().response().text(), "santai saja");
}

fn large_answer(mut client: Client) {
    assert_eq!(client.get("/?size=300000").body.len(), 300_000);
}

fn upload(mut client: Client) {
    assert_eq!(client.send(post("/", &[b'x'; 100_000])).response().text(), "kosong");
}

fn chunks(mut client: Client) {
    let head = request("POST", "/", "Transfer-Encoding: chunked\r\n");
    client.send(head + &"4\r\nsatu\r\n".repeat(50) + "0\r\n\r\n");
    assert_eq!(client.response().text(), "kosong");
}

fn two_lengths(mut client: Client) {
    client.send(request("POST", "/", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"));
    assert_eq!(client.response().status, 400);
}

fn tls_hello(mut client: Client) {
    // What is sent behind the refusal may meet a connection that is closed by then.
    let _ = client.wire().stream().write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
    let _ = client.wire().rest();
}

fn reset_in_head(mut client: Client) {
    client.send("GET /santai HTTP/1.1\r\nHo");
    reset(client);
}

fn end_in_head(mut client: Client) {
    drop(client.send("GET /santai HTTP/1.1\r\nHo").finish_sending().wire().rest());
}

fn reset_in_answer(mut client: Client) {
    client.send(request("GET", "/?size=10000000", ""));
    client.wire().exact(1000).unwrap();
    reset(client);
}

fn end_in_body(mut client: Client) {
    client.send(&post("/", &[b'x'; 50_000])[..20_000]);
}

fn reset(mut client: Client) {
    SockRef::from(client.wire().stream()).set_linger(Some(Duration::ZERO)).unwrap();
}

/// What a process holds.
#[derive(Clone, Copy)]
struct Held {
    /// Without pipes.
    descriptors: usize,
    threads: usize,
    resident_kib: usize,
    /// Its share of the pages that hold data.
    own_kib: usize,
}

impl Display for Held {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Held { descriptors, threads, resident_kib, own_kib } = self;
        write!(
            f,
            "{descriptors:>3} descriptors {threads:>3} threads {resident_kib:>6} KiB resident {own_kib:>6} own"
        )
    }
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
        let process = role.process();
        let entries = |folder: &str| std::fs::read_dir(format!("/proc/{}/{folder}", process.id())).unwrap();
        // A relay keeps empty pipes for the next long stream: a few, which a test of theirs bounds.
        let is_pipe = |entry: &std::io::Result<std::fs::DirEntry>| {
            let target = entry.as_ref().ok().and_then(|entry| std::fs::read_link(entry.path()).ok());
            target.is_some_and(|target| target.to_string_lossy().starts_with("pipe:"))
        };
        Held {
            descriptors: entries("fd").filter(|entry| !is_pipe(entry)).count(),
            threads: entries("task").count(),
            resident_kib: process.resident_bytes() / 1024,
            own_kib: process.own_bytes() / 1024,
        }
    }
}

/// A role under traffic, and what its clients know.
struct Target {
    name: &'static str,
    role: Role,
    log: PathBuf,
    /// How often each of [`VISITS`] was made.
    visits: [AtomicUsize; VISITS.len()],
}

impl Target {
    fn new(name: &'static str, launch: Launch, folder: &Path) -> Target {
        let log = folder.join(name);
        let role = launch.flag("--log-file", log.display()).start();
        Target { name, role, log, visits: Default::default() }
    }

    fn visit_until(&self, end: Instant, seed: u64) {
        let mut dice = Dice::new(seed);
        while Instant::now() < end {
            let mut roll = dice.below(VISITS.iter().map(|visit| visit.weight).sum());
            let place = VISITS.iter().position(|visit| {
                let hit = roll < visit.weight;
                roll = roll.wrapping_sub(visit.weight);
                hit
            });
            let place = place.unwrap();
            (VISITS[place].run)(Client::connect(self.role.address()));
            self.visits[place].fetch_add(1, Ordering::Relaxed);
            std::thread::park_timeout(REST);
        }
    }

    /// Waits until it holds no more descriptors than before; what it holds then.
    fn settle(&self, before: &Held) -> Held {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let held = Held::by(&self.role);
            if held.descriptors <= before.descriptors || Instant::now() > deadline {
                return held;
            }
            std::thread::park_timeout(Duration::from_millis(50)); // connections to back ends are kept for 4 s
        }
    }

    /// Ends it and holds its log against what the clients know.
    fn account(&mut self, model: Model) {
        assert!(self.role.terminate().success());
        let log = Log::read(&self.log);
        let made: BTreeMap<&str, usize> = (VISITS.iter().zip(&self.visits))
            .map(|(visit, made)| (visit.name, made.load(Ordering::Relaxed)))
            .collect();
        let connections: usize = made.values().sum();
        println!("{model:?} {}: {connections} connections {made:?}", self.name);
        println!("{model:?} {}: {} lines, outcomes {:#?}", self.name, log.lines, log.outcomes);
        // Whoever speaks HTTP tells at `debug` only of a client that said nothing: health checks do just that.
        let silent = match self.name.ends_with("tcp") {
            true => 0,
            false => made["nothing said"] + made["reset, nothing said"],
        };
        assert_eq!(log.connections, connections - silent, "{}", self.name);
        assert_eq!(log.trouble, None, "{}", self.name);
        if self.name.ends_with("tcp") {
            assert_eq!(log.outcomes.values().sum::<usize>(), connections, "{}", self.name);
            return;
        }
        for mark in MARKS {
            let of_mark = VISITS.iter().filter_map(|visit| {
                let (_, lines) = visit.leaves.filter(|leaves| leaves.0 == mark)?;
                Some(lines * made[visit.name])
            });
            assert_eq!(
                log.marks.get(mark).copied().unwrap_or(0),
                of_mark.sum::<usize>(),
                "{}: {mark}",
                self.name
            );
        }
    }
}

/// What a log says, counted.
#[derive(Default)]
struct Log {
    lines: usize,
    connections: usize,
    /// How connections and exchanges ended.
    outcomes: BTreeMap<String, usize>,
    /// Closing lines of visits that say how many they leave.
    marks: BTreeMap<&'static str, usize>,
    /// The first line that there should not be.
    trouble: Option<String>,
}

impl Log {
    /// Line by line: after hours it is larger than memory should be.
    fn read(path: &Path) -> Log {
        let mut log = Log::default();
        for line in BufReader::new(std::fs::File::open(path).unwrap()).lines() {
            log.count(&line.unwrap());
        }
        log
    }

    fn count(&mut self, line: &str) {
        self.lines += 1;
        self.connections += usize::from(line.contains("connection from "));
        if let Some((_, outcome)) = line.split_once(" outcome=") {
            *self.outcomes.entry(outcome.trim_matches('"').to_owned()).or_default() += 1;
            // What was answered was answered to its end.
            let is_told = !line.contains(" status=200 ") || line.contains(" clean=true ");
            let marks = MARKS.into_iter().filter(|mark| is_told && line.contains(mark));
            marks.for_each(|mark| *self.marks.entry(mark).or_default() += 1);
        }
        let is_trouble = ["panic", "dropped", " ERROR "].iter().any(|trouble| line.contains(trouble));
        if is_trouble && self.trouble.is_none() {
            self.trouble = Some(line.to_owned());
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
                println!("{model:?} {seconds:>5} s  {:<13} {held}", target.name);
            }
            looks.push(held);
        }
    });
    for (place, target) in targets.iter_mut().enumerate() {
        let (before, after) = (&before[place], target.settle(&before[place]));
        println!(
            "{model:?} before        {:<13} {before}\n{model:?} after         {:<13} {after}",
            target.name, target.name
        );
        assert!(after.descriptors <= before.descriptors, "{}: {before}, {after}", target.name);
        assert!(after.threads <= before.threads, "{}: {before}, {after}", target.name);
        // From half-time on memory stays; the allowance is for buffers of the moment.
        let half = looks[looks.len() / 2][place].own_kib;
        assert!(after.own_kib <= half + half / 4 + 4096, "{}: {half} KiB, {after}", target.name);
        target.account(model);
    }
}
