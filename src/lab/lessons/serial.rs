//! Lesson: the load tool can be the bottleneck.
//!
//! The course measured with `ab` on Windows, which waits inside each connect: one connect that waits for its retry
//! holds up all clients. The same programs are measured here by a client that goes on, and by one that waits.

use std::time::Duration;

use super::classroom::{Classroom, Findings, Question, Teaching, load, measure, rate, testbed};
use crate::app::cli::Failure;
use crate::lab::bounds::SLOW_CONNECT;
use crate::lab::client::{Connects, Load, Tally};
use crate::lab::lang::{Lang, parts, text};
use crate::lab::published;
use crate::lab::report::svg::{Chart, Series};
use crate::lab::table::Table;
use crate::lab::testbed::Contender;

/// The course's Python, whose accept queues are small.
const CONTENDERS: [Contender; 2] = [Contender::PythonThreaded, Contender::PythonAsync];
const BACKENDS: usize = 5;
const CONCURRENCY: usize = 10;
/// Of a load whose connects overlap, and of one whose connects are serial: that one needs some waits of a second.
const OVERLAPPING_LIMIT: Duration = Duration::from_secs(2);
const SERIAL_LIMIT: Duration = Duration::from_secs(7);
const QUICK_SERIAL_LIMIT: Duration = Duration::from_secs(4);

/// What to ask, to run, and to read after it.
pub(super) const TEACHING: Teaching = Teaching {
    question,
    longest: |quick| (OVERLAPPING_LIMIT + serial_limit(quick)) * CONTENDERS.len() as u32,
    run,
    code: &[
        "src/lab/client/slot.rs (wait_for_connect)",
        "src/lab/published.rs",
        "integration/python/listener.py",
    ],
};

const fn serial_limit(quick: bool) -> Duration {
    if quick { QUICK_SERIAL_LIMIT } else { SERIAL_LIMIT }
}

fn question(lang: Lang) -> Question {
    let text = text!(lang, "serial-question", servers = BACKENDS, concurrency = CONCURRENCY);
    Question::new(text, &text!(lang, "serial-choices"))
}

/// What one load showed.
#[derive(Clone, Debug)]
struct Point {
    contender: String,
    connects: Connects,
    rate: f64,
    seconds: f64,
    connect_seconds: f64,
    /// The share of connects that waited for a SYN retransmit.
    waited: f64,
}

impl Point {
    fn of(contender: &Contender, connects: Connects, tally: &Tally) -> Point {
        Point {
            contender: contender.to_string(),
            connects,
            rate: rate(tally),
            seconds: tally.elapsed.as_secs_f64(),
            connect_seconds: tally.connect.sum().as_secs_f64(),
            waited: tally.connect.at_least(SLOW_CONNECT) as f64 / tally.answered.max(1) as f64,
        }
    }
}

fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let mut points = Vec::new();
    for contender in CONTENDERS {
        let testbed = testbed(&contender, BACKENDS, &[], &[])?;
        for (connects, limit) in
            [(Connects::Overlapping, OVERLAPPING_LIMIT), (Connects::Serial, serial_limit(room.quick))]
        {
            let load = Load { connects, ..load(&testbed, CONCURRENCY, limit)? };
            let (tally, _) = measure(&load, room.stop)?;
            points.push(Point::of(&contender, connects, &tally));
        }
    }
    Ok(findings(&points, room.lang))
}

fn findings(points: &[Point], lang: Lang) -> Findings {
    let row = |point: &Point| {
        vec![
            point.contender.clone(),
            point.connects.name(lang),
            format!("{:.1}", point.rate),
            format!("{:.2}", point.seconds),
            format!("{:.2}", point.connect_seconds),
            format!("{:.1} %", point.waited * 100.0),
        ]
    };
    let of = |connects| points.iter().filter(move |point| point.connects == connects);
    let (overlapping, serial): (Vec<&Point>, Vec<&Point>) =
        (of(Connects::Overlapping).collect(), of(Connects::Serial).collect());
    let share =
        |(serial, overlapping): (&&Point, &&Point)| serial.rate / overlapping.rate.max(f64::MIN_POSITIVE);
    let share = serial.iter().zip(&overlapping).map(share).fold(0.0, f64::max);
    let right = if share < 0.1 { 2 } else { usize::from(share < 0.75) };
    let line = |connects: String, points: &[&Point]| {
        Series::new(connects, points.iter().map(|point| Some(point.rate)).collect())
    };
    Findings {
        table: Table {
            title: text!(lang, "serial-title"),
            header: parts(&text!(lang, "serial-columns")),
            rows: points.iter().map(row).collect(),
            notes: Vec::new(),
        },
        drawing: Chart {
            x_label: text!(lang, "load-balancer"),
            y_label: text!(lang, "requests-per-second"),
            x: overlapping.iter().map(|point| point.contender.clone()).collect(),
            series: vec![
                line(Connects::Overlapping.name(lang), &overlapping),
                line(Connects::Serial.name(lang), &serial),
                Series { is_dashed: true, ..of_2021() },
            ],
            is_logarithmic: true,
            ..Chart::default()
        }
        .into(),
        right,
        explanation: explanation(&overlapping, &serial, lang),
    }
}

/// The same cells of 2021.
fn of_2021() -> Series {
    let rates = CONTENDERS.map(|contender| published::rate(contender.is_async(), BACKENDS, CONCURRENCY));
    Series::new("2021", rates.to_vec())
}

fn explanation(overlapping: &[&Point], serial: &[&Point], lang: Lang) -> Vec<String> {
    let mut explanation = Vec::new();
    for (overlapping, serial) in overlapping.iter().zip(serial) {
        explanation.push(text!(
            lang,
            "serial-seen",
            name = &serial.contender,
            overlapping = format!("{:.0}", overlapping.rate),
            serial = format!("{:.1}", serial.rate),
            seconds = format!("{:.1}", serial.seconds),
            connects = format!("{:.1}", serial.connect_seconds),
            waited = format!("{:.1} %", serial.waited * 100.0),
        ));
    }
    explanation.push(match serial.iter().any(|point| point.waited > 0.0) {
        true => text!(lang, "serial-cause"),
        false => text!(lang, "serial-nothing-waited"),
    });
    explanation.push(text!(lang, "serial-2021"));
    explanation
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(serial_rate: f64, waited: f64) -> Vec<Point> {
        let point = |contender: &Contender, connects, rate, waited| Point {
            contender: contender.to_string(),
            connects,
            rate,
            seconds: 8.0,
            connect_seconds: 7.9,
            waited,
        };
        let pair = |contender: &Contender| {
            [
                point(contender, Connects::Overlapping, 2000.0, 0.01),
                point(contender, Connects::Serial, serial_rate, waited),
            ]
        };
        CONTENDERS.iter().flat_map(pair).collect()
    }

    #[test]
    fn the_tool_is_found_to_be_the_bottleneck_where_connects_waited() {
        let found = findings(&points(5.8, 0.168), Lang::En);
        assert_eq!((found.right, found.explanation.len()), (2, 4));
        assert!(found.explanation[1].contains("2000") && found.explanation[1].contains("7.9 s"));
        assert!(found.explanation[2].starts_with("One connect that waits"));
        assert_eq!(found.table.rows[3][2..], ["5.8", "8.00", "7.90", "16.8 %"]);
        let quiet = findings(&points(1900.0, 0.0), Lang::En);
        assert_eq!(quiet.right, 0);
        assert!(quiet.explanation[2].starts_with("No connect waited"));
    }
}
