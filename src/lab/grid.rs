//! The grid: every contender x back ends x concurrency, several times, in a shuffled order.
//!
//! Contract: one pass over all cells ends before the next begins, and each pass has an order of its own:
//! a machine that gets warm or busy then slows all cells and not one column. Every run is saved before
//! the next begins, and a saved run is not made again.

use std::path::Path;
use std::time::Duration;

use super::bounds::{START_USUAL, WARM_UP_LIMIT};
use super::lang::{Lang, text};
use super::machine::Machine;
use super::measure::Conditions;
use super::results::{Cell, Results, Saved, Settings};
use super::terminal::{Progress, say};
use super::testbed::{Contender, TestbedError};
use super::tools::Tool;
use crate::net::shutdown::Shutdown;

/// The file of a stopped grid, from which it continues, in the folder of the report.
pub(super) const RUNS_FILE: &str = "runs.jsonl";

/// What to run.
#[derive(Debug)]
pub(super) struct Grid {
    pub(super) contenders: Vec<Contender>,
    pub(super) backends: Vec<usize>,
    pub(super) concurrency: Vec<usize>,
    pub(super) tool: Tool,
    pub(super) settings: Settings,
    pub(super) fresh: bool,
}

/// How it went.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) results: Results,
    /// Stopped before the end; what was measured is saved.
    pub(super) is_stopped: bool,
    /// Contenders that are not installed, in one line each.
    pub(super) missing: Vec<String>,
    /// Cells that could not be run, in one line each.
    pub(super) failures: Vec<String>,
}

impl Grid {
    /// Runs what is not saved in `folder` yet.
    ///
    /// Errors: results cannot be saved there.
    pub(super) fn run(self, folder: &Path, lang: Lang, stop: &Shutdown) -> std::io::Result<Outcome> {
        let path = folder.join(RUNS_FILE);
        let mut saved = Saved::open(&path, self.settings.clone(), Machine::this(), self.fresh)?;
        let order = self.order();
        let left: Vec<_> = order.into_iter().filter(|(_, cell, repeat)| !saved.has(cell, *repeat)).collect();
        let limit = Duration::from_secs(self.settings.limit_seconds);
        say(&announcement(left.len(), limit, &self.settings, lang));
        let progress = Progress::new(left.len(), lang);
        if !saved.results.runs.is_empty() {
            let done = saved.results.runs.len();
            progress.note(&text!(lang, "resumed", done));
        }
        let conditions = Conditions { settings: &self.settings, tool: self.tool, stop };
        let mut missing: Vec<(&Contender, String)> = Vec::new();
        let mut failures = Vec::new();
        for (contender, cell, repeat) in left {
            if stop.is_draining() {
                break;
            }
            progress.begin(&describe(&cell, repeat, lang));
            if missing.iter().any(|(other, _)| *other == contender) {
                progress.end();
                continue;
            }
            match conditions.run(contender, &cell, repeat) {
                // The figures of a run that was stopped mean nothing.
                Ok(_) | Err(_) if stop.is_draining() => break,
                Ok(run) => saved.push(run)?,
                Err(TestbedError::Missing(why)) => {
                    progress.note(&format!("{contender}: {why}"));
                    missing.push((contender, why));
                }
                Err(TestbedError::Failed(why)) => {
                    let line = format!("{}: {why}", describe(&cell, repeat, lang));
                    progress.note(&line);
                    failures.push(line);
                }
            }
            progress.end();
        }
        progress.finish();
        let missing = missing.into_iter().map(|(contender, why)| format!("{contender}: {why}")).collect();
        let is_stopped = stop.is_draining();
        let results = if is_stopped || !failures.is_empty() { saved.results } else { saved.finish()? };
        Ok(Outcome { results: self.asked_for(results), is_stopped, missing, failures })
    }

    /// All runs, in the order in which they are run.
    fn order(&self) -> Vec<(&Contender, Cell, usize)> {
        let mut random = fastrand::Rng::with_seed(self.settings.seed);
        let mut order = Vec::new();
        for repeat in 0..self.settings.repeats {
            let mut cells: Vec<(&Contender, Cell)> =
                self.contenders.iter().flat_map(|contender| self.cells(contender)).collect();
            random.shuffle(&mut cells);
            order.extend(cells.into_iter().map(|(contender, cell)| (contender, cell, repeat)));
        }
        order
    }

    fn cells<'g>(&'g self, contender: &'g Contender) -> impl Iterator<Item = (&'g Contender, Cell)> {
        let pairs =
            self.backends.iter().flat_map(|backends| self.concurrency.iter().map(|n| (*backends, *n)));
        pairs.map(move |(backends, concurrency)| {
            let is_async = contender.is_async();
            (contender, Cell { contender: contender.to_string(), is_async, backends, concurrency })
        })
    }

    /// The runs that this grid asks for: a continued file may also hold others.
    fn asked_for(&self, mut results: Results) -> Results {
        let names: Vec<String> = self.contenders.iter().map(Contender::to_string).collect();
        results.runs.retain(|run| {
            names.contains(&run.cell.contender)
                && self.backends.contains(&run.cell.backends)
                && self.concurrency.contains(&run.cell.concurrency)
        });
        results
    }
}

/// What is to be run, and how long it takes at most on a machine that is not busy.
fn announcement(runs: usize, limit: Duration, settings: &Settings, lang: Lang) -> String {
    let longest = (limit + WARM_UP_LIMIT + START_USUAL) * u32::try_from(runs).unwrap_or(u32::MAX);
    let minutes = longest.as_secs().div_ceil(60);
    text!(lang, "grid-begin", runs, requests = settings.requests, seconds = limit.as_secs(), minutes)
}

fn describe(cell: &Cell, repeat: usize, lang: Lang) -> String {
    let Cell { contender, backends, concurrency, .. } = cell;
    text!(lang, "grid-run", contender, backends, concurrency, run = repeat + 1)
}

/// The seed if none is given.
pub(super) fn seed_of_the_moment() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::settings;
    use super::*;

    fn grid() -> Grid {
        Grid {
            contenders: vec![Contender::Threaded, Contender::Async],
            backends: vec![1, 2, 3],
            concurrency: vec![2, 10],
            tool: Tool::Own,
            settings: settings(),
            fresh: false,
        }
    }

    #[test]
    fn every_cell_is_run_once_in_each_pass_and_each_pass_has_its_order() {
        let grid = grid();
        let order = grid.order();
        assert_eq!(order.len(), 2 * 3 * 2 * 3);
        let passes: Vec<Vec<Cell>> =
            order.chunks(12).map(|pass| pass.iter().map(|(_, cell, _)| cell.clone()).collect()).collect();
        assert_ne!(passes[0], passes[1]);
        for pass in passes {
            let mut sorted = pass;
            sorted.sort();
            sorted.dedup();
            assert_eq!(sorted.len(), 12);
        }
        assert_eq!(order, grid.order(), "the same seed, the same order");
    }

    #[test]
    fn how_long_it_takes_follows_from_what_it_does() {
        let limit = Duration::from_secs(5);
        let said = |runs| announcement(runs, limit, &settings(), Lang::En);
        assert!(said(90).contains("90 runs, each of 10000 requests or at most 5 s"), "{}", said(90));
        assert!(said(90).contains("at most 12 min") && said(180).contains("at most 24 min"), "{}", said(180));
    }

    #[test]
    fn a_stopped_grid_says_so_and_measures_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let stop = Shutdown::new();
        stop.trigger();
        let outcome = grid().run(folder.path(), Lang::En, &stop).unwrap();
        assert!(outcome.is_stopped && outcome.results.runs.is_empty());
        assert!(folder.path().join(RUNS_FILE).exists(), "what there was is kept");
    }
}
