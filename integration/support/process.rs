//! A child process that cannot outlive its test: its lines are collected, its end is awaited with a
//! deadline, and whatever is left of it is killed and reaped.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::WAIT_MAX;
use super::watched::Watched;

/// The lines of one output, and whether more can come.
#[derive(Debug, Default)]
pub struct Lines {
    list: Vec<String>,
    ended: bool,
}

/// An output that is read in the background.
#[derive(Clone, Debug)]
pub struct Output(Arc<Watched<Lines>>);

impl Output {
    fn collect(from: impl Read + Send + 'static) -> Output {
        let output = Output(Arc::default());
        let lines = Arc::clone(&output.0);
        std::thread::spawn(move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                lines.change(|lines| lines.list.push(String::from_utf8_lossy(&line).into_owned()));
            }
            lines.change(|lines| lines.ended = true);
        });
        output
    }

    /// All of it so far.
    pub fn text(&self) -> String {
        self.0.look(|lines| lines.list.join("\n"))
    }

    /// Waits for the `nth` line (from 0) that `fits`; `None` if the output ends or the time is up before.
    pub fn wait_nth(&self, nth: usize, fits: impl Fn(&str) -> bool) -> Option<String> {
        let find = |lines: &Lines| lines.list.iter().filter(|line| fits(line)).nth(nth).cloned();
        self.0.wait(WAIT_MAX, |lines| find(lines).map(Some).or(lines.ended.then_some(None))).flatten()
    }

    fn wait_end(&self, limit: Duration) -> bool {
        self.0.wait(limit, |lines| lines.ended.then_some(())).is_some()
    }
}

/// A running program with its outputs.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Its standard output.
    pub out: Output,
    /// Its standard error.
    pub err: Output,
}

impl Process {
    /// Starts `command` in a process group of its own, with nothing to read.
    pub fn start(command: &mut Command) -> std::io::Result<Process> {
        Process::start_reading(command, Stdio::null())
    }

    /// The same with this to read.
    pub fn start_reading(command: &mut Command, input: Stdio) -> std::io::Result<Process> {
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn()?;
        let out = Output::collect(child.stdout.take().unwrap());
        let err = Output::collect(child.stderr.take().unwrap());
        Ok(Process { child, out, err })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; `None` if it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        // A process that ends closes its outputs: the end is an event, with no need to ask again and again.
        let ended = self.out.wait_end(limit) && self.err.wait_end(limit);
        ended.then(|| self.child.wait().unwrap())
    }

    /// Seconds of processor time it has used (user and system).
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        // The second field is the name in parentheses, which may hold spaces: count from behind it.
        let behind_name = stat.rsplit(')').next().unwrap();
        let ticks = |field: usize| -> f64 {
            behind_name.split_whitespace().nth(field - 3).and_then(|ticks| ticks.parse().ok()).unwrap()
        };
        (ticks(14) + ticks(15)) / 100.0 // Linux shows 100 ticks a second on every platform
    }

    /// The numbers of the descriptors it has open.
    pub fn descriptors(&self) -> BTreeSet<u64> {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect()
    }

    /// How often its threads have been switched: for one that waits, how often it was woken.
    pub fn switches(&self) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let status = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("status")).unwrap();
        let of_task = |status: String| -> usize {
            let counts = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
            counts.map(|(_, count)| count.trim().parse::<usize>().unwrap()).sum()
        };
        tasks.map(|task| of_task(status(task.unwrap()))).sum()
    }

    /// Bytes of memory that are its own: its share of the pages that hold data (PSS), and no program code.
    pub fn own_bytes(&self) -> usize {
        let smaps = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id())).unwrap();
        let line = smaps.lines().find_map(|line| line.strip_prefix("Pss_Anon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// Bytes of memory it holds.
    pub fn resident_bytes(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // The whole group: a browser has children of its own.
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
