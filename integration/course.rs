//! The course guide in `docs/course/`: its commands print what it says, its two languages have the same
//! commands, chapters and pictures, its quotations are in the files they name, and its pictures are those
//! that `docs/draw_pictures.py` draws.
//!
//! How a page marks its commands: [`Kind`]. Commands that install something are `sh` or `powershell`, and
//! nobody runs them here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::docs::{LINES_OFF_MAX, lines_before_tests, reading_paths};
use crate::support::needs::{CURL, NC, PYTHON, lacks};
use crate::support::terminal::{Fence, Kind, Terminals, fences, fits, line_fits};

const LANGUAGES: [&str; 2] = ["id", "en"];

/// Files of the guide's reading path: an afternoon has room for no more.
const READING_PATH_MAX: usize = 12;

/// What a page may have between its fences, besides commands.
const READ: [&str; 5] = ["text", "sh", "powershell", "python", "rust"];

/// Runs each page in both languages, as `id::name` and `en::name`.
macro_rules! pages {
    ($($name:ident: $file:literal),+ $(,)?) => {
        const RUN: &[&str] = &[$($file),+];
        pages!(@language id, $($name: $file),+);
        pages!(@language en, $($name: $file),+);
    };
    (@language $language:ident, $($name:ident: $file:literal),+) => {
        mod $language {
            $(#[test]
            fn $name() {
                super::commands_print_what_the_page_says(stringify!($language), $file);
            })+
        }
    };
}

pages! {
    start: "1-start.md",
    python_and_rust: "3-python-and-rust.md",
    ladder: "4-ladder.md",
    lessons: "6-lessons.md",
    report: "7-report.md",
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder(language: &str) -> PathBuf {
    root().join("docs/course").join(language)
}

fn read(language: &str, file: &str) -> String {
    let path = folder(language).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The chapters of a language, in order.
fn chapters(language: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder(language)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn commands_print_what_the_page_says(language: &str, file: &str) {
    if lacks(&[CURL, NC, PYTHON]) {
        return;
    }
    let mut terminals = Terminals::default();
    for fence in fences(&read(language, file)) {
        terminals.follow(&fence);
    }
}

/// Lines outside of the fences.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut is_fenced = false;
    page.lines().filter(move |line| {
        is_fenced ^= line.starts_with("```");
        !is_fenced && !line.starts_with("```")
    })
}

/// What must be the same in both languages: levels of headings, pictures, files that are linked, commands.
fn skeleton(page: &str, language: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for line in prose(page) {
        if line.starts_with('#') {
            parts.push(line.split(' ').next().unwrap().to_owned());
        }
        if line.starts_with('|') {
            parts.push(format!("row of {}", line.matches('|').count()));
        }
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        parts.extend(targets.map(|target| target.replace(&format!(".{language}.svg"), ".svg")));
    }
    for fence in fences(page) {
        parts.push(fence.info.clone());
        parts.extend(fence.commands().into_iter().map(|(command, _)| command.replace(" --lang id", "")));
    }
    parts
}

#[test]
fn both_languages_have_the_same_chapters_headings_commands_and_pictures() {
    assert_eq!(chapters("id"), chapters("en"));
    for file in chapters("id") {
        assert_eq!(skeleton(&read("id", &file), "id"), skeleton(&read("en", &file), "en"), "{file}");
    }
}

#[test]
fn every_page_with_commands_is_run_and_every_fence_is_of_a_known_kind() {
    for language in LANGUAGES {
        for file in chapters(language) {
            let fences = fences(&read(language, &file));
            assert_eq!(
                fences.iter().any(|fence| fence.kind() != Kind::Read),
                RUN.contains(&file.as_str()),
                "{language}/{file} has commands: name it in `pages!`"
            );
            for Fence { line, info, .. } in fences.iter().filter(|fence| fence.kind() == Kind::Read) {
                assert!(READ.contains(&info.as_str()), "{language}/{file}:{line}: {info}");
            }
        }
    }
}

#[test]
fn the_reading_path_is_short_and_its_line_counts_about_right() {
    for language in LANGUAGES {
        let paths = reading_paths(&read(language, "5-reading-path.md"));
        let [path] = &paths[..] else { panic!("{language}: {} reading paths", paths.len()) };
        assert!(path.len() <= READING_PATH_MAX, "{language}: {} files", path.len());
        for (file, told) in path {
            let lines = lines_before_tests(&fs::read_to_string(root().join(file)).unwrap());
            assert!(
                told.abs_diff(lines) <= lines / LINES_OFF_MAX,
                "{language}: {file} has {lines} lines before its tests, not {told}"
            );
        }
    }
}

/// A piece of code that a page quotes, and the file that it is said to be in.
#[derive(Debug, Eq, PartialEq)]
struct Quotation {
    code: String,
    file: String,
}

/// The quotations in tables whose columns are headed by files: a cell's code is in the file of its column,
/// or in the file that the cell itself names.
fn quotations(page: &str) -> Vec<Quotation> {
    let mut found = Vec::new();
    let mut columns: Option<Vec<Option<String>>> = None;
    for line in prose(page) {
        let Some(row) = line.strip_prefix('|') else {
            columns = None;
            continue;
        };
        let cells: Vec<&str> = row.trim_end_matches('|').split(" | ").collect();
        let Some(files) = &columns else {
            columns = Some(cells.iter().map(|cell| code_spans(cell).find(|code| is_file(code))).collect());
            continue;
        };
        for (cell, file) in cells.iter().zip(files) {
            let own = code_spans(cell).find(|code| is_file(code));
            // In a column without a file, code is what the reader types or sees.
            let Some(file) = file.as_ref().map(|file| own.as_ref().unwrap_or(file)) else { continue };
            let code = code_spans(cell).filter(|code| !is_file(code));
            found.extend(code.map(|code| Quotation { code, file: file.clone() }));
        }
    }
    found
}

fn code_spans(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

fn is_file(code: &str) -> bool {
    code.contains('/') && !code.contains(' ') && [".rs", ".py"].iter().any(|end| code.ends_with(end))
}

#[test]
fn what_is_quoted_is_in_the_file() {
    for language in LANGUAGES {
        for file in chapters(language) {
            for Quotation { code, file: quoted } in quotations(&read(language, &file)) {
                let source = fs::read_to_string(root().join(&quoted))
                    .unwrap_or_else(|error| panic!("{language}/{file}: {quoted}: {error}"));
                assert!(source.contains(&code), "{language}/{file}: not in {quoted}: {code}");
            }
        }
    }
}

#[test]
fn the_pictures_are_those_that_the_script_draws() {
    if lacks(&[PYTHON]) {
        return;
    }
    let drawn = tempfile::tempdir().unwrap();
    let script = root().join("docs/draw_pictures.py");
    let status = PYTHON.command().arg(script).arg(drawn.path()).status().unwrap();
    assert!(status.success());
    for folder in ["course/pictures", "pictures"] {
        let names = |of: &Path| -> BTreeSet<_> {
            let entries = fs::read_dir(of.join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
            entries.filter(|name| name.to_str().unwrap().ends_with(".svg")).collect()
        };
        let docs = root().join("docs");
        for name in names(drawn.path()) {
            let read = |of: &Path| fs::read_to_string(of.join(folder).join(&name)).unwrap_or_default();
            assert!(
                read(drawn.path()) == read(&docs),
                "draw it again: python3 docs/draw_pictures.py: {name:?}"
            );
        }
        if folder == "course/pictures" {
            assert_eq!(names(drawn.path()), names(&docs), "one that is not drawn any more");
        }
    }
}

#[test]
fn expected_lines_are_compared_but_for_what_is_left_out() {
    assert!(fits(&["a", "...", "z"], &["a", "b", "c", "z"]) && fits(&["a", "..."], &["a"]));
    assert!(!fits(&["a"], &["a", "b"]) && !fits(&["a", "..."], &["b"]) && !fits(&["a", "b"], &["a"]));
    assert!(line_fits("Date: ... GMT", "Date: Thu, 26 Nov GMT") && line_fits("a   b", "a b"));
    assert!(!line_fits("Date: ... GMT", "Date: now") && !line_fits("a", "a b"));
}

#[test]
fn commands_and_quotations_are_found_in_a_page() {
    let page = "x\n```console\n$ a\n1\n$ b\n```\n| `x/a.py` | `y/b.rs` | note |\n|---|---|---|\n| `p` | `q` `z/c.rs` | `r` |\n";
    let [fence] = &fences(page)[..] else { panic!("one fence") };
    assert_eq!(
        (fence.line, fence.kind(), fence.commands()),
        (2, Kind::Ends, vec![("a", vec!["1"]), ("b", vec![])])
    );
    let quotation = |code: &str, file: &str| Quotation { code: code.to_owned(), file: file.to_owned() };
    assert_eq!(quotations(page), [quotation("p", "x/a.py"), quotation("q", "z/c.rs")]);
}
