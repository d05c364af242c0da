//! Counters of the kernel and of processes, read before and after a run.
//!
//! Contract: counters are differences over a run. Those of TCP are of the whole machine (Linux keeps
//! them for each network namespace), so they include other traffic; those of processes are of the
//! balancer or its back ends alone. On another system than Linux nothing is measured: `None`.

use std::fs;

use serde::{Deserialize, Serialize};

use super::system::{self, IS_LINUX};

/// Counters of the machine's TCP.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Kernel {
    /// Handshakes that found the accept queue of a listener full (`ListenOverflows`).
    pub(super) listen_overflows: u64,
    /// Handshakes given up by a listener for any reason, overflows included (`ListenDrops`).
    pub(super) listen_drops: u64,
    /// Segments sent again (`RetransSegs`), among them the SYNs that met a full queue.
    pub(super) retransmits: u64,
}

impl Kernel {
    /// The counters now; `None` on a system that has none.
    pub(super) fn now() -> Option<Kernel> {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        IS_LINUX.then(|| Kernel::parse(&text("/proc/net/netstat"), &text("/proc/net/snmp")))
    }

    fn parse(netstat: &str, snmp: &str) -> Kernel {
        Kernel {
            listen_overflows: table_value(netstat, "TcpExt:", "ListenOverflows"),
            listen_drops: table_value(netstat, "TcpExt:", "ListenDrops"),
            retransmits: table_value(snmp, "Tcp:", "RetransSegs"),
        }
    }

    /// What was counted since `before`.
    pub(super) fn since(&self, before: &Kernel) -> Kernel {
        Kernel {
            listen_overflows: self.listen_overflows.saturating_sub(before.listen_overflows),
            listen_drops: self.listen_drops.saturating_sub(before.listen_drops),
            retransmits: self.retransmits.saturating_sub(before.retransmits),
        }
    }
}

/// These files have pairs of lines with the same first word: names, then numbers.
fn table_value(text: &str, row: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter(|line| line.split(' ').next() == Some(row));
    let (Some(names), Some(numbers)) = (lines.next(), lines.next()) else { return 0 };
    let mut pairs = names.split_whitespace().zip(numbers.split_whitespace());
    pairs.find(|(found, _)| *found == name).and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

/// What a set of processes used.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Processes {
    /// Seconds of CPU time, of all threads.
    pub(super) cpu_seconds: f64,
    /// How often a thread left its core because it had to wait.
    pub(super) voluntary_switches: u64,
    /// How often a thread lost its core to another.
    pub(super) involuntary_switches: u64,
    /// Memory now (not a difference), with its share of shared pages (PSS), in KiB.
    pub(super) memory_kib: u64,
}

/// Clock ticks of `/proc/PID/stat` in a second: fixed for programs by Linux (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

impl Processes {
    /// What these processes have used so far; `None` on a system that does not tell. One that has ended counts as
    /// nothing.
    pub(super) fn now(pids: &[u32]) -> Option<Processes> {
        if !IS_LINUX {
            return None;
        }
        let mut all = Processes::default();
        for pid in pids {
            let text = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
            all.cpu_seconds += cpu_seconds(&text("stat"));
            all.memory_kib += field(&text("smaps_rollup"), "Pss:");
            // For each thread: the `status` of the process counts its first thread only.
            for status in threads(*pid) {
                all.voluntary_switches += field(&status, "voluntary_ctxt_switches:");
                all.involuntary_switches += field(&status, "nonvoluntary_ctxt_switches:");
            }
        }
        Some(all)
    }

    /// What was used since `before`; the memory is that of now.
    pub(super) fn since(&self, before: &Processes) -> Processes {
        Processes {
            cpu_seconds: (self.cpu_seconds - before.cpu_seconds).max(0.0),
            voluntary_switches: self.voluntary_switches.saturating_sub(before.voluntary_switches),
            involuntary_switches: self.involuntary_switches.saturating_sub(before.involuntary_switches),
            memory_kib: self.memory_kib,
        }
    }
}

/// True if a thread of these processes runs, or would if it had a core.
pub(super) fn is_any_runnable(pids: &[u32]) -> bool {
    pids.iter().flat_map(|pid| threads(*pid)).any(|status| {
        let state = status.lines().find_map(|line| line.strip_prefix("State:"));
        state.is_some_and(|state| state.trim_start().starts_with('R'))
    })
}

/// Memory of these processes that holds data, in KiB. Program code is left out: it is shared with every
/// process of the same file, and a process's share of it shrinks when others start.
pub(super) fn data_kib(pids: &[u32]) -> u64 {
    let smaps = |pid| fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    pids.iter().map(|pid| field(&smaps(pid), "Pss_Anon:")).sum()
}

/// Memory of all TCP sockets of the machine, in KiB: bytes that nobody has read yet, and bookkeeping.
pub(super) fn socket_memory_kib() -> u64 {
    let text = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    socket_pages(&text) * (system::page_bytes().unwrap_or(0) / 1024)
}

fn socket_pages(sockstat: &str) -> u64 {
    let mut words = sockstat.lines().find_map(|line| line.strip_prefix("TCP:")).unwrap_or("").split(' ');
    let pages = words.by_ref().find(|word| *word == "mem").and_then(|_| words.next());
    pages.and_then(|pages| pages.parse().ok()).unwrap_or(0)
}

fn threads(pid: u32) -> Vec<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    entries.flatten().filter_map(|entry| fs::read_to_string(entry.path().join("status")).ok()).collect()
}

/// The number after `name` at the beginning of a line.
fn field(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value
        .and_then(|value| value.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

fn cpu_seconds(stat: &str) -> f64 {
    [14, 15].iter().filter_map(|number| stat_field(stat, *number)).sum::<u64>() as f64 / TICKS_PER_SECOND
}

/// A field of `/proc/PID/stat` by its number in proc(5).
pub(super) fn stat_field(stat: &str, number: usize) -> Option<u64> {
    // The second field is the name in parentheses, which may contain spaces and parentheses itself.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(number - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_by_name() {
        let netstat = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 4 30 31\n\
            IpExt: InNoRoutes ListenOverflows\nIpExt: 1 2\n";
        let snmp = "Ip: Forwarding RetransSegs\nIp: 1 9\nTcp: RtoAlgorithm RetransSegs\nTcp: 1 77\n";
        let kernel = Kernel::parse(netstat, snmp);
        assert_eq!(kernel, Kernel { listen_overflows: 30, listen_drops: 31, retransmits: 77 });
        let before = Kernel { listen_overflows: 10, listen_drops: 40, retransmits: 70 };
        assert_eq!(kernel.since(&before), Kernel { listen_overflows: 20, listen_drops: 0, retransmits: 7 });
        assert_eq!(Kernel::parse("", ""), Kernel::default());
    }

    #[test]
    fn a_process_is_read_past_its_name() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 3 0 100 1 1";
        assert_eq!(cpu_seconds(stat), 2.0);
        assert_eq!(cpu_seconds("nonsense"), 0.0);
        assert_eq!(field("VmRSS: 3 kB\nvoluntary_ctxt_switches:\t17\n", "voluntary_ctxt_switches:"), 17);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_and_switches() {
        let own = Processes::now(&[std::process::id()]).unwrap();
        assert!(own.memory_kib > 0 && own.voluntary_switches + own.involuntary_switches > 0, "{own:?}");
        assert_eq!(Processes::now(&[]), Some(Processes::default()));
        let data = data_kib(&[std::process::id()]);
        assert!(data > 0 && data < own.memory_kib && data_kib(&[]) == 0, "{data} {own:?}");
        // The thread that asks is running.
        assert!(is_any_runnable(&[std::process::id()]) && !is_any_runnable(&[]));
        let sockstat = "sockets: used 9\nTCP: inuse 5 orphan 0 tw 3 alloc 7 mem 42\nUDP: inuse 1 mem 2\n";
        assert_eq!((socket_pages(sockstat), socket_pages("")), (42, 0));
    }
}
