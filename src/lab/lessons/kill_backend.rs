//! Lesson: a back end is killed under load, and comes back.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use super::{Classroom, Findings, Question, measure, plan, stand, texts};
use crate::app::cli::Failure;
use crate::lab::bounds::TIMELINE_STEP;
use crate::lab::client::{Faults, Step};
use crate::lab::kernel::Processes;
use crate::lab::lang::Lang;
use crate::lab::report::svg::{Chart, Series};
use crate::lab::stand::Contender;
use crate::lab::tables::Table;

const BACKENDS: usize = 3;
const CONCURRENCY: usize = 10;
/// A third of the time whole, a third with one back end less, and the rest for it to come back: a
/// back end that failed is left alone for 10 s or until a check finds it well.
const KILL_AT: Duration = Duration::from_secs(2);
const RESTART_AT: Duration = Duration::from_secs(4);
const LIMIT: Duration = Duration::from_secs(18);
const QUICK_LIMIT: Duration = Duration::from_secs(6);
/// Times that the new process waits, from which on it has done more than start.
const WORKING_SWITCHES: u64 = 200;

/// What to read next.
pub(super) const CODE: &[&str] =
    &["src/balance/mod.rs", "src/protocol/relay/mod.rs", "src/balance/limits.rs (PASSIVE_FAILURES)"];

pub(super) fn question(lang: Lang) -> Question {
    Question {
        text: lang.pick(
            format!("{BACKENDS} back ends, {CONCURRENCY} clients at once. After {} s one back end is killed. How many requests fail?", KILL_AT.as_secs()),
            format!("{BACKENDS} server, {CONCURRENCY} klien sekaligus. Setelah {} detik satu server dimatikan. Berapa permintaan gagal?", KILL_AT.as_secs()),
        ),
        choices: texts(lang.pick(
            ["a third, until it is back", "at most those in flight to it: a handful", "all, for a second or so"],
            ["sepertiga, sampai ia kembali", "paling banyak yang sedang berjalan: segenggam", "semua, selama sekitar sedetik"],
        )),
    }
}

/// What happened.
#[derive(Clone, Debug)]
struct Seen {
    timeline: Vec<Step>,
    faults: Faults,
    /// The restarted process did more than start.
    is_back_at_work: bool,
}

pub(super) fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let limit = if room.quick { QUICK_LIMIT } else { LIMIT };
    let mut stand = stand(&Contender::Async, BACKENDS, &[], &[])?;
    let plan = plan(&stand, "/", CONCURRENCY, limit)?;
    let seen = thread::scope(|scope| {
        let load = scope.spawn(|| measure(&plan, room.stop));
        thread::sleep(KILL_AT);
        stand.kill_backend(0);
        thread::sleep(RESTART_AT - KILL_AT);
        let others: BTreeSet<u32> = stand.backend_pids().into_iter().collect();
        stand.restart_backend(0)?;
        let fresh: Vec<u32> = stand.backend_pids().into_iter().filter(|pid| !others.contains(pid)).collect();
        let (tally, _) = load.join().map_err(|_| Failure::Runtime("the client broke off".to_owned()))??;
        let is_back_at_work = Processes::now(&fresh).voluntary_switches >= WORKING_SWITCHES;
        Ok::<Seen, Failure>(Seen { timeline: tally.timeline, faults: tally.faults, is_back_at_work })
    })?;
    Ok(findings(&seen, room.lang))
}

/// The longest time without an answer after the kill.
fn longest_gap(timeline: &[Step]) -> Duration {
    let after = timeline.iter().skip(step_of(KILL_AT));
    let (mut longest, mut current) = (0_u32, 0_u32);
    for step in after {
        current = if step.answered == 0 { current + 1 } else { 0 };
        longest = longest.max(current);
    }
    TIMELINE_STEP * longest
}

fn step_of(time: Duration) -> usize {
    (time.as_millis() / TIMELINE_STEP.as_millis()) as usize
}

/// Mean answers a second between two times.
fn mean(timeline: &[Step], from: Duration, to: Duration) -> f64 {
    let steps = &timeline[step_of(from).min(timeline.len())..step_of(to).min(timeline.len())];
    let answered: u64 = steps.iter().map(|step| step.answered).sum();
    answered as f64 / (steps.len().max(1) as f64 * TIMELINE_STEP.as_secs_f64())
}

fn findings(seen: &Seen, lang: Lang) -> Findings {
    let timeline = &seen.timeline;
    let end = TIMELINE_STEP * u32::try_from(timeline.len()).unwrap_or(u32::MAX);
    let rates = [
        mean(timeline, Duration::ZERO, KILL_AT),
        mean(timeline, KILL_AT, RESTART_AT),
        mean(timeline, RESTART_AT, end),
    ];
    let failed = seen.faults.total();
    let gap = longest_gap(timeline).as_millis();
    let title =
        lang.pick("A back end killed and restarted", "Server dimatikan dan dihidupkan lagi").to_owned();
    let phases =
        lang.pick(["three up", "one killed", "restarted"], ["tiga hidup", "satu mati", "hidup lagi"]);
    let rows = phases
        .iter()
        .zip(rates)
        .map(|(phase, rate)| vec![(*phase).to_owned(), format!("{rate:.0}")])
        .collect();
    let classes = match failed {
        0 => lang.pick("none", "tidak ada").to_owned(),
        _ => seen.faults.sentence(),
    };
    let mut explanation = vec![lang.pick(
        format!("Failed requests: {failed} ({}). The longest time without any answer after the kill was {gap} ms (in steps of \
                 100 ms). The rate was {:.0} a second before, {:.0} without the killed one, {:.0} after its return.",
                classes, rates[0], rates[1], rates[2]),
        format!("Permintaan gagal: {failed} ({}). Waktu terpanjang tanpa jawaban setelahnya {gap} ms (langkah 100 ms). Lajunya \
                 {:.0} per detik sebelumnya, {:.0} tanpa yang mati, {:.0} setelah ia kembali.",
                classes, rates[0], rates[1], rates[2]),
    )];
    explanation.push(lang.pick(
        "A connection that the dead back end refuses is tried on the next one: nothing was sent yet, so nobody is asked twice. \
         What was in flight on it is lost, and must be: a balancer that repeats what may have been done does it twice.",
        "Koneksi yang ditolak server mati dicoba pada server berikutnya: belum ada yang terkirim, jadi tidak ada yang diminta dua \
         kali. Yang sedang berjalan padanya hilang, dan memang harus: mengulang yang mungkin sudah dikerjakan berarti dua kali.",
    )
    .to_owned());
    explanation.push(
        if seen.is_back_at_work {
            lang.pick(
                "The restarted back end was back at work before the end of the run.",
                "Server yang dihidupkan lagi sudah bekerja sebelum putaran berakhir.",
            )
        } else {
            lang.pick(
                "The restarted back end had no work yet at the end of this run: after failures in a row it is left alone for a while.",
                "Server yang dihidupkan lagi belum mendapat kerja di akhir putaran: setelah gagal beruntun ia dibiarkan sejenak.",
            )
        }
        .to_owned(),
    );
    let right = match failed {
        0..=30 if gap <= 500 => 1,
        _ if gap > 500 => 2,
        _ => 0,
    };
    Findings {
        table: Table {
            title: title.clone(),
            header: texts(lang.pick(["phase", "requests/s"], ["babak", "permintaan/dtk"])).to_vec(),
            rows,
            notes: Vec::new(),
        },
        chart: chart(timeline, title, lang),
        right,
        explanation,
        code: CODE,
    }
}

fn chart(timeline: &[Step], title: String, lang: Lang) -> Chart {
    let per_second = 1.0 / TIMELINE_STEP.as_secs_f64();
    Chart {
        title,
        x_label: lang
            .pick("seconds (killed at 2, restarted at 4)", "detik (mati pada 2, hidup lagi pada 4)")
            .to_owned(),
        y_label: lang.pick("requests/s", "permintaan/dtk").to_owned(),
        x: (0..timeline.len())
            .map(|step| format!("{:.1}", step as f64 * TIMELINE_STEP.as_secs_f64()))
            .collect(),
        series: vec![Series::new(
            lang.pick("answered", "terjawab"),
            timeline.iter().map(|step| Some(step.answered as f64 * per_second)).collect(),
        )],
        bars: Some(Series::new(
            lang.pick("failed in 100 ms (right axis)", "gagal dalam 100 ms (sumbu kanan)"),
            timeline.iter().map(|step| Some(step.faults as f64)).collect(),
        )),
        is_logarithmic: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(killed: Step, faults: Faults) -> Seen {
        let up = Step { answered: 100, faults: 0 };
        let mut timeline = vec![up; 60];
        timeline[20..30].fill(killed);
        Seen { timeline, faults, is_back_at_work: true }
    }

    #[test]
    fn gap_and_rates_come_from_the_timeline() {
        let quiet = seen(Step { answered: 0, faults: 3 }, Faults { reset: 30, ..Faults::default() });
        assert_eq!(longest_gap(&quiet.timeline), Duration::from_secs(1));
        let found = findings(&quiet, Lang::En);
        assert_eq!(found.right, 2);
        assert!(
            found.explanation[0].contains("Failed requests: 30 (30 reset)")
                && found.explanation[0].contains("1000 ms")
        );
        assert_eq!(found.table.rows[0][1], "1000");
        assert_eq!(found.table.rows[1][1], "500");
        let good = findings(&seen(Step { answered: 90, faults: 0 }, Faults::default()), Lang::Id);
        assert_eq!(good.right, 1);
        assert!(good.explanation[0].contains("tidak ada"));
    }
}
