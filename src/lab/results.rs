//! What is saved: every run as soon as it is over, one JSON object on each line; at the end all of them.
//!
//! Contract: a stopped grid loses nothing but the run that was under way. A file of runs belongs to one
//! set of [`Settings`] and is not continued with others, because the figures could not be compared. The
//! fields are documented in `docs/lab-results.md`; a change that breaks readers raises [`SCHEMA`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::client::{Connects, Faults, Percentiles};
use super::kernel::{Kernel, Processes};
use super::lang::{Lang, text};
use super::machine::Machine;

/// Version of what is written here.
pub(super) const SCHEMA: u32 = 1;

/// One place in the tables.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct Cell {
    /// The balancer, by its short name.
    pub(super) contender: String,
    /// Its model: true for one thread with many connections.
    pub(super) is_async: bool,
    pub(super) backends: usize,
    pub(super) concurrency: usize,
}

/// The name of a model.
pub(super) fn model(is_async: bool) -> &'static str {
    if is_async { "async" } else { "threaded" }
}

/// One run of one cell.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Run {
    #[serde(flatten)]
    pub(super) cell: Cell,
    /// Which of the cell's runs, from 0.
    pub(super) repeat: usize,
    /// Requests that were to be made; 0 where the tool counts time instead (`wrk`).
    pub(super) requests: u64,
    /// Requests with a complete 2xx response and, with our own client, the right body.
    pub(super) answered: u64,
    pub(super) faults: Faults,
    /// Requests under way when the time of the run was over.
    pub(super) unfinished: u64,
    pub(super) reopened: u64,
    pub(super) stray: u64,
    pub(super) seconds: f64,
    pub(super) connect: Percentiles,
    pub(super) first_byte: Percentiles,
    pub(super) total: Percentiles,
    /// Connects that took a second or more: they waited for a SYN retransmit.
    #[serde(default)]
    pub(super) slow_connects: u64,
    /// The client's CPU time as a share of one core; 0 where it is not known.
    pub(super) client_share: f64,
    /// This and what follows is `None` on a system that does not tell.
    pub(super) kernel: Option<Kernel>,
    pub(super) balancer: Option<Processes>,
    pub(super) back_ends: Option<Processes>,
}

impl Run {
    /// Handshakes that found an accept queue full.
    pub(super) fn listen_overflows(&self) -> Option<u64> {
        self.kernel.map(|kernel| kernel.listen_overflows)
    }

    /// Requests answered in a second.
    pub(super) fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.answered as f64 / self.seconds } else { 0.0 }
    }

    /// Complete requests as `ab` counts them: with a complete response, whatever its status.
    pub(super) fn complete(&self) -> u64 {
        self.answered + self.faults.non_2xx
    }

    /// Milliseconds for each request, across all clients; `None` if none was answered.
    pub(super) fn milliseconds(&self) -> Option<f64> {
        (self.answered > 0).then(|| self.seconds * 1000.0 / self.answered as f64)
    }
}

/// What all runs of one file have in common.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Settings {
    pub(super) requests: u64,
    pub(super) path: String,
    pub(super) keep_alive: bool,
    #[serde(default)]
    pub(super) connects: Connects,
    /// `own`, `ab` or `wrk`.
    pub(super) client: String,
    pub(super) limit_seconds: u64,
    pub(super) repeats: usize,
    /// Of the order of the cells.
    pub(super) seed: u64,
}

impl Settings {
    /// True if runs with these settings can be compared with runs with the others. The order of the
    /// runs and how many there are do not matter for that.
    pub(super) fn compares_with(&self, other: &Settings) -> bool {
        let of = |settings: &Settings| Settings { seed: 0, repeats: 0, ..settings.clone() };
        of(self) == of(other)
    }
}

/// Everything, as in `results.json`; without runs it is the first line of a file of runs.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Results {
    pub(super) schema: u32,
    pub(super) machine: Machine,
    pub(super) settings: Settings,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) runs: Vec<Run>,
}

impl Results {
    /// Reads `results.json` or, if its name ends so, a file of runs (`.jsonl`).
    ///
    /// Errors: it cannot be read, or was written by another version.
    pub(super) fn read(path: &Path) -> io::Result<Results> {
        let other = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let results = if path.extension().is_some_and(|extension| extension == "jsonl") {
            read(path)?.ok_or_else(|| other(text!(Lang::of_errors(), "error-no-runs")))?.0
        } else {
            serde_json::from_slice(&fs::read(path)?)?
        };
        match results.schema {
            SCHEMA => Ok(results),
            schema => Err(other(text!(Lang::of_errors(), "error-schema", schema, known = SCHEMA))),
        }
    }
}

/// A file of runs that grows.
#[derive(Debug)]
pub(super) struct Saved {
    file: File,
    path: PathBuf,
    pub(super) results: Results,
}

impl Saved {
    /// Continues the file at `path` if its runs can be compared with `settings` on this machine; else
    /// begins it again.
    ///
    /// Errors: the file cannot be read or written.
    pub(super) fn open(path: &Path, settings: Settings, machine: Machine, fresh: bool) -> io::Result<Saved> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let earlier = if fresh { None } else { read(path)? };
        let earlier = earlier.filter(|(earlier, _)| is_same_experiment(earlier, &settings, &machine));
        let mut results = Results { schema: SCHEMA, machine, settings, runs: Vec::new() };
        let file = match earlier {
            Some((earlier, complete_bytes)) => {
                let file = OpenOptions::new().append(true).open(path)?;
                // A line that a crash cut must go, or the next one would continue it.
                file.set_len(complete_bytes)?;
                results.runs = earlier.runs;
                file
            }
            None => {
                let mut file = File::create(path)?;
                write_line(&mut file, &results)?;
                file
            }
        };
        Ok(Saved { file, path: path.to_owned(), results })
    }

    /// Saves a run, before anything else begins.
    pub(super) fn push(&mut self, run: Run) -> io::Result<()> {
        write_line(&mut self.file, &run)?;
        self.results.runs.push(run);
        Ok(())
    }

    /// True if this run is already there.
    pub(super) fn has(&self, cell: &Cell, repeat: usize) -> bool {
        self.results.runs.iter().any(|run| run.cell == *cell && run.repeat == repeat)
    }

    /// The experiment is complete: the next one starts without these runs.
    pub(super) fn finish(self) -> io::Result<Results> {
        fs::remove_file(&self.path)?;
        Ok(self.results)
    }
}

fn is_same_experiment(earlier: &Results, settings: &Settings, machine: &Machine) -> bool {
    earlier.schema == SCHEMA
        && earlier.settings.compares_with(settings)
        && earlier.machine.is_comparable(machine)
}

fn write_line(file: &mut File, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    // In one write: if the lab were killed between two, half a line would stay.
    file.write_all(&line)
}

/// The runs of an earlier file and the length of its complete lines; `None` if there is none to continue.
fn read(path: &Path) -> io::Result<Option<(Results, u64)>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').take_while(|line| line.ends_with(b"\n"));
    let Some(first) = lines.next() else { return Ok(None) };
    let Ok(mut results) = serde_json::from_slice::<Results>(first) else { return Ok(None) };
    let mut complete_bytes = first.len();
    for line in lines {
        let Ok(run) = serde_json::from_slice(line) else { break };
        results.runs.push(run);
        complete_bytes += line.len();
    }
    Ok(Some((results, complete_bytes as u64)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::lab) fn cell(contender: &str, backends: usize, concurrency: usize) -> Cell {
        let is_async = contender.contains("async");
        Cell { contender: contender.to_owned(), is_async, backends, concurrency }
    }

    /// A run without faults of 10,000 requests at `rate`.
    pub(in crate::lab) fn run(cell: Cell, repeat: usize, rate: f64) -> Run {
        Run {
            cell,
            repeat,
            requests: 10_000,
            answered: 10_000,
            seconds: 10_000.0 / rate,
            total: Percentiles {
                count: 10_000,
                p50_us: 900,
                p99_us: 2000,
                max_us: 9000,
                ..Default::default()
            },
            client_share: 0.2,
            kernel: Some(Kernel::default()),
            balancer: Some(Processes::default()),
            back_ends: Some(Processes::default()),
            ..Run::default()
        }
    }

    /// Counters of a machine whose accept queues overflowed so often.
    pub(in crate::lab) fn overflows(listen_overflows: u64) -> Option<Kernel> {
        Some(Kernel { listen_overflows, ..Kernel::default() })
    }

    pub(in crate::lab) fn settings() -> Settings {
        Settings {
            requests: 10_000,
            path: "/".to_owned(),
            keep_alive: false,
            connects: Connects::Overlapping,
            client: "own".to_owned(),
            limit_seconds: 60,
            repeats: 3,
            seed: 1,
        }
    }

    #[test]
    fn a_stopped_experiment_goes_on_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lab-report").join("runs.jsonl");
        let open =
            |settings: Settings, fresh| Saved::open(&path, settings, Machine::default(), fresh).unwrap();
        let mut saved = open(settings(), false);
        saved.push(run(cell("async", 1, 2), 0, 500.0)).unwrap();
        saved.push(run(cell("async", 1, 5), 0, 600.0)).unwrap();
        drop(saved);

        // A crash in the middle of a line.
        let whole = fs::read(&path).unwrap();
        let cut = [&whole[..], b"{\"contender\":\"asy"].concat();
        fs::write(&path, cut).unwrap();
        let mut saved = open(Settings { seed: 99, ..settings() }, false);
        assert_eq!(saved.results.runs.len(), 2);
        assert!(saved.has(&cell("async", 1, 5), 0) && !saved.has(&cell("async", 1, 5), 1));
        saved.push(run(cell("async", 1, 5), 1, 610.0)).unwrap();
        drop(saved);
        assert_eq!(open(settings(), false).results.runs.len(), 3, "the cut line did not spoil the next one");

        let other = Settings { requests: 5, ..settings() };
        assert!(open(other, false).results.runs.is_empty(), "other settings do not compare");
        let saved = open(settings(), true);
        assert!(saved.results.runs.is_empty(), "--fresh");
        saved.finish().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn results_are_read_back_as_they_were_written() {
        let results = Results {
            schema: SCHEMA,
            machine: Machine::this(),
            settings: settings(),
            runs: vec![run(cell("threaded", 2, 10), 0, 1234.5)],
        };
        let text = serde_json::to_string(&results).unwrap();
        assert_eq!(serde_json::from_str::<Results>(&text).unwrap(), results);
        assert!(text.contains("\"contender\":\"threaded\""), "a cell's fields are in the run itself");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("results.json");
        fs::write(&file, &text).unwrap();
        assert_eq!(Results::read(&file).unwrap(), results);
        fs::write(&file, text.replace("\"schema\":1", "\"schema\":7")).unwrap();
        assert_eq!(Results::read(&file).unwrap_err().to_string(), "schema 7, and this lab reads 1");
        assert!(Results::read(&folder.path().join("nothing.jsonl")).is_err());
    }

    #[test]
    fn figures_without_answers_are_not_nan() {
        let mut nothing = run(cell("async", 1, 2), 0, 500.0);
        (nothing.answered, nothing.seconds) = (0, 0.0);
        assert_eq!((nothing.rate(), nothing.milliseconds()), (0.0, None));
    }
}
