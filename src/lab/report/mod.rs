//! The report of a grid: a page, its plots, and the figures for programs.
//!
//! Contract: everything is made from [`Results`] alone, so a report can be made again from what is saved.

mod csv;
pub(super) mod html;
mod markdown;
pub(super) mod page;
pub(super) mod plots;
pub(super) mod svg;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::comparison::{costs, side_by_side};
use super::findings::findings;
use super::lang::Lang;
use super::results::Results;
use super::summary::summarize;
use super::tables::tables;
use page::{Block, Page};
use plots::plots;

/// The report's page, in its folder.
pub(super) const PAGE_FILE: &str = "report.html";
/// Everything, for programs, in its folder.
pub(super) const RESULTS_FILE: &str = "results.json";

/// Writes all files of the report into `folder`, and tells which is the page.
pub(super) fn write(folder: &Path, results: &Results, remarks: &[String], lang: Lang) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let page = page(results, remarks, lang);
    write_plots(folder, &page)?;
    let mut json = serde_json::to_vec_pretty(results)?;
    json.push(b'\n');
    fs::write(folder.join(RESULTS_FILE), json)?;
    fs::write(folder.join("results.csv"), csv::write(&results.runs))?;
    let file = folder.join(PAGE_FILE);
    fs::write(&file, html::html(&page))?;
    Ok(file)
}

/// Writes the same page as Markdown, its plots into the folder beside it that has its name.
pub(super) fn write_markdown(file: &Path, results: &Results, lang: Lang) -> io::Result<()> {
    let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "a file is wanted, as docs/lab-2026.md");
    let name = file.file_stem().and_then(|name| name.to_str()).ok_or_else(no_name)?;
    let folder = file.with_file_name(name);
    if folder == file {
        return Err(no_name());
    }
    fs::create_dir_all(&folder)?;
    let page = page(results, &[], lang);
    write_plots(&folder, &page)?;
    fs::write(file, markdown::markdown(&page, name))
}

fn write_plots(folder: &Path, page: &Page) -> io::Result<()> {
    page.plots().try_for_each(|plot| fs::write(folder.join(&plot.file), svg::draw(&plot.chart)))
}

fn page(results: &Results, remarks: &[String], lang: Lang) -> Page {
    let cells = summarize(&results.runs);
    let mut page = Page::new(lang.pick("Load balancers, measured", "Load balancer, terukur"), lang);
    if results.machine.debug_build {
        page.paragraph(&debug_build(lang));
    }
    page.paragraph(&about(results, lang));
    page.blocks.push(Block::Command(command(results)));
    remarks.iter().for_each(|remark| page.paragraph(remark));
    page.heading(lang.pick("What it shows", "Yang ditunjukkannya"));
    page.blocks.push(Block::List(findings(results, &cells, lang)));
    let (rates, times): (Vec<_>, Vec<_>) =
        plots(&cells, lang).into_iter().partition(|plot| plot.file.starts_with("rate"));
    for (table, plot) in side_by_side(&cells, lang).iter().zip(rates) {
        page.heading(&table.title);
        page.table(table);
        page.blocks.push(Block::Plot(plot));
    }
    let costs = costs(&cells, lang);
    page.heading(&costs.title);
    page.table(&costs);
    page.paragraph(how_costs_are_counted(lang));
    page.heading(lang.pick("Response times", "Waktu jawab"));
    page.blocks.extend(times.into_iter().map(Block::Plot));
    for table in &tables(&cells, lang) {
        page.heading(&table.title);
        page.table(table);
    }
    page.heading(lang.pick("How to read this", "Cara membacanya"));
    how_to_read(lang).iter().for_each(|text| page.paragraph(text));
    page.heading(lang.pick("The machine", "Mesinnya"));
    page.blocks.push(Block::Machine(results.machine.clone()));
    page
}

/// The command that measures the same again.
fn command(results: &Results) -> String {
    let settings = &results.settings;
    let list = |of: fn(&super::results::Cell) -> usize| {
        let numbers: std::collections::BTreeSet<usize> =
            results.runs.iter().map(|run| of(&run.cell)).collect();
        numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
    };
    let has = |name: &str| results.runs.iter().any(|run| run.cell.contender.starts_with(name));
    let mut command = "cargo run --release --bin lab --".to_owned();
    for peer in ["python", "haproxy", "nginx", "apache"].into_iter().filter(|peer| has(peer)) {
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
    if settings.client != "own" {
        command += &format!(" --client {}", settings.client);
    }
    command + &format!(" --seed {}", settings.seed)
}

/// What marks figures that compare with nothing.
pub(super) fn debug_build(lang: Lang) -> String {
    let text = lang.pick(
        "DEBUG BUILD: these figures show that the lab works, not how fast anything is.",
        "BANGUNAN DEBUG: angka ini menunjukkan bahwa lab bekerja, bukan kecepatan apa pun.",
    );
    text.to_owned()
}

/// The experiment in one sentence.
pub(super) fn about(results: &Results, lang: Lang) -> String {
    let settings = &results.settings;
    let kept = match settings.keep_alive {
        true => lang.pick("kept connections", "koneksi dipertahankan"),
        false => lang.pick("a connection a request", "satu koneksi per permintaan"),
    };
    lang.pick(
        format!(
            "{} requests of {} a run, {kept}, client {}, median of {} runs in shuffled order (seed {}), at most {} s a run; {}.",
            settings.requests, settings.path, settings.client, settings.repeats, settings.seed,
            settings.limit_seconds, results.machine.date
        ),
        format!(
            "{} permintaan {} per putaran, {kept}, klien {}, median dari {} putaran dalam urutan acak (benih {}), paling lama {} detik per putaran; {}.",
            settings.requests, settings.path, settings.client, settings.repeats, settings.seed,
            settings.limit_seconds, results.machine.date
        ),
    )
}

fn how_costs_are_counted(lang: Lang) -> &'static str {
    lang.pick(
        "The median over all numbers of HTTP servers; listen overflows and retransmits are summed over all runs. CPU time is \
         that of the balancer's and of the web servers' own processes, the kernel's work for them included; a switch is a thread \
         that leaves its core, because it waits or must; memory is the balancer's share (PSS) at the end of a run. Connect and \
         first byte are counted from the begin of a request.",
        "Median atas semua jumlah server HTTP; luapan listen dan kirim ulang dijumlahkan dari semua putaran. Waktu CPU adalah milik \
         proses load balancer dan server web sendiri, termasuk kerja kernel untuknya; pergantian adalah thread yang meninggalkan \
         intinya, karena menunggu atau harus; memori adalah bagian load balancer (PSS) di akhir putaran. Koneksi dan bita pertama \
         dihitung dari awal permintaan.",
    )
}

fn how_to_read(lang: Lang) -> [&'static str; 4] {
    lang.pick(
        [
            "Each row is the run with the median rate of its cell, so its figures belong together; the spread is the \
             distance between the slowest and the fastest run, in percent of the median. Faults and listen overflows \
             are summed over all runs.",
            "Client, balancer and back ends share this machine and its cores. More back ends do not mean more cores.",
            "The client is a closed loop: while an answer is late, its client asks for nothing. So a bad second hits as \
             many requests as there are clients, not as many as visitors would have sent (coordinated omission).",
            "The 2021 figures are the course's own report: ab on Windows, backlogs of 1 and 5. Their slow cells sit on \
             connect retries. Another machine and another system: the ratio shows a shape, not a merit.",
        ],
        [
            "Setiap baris adalah putaran dengan laju median di selnya, sehingga angkanya saling cocok; sebaran adalah \
             jarak putaran terlambat dan tercepat dalam persen dari median. Kegagalan dan luapan antrean listen \
             dijumlahkan dari semua putaran.",
            "Klien, load balancer, dan server berbagi mesin dan inti yang sama. Lebih banyak server bukan berarti lebih \
             banyak inti.",
            "Klien bekerja dalam lingkaran tertutup: selama jawaban terlambat, klien itu tidak meminta apa-apa. Maka satu \
             detik yang buruk mengenai permintaan sebanyak klien, bukan sebanyak pengunjung (coordinated omission).",
            "Angka 2021 berasal dari laporan mata kuliah: ab di Windows, backlog 1 dan 5. Sel yang lambat berada pada \
             percobaan ulang koneksi. Mesin dan sistemnya lain: rasio menunjukkan bentuk, bukan jasa.",
        ],
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
            assert!(html.contains(&debug_build(lang)) && html.contains("nginx: not installed"));
            assert!(html.contains("378.12") && html.contains("525.19"));
        }
        for file in ["results.csv", "results.json", "rate-2.svg", "p99-2.svg"] {
            assert!(folder.path().join(file).exists(), "{file}");
        }
        write_markdown(&folder.path().join("lab-2026.md"), &results, Lang::En).unwrap();
        let markdown = fs::read_to_string(folder.path().join("lab-2026.md")).unwrap();
        for plot in ["rate-2.svg", "p99-2.svg"] {
            assert!(markdown.contains(&format!("](lab-2026/{plot})")), "{markdown}");
            assert!(folder.path().join("lab-2026").join(plot).exists(), "{plot}");
        }
        assert!(write_markdown(&folder.path().join("lab-2026"), &results, Lang::En).is_err());
        let json = fs::read_to_string(folder.path().join("results.json")).unwrap();
        assert_eq!(serde_json::from_str::<Results>(&json).unwrap(), results);
    }
}
