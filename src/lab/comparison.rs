//! All contenders in one table: who answers how much, and what it costs.
//!
//! Contract: no figure here is not also in the runs; a cell that was not measured is a dash.

use std::collections::BTreeSet;

use super::lang::Lang;
use super::published;
use super::results::Run;
use super::summary::{Summary, median};
use super::tables::{Table, contenders};

/// Requests a second, one table a concurrency: a row a contender, a column a number of back ends, and
/// the rows of 2021 below.
pub(super) fn side_by_side(cells: &[Summary], lang: Lang) -> Vec<Table> {
    concurrencies(cells).into_iter().map(|concurrency| rates(cells, concurrency, lang)).collect()
}

fn rates(cells: &[Summary], concurrency: usize, lang: Lang) -> Table {
    let backends = backends(cells);
    let place = |name: &str, backends: usize| find(cells, name, backends, concurrency);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for name in contenders(cells) {
        let rates = backends.iter().map(|count| place(name, *count).map(Summary::rate));
        rows.push(std::iter::once(name.to_owned()).chain(rates.map(shown)).collect());
    }
    for (is_async, name) in [(false, "2021 threaded"), (true, "2021 async")] {
        let rates: Vec<_> =
            backends.iter().map(|count| published::rate(is_async, *count, concurrency)).collect();
        if rates.iter().any(Option::is_some) {
            rows.push(std::iter::once(name.to_owned()).chain(rates.into_iter().map(shown)).collect());
        }
    }
    let title = lang.pick(
        format!("Requests a second at concurrency {concurrency}, by number of HTTP servers"),
        format!("Permintaan per detik pada konkurensi {concurrency}, menurut jumlah server HTTP"),
    );
    let header = std::iter::once("load balancer".to_owned()).chain(backends.iter().map(usize::to_string));
    Table { title, header: header.collect(), rows, notes: Vec::new() }
}

/// What a request costs: a row a contender and concurrency, the median over all numbers of back ends.
pub(super) fn costs(cells: &[Summary], lang: Lang) -> Table {
    let mut rows = Vec::new();
    for name in contenders(cells) {
        for concurrency in concurrencies(cells) {
            let own: Vec<&Summary> = cells
                .iter()
                .filter(|cell| {
                    cell.middle.cell.contender == name && cell.middle.cell.concurrency == concurrency
                })
                .collect();
            if !own.is_empty() {
                rows.push(cost_row(name, concurrency, &own));
            }
        }
    }
    let header = lang.pick(
        [
            "load balancer",
            "concurrency",
            "balancer CPU µs",
            "servers CPU µs",
            "switches",
            "memory MiB",
            "connect p50 µs",
            "first byte p50 µs",
            "p50 ms",
            "p99 ms",
            "listen overflows",
            "retransmits",
            "client's core",
        ],
        [
            "load balancer",
            "konkurensi",
            "CPU balancer µs",
            "CPU server µs",
            "pergantian",
            "memori MiB",
            "koneksi p50 µs",
            "bita pertama p50 µs",
            "p50 ms",
            "p99 ms",
            "luapan listen",
            "kirim ulang",
            "inti klien",
        ],
    );
    let title = lang.pick("What a request costs", "Biaya satu permintaan").to_owned();
    Table { title, header: header.map(str::to_owned).to_vec(), rows, notes: Vec::new() }
}

fn cost_row(name: &str, concurrency: usize, cells: &[&Summary]) -> Vec<String> {
    let middle = |value: fn(&Run) -> Option<f64>| {
        median(cells.iter().filter_map(|cell| value(&cell.middle)).collect())
    };
    // Where a client does not tell, the count is 0 and so would the time be.
    let time =
        |value: Option<f64>, digits: usize| value.map_or_else(dash, |value| format!("{value:.digits$}"));
    let sum = |value: fn(&Summary) -> u64| cells.iter().map(|cell| value(cell)).sum::<u64>().to_string();
    vec![
        name.to_owned(),
        concurrency.to_string(),
        time(middle(balancer_cpu_us), 0),
        time(middle(|run| a_request(run, run.back_ends.cpu_seconds * 1e6)), 0),
        time(middle(switches), 1),
        time(middle(|run| Some(run.balancer.memory_kib as f64 / 1024.0)), 1),
        time(middle(|run| (run.connect.count > 0).then_some(run.connect.p50_us as f64)), 0),
        time(middle(|run| (run.first_byte.count > 0).then_some(run.first_byte.p50_us as f64)), 0),
        time(middle(|run| (run.total.count > 0).then_some(run.total.p50_us as f64 / 1000.0)), 2),
        time(middle(|run| (run.total.count > 0).then_some(run.total.p99_us as f64 / 1000.0)), 1),
        sum(|cell| cell.listen_overflows),
        sum(|cell| cell.retransmits),
        time(middle(|run| (run.client_share > 0.0).then_some(run.client_share * 100.0)), 0)
            + if cells.iter().any(|cell| cell.middle.client_share > 0.0) { " %" } else { "" },
    ]
}

/// Microseconds of CPU time of the balancer's own processes for each request.
pub(super) fn balancer_cpu_us(run: &Run) -> Option<f64> {
    a_request(run, run.balancer.cpu_seconds * 1e6)
}

/// Times that a thread of the balancer left its core.
fn switches(run: &Run) -> Option<f64> {
    a_request(run, (run.balancer.voluntary_switches + run.balancer.involuntary_switches) as f64)
}

fn a_request(run: &Run, sum: f64) -> Option<f64> {
    (run.complete() > 0).then(|| sum / run.complete() as f64)
}

/// One cell.
pub(super) fn find<'c>(
    cells: &'c [Summary],
    contender: &str,
    backends: usize,
    concurrency: usize,
) -> Option<&'c Summary> {
    cells.iter().find(|cell| {
        let of = &cell.middle.cell;
        of.contender == contender && of.backends == backends && of.concurrency == concurrency
    })
}

/// All concurrencies that were measured, ascending.
pub(super) fn concurrencies(cells: &[Summary]) -> BTreeSet<usize> {
    cells.iter().map(|cell| cell.middle.cell.concurrency).collect()
}

/// All numbers of back ends that were measured, ascending.
pub(super) fn backends(cells: &[Summary]) -> BTreeSet<usize> {
    cells.iter().map(|cell| cell.middle.cell.backends).collect()
}

/// A rate as people read it: no decimals where they say nothing.
fn shown(rate: Option<f64>) -> String {
    match rate {
        None => dash(),
        Some(rate) if rate < 100.0 => format!("{rate:.1}"),
        Some(rate) => format!("{rate:.0}"),
    }
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::{cell, run};
    use super::super::summary::summarize;
    use super::*;

    #[test]
    fn contenders_stand_above_each_other_and_above_2021() {
        let cells = summarize(&[
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
        one.balancer.cpu_seconds = 0.5;
        one.balancer.voluntary_switches = 15_000;
        one.balancer.memory_kib = 2048;
        one.kernel.retransmits = 3;
        let table = costs(&summarize(&[one]), Lang::En);
        assert_eq!(table.header.len(), table.rows[0].len());
        assert_eq!(table.rows[0][..6], ["async", "2", "50", "0", "1.5", "2.0"]);
        assert_eq!(table.rows[0][6..], ["-", "-", "0.90", "2.0", "0", "3", "20 %"]);
        assert_eq!(costs(&summarize(&[one_without_times()]), Lang::Id).rows[0][12], "-");
    }

    fn one_without_times() -> Run {
        Run { client_share: 0.0, ..run(cell("async", 1, 2), 0, 5000.0) }
    }
}
