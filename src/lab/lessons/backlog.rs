//! Lesson: a small backlog looks like a slow server.
//!
//! The course's balancers listened with backlogs of 1 and 5. Linux holds `backlog + 1` finished
//! handshakes; a client that comes when they are full is not refused: its SYN is dropped without a
//! message, and it sends another after a second.

use std::time::Duration;

use super::classroom::{
    Classroom, Column, Drawn, Figures, Findings, Question, Teaching, load, measure, milliseconds, rate,
};
use crate::app::cli::Failure;
use crate::lab::bounds::SLOW_CONNECT;
use crate::lab::client::Percentiles;
use crate::lab::lang::{Lang, parts, text};
use crate::lab::testbed::{Contender, Testbed, TestbedOptions};

const BACKLOGS: [u32; 6] = [1, 2, 5, 16, 128, 1024];
/// Clients that ask at once: more than the small backlogs hold, fewer than the large ones.
const CONCURRENCY: usize = 50;
const LIMIT: Duration = Duration::from_secs(4);
const QUICK_LIMIT: Duration = Duration::from_millis(2500);

/// One backlog's figures.
#[derive(Clone, Debug)]
struct Point {
    backlog: u32,
    rate: f64,
    total: Percentiles,
    /// Requests of a second and more.
    seconds_long: u64,
    overflows: u64,
}

/// What to ask, to run, and to read after it.
pub(super) const TEACHING: Teaching = Teaching {
    question,
    run,
    code: &[
        "src/net/listen.rs",
        "src/threaded/intake/acceptor.rs",
        "src/app/defaults.rs (BACKLOG)",
        "integration/python/lb_thread.py",
    ],
};

fn question(lang: Lang) -> Question {
    let text = text!(lang, "backlog-question", concurrency = CONCURRENCY);
    Question::new(text, &text!(lang, "backlog-choices"))
}

fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let limit = if room.quick { QUICK_LIMIT } else { LIMIT };
    let mut points = Vec::new();
    for backlog in BACKLOGS {
        let options = TestbedOptions { backends: 1, backlog: Some(backlog), ..TestbedOptions::default() };
        let testbed = Testbed::start(&Contender::Threaded, &options)?;
        let (tally, kernel) = measure(&load(&testbed, CONCURRENCY, limit)?, room.stop)?;
        points.push(Point {
            backlog,
            rate: rate(&tally),
            total: tally.total.percentiles(),
            seconds_long: tally.total.at_least(SLOW_CONNECT),
            overflows: kernel.listen_overflows,
        });
    }
    Ok(findings(&points, room.lang))
}

fn findings(points: &[Point], lang: Lang) -> Findings {
    let mut names = parts(&text!(lang, "backlog-columns")).into_iter();
    let mut column = |drawn, decimals, value: fn(&Point) -> f64| {
        let name = names.next().unwrap_or_default();
        Column { name, values: points.iter().map(value).collect(), decimals, drawn }
    };
    let columns = vec![
        column(Drawn::Line, 0, |point| point.rate),
        column(Drawn::Not, 1, |point| point.total.p50_us as f64 / 1000.0),
        column(Drawn::Line, 1, |point| point.total.p99_us as f64 / 1000.0),
        column(Drawn::Line, 1, |point| point.total.max_us as f64 / 1000.0),
        column(Drawn::Not, 0, |point| point.seconds_long as f64),
        column(Drawn::Bars, 0, |point| point.overflows as f64),
    ];
    let figures = Figures {
        title: text!(lang, "backlog-title"),
        x_label: "backlog".to_owned(),
        x: points.iter().map(|point| point.backlog.to_string()).collect(),
        y_label: format!("{}; ms", text!(lang, "requests-per-second")),
        columns,
        is_logarithmic: true,
    };
    figures.findings(1, explanation(points, lang), lang)
}

/// The backlog that overflowed most, compared with the largest.
fn explanation(points: &[Point], lang: Lang) -> Vec<String> {
    let worst = points.iter().max_by_key(|point| point.overflows);
    let (Some(worst), Some(largest)) = (worst, points.last()) else { return Vec::new() };
    if worst.overflows == 0 {
        return vec![text!(lang, "backlog-no-overflow")];
    }
    let whole = |rate: f64| format!("{rate:.0}");
    let slowest = |point: &Point| milliseconds(point.total.max_us);
    vec![
        text!(
            lang,
            "backlog-cause",
            backlog = worst.backlog,
            overflows = worst.overflows,
            long = worst.seconds_long,
            slowest = slowest(worst)
        ),
        text!(lang, "backlog-rate", rate = whole(worst.rate)),
        text!(
            lang,
            "backlog-large",
            backlog = largest.backlog,
            overflows = largest.overflows,
            slowest = slowest(largest),
            rate = whole(largest.rate)
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(backlog: u32, rate: f64, p99_us: u64, overflows: u64) -> Point {
        Point {
            backlog,
            rate,
            total: Percentiles { p99_us, max_us: p99_us, ..Percentiles::default() },
            seconds_long: 3,
            overflows,
        }
    }

    #[test]
    fn overflows_are_named_where_they_occurred() {
        let found = findings(&[point(1, 90.0, 1_040_000, 77), point(1024, 9000.0, 9000, 0)], Lang::En);
        assert!(
            found.explanation[0].contains("backlog 1, 77 handshakes")
                && found.explanation[0].contains("1040.0 ms")
        );
        assert!(found.explanation[2].contains("backlog 1024: 0 overflows"));
        assert_eq!(found.table.rows.len(), 2);
    }

    #[test]
    fn nothing_is_claimed_without_overflows() {
        let found = findings(&[point(1, 90.0, 9000, 0), point(1024, 90.0, 9000, 0)], Lang::En);
        assert!(
            found.explanation.len() == 1 && found.explanation[0].starts_with("No accept queue overflowed")
        );
    }
}
