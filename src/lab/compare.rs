//! `lab compare`: two saved grids side by side, of two machines, two commits or two semesters.
//!
//! Contract: what differs in the machines and settings is said before any figure, because it may be the reason for
//! every other difference. A difference that is smaller than the runs of one cell are apart is called a draw.

use std::path::Path;

use super::lang::{Lang, parts, text};
use super::report::page::{Block, Page};
use super::results::{Results, Settings};
use super::summary::{Cells, Summary, median};
use super::table::{Table, number};

/// The page: what differs, what follows, every cell.
pub(super) fn page(files: [&Path; 2], results: [&Results; 2], lang: Lang) -> Page {
    let cells = results.map(|results| Cells::of(&results.runs));
    let mut page = Page::new(text!(lang, "compare-title"), lang);
    for (name, (file, results)) in ["A", "B"].into_iter().zip(files.iter().zip(results)) {
        let file = file.display().to_string();
        page.paragraph(text!(lang, "compare-file", name, file, date = &results.machine.date));
    }
    if let Some(debug) = results.iter().find(|results| results.machine.debug_build) {
        page.mark_debug_build(&debug.machine);
    }
    page.heading(text!(lang, "compare-differs"));
    let differing = differing(results, lang);
    page.push(match differing.rows.is_empty() {
        true => Block::Paragraph(text!(lang, "compare-same")),
        false => Block::Table(differing),
    });
    if !results[0].settings.compares_with(&results[1].settings) {
        page.paragraph(text!(lang, "compare-other-settings"));
    }
    let pairs = pairs(&cells);
    page.heading(text!(lang, "what-it-shows"));
    page.push(Block::List(findings(&cells, &pairs, lang)));
    page.titled_table(Table {
        title: text!(lang, "compare-cells"),
        header: parts(&text!(lang, "compare-columns")),
        rows: pairs.iter().map(|pair| row(pair, lang)).collect(),
        notes: Vec::new(),
    });
    page
}

/// A cell that both have: of A, of B. In the order of all tables.
type Pair<'c> = (&'c Summary, &'c Summary);

fn pairs(cells: &[Cells; 2]) -> Vec<Pair<'_>> {
    let of_b = |a: &Summary| cells[1].find(&a.cell().contender, a.cell().backends, a.cell().concurrency);
    let of_a = cells[0].contenders().into_iter().flat_map(|name| cells[0].of_contender(name));
    of_a.filter_map(|a| Some((a, of_b(a)?))).collect()
}

/// Rates of B as multiples of those of A.
fn ratio((a, b): &Pair<'_>) -> Option<f64> {
    (a.rate() > 0.0).then(|| b.rate() / a.rate())
}

/// What differs in the machine blocks, then in the settings.
fn differing(results: [&Results; 2], lang: Lang) -> Table {
    let rows = |results: &Results| {
        let mut rows = results.machine.rows();
        rows.extend(settings(&results.settings));
        rows
    };
    let both = rows(results[0]).into_iter().zip(rows(results[1]));
    let rows = both.filter(|((_, a), (_, b))| a != b).map(|((name, a), (_, b))| vec![name.to_owned(), a, b]);
    Table { header: parts(&text!(lang, "compare-differs-columns")), rows: rows.collect(), ..Table::default() }
}

/// The settings by the names of their flags.
fn settings(settings: &Settings) -> [(&'static str, String); 7] {
    [
        ("--requests", settings.requests.to_string()),
        ("--path", settings.path.clone()),
        ("--keep-alive", settings.keep_alive.to_string()),
        ("--connects", format!("{:?}", settings.connects).to_lowercase()),
        ("--client", settings.client.clone()),
        ("--limit", format!("{}s", settings.limit_seconds)),
        ("--repeat", settings.repeats.to_string()),
    ]
}

/// For each contender how B's rates are to A's; then what only one of them has.
fn findings(cells: &[Cells; 2], pairs: &[Pair<'_>], lang: Lang) -> Vec<String> {
    let mut found = Vec::new();
    for name in cells[0].contenders() {
        let own = || pairs.iter().filter(|(a, _)| a.cell().contender == name);
        let ratios: Vec<f64> = own().filter_map(ratio).collect();
        let Some(middle) = median(ratios.clone()) else { continue };
        let (low, high) =
            ratios.iter().fold((f64::MAX, 0.0_f64), |(low, high), r| (low.min(*r), high.max(*r)));
        let times = |ratio: f64| format!("{ratio:.2}");
        let (middle, low, high) = (times(middle), times(low), times(high));
        let draws = own().filter(|(a, b)| a.is_draw(b)).count();
        found.push(text!(lang, "compare-contender", name, middle, low, high, count = ratios.len(), draws));
    }
    for (name, own) in ["A", "B"].into_iter().zip(cells) {
        let only = own.iter().count() - pairs.len();
        if only > 0 {
            found.push(text!(lang, "compare-only", name, only));
        }
    }
    found
}

fn row(pair: &Pair<'_>, lang: Lang) -> Vec<String> {
    let (a, b) = pair;
    let p99 = |cell: &Summary| format!("{:.1}", cell.middle.total.p99_us as f64 / 1000.0);
    vec![
        a.cell().contender.clone(),
        a.cell().backends.to_string(),
        a.cell().concurrency.to_string(),
        format!("{:.1}", a.rate()),
        format!("{:.1}", b.rate()),
        number(ratio(pair), 2),
        if a.is_draw(b) { text!(lang, "compare-draw") } else { String::new() },
        p99(a),
        p99(b),
        (a.faults.total() + b.faults.total()).to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::client::Connects;
    use super::super::machine::Machine;
    use super::super::results::SCHEMA;
    use super::super::results::tests::{cell, run, settings};
    use super::*;

    fn results(cores: usize, rate: f64) -> Results {
        let machine = Machine { cores, cpu: "the same".to_owned(), ..Machine::default() };
        let runs = vec![run(cell("async", 1, 2), 0, rate), run(cell("threaded", cores, 2), 0, 1.0)];
        Results { schema: SCHEMA, machine, settings: settings(), runs }
    }

    fn told(a: &Results, b: &Results, lang: Lang) -> String {
        page([Path::new("a/results.json"), Path::new("b/results.json")], [a, b], lang).text()
    }

    #[test]
    fn what_differs_is_said_before_any_figure() {
        let text = told(&results(2, 4000.0), &results(8, 9000.0), Lang::En);
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
        assert!(at("cores") < at("2.25") && !text.contains("the same"));
        assert!(text.contains("`async`: B answers 2.25 times") && text.contains("in none of them"), "{text}");
        assert!(text.contains("1 cell is in A only") && text.contains("1 cell is in B only"), "{text}");
        assert!(told(&results(2, 1.0), &results(2, 1.0), Lang::Id).contains("tidak ada yang berbeda"));
    }

    #[test]
    fn other_settings_are_warned_of() {
        let a = results(2, 4000.0);
        let mut b = results(2, 4000.0);
        b.settings.connects = Connects::Serial;
        let text = told(&a, &b, Lang::En);
        assert!(text.contains("--connects") && text.contains("serial"), "{text}");
        assert!(text.contains("are not of the same experiment"), "{text}");
    }
}
