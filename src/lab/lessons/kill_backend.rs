//! Lesson: a back end is killed under load, and comes back.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use super::classroom::{Classroom, Findings, Question, Teaching, load, measure, testbed};
use crate::app::cli::Failure;
use crate::lab::bounds::TIMELINE_STEP;
use crate::lab::client::{Faults, Step};
use crate::lab::kernel::Processes;
use crate::lab::lang::{Lang, parts, text};
use crate::lab::report::svg::{Chart, Series};
use crate::lab::table::Table;
use crate::lab::testbed::Contender;

const BACKENDS: usize = 3;
const CONCURRENCY: usize = 10;
/// Two seconds with all back ends, two with one less, and the rest for it to come back: a back end
/// that failed gets no requests for 10 s or until a health check passes.
const KILL_AT: Duration = Duration::from_secs(2);
const RESTART_AT: Duration = Duration::from_secs(4);
const LIMIT: Duration = Duration::from_secs(18);
const QUICK_LIMIT: Duration = Duration::from_secs(6);
/// A process that has waited more often than this has done more than start.
const WORKING_SWITCHES: u64 = 200;

/// What to ask, to run, and to read after it.
pub(super) const TEACHING: Teaching = Teaching {
    question,
    longest: limit,
    run,
    code: &["src/balance/mod.rs", "src/protocol/relay/mod.rs", "src/balance/limits.rs (PASSIVE_FAILURES)"],
};

fn limit(quick: bool) -> Duration {
    if quick { QUICK_LIMIT } else { LIMIT }
}

fn question(lang: Lang) -> Question {
    let (backends, concurrency, seconds) = (BACKENDS, CONCURRENCY, KILL_AT.as_secs());
    let text = text!(lang, "kill-question", backends, concurrency, seconds);
    Question::new(text, &text!(lang, "kill-choices"))
}

/// What happened.
#[derive(Clone, Debug)]
struct Seen {
    timeline: Vec<Step>,
    faults: Faults,
    /// The restarted process did more than start; `None` where the system does not tell.
    is_back_at_work: Option<bool>,
}

fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let mut testbed = testbed(&Contender::Async, BACKENDS, &[], &[])?;
    let load = load(&testbed, CONCURRENCY, limit(room.quick))?;
    let seen = thread::scope(|scope| {
        let measured = scope.spawn(|| measure(&load, room.stop));
        thread::sleep(KILL_AT);
        testbed.kill_backend(0);
        thread::sleep(RESTART_AT - KILL_AT);
        let others: BTreeSet<u32> = testbed.backend_pids().into_iter().collect();
        testbed.restart_backend(0)?;
        let fresh: Vec<u32> =
            testbed.backend_pids().into_iter().filter(|pid| !others.contains(pid)).collect();
        let (tally, _) =
            measured.join().map_err(|_| Failure::Runtime("the client panicked".to_owned()))??;
        let is_back_at_work = Processes::now(&fresh).map(|used| used.voluntary_switches >= WORKING_SWITCHES);
        let timeline = whole_steps(tally.timeline, tally.elapsed);
        Ok::<Seen, Failure>(Seen { timeline, faults: tally.faults, is_back_at_work })
    })?;
    Ok(findings(&seen, room.lang))
}

/// The timeline without its last step if the run ended within it: what was counted in a part of a step is no rate.
fn whole_steps(mut timeline: Vec<Step>, elapsed: Duration) -> Vec<Step> {
    timeline.truncate(step_of(elapsed));
    timeline
}

/// The longest time without a response after the kill.
fn longest_gap(timeline: &[Step]) -> Duration {
    let after = timeline.get(step_of(KILL_AT)..).unwrap_or_default();
    let gaps = after.chunk_by(|one, next| (one.answered == 0) == (next.answered == 0));
    let longest = gaps.filter(|gap| gap[0].answered == 0).map(<[Step]>::len).max().unwrap_or(0);
    TIMELINE_STEP * longest as u32
}

fn step_of(time: Duration) -> usize {
    (time.as_millis() / TIMELINE_STEP.as_millis()) as usize
}

/// Requests answered in a second, on average between two times.
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
    let [before, without, after] = rates.map(|rate| format!("{rate:.0}"));
    let failed = seen.faults.total();
    let gap = longest_gap(timeline).as_millis() as u64;
    let classes = match failed {
        0 => text!(lang, "none"),
        _ => seen.faults.sentence(),
    };
    let rows = parts(&text!(lang, "kill-phases")).into_iter().zip([&before, &without, &after]);
    let rows = rows.map(|(phase, rate)| vec![phase, rate.clone()]).collect();
    let mut explanation = vec![
        text!(lang, "kill-figures", failed, classes, gap, before, without, after),
        text!(lang, "kill-cause"),
    ];
    explanation.extend(seen.is_back_at_work.map(|is_back| match is_back {
        true => text!(lang, "kill-back-at-work"),
        false => text!(lang, "kill-not-back-yet"),
    }));
    let right = match failed {
        0..=30 if gap <= 500 => 1,
        _ if gap > 500 => 2,
        _ => 0,
    };
    let header = vec![text!(lang, "kill-phase"), text!(lang, "requests-per-second")];
    let table = Table { title: text!(lang, "kill-title"), header, rows, notes: Vec::new() };
    Findings { table, drawing: chart(timeline, lang).into(), right, explanation }
}

fn chart(timeline: &[Step], lang: Lang) -> Chart {
    let step = TIMELINE_STEP.as_secs_f64();
    let answered = timeline.iter().map(|counted| Some(counted.answered as f64 / step)).collect();
    let faults = timeline.iter().map(|counted| Some(counted.faults as f64)).collect();
    Chart {
        x_label: text!(lang, "kill-seconds"),
        y_label: text!(lang, "requests-per-second"),
        x: (0..timeline.len()).map(|number| format!("{:.1}", number as f64 * step)).collect(),
        series: vec![Series::new(text!(lang, "kill-answered"), answered)],
        bars: Some(Series::new(text!(lang, "kill-failed"), faults)),
        marks: vec![
            (step_of(KILL_AT), text!(lang, "kill-killed")),
            (step_of(RESTART_AT), text!(lang, "kill-restarted")),
        ],
        ..Chart::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::report::drawing::Drawing;

    fn seen(killed: Step, faults: Faults) -> Seen {
        let up = Step { answered: 100, faults: 0 };
        let mut timeline = vec![up; 60];
        timeline[20..30].fill(killed);
        Seen { timeline, faults, is_back_at_work: Some(true) }
    }

    #[test]
    fn a_step_in_which_the_run_ended_is_no_rate() {
        let timeline = vec![Step { answered: 100, faults: 0 }; 61];
        assert_eq!(whole_steps(timeline.clone(), Duration::from_millis(6003)).len(), 60);
        assert_eq!(whole_steps(timeline, Duration::from_millis(6150)).len(), 61);
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
        let Drawing::Chart(chart) = &found.drawing else { panic!("a chart") };
        let marks: Vec<usize> = chart.marks.iter().map(|(number, _)| *number).collect();
        assert_eq!(marks.iter().map(|number| &chart.x[*number][..]).collect::<Vec<_>>(), ["2.0", "4.0"]);
        let good = findings(&seen(Step { answered: 90, faults: 0 }, Faults::default()), Lang::Id);
        assert_eq!(good.right, 1);
        assert!(good.explanation[0].contains("tidak ada"));
    }
}
