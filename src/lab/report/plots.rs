//! The plots of a grid: throughput and p99 over back ends, one chart a concurrency.

use super::svg::{Chart, Series};
use crate::lab::comparison::{backends, concurrencies, find};
use crate::lab::lang::Lang;
use crate::lab::published;
use crate::lab::summary::Summary;
use crate::lab::tables::contenders;

/// A chart and the name of its file.
#[derive(Debug)]
pub(in crate::lab) struct Plot {
    pub(in crate::lab) file: String,
    pub(in crate::lab) chart: Chart,
}

/// All plots, throughput first.
pub(super) fn plots(cells: &[Summary], lang: Lang) -> Vec<Plot> {
    let concurrencies = concurrencies(cells);
    let rates = concurrencies.iter().map(|concurrency| rates(cells, *concurrency, lang));
    let times = concurrencies.iter().map(|concurrency| times(cells, *concurrency, lang));
    rates.chain(times).collect()
}

fn rates(cells: &[Summary], concurrency: usize, lang: Lang) -> Plot {
    let title = lang.pick(
        format!("Requests a second, concurrency {concurrency}"),
        format!("Permintaan per detik, konkurensi {concurrency}"),
    );
    let mut chart = chart(cells, concurrency, lang, Summary::rate);
    for (is_async, model) in [(false, "threaded"), (true, "async")] {
        let numbers = backends(cells);
        let values: Vec<Option<f64>> =
            numbers.iter().map(|count| published::rate(is_async, *count, concurrency)).collect();
        if values.iter().any(Option::is_some) {
            // In the colour of ours: the two are to be held against each other.
            let like = chart.series.iter().position(|series| series.name == model);
            let name = format!("2021 {model}");
            chart.series.push(Series { is_dashed: true, like, ..Series::new(name, values) });
        }
    }
    let y_label = lang.pick("requests/s", "permintaan/dtk").to_owned();
    Plot { file: format!("rate-{concurrency}.svg"), chart: Chart { title, y_label, ..chart } }
}

fn times(cells: &[Summary], concurrency: usize, lang: Lang) -> Plot {
    let title = lang.pick(
        format!("Response time, 99th percentile, concurrency {concurrency}"),
        format!("Waktu jawab, persentil ke-99, konkurensi {concurrency}"),
    );
    let chart = chart(cells, concurrency, lang, |cell| cell.middle.total.p99_us as f64 / 1000.0);
    Plot { file: format!("p99-{concurrency}.svg"), chart: Chart { title, y_label: "ms".to_owned(), ..chart } }
}

fn chart(cells: &[Summary], concurrency: usize, lang: Lang, value: impl Fn(&Summary) -> f64) -> Chart {
    let numbers = backends(cells);
    let line = |contender: &str| {
        let at = |count: &usize| find(cells, contender, *count, concurrency).map(&value);
        Series::new(contender, numbers.iter().map(at).collect())
    };
    Chart {
        x_label: lang.pick("HTTP servers", "server HTTP").to_owned(),
        x: numbers.iter().map(usize::to_string).collect(),
        series: contenders(cells).into_iter().map(line).collect(),
        is_logarithmic: true,
        ..Chart::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::results::tests::{cell, run};
    use crate::lab::summary::summarize;

    #[test]
    fn each_concurrency_has_both_plots_and_2021_where_it_was_measured() {
        let runs = [
            run(cell("async", 1, 2), 0, 100.0),
            run(cell("async", 2, 2), 0, 120.0),
            run(cell("threaded", 1, 7), 0, 90.0),
        ];
        let plots = plots(&summarize(&runs), Lang::En);
        let files: Vec<&str> = plots.iter().map(|plot| plot.file.as_str()).collect();
        assert_eq!(files, ["rate-2.svg", "rate-7.svg", "p99-2.svg", "p99-7.svg"]);
        let first = &plots[0].chart;
        assert_eq!(first.x, ["1", "2"]);
        let names: Vec<&str> = first.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["threaded", "async", "2021 threaded", "2021 async"]);
        assert_eq!(plots[1].chart.series.len(), 2, "2021 has no concurrency 7");
    }
}
