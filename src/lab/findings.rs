//! What a grid showed, in words.
//!
//! Contract: each sentence is made from the figures of the runs at hand and is left out where they
//! do not hold what it speaks of; none is written before the run.

use super::client::Faults;
use super::comparison::{backends, balancer_cpu_us, concurrencies, find};
use super::lang::Lang;
use super::published;
use super::results::Results;
use super::summary::{Summary, median};
use super::tables::contenders;
use super::warnings;

/// The sentences, most general first.
pub(super) fn findings(results: &Results, cells: &[Summary], lang: Lang) -> Vec<String> {
    let grid = Grid { cells, names: contenders(cells), lang };
    let mut found = vec![checked(results, lang)];
    found.extend(faults(&grid));
    found.extend(python(&grid));
    found.extend(peers(&grid));
    found.extend(models(&grid));
    found.extend(more_servers(&grid, results.machine.cores));
    found.extend(overflows(&grid));
    found.extend(beside_2021(&grid));
    found.extend(cpu(&grid));
    found.extend(client(&grid, results.machine.cores));
    found
}

struct Grid<'g> {
    cells: &'g [Summary],
    names: Vec<&'g str>,
    lang: Lang,
}

/// How many times as much the one is of the other, over several cells.
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
        if low == high {
            return lang.pick(format!("{middle} times"), format!("{middle} kali"));
        }
        lang.pick(format!("{middle} times ({low} to {high})"), format!("{middle} kali ({low} sampai {high})"))
    }
}

fn times(ratio: f64) -> String {
    if ratio < 9.95 { format!("{ratio:.2}") } else { format!("{ratio:.0}") }
}

impl Grid<'_> {
    /// The highest concurrency of the grid: in the course's, 10.
    fn busiest(&self) -> usize {
        concurrencies(self.cells).into_iter().next_back().unwrap_or(0)
    }

    /// The cells of `name` at the highest concurrency, one a number of back ends.
    fn at_busiest(&self, name: &str) -> impl Iterator<Item = &Summary> {
        let busiest = self.busiest();
        backends(self.cells).into_iter().filter_map(move |count| find(self.cells, name, count, busiest))
    }

    /// Rates of `name` as multiples of those of `other`, at the highest concurrency.
    fn ratio(&self, name: &str, other: &str) -> Option<Ratio> {
        let ratios = self.at_busiest(name).filter_map(|cell| {
            let of = &cell.middle.cell;
            let other = find(self.cells, other, of.backends, of.concurrency)?;
            (other.rate() > 0.0).then(|| cell.rate() / other.rate())
        });
        Ratio::of(ratios.collect())
    }

    fn of<'c>(&'c self, name: &'c str) -> impl Iterator<Item = &'c Summary> {
        self.cells.iter().filter(move |cell| cell.middle.cell.contender == name)
    }
}

fn checked(results: &Results, lang: Lang) -> String {
    let answered: u64 = results.runs.iter().map(|run| run.answered).sum();
    let (runs, client) = (results.runs.len(), &results.settings.client);
    let failed: u64 = results.runs.iter().map(|run| run.faults.total()).sum();
    match client.as_str() {
        "own" => lang.pick(
            format!("{answered} requests were answered in {runs} runs, each body compared byte by byte with the back end's own; {failed} failed."),
            format!("{answered} permintaan terjawab dalam {runs} putaran, setiap isi dibandingkan bita demi bita dengan milik server; {failed} gagal."),
        ),
        tool => lang.pick(
            format!("{answered} requests were answered in {runs} runs of `{tool}`, which does not compare bodies; {failed} failed."),
            format!("{answered} permintaan terjawab dalam {runs} putaran `{tool}`, yang tidak membandingkan isi; {failed} gagal."),
        ),
    }
}

/// Who failed requests, and how.
fn faults(grid: &Grid<'_>) -> Vec<String> {
    let of = |name: &&str| {
        let mut all = Faults::default();
        grid.of(name).for_each(|cell| all.add(&cell.faults));
        (all.total() > 0).then(|| {
            grid.lang.pick(
                format!("Of `{name}` failed: {}.", all.sentence()),
                format!("Dari `{name}` gagal: {}.", all.sentence()),
            )
        })
    };
    grid.names.iter().filter_map(of).collect()
}

/// Our balancers over our servers, against the Python balancers over the Python servers.
fn python(grid: &Grid<'_>) -> Vec<String> {
    let busiest = grid.busiest();
    let pairs = ["python", "course"].into_iter().flat_map(|family| [(family, "threaded"), (family, "async")]);
    let sentence = |(family, model): (&str, &str)| {
        let other = format!("{family}-{model}");
        let ratio = grid.ratio(model, &other)?;
        let (text, low) = (ratio.text(grid.lang), times(ratio.low));
        Some(grid.lang.pick(
            format!("At concurrency {busiest} `{model}` over our web servers answers {text} as many requests a second as `{other}` over the Python web servers: at least {low} times in each cell."),
            format!("Pada konkurensi {busiest} `{model}` di atas server kami menjawab {text} permintaan per detik dibanding `{other}` di atas server Python: sedikitnya {low} kali di setiap sel."),
        ))
    };
    pairs.filter_map(sentence).collect()
}

fn peers(grid: &Grid<'_>) -> Vec<String> {
    let busiest = grid.busiest();
    let sentence = |peer: &str| {
        let ours: Vec<String> = ["threaded", "async"]
            .into_iter()
            .filter_map(|name| Some(format!("`{name}` {}", grid.ratio(name, peer)?.text(grid.lang))))
            .collect();
        let ours = (!ours.is_empty()).then(|| ours.join(", "))?;
        Some(grid.lang.pick(
            format!("Against `{peer}` at concurrency {busiest}, requests a second: {ours} as many."),
            format!("Dibanding `{peer}` pada konkurensi {busiest}, permintaan per detik: {ours}."),
        ))
    };
    ["haproxy", "nginx", "apache"].into_iter().filter_map(sentence).collect()
}

/// The two models against each other, cell by cell.
fn models(grid: &Grid<'_>) -> Option<String> {
    let (mut draws, mut threaded_ahead, mut async_ahead) = (0, 0, 0);
    for looped in grid.of("async") {
        let of = &looped.middle.cell;
        let Some(threaded) = find(grid.cells, "threaded", of.backends, of.concurrency) else { continue };
        let difference = looped.rate() - threaded.rate();
        // As the warnings have it: nothing is known of the noise of one run.
        if looped.runs > 1 && difference.abs() <= looped.noise().max(threaded.noise()) {
            draws += 1;
        } else if difference > 0.0 {
            async_ahead += 1;
        } else {
            threaded_ahead += 1;
        }
    }
    let cells = draws + threaded_ahead + async_ahead;
    (cells > 0).then(|| {
        grid.lang.pick(
            format!("`threaded` and `async`: of {cells} cells {draws} differ by less than the runs of one do; `async` is ahead in {async_ahead}, `threaded` in {threaded_ahead}."),
            format!("`threaded` dan `async`: dari {cells} sel, {draws} berselisih lebih kecil dari putaran satu sel; `async` unggul di {async_ahead}, `threaded` di {threaded_ahead}."),
        )
    })
}

/// The most servers against the fewest.
fn more_servers(grid: &Grid<'_>, cores: usize) -> Option<String> {
    let counts = backends(grid.cells);
    let (few, many) = (*counts.first()?, *counts.last()?);
    let busiest = grid.busiest();
    let ratio = |name: &&str| {
        let few = find(grid.cells, name, few, busiest)?.rate();
        let many = find(grid.cells, name, many, busiest)?.rate();
        (few > 0.0).then(|| format!("`{name}` {}", times(many / few)))
    };
    let ratios: Vec<String> = grid.names.iter().filter_map(ratio).collect();
    (few < many && !ratios.is_empty()).then(|| {
        let ratios = ratios.join(", ");
        grid.lang.pick(
            format!("{many} servers instead of {few} at concurrency {busiest}, times the requests a second: {ratios}. Client, balancer and servers share {cores} cores: more servers are more processes, not more cores."),
            format!("{many} server alih-alih {few} pada konkurensi {busiest}, kelipatan permintaan per detik: {ratios}. Klien, load balancer, dan server berbagi {cores} inti: lebih banyak server berarti lebih banyak proses, bukan inti."),
        )
    })
}

/// Where accept queues overflowed, and where they did not.
fn overflows(grid: &Grid<'_>) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut without = Vec::new();
    for name in &grid.names {
        let all = grid.of(name).count();
        let (mut cells, mut sum, mut steps) = (0, 0, 0);
        for cell in grid.of(name).filter(|cell| cell.listen_overflows > 0) {
            cells += 1;
            sum += cell.listen_overflows;
            steps += usize::from(warnings::syn_step(cell).is_some());
        }
        if cells == 0 {
            without.push(format!("`{name}`"));
            continue;
        }
        sentences.push(grid.lang.pick(
            format!("`{name}`: accept queues overflowed {sum} times in {cells} of {all} cells; in {steps} of them a percentile sits on a SYN retransmit. What looks slow there is the backlog."),
            format!("`{name}`: antrean listen meluap {sum} kali di {cells} dari {all} sel; di {steps} di antaranya sebuah persentil berada pada pengiriman ulang SYN. Yang tampak lambat di sana adalah backlog."),
        ));
    }
    if !sentences.is_empty() && !without.is_empty() {
        let without = without.join(", ");
        sentences.push(grid.lang.pick(
            format!("No accept queue overflowed with {without}."),
            format!("Tidak ada antrean yang meluap pada {without}."),
        ));
    }
    sentences
}

fn beside_2021(grid: &Grid<'_>) -> Vec<String> {
    let sentence = |name: &str| {
        let ratio = Ratio::of(
            grid.of(name)
                .filter_map(|cell| {
                    let of = &cell.middle.cell;
                    Some(cell.rate() / published::rate(of.is_async, of.backends, of.concurrency)?)
                })
                .collect(),
        )?;
        let span = match (times(ratio.low), times(ratio.high)) {
            (low, high) if low == high => low,
            (low, high) => grid.lang.pick(format!("{low} to {high}"), format!("{low} sampai {high}")),
        };
        let what = match name.contains('-') {
            true => grid.lang.pick(
                "the same shape of program, on another machine and system",
                "bentuk program yang sama, di mesin dan sistem lain",
            ),
            false => grid.lang.pick(
                "most where 2021 sat on connect retries",
                "terbanyak di sel yang pada 2021 menunggu percobaan ulang koneksi",
            ),
        };
        Some(grid.lang.pick(
            format!("Beside 2021 `{name}` answers {span} times as many requests a second: {what}."),
            format!("Dibanding 2021 `{name}` menjawab {span} kali permintaan per detik: {what}."),
        ))
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
    let busiest = grid.busiest();
    let list: Vec<String> = times.iter().map(|(time, name)| format!("`{name}` {time:.0} µs")).collect();
    (!list.is_empty()).then(|| {
        let list = list.join(", ");
        grid.lang.pick(
            format!("CPU time of the balancer alone for a request at concurrency {busiest}: {list}."),
            format!("Waktu CPU load balancer saja untuk satu permintaan pada konkurensi {busiest}: {list}."),
        )
    })
}

/// The client's own share: it sits on the same cores.
fn client(grid: &Grid<'_>, cores: usize) -> Option<String> {
    let share = |cell: &&Summary| cell.middle.client_share;
    let most = grid.cells.iter().max_by(|one, other| share(one).total_cmp(&share(other)))?;
    let of = &most.middle.cell;
    let percent = most.middle.client_share * 100.0;
    (percent > 0.0).then(|| {
        grid.lang.pick(
            format!("The client used at most {percent:.0} % of one of {cores} cores (`{}`, HTTP servers: {}, concurrency: {}).", of.contender, of.backends, of.concurrency),
            format!("Klien memakai paling banyak {percent:.0} % satu dari {cores} inti (`{}`, server HTTP: {}, konkurensi: {}).", of.contender, of.backends, of.concurrency),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::machine::Machine;
    use super::super::results::tests::{cell, run, settings};
    use super::super::results::{Run, SCHEMA};
    use super::super::summary::summarize;
    use super::*;

    fn told(runs: Vec<Run>, lang: Lang) -> Vec<String> {
        let cells = summarize(&runs);
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
        assert!(has(&told(runs, Lang::Id), "sedikitnya 8.00 kali"));
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
        python.kernel.listen_overflows = 31;
        python.total.p99_us = 1_020_000;
        let mut ours = run(cell("threaded", 1, 10), 0, 6000.0);
        ours.balancer.cpu_seconds = 0.9;
        let english = told(vec![python, ours, run(cell("haproxy", 1, 10), 0, 5000.0)], Lang::En);
        for text in [
            "4 failed.",
            "Of `python-threaded` failed: 4 reset.",
            "Against `haproxy` at concurrency 10, requests a second: `threaded` 1.20 times as many.",
            "`python-threaded`: accept queues overflowed 31 times in 1 of 1 cells; in 1 of them",
            "No accept queue overflowed with `threaded`, `haproxy`.",
            "Beside 2021 `threaded` answers 1227 times",
            "for a request at concurrency 10: `threaded` 90 µs.",
            "at most 20 % of one of 2 cores",
        ] {
            assert!(has(&english, text), "{text}: {english:#?}");
        }
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
