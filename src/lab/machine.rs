//! The machine that was measured: what a reader must know before comparing two reports.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::system::{self, IS_LINUX};
use super::table::DASH;

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
    /// The soft limit on open files; empty if there is none or it is unknown.
    pub(super) open_files: String,
    /// The load average of the last minute at the start: what else was going on; empty if unknown.
    pub(super) load: String,
    /// When, in UTC.
    pub(super) date: String,
    /// Figures of a debug build cannot be compared with others.
    pub(super) debug_build: bool,
}

impl Machine {
    /// This machine, now.
    pub(super) fn this() -> Machine {
        let line = |path| match IS_LINUX {
            true => fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default(),
            false => String::new(),
        };
        let cpu = line("/proc/cpuinfo");
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Machine {
            cpu: cpu.map_or_else(processor, |(_, name)| name.trim().to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: format!("{} {}", std::env::consts::OS, system::release().unwrap_or_default()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("GIT_COMMIT").map_or_else(commit, str::to_owned),
            somaxconn: line("/proc/sys/net/core/somaxconn"),
            open_files: system::open_files().unwrap_or_default(),
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

    /// Names and values, as every report shows them; what is not known is a dash.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        let shown = |value: &str| if value.is_empty() { DASH.to_owned() } else { value.to_owned() };
        vec![
            ("CPU", shown(&self.cpu)),
            ("cores", self.cores.to_string()),
            ("kernel", shown(&self.kernel)),
            ("version", shown(&self.version)),
            ("commit", shown(&self.commit)),
            ("somaxconn", shown(&self.somaxconn)),
            ("ulimit -n", shown(&self.open_files)),
            ("load average", shown(&self.load)),
            ("date", shown(&self.date)),
        ]
    }
}

/// The processor where no `/proc` names it: as Windows calls it, or its family.
fn processor() -> String {
    std::env::var("PROCESSOR_IDENTIFIER").unwrap_or_else(|_| std::env::consts::ARCH.to_owned())
}

/// The commit of the working tree, with a `+` if it has changes; empty without git.
fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty=+", "--abbrev=12"]).output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    text.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default().trim().to_owned()
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
