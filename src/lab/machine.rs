//! The machine that was measured: what a reader must know before comparing two reports.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Where a report was made.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Machine {
    /// The processor's name.
    pub(super) cpu: String,
    /// Cores this process may use.
    pub(super) cores: usize,
    /// Name and release of the system.
    pub(super) kernel: String,
    /// The version of the suite.
    pub(super) version: String,
    /// The commit it was built from or is run in; empty if unknown.
    pub(super) commit: String,
    /// The upper limit of every backlog (`net.core.somaxconn`); empty if unknown.
    pub(super) somaxconn: String,
    /// The soft limit on open files.
    pub(super) open_files: String,
    /// The load average of the last minute at the start: what else was going on.
    pub(super) load: String,
    /// When, in UTC.
    pub(super) date: String,
    /// Figures of a debug build cannot be compared with others.
    pub(super) debug_build: bool,
}

impl Machine {
    /// This machine, now.
    pub(super) fn this() -> Machine {
        let line = |path| fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
        let cpu = line("/proc/cpuinfo");
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Machine {
            cpu: cpu.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: format!("{} {}", std::env::consts::OS, line("/proc/sys/kernel/osrelease")),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("GIT_COMMIT").map_or_else(commit, str::to_owned),
            somaxconn: line("/proc/sys/net/core/somaxconn"),
            open_files: open_files(),
            load: line("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            date: chrono::Utc::now().format("%Y-%m-%d %H:%M UTC").to_string(),
            debug_build: cfg!(debug_assertions),
        }
    }

    /// True if figures of the two may be put together: same processor, system and commit.
    pub(super) fn is_comparable(&self, other: &Machine) -> bool {
        let of = |machine: &Machine| {
            (machine.cpu.clone(), machine.kernel.clone(), machine.commit.clone(), machine.debug_build)
        };
        of(self) == of(other)
    }

    /// Names and values, as every report shows them.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        vec![
            ("CPU", self.cpu.clone()),
            ("cores", self.cores.to_string()),
            ("kernel", self.kernel.clone()),
            ("version", self.version.clone()),
            ("commit", self.commit.clone()),
            ("somaxconn", self.somaxconn.clone()),
            ("ulimit -n", self.open_files.clone()),
            ("load average", self.load.clone()),
            ("date", self.date.clone()),
        ]
    }
}

/// The commit of the working tree, with a `+` if it has changes; empty without git.
fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty=+", "--abbrev=12"]).output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    text.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default().trim().to_owned()
}

fn open_files() -> String {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_name_and_cores() {
        let machine = Machine::this();
        assert!(!machine.cpu.is_empty() && machine.cores > 0 && machine.debug_build);
        assert!(machine.rows().iter().any(|(name, _)| *name == "somaxconn"));
    }
}
