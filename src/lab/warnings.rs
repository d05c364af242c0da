//! What stands out in a cell, and what it means: one variant a cause, one sentence a variant.
//!
//! Contract: a cause is only named when its own counters show it; a long time alone is not called a
//! retransmit. What is named here is the difference between a table and an explanation.

use super::bounds::{CLIENT_BUSY_SHARE, SPREAD_NOTED, STEP_TOLERANCE};
use super::client::Faults;
use super::lang::Lang;
use super::summary::Summary;

/// Seconds after which a client whose SYN got no answer has sent it again: 1 s after the first, then
/// each second four times (Linux since 6.5), or doubling from the begin (Linux before, and others).
const SYN_STEPS_SECONDS: [u32; 8] = [1, 2, 3, 4, 5, 7, 15, 31];

/// Something about one cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Warning {
    /// A percentile lies just above a step of SYN retransmits, and accept queues overflowed.
    SynStep { percentile: &'static str, step_seconds: u32, overflows: u64 },
    /// Accept queues overflowed, which no percentile shows yet.
    Overflows { overflows: u64 },
    /// Not every request was answered as it should be.
    Faults(Faults),
    /// The run was cut by its time limit.
    Cut { answered: u64, requests: u64 },
    /// The client used up its core.
    ClientBottleneck { share: f64 },
    /// The runs of this cell lie far apart.
    Spread { share: f64, runs: usize },
    /// The two models differ by less than the runs of one.
    Noise { other: String },
    /// Bytes after the end of answers.
    Stray { answers: u64 },
}

impl Warning {
    /// The sentence for it.
    pub(super) fn sentence(&self, lang: Lang) -> String {
        match self {
            Warning::SynStep { percentile, step_seconds, overflows } => lang.pick(
                format!("{percentile} sits on the {step_seconds} s SYN retransmit, {overflows} listen overflows: backlog, not threads"),
                format!("{percentile} berada pada pengiriman ulang SYN {step_seconds} detik, {overflows} luapan antrean listen: backlog, bukan thread"),
            ),
            Warning::Overflows { overflows } => lang.pick(
                format!("{overflows} listen overflows: the backlog is full at times"),
                format!("{overflows} luapan antrean listen: backlog kadang penuh"),
            ),
            Warning::Faults(faults) => lang.pick(
                format!("{} of all runs failed: {}", requests(faults.total(), lang), faults.sentence()),
                format!("{} dari semua putaran gagal: {}", requests(faults.total(), lang), faults.sentence()),
            ),
            Warning::Cut { answered, requests } => lang.pick(
                format!("cut by the time limit after {answered} of {requests} requests; the rate is that of the part"),
                format!("dihentikan batas waktu setelah {answered} dari {requests} permintaan; lajunya dari bagian itu"),
            ),
            Warning::ClientBottleneck { share } => lang.pick(
                format!("the client used {:.0} % of a core: it, not the server, may have set the pace", share * 100.0),
                format!("klien memakai {:.0} % satu inti: mungkin klien, bukan server, yang menentukan laju", share * 100.0),
            ),
            Warning::Spread { share, runs } => lang.pick(
                format!("its {runs} runs lie {:.0} % apart: is something else busy on this machine?", share * 100.0),
                format!("{runs} putarannya berselisih {:.0} %: adakah yang lain sibuk di mesin ini?", share * 100.0),
            ),
            Warning::Noise { other } => lang.pick(
                format!("differs from {other} by less than the runs of one: call it a draw"),
                format!("selisih dengan {other} lebih kecil dari selisih antarputaran: anggap seri"),
            ),
            Warning::Stray { answers } => lang.pick(
                format!("{answers} answers had bytes after their end"),
                format!("{answers} jawaban membawa bita setelah akhirnya"),
            ),
        }
    }
}

fn requests(count: u64, lang: Lang) -> String {
    match (lang, count) {
        (Lang::En, 1) => "1 request".to_owned(),
        (Lang::En, _) => format!("{count} requests"),
        (Lang::Id, _) => format!("{count} permintaan"),
    }
}

/// Everything that stands out in `cell`, most telling first; `all` has its twin of the other model.
pub(super) fn find(cell: &Summary, all: &[Summary]) -> Vec<Warning> {
    let run = &cell.middle;
    let mut found = Vec::new();
    if !matches!(cell.faults.total(), 0) {
        found.push(Warning::Faults(cell.faults));
    }
    if let Some(step) = syn_step(cell) {
        found.push(step);
    } else if cell.listen_overflows > 0 {
        found.push(Warning::Overflows { overflows: cell.listen_overflows });
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
    if let Some(twin) = twin(cell, all)
        && (cell.rate() - twin.rate()).abs() <= cell.noise().max(twin.noise())
        && cell.runs > 1
    {
        found.push(Warning::Noise { other: twin.middle.cell.contender.clone() });
    }
    if run.stray > 0 {
        found.push(Warning::Stray { answers: run.stray });
    }
    found
}

/// The same cell of the same program in the other model, seen from the asynchronous one: once a pair is enough.
fn twin<'a>(cell: &Summary, all: &'a [Summary]) -> Option<&'a Summary> {
    let of = &cell.middle.cell;
    let (family, _) = of.contender.rsplit_once("async")?;
    let name = format!("{family}threaded");
    all.iter().find(|other| {
        let other = &other.middle.cell;
        other.contender == name && other.backends == of.backends && other.concurrency == of.concurrency
    })
}

/// The lowest percentile that sits on a retransmit step, if accept queues overflowed.
pub(super) fn syn_step(cell: &Summary) -> Option<Warning> {
    if cell.listen_overflows == 0 {
        return None;
    }
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
        Some(Warning::SynStep { percentile, step_seconds, overflows: cell.listen_overflows })
    })
}

fn step_below(microseconds: u64) -> Option<u32> {
    let seconds = microseconds as f64 / 1e6;
    SYN_STEPS_SECONDS.into_iter().find(|step| {
        let step = f64::from(*step);
        // The tolerance of the early steps, which lie a second apart, counts for the late ones too.
        (step..step + STEP_TOLERANCE.max(STEP_TOLERANCE * step).min(0.5)).contains(&seconds)
    })
}

#[cfg(test)]
mod tests {
    use super::super::results::Run;
    use super::super::results::tests::{cell, run};
    use super::super::summary::summarize;
    use super::*;

    fn found(runs: &[Run]) -> Vec<Warning> {
        let cells = summarize(runs);
        let last = cells.iter().find(|cell| cell.middle.cell == runs[0].cell).unwrap();
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
        slow.kernel.listen_overflows = 30;
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
        assert_eq!(warnings[3], Warning::Stray { answers: 3 });
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
