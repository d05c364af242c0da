//! What to notice in a cell, and what it means: one variant for each cause, one sentence for each variant.
//!
//! Contract: a cause is only named when its own counters show it; a long time alone is not called a
//! retransmit.

use super::bounds::{CLIENT_BUSY_SHARE, SPREAD_NOTED, STEP_TOLERANCE};
use super::client::Faults;
use super::lang::{Lang, text};
use super::summary::{Cells, Summary};

/// Seconds after which a client whose SYN got no response has sent it again: after 1 s, then each
/// second four times (Linux since 6.5), or with twice the pause each time (older Linux, other systems).
const SYN_STEPS_SECONDS: [u32; 8] = [1, 2, 3, 4, 5, 7, 15, 31];

/// What to notice in one cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Warning {
    /// A percentile lies just above a step of SYN retransmits, and accept queues overflowed.
    SynStep { percentile: &'static str, step_seconds: u32, overflows: u64 },
    /// Accept queues overflowed, but no percentile shows it.
    Overflows { overflows: u64 },
    /// Requests failed.
    Faults(Faults),
    /// The run was cut by its time limit.
    Cut { answered: u64, requests: u64 },
    /// The client used most of its core.
    ClientBottleneck { share: f64 },
    /// The runs of this cell are far apart.
    Spread { share: f64, runs: usize },
    /// The two models differ by less than the runs of one model.
    Noise { other: String },
    /// Bytes came after the end of responses.
    Stray { responses: u64 },
}

impl Warning {
    /// The sentence for it.
    pub(super) fn sentence(&self, lang: Lang) -> String {
        let percent = |share: &f64| format!("{:.0}", share * 100.0);
        match self {
            Warning::SynStep { percentile, step_seconds, overflows } => {
                text!(lang, "syn-step", percentile = *percentile, step_seconds, overflows)
            }
            Warning::Overflows { overflows } => text!(lang, "backlog-full", overflows),
            Warning::Faults(faults) => {
                text!(lang, "faults-of-runs", count = faults.total(), faults = faults.sentence())
            }
            Warning::Cut { answered, requests } => text!(lang, "cut", answered, requests),
            Warning::ClientBottleneck { share } => text!(lang, "client-bottleneck", percent = percent(share)),
            Warning::Spread { share, runs } => text!(lang, "spread", runs, percent = percent(share)),
            Warning::Noise { other } => text!(lang, "noise", other),
            Warning::Stray { responses } => text!(lang, "stray", responses),
        }
    }
}

/// Everything to notice in `cell`, most important first; `all` has the same cell of the other model.
pub(super) fn find(cell: &Summary, all: &Cells) -> Vec<Warning> {
    let run = &cell.middle;
    let mut found = Vec::new();
    if cell.faults.total() > 0 {
        found.push(Warning::Faults(cell.faults));
    }
    if let Some(step) = syn_step(cell) {
        found.push(step);
    } else if let Some(overflows @ 1..) = cell.listen_overflows {
        found.push(Warning::Overflows { overflows });
    }
    let ended = run.complete() + run.faults.total() - run.faults.non_2xx;
    if run.requests > 0 && ended < run.requests {
        found.push(Warning::Cut { answered: run.answered, requests: run.requests });
    }
    if run.client_share >= CLIENT_BUSY_SHARE {
        found.push(Warning::ClientBottleneck { share: run.client_share });
    }
    if cell.spread() >= SPREAD_NOTED {
        found.push(Warning::Spread { share: cell.spread(), runs: cell.runs });
    }
    // Seen from the asynchronous model only: once for each pair is enough.
    if let Some((family, _)) = cell.cell().contender.rsplit_once("async")
        && let other = format!("{family}threaded")
        && let Some(twin) = all.find(&other, cell.cell().backends, cell.cell().concurrency)
        && cell.is_draw(twin)
    {
        found.push(Warning::Noise { other });
    }
    if run.stray > 0 {
        found.push(Warning::Stray { responses: run.stray });
    }
    found
}

/// The lowest percentile just above a retransmit step, if accept queues overflowed.
pub(super) fn syn_step(cell: &Summary) -> Option<Warning> {
    let overflows = cell.listen_overflows.filter(|overflows| *overflows > 0)?;
    let total = &cell.middle.total;
    let percentiles = [
        ("p50", total.p50_us),
        ("p90", total.p90_us),
        ("p99", total.p99_us),
        ("p99.9", total.p999_us),
        ("max", total.max_us),
    ];
    percentiles.into_iter().find_map(|(percentile, microseconds)| {
        let step_seconds = step_below(microseconds)?;
        Some(Warning::SynStep { percentile, step_seconds, overflows })
    })
}

fn step_below(microseconds: u64) -> Option<u32> {
    let seconds = microseconds as f64 / 1e6;
    SYN_STEPS_SECONDS.into_iter().find(|step| {
        let step = f64::from(*step);
        // Half a second at most: early steps are only a second apart.
        (step..step + (STEP_TOLERANCE * step).min(0.5)).contains(&seconds)
    })
}

#[cfg(test)]
mod tests {
    use super::super::results::Run;
    use super::super::results::tests::{cell, overflows, run};
    use super::*;

    fn found(runs: &[Run]) -> Vec<Warning> {
        let cells = Cells::of(runs);
        let last = cells.iter().find(|cell| *cell.cell() == runs[0].cell).unwrap();
        find(last, &cells)
    }

    fn plain() -> Run {
        run(cell("threaded", 1, 10), 0, 4000.0)
    }

    #[test]
    fn nothing_stands_out_in_a_plain_cell() {
        assert_eq!(found(&[plain()]), []);
    }

    #[test]
    fn a_retransmit_is_named_only_with_overflows() {
        let mut slow = plain();
        slow.total.p99_us = 1_040_000;
        assert_eq!(found(&[slow.clone()]), [], "a second alone is not a cause");
        slow.kernel = overflows(30);
        let warnings = found(&[slow.clone()]);
        assert_eq!(
            warnings[0].sentence(Lang::En),
            "p99 sits on the 1 s SYN retransmit, 30 listen overflows: backlog, not threads"
        );
        slow.total.p99_us = 1_300_000;
        slow.total.max_us = 1_400_000;
        assert_eq!(found(&[slow]), [Warning::Overflows { overflows: 30 }], "between the steps");
    }

    #[test]
    fn steps_have_a_tolerance_above_them_and_none_below() {
        for (milliseconds, step) in [
            (999, None),
            (1000, Some(1)),
            (1090, Some(1)),
            (1110, None),
            (3020, Some(3)),
            (3310, None),
            (7400, Some(7)),
        ] {
            assert_eq!(step_below(milliseconds * 1000), step, "{milliseconds} ms");
        }
    }

    #[test]
    fn faults_cuts_and_a_busy_client_are_said() {
        let mut bad = plain();
        bad.answered = 9_000;
        bad.faults = Faults { reset: 10, ..Faults::default() };
        bad.client_share = 0.97;
        bad.stray = 3;
        let warnings = found(&[bad]);
        assert_eq!(warnings.len(), 4);
        assert_eq!(warnings[0].sentence(Lang::En), "10 requests of all runs failed: 10 reset");
        assert!(warnings[1].sentence(Lang::En).contains("9000 of 10000"));
        assert!(warnings[2].sentence(Lang::Id).contains("97 %"));
        assert_eq!(warnings[3], Warning::Stray { responses: 3 });
    }

    #[test]
    fn a_difference_within_the_noise_is_a_draw() {
        let runs = |name: &str, rates: [f64; 3]| {
            rates.into_iter().enumerate().map(|(n, rate)| run(cell(name, 1, 10), n, rate)).collect::<Vec<_>>()
        };
        let threaded = runs("python-threaded", [900.0, 1000.0, 1100.0]);
        let near = [runs("python-async", [950.0, 1050.0, 1060.0]), threaded.clone()].concat();
        assert_eq!(found(&near), [Warning::Noise { other: "python-threaded".to_owned() }]);
        let far = [runs("python-async", [1990.0, 2000.0, 2010.0]), threaded.clone()].concat();
        assert_eq!(found(&far), []);
        let other_family = [runs("async", [950.0, 1050.0, 1060.0]), threaded].concat();
        assert_eq!(found(&other_family), []);
        assert_eq!(found(&runs("async", [500.0, 1000.0, 1500.0])), [Warning::Spread { share: 1.0, runs: 3 }]);
    }
}
