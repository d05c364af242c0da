//! Runs of a cell put together: the middle one, and how far they are apart; and all cells of a grid.
//!
//! Contract: the figures shown for a cell are those of *one* run, the one with the median rate, so
//! that they belong together; what nobody must miss (faults, overflows) is the sum over all runs.

use std::collections::{BTreeMap, BTreeSet};

use super::client::Faults;
use super::results::{Cell, Run};

/// A cell in the tables.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Summary {
    /// The run with the median rate; of an even number, the slower of the middle two.
    pub(super) middle: Run,
    pub(super) runs: usize,
    pub(super) slowest: f64,
    pub(super) fastest: f64,
    /// Of all runs.
    pub(super) faults: Faults,
    /// Of all runs; `None` if the system does not tell.
    pub(super) listen_overflows: Option<u64>,
    pub(super) retransmits: Option<u64>,
}

impl Summary {
    /// `runs` has at least one.
    fn of(runs: &[&Run]) -> Summary {
        let mut by_rate = runs.to_vec();
        by_rate.sort_by(|one, other| one.rate().total_cmp(&other.rate()));
        let mut faults = Faults::default();
        runs.iter().for_each(|run| faults.add(&run.faults));
        Summary {
            middle: by_rate[(by_rate.len() - 1) / 2].clone(),
            runs: runs.len(),
            slowest: by_rate[0].rate(),
            fastest: by_rate[by_rate.len() - 1].rate(),
            faults,
            listen_overflows: runs.iter().map(|run| run.listen_overflows()).sum(),
            retransmits: runs.iter().map(|run| run.kernel.map(|kernel| kernel.retransmits)).sum(),
        }
    }

    /// Which cell it is.
    pub(super) fn cell(&self) -> &Cell {
        &self.middle.cell
    }

    /// Requests answered in a second, the median.
    pub(super) fn rate(&self) -> f64 {
        self.middle.rate()
    }

    /// Half the distance between the slowest and the fastest run: a smaller difference is noise.
    pub(super) fn noise(&self) -> f64 {
        (self.fastest - self.slowest) / 2.0
    }

    /// The distance between the slowest and the fastest run, as a share of the median.
    pub(super) fn spread(&self) -> f64 {
        if self.rate() > 0.0 { (self.fastest - self.slowest) / self.rate() } else { 0.0 }
    }

    /// True if the runs of the two say nothing about which is faster. One run says nothing of its noise.
    pub(super) fn is_draw(&self, other: &Summary) -> bool {
        self.runs > 1 && (self.rate() - other.rate()).abs() <= self.noise().max(other.noise())
    }
}

/// All cells of a grid, in the order of the tables.
#[derive(Clone, Debug)]
pub(super) struct Cells(Vec<Summary>);

impl Cells {
    /// Puts the runs of each cell together.
    pub(super) fn of(runs: &[Run]) -> Cells {
        let mut cells: BTreeMap<&Cell, Vec<&Run>> = BTreeMap::new();
        for run in runs {
            cells.entry(&run.cell).or_default().push(run);
        }
        Cells(cells.into_values().map(|runs| Summary::of(&runs)).collect())
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Summary> {
        self.0.iter()
    }

    /// Those of one contender.
    pub(super) fn of_contender(&self, contender: &str) -> impl Iterator<Item = &Summary> {
        self.0.iter().filter(move |cell| cell.cell().contender == contender)
    }

    /// One cell, if it was measured.
    pub(super) fn find(&self, contender: &str, backends: usize, concurrency: usize) -> Option<&Summary> {
        self.of_contender(contender)
            .find(|cell| cell.cell().backends == backends && cell.cell().concurrency == concurrency)
    }

    /// Everyone who was measured, in the order of all tables and plots: ours first, then by family, and
    /// within one `threaded` before `async`, as in the course.
    pub(super) fn contenders(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.iter().map(|cell| cell.cell().contender.as_str()).collect();
        names.sort_by_key(|name| (name.contains('-'), is_peer(name), name.contains("async"), *name));
        names.dedup();
        names
    }

    /// All concurrencies that were measured, ascending.
    pub(super) fn concurrencies(&self) -> BTreeSet<usize> {
        self.0.iter().map(|cell| cell.cell().concurrency).collect()
    }

    /// All numbers of back ends that were measured, ascending.
    pub(super) fn backends(&self) -> BTreeSet<usize> {
        self.0.iter().map(|cell| cell.cell().backends).collect()
    }
}

/// True of programs without 2021 figures to be compared with: they are not of the course.
pub(super) fn is_peer(contender: &str) -> bool {
    !contender.ends_with("threaded") && !contender.ends_with("async")
}

/// The middle of some numbers; `None` of none.
pub(super) fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        count if count % 2 == 1 => Some(numbers[middle]),
        _ => Some((numbers[middle - 1] + numbers[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::{cell, overflows, run};
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn the_middle_run_stands_for_its_cell() {
        let mut runs: Vec<Run> = [500.0, 100.0, 300.0]
            .into_iter()
            .enumerate()
            .map(|(n, rate)| run(cell("async", 1, 2), n, rate))
            .collect();
        runs[1].faults.reset = 4;
        runs[1].kernel = overflows(7);
        runs.push(run(cell("async", 1, 5), 0, 50.0));
        let cells = Cells::of(&runs).0;
        assert_eq!(cells.len(), 2);
        let first = &cells[0];
        assert_eq!((first.middle.repeat, first.runs), (2, 3));
        assert!((first.rate() - 300.0).abs() < 1e-9 && (first.noise() - 200.0).abs() < 1e-9);
        assert!((first.spread() - 400.0 / 300.0).abs() < 1e-9);
        assert_eq!(
            (first.faults.reset, first.listen_overflows),
            (4, Some(7)),
            "of all runs, not of the middle one"
        );
        assert_eq!((cells[1].runs, cells[1].spread()), (1, 0.0));
    }
}
