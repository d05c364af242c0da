//! What a grid showed, in words.
//!
//! Contract: each sentence is made from the figures of the runs, and is left out where they do not
//! show it; none is written before the run.

use super::client::Faults;
use super::lang::{Lang, text};
use super::published;
use super::results::Results;
use super::summary::{Cells, Summary, median};
use super::tables::balancer_cpu_us;
use super::warnings;

/// The sentences, most general first.
pub(super) fn findings(results: &Results, cells: &Cells, lang: Lang) -> Vec<String> {
    let grid = Grid { cells, names: cells.contenders(), lang };
    let cores = results.machine.cores;
    let mut found = vec![checked(results, lang)];
    found.extend(faults(&grid));
    found.extend(python(&grid));
    found.extend(peers(&grid));
    found.extend(models(&grid));
    found.extend(more_servers(&grid, cores));
    found.extend(overflows(&grid));
    found.extend(beside_2021(&grid));
    found.extend(cpu(&grid));
    found.extend(client(&grid, cores));
    found
}

struct Grid<'g> {
    cells: &'g Cells,
    names: Vec<&'g str>,
    lang: Lang,
}

/// How many times the one is of the other, over several cells.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ratio {
    low: f64,
    middle: f64,
    high: f64,
}

impl Ratio {
    fn of(ratios: Vec<f64>) -> Option<Ratio> {
        let low = ratios.iter().copied().reduce(f64::min)?;
        let high = ratios.iter().copied().reduce(f64::max)?;
        Some(Ratio { low, middle: median(ratios)?, high })
    }

    /// `1.05 times (0.98 to 1.12)`; of one cell `1.05 times`.
    fn text(&self, lang: Lang) -> String {
        let (low, middle, high) = (times(self.low), times(self.middle), times(self.high));
        match low == high {
            true => text!(lang, "times", middle),
            false => text!(lang, "times-range", middle, low, high),
        }
    }
}

fn times(ratio: f64) -> String {
    if ratio < 9.95 { format!("{ratio:.2}") } else { format!("{ratio:.0}") }
}

impl Grid<'_> {
    /// The highest concurrency of the grid: in the course's, 10.
    fn busiest(&self) -> usize {
        self.cells.concurrencies().into_iter().next_back().unwrap_or(0)
    }

    /// The cells of `name` at the highest concurrency, one for each number of back ends.
    fn at_busiest(&self, name: &str) -> impl Iterator<Item = &Summary> {
        let busiest = self.busiest();
        self.cells.of_contender(name).filter(move |cell| cell.cell().concurrency == busiest)
    }

    /// Rates of `name` as multiples of those of `other`, at the highest concurrency.
    fn ratio(&self, name: &str, other: &str) -> Option<Ratio> {
        let ratios = self.at_busiest(name).filter_map(|cell| {
            let other = self.cells.find(other, cell.cell().backends, cell.cell().concurrency)?;
            (other.rate() > 0.0).then(|| cell.rate() / other.rate())
        });
        Ratio::of(ratios.collect())
    }
}

fn checked(results: &Results, lang: Lang) -> String {
    let answered: u64 = results.runs.iter().map(|run| run.answered).sum();
    let failed: u64 = results.runs.iter().map(|run| run.faults.total()).sum();
    let runs = results.runs.len();
    match results.settings.client.as_str() {
        "own" => text!(lang, "checked", answered, runs, failed),
        tool => text!(lang, "checked-by-tool", answered, runs, tool, failed),
    }
}

/// Which contenders' requests failed, and how.
fn faults(grid: &Grid<'_>) -> Vec<String> {
    let sentence = |name: &&str| {
        let mut all = Faults::default();
        grid.cells.of_contender(name).for_each(|cell| all.add(&cell.faults));
        let faults = all.sentence();
        (all.total() > 0).then(|| text!(grid.lang, "faults-of-contender", name = *name, faults))
    };
    grid.names.iter().filter_map(sentence).collect()
}

/// Our balancers over our servers, compared with the Python balancers over the Python servers.
fn python(grid: &Grid<'_>) -> Vec<String> {
    let concurrency = grid.busiest();
    let pairs = ["python", "course"].into_iter().flat_map(|family| [(family, "threaded"), (family, "async")]);
    let sentence = |(family, model): (&str, &str)| {
        let other = format!("{family}-{model}");
        let ratio = grid.ratio(model, &other)?;
        let (times, low) = (ratio.text(grid.lang), times(ratio.low));
        Some(text!(grid.lang, "beside-python", concurrency, model, times, other, low))
    };
    pairs.filter_map(sentence).collect()
}

fn peers(grid: &Grid<'_>) -> Vec<String> {
    let concurrency = grid.busiest();
    let sentence = |peer: &str| {
        let ratio = |name| Some(format!("`{name}` {}", grid.ratio(name, peer)?.text(grid.lang)));
        let ratios: Vec<String> = ["threaded", "async"].into_iter().filter_map(ratio).collect();
        let ratios = (!ratios.is_empty()).then(|| ratios.join(", "))?;
        Some(text!(grid.lang, "beside-peer", peer, concurrency, ratios))
    };
    ["haproxy", "nginx", "apache"].into_iter().filter_map(sentence).collect()
}

/// The two models compared with each other, cell by cell.
fn models(grid: &Grid<'_>) -> Option<String> {
    let (mut draws, mut threaded_ahead, mut async_ahead) = (0, 0, 0);
    for looped in grid.cells.of_contender("async") {
        let (backends, concurrency) = (looped.cell().backends, looped.cell().concurrency);
        let Some(threaded) = grid.cells.find("threaded", backends, concurrency) else { continue };
        if looped.is_draw(threaded) {
            draws += 1;
        } else if looped.rate() > threaded.rate() {
            async_ahead += 1;
        } else {
            threaded_ahead += 1;
        }
    }
    let cells = draws + threaded_ahead + async_ahead;
    (cells > 0).then(|| text!(grid.lang, "models", cells, draws, async_ahead, threaded_ahead))
}

/// The most servers compared with the fewest.
fn more_servers(grid: &Grid<'_>, cores: usize) -> Option<String> {
    let counts = grid.cells.backends();
    let (few, many) = (*counts.first()?, *counts.last()?);
    let concurrency = grid.busiest();
    let ratio = |name: &&str| {
        let few = grid.cells.find(name, few, concurrency)?.rate();
        let many = grid.cells.find(name, many, concurrency)?.rate();
        (few > 0.0).then(|| format!("`{name}` {}", grid.lang.figure(&times(many / few))))
    };
    let ratios = grid.names.iter().filter_map(ratio).collect::<Vec<_>>().join(", ");
    (few < many && !ratios.is_empty())
        .then(|| text!(grid.lang, "more-servers", many, few, concurrency, ratios, cores))
}

/// Where accept queues overflowed, and where they did not.
fn overflows(grid: &Grid<'_>) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut without = Vec::new();
    for name in &grid.names {
        let all = grid.cells.of_contender(name).count();
        let full = grid.cells.of_contender(name).filter(|cell| cell.listen_overflows > Some(0));
        let full: Vec<&Summary> = full.collect();
        if full.is_empty() {
            without.push(format!("`{name}`"));
            continue;
        }
        let sum: u64 = full.iter().filter_map(|cell| cell.listen_overflows).sum();
        let steps = full.iter().filter(|cell| warnings::syn_step(cell).is_some()).count();
        let cells = full.len();
        sentences.push(text!(grid.lang, "overflows", name = *name, sum, cells, all, steps));
    }
    if sentences.is_empty() {
        return sentences;
    }
    if !without.is_empty() {
        sentences.push(text!(grid.lang, "no-overflows", names = without.join(", ")));
    }
    sentences.push(text!(grid.lang, "counted-for-the-machine"));
    sentences
}

fn beside_2021(grid: &Grid<'_>) -> Vec<String> {
    let lang = grid.lang;
    let sentence = |name: &str| {
        let ratio = |cell: &Summary| {
            let of = cell.cell();
            Some(cell.rate() / published::rate(of.is_async, of.backends, of.concurrency)?)
        };
        let ratio = Ratio::of(grid.cells.of_contender(name).filter_map(ratio).collect())?;
        let range = match (times(ratio.low), times(ratio.high)) {
            (low, high) if low == high => low,
            (low, high) => text!(lang, "range", low, high),
        };
        Some(match name.contains('-') {
            true => text!(lang, "python-beside-2021", name, range),
            false => text!(lang, "ours-beside-2021", name, range),
        })
    };
    ["threaded", "async", "python-threaded", "python-async"].into_iter().filter_map(sentence).collect()
}

/// CPU time of the balancers, cheapest first.
fn cpu(grid: &Grid<'_>) -> Option<String> {
    let of = |name: &&str| {
        let times = grid.at_busiest(name).filter_map(|cell| balancer_cpu_us(&cell.middle)).collect();
        median(times).filter(|time| *time > 0.0).map(|time| (time, (*name).to_owned()))
    };
    let mut times: Vec<(f64, String)> = grid.names.iter().filter_map(of).collect();
    times.sort_by(|one, other| one.0.total_cmp(&other.0));
    let list =
        times.iter().map(|(time, name)| format!("`{name}` {time:.0} µs")).collect::<Vec<_>>().join(", ");
    (!list.is_empty()).then(|| text!(grid.lang, "balancer-cpu", concurrency = grid.busiest(), list))
}

/// The client's own share: it runs on the same cores.
fn client(grid: &Grid<'_>, cores: usize) -> Option<String> {
    let share = |cell: &&Summary| cell.middle.client_share;
    let most = grid.cells.iter().max_by(|one, other| share(one).total_cmp(&share(other)))?;
    let (name, backends, concurrency) =
        (&most.cell().contender, most.cell().backends, most.cell().concurrency);
    let percent = format!("{:.0}", most.middle.client_share * 100.0);
    (most.middle.client_share > 0.0)
        .then(|| text!(grid.lang, "client-share", percent, cores, name, backends, concurrency))
}

#[cfg(test)]
mod tests {
    use super::super::kernel::Processes;
    use super::super::machine::Machine;
    use super::super::results::tests::{cell, overflows, run, settings};
    use super::super::results::{Run, SCHEMA};
    use super::*;

    fn told(runs: Vec<Run>, lang: Lang) -> Vec<String> {
        let cells = Cells::of(&runs);
        let machine = Machine { cores: 2, ..Machine::default() };
        findings(&Results { schema: SCHEMA, machine, settings: settings(), runs }, &cells, lang)
    }

    fn has(told: &[String], text: &str) -> bool {
        told.iter().any(|sentence| sentence.contains(text))
    }

    #[test]
    fn the_ratio_to_python_is_that_of_the_busiest_cells() {
        let mut runs = Vec::new();
        for (backends, ours, python) in [(1, 9000.0, 500.0), (2, 8000.0, 1000.0), (3, 9000.0, 900.0)] {
            runs.push(run(cell("async", backends, 10), 0, ours));
            runs.push(run(cell("python-async", backends, 10), 0, python));
            // Of no account: not the busiest.
            runs.push(run(cell("async", backends, 2), 0, 1.0));
            runs.push(run(cell("python-async", backends, 2), 0, 1.0));
        }
        let english = told(runs.clone(), Lang::En);
        assert!(
            has(
                &english,
                "At concurrency 10 `async` over our web servers answers 10 times (8.00 to 18) as many"
            ),
            "{english:#?}"
        );
        assert!(has(&english, "at least 8.00 times in each cell"), "{english:#?}");
        assert!(has(&english, "3 servers instead of 1 at concurrency 10") && has(&english, "share 2 cores"));
        assert!(has(&told(runs, Lang::Id), "sedikitnya 8,00 kali lipat"));
    }

    #[test]
    fn what_was_not_measured_is_not_spoken_of() {
        let english = told(vec![run(cell("async", 1, 7), 0, 100.0)], Lang::En);
        assert_eq!(english.len(), 2, "what was checked and the client's share: {english:#?}");
        assert!(english[0].starts_with("10000 requests were answered in 1 runs, each body compared"));
        assert!(english[0].ends_with("0 failed."));
    }

    #[test]
    fn faults_overflows_and_peers_are_named() {
        let mut python = run(cell("python-threaded", 1, 10), 0, 300.0);
        python.faults.reset = 4;
        python.kernel = overflows(31);
        python.total.p99_us = 1_020_000;
        let mut ours = run(cell("threaded", 1, 10), 0, 6000.0);
        ours.balancer = Some(Processes { cpu_seconds: 0.9, ..Processes::default() });
        let english = told(vec![python, ours, run(cell("haproxy", 1, 10), 0, 5000.0)], Lang::En);
        for text in [
            "4 failed.",
            "Failed requests of `python-threaded`: 4 reset.",
            "Compared with `haproxy` at concurrency 10, requests a second: `threaded` 1.20 times as many.",
            "`python-threaded`: accept queues overflowed 31 times in 1 of 1 cells; in 1 of them",
            "No accept queue overflowed with `threaded`, `haproxy`.",
            "Listen overflows are counted by the kernel for the whole machine",
            "Compared with 2021 `threaded` answers 1227 times",
            "for a request at concurrency 10: `threaded` 90 µs.",
            "at most 20 % of one of 2 cores",
        ] {
            assert!(has(&english, text), "{text}: {english:#?}");
        }
    }

    #[test]
    fn overflows_that_no_percentile_shows_explain_nothing() {
        let mut python = run(cell("python-async", 1, 10), 0, 300.0);
        python.kernel = overflows(31);
        let english = told(vec![python], Lang::En);
        assert!(has(
            &english,
            "no percentile sits on a SYN retransmit there, so the overflows do not explain"
        ));
        assert!(!has(&english, "in 0 of them") && !has(&english, "is the backlog"), "{english:#?}");
    }

    #[test]
    fn the_models_are_compared_beyond_their_noise() {
        let runs = |name: &str, backends, rates: [f64; 3]| {
            rates
                .into_iter()
                .enumerate()
                .map(|(n, rate)| run(cell(name, backends, 10), n, rate))
                .collect::<Vec<_>>()
        };
        let all = [
            runs("threaded", 1, [900.0, 1000.0, 1100.0]),
            runs("async", 1, [950.0, 1050.0, 1060.0]),
            runs("threaded", 2, [900.0, 1000.0, 1100.0]),
            runs("async", 2, [1990.0, 2000.0, 2010.0]),
        ];
        let english = told(all.concat(), Lang::En);
        assert!(
            has(
                &english,
                "of 2 cells 1 differ by less than the runs of one do; `async` is ahead in 1, `threaded` in 0"
            ),
            "{english:#?}"
        );
    }
}
