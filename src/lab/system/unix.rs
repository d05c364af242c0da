//! Linux, macOS and the BSDs. The contract is in [`super`].

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tempfile::TempDir;

use crate::lab::kernel::stat_field;
use crate::lab::terminal::say;

/// A process group: a program with all its children.
///
/// Its leader is not reaped before the group has been killed, so the number of the group cannot belong to
/// another group by then.
#[derive(Debug)]
pub(in crate::lab) struct Group(Child);

impl Group {
    /// Starts `command` as the leader of a group of its own, with nothing to read.
    pub(in crate::lab) fn start(command: &mut Command) -> io::Result<Group> {
        Ok(Group(command.stdin(Stdio::null()).process_group(0).spawn()?))
    }

    /// The leader's process id.
    pub(in crate::lab) fn id(&self) -> u32 {
        self.0.id()
    }

    /// The process ids of the whole group, the leader's first.
    pub(in crate::lab) fn ids(&self) -> Vec<u32> {
        let leader = self.id();
        let mut ids = vec![leader];
        // Without /proc (not Linux) the leader stands for the group.
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let others = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.extend(others.filter(|id| *id != leader && group_of(*id) == Some(leader)));
        ids
    }

    /// True once the leader has ended by itself or by a signal.
    pub(in crate::lab) fn has_ended(&mut self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error means that there is nothing to wait for, which is an end too.
        !matches!(waitid(WaitId::Pid(self.leader()), options), Ok(None))
    }

    /// Asks the group to end. A second time would end our roles at once, as a second Ctrl-C does.
    pub(in crate::lab) fn ask_to_end(&mut self) {
        let _ = kill_process_group(self.leader(), Signal::TERM); // it may be gone already
    }

    /// Kills the group without asking, as a crash would.
    pub(in crate::lab) fn kill(&mut self) {
        let _ = kill_process_group(self.leader(), Signal::KILL);
    }

    /// Waits for the end of the leader, after which the group cannot be asked any more.
    pub(in crate::lab) fn reap(&mut self) {
        let _ = self.0.wait();
    }

    fn leader(&self) -> Pid {
        Pid::from_child(&self.0)
    }
}

/// The process group of a process, on Linux.
fn group_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat_field(&stat, 5)?.try_into().ok()
}

/// Becomes a program: the lab's process id comes first, then the program and its arguments. Returns only if it
/// cannot be started, or if the lab has ended.
pub(in crate::lab) fn guard(argv: &[OsString]) -> ExitCode {
    let [lab, program, arguments @ ..] = argv else { return ExitCode::from(2) };
    end_with_the_lab();
    // The lab may have ended before the kernel was asked to tell of it.
    let parent = rustix::process::getppid().map(|parent| parent.as_raw_nonzero().to_string());
    if parent.as_deref() != lab.to_str() {
        return ExitCode::FAILURE;
    }
    let error = Command::new(program).args(arguments).exec();
    say(&format!("{}: {error}", program.to_string_lossy()));
    ExitCode::FAILURE
}

/// Asks the kernel for SIGTERM when the thread that started this process is gone; the request outlives
/// exec(2). SIGTERM and not SIGKILL, so that a peer's master process can end its workers.
#[cfg(target_os = "linux")]
fn end_with_the_lab() {
    use rustix::process::set_parent_process_death_signal;
    // If this fails, the lab still ends its programs unless it is killed.
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
}

/// Only Linux tells a child of its parent's death by this call.
#[cfg(not(target_os = "linux"))]
fn end_with_the_lab() {}

/// True if this process may do what only root may.
pub(in crate::lab) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Bytes of a page of memory, the unit of some of the kernel's counters.
pub(in crate::lab) fn page_bytes() -> Option<u64> {
    Some(rustix::param::page_size() as u64)
}

/// The soft limit on open files.
pub(in crate::lab) fn open_files() -> Option<String> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    Some(limit.current.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string()))
}

/// CPU time of the calling thread.
pub(in crate::lab) fn thread_cpu() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).ok()
}

/// The release of the system.
pub(in crate::lab) fn release() -> Option<String> {
    Some(rustix::system::uname().release().to_string_lossy().into_owned())
}

/// The Python interpreter's usual name.
pub(in crate::lab) const PYTHON: &str = "python3";

/// A temporary folder that only this user may open.
pub(in crate::lab) fn private_folder(prefix: &str) -> io::Result<TempDir> {
    let private = Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix(prefix).permissions(private).tempdir()
}
