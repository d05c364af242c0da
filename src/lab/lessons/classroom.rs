//! What all lessons share: who is taught, what is asked and found, and how a small load is measured.

use std::path::Path;
use std::time::Duration;

use crate::app::cli::Failure;
use crate::lab::client::{self, Load, Tally};
use crate::lab::kernel::Kernel;
use crate::lab::lang::{Lang, parts, text};
use crate::lab::report::drawing::Drawing;
use crate::lab::report::svg::{Chart, Series};
use crate::lab::table::Table;
use crate::lab::testbed::{Contender, Testbed, TestbedError, TestbedOptions};
use crate::net::shutdown::Shutdown;

/// Who is taught, and how.
#[derive(Debug)]
pub(in crate::lab) struct Classroom<'c> {
    pub(in crate::lab) lang: Lang,
    pub(in crate::lab) quick: bool,
    /// Ask for a guess first, if there is a terminal to ask on.
    pub(in crate::lab) asks: bool,
    pub(in crate::lab) out: &'c Path,
    pub(in crate::lab) stop: &'c Shutdown,
}

/// What one lesson is made of.
#[derive(Debug)]
pub(super) struct Teaching {
    pub(super) question: fn(Lang) -> Question,
    /// The time of its loads, at most; true for `--quick`. The starts of its programs are not in it.
    pub(super) longest: fn(bool) -> Duration,
    pub(super) run: fn(&Classroom<'_>) -> Result<Findings, Failure>,
    /// The files to read after it, some with a name to look for: `src/app/defaults.rs (BACKLOG)`.
    pub(super) code: &'static [&'static str],
}

/// What is asked before the run.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) text: String,
    /// Three of them.
    pub(super) choices: Vec<String>,
}

impl Question {
    /// `choices` are separated as in [`parts`].
    pub(super) fn new(text: String, choices: &str) -> Question {
        Question { text, choices: parts(choices) }
    }
}

/// What a run showed.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) table: Table,
    /// Without a title: it gets the table's.
    pub(super) drawing: Drawing,
    /// The number of the choice that these figures confirm.
    pub(super) right: usize,
    pub(super) explanation: Vec<String>,
}

/// Figures over one setting: the table and the chart of a lesson are made from the same.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) title: String,
    /// The setting, and its values.
    pub(super) x_label: String,
    pub(super) x: Vec<String>,
    pub(super) y_label: String,
    pub(super) columns: Vec<Column>,
    pub(super) is_logarithmic: bool,
}

/// One figure for each value of the setting.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// `None` where no request was answered.
    pub(super) values: Vec<Option<f64>>,
    pub(super) decimals: usize,
    pub(super) drawn: Drawn,
}

/// How the chart shows a column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Drawn {
    Line,
    Bars,
    Not,
}

impl Figures {
    /// A lesson with these figures, and `notes` below their table.
    pub(super) fn findings(
        self,
        right: usize,
        explanation: Vec<String>,
        notes: Vec<String>,
        lang: Lang,
    ) -> Findings {
        let names = self.columns.iter().map(|column| column.name.clone());
        let row = |(number, x): (usize, &String)| {
            let value = |column: &Column| match column.values[number] {
                Some(value) => format!("{value:.*}", column.decimals),
                None => text!(lang, "none-answered"),
            };
            std::iter::once(x.clone()).chain(self.columns.iter().map(value)).collect()
        };
        let table = Table {
            title: self.title.clone(),
            header: std::iter::once(self.x_label.clone()).chain(names).collect(),
            rows: self.x.iter().enumerate().map(row).collect(),
            notes,
        };
        let drawn = |how: Drawn| self.columns.iter().filter(move |column| column.drawn == how);
        let bars = |column: &Column| Series::new(&column.name, column.values.clone());
        let chart = Chart {
            series: drawn(Drawn::Line)
                .map(|column| Series::new(&column.name, column.values.clone()))
                .collect(),
            bars: drawn(Drawn::Bars).next().map(bars),
            x_label: self.x_label,
            y_label: self.y_label,
            x: self.x,
            is_logarithmic: self.is_logarithmic,
            ..Chart::default()
        };
        Findings { table, drawing: chart.into(), right, explanation }
    }
}

impl From<TestbedError> for Failure {
    fn from(error: TestbedError) -> Failure {
        Failure::Runtime(error.to_string())
    }
}

/// A testbed with these flags for our balancer and for our back ends.
pub(super) fn testbed(
    contender: &Contender,
    backends: usize,
    extra: &[&str],
    backend_extra: &[&str],
) -> Result<Testbed, Failure> {
    let owned = |flags: &[&str]| flags.iter().map(|flag| (*flag).to_owned()).collect();
    let options = TestbedOptions {
        backends,
        extra: owned(extra),
        backend_extra: owned(backend_extra),
        ..TestbedOptions::default()
    };
    Ok(Testbed::start(contender, &options)?)
}

/// A load of `concurrency` clients on `/` for `limit`, with the reference response fetched first.
pub(super) fn load(testbed: &Testbed, concurrency: usize, limit: Duration) -> Result<Load, Failure> {
    let expected = client::fetch(testbed.backend_addresses[0], "/").map_err(Failure::Runtime)?;
    Ok(Load { concurrency, limit, ..Load::new(testbed.address, "/", expected) })
}

/// Runs a load and reads the counters of TCP before and after, on a system that has them.
pub(super) fn measure(load: &Load, stop: &Shutdown) -> Result<(Tally, Option<Kernel>), Failure> {
    let before = Kernel::now();
    let tally = client::run(load, stop).map_err(|error| Failure::Runtime(error.to_string()))?;
    Ok((tally, Kernel::now().zip(before).map(|(after, before)| after.since(&before))))
}

/// Requests of a load answered in a second.
pub(super) fn rate(tally: &Tally) -> f64 {
    tally.answered as f64 / tally.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// The longest of some times, with its unit; a sentence says so if there are none.
pub(super) fn longest(microseconds: Option<u64>, lang: Lang) -> String {
    microseconds.map_or_else(|| text!(lang, "none-answered"), |us| format!("{} ms", milliseconds(us)))
}

/// Microseconds as milliseconds for people.
pub(super) fn milliseconds(microseconds: u64) -> String {
    format!("{:.1}", microseconds as f64 / 1000.0)
}
