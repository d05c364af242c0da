//! The report of a grid: a page, its plots, and the figures for programs.
//!
//! Contract: everything is made from [`Results`] alone, so a report can be made again from what is saved.

mod csv;
pub(super) mod html;
mod plots;
pub(super) mod svg;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::lang::Lang;
use super::results::Results;
use super::summary::summarize;
use super::tables::{Table, tables};
use html::Page;
use plots::plots;

/// The report's page, in its folder.
pub(super) const PAGE_FILE: &str = "report.html";

/// Writes all files of the report into `folder`, and tells which is the page.
pub(super) fn write(folder: &Path, results: &Results, remarks: &[String], lang: Lang) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let cells = summarize(&results.runs);
    let plots = plots(&cells, lang);
    for plot in &plots {
        fs::write(folder.join(&plot.file), svg::draw(&plot.chart))?;
    }
    let mut json = serde_json::to_vec_pretty(results)?;
    json.push(b'\n');
    fs::write(folder.join("results.json"), json)?;
    fs::write(folder.join("results.csv"), csv::write(&results.runs))?;
    let page = folder.join(PAGE_FILE);
    let drawn: Vec<String> = plots.iter().map(|plot| svg::draw(&plot.chart)).collect();
    fs::write(&page, write_page(results, &tables(&cells, lang), &drawn, remarks, lang))?;
    Ok(page)
}

fn write_page(
    results: &Results,
    tables: &[Table],
    plots: &[String],
    remarks: &[String],
    lang: Lang,
) -> String {
    let mut page = Page::new(lang.pick("Load balancers, measured", "Load balancer, terukur"), lang);
    if results.machine.debug_build {
        page.paragraph(&debug_build(lang));
    }
    page.paragraph(&about(results, lang));
    remarks.iter().for_each(|remark| page.paragraph(remark));
    for table in tables {
        page.heading(&table.title);
        page.table(table);
    }
    page.heading(lang.pick("Plots", "Grafik"));
    plots.iter().for_each(|plot| page.svg(plot));
    page.heading(lang.pick("How to read this", "Cara membacanya"));
    how_to_read(lang).iter().for_each(|text| page.paragraph(text));
    page.heading(lang.pick("The machine", "Mesinnya"));
    page.machine(&results.machine);
    page.finish()
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
            assert!(html.contains(&debug_build(lang)) && html.contains("nginx: not installed"));
            assert!(html.contains("378.12") && html.contains("525.19"));
        }
        for file in ["results.csv", "results.json", "rate-2.svg", "p99-2.svg"] {
            assert!(folder.path().join(file).exists(), "{file}");
        }
        let json = fs::read_to_string(folder.path().join("results.json")).unwrap();
        assert_eq!(serde_json::from_str::<Results>(&json).unwrap(), results);
    }
}
