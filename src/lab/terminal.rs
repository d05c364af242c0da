//! What people see while the lab works: results on standard output, all else on standard error.
//!
//! Contract: standard output holds the results alone, so that they can be sent to a file. On a terminal
//! its lines end between words, and progress is a bar; elsewhere progress is one line for each run.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use terminal_size::{Width, terminal_size_of};
use textwrap::{Options, WordSplitter};

use super::lang::{Lang, text};
use crate::app::cli::{self, Failure};

/// Columns that are comfortable to read; on a wider terminal lines end here.
const COLUMNS_MAX: usize = 100;
/// On a narrower terminal wrapping would leave one word on each line, so lines stay as they are.
const COLUMNS_MIN: usize = 20;
/// How often the bar and its time left are drawn again during a run.
const REDRAW: Duration = Duration::from_millis(500);

/// Prints to standard output: wrapped on a terminal, unchanged to a file or another program.
///
/// Errors: standard output is closed.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    match columns() {
        Some(columns) => cli::print(&wrap(text, columns)),
        None => cli::print(text),
    }
}

fn columns() -> Option<usize> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let (Width(columns), _) = terminal_size_of(&out)?;
    Some(usize::from(columns).min(COLUMNS_MAX)).filter(|columns| *columns >= COLUMNS_MIN)
}

/// Breaks long lines between words; what follows a bullet stays indented. The lines of a table stay whole.
fn wrap(text: &str, columns: usize) -> String {
    let lines = text.split('\n').map(|line| {
        let is_table = line.starts_with(['│', '┌', '╞', '└']);
        if is_table || line.chars().count() <= columns {
            return line.to_owned();
        }
        let indent = " ".repeat(line.len() - line.trim_start_matches([' ', '*']).len());
        textwrap::fill(line, between_words(columns).subsequent_indent(&indent))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Lines of this width that end between words only: a longer word stays whole.
pub(super) fn between_words<'a>(columns: usize) -> Options<'a> {
    Options::new(columns).break_words(false).word_splitter(WordSplitter::NoHyphenation)
}

/// An I/O error with the file or folder that it happened to.
pub(super) fn failed_at(path: &Path) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::Runtime(format!("{}: {}", path.display(), Lang::of_errors().cause(&error)))
}

/// A line on standard error. If it is closed, measuring goes on all the same.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// How many of the runs are done.
#[derive(Debug)]
pub(super) struct Progress {
    /// Hidden unless standard error is a terminal.
    bar: ProgressBar,
    total: usize,
}

impl Progress {
    /// Nothing done yet of `total`.
    pub(super) fn new(total: usize, lang: Lang) -> Progress {
        let bar = ProgressBar::new(total as u64);
        let left = text!(lang, "time-left");
        let template = format!("{{wide_bar}} {{pos}} / {{len}}  {{msg}}  {{eta}} {left}");
        // The template is a constant but for one word; if it were wrong, the default would do.
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(REDRAW);
        }
        Progress { bar, total }
    }

    /// The next run begins.
    pub(super) fn begin(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        if self.bar.is_hidden() {
            say(&format!("{} / {}  {what}", self.bar.position() + 1, self.total));
        }
    }

    /// A run is over.
    pub(super) fn end(&self) {
        self.bar.inc(1);
    }

    /// A line that stays, above the bar.
    pub(super) fn note(&self, line: &str) {
        if self.bar.is_hidden() { say(line) } else { self.bar.println(line) }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words() {
        let text = "one two three four\n  * five six seven\n│ a long line of a table │\nveryverylongword x";
        let expected = "one two\nthree four\n  * five\n    six\n    seven\n│ a long line of a table │\nveryverylongword\nx";
        assert_eq!(wrap(text, 11), expected);
        assert_eq!(wrap("", 11), "");
    }
}
