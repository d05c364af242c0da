//! What a running role is told by signals: a configuration read again, a log opened anew.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use crate::support::backend::{Backend, Refusing};
use crate::support::client::{Client, get};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::site::Site;
use crate::support::{Model, both};

both![
    a_log_that_was_moved_away_goes_on_in_a_new_file,
    new_connections_get_the_new_back_ends_and_old_ones_keep_theirs,
    a_relay_gets_new_back_ends,
    a_reload_keeps_what_is_known_of_back_ends,
    a_server_gets_a_new_root,
    a_timeout_and_the_level_change,
    a_bad_file_changes_nothing,
    what_needs_a_restart_changes_nothing,
    no_connection_is_refused_meanwhile,
    without_a_file_a_hangup_is_the_end,
    a_hangup_that_was_ignored_stays_ignored,
    a_hangup_that_was_ignored_reloads_a_file,
    signals_without_a_meaning_end_nothing,
    a_log_file_that_may_not_grow_ends_nothing,
];

/// A configuration file that a test writes again and again.
pub(super) struct Config {
    folder: Site,
}

impl Config {
    pub(super) fn new(content: &str) -> Config {
        Config { folder: Site::new().with("giliran.toml", content) }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("giliran.toml")
    }

    /// Writes it anew, tells the role, and waits for the `nth` answer (from 0) in its log.
    pub(super) fn reload(&self, role: &Role, nth: usize, content: &str) -> String {
        std::fs::write(self.path(), content).unwrap();
        role.signal(Signal::HUP);
        let line = role.process().err.wait_nth(nth, |line| line.contains("SIGHUP: "));
        line.unwrap_or_else(|| panic!("no answer {nth} to SIGHUP, but:\n{}", role.log()))
    }
}

fn a_log_that_was_moved_away_goes_on_in_a_new_file(model: Model) {
    let folder = Site::new();
    let (path, moved) = (folder.path().join("log"), folder.path().join("log.1"));
    let mut role = Launch::web_server(model).flag("--log-file", path.display()).start();
    let mut client = Client::connect(role.address());
    assert_eq!(client.get("/sebelum").status, 404);
    // The closing line may come after the answer, but not after the next one on the same connection.
    assert_eq!(client.get("/antara").status, 404);
    std::fs::rename(&path, &moved).unwrap();
    role.signal(Signal::USR1);
    while !path.exists() {
        // Each request is an event, and the signal is obeyed after some of them.
        assert_eq!(get(role.address(), "/antara").status, 404);
    }
    assert_eq!(get(role.address(), "/sesudah").status, 404);
    assert!(role.terminate().success());
    let (old, new) = (std::fs::read_to_string(moved).unwrap(), std::fs::read_to_string(path).unwrap());
    assert!(old.contains("GET /sebelum") && !old.contains("GET /sesudah"), "{old}");
    assert!(new.contains("GET /sesudah") && !new.contains("GET /sebelum"), "{new}");
}

fn new_connections_get_the_new_back_ends_and_old_ones_keep_theirs(model: Model) {
    let (one, two) = (Backend::saying("satu"), Backend::saying("dua"));
    let config = Config::new(&format!("default = [\"{}\"]\n", one.address()));
    let role = Launch::role("reverse-proxy", model).flag("--config", config.path().display()).start();
    let mut old = Client::connect(role.address());
    assert_eq!(old.get("/").text(), "satu");
    let content = format!("default = [\"{}\"]\nroute = [\"/x/={}\"]\n", two.address(), one.address());
    let line = config.reload(&role, 0, &content);
    assert!(line.ends_with("changed: route, default"), "{line}");
    assert_eq!(old.get("/").text(), "satu", "a connection from before");
    let mut new = Client::connect(role.address());
    assert_eq!(new.get("/").text(), "dua");
    assert_eq!(new.get("/x/").text(), "satu");
}

fn a_relay_gets_new_back_ends(model: Model) {
    let (one, two) = (Backend::echoing(), Backend::saying("dua"));
    let config = Config::new(&format!("backend = [\"{}\"]\n", one.address()));
    let role = Launch::balancer(model, "tcp", []).flag("--config", config.path().display()).start();
    let mut old = Client::connect(role.address());
    assert_eq!(old.send("gema").wire().exact(4).unwrap(), b"gema");
    let line = config.reload(&role, 0, &format!("backend = [\"{}\"]\n", two.address()));
    assert!(line.ends_with("changed: backend"), "{line}");
    assert_eq!(old.send("lagi").wire().exact(4).unwrap(), b"lagi");
    assert_eq!(get(role.address(), "/").text(), "dua");
}

fn a_reload_keeps_what_is_known_of_back_ends(model: Model) {
    for key in ["backend", "default"] {
        let (gone, one, two) = (Refusing::new(), Backend::saying("satu"), Backend::saying("dua"));
        let list = format!("[\"{}\", \"{}\", \"{}\"]", two.address(), gone.address(), one.address());
        let config = Config::new(&format!(
            "health-interval = \"50ms\"\n{key} = [\"{}\", \"{}\"]\n",
            gone.address(),
            one.address()
        ));
        let launch = match key {
            "backend" => Launch::balancer(model, "tcp", []).flag("--health-path", "off"),
            _ => Launch::role("reverse-proxy", model),
        };
        let role = launch.flag("--config", config.path().display()).start();
        role.wait_for_log("is out");
        // From now on nobody checks for so long that only what is known already can count.
        let content = format!("health-interval = \"10m\"\nkeep-alive = \"7s\"\n{key} = {list}\n");
        config.reload(&role, 0, &content);
        let responses: Vec<_> = (0..6).map(|_| get(role.address(), "/").text().to_owned()).collect();
        assert_eq!(responses.iter().filter(|text| *text == "satu").count(), 3, "{key}: {responses:?}");
        role.wait_for_logs("closed ", 6);
        assert_eq!(role.logged("failed:"), 0, "{key}: {}", role.log());
        // What checks have found counts for nothing when none follow that could take it back.
        config.reload(&role, 1, &content.replace("10m", "off"));
        (0..6).for_each(|_| assert_eq!(get(role.address(), "/").status, 200));
        role.wait_for_log("failed:");
    }
}

fn a_server_gets_a_new_root(model: Model) {
    let (one, two) = (Site::new().with("a.txt", "satu"), Site::new().with("a.txt", "dua"));
    let root = |site: &Site| format!("root = \"{}\"\n", site.path().display());
    let config = Config::new(&root(&one));
    let role = Launch::web_server(model).flag("--config", config.path().display()).start();
    assert_eq!(get(role.address(), "/a.txt").text(), "satu");
    config.reload(&role, 0, &root(&two));
    assert_eq!(get(role.address(), "/a.txt").text(), "dua");
}

fn a_timeout_and_the_level_change(model: Model) {
    let config = Config::new("log = \"info\"\nkeep-alive = \"10m\"\n");
    let role = Launch::web_server(model).flag("--config", config.path().display()).start();
    let line = config.reload(&role, 0, "log = \"debug\"\nkeep-alive = \"1ms\"\n");
    assert!(line.ends_with("changed: keep-alive, log"), "{line}");
    let mut client = Client::connect(role.address());
    assert_eq!(client.get("/").status, 200);
    client.expect_end();
    // A refusal is told at debug only.
    assert_eq!(Client::connect(role.address()).send("GET\r\n\r\n").response().status, 400);
    role.wait_for_log("DEBUG");
}

fn a_bad_file_changes_nothing(model: Model) {
    let (one, two) = (Backend::saying("satu"), Backend::saying("dua"));
    let good = format!("default = [\"{}\"]\n", one.address());
    let config = Config::new(&good);
    let role = Launch::role("reverse-proxy", model).flag("--config", config.path().display()).start();
    let bad = format!("default = [\"{}\"]\nkeep-alife = \"4s\"\n", two.address());
    let line = config.reload(&role, 0, &bad);
    assert!(line.contains("[ERROR] SIGHUP: the configuration stays as it was: "), "{line}");
    assert!(line.contains("line 2: \"keep-alife\" is no key of reverse-proxy"), "{line}");
    // Each value is good by itself, and there is no such name: found only when all of it is put together.
    let bad = format!("default = [\"{}\"]\nroute = [\"/x/=name.invalid:80\"]\n", two.address());
    let line = config.reload(&role, 1, &bad);
    assert!(line.contains("stays as it was: --route name.invalid:80"), "{line}");
    assert_eq!(get(role.address(), "/").text(), "satu");
    let line = config.reload(&role, 2, &good);
    assert!(line.ends_with("no key has changed"), "{line}");
}

fn what_needs_a_restart_changes_nothing(model: Model) {
    let (one, two) = (Backend::saying("satu"), Backend::saying("dua"));
    let config = Config::new(&format!("backend = [\"{}\"]\n", one.address()));
    let role = Launch::balancer(model, "http", []).flag("--config", config.path().display()).start();
    let content = format!("backend = [\"{}\"]\nbacklog = 7\ndrain = \"1s\"\n", two.address());
    let line = config.reload(&role, 0, &content);
    assert!(line.ends_with("stays as it was: a restart is needed to change backlog, drain"), "{line}");
    assert_eq!(get(role.address(), "/").text(), "satu");
}

fn no_connection_is_refused_meanwhile(model: Model) {
    let (one, two) = (Backend::saying("satu"), Backend::saying("dua"));
    let of = |backend: &Backend| format!("default = [\"{}\"]\n", backend.address());
    let config = Config::new(&of(&one));
    let role = Launch::role("reverse-proxy", model).flag("--config", config.path().display()).start();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut served = 0;
            while !done.load(Ordering::Relaxed) {
                let response = get(role.address(), "/");
                assert!(["satu", "dua"].contains(&response.text()), "{response:?}");
                served += 1;
            }
            served
        });
        for turn in 0..10 {
            config.reload(&role, turn, &of(if turn % 2 == 0 { &two } else { &one }));
        }
        done.store(true, Ordering::Relaxed);
        assert!(client.join().unwrap() > 0);
    });
    assert_eq!(get(role.address(), "/").text(), "satu");
}

fn without_a_file_a_hangup_is_the_end(model: Model) {
    let mut role = Launch::web_server(model).start();
    role.signal(Signal::HUP);
    assert_eq!(role.wait().code(), Some(0), "{}", role.log());
    role.wait_for_log("SIGHUP: finishing what is in flight");
}

/// As `nohup` starts a program.
const NOHUP: &str = "trap '' HUP";

fn a_hangup_that_was_ignored_stays_ignored(model: Model) {
    let mut role = Launch::web_server(model).after(NOHUP).start();
    role.signal(Signal::HUP);
    assert_eq!(get(role.address(), "/").status, 200);
    assert!(role.terminate().success());
    assert_eq!(role.logged("SIGHUP"), 0, "{}", role.log());
}

fn a_hangup_that_was_ignored_reloads_a_file(model: Model) {
    let config = Config::new("log = \"info\"\n");
    let launch = Launch::web_server(model).flag("--config", config.path().display());
    let role = launch.after(NOHUP).start();
    let line = config.reload(&role, 0, "log = \"debug\"\n");
    assert!(line.ends_with("changed: log"), "{line}");
}

fn signals_without_a_meaning_end_nothing(model: Model) {
    let mut role = Launch::web_server(model).start();
    // SIGUSR2, SIGALRM, SIGSTKFLT, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, and real-time signals.
    let signals = [12, 14, 16, 26, 27, 29, 30, 35, 50, 64];
    for (count, signal) in (1..).zip(signals) {
        role.signal_number(signal);
        role.wait_for_logs("has no meaning here: nothing is done", count);
    }
    // These do something that the system wants ignored: SIGURG, SIGWINCH, SIGCHLD, SIGCONT, SIGXFSZ, SIGPIPE.
    for signal in [23, 28, 17, 18, 25, 13] {
        role.signal_number(signal);
        assert_eq!(get(role.address(), "/").status, 200, "after signal {signal}");
    }
    assert!(role.terminate().success());
}

fn a_log_file_that_may_not_grow_ends_nothing(model: Model) {
    let folder = Site::new();
    let path = folder.path().join("log");
    // One block is 512 or 1024 bytes.
    let launch = Launch::web_server(model).flag("--log-file", path.display()).after("ulimit -f 1");
    let mut role = launch.start();
    for _ in 0..20 {
        assert_eq!(get(role.address(), "/").status, 200);
    }
    role.wait_for_log("the log cannot be written");
    assert!(role.terminate().success(), "{}", role.log());
}

#[test]
fn a_suite_changes_its_level_and_nothing_else() {
    let config = Config::new("log = \"info\"\n");
    let launch = Launch::bare("suite").flag("--port-base", 0).flag("--root", "public");
    let process = launch.flag("--config", config.path().display()).process();
    process.out.wait_nth(0, |line| line.starts_with("ready")).unwrap();
    for (nth, content, end) in [
        (0, "log = \"debug\"\n", "changed: log"),
        (1, "workers = 3\n", "a restart is needed to change workers"),
    ] {
        std::fs::write(config.path(), content).unwrap();
        process.signal(Signal::HUP);
        let line = process.err.wait_nth(nth, |line| line.contains("SIGHUP: ")).unwrap();
        assert!(line.ends_with(end), "{line}");
    }
}
