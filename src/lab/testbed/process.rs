//! A started program with all its children: one process group, its outputs in files.
//!
//! Contract: nothing of the group outlives the [`Process`]. Its leader is not reaped before the group
//! has been killed, so the number of the group cannot belong to another group by then.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::contender::TestbedError;
use crate::lab::kernel::group_of;
use crate::lab::lang::{Lang, text};

/// Longest wait for a program to listen: Python on a busy machine takes a second.
pub(super) const START_MAX: Duration = Duration::from_secs(20);

/// Longest wait for a program to end by itself. Less than our own drain, as no clients are left.
const END_MAX: Duration = Duration::from_secs(2);

/// Time between two checks of what cannot be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A running program.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    child: Child,
    output: PathBuf,
    log: PathBuf,
    /// A second signal would end our roles at once, as a second Ctrl-C does.
    is_asked_to_end: bool,
}

impl Process {
    /// Starts `command` in a process group of its own, with nothing to read and its outputs in `folder`.
    ///
    /// Files and not pipes: a pipe that nobody reads stops the program that logs into it, and reading
    /// it would cost the lab time while it measures.
    pub(super) fn start(name: &str, mut command: Command, folder: &Path) -> Result<Process, TestbedError> {
        let output = folder.join(format!("{name}.out"));
        let log = folder.join(format!("{name}.log"));
        let child = File::create(&output).and_then(|out| {
            command.stdin(Stdio::null()).stdout(out).stderr(File::create(&log)?).process_group(0).spawn()
        });
        match child {
            Ok(child) => Ok(Process { name: name.to_owned(), child, output, log, is_asked_to_end: false }),
            Err(error) => {
                let program = format!("{name} ({})", command.get_program().to_string_lossy());
                Err(TestbedError::cannot_start(&program, &error))
            }
        }
    }

    /// The leader's process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process ids of the whole group, the leader's first.
    pub(super) fn ids(&self) -> Vec<u32> {
        let leader = self.id();
        let mut ids = vec![leader];
        // Without /proc (not Linux) the leader stands for the group.
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let others = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.extend(others.filter(|id| *id != leader && group_of(*id) == Some(leader)));
        ids
    }

    /// Waits until it prints where it listens.
    pub(super) fn wait_until_it_listens(&self) -> Result<SocketAddr, TestbedError> {
        self.wait(&text!(Lang::of_errors(), "error-to-listen"), || {
            let output = fs::read_to_string(&self.output).ok()?;
            // A line is whole when its end is there.
            let (lines, _) = output.rsplit_once('\n')?;
            lines.lines().find_map(|line| line.strip_prefix("listening on ")?.parse().ok())
        })
    }

    /// Waits until `look` finds something, as long as the program runs and [`START_MAX`] lasts.
    pub(super) fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, TestbedError> {
        let deadline = Instant::now() + START_MAX;
        loop {
            let found = look();
            // Checked afterwards: if this program has ended, another may have responded.
            if self.has_ended() {
                return Err(self.failed(text!(Lang::of_errors(), "error-ended", name = &self.name, what)));
            }
            if let Some(found) = found {
                return Ok(found);
            }
            if Instant::now() > deadline {
                let seconds = START_MAX.as_secs();
                return Err(self.failed(text!(
                    Lang::of_errors(),
                    "error-late",
                    name = &self.name,
                    what,
                    seconds
                )));
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// True once it has ended by itself or by a signal.
    pub(super) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error means that there is nothing to wait for, which is an end too.
        !matches!(waitid(WaitId::Pid(self.group()), options), Ok(None))
    }

    /// Asks the group to end and does not wait for it.
    pub(super) fn ask_to_end(&mut self) {
        if !self.is_asked_to_end {
            self.is_asked_to_end = true;
            let _ = kill_process_group(self.group(), Signal::TERM); // it may be gone already
        }
    }

    /// Kills the group without asking, as a crash would.
    pub(super) fn kill(self) {
        let _ = kill_process_group(self.group(), Signal::KILL);
    }

    /// An error with the last lines that the program printed.
    fn failed(&self, what: String) -> TestbedError {
        let said = [&self.output, &self.log].map(|path| fs::read(path).unwrap_or_default()).concat();
        let said = String::from_utf8_lossy(&said[said.len().saturating_sub(1000)..]).trim().to_owned();
        let said = match said.is_empty() {
            true => text!(Lang::of_errors(), "error-printed-nothing"),
            false => format!("{}:\n{said}", text!(Lang::of_errors(), "error-printed")),
        };
        TestbedError::Failed(format!("{what}; {said}"))
    }

    fn group(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.ask_to_end();
        let deadline = Instant::now() + END_MAX;
        while !self.has_ended() && Instant::now() < deadline {
            thread::sleep(LOOK_AGAIN);
        }
        let _ = kill_process_group(self.group(), Signal::KILL); // children that are left, if any
        let _ = self.child.wait();
    }
}
