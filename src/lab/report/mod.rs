//! The report of a grid: a page, its plots, and the figures for programs.
//!
//! Contract: everything is made from [`Results`] alone, so a report can be made again from what is saved.

mod csv;
pub(super) mod drawing;
mod html;
mod markdown;
pub(super) mod page;
pub(super) mod plots;
pub(super) mod svg;
pub(super) mod timeline;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::client::Connects;
use super::findings::findings;
use super::lang::{Lang, text};
use super::results::{Cell, Results};
use super::summary::Cells;
use super::tables::{costs, course_tables, side_by_side};
use page::{Block, Page};

/// The report's page, in its folder.
const PAGE_FILE: &str = "report.html";
/// Everything, for programs, in its folder.
pub(super) const RESULTS_FILE: &str = "results.json";

/// Writes all files of the report into `folder`, and returns the path of the page.
pub(super) fn write(folder: &Path, results: &Results, remarks: &[String], lang: Lang) -> io::Result<PathBuf> {
    let file = folder.join(PAGE_FILE);
    write_page(&file, &page(results, remarks, lang))?;
    let mut json = serde_json::to_vec_pretty(results)?;
    json.push(b'\n');
    fs::write(folder.join(RESULTS_FILE), json)?;
    csv::write(&folder.join("results.csv"), &results.runs)?;
    Ok(file)
}

/// Writes a page, and its plots beside it.
pub(super) fn write_page(file: &Path, page: &Page) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder)?;
    write_plots(folder, page)?;
    fs::write(file, html::document(page))
}

/// Writes a page as Markdown, and its plots into the folder beside it that has its name.
pub(super) fn write_markdown(file: &Path, page: &Page) -> io::Result<()> {
    let no_name =
        || io::Error::new(io::ErrorKind::InvalidInput, text!(Lang::of_errors(), "error-no-file-name"));
    let name = file.file_stem().and_then(|name| name.to_str()).ok_or_else(no_name)?;
    let folder = file.with_file_name(name);
    if folder == file {
        return Err(no_name());
    }
    fs::create_dir_all(&folder)?;
    write_plots(&folder, page)?;
    fs::write(file, markdown::markdown(page, name))
}

/// Writes the plots of a page as files of their own.
fn write_plots(folder: &Path, page: &Page) -> io::Result<()> {
    page.plots().try_for_each(|plot| fs::write(folder.join(&plot.file), plot.drawing.svg().into_string()))
}

/// The page of a grid.
pub(super) fn page(results: &Results, remarks: &[String], lang: Lang) -> Page {
    let cells = Cells::of(&results.runs);
    let mut page = Page::new(text!(lang, "report-title"), lang);
    page.mark_debug_build(&results.machine);
    page.paragraph(about(results, lang));
    page.push(Block::Command(command(results)));
    remarks.iter().for_each(|remark| page.paragraph(remark));
    page.heading(text!(lang, "what-it-shows"));
    page.push(Block::List(findings(results, &cells, lang)));
    for (table, plot) in side_by_side(&cells, lang).into_iter().zip(plots::rates(&cells, lang)) {
        page.titled_table(table);
        page.push(Block::Plot(plot));
    }
    page.titled_table(costs(&cells, lang));
    page.paragraph(text!(lang, "how-costs-are-counted"));
    page.heading(text!(lang, "response-times"));
    plots::times(&cells, lang).into_iter().for_each(|plot| page.push(Block::Plot(plot)));
    course_tables(&cells, lang).into_iter().for_each(|table| page.titled_table(table));
    page.heading(text!(lang, "how-to-read"));
    page.paragraph(text!(lang, "how-to-read-rows"));
    page.paragraph(text!(lang, "how-to-read-cores"));
    page.paragraph(text!(lang, "how-to-read-closed-loop"));
    page.paragraph(text!(lang, "how-to-read-2021"));
    page.heading(text!(lang, "the-machine"));
    page.push(Block::Machine(results.machine.clone()));
    page
}

/// The command that measures the same again.
fn command(results: &Results) -> String {
    let settings = &results.settings;
    let list = |of: fn(&Cell) -> usize| {
        let numbers: BTreeSet<usize> = results.runs.iter().map(|run| of(&run.cell)).collect();
        numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
    };
    let has = |name: &str| results.runs.iter().any(|run| run.cell.contender.starts_with(name));
    let mut command = "cargo run --release --bin lab --".to_owned();
    for peer in ["python", "ladder", "haproxy", "nginx", "apache"].into_iter().filter(|peer| has(peer)) {
        command += &format!(" --peer {peer}");
    }
    if has("course") {
        command += " --python DIR";
    }
    command += &format!(
        " --requests {} --repeat {} --limit {}s --backends {} --concurrency {} --path {}",
        settings.requests,
        settings.repeats,
        settings.limit_seconds,
        list(|cell| cell.backends),
        list(|cell| cell.concurrency),
        settings.path
    );
    if settings.keep_alive {
        command += " --keep-alive";
    }
    if settings.connects == Connects::Serial {
        command += " --connects serial";
    }
    if settings.client != "own" {
        command += &format!(" --client {}", settings.client);
    }
    command + &format!(" --seed {}", settings.seed)
}

/// The experiment in one sentence.
pub(super) fn about(results: &Results, lang: Lang) -> String {
    let settings = &results.settings;
    let connections = match settings.keep_alive {
        true => text!(lang, "kept-connections"),
        false => text!(lang, "connection-per-request"),
    };
    let connections = match settings.connects {
        Connects::Overlapping => connections,
        serial => format!("{connections}, {}", serial.name(lang)),
    };
    text!(
        lang,
        "about",
        requests = settings.requests,
        path = &settings.path,
        connections,
        client = &settings.client,
        repeats = settings.repeats,
        seed = settings.seed.to_string(),
        seconds = settings.limit_seconds,
        date = &results.machine.date,
    )
}

#[cfg(test)]
mod tests {
    use super::super::machine::Machine;
    use super::super::results::SCHEMA;
    use super::super::results::tests::{cell, run, settings};
    use super::*;

    #[test]
    fn a_report_has_all_its_files_and_marks_a_debug_build() {
        let folder = tempfile::tempdir().unwrap();
        let results = Results {
            schema: SCHEMA,
            machine: Machine::this(),
            settings: settings(),
            runs: vec![run(cell("async", 1, 2), 0, 100.0), run(cell("threaded", 1, 2), 0, 90.0)],
        };
        for lang in [Lang::En, Lang::Id] {
            let page = write(folder.path(), &results, &["nginx: not installed".to_owned()], lang).unwrap();
            let html = fs::read_to_string(page).unwrap();
            assert_eq!(html.matches("<svg").count(), 2);
            assert!(html.contains("$ cargo run --release --bin lab -- --requests 10000 --repeat 3"));
            assert!(html.contains(&text!(lang, "debug-build")) && html.contains("nginx: not installed"));
            assert!(html.contains(&lang.figure("378.12")) && html.contains(&lang.figure("525.19")));
        }
        for file in ["results.csv", "results.json", "rate-2.svg", "p99-2.svg"] {
            assert!(folder.path().join(file).exists(), "{file}");
        }
        let page = page(&results, &[], Lang::En);
        write_markdown(&folder.path().join("lab-2026.md"), &page).unwrap();
        let markdown = fs::read_to_string(folder.path().join("lab-2026.md")).unwrap();
        for plot in ["rate-2.svg", "p99-2.svg"] {
            assert!(markdown.contains(&format!("](lab-2026/{plot})")), "{markdown}");
            assert!(folder.path().join("lab-2026").join(plot).exists(), "{plot}");
        }
        assert!(write_markdown(&folder.path().join("lab-2026"), &page).is_err());
        let json = fs::read_to_string(folder.path().join("results.json")).unwrap();
        assert_eq!(serde_json::from_str::<Results>(&json).unwrap(), results);
    }
}
