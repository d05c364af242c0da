//! The course's tables: the same columns, today's figures beside those of 2021.
//!
//! Contract: a [`Table`] is text without a form; the terminal, the page and the comparison of tests
//! are made from the same one.

use super::lang::Lang;
use super::published;
use super::summary::Summary;
use super::warnings::{self, Warning};

/// Rows under a heading, and sentences below them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Table {
    pub(super) title: String,
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    /// What stands out, cell by cell.
    pub(super) notes: Vec<String>,
}

impl Table {
    /// True if the first column is not of figures.
    pub(super) fn begins_with_names(&self) -> bool {
        self.rows.iter().any(|row| row.first().is_some_and(|cell| cell.parse::<f64>().is_err()))
    }
}

/// One table a contender.
pub(super) fn tables(cells: &[Summary], lang: Lang) -> Vec<Table> {
    contenders(cells).into_iter().map(|name| table(name, cells, lang)).collect()
}

/// Everyone who was measured, in the order of all tables and plots: ours first, then by family, and
/// within one `threaded` before `async`, as in the course.
pub(super) fn contenders(cells: &[Summary]) -> Vec<&str> {
    let mut names: Vec<&str> = cells.iter().map(|cell| cell.middle.cell.contender.as_str()).collect();
    names.sort_by_key(|name| (name.contains('-'), is_peer(name), name.contains("async"), *name));
    names.dedup();
    names
}

/// Programs that have no 2021 figures to be held against: they are not of the course.
fn is_peer(contender: &str) -> bool {
    !contender.ends_with("threaded") && !contender.ends_with("async")
}

fn table(contender: &str, all: &[Summary], lang: Lang) -> Table {
    let cells = || all.iter().filter(|cell| cell.middle.cell.contender == contender);
    let header = lang.pick(
        [
            "HTTP servers",
            "concurrency",
            "complete requests",
            "non-2xx",
            "requests/s",
            "ms per request across all",
            "spread",
            "p99 ms",
            "2021 requests/s",
            "ratio",
        ],
        [
            "server HTTP",
            "konkurensi",
            "permintaan selesai",
            "non-2xx",
            "permintaan/dtk",
            "ms per permintaan, semua",
            "sebaran",
            "p99 ms",
            "permintaan/dtk 2021",
            "rasio",
        ],
    );
    let title = lang.pick(format!("Load balancer: {contender}"), format!("Load balancer: {contender}"));
    Table {
        title,
        header: header.map(str::to_owned).to_vec(),
        rows: cells().map(row).collect(),
        notes: notes(&cells().collect::<Vec<_>>(), all, lang),
    }
}

fn row(cell: &Summary) -> Vec<String> {
    let run = &cell.middle;
    let of = &run.cell;
    let published =
        if is_peer(&of.contender) { None } else { published::rate(of.is_async, of.backends, of.concurrency) };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        of.backends.to_string(),
        of.concurrency.to_string(),
        run.complete().to_string(),
        run.faults.non_2xx.to_string(),
        format!("{:.2}", cell.rate()),
        or_dash(run.milliseconds().map(|time| format!("{time:.3}"))),
        format!("{:.0} %", cell.spread() * 100.0),
        format!("{:.1}", run.total.p99_us as f64 / 1000.0),
        or_dash(published.map(|rate| format!("{rate:.2}"))),
        or_dash(published.map(|rate| format!("{:.1}", cell.rate() / rate))),
    ]
}

/// A sentence for each thing that stands out; one for all cells where most of them say the same.
fn notes(cells: &[&Summary], all: &[Summary], lang: Lang) -> Vec<String> {
    let found: Vec<(&Summary, Vec<Warning>)> =
        cells.iter().map(|cell| (*cell, warnings::find(cell, all))).collect();
    let mut notes = Vec::new();
    let mut common = Vec::new();
    for (is_kind, english, indonesian) in COMMON {
        let count = found.iter().filter(|(_, warnings)| warnings.iter().any(is_kind)).count();
        if count > ALIKE {
            common.push(is_kind);
            let of = cells.len();
            notes.push(lang.pick(
                format!("{count} of {of} cells: {english}"),
                format!("{count} dari {of} sel: {indonesian}"),
            ));
        }
    }
    for (cell, warnings) in &found {
        let of = &cell.middle.cell;
        let place = lang.pick(
            format!("{} back end{}, concurrency {}", of.backends, plural(of.backends), of.concurrency),
            format!("{} server, konkurensi {}", of.backends, of.concurrency),
        );
        let own = warnings.iter().filter(|warning| !common.iter().any(|is_kind| is_kind(warning)));
        notes.extend(own.map(|warning| format!("{place}: {}", warning.sentence(lang))));
    }
    notes
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Cells that may say the same before one sentence says it for them.
const ALIKE: usize = 3;

type Kind = (fn(&Warning) -> bool, &'static str, &'static str);

/// What is said of many cells at once; causes and faults keep their own sentence and figures.
const COMMON: [Kind; 3] = [
    (
        |warning| matches!(warning, Warning::Spread { .. }),
        "their runs lie far apart; is something else busy on this machine?",
        "putarannya berjauhan; adakah yang lain sibuk di mesin ini?",
    ),
    (
        |warning| matches!(warning, Warning::Noise { .. }),
        "the two models differ by less than the runs of one; call them a draw",
        "selisih kedua model lebih kecil dari selisih antarputaran; anggap seri",
    ),
    (
        |warning| matches!(warning, Warning::Stray { .. }),
        "answers had bytes after their end",
        "jawaban membawa bita setelah akhirnya",
    ),
];

/// Columns of a heading before its next word goes on the next line.
const HEADING_COLUMNS: usize = 11;

/// The table as text, for a terminal or a file.
pub(super) fn draw(table: &Table) -> String {
    let mut drawn = comfy_table::Table::new();
    drawn.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    drawn.set_header(table.header.iter().map(|heading| folded(heading)));
    drawn.add_rows(&table.rows);
    for column in drawn.column_iter_mut() {
        column.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    let notes: String = table.notes.iter().map(|note| format!("  * {note}\n")).collect();
    format!("{}\n{drawn}\n{notes}", table.title)
}

/// A heading of several words is narrower as several lines, which need not be shorter than a figure.
fn folded(heading: &str) -> String {
    let mut folded = String::new();
    let mut used = 0;
    for word in heading.split(' ') {
        let length = word.chars().count();
        let fits = used > 0 && used + 1 + length <= HEADING_COLUMNS;
        if used > 0 {
            folded.push(if fits { ' ' } else { '\n' });
        }
        folded.push_str(word);
        used = if fits { used + 1 + length } else { length };
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::{cell, run};
    use super::super::summary::summarize;
    use super::*;

    #[test]
    fn the_courses_columns_stand_beside_2021() {
        let cells = summarize(&[
            run(cell("async", 1, 10), 0, 3920.0),
            run(cell("threaded", 1, 2), 0, 756.24),
            run(cell("python-async", 1, 2), 0, 100.0),
            run(cell("haproxy", 1, 2), 0, 9000.0),
        ]);
        let tables = tables(&cells, Lang::En);
        let titles: Vec<&str> = tables.iter().map(|table| table.title.as_str()).collect();
        assert_eq!(titles.map_names(), ["threaded", "async", "haproxy", "python-async"]);
        assert_eq!(
            tables[0].rows,
            [["1", "2", "10000", "0", "756.24", "1.322", "0 %", "2.0", "378.12", "2.0"]
                .map(str::to_owned)
                .to_vec()]
        );
        assert_eq!(tables[1].rows[0][9], "1000.0");
        assert_eq!(tables[2].rows[0][8..], ["-".to_owned(), "-".to_owned()], "not of the course");
        assert!(draw(&tables[0]).contains("378.12"));
        assert_eq!(folded("ms per request across all"), "ms per\nrequest\nacross all");
    }

    trait MapNames {
        fn map_names(&self) -> Vec<String>;
    }

    impl MapNames for Vec<&str> {
        fn map_names(&self) -> Vec<String> {
            self.iter().map(|title| title.replace("Load balancer: ", "")).collect()
        }
    }

    #[test]
    fn what_stands_out_is_said_with_its_place() {
        let mut slow = run(cell("threaded", 3, 10), 0, 40.0);
        slow.total.p99_us = 1_010_000;
        slow.kernel.listen_overflows = 30;
        let cells = summarize(&[slow]);
        let english = &tables(&cells, Lang::En)[0];
        assert_eq!(
            english.notes,
            [
                "3 back ends, concurrency 10: p99 sits on the 1 s SYN retransmit, 30 listen overflows: backlog, not threads"
            ]
        );
        let indonesian = &tables(&cells, Lang::Id)[0];
        assert!(indonesian.notes[0].starts_with("3 server, konkurensi 10: p99 berada"));
        assert_eq!(indonesian.header[1], "konkurensi");
        assert!(draw(english).contains("  * 3 back ends"));
    }
}
