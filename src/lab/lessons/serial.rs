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
use crate::lab::published::{self, Published};
use crate::lab::report::svg::{Chart, Series};
use crate::lab::results::model;
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
/// The slower of two single short runs is behind if it has less than this share of the faster one's rate. In a few
/// seconds some three connects wait, and one more or less is a third of the rate.
const DRAW_SHARE: f64 = 0.5;

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
    /// All connects one after the other, whether their requests were answered or not.
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
            connect_seconds: tally.every_connect.sum().as_secs_f64(),
            waited: tally.every_connect.at_least(SLOW_CONNECT) as f64
                / tally.every_connect.count().max(1) as f64,
        }
    }

    fn waited_percent(&self) -> String {
        percent(self.waited)
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
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
            point.waited_percent(),
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
            notes: vec![text!(lang, "serial-note")],
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
            waited = serial.waited_percent(),
        ));
    }
    if serial.iter().any(|point| point.waited > 0.0) {
        let rests = serial.iter().map(|point| (point.seconds - point.connect_seconds).max(0.0));
        let rest = format!("{:.2}", rests.fold(0.0, f64::max));
        explanation.push(text!(lang, "serial-cause", rest));
        explanation.extend(who_is_ahead(serial, lang));
    } else {
        explanation.push(text!(lang, "serial-nothing-waited"));
    }
    explanation.extend(ahead_in_2021(lang));
    explanation
}

/// Which of the two balancers is ahead in these runs, if one is.
fn who_is_ahead(serial: &[&Point], lang: Lang) -> Option<String> {
    let [one, other] = serial else { return None };
    let (ahead, behind) = if one.rate >= other.rate { (one, other) } else { (other, one) };
    let rate = |point: &Point| format!("{:.1}", point.rate);
    Some(match behind.rate > ahead.rate * DRAW_SHARE {
        true => text!(
            lang,
            "serial-draw",
            one = &one.contender,
            one_rate = rate(one),
            one_waited = one.waited_percent(),
            other = &other.contender,
            other_rate = rate(other),
            other_waited = other.waited_percent(),
        ),
        false => text!(
            lang,
            "serial-ahead",
            ahead = &ahead.contender,
            ahead_rate = rate(ahead),
            ahead_waited = ahead.waited_percent(),
            behind = &behind.contender,
            behind_rate = rate(behind),
            behind_waited = behind.waited_percent(),
        ),
    })
}

/// What ab's figures of the same cell say.
fn ahead_in_2021(lang: Lang) -> Option<String> {
    let cell = |is_async| published::find(is_async, BACKENDS, CONCURRENCY);
    let (threaded, looped) = (cell(false)?, cell(true)?);
    let (ahead, behind) = if threaded.rate >= looped.rate { (threaded, looped) } else { (looped, threaded) };
    let rate = |run: &Published| format!("{:.2}", run.rate);
    let refused = |run: &Published| percent(run.refused_share());
    Some(text!(
        lang,
        "serial-2021",
        servers = BACKENDS,
        concurrency = CONCURRENCY,
        ahead = model(ahead.is_async()),
        ahead_rate = rate(ahead),
        ahead_refused = refused(ahead),
        behind = model(behind.is_async()),
        behind_rate = rate(behind),
        behind_refused = refused(behind),
    ))
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
        assert_eq!((found.right, found.explanation.len()), (2, 5));
        assert!(found.explanation[1].contains("2000") && found.explanation[1].contains("7.9 s"));
        assert!(found.explanation[2].starts_with("One connect that waits"));
        assert!(found.explanation[2].contains("at most 0.10 s"), "what is left of 8.0 s beside 7.9");
        assert_eq!(found.table.rows[3][2..], ["5.8", "8.00", "7.90", "16.8 %"]);
        let quiet = findings(&points(1900.0, 0.0), Lang::En);
        assert_eq!(quiet.right, 0);
        assert!(quiet.explanation[2].starts_with("No connect waited"));
        assert_eq!(quiet.explanation.len(), 4);
    }

    /// Who is ahead is said of these runs by their own figures, and of 2021 by ab's.
    #[test]
    fn a_draw_is_called_one_and_2021_is_told_apart() {
        let mut points = points(5.0, 0.1);
        let draw = findings(&points, Lang::En).explanation;
        assert!(draw[3].starts_with("A draw here") && !draw[3].contains("ahead"), "{draw:?}");
        assert!(draw[4].contains("155.60") && draw[4].contains("14.38") && draw[4].contains("13.3 %"));
        points[1].rate = 20.0;
        let ahead = findings(&points, Lang::En).explanation;
        assert!(ahead[3].starts_with("Here `python-threaded` is ahead: 20.0"), "{ahead:?}");
        points[3].rate = 80.0;
        let ahead = findings(&points, Lang::Id).explanation;
        assert!(ahead[3].starts_with("Di sini `python-async` unggul: 80,0"), "{ahead:?}");
    }
}
