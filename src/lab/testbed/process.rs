//! A started program with all its children: one [`Group`], its outputs in files.
//!
//! Contract: nothing of the group outlives the [`Process`].

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::contender::TestbedError;
use crate::lab::lang::{Lang, text};
use crate::lab::system::Group;

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
    group: Group,
    output: PathBuf,
    log: PathBuf,
    /// Who is asked twice ends at once.
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
        let group = File::create(&output)
            .and_then(|out| Group::start(command.stdout(out).stderr(File::create(&log)?)));
        match group {
            Ok(group) => Ok(Process { name: name.to_owned(), group, output, log, is_asked_to_end: false }),
            Err(error) => {
                let program = format!("{name} ({})", command.get_program().to_string_lossy());
                Err(TestbedError::cannot_start(&program, &error))
            }
        }
    }

    /// The process ids of the whole group, the leader's first.
    pub(super) fn ids(&self) -> Vec<u32> {
        self.group.ids()
    }

    /// Waits until it prints where it listens.
    pub(super) fn wait_until_it_listens(&mut self) -> Result<SocketAddr, TestbedError> {
        let output = self.output.clone();
        self.wait(&text!(Lang::of_errors(), "error-to-listen"), || {
            let output = fs::read_to_string(&output).ok()?;
            // A line is whole when its end is there.
            let (lines, _) = output.rsplit_once('\n')?;
            lines.lines().find_map(|line| line.strip_prefix("listening on ")?.parse().ok())
        })
    }

    /// Waits until `look` finds something, as long as the program runs and [`START_MAX`] lasts.
    pub(super) fn wait<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<T, TestbedError> {
        let deadline = Instant::now() + START_MAX;
        loop {
            let found = look();
            // Checked afterwards: if this program has ended, another may have responded.
            if self.group.has_ended() {
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

    /// Asks the group to end and does not wait for it.
    pub(super) fn ask_to_end(&mut self) {
        if !self.is_asked_to_end {
            self.is_asked_to_end = true;
            self.group.ask_to_end();
        }
    }

    /// Kills the group without asking, as a crash would.
    pub(super) fn kill(mut self) {
        self.group.kill();
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
}

impl Drop for Process {
    fn drop(&mut self) {
        self.ask_to_end();
        let deadline = Instant::now() + END_MAX;
        while !self.group.has_ended() && Instant::now() < deadline {
            thread::sleep(LOOK_AGAIN);
        }
        self.group.kill(); // and its children that are left, if any
        self.group.reap();
    }
}
