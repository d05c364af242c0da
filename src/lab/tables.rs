//! The tables of a grid: the course's, one for each contender, with the figures of 2021 beside today's;
//! all contenders side by side; and what a request costs.
//!
//! Contract: every figure here is also in the saved runs; a cell that was not measured is a dash.

use super::kernel::Processes;
use super::lang::{Lang, parts, text};
use super::published;
use super::results::Run;
use super::summary::{Cells, Summary, is_peer, median};
use super::table::{DASH, Table, number};
use super::warnings::{self, Warning};

/// The course's tables.
pub(super) fn course_tables(cells: &Cells, lang: Lang) -> Vec<Table> {
    let table = |contender: &str| Table {
        title: text!(lang, "table-title", contender),
        header: parts(&text!(lang, "table-columns")),
        rows: cells.of_contender(contender).map(course_row).collect(),
        notes: notes(contender, cells, lang),
    };
    cells.contenders().into_iter().map(table).collect()
}

fn course_row(cell: &Summary) -> Vec<String> {
    let (run, of) = (&cell.middle, cell.cell());
    let published =
        if is_peer(&of.contender) { None } else { published::rate(of.is_async, of.backends, of.concurrency) };
    vec![
        of.backends.to_string(),
        of.concurrency.to_string(),
        run.complete().to_string(),
        run.faults.non_2xx.to_string(),
        format!("{:.2}", cell.rate()),
        number(run.milliseconds(), 3),
        format!("{:.0} %", cell.spread() * 100.0),
        format!("{:.1}", run.total.p99_us as f64 / 1000.0),
        number(published, 2),
        number(published.map(|rate| cell.rate() / rate), 1),
    ]
}

/// A sentence for each thing to notice; one for all cells where many say the same.
fn notes(contender: &str, all: &Cells, lang: Lang) -> Vec<String> {
    let found: Vec<(&Summary, Vec<Warning>)> =
        all.of_contender(contender).map(|cell| (cell, warnings::find(cell, all))).collect();
    let mut notes = Vec::new();
    let mut common = Vec::new();
    for (is_kind, sentence) in common_kinds(lang) {
        let count = found.iter().filter(|(_, warnings)| warnings.iter().any(is_kind)).count();
        if count > ALIKE {
            common.push(is_kind);
            notes.push(text!(lang, "note-common", count, of = found.len(), sentence));
        }
    }
    for (cell, warnings) in &found {
        let (backends, concurrency) = (cell.cell().backends, cell.cell().concurrency);
        let own = warnings.iter().filter(|warning| !common.iter().any(|is_kind| is_kind(warning)));
        notes.extend(own.map(|warning| {
            text!(lang, "note-of-cell", backends, concurrency, sentence = warning.sentence(lang))
        }));
    }
    notes
}

/// Cells that may say the same before one sentence says it for all of them.
const ALIKE: usize = 3;

type Kind = fn(&Warning) -> bool;

/// What is said of many cells at once; causes and faults keep their own sentences and figures.
fn common_kinds(lang: Lang) -> [(Kind, String); 3] {
    [
        (|warning| matches!(warning, Warning::Spread { .. }), text!(lang, "common-spread")),
        (|warning| matches!(warning, Warning::Noise { .. }), text!(lang, "common-noise")),
        (|warning| matches!(warning, Warning::Stray { .. }), text!(lang, "common-stray")),
    ]
}

/// Requests a second, one table for each concurrency: a row for each contender, a column for each
/// number of back ends, and the rows of 2021 below.
pub(super) fn side_by_side(cells: &Cells, lang: Lang) -> Vec<Table> {
    cells.concurrencies().into_iter().map(|concurrency| rates(cells, concurrency, lang)).collect()
}

fn rates(cells: &Cells, concurrency: usize, lang: Lang) -> Table {
    let backends = cells.backends();
    let row = |name: &str, rate: &dyn Fn(usize) -> Option<f64>| {
        let rates = backends.iter().map(|count| rate(*count));
        std::iter::once(name.to_owned()).chain(rates.map(rounded)).collect::<Vec<_>>()
    };
    let measured = |name: &str| row(name, &|count| cells.find(name, count, concurrency).map(Summary::rate));
    let mut rows: Vec<_> = cells.contenders().into_iter().map(measured).collect();
    for (is_async, name) in [(false, "2021 threaded"), (true, "2021 async")] {
        let published = row(name, &|count| published::rate(is_async, count, concurrency));
        if published[1..].iter().any(|rate| *rate != DASH) {
            rows.push(published);
        }
    }
    let header = std::iter::once("load balancer".to_owned()).chain(backends.iter().map(usize::to_string));
    let title = text!(lang, "side-by-side-title", concurrency);
    Table { title, header: header.collect(), rows, notes: Vec::new() }
}

/// What a request costs: a row for each contender and concurrency, the median over all numbers of
/// back ends.
pub(super) fn costs(cells: &Cells, lang: Lang) -> Table {
    let mut rows = Vec::new();
    for name in cells.contenders() {
        for concurrency in cells.concurrencies() {
            let at = |cell: &&Summary| cell.cell().concurrency == concurrency;
            let own: Vec<&Summary> = cells.of_contender(name).filter(at).collect();
            if !own.is_empty() {
                rows.push(cost_row(name, concurrency, &own));
            }
        }
    }
    let is_measured = cells.iter().all(|cell| cell.middle.kernel.is_some() && cell.middle.balancer.is_some());
    let notes = if is_measured { Vec::new() } else { vec![text!(lang, "not-measured-here")] };
    let header = parts(&text!(lang, "cost-columns"));
    Table { title: text!(lang, "cost-title"), header, rows, notes }
}

fn cost_row(name: &str, concurrency: usize, cells: &[&Summary]) -> Vec<String> {
    let middle = |value: fn(&Run) -> Option<f64>| {
        median(cells.iter().filter_map(|cell| value(&cell.middle)).collect())
    };
    let sum = |value: fn(&Summary) -> Option<u64>| {
        let sum: Option<u64> = cells.iter().map(|cell| value(cell)).sum();
        sum.map_or_else(|| DASH.to_owned(), |sum| sum.to_string())
    };
    let share = middle(|run| (run.client_share > 0.0).then_some(run.client_share * 100.0));
    vec![
        name.to_owned(),
        concurrency.to_string(),
        number(middle(balancer_cpu_us), 0),
        number(middle(|run| cpu_us(run, run.back_ends)), 0),
        number(middle(switches), 1),
        number(middle(|run| Some(run.balancer?.memory_kib as f64 / 1024.0)), 1),
        // A client that does not measure these times has counted none.
        number(middle(|run| (run.connect.count > 0).then_some(run.connect.p50_us as f64)), 0),
        number(middle(|run| (run.first_byte.count > 0).then_some(run.first_byte.p50_us as f64)), 0),
        number(middle(|run| (run.total.count > 0).then_some(run.total.p50_us as f64 / 1000.0)), 2),
        number(middle(|run| (run.total.count > 0).then_some(run.total.p99_us as f64 / 1000.0)), 1),
        sum(|cell| cell.listen_overflows),
        sum(|cell| cell.retransmits),
        share.map_or_else(|| DASH.to_owned(), |share| format!("{share:.0} %")),
    ]
}

/// Microseconds of CPU time of the balancer's own processes for each request.
pub(super) fn balancer_cpu_us(run: &Run) -> Option<f64> {
    cpu_us(run, run.balancer)
}

fn cpu_us(run: &Run, processes: Option<Processes>) -> Option<f64> {
    per_request(run, processes?.cpu_seconds * 1e6)
}

/// How often a thread of the balancer left its core.
fn switches(run: &Run) -> Option<f64> {
    let balancer = run.balancer?;
    per_request(run, (balancer.voluntary_switches + balancer.involuntary_switches) as f64)
}

fn per_request(run: &Run, sum: f64) -> Option<f64> {
    (run.complete() > 0).then(|| sum / run.complete() as f64)
}

/// A rate without decimals that say nothing.
fn rounded(rate: Option<f64>) -> String {
    number(rate, usize::from(rate.is_some_and(|rate| rate < 100.0)))
}

#[cfg(test)]
mod tests {
    use super::super::kernel::Kernel;
    use super::super::results::tests::{cell, overflows, run};
    use super::*;

    #[test]
    fn the_courses_columns_stand_beside_2021() {
        let cells = Cells::of(&[
            run(cell("async", 1, 10), 0, 3920.0),
            run(cell("threaded", 1, 2), 0, 756.24),
            run(cell("python-async", 1, 2), 0, 100.0),
            run(cell("haproxy", 1, 2), 0, 9000.0),
        ]);
        let tables = course_tables(&cells, Lang::En);
        let titles: Vec<&str> =
            tables.iter().map(|table| table.title.trim_start_matches("Load balancer: ")).collect();
        assert_eq!(titles, ["threaded", "async", "haproxy", "python-async"]);
        assert_eq!(
            tables[0].rows,
            [["1", "2", "10000", "0", "756.24", "1.322", "0 %", "2.0", "378.12", "2.0"]
                .map(str::to_owned)
                .to_vec()]
        );
        assert_eq!(tables[1].rows[0][9], "1000.0");
        assert_eq!(tables[2].rows[0][8..], ["-".to_owned(), "-".to_owned()], "not of the course");
    }

    #[test]
    fn what_stands_out_is_said_with_its_place() {
        let mut slow = run(cell("threaded", 3, 10), 0, 40.0);
        slow.total.p99_us = 1_010_000;
        slow.kernel = overflows(30);
        let cells = Cells::of(&[slow]);
        let english = &course_tables(&cells, Lang::En)[0];
        assert_eq!(
            english.notes,
            [
                "3 back ends, concurrency 10: p99 sits on the 1 s SYN retransmit, 30 listen overflows: backlog, not threads"
            ]
        );
        let indonesian = &course_tables(&cells, Lang::Id)[0];
        assert!(indonesian.notes[0].starts_with("3 server, konkurensi 10: p99 berada"));
        assert_eq!(indonesian.header[1], "konkurensi");
    }

    #[test]
    fn contenders_stand_above_each_other_and_above_2021() {
        let cells = Cells::of(&[
            run(cell("async", 1, 2), 0, 5000.0),
            run(cell("async", 2, 2), 0, 6000.0),
            run(cell("haproxy", 2, 2), 0, 7000.0),
            run(cell("python-async", 1, 2), 0, 50.0),
            run(cell("async", 1, 7), 0, 1.0),
        ]);
        let tables = side_by_side(&cells, Lang::En);
        assert_eq!(tables.len(), 2);
        assert_eq!(tables[0].header, ["load balancer", "1", "2"]);
        assert_eq!(tables[0].rows[0], ["async", "5000", "6000"]);
        assert_eq!(tables[0].rows[1], ["haproxy", "-", "7000"]);
        assert_eq!(tables[0].rows[2], ["python-async", "50.0", "-"]);
        assert_eq!(tables[0].rows[3], ["2021 threaded", "378", "444"]);
        assert_eq!(tables[1].rows.len(), 3, "2021 has no concurrency 7");
    }

    #[test]
    fn costs_are_those_of_one_request() {
        let mut one = run(cell("async", 1, 2), 0, 5000.0);
        let cpu = Processes { cpu_seconds: 0.5, voluntary_switches: 15_000, ..Processes::default() };
        one.balancer = Some(Processes { memory_kib: 2048, ..cpu });
        one.kernel = Some(Kernel { retransmits: 3, ..Kernel::default() });
        let table = costs(&Cells::of(&[one]), Lang::En);
        assert_eq!(table.header.len(), table.rows[0].len());
        assert_eq!(table.rows[0][..6], ["async", "2", "50", "0", "1.5", "2.0"]);
        assert_eq!(table.rows[0][6..], ["-", "-", "0.90", "2.0", "0", "3", "20 %"]);
        assert_eq!(costs(&Cells::of(&[one_without_times()]), Lang::Id).rows[0][12], "-");
    }

    #[test]
    fn what_a_system_does_not_tell_is_no_zero() {
        let one = Run { kernel: None, balancer: None, back_ends: None, ..one_without_times() };
        let table = costs(&Cells::of(&[one]), Lang::En);
        assert_eq!(table.rows[0][2..6], ["-", "-", "-", "-"]);
        assert_eq!(table.rows[0][10..], ["-", "-", "-"]);
        assert!(table.notes[0].contains("not measured"), "{:?}", table.notes);
    }

    fn one_without_times() -> Run {
        Run { client_share: 0.0, ..run(cell("async", 1, 2), 0, 5000.0) }
    }
}
