//! Sentences on a terminal: lines that end between words.

use std::io::{self, IsTerminal};

use crate::app::cli::{self, Failure};

/// Columns that are comfortable to read; on a wider terminal lines end here.
const COLUMNS_MAX: usize = 100;
/// Columns below which wrapping would leave a word a line.
const COLUMNS_MIN: usize = 20;

/// Prints to standard output: wrapped on a terminal, as it is to a file or another program.
///
/// Errors: nobody takes it.
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
    let size = rustix::termios::tcgetwinsize(&out).ok()?;
    Some(usize::from(size.ws_col).min(COLUMNS_MAX)).filter(|columns| *columns >= COLUMNS_MIN)
}

/// Breaks the lines of `text` between words; what follows a bullet stays indented. A table's line, which
/// has borders and not words, stays whole.
fn wrap(text: &str, columns: usize) -> String {
    let lines = text.split('\n').map(|line| {
        let is_table = line.starts_with(['│', '┌', '╞', '└']);
        if is_table || line.chars().count() <= columns { line.to_owned() } else { wrap_line(line, columns) }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn wrap_line(line: &str, columns: usize) -> String {
    let indent = line.len() - line.trim_start_matches([' ', '*']).len();
    let mut wrapped = line[..indent].to_owned();
    let mut used = indent;
    for word in line[indent..].split(' ') {
        let length = word.chars().count();
        if used > indent && used + 1 + length > columns {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            used = indent;
        } else if used > indent {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += length;
    }
    wrapped
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
