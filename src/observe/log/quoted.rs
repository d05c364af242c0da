//! Text in quotes, safe on one line whatever it holds.
//!
//! Contract: the escapes are those that JSON and TOML share, so the log and the settings that `--check`
//! prints can both use it. Every control character is escaped, so no client can forge a line.

use std::fmt::{self, Write};

/// Shows its text in double quotes, escaped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoted<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Escaped { out: f, quotes: true }, "{}", self.0)?;
        f.write_char('"')
    }
}

/// Writes text on to `out` with control characters escaped, and within quotes also `"` and `\`.
pub(super) struct Escaped<'a, W: Write> {
    /// Where the text goes.
    pub(super) out: &'a mut W,
    /// True within quotes.
    pub(super) quotes: bool,
}

impl<W: Write> Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, character) in text.char_indices() {
            let quote = self.quotes && matches!(character, '"' | '\\');
            if !quote && !character.is_control() {
                continue;
            }
            self.out.write_str(&text[plain..at])?;
            plain = at + character.len_utf8();
            match character {
                '\n' => self.out.write_str("\\n")?,
                '\r' => self.out.write_str("\\r")?,
                '\t' => self.out.write_str("\\t")?,
                '"' | '\\' => write!(self.out, "\\{character}")?,
                // All control characters of Unicode lie below U+00A0: four digits hold them.
                control => write!(self.out, "\\u{:04x}", u32::from(control))?,
            }
        }
        self.out.write_str(&text[plain..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_backslashes_and_control_characters_are_escaped() {
        let shown = Quoted("a\"b\\c\nd\re\tf\u{1b}[0m\u{7f}\u{9b}é\u{1f600}").to_string();
        assert_eq!(shown, "\"a\\\"b\\\\c\\nd\\re\\tf\\u001b[0m\\u007f\\u009bé\u{1f600}\"");
        assert_eq!(Quoted("").to_string(), "\"\"");
    }

    #[test]
    fn outside_quotes_only_control_characters_are_escaped() {
        let mut out = String::new();
        write!(Escaped { out: &mut out, quotes: false }, "a \"b\" \\ c\nforged").unwrap();
        assert_eq!(out, "a \"b\" \\ c\\nforged");
    }
}
