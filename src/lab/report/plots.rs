//! The plots of a grid: throughput and p99 over back ends, one chart for each concurrency.

use super::drawing::Plot;
use super::svg::{Chart, Series};
use crate::lab::lang::{Lang, text};
use crate::lab::published;
use crate::lab::summary::{Cells, Summary};

/// Requests a second.
pub(super) fn rates(cells: &Cells, lang: Lang) -> Vec<Plot> {
    cells.concurrencies().into_iter().map(|concurrency| rate(cells, concurrency, lang)).collect()
}

fn rate(cells: &Cells, concurrency: usize, lang: Lang) -> Plot {
    let mut chart = chart(cells, concurrency, lang, Summary::rate);
    for (is_async, model) in [(false, "threaded"), (true, "async")] {
        let published = |count: &usize| published::rate(is_async, *count, concurrency);
        let values: Vec<Option<f64>> = cells.backends().iter().map(published).collect();
        if values.iter().any(Option::is_some) {
            // In the colour of ours, because the two are to be compared.
            let like = chart.series.iter().position(|series| series.name == model);
            let name = format!("2021 {model}");
            chart.series.push(Series { is_dashed: true, like, ..Series::new(name, values) });
        }
    }
    chart.title = text!(lang, "rate-plot-title", concurrency);
    chart.y_label = text!(lang, "requests-per-second");
    Plot { file: format!("rate-{concurrency}.svg"), drawing: chart.into() }
}

/// Response times, the 99th percentile.
pub(super) fn times(cells: &Cells, lang: Lang) -> Vec<Plot> {
    let plot = |concurrency| {
        let title = text!(lang, "time-plot-title", concurrency);
        let chart = chart(cells, concurrency, lang, |cell| cell.middle.total.p99_us as f64 / 1000.0);
        let chart = Chart { title, y_label: "ms".to_owned(), ..chart };
        Plot { file: format!("p99-{concurrency}.svg"), drawing: chart.into() }
    };
    cells.concurrencies().into_iter().map(plot).collect()
}

fn chart(cells: &Cells, concurrency: usize, lang: Lang, value: impl Fn(&Summary) -> f64) -> Chart {
    let backends = cells.backends();
    let line = |contender: &str| {
        let at = |count: &usize| cells.find(contender, *count, concurrency).map(&value);
        Series::new(contender, backends.iter().map(at).collect())
    };
    Chart {
        x_label: text!(lang, "http-servers"),
        x: backends.iter().map(usize::to_string).collect(),
        series: cells.contenders().into_iter().map(line).collect(),
        is_logarithmic: true,
        ..Chart::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawing::Drawing;
    use super::*;
    use crate::lab::results::tests::{cell, run};

    #[test]
    fn each_concurrency_has_both_plots_and_2021_where_it_was_measured() {
        let runs = [
            run(cell("async", 1, 2), 0, 100.0),
            run(cell("async", 2, 2), 0, 120.0),
            run(cell("threaded", 1, 7), 0, 90.0),
        ];
        let cells = Cells::of(&runs);
        let (rates, times) = (rates(&cells, Lang::En), times(&cells, Lang::En));
        let files: Vec<&str> = rates.iter().chain(&times).map(|plot| plot.file.as_str()).collect();
        assert_eq!(files, ["rate-2.svg", "rate-7.svg", "p99-2.svg", "p99-7.svg"]);
        let [Drawing::Chart(first), Drawing::Chart(second)] =
            [&rates[0], &rates[1]].map(|plot| &plot.drawing)
        else {
            panic!("charts");
        };
        assert_eq!(first.x, ["1", "2"]);
        let names: Vec<&str> = first.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["threaded", "async", "2021 threaded", "2021 async"]);
        assert_eq!(second.series.len(), 2, "2021 has no concurrency 7");
    }
}
