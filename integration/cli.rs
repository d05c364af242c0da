//! The command line: usage, the configuration file, `--check`, addresses in use, logs.

use std::net::TcpListener;

use crate::support::backend::Backend;
use crate::support::client::{Client, get};
use crate::support::launch::{Ended, Launch};
use crate::support::site::Site;
use crate::support::{Model, both};

both![
    connections_are_logged_as_text,
    connections_are_logged_as_the_course_did,
    connections_are_logged_as_json,
    nothing_invisible_reaches_the_log,
];

const ROLES: [&str; 8] = [
    "default-server",
    "image-server",
    "pdf-server",
    "web-server",
    "reverse-proxy",
    "lb-threaded",
    "lb-async",
    "suite",
];

/// Nothing on standard output, status `status`, and a message that holds all of `words`.
fn expect_complaint(ended: &Ended, status: i32, words: &[&str]) {
    assert_eq!((ended.status, ended.out.as_str()), (Some(status), ""), "{ended:?}");
    for word in words {
        assert!(ended.err.contains(word), "no {word:?} in:\n{}", ended.err);
    }
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
}

/// A configuration file with this content.
fn config(content: &str) -> (Site, String) {
    let site = Site::new().with("giliran.toml", content);
    let path = site.path().join("giliran.toml").display().to_string();
    (site, path)
}

#[test]
fn help_and_version_of_every_role() {
    for role in ROLES {
        let help = Launch::bare(role).switch("--help").end();
        assert_eq!(help.status, Some(0), "{role}");
        for flag in ["--config", "--check", "--log"] {
            assert!(help.out.contains(flag), "{role} --help does not name {flag}");
        }
        let version = Launch::bare(role).switch("--version").end();
        assert!(version.status == Some(0) && version.out.contains(env!("CARGO_PKG_VERSION")), "{version:?}");
    }
}

#[test]
fn bad_usage_is_status_2_for_every_role() {
    for role in ROLES {
        let ended = Launch::bare(role).flag("--tidak-ada", "1").end();
        expect_complaint(&ended, 2, &["--tidak-ada"]);
    }
}

#[test]
fn bad_values_are_named() {
    for (role, flag, value) in [
        ("default-server", "--listen", "di-sini"),
        ("default-server", "--listen", "127.0.0.1:99999"),
        ("default-server", "--model", "lambat"),
        ("default-server", "--workers", "0"),
        ("default-server", "--keep-alive", "5 abad"),
        ("default-server", "--log-format", "puisi"),
        ("default-server", "--root", "/tidak/ada/di/sini"),
        ("reverse-proxy", "--route", "images=127.0.0.1:1"),
        ("reverse-proxy", "--route", "/images/"),
        ("lb-threaded", "--backend", "127.0.0.1"),
        ("lb-threaded", "--mode", "udp"),
    ] {
        let ended = Launch::bare(role).flag(flag, value).end();
        expect_complaint(&ended, 2, &[value]);
    }
}

#[test]
fn an_unknown_key_names_its_line_and_the_nearest_key() {
    let (_site, path) = config("listen = [\"127.0.0.1:0\"]\n\nkeep-alife = \"5s\"\n");
    let ended = Launch::bare("default-server").flag("--config", &path).end();
    expect_complaint(&ended, 2, &["keep-alife", "keep-alive", "3", "giliran.toml"]);
}

#[test]
fn a_broken_or_missing_file_is_status_2() {
    let (_site, path) = config("listen = [\n");
    expect_complaint(&Launch::bare("default-server").flag("--config", &path).end(), 2, &["giliran.toml"]);
    let missing = Launch::bare("default-server").flag("--config", "tidak-ada.toml").end();
    expect_complaint(&missing, 2, &["tidak-ada.toml"]);
}

#[test]
fn check_prints_a_valid_configuration_and_stops() {
    for role in ROLES {
        let checked = Launch::bare(role).switch("--check").end();
        assert_eq!(checked.status, Some(0), "{role}: {checked:?}");
        let (_site, path) = config(&checked.out);
        let again = Launch::bare(role).flag("--config", &path).switch("--check").end();
        assert_eq!((again.status, &again.out), (Some(0), &checked.out), "{role}: {}", again.err);
    }
}

#[test]
fn a_flag_wins_over_the_file() {
    let (_site, path) = config("listen = [\"127.0.0.1:0\"]\nkeep-alive = \"7s\"\nbacklog = 99\n");
    let checked =
        Launch::bare("default-server").flag("--config", &path).flag("--backlog", 77).switch("--check");
    let out = checked.end().out;
    let has = |key: &str, value: &str| out.lines().any(|line| line.contains(key) && line.contains(value));
    assert!(has("keep-alive", "7s") && has("backlog", "77") && !has("backlog", "99"), "{out}");
    let role = Launch::bare("default-server").flag("--config", &path).start();
    assert_eq!(get(role.address(), "/").status, 200);
}

#[test]
fn a_port_in_use_is_named_with_status_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for role in ["default-server", "reverse-proxy", "lb-threaded"] {
        let ended = Launch::bare(role).flag("--listen", address).end();
        expect_complaint(&ended, 1, &[&address.port().to_string()]);
        assert_eq!(ended.err.trim_end().lines().count(), 1, "{}", ended.err);
    }
}

#[test]
fn port_666_is_taken_or_the_way_out_is_named() {
    // Whether it is privileged is up to the machine: try what the program will try.
    match TcpListener::bind("127.0.0.1:666").map(drop) {
        Ok(()) => {
            let role = Launch::bare("lb-threaded").start();
            assert_eq!(role.address().port(), 666);
        }
        Err(_) => {
            let ended = Launch::bare("lb-threaded").end();
            expect_complaint(&ended, 1, &["666", "--listen 127.0.0.1:6660"]);
        }
    }
}

#[test]
fn one_line_for_each_listener() {
    let launch = Launch::bare("web-server").flag("--listen", "127.0.0.1:0").flag("--listen", "127.0.0.1:0");
    let role = launch.start();
    let second = role.process().out.wait_nth(1, |line| line.starts_with("listening on ")).unwrap();
    let second = second["listening on ".len()..].parse().unwrap();
    assert_ne!(role.address(), second);
    for address in [role.address(), second] {
        assert_eq!(get(address, "/").status, 200);
    }
    assert_eq!(role.process().out.text().lines().count(), 2);
}

#[test]
fn a_log_file_that_cannot_be_is_an_error_at_start() {
    let site = Site::new();
    let path = site.path().join("tidak/ada.log").display().to_string();
    let launch = Launch::bare("default-server").flag("--listen", "127.0.0.1:0").flag("--log-file", &path);
    let ended = launch.end();
    assert!(matches!(ended.status, Some(1 | 2)), "{ended:?}");
    expect_complaint(&ended, ended.status.unwrap(), &[&path]);
}

#[test]
fn a_number_below_its_range_names_flag_value_and_range() {
    for (role, flag, value, range) in [
        ("default-server", "--workers", "-1", "1 to 4096"),
        ("default-server", "--drain", "-1s", "0s to 168h"),
        ("reverse-proxy", "--connections-max", "-7", "1 to 1048576"),
        ("lb-threaded", "--queue", "-0", "1 to 1000000"),
        ("lb-async", "--loops", "-99", "1 to 1024"),
        ("lb-async", "--max-per-backend", "-1", "0 to 1048576"),
        ("suite", "--port-base", "-1", "0 to 65520"),
    ] {
        let ended = Launch::bare(role).flag(flag, value).end();
        expect_complaint(&ended, 2, &[&format!("{flag}: {value} is out of range: {range}")]);
        let (_site, path) = config(&format!("{} = \"{value}\"\n", flag.trim_start_matches('-')));
        let ended = Launch::bare(role).flag("--config", &path).end();
        let words = format!("line 1: {}: {value} is out of range: {range}", flag.trim_start_matches('-'));
        expect_complaint(&ended, 2, &[&words]);
    }
}

/// A folder with a FIFO, a socket and a link to the device that is always full.
fn special_files() -> (Site, std::os::unix::net::UnixListener) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let site = Site::new();
    mknodat(CWD, site.path().join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(site.path().join("socket")).unwrap();
    (site, socket)
}

#[test]
fn a_log_file_that_is_no_file_is_an_error_at_once() {
    let (site, _socket) = special_files();
    for role in ["default-server", "lb-async", "suite"] {
        for (name, words) in [("fifo", "a pipe that nobody reads"), ("socket", "a socket"), (".", "a folder")]
        {
            let path = site.path().join(name).display().to_string();
            let ended = Launch::bare(role).flag("--log-file", &path).end();
            expect_complaint(&ended, 2, &["--log-file: ", &path, words]);
        }
    }
    let folder = Launch::bare("default-server").flag("--log-file", site.path().display()).switch("--check");
    expect_complaint(&folder.end(), 2, &["--log-file: ", "a folder"]);
}

#[test]
fn a_log_file_may_be_a_pipe_with_a_reader() {
    let (site, _socket) = special_files();
    let path = site.path().join("fifo");
    // Both ends: it opens at once, and keeps the pipe alive for the program.
    let reader = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let role = Launch::web_server(Model::Threaded).flag("--log-file", path.display()).start();
    assert_eq!(get(role.address(), "/").status, 200);
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(reader)).map_while(Result::ok);
    assert!(lines.any(|line| line.contains("connection from 127.0.0.1:")));
}

#[test]
fn a_log_file_without_room_ends_nothing() {
    let mut role = Launch::web_server(Model::Async).flag("--log-file", "/dev/full").start();
    assert_eq!(get(role.address(), "/").status, 200);
    role.wait_for_log("the log cannot be written");
    assert_eq!(get(role.address(), "/").status, 200);
    assert!(role.terminate().success());
}

#[test]
fn a_configuration_that_is_an_empty_pipe_is_an_error() {
    let (site, _socket) = special_files();
    for (name, words) in [("fifo", "nothing is in it"), ("socket", "a socket")] {
        let path = site.path().join(name).display().to_string();
        expect_complaint(&Launch::bare("lb-async").flag("--config", &path).end(), 2, &[&path, words]);
    }
    let path = site.path().join("fifo");
    let process = Launch::bare("lb-async").flag("--config", path.display()).process();
    // Waits until the program has opened its end.
    std::fs::write(&path, "backlog = \"-1\"\n").unwrap();
    let said = process.err.wait_nth(0, |line| line.contains("backlog: -1 is out of range"));
    assert!(said.is_some(), "{}", process.err.text());
}

#[test]
fn a_log_file_gets_the_log() {
    let site = Site::new();
    let path = site.path().join("log.txt");
    let launch = Launch::web_server(Model::Threaded).flag("--log-file", path.display());
    let mut role = launch.start();
    assert_eq!(get(role.address(), "/").status, 200);
    assert!(role.terminate().success());
    let log = std::fs::read_to_string(path).unwrap();
    assert!(log.contains("connection from 127.0.0.1:"), "{log:?}");
}

/// Starts a balancer with this log format, sends one request from a known port, and returns both ports' words.
fn logged(model: Model, format: &str, expected: impl Fn(u16, u16) -> [String; 2]) {
    let backend = Backend::saying("satu");
    let role = Launch::balancer(model, "tcp", [backend.address()]).flag("--log-format", format).start();
    let mut client = Client::connect(role.address());
    client.get("/");
    let from = client.wire().stream().local_addr().unwrap().port();
    for text in expected(from, backend.address().port()) {
        role.wait_for_log(&text);
    }
    assert!(!role.log().contains('\u{1b}'), "colour without a terminal: {}", role.log());
    if format == "json" {
        for line in role.log().lines() {
            assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
        }
    }
}

fn connections_are_logged_as_text(model: Model) {
    logged(model, "text", |from, to| {
        [format!("connection from 127.0.0.1:{from}"), format!("koneksi diteruskan ke 127.0.0.1:{to}")]
    });
}

fn connections_are_logged_as_the_course_did(model: Model) {
    logged(model, "seed", |from, to| {
        let client = format!("('127.0.0.1', {from})");
        let forwarded = match model {
            Model::Threaded => String::from("koneksi"),
            Model::Async => format!("koneksi dari {client}"),
        };
        [
            format!("WARNING:root:connection from {client}"),
            format!("WARNING:root:{forwarded} diteruskan ke ('127.0.0.1', {to})"),
        ]
    });
}

fn connections_are_logged_as_json(model: Model) {
    logged(model, "json", |from, to| [format!("127.0.0.1:{from}"), format!("127.0.0.1:{to}")]);
}

fn nothing_invisible_reaches_the_log(model: Model) {
    // What turns the direction of text, separates lines, has no width, controls a terminal (C1).
    const INVISIBLE: [char; 6] = ['\u{202e}', '\u{2028}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{9b}'];
    let backend = Backend::saying("satu");
    for format in ["text", "seed", "json"] {
        for launch in [Launch::web_server(model), Launch::reverse_proxy(model, backend.address())] {
            let mut role = launch.flag("--log", "debug").flag("--log-format", format).start();
            for invisible in INVISIBLE {
                // Whether such a request is answered or refused: it is logged.
                let mut client = Client::connect(role.address());
                client.send(format!("GET /a{invisible}b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
                client.rest();
            }
            role.terminate();
            let log = role.log();
            assert!(log.matches("GET /a").count() >= INVISIBLE.len(), "{log}");
            let forged = |found: &char| INVISIBLE.contains(found) || (found.is_control() && *found != '\n');
            assert_eq!(log.chars().find(forged), None, "{format}: {log:?}");
        }
    }
}
