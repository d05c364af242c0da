//! Figures of this process as the system has them: processor time, memory, open files.
//!
//! Contract: a figure that the system does not tell is `None`. Memory and open files are Linux's `/proc`.

use std::time::Duration;

/// Figures of this process at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessFigures {
    /// Processor time of all threads, user and system.
    pub(crate) cpu: Option<Duration>,
    /// Memory that is in RAM, bytes.
    pub(crate) resident_bytes: Option<u64>,
    /// Files and sockets that are open.
    pub(crate) open_files: Option<u64>,
    /// How many may be (`ulimit -n`).
    pub(crate) open_files_max: Option<u64>,
}

impl ProcessFigures {
    /// As they are now.
    pub(crate) fn read() -> ProcessFigures {
        ProcessFigures {
            cpu: cpu(),
            resident_bytes: resident_bytes(),
            open_files: open_files(),
            open_files_max: open_files_max(),
        }
    }
}

#[cfg(unix)]
fn cpu() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(unix)]
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(unix)]
fn open_files() -> Option<u64> {
    // One of them is the folder itself, open while it is read.
    let files = std::fs::read_dir("/proc/self/fd").ok()?;
    Some((files.count() as u64).saturating_sub(1))
}

#[cfg(unix)]
fn open_files_max() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn cpu() -> Option<Duration> {
    None
}

#[cfg(not(unix))]
fn resident_bytes() -> Option<u64> {
    None
}

#[cfg(not(unix))]
fn open_files() -> Option<u64> {
    None
}

#[cfg(not(unix))]
fn open_files_max() -> Option<u64> {
    None
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_all_of_them() {
        let before = ProcessFigures::read();
        let _file = std::fs::File::open("/proc/self/stat").unwrap();
        assert!(before.cpu.unwrap() > Duration::ZERO);
        assert!(before.resident_bytes.unwrap() > 100_000);
        assert!((3..before.open_files_max.unwrap()).contains(&before.open_files.unwrap()));
    }
}
