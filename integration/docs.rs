//! What the documentation and the comments mention: each file that is named exists.
//!
//! Of the Markdown pages every relative link and every path of the repository in code is looked up; of
//! scripts and of the comments in sources every path that begins with one of [`FOLDERS`]. Whether what is
//! said about a file is true, no test knows.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// The folders of the repository, by which a path is known from other text with a slash in it.
const FOLDERS: [&str; 12] = [
    "src",
    "bin",
    "integration",
    "docs",
    "benches",
    "fuzz",
    "public",
    "examples",
    "exercises",
    "packaging",
    "deploy",
    ".ci",
];

/// What is made by a command that a page explains, and is not in the repository.
const MADE_BY_COMMANDS: [&str; 1] = ["fuzz/corpus"];

/// How far a page's line count of a file may be off: a reader plans an evening with it, not a budget.
pub(super) const LINES_OFF_MAX: usize = 4;

/// The most files of a reading path.
const READING_PATH_MAX: usize = 8;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A path that a text names, and the number of its line.
#[derive(Debug, Eq, PartialEq)]
struct Mention {
    line: usize,
    path: String,
}

/// The relative links of a page, without the part behind `#`.
fn links(page: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    for (line, text) in outside_fences(page) {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains(':') {
                found.push(Mention { line, path: path.to_owned() });
            }
        }
    }
    found
}

/// Paths of the repository in the code of a page: between backticks and between fences.
fn paths_in_code(page: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut is_fenced = false;
    for (line, text) in numbered(page) {
        if text.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if is_fenced {
            found.extend(paths(text).map(|path| Mention { line, path }));
        } else {
            let code = text.split('`').skip(1).step_by(2);
            found.extend(code.flat_map(paths).map(|path| Mention { line, path }));
        }
    }
    found
}

/// Paths of the repository anywhere in a text.
fn paths_in_text(text: &str) -> Vec<Mention> {
    numbered(text).flat_map(|(line, text)| paths(text).map(move |path| Mention { line, path })).collect()
}

/// Paths of the repository in the comments of a Rust file: its code has paths of its own tests.
fn paths_in_comments(source: &str) -> Vec<Mention> {
    let comments = numbered(source).filter_map(|(line, text)| Some((line, text.split_once("//")?.1)));
    comments.flat_map(|(line, text)| paths(text).map(move |path| Mention { line, path })).collect()
}

/// The words of a line that are paths of the repository. Patterns and places to fill in are none.
fn paths(line: &str) -> impl Iterator<Item = String> {
    let words = line.split(|c: char| c.is_whitespace() || "\"'`()[]|,;=<>".contains(c));
    words.filter_map(|word| {
        let word = word.trim_start_matches("./").trim_end_matches(['.', ':', '!', '?']);
        let (folder, rest) = word.split_once('/')?;
        let is_path = FOLDERS.contains(&folder)
            && rest.starts_with(|c: char| c.is_ascii_alphanumeric())
            && rest.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
        is_path.then(|| word.to_owned())
    })
}

fn outside_fences(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_fenced = false;
    numbered(page).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        !is_fenced && !is_fence
    })
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// The rows of a page's reading paths: how many steps each path has, and each file with its lines.
pub(super) fn reading_paths(page: &str) -> Vec<Vec<(String, usize)>> {
    let mut found: Vec<Vec<(String, usize)>> = Vec::new();
    for (_, text) in outside_fences(page) {
        let cells: Vec<&str> = text.split('|').map(str::trim).collect();
        let [_, step, file, lines, ..] = cells[..] else { continue };
        let (Ok(step), Ok(lines)) = (step.parse::<usize>(), lines.parse()) else { continue };
        if step == 1 {
            found.push(Vec::new());
        }
        let file = file.split('`').nth(1).unwrap_or_default();
        if let Some(path) = found.last_mut() {
            path.push((file.to_owned(), lines));
        }
    }
    found
}

/// The lines of a Rust file before its tests.
pub(super) fn lines_before_tests(source: &str) -> usize {
    source.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count()
}

/// Every file below `folder` whose name ends in one of `endings`.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !["target", "corpus", "artifacts", "__pycache__"].contains(&name) {
                found.extend(files(&path, endings));
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn pages() -> Vec<PathBuf> {
    let mut pages = files(&root().join("docs"), &[".md"]);
    let further = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "exercises/README.md"];
    pages.extend(further.map(|name| root().join(name)));
    pages
}

/// What a text names and the repository does not have, as lines for the message of a test.
fn missing(file: &Path, mentions: Vec<Mention>, from: &Path) -> Vec<String> {
    let shown = file.strip_prefix(root()).unwrap_or(file);
    let is_missing = |mention: &Mention| {
        !MADE_BY_COMMANDS.iter().any(|made| mention.path.starts_with(made))
            && !normal(&from.join(&mention.path)).exists()
    };
    let mentions = mentions.into_iter().filter(is_missing);
    mentions.map(|Mention { line, path }| format!("{}:{line}: {path}", shown.display())).collect()
}

/// The path without `..`, so that it can be outside the repository only if it says so.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = normal.pop(),
            part => normal.push(part),
        }
    }
    normal
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        wrong.extend(missing(&page, links(&text), page.parent().unwrap()));
    }
    assert!(wrong.is_empty(), "links to nothing:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_that_a_page_names_exists() {
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        wrong.extend(missing(&page, paths_in_code(&text), root()));
    }
    assert!(wrong.is_empty(), "files that do not exist:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_that_a_source_names_exists() {
    let mut wrong = Vec::new();
    for folder in ["src", "bin", "integration", "benches", "fuzz", "examples", "exercises", "deploy", ".ci"] {
        for file in files(&root().join(folder), &[".rs", ".py", ".sh", ".md", "run"]) {
            // The scanner's own examples name what is not there.
            if file.ends_with("integration/docs.rs") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            let is_rust = file.extension().is_some_and(|extension| extension == "rs");
            let mentions = if is_rust { paths_in_comments(&text) } else { paths_in_text(&text) };
            wrong.extend(missing(&file, mentions, root()));
        }
    }
    assert!(wrong.is_empty(), "files that do not exist:\n{}", wrong.join("\n"));
}

#[test]
fn the_reading_paths_are_short_and_their_line_counts_about_right() {
    let page = fs::read_to_string(root().join("docs/side-by-side.md")).unwrap();
    let paths = reading_paths(&page);
    assert_eq!(paths.len(), 2, "one for each driver");
    for path in paths {
        assert!(path.len() <= READING_PATH_MAX, "{} files are too many for an evening", path.len());
        for (file, told) in path {
            let source =
                fs::read_to_string(root().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            let lines = lines_before_tests(&source);
            assert!(
                told.abs_diff(lines) <= lines / LINES_OFF_MAX,
                "docs/side-by-side.md says that {file} has {told} lines before its tests; it has {lines}"
            );
        }
    }
}

fn found(mentions: Vec<Mention>) -> Vec<(usize, String)> {
    mentions.into_iter().map(|Mention { line, path }| (line, path)).collect()
}

#[test]
fn the_scanner_finds_links_and_leaves_those_to_other_places() {
    let page = "See [a](../a.md), [b](b.md#part) and\n[c](https://example.org/c.md), [d](#here).\n```\n[e](e.md)\n```\n[`f`](f/)";
    assert_eq!(found(links(page)), [(1, "../a.md".to_owned()), (1, "b.md".to_owned()), (6, "f/".to_owned())]);
}

#[test]
fn the_scanner_finds_paths_in_code_only() {
    let page = "`src/a.rs` or src/b.rs, `cargo run src/c.rs`\n```console\n$ docs/d.sh threaded\n```\n`integration/*.rs`, `src/{e,f}.rs`, `docs/FILE`";
    assert_eq!(
        found(paths_in_code(page)),
        [
            (1, "src/a.rs".to_owned()),
            (1, "src/c.rs".to_owned()),
            (3, "docs/d.sh".to_owned()),
            (5, "docs/FILE".to_owned())
        ]
    );
}

#[test]
fn the_scanner_takes_no_address_and_no_other_slash_for_a_path() {
    assert_eq!(found(paths_in_text("https://host/src/a.rs and/or target/debug, /src/b.rs src/ ")), []);
    assert_eq!(
        found(paths_in_text("//! See `src/a.rs`, integration/b.\n# (docs/c.md): text")),
        [(1, "src/a.rs".to_owned()), (1, "integration/b".to_owned()), (2, "docs/c.md".to_owned())]
    );
    let source = "/// See `src/a.rs`.\nopen(\"src/b.rs\") // like src/c.rs";
    assert_eq!(found(paths_in_comments(source)), [(1, "src/a.rs".to_owned()), (2, "src/c.rs".to_owned())]);
}

#[test]
fn a_name_of_a_file_that_does_not_exist_is_told_with_its_line() {
    let mentions = paths_in_text("first\nsrc/lib.rs and src/no_such_file.rs");
    assert_eq!(missing(&root().join("README.md"), mentions, root()), ["README.md:2: src/no_such_file.rs"]);
    let links = links("[a](../src/lib.rs) [b](../src/no_such_file.rs)");
    let page = root().join("docs/page.md");
    assert_eq!(missing(&page, links, page.parent().unwrap()), ["docs/page.md:1: ../src/no_such_file.rs"]);
}

#[test]
fn the_scanner_reads_the_rows_of_a_reading_path() {
    let page = "| | file | lines |\n|---|---|---|\n| 1 | [`src/a.rs`](a) | 20 | x |\n| 2 | `src/b.rs` | 3 | y |\n\n| 1 | `src/c.rs` | 4 |";
    assert_eq!(
        reading_paths(page),
        [vec![("src/a.rs".to_owned(), 20), ("src/b.rs".to_owned(), 3)], vec![("src/c.rs".to_owned(), 4)]]
    );
    assert_eq!(lines_before_tests("a\nb\n#[cfg(test)]\nmod tests {\n"), 2);
}
