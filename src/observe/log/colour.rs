//! Colour on a terminal: only the level is coloured, so that warnings and errors stand out.

use std::io::{self, IsTerminal};

use log::Level;

/// True if standard error is a terminal that shows colours, and `NO_COLOR` is not set.
pub(super) fn is_wanted() -> bool {
    io::stderr().is_terminal()
        && !anstyle_query::no_color()
        && anstyle_query::term_supports_color()
        // A console of Windows shows escape codes only after it was asked to; elsewhere this is `None`.
        && anstyle_query::windows::enable_ansi_colors().unwrap_or(true)
}

/// Colours the level of the text line that begins at `start`: it stands in the first brackets.
pub(super) fn paint_level(out: &mut String, start: usize) {
    let Some(open) = out[start..].find('[').map(|at| start + at) else { return };
    let Some(close) = out[open..].find(']').map(|at| open + at) else { return };
    let Ok(level) = out[open + 1..close].trim_end().parse::<Level>() else { return };
    out.insert_str(close + 1, RESET);
    out.insert_str(open, code(level));
}

const RESET: &str = "\u{1b}[0m";

/// The escape codes of the terminal colours that simplelog uses for these levels by default.
fn code(level: Level) -> &'static str {
    match level {
        Level::Error => "\u{1b}[31m", // red
        Level::Warn => "\u{1b}[33m",  // yellow
        Level::Info => "\u{1b}[34m",  // blue
        Level::Debug => "\u{1b}[36m", // cyan
        Level::Trace => "\u{1b}[37m", // white
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_level_is_coloured() {
        let mut lines = String::from("one [INFO ] before\n");
        let start = lines.len();
        lines.push_str("12:00 [WARN ] [x] is out\n");
        paint_level(&mut lines, start);
        assert_eq!(lines, "one [INFO ] before\n12:00 \u{1b}[33m[WARN ]\u{1b}[0m [x] is out\n");
    }

    #[test]
    fn a_line_without_a_level_stays_as_it_is() {
        for line in ["", "no level\n", "[half", "[other] text\n"] {
            let mut out = line.to_owned();
            paint_level(&mut out, 0);
            assert_eq!(out, line);
        }
    }
}
