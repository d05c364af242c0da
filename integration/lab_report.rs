//! The report of the lab as its readers see it: in a browser, and as Markdown in a repository.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::needs::{CHROMIUM, PYTHON, lacks};
use crate::support::peer;

fn lab(folder: &Path, flags: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    let output = command.args(flags).args(["--allow-debug", "--out"]).arg(folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Opens a page in a headless browser without a network: its document as it stands then, and what
/// the console said.
fn open(page: &Path) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let said = peer::run(
        &CHROMIUM,
        [
            "--headless",
            "--no-sandbox", // it refuses to run as root with one, and all it loads is ours
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--enable-logging=stderr",
            "--v=0",
            "--dump-dom",
            &format!("--user-data-dir={}", profile.path().display()),
            &format!("file://{}", page.display()),
        ],
    );
    let console = said.err.lines().filter(|line| line.contains("CONSOLE")).collect::<Vec<_>>().join("\n");
    (said.out, console)
}

/// What a page's own script finds in the report that it frames: every plot drawn and none cut
/// off, and every table's last column on the screen once it is scrolled there.
const LOOKING: &str = r#"<!doctype html><title>waiting</title><script>
addEventListener("load", () => {
    const page = document.querySelector("iframe").contentDocument;
    const plots = [...page.querySelectorAll("svg")];
    const drawn = plots.filter(plot => {
        const all = plot.getBBox(), box = plot.viewBox.baseVal;
        const fits = all.x >= 0 && all.y >= 0 && all.x + all.width <= box.width && all.y + all.height <= box.height;
        return fits && plot.querySelectorAll("polyline, .row rect").length > 0 && plot.getBoundingClientRect().width > 100;
    });
    const wide = page.documentElement.scrollWidth > page.documentElement.clientWidth;
    const hidden = [...page.querySelectorAll("table")].filter(table => {
        const last = table.querySelector("tr > :last-child"), box = table.parentElement;
        box.scrollLeft = box.scrollWidth;
        return last.getBoundingClientRect().right > Math.min(box.getBoundingClientRect().right, page.documentElement.clientWidth) + 1;
    });
    const tables = hidden.length > 0 ? `, ${hidden.length} tables with a last column out of reach` : "";
    document.title = `${drawn.length} of ${plots.length} plots, ${wide ? "wider than the page" : "fits"}${tables}`;
});
</script><iframe width="WIDTH" height="800" srcdoc="REPORT"></iframe>"#;

/// The title that the looking page gives itself, seen at this width.
fn looked_at(report: &str, width: u32, folder: &Path) -> String {
    let report = report.replace('&', "&amp;").replace('"', "&quot;");
    let page = folder.join("looking.html");
    fs::write(&page, LOOKING.replace("WIDTH", &width.to_string()).replace("REPORT", &report)).unwrap();
    let (document, console) = open(&page);
    assert_eq!(console, "");
    let (_, title) = document.split_once("<title>").unwrap();
    title.split_once("</title>").unwrap().0.to_owned()
}

#[test]
fn a_browser_shows_every_plot_and_no_error() {
    if lacks(&[CHROMIUM, PYTHON]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let grid = ["--backends", "1,2", "--concurrency", "2,10", "--requests", "100", "--repeat", "2"];
    lab(folder.path(), &[&grid[..], &["--peer", "python"]].concat());
    let report = fs::read_to_string(folder.path().join("report.html")).unwrap();
    // A desktop, two phones.
    for width in [1200, 400, 360] {
        assert_eq!(looked_at(&report, width, folder.path()), "4 of 4 plots, fits", "{width} pixels wide");
    }

    for lesson in ["backlog", "timeline"] {
        lab(folder.path(), &["lesson", lesson, "--quick", "--no-guess"]);
        let report = fs::read_to_string(folder.path().join(format!("lesson-{lesson}.html"))).unwrap();
        for width in [1200, 400] {
            let seen = looked_at(&report, width, folder.path());
            assert_eq!(seen, "1 of 1 plots, fits", "{lesson}, {width} pixels wide");
        }
    }
}

#[test]
fn a_saved_run_becomes_a_page_of_markdown_with_its_plots() {
    if lacks(&[PYTHON]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let grid = ["--backends", "1", "--concurrency", "10", "--requests", "60", "--repeat", "1"];
    lab(folder.path(), &[&grid[..], &["--peer", "python"]].concat());
    let file = folder.path().join("page.md");
    let text = lab(folder.path(), &["report", "--markdown", file.to_str().unwrap()]);
    assert!(text.contains("page.md"), "{text}");
    let page = fs::read_to_string(&file).unwrap();
    for sentence in [
        "`threaded` over our web servers answers ",
        "`async` over our web servers answers ",
        "240 requests were answered in 4 runs, each body compared byte by byte",
        "$ cargo run --release --bin lab -- --peer python --requests 60",
    ] {
        assert!(page.contains(sentence), "{sentence}: {page}");
    }
    for plot in ["rate-10.svg", "p99-10.svg"] {
        assert!(page.contains(&format!("](page/{plot})")), "{page}");
        assert!(fs::read_to_string(folder.path().join("page").join(plot)).unwrap().starts_with("<svg"));
    }
    let missing = folder.path().join("nothing.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    let refused =
        command.args(["report", "--from"]).arg(&missing).arg("--out").arg(folder.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("nothing.json: "));
}
