//! The rooms of `src/`: which there are, what each may use, and what some may not name at all.
//!
//! Contract: these rules read the sources and nothing else. Code under `#[cfg(test)]` is exempt from
//! all of them: a test may build what it needs from any room. A rule that is broken is reported with
//! its file and line; an exception that nothing needs any more is reported too.

mod source;
mod tests;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use source::Source;
use tree::{Target, Tree, circle, room};

/// Each room with the rooms that it may use. A room uses only rooms above it.
const ROOMS: [(&str, &[&str]); 9] = [
    ("balance", &[]),
    ("protocol", &["balance"]),
    ("net", &["balance", "protocol"]),
    ("site", &["protocol", "net"]),
    ("observe", &["balance", "protocol", "net"]),
    // The two drivers never use each other: what they share is in the rooms above.
    ("threaded", &["balance", "protocol", "net", "site", "observe"]),
    ("poll_loop", &["balance", "protocol", "net", "site", "observe"]),
    ("app", &["balance", "protocol", "net", "site", "observe", "threaded", "poll_loop"]),
    ("lab", &["balance", "protocol", "net", "site", "observe", "threaded", "poll_loop", "app"]),
];

/// The rooms that are given bytes, results and moments, and ask nobody for them.
const PURE_ROOMS: [&str; 2] = ["balance", "protocol"];

/// What a pure room does not name: crates that reach the system or the command line, and what of the
/// standard library does.
const IMPURE: [&[&str]; 13] = [
    &["clap"],
    &["mio"],
    &["rustix"],
    &["signal_hook"],
    &["socket2"],
    &["std", "env"],
    &["std", "fs"],
    &["std", "net", "TcpListener"],
    &["std", "net", "TcpStream"],
    &["std", "net", "UdpSocket"],
    &["std", "os"],
    &["std", "process"],
    &["std", "thread", "sleep"],
];

/// Functions that read a clock, whichever way the type was imported.
const CLOCKS: [[&str; 2]; 4] = [["Instant", "now"], ["SystemTime", "now"], ["Utc", "now"], ["Local", "now"]];

/// Crates by which one room, `net`, reaches the operating system.
const SYSTEM_CRATES: [&str; 7] = ["libc", "listenfd", "nix", "rustix", "sd_notify", "signal_hook", "socket2"];
const SYSTEM_ROOM: &str = "net";

/// Who else may reach it, how, and why: a room, or a file below `src/`.
const SYSTEM_EXCEPTIONS: [(&str, &str, &str); 5] = [
    (
        "lab/system/unix.rs",
        "rustix",
        "the lab starts, ends and measures processes, which no part of a role does",
    ),
    ("lab/system/unix.rs", "target_os", "only Linux tells a child of its parent's death"),
    ("lab/system/mod.rs", "target_os", "only there does a Debian package help whoever lacks a program"),
    ("lab/system/mod.rs", "unix", "one of the two files with what the lab needs of the system"),
    ("lab/system/mod.rs", "windows", "the other one"),
];

/// A rule that is broken.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Violation {
    file: String,
    line: usize,
    rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}:{}: {}", self.file, self.line, self.rule)
    }
}

/// Collects violations: each rule once a file, at its first line.
#[derive(Default)]
struct Report {
    first: BTreeMap<(String, String), usize>,
    exceptions_used: BTreeSet<usize>,
}

impl Report {
    fn add(&mut self, file: &str, line: usize, rule: String) {
        let first = self.first.entry((file.to_owned(), rule)).or_insert(line);
        *first = line.min(*first);
    }

    fn add_system(&mut self, file: &str, line: usize, name: &str) {
        let exception = SYSTEM_EXCEPTIONS
            .iter()
            .position(|(place, allowed, _)| [file, room(file)].contains(place) && *allowed == name);
        match exception {
            Some(index) => {
                self.exceptions_used.insert(index);
            }
            None => self.add(file, line, format!("only {SYSTEM_ROOM} may name {name}")),
        }
    }

    fn violations(self) -> Vec<Violation> {
        let violations = self.first.into_iter();
        violations.map(|((file, rule), line)| Violation { file, line, rule }).collect()
    }
}

/// All that is wrong with a crate of these files, and the system exceptions that it needs.
fn check(tree: &Tree) -> (Vec<Violation>, BTreeSet<usize>) {
    let mut report = Report::default();
    let mut edges: BTreeMap<(String, String), usize> = BTreeMap::new();
    for source in tree.sources() {
        for (line, hidden) in &source.hidden {
            report.add(
                &source.file,
                *line,
                format!("{hidden} hides a module from whoever lists the folders"),
            );
        }
        for (line, system) in &source.systems {
            if room(&source.file) != SYSTEM_ROOM {
                report.add_system(&source.file, *line, system);
            }
        }
        check_methods(source, &mut report);
        for mention in &source.mentions {
            match tree.resolve(&mention.module, &mention.path) {
                Target::Inside { file } => {
                    check_layers(source, mention.line, &mention.path, &file, &mut report);
                    edges.entry((source.file.clone(), file)).or_insert(mention.line);
                }
                Target::Outside(path) => check_outside(source, mention.line, &path, &mut report),
            }
        }
    }
    check_circles(&edges, &mut report);
    let exceptions_used = report.exceptions_used.clone();
    (report.violations(), exceptions_used)
}

fn check_methods(source: &Source, report: &mut Report) {
    if !PURE_ROOMS.contains(&room(&source.file)) {
        return;
    }
    for (line, method) in &source.methods {
        if method == "elapsed" {
            report.add(&source.file, *line, format!("{} may not read a clock (elapsed)", room(&source.file)));
        }
    }
}

/// `path` leads to the file `to`: the room it names and the room it arrives at must both be allowed.
fn check_layers(source: &Source, line: usize, path: &[String], to: &str, report: &mut Report) {
    let from = room(&source.file);
    if from.is_empty() {
        // `lib.rs` lists the rooms.
        return;
    }
    let allowed = ROOMS.iter().find(|(name, _)| *name == from).map_or(&[][..], |(_, allowed)| allowed);
    let named = match path {
        [first, second, ..] if first == "crate" && ROOMS.iter().any(|(name, _)| name == second) => second,
        _ => room(to),
    };
    for used in BTreeSet::from([named, room(to)]) {
        if used == from || allowed.contains(&used) {
            continue;
        }
        let path = path.join("::");
        let rule = match used {
            "" => format!("lib.rs is a map and owns nothing ({path})"),
            _ => format!("{from} may not use {used} ({path})"),
        };
        report.add(&source.file, line, rule);
    }
}

/// `path` leads out of the crate.
fn check_outside(source: &Source, line: usize, path: &[String], report: &mut Report) {
    let here = room(&source.file);
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    if PURE_ROOMS.contains(&here) {
        let reads_clock = CLOCKS.iter().any(|clock| path.windows(2).any(|pair| pair == clock));
        if reads_clock {
            report.add(&source.file, line, format!("{here} may not read a clock ({})", path.join("::")));
        }
        // A glob import of `std::net` would bring in what is forbidden of it.
        let known = path.strip_suffix(&["*"]).unwrap_or(&path);
        let is_glob = known.len() < path.len();
        for impure in IMPURE {
            if path.starts_with(impure) || (is_glob && impure.starts_with(known)) {
                report.add(&source.file, line, format!("{here} may not name {}", impure.join("::")));
            }
        }
    }
    if here != SYSTEM_ROOM && path.first().is_some_and(|name| SYSTEM_CRATES.contains(name)) {
        report.add_system(&source.file, line, path[0]);
    }
}

fn check_circles(edges: &BTreeMap<(String, String), usize>, report: &mut Report) {
    let files: BTreeSet<_> = edges.keys().filter(|(from, to)| from != to).cloned().collect();
    let rooms: BTreeSet<_> = files
        .iter()
        .map(|(from, to)| (room(from).to_owned(), room(to).to_owned()))
        .filter(|(from, to)| from != to)
        .collect();
    if let Some(circle) = circle(&rooms, |_, _| true) {
        let (edge, line) = edges
            .iter()
            .find(|((from, to), _)| room(from) == circle[0] && room(to) == circle[1])
            .expect("a room uses another because a file does");
        report.add(&edge.0, *line, format!("rooms use each other: {}", circle.join(" -> ")));
    }
    if let Some(circle) = circle(&files, |from, to| room(from) != room(to)) {
        let line = edges[&(circle[0].clone(), circle[1].clone())];
        report.add(
            &circle[0],
            line,
            format!("files of several rooms use each other: {}", circle.join(" -> ")),
        );
    }
}

fn sources_of_the_crate() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let names = path.strip_prefix(&root).unwrap().iter().map(|name| name.to_str().unwrap());
                let file = names.collect::<Vec<_>>().join("/");
                files.push((file, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

fn tree_of(files: &[(String, String)]) -> Tree {
    Tree::new(files.iter().map(|(file, text)| (file.as_str(), text.as_str())))
}

#[test]
fn src_is_the_nine_rooms_and_their_map() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let entries = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name());
    let there: BTreeSet<String> = entries.map(|name| name.into_string().unwrap()).collect();
    let mut wanted: BTreeSet<String> = ROOMS.iter().map(|(name, _)| (*name).to_owned()).collect();
    wanted.insert("lib.rs".to_owned());
    assert_eq!(there, wanted, "src/ is the map of the crate: lib.rs and a folder for each room");
    let files = sources_of_the_crate();
    let names: BTreeSet<&str> = files.iter().map(|(file, _)| file.as_str()).collect();
    for name in &names {
        let Some((folder, _)) = name.rsplit_once('/') else { continue };
        let owner = format!("{folder}/mod.rs");
        assert!(names.contains(owner.as_str()), "src/{folder}/ has no mod.rs that says what it owns");
    }
}

#[test]
fn each_room_uses_what_it_may() {
    let files = sources_of_the_crate();
    let (violations, _) = check(&tree_of(&files));
    let lines: Vec<String> = violations.iter().map(Violation::to_string).collect();
    assert!(lines.is_empty(), "{} broken:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn each_exception_is_needed() {
    let files = sources_of_the_crate();
    let (_, used) = check(&tree_of(&files));
    for (index, (place, name, reason)) in SYSTEM_EXCEPTIONS.iter().enumerate() {
        assert!(
            used.contains(&index),
            "src/{place} names {name} no more, \"{reason}\": remove the exception"
        );
    }
}
