//! Lesson: a small backlog looks like a slow server.
//!
//! The course's programs listened with backlogs of 5 and 1. Linux holds `backlog + 1` finished
//! handshakes; a client that comes when they are full is not refused: its SYN is dropped without a
//! message, and it sends another after a second.

use std::time::Duration;

use super::classroom::{
    Classroom, Column, Drawn, Figures, Findings, Question, Teaching, load, longest, measure, rate,
};
use crate::app::cli::Failure;
use crate::lab::bounds::{CONCURRENCY, SLOW_CONNECT};
use crate::lab::lang::{Lang, text};
use crate::lab::testbed::{Contender, Testbed, TestbedOptions};

const BACKLOGS: [u32; 5] = [1, 2, 5, 16, 1024];
const QUICK_BACKLOGS: [u32; 3] = [1, 5, 1024];
/// Of each load: longer than the wait of a second that it is to show.
const LIMIT: Duration = Duration::from_millis(1600);

/// What one load showed.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    rate: f64,
    /// `None` if no request was answered.
    slowest_us: Option<u64>,
    /// Requests of a second and more.
    seconds_long: u64,
    overflows: u64,
}

/// One backlog, at each of the course's concurrencies.
#[derive(Clone, Copy, Debug)]
struct Row {
    backlog: u32,
    points: [Point; CONCURRENCY.len()],
}

impl Row {
    fn overflows(&self) -> u64 {
        self.points.iter().map(|point| point.overflows).sum()
    }

    /// The most clients.
    fn busiest(&self) -> Point {
        self.points[CONCURRENCY.len() - 1]
    }
}

/// What to ask, to run, and to read after it.
pub(super) const TEACHING: Teaching = Teaching {
    question,
    longest: |quick| LIMIT * (backlogs(quick).len() * CONCURRENCY.len()) as u32,
    run,
    code: &[
        "src/net/listen.rs",
        "src/threaded/intake/acceptor.rs",
        "src/app/defaults.rs (BACKLOG)",
        "integration/python/lb_thread.py",
    ],
};

fn backlogs(quick: bool) -> &'static [u32] {
    if quick { &QUICK_BACKLOGS } else { &BACKLOGS }
}

fn question(lang: Lang) -> Question {
    let [two, five, ten] = CONCURRENCY;
    let text = text!(lang, "backlog-question", two, five, ten);
    Question::new(text, &text!(lang, "backlog-choices"))
}

fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let mut rows = Vec::new();
    for &backlog in backlogs(room.quick) {
        let options = TestbedOptions { backends: 1, backlog: Some(backlog), ..TestbedOptions::default() };
        let testbed = Testbed::start(&Contender::Threaded, &options)?;
        let mut points = [Point::default(); CONCURRENCY.len()];
        for (point, concurrency) in points.iter_mut().zip(CONCURRENCY) {
            let (tally, kernel) = measure(&load(&testbed, concurrency, LIMIT)?, room.stop)?;
            *point = Point {
                rate: rate(&tally),
                slowest_us: tally.total.longest_us(),
                seconds_long: tally.total.at_least(SLOW_CONNECT),
                // It is there: this lesson is not taught without the counters.
                overflows: kernel.map_or(0, |kernel| kernel.listen_overflows),
            };
        }
        rows.push(Row { backlog, points });
    }
    Ok(findings(&rows, room.lang))
}

fn findings(rows: &[Row], lang: Lang) -> Findings {
    let mut columns = Vec::new();
    for (number, concurrency) in CONCURRENCY.into_iter().enumerate() {
        let column = |name: String, drawn, value: fn(&Point) -> Option<f64>| {
            let values = rows.iter().map(|row| value(&row.points[number])).collect();
            Column { name, values, decimals: 0, drawn }
        };
        columns.push(column(text!(lang, "backlog-rate-column", concurrency), Drawn::Not, |point| {
            Some(point.rate)
        }));
        let slowest = text!(lang, "backlog-slowest-column", concurrency);
        columns.push(column(slowest, Drawn::Line, |point| point.slowest_us.map(|us| us as f64 / 1000.0)));
    }
    columns.push(Column {
        name: text!(lang, "listen-overflows"),
        values: rows.iter().map(|row| Some(row.overflows() as f64)).collect(),
        decimals: 0,
        drawn: Drawn::Bars,
    });
    let figures = Figures {
        title: text!(lang, "backlog-title"),
        x_label: "backlog".to_owned(),
        x: rows.iter().map(|row| row.backlog.to_string()).collect(),
        y_label: text!(lang, "slowest-ms"),
        columns,
        is_logarithmic: true,
    };
    let (right, explanation) = explanation(rows, lang);
    figures.findings(right, explanation, vec![text!(lang, "counted-for-the-machine")], lang)
}

/// The choice that the figures confirm, and what they say: the backlog that overflowed most, compared with the
/// largest.
fn explanation(rows: &[Row], lang: Lang) -> (usize, Vec<String>) {
    let worst = rows.iter().max_by_key(|row| row.overflows());
    let (Some(worst), Some(largest)) = (worst, rows.last()) else { return (0, Vec::new()) };
    if worst.overflows() == 0 {
        return (2, vec![text!(lang, "backlog-no-overflow")]);
    }
    let whole = |rate: f64| format!("{rate:.0}");
    let slowest = |row: &Row| {
        let times = row.points.iter().filter_map(|point| point.slowest_us);
        longest(times.max(), lang)
    };
    let sentences = vec![
        text!(
            lang,
            "backlog-cause",
            backlog = worst.backlog,
            overflows = worst.overflows(),
            long = worst.points.iter().map(|point| point.seconds_long).sum::<u64>(),
            slowest = slowest(worst)
        ),
        match (worst.busiest().rate, largest.busiest().rate) {
            (rate, of_largest) if rate < of_largest => {
                text!(lang, "backlog-rate", rate = whole(rate), of_largest = whole(of_largest))
            }
            (rate, of_largest) => {
                text!(lang, "backlog-rate-hides", rate = whole(rate), of_largest = whole(of_largest))
            }
        },
        text!(
            lang,
            "backlog-large",
            backlog = largest.backlog,
            overflows = largest.overflows(),
            slowest = slowest(largest)
        ),
    ];
    let of_others = (largest.overflows() > 0).then(|| text!(lang, "backlog-of-others"));
    (1, sentences.into_iter().chain(of_others).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(backlog: u32, rate: f64, slowest_us: u64, overflows: u64) -> Row {
        let point = Point { rate, slowest_us: Some(slowest_us), seconds_long: overflows, overflows };
        Row {
            backlog,
            points: [Point { rate, slowest_us: Some(900), ..Point::default() }, Point::default(), point],
        }
    }

    #[test]
    fn overflows_are_named_where_they_occurred() {
        let found = findings(&[row(1, 90.0, 1_040_000, 77), row(1024, 9000.0, 9000, 0)], Lang::En);
        assert_eq!((found.right, found.table.rows.len()), (1, 2));
        assert!(found.explanation[0].contains("backlog 1, 77 handshakes"), "{:?}", found.explanation);
        assert!(found.explanation[0].contains("1040.0 ms"), "{:?}", found.explanation);
        assert!(found.explanation[1].contains("90 ") && found.explanation[1].contains("9000 "));
        assert!(found.explanation[2].contains("backlog 1024: 0 overflows"));
        assert!(found.table.notes[0].contains("the whole machine"));
        assert_eq!(found.table.rows[0], ["1", "90", "1", "0", "none answered", "90", "1040", "77"]);
    }

    #[test]
    fn what_the_figures_do_not_show_is_not_said() {
        let found = findings(&[row(1, 9100.0, 1_040_000, 77), row(1024, 9000.0, 9000, 5)], Lang::En);
        assert!(found.explanation[1].starts_with("The rate does not show it"), "{:?}", found.explanation);
        assert!(found.explanation[3].contains("whole machine"), "a large backlog that overflowed");
    }

    #[test]
    fn nothing_is_claimed_without_overflows() {
        let found = findings(&[row(1, 90.0, 9000, 0), row(1024, 90.0, 9000, 0)], Lang::En);
        assert_eq!((found.right, found.explanation.len()), (2, 1));
        assert!(found.explanation[0].starts_with("No accept queue overflowed"));
    }
}
