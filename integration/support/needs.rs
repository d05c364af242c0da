//! Programs nobody here wrote (curl, ab, nc, chromium, python3, ...), and what becomes of a test where one
//! is missing: the test is skipped and says so, or fails if `CI=true` promises that all are installed.
//!
//! libtest cannot skip a test that runs already: the test returns early and counts as passed. So that
//! nobody takes it for passed, a skip is a line on standard error, which is written to the handle itself
//! because libtest captures `eprintln!`; and a line of the run's list, which `skipped.rs`, the last test
//! target of `cargo test`, counts.
#![allow(dead_code, reason = "three test targets include this file, and each uses a part of it")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::parent_id;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program that tests use.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Program {
    /// How it is called.
    pub(crate) name: &'static str,
    /// The Debian packages that bring it.
    pub(crate) packages: &'static str,
    /// A word that its help must hold, because other programs have the same name.
    has_flag: Option<&'static str>,
}

impl Program {
    const fn new(name: &'static str, packages: &'static str) -> Program {
        Program { name, packages, has_flag: None }
    }

    /// The begin of a command. A test must have asked for the program before: one that did not would
    /// fail on a machine without it, and nobody would notice on a machine that has it.
    pub(crate) fn command(&self) -> Command {
        let asked = ASKED.with_borrow(|asked| asked.contains(self.name));
        assert!(asked, "the test begins with `if lacks(&[..]) {{ return; }}` for {}", self.name);
        Command::new(self.name)
    }

    fn is_installed(&self) -> bool {
        let is_program = |path: PathBuf| {
            fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        };
        let found = env::var_os("PATH")
            .is_some_and(|path| env::split_paths(&path).any(|folder| is_program(folder.join(self.name))));
        found && self.has_flag.is_none_or(|flag| self.help().split_whitespace().any(|word| word == flag))
    }

    fn help(&self) -> String {
        let output = Command::new(self.name).arg("-h").stdin(Stdio::null()).output();
        let both = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
        String::from_utf8_lossy(&both).into_owned()
    }
}

/// Apache Bench.
pub(crate) const AB: Program = Program::new("ab", "apache2-utils");
/// Apache httpd, which the lab measures as a peer.
pub(crate) const APACHE: Program = Program::new("apache2", "apache2-bin");
/// The shell whose completions are tried.
pub(crate) const BASH: Program = Program::new("bash", "bash");
/// The browser.
pub(crate) const CHROMIUM: Program = Program::new("chromium", "chromium");
/// The client of the course's transcripts.
pub(crate) const CURL: Program = Program::new("curl", "curl");
/// The name server that back ends are found by.
pub(crate) const DNSMASQ: Program = Program::new("dnsmasq", "dnsmasq-base");
/// A shell that completes.
pub(crate) const FISH: Program = Program::new("fish", "fish");
/// What reads web servers' logs.
pub(crate) const GOACCESS: Program = Program::new("goaccess", "goaccess");
/// A peer of the lab.
pub(crate) const HAPROXY: Program = Program::new("haproxy", "haproxy");
/// What writes files of passwords.
pub(crate) const HTPASSWD: Program = Program::new("htpasswd", "apache2-utils");
/// What shows manual pages, and says what is wrong with one.
pub(crate) const MAN: Program = Program::new("man", "man-db");
/// The netcat that can end its sending half; the traditional one cannot.
pub(crate) const NC: Program = Program { has_flag: Some("-N"), ..Program::new("nc", "netcat-openbsd") };
/// A peer of the lab, with the module that balances bytes.
pub(crate) const NGINX: Program = Program::new("nginx", "nginx libnginx-mod-stream");
/// A client of TLS that shows what was agreed on, and asks for what it should not get.
pub(crate) const OPENSSL: Program = Program::new("openssl", "openssl");
/// What runs our counterparts of the course's programs.
pub(crate) const PYTHON: Program = Program::new("python3", "python3");
/// A shell that completes.
pub(crate) const ZSH: Program = Program::new("zsh", "zsh");

/// All of them.
pub(crate) const ALL: [Program; 16] = [
    AB, APACHE, BASH, CHROMIUM, CURL, DNSMASQ, FISH, GOACCESS, HAPROXY, HTPASSWD, MAN, NC, NGINX, OPENSSL,
    PYTHON, ZSH,
];

thread_local! {
    /// The programs that the test of this thread has asked for.
    static ASKED: RefCell<BTreeSet<&'static str>> = RefCell::default();
}

/// True if one of these programs is missing: the test then returns at once. It has been named as skipped.
#[track_caller]
pub(crate) fn lacks(programs: &[Program]) -> bool {
    ASKED.with_borrow_mut(|asked| asked.extend(programs.iter().map(|program| program.name)));
    let missing: Vec<Program> = programs.iter().filter(|program| !program.is_installed()).copied().collect();
    if !missing.is_empty() {
        skip(&missing);
    }
    !missing.is_empty()
}

/// Names the present test as skipped for want of these programs; the test returns behind it. Panics with
/// `CI=true` in the environment.
#[track_caller]
pub(crate) fn skip(missing: &[Program]) {
    let remedy = |packages: &str| {
        format!("Debian package{} {packages}", if packages.contains(' ') { "s" } else { "" })
    };
    let remedies: Vec<String> = missing.iter().map(|program| remedy(program.packages)).collect();
    skip_without(missing.iter().map(|program| program.name).zip(remedies.iter().map(String::as_str)));
}

/// The same for want of anything else: what is missing, each with what to do about it.
#[track_caller]
pub(crate) fn skip_without<'a>(missing: impl IntoIterator<Item = (&'a str, &'a str)>) {
    // libtest gives a test's thread the test's name, unless all tests run on the main thread.
    let thread = std::thread::current();
    let place = Location::caller();
    let named = thread.name().filter(|name| *name != "main").map(str::to_owned);
    let test = named.unwrap_or_else(|| format!("{}:{}", place.file(), place.line()));
    let what = Skip { test, missing: missing.into_iter().collect() };
    assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "with CI=true nothing may be missing: {what}");
    // One write each, so that the lines of tests at the same time do not mix. A list that cannot be
    // written to is a failure: it would be a skip that is not counted.
    io::stderr().write_all(format!("skipped: {what}\n").as_bytes()).unwrap();
    let list = list_of(parent_id());
    fs::create_dir_all(list.parent().unwrap()).unwrap();
    let mut list = OpenOptions::new().create(true).append(true).open(list).unwrap();
    list.write_all(what.line().as_bytes()).unwrap();
}

/// A test that was skipped, with what it lacks and what to do about it.
#[derive(Debug)]
struct Skip<'a> {
    test: String,
    missing: Vec<(&'a str, &'a str)>,
}

impl Skip<'_> {
    /// A line of the list.
    fn line(&self) -> String {
        let missing = self.missing.iter().map(|(name, remedy)| format!("\t{name}\t{remedy}"));
        format!("{}{}\n", self.test, missing.collect::<String>())
    }

    fn read(line: &str) -> Skip<'_> {
        let mut words = line.split('\t');
        let test = words.next().unwrap_or_default().to_owned();
        let missing = std::iter::from_fn(|| Some((words.next()?, words.next()?))).collect();
        Skip { test, missing }
    }
}

impl std::fmt::Display for Skip<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let missing = self.missing.iter().map(|(name, remedy)| format!("{name} ({remedy})"));
        write!(f, "{} needs {}", self.test, missing.collect::<Vec<_>>().join(" and "))
    }
}

/// The list of the run that this process started: `cargo test` is the parent of each of its test programs.
pub(crate) fn list_of(run: u32) -> PathBuf {
    // A number is used again, a number with the time of its start is not.
    let stat = fs::read_to_string(format!("/proc/{run}/stat")).unwrap_or_default();
    let (_, behind_name) = stat.rsplit_once(')').unwrap_or_default();
    let started = behind_name.split_whitespace().nth(19).unwrap_or("0");
    lists().join(format!("{run}-{started}"))
}

/// The folder of the lists, beside the programs of this build: `target/debug/skipped-tests`.
fn lists() -> PathBuf {
    let program = env::current_exe().unwrap();
    program.ancestors().nth(2).unwrap_or(Path::new("/")).join("skipped-tests")
}

/// What the list of a run comes to; the list is gone afterwards, and so are those of runs that have ended
/// without this.
pub(crate) fn take_summary(run: u32) -> String {
    let list = list_of(run);
    let summary = summary(&fs::read_to_string(&list).unwrap_or_default());
    for entry in fs::read_dir(lists()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let of: Option<u32> = name.to_str().and_then(|name| name.split_once('-')?.0.parse().ok());
        if entry.path() == list || of.is_some_and(|run| list_of(run) != entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
    summary
}

fn summary(list: &str) -> String {
    let skips: Vec<Skip<'_>> = list.lines().map(Skip::read).collect();
    if skips.is_empty() {
        return "no test was skipped\n".to_owned();
    }
    let mut counts = BTreeMap::new();
    for missing in skips.iter().flat_map(|skip| &skip.missing) {
        *counts.entry(*missing).or_insert(0_usize) += 1;
    }
    let (subject, are) = if skips.len() == 1 { ("test", "was") } else { ("tests", "were") };
    let mut text = format!("{} {subject} {are} SKIPPED (named above), for want of:\n", skips.len());
    for ((name, remedy), count) in counts {
        let _ = writeln!(text, "{count:5}  {name} ({remedy})");
    }
    text + "With CI=true in the environment they fail instead.\n"
}
