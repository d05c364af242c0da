//! A lab that is stopped in the middle: by Ctrl-C, or so that it can do nothing about it any more.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;

use crate::support::WAIT_MAX;
use crate::support::needs::{PYTHON, lacks};
use crate::support::process::Process;

/// A grid of a few runs that are over quickly; the seed makes its order the same each time.
const FLAGS: [&str; 10] =
    ["--backends", "1,2", "--concurrency", "2", "--requests", "300", "--repeat", "3", "--seed", "7"];

fn start(folder: &Path) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(FLAGS).args(["--peer", "python", "--allow-debug", "--out"]).arg(folder);
    // What a killed lab leaves in its temporary folder goes with the test's.
    command.env("TMPDIR", folder);
    Process::start(&mut command).unwrap()
}

/// Processes that are neither gone nor waiting to be reaped, with their parents.
fn alive() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent = |id: u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (_, behind_name) = stat.rsplit_once(") ")?;
        let mut fields = behind_name.split(' ');
        let is_running = !matches!(fields.next()?, "Z" | "X");
        Some((id, fields.next()?.parse().ok()?)).filter(|_| is_running)
    };
    ids.filter_map(parent).collect()
}

/// A process and all that descend from it.
fn family(leader: u32) -> BTreeSet<u32> {
    let alive = alive();
    let mut family = BTreeSet::from([leader]);
    loop {
        let before = family.len();
        family.extend(
            alive.iter().filter(|(_, parent)| family.contains(parent)).map(|(id, _)| *id).collect::<Vec<_>>(),
        );
        if family.len() == before {
            return family;
        }
    }
}

fn expect_gone(family: &BTreeSet<u32>) {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        let left: Vec<u32> = alive().into_iter().map(|(id, _)| id).filter(|id| family.contains(id)).collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "still running: {left:?}");
        std::thread::yield_now();
    }
}

/// Stops a lab in its third run and expects the next one to go on from the second.
fn stop_and_go_on(signal: Signal) {
    if lacks(&[PYTHON]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut lab = start(folder.path());
    lab.err.wait_nth(0, |line| line.starts_with("3 / 24 ")).unwrap();
    // The run that is announced starts its programs now: at least one of them is to be seen.
    let deadline = Instant::now() + WAIT_MAX;
    let mut family = family(lab.id());
    while family.len() < 2 {
        assert!(Instant::now() < deadline, "the lab started nothing");
        family = self::family(lab.id());
    }
    lab.signal(signal);
    lab.wait(WAIT_MAX).unwrap();
    expect_gone(&family);

    let saved = fs::read_to_string(folder.path().join("runs.jsonl")).unwrap();
    let whole = saved.lines().filter(|line| line.starts_with("{\"contender\"")).count();
    assert!(whole >= 2, "{saved}");

    let mut lab = start(folder.path());
    let status = lab.wait(WAIT_MAX * 6).unwrap();
    let said = lab.err.text();
    assert!(status.success(), "{said}");
    assert!(said.contains(&format!("Going on after {whole} saved runs")), "{said}");
    assert!(said.contains(&format!("{0} / {0} ", 24 - whole)), "{said}");
    let csv = fs::read_to_string(folder.path().join("results.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 24);
    assert!(!folder.path().join("runs.jsonl").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_lab_leaves_nothing_running_and_goes_on() {
    stop_and_go_on(Signal::KILL);
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_lab_leaves_nothing_running_and_goes_on() {
    stop_and_go_on(Signal::INT);
}
