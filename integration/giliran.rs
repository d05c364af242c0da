//! `giliran`: each of its commands, away from the checkout, its completions, its manual and its help.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::backend::Backend;
use crate::support::client::{Client, get};
use crate::support::launch::{Ended, Launch};
use crate::support::needs::{BASH, FISH, MAN, ZSH, lacks};
use crate::support::process::Process;
use crate::support::role::Role;
use crate::support::site::Site;
use crate::support::{Model, WAIT_MAX, both};

both![
    serve_serves_a_folder_without_the_courses_pages,
    proxy_has_only_the_routes_that_are_given,
    balance_takes_back_ends_as_words,
    ctl_shows_and_drains_back_ends,
    a_copy_serves_anywhere,
];

const GILIRAN: &str = env!("CARGO_BIN_EXE_giliran");

/// `giliran` with these words, run to its end.
fn giliran(words: &[&str]) -> Ended {
    words.iter().fold(Launch::bare("giliran"), |launch, word| launch.switch(word)).end()
}

/// What it prints on standard output, with status 0.
fn printed(words: &[&str]) -> String {
    let ended = giliran(words);
    assert_eq!((ended.status, ended.err.as_str()), (Some(0), ""), "{words:?}: {ended:?}");
    ended.out
}

fn expect_complaint(words: &[&str], status: i32, complaint: &str) {
    let ended = giliran(words);
    assert_eq!((ended.status, ended.out.as_str()), (Some(status), ""), "{words:?}: {ended:?}");
    assert!(ended.err.starts_with("giliran") && ended.err.contains(complaint), "{words:?}: {ended:?}");
    assert_eq!(ended.err.trim_end().lines().count(), 1, "{words:?}: {}", ended.err);
}

fn serve_serves_a_folder_without_the_courses_pages(model: Model) {
    let site =
        Site::new().with("index.html", "rumah").with("docs/index.html", "dokumen").with("a.txt", "satu");
    let root = site.path().display().to_string();
    let role = Launch::giliran("serve", model).switch(&root).start();
    for (path, body) in [("/", "rumah"), ("/docs/", "dokumen"), ("/a.txt", "satu")] {
        let response = get(role.address(), path);
        assert_eq!((response.status, response.text()), (200, body), "{path}");
    }
    for (method, path, status) in [("GET", "/video", 404), ("GET", "/santai", 404), ("POST", "/", 405)] {
        let mut client = Client::connect(role.address());
        assert_eq!(client.ask(method, path, "Content-Length: 0\r\n").status, status, "{method} {path}");
    }
    // The same folder by its flag, and a flag of a site.
    let role = Launch::giliran("serve", model).flag("--root", &root).switch("--listing").start();
    assert_eq!(get(role.address(), "/docs/").text(), "dokumen");
}

#[test]
fn a_folder_as_a_word_is_a_key_of_the_configuration() {
    let site = Site::new()
        .with("a/index.html", "a")
        .with("b/index.html", "b")
        .with("giliran.toml", "root = \"a\"\n");
    let file = site.path().join("giliran.toml").display().to_string();
    let folder = site.path().join("b").display().to_string();
    let shown = printed(&["serve", &folder, "--config", &file, "--check"]);
    assert!(shown.contains(&format!("root = \"{folder}\"\n")), "{shown}");
    let again = Site::new().with("shown.toml", &shown);
    let file = again.path().join("shown.toml").display().to_string();
    assert_eq!(printed(&["serve", "--config", &file, "--check"]), shown);
    expect_complaint(&["serve", &folder, "--root", "x"], 2, "DIR and --root exclude each other");
    expect_complaint(&["serve", "/tidak/ada"], 2, "--root /tidak/ada: ");
    for flag in ["--mirror", "--no-course-pages"] {
        expect_complaint(&["serve", flag], 2, &format!("{flag} is unknown here"));
    }
}

fn proxy_has_only_the_routes_that_are_given(model: Model) {
    let backend = Backend::saying("api");
    let route = format!("/api/={}", backend.address());
    let role =
        Launch::giliran("proxy", model).flag("--route", &route).flag("--health-interval", "off").start();
    assert_eq!(get(role.address(), "/api/x").text(), "api");
    let response = get(role.address(), "/images/x");
    assert_eq!((response.status, response.text().trim_end()), (404, "No route is for this host and path."));
    let role = Launch::giliran("proxy", model)
        .flag("--default", backend.address())
        .flag("--health-interval", "off")
        .start();
    assert_eq!(get(role.address(), "/images/x").text(), "api");
}

#[test]
fn without_routes_or_back_ends_there_is_nothing_to_do() {
    expect_complaint(&["proxy"], 2, "no route is given");
    expect_complaint(&["proxy", "--check"], 2, "--default 127.0.0.1:3000");
    expect_complaint(&["balance"], 2, "no back end is given");
    expect_complaint(&["balance", "--backends", "2"], 2, "--backends is unknown here");
    expect_complaint(&["balance", "127.0.0.1:1", "--backend", "127.0.0.1:2"], 2, "exclude each other");
    expect_complaint(&["balance", "here"], 2, "\"here\" is not an address");
}

fn balance_takes_back_ends_as_words(model: Model) {
    for mode in ["tcp", "http"] {
        let backends = Backend::pair(["satu", "dua"]);
        let words = backends.each_ref().map(|backend| backend.address().to_string());
        let launch = Launch::giliran("balance", model).flag("--mode", mode).flag("--health-interval", "off");
        let role = launch.switch(&words[0]).switch(&words[1]).start();
        let mut said: Vec<String> = (0..4).map(|_| get(role.address(), "/").text().to_owned()).collect();
        said.sort();
        assert_eq!(said, ["dua", "dua", "satu", "satu"], "{mode}");
    }
}

#[test]
fn back_ends_as_words_are_a_key_of_the_configuration() {
    let shown = printed(&["balance", "127.0.0.1:3000", "127.0.0.1:3001 weight=2", "--check"]);
    assert!(shown.contains("backend = [\"127.0.0.1:3000\", \"127.0.0.1:3001 weight=2\"]\n"), "{shown}");
    let site = Site::new().with("shown.toml", &shown);
    let file = site.path().join("shown.toml").display().to_string();
    assert_eq!(printed(&["balance", "--config", &file, "--check"]), shown);
    let other = printed(&["balance", "127.0.0.1:3009", "--config", &file, "--check"]);
    assert!(other.contains("backend = [\"127.0.0.1:3009\"]\n"), "{other}");
}

fn ctl_shows_and_drains_back_ends(model: Model) {
    let backends = Backend::pair(["satu", "dua"]);
    let [first, second] = backends.each_ref().map(|backend| backend.address().to_string());
    let secrets = Site::new().with("token", "s3cret\n").with("other", "wrong\n");
    let secret = |name: &str| secrets.path().join(name).display().to_string();
    let (token, other) = (secret("token"), secret("other"));
    let role = Launch::giliran("balance", model)
        .flag("--mode", "http")
        .flag("--health-interval", "off")
        .flag("--status", "127.0.0.1:0")
        .flag("--status-token", &token)
        .switch(&first)
        .switch(&second)
        .start();
    let page = role.status_page().to_string();
    let ctl = |words: &[&str]| printed(&[&["ctl", "--status", &page], words].concat());

    let status = ctl(&["status"]);
    let kind = if model == Model::Async { "async" } else { "threaded" };
    assert!(
        status.starts_with("ready; process ") && status.contains(&format!("balance  {kind}")),
        "{status}"
    );
    assert!(status.contains(&role.address().to_string()), "{status}");
    let state_of = |address: &str| {
        let shown = ctl(&["backends"]);
        let line = shown.lines().find(|line| line.contains(address));
        line.unwrap_or_else(|| panic!("{shown}")).split_whitespace().nth(3).unwrap().to_owned()
    };
    assert_eq!([state_of(&first), state_of(&second)], ["up", "up"]);

    // Nothing without the token, or with another one.
    let drain = ["ctl", "drain", "balance", &first, "--status", &page];
    expect_complaint(&drain, 1, "status 401");
    expect_complaint(&[&drain[..], &["--status-token", &other]].concat(), 1, "status 401");
    assert_eq!(state_of(&first), "up");
    let done = printed(&[&drain[..], &["--status-token", &token]].concat());
    assert_eq!(done, format!("\"balance\" {first}: drain"));
    assert_ne!(state_of(&first), "up");
    for _ in 0..4 {
        assert_eq!(get(role.address(), "/").text(), "dua");
    }
    ctl(&["ready", "balance", &first, "--status-token", &token]);
    assert_eq!(state_of(&first), "up");
    expect_complaint(
        &["ctl", "down", "nobody", &first, "--status", &page, "--status-token", &token],
        1,
        "No role here has a group",
    );
}

#[test]
fn ctl_says_what_is_wrong() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    expect_complaint(
        &["ctl", "status", "--status", &nobody],
        1,
        &format!("http://{nobody}: connection refused"),
    );
    expect_complaint(&["ctl", "drian", "a", "127.0.0.1:1"], 2, "did you mean drain?");
    expect_complaint(&["ctl", "drain", "a", "here"], 2, "\"here\" is not the address of a back end");
    expect_complaint(&["ctl", "status", "--status", "https://a"], 2, "is not the address of a status page");
    expect_complaint(&["ctl", "drain", "a", "127.0.0.1:1", "--status-token", "/tidak/ada"], 2, "/tidak/ada");
    // A server of something else, and what would change a terminal.
    let backend = Backend::saying("<html>");
    let page = backend.address().to_string();
    expect_complaint(&["ctl", "status", "--status", &page], 1, "is not the status of a role");
    let backend = Backend::answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 8\r\n\r\n\u{1b}[31mNo\n");
    let page = backend.address().to_string();
    let ended = giliran(&["ctl", "drain", "a", "127.0.0.1:1", "--status", &page]);
    assert!(ended.status == Some(1) && ended.err.contains("status 403"), "{ended:?}");
    assert!(!ended.err.contains('\u{1b}'), "{ended:?}");
    let role = Launch::giliran("serve", Model::Async).flag("--status", "127.0.0.1:0").start();
    let page = role.status_page().to_string();
    expect_complaint(&["ctl", "backends", "--status", &page], 1, "no role there has back ends");
}

#[test]
fn explain_reads_the_configuration_of_the_proxy() {
    let file = "[[route]]\nmatch = \"a.example/api/\"\nto = \"127.0.0.1:3000\"\n";
    let site = Site::new().with("giliran.toml", file);
    let file = site.path().join("giliran.toml").display().to_string();
    let request = ["GET", "http://a.example/api/x", "--config", &file];
    let text = printed(&[&["explain"], &request[..]].concat());
    assert!(text.contains("forwarded to 127.0.0.1:3000") && text.contains("a.example/api/"), "{text}");
    assert_eq!(printed(&[&["proxy", "explain"], &request[..]].concat()).lines().next(), text.lines().next());
    let text = printed(&["balance", "explain", "GET", "/", "--mode", "http", "127.0.0.1:3009"]);
    assert!(text.contains("127.0.0.1:3009"), "{text}");
    expect_complaint(&["explain", "GET"], 2, "missing: TARGET");
}

/// A copy of the program in a folder of its own, and a folder to start it in.
fn copy() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("giliran");
    fs::copy(GILIRAN, &copy).unwrap();
    fs::create_dir(folder.path().join("here")).unwrap();
    fs::create_dir(folder.path().join("tmp")).unwrap();
    (folder, copy)
}

/// The copy, with nothing of the checkout around it: another folder, no environment.
fn away(folder: &Path, copy: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(copy);
    command.args(words).current_dir(folder.join("here")).env_clear().env("TMPDIR", folder.join("tmp"));
    command
}

fn a_copy_serves_anywhere(model: Model) {
    let (folder, copy) = copy();
    fs::write(folder.path().join("here/index.html"), "di sini").unwrap();
    let model = if model == Model::Async { "async" } else { "threaded" };
    let mut command = away(folder.path(), &copy, &["serve", "--listen", "127.0.0.1:0", "--model", model]);
    let mut role = Role::reached(Process::start(&mut command).unwrap(), "giliran serve");
    assert_eq!(get(role.address(), "/").text(), "di sini");
    assert!(role.terminate().success());
}

#[test]
fn the_suite_carries_the_courses_site() {
    let (folder, copy) = copy();
    let tmp = folder.path().join("tmp");
    let words = ["suite", "--port-base", "0", "--backends", "2", "--drain", "1s", "--log", "warn"];
    let mut process = Process::start(&mut away(folder.path(), &copy, &words)).unwrap();
    assert!(process.out.wait_nth(0, |line| line.starts_with("ready")).is_some(), "{}", process.err.text());
    let table = process.out.text();
    let urls: Vec<&str> =
        table.lines().filter_map(|line| line.split_once("curl http://")).map(|(_, url)| url).collect();
    assert_eq!(urls.len(), 3 + 2 + 3, "{table}");
    for url in urls {
        let (address, path) = url.split_once('/').unwrap();
        let address: SocketAddr = address.parse().unwrap();
        let status = get(address, &format!("/{path}")).status;
        assert!((200..400).contains(&status), "{url}: {status}");
    }
    let server = table.lines().find(|line| line.starts_with("default-server")).unwrap();
    let address = server.split_whitespace().nth(2).unwrap().parse().unwrap();
    assert_eq!(get(address, "/testing.txt").body, crate::support::site::public_bytes("testing.txt"));
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 1, "the site is unpacked");
    process.signal(Signal::TERM);
    assert!(process.wait(WAIT_MAX).is_some_and(|status| status.success()), "{}", process.err.text());
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0, "the site is left behind");

    let nowhere =
        away(folder.path(), &copy, &["suite", "--check"]).env("TMPDIR", "/tidak/ada").output().unwrap();
    let said = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert!(nowhere.status.code() == Some(1) && said.contains("/tidak/ada"), "{said}");
}

#[test]
fn the_lab_starts_its_roles_from_the_same_program() {
    let (folder, copy) = copy();
    let words = [
        "lab",
        "--backends",
        "1",
        "--concurrency",
        "2",
        "--requests",
        "50",
        "--repeat",
        "1",
        "--allow-debug",
    ];
    let output = away(folder.path(), &copy, &words).output().unwrap();
    let text = said(&output);
    assert!(output.status.success() && text.contains("Load balancer: threaded"), "{text}");
    assert!(folder.path().join("here/lab-report/report.html").exists(), "{text}");
    let help = printed(&["lab", "--help"]);
    assert!(
        help.contains("Usage: giliran lab [OPTIONS]") && help.contains("\n  giliran lab lesson serial\n"),
        "{help}"
    );
    expect_complaint(&["lab", "lesson", "tidak"], 2, "giliran lab: ");
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn an_unknown_word_is_told_the_nearest() {
    expect_complaint(&["sevre"], 2, "sevre is unknown here; did you mean serve?");
    expect_complaint(&["--lisen"], 2, "--lisen is unknown here");
    expect_complaint(&["serve", "--lisen", "1"], 2, "did you mean --listen?");
    expect_complaint(&["completions", "csh"], 2, "\"csh\" is not one of bash, zsh, fish");
    let ended = giliran(&[]);
    assert!(ended.status == Some(2) && ended.err.contains("Usage: giliran <COMMAND>"), "{ended:?}");
}

#[test]
fn short_help_fits_a_screen_and_long_help_has_all() {
    /// Lines of a screen, and fewer than which nothing is explained.
    const SCREEN: std::ops::RangeInclusive<usize> = 20..=60;
    for command in ["serve", "proxy", "balance", "suite", "explain", "lab", "ctl"] {
        let (short, long) = (printed(&[command, "-h"]), printed(&[command, "--help"]));
        assert!(
            SCREEN.contains(&short.lines().count()),
            "{command}: {} lines\n{short}",
            short.lines().count()
        );
        assert!(short.lines().all(|line| line.chars().count() <= 100), "{short}");
        assert!(long.contains("Example") && long.contains(&format!("  giliran {command}")), "{long}");
        assert!(!long.contains('\u{1b}'), "colour without a terminal");
        assert!(long.lines().count() >= short.lines().count(), "{command}");
    }
    let (short, long) = (printed(&["serve", "-h"]), printed(&["serve", "--help"]));
    assert!(
        short.contains("--listing")
            && !short.contains("--stall-timeout")
            && short.contains("All flags: --help")
    );
    assert!(long.contains("--stall-timeout") && long.contains("SIGHUP reads the files"), "{long}");
    let top = printed(&["-h"]);
    for command in ["serve", "proxy", "balance", "suite", "lab", "explain", "ctl", "completions", "man"] {
        assert!(top.lines().any(|line| line.trim_start().starts_with(&format!("{command} "))), "{top}");
    }
    assert!(SCREEN.contains(&top.lines().count()), "{top}");
    assert_eq!(printed(&["--version"]).trim_end(), format!("giliran {}", env!("CARGO_PKG_VERSION")));
    assert_eq!(
        printed(&["serve", "--version"]).trim_end(),
        format!("giliran serve {}", env!("CARGO_PKG_VERSION"))
    );
}

/// The completions of a shell, in a file.
fn completions(shell: &str) -> (Site, String) {
    let site = Site::new().with("completions", printed(&["completions", shell]));
    let file = site.path().join("completions").display().to_string();
    (site, file)
}

#[test]
fn bash_completes_commands_flags_and_values() {
    if lacks(&[BASH]) {
        return;
    }
    let (_site, file) = completions("bash");
    let complete = |words: &[&str]| {
        let line = words.join(" ");
        let script = format!(
            "source {file}; COMP_WORDS=({line}{}); COMP_CWORD={}; complete -p giliran >&2; \
             _giliran giliran '{last}' '{before}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            if words.last() == Some(&"") { " ''" } else { "" },
            words.len() - 1,
            last = words[words.len() - 1],
            before = words[words.len() - 2],
        );
        let output = BASH.command().args(["--norc", "--noprofile", "-c", &script]).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["giliran", "ser"]), ["serve"]);
    assert_eq!(complete(&["giliran", "serve", "--clean"]), ["--clean-urls"]);
    assert_eq!(complete(&["giliran", "balance", "--model", "a"]), ["async"]);
    assert_eq!(complete(&["giliran", "ctl", "dra"]), ["drain"]);
    let all = complete(&["giliran", ""]);
    assert!(
        ["proxy", "balance", "suite", "lab", "man"].iter().all(|word| all.iter().any(|one| one == word)),
        "{all:?}"
    );
    assert!(all.iter().all(|word| word != "role" && word != "guard"), "{all:?}");
}

#[test]
fn fish_completes_commands_and_flags() {
    if lacks(&[FISH]) {
        return;
    }
    let (_site, file) = completions("fish");
    let complete = |line: &str| {
        let script = format!("source {file}; complete -C '{line}'");
        let home = tempfile::tempdir().unwrap();
        let output =
            FISH.command().args(["--no-config", "-c", &script]).env("HOME", home.path()).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(complete("giliran ser").starts_with("serve\t"), "{}", complete("giliran ser"));
    assert!(complete("giliran serve --clean").starts_with("--clean-urls\t"));
}

#[test]
fn zsh_takes_its_completions() {
    if lacks(&[ZSH]) {
        return;
    }
    let (_site, file) = completions("zsh");
    let script = format!("autoload -U compinit; compinit -D; source {file}; print $_comps[giliran]");
    let output = ZSH.command().args(["-f", "-c", &script]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), "_giliran");
}

#[test]
fn the_manual_has_a_page_for_each_command_and_no_warnings() {
    if lacks(&[MAN]) {
        return;
    }
    let site = Site::new();
    let folder = site.path().join("man1");
    assert_eq!(printed(&["man", folder.to_str().unwrap()]), "");
    let mut pages: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    let shown = |page: &Path| {
        let mut man = MAN.command();
        man.args(["--warnings", "-l"]).arg(page).env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8");
        let output = man.output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}: {}", page.display(), said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    for page in &pages {
        let name = page.file_stem().unwrap().to_str().unwrap();
        let text = shown(page);
        assert!(text.starts_with(&name.to_uppercase()) || name.len() > 24, "{text}");
        assert!(text.contains("NAME") && text.contains("SYNOPSIS"), "{text}");
    }
    for command in ["serve", "proxy", "balance", "suite", "lab", "explain", "ctl", "completions", "man"] {
        let page = folder.join(format!("giliran-{command}.1"));
        assert!(pages.contains(&page), "{command}");
    }
    // Also what `-h` leaves out is explained.
    let serve = shown(&folder.join("giliran-serve.1"));
    let stall = serve.split("--stall-timeout <TIME>").nth(1).unwrap();
    assert!(stall.lines().nth(1).unwrap().contains("Longest time without progress"), "{serve}");
    let program = shown(&folder.join("giliran.1"));
    assert!(!program.contains("giliran-help"), "a page that is not there: {program}");
    assert!(program.contains("giliran-serve(1)") && program.contains("giliran ctl drain"), "{program}");
    assert_eq!(printed(&["man"]), fs::read_to_string(folder.join("giliran.1")).unwrap().trim_end());
    expect_complaint(&["man", "/dev/null/man1"], 1, "/dev/null/man1");
}
