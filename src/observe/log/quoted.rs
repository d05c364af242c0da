//! Text in quotes, safe on one line whatever it holds.
//!
//! Contract: what nobody would see, or what changes how the rest of the line is shown, is escaped, so that no
//! client can forge a line or hide a part of one. The escapes are those that JSON knows; TOML, in which `--check`
//! prints settings, differs from it in those beyond four digits.

use std::fmt::{self, Write};

/// Shows its text in double quotes, escaped as in JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoted<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Escaped { out: f, within: Within::Json }, "{}", self.0)?;
        f.write_char('"')
    }
}

/// Shows its text in double quotes, escaped as in TOML.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TomlQuoted<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for TomlQuoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Escaped { out: f, within: Within::Toml }, "{}", self.0)?;
        f.write_char('"')
    }
}

/// Where escaped text stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Within {
    /// In no quotes: `"` and `\` stay as they are.
    Plain,
    /// In a string of JSON.
    Json,
    /// In a string of TOML.
    Toml,
}

/// Writes text on to `out` with everything escaped that is not [visible](is_visible), and within quotes also `"`
/// and `\`.
pub(super) struct Escaped<'a, W: Write> {
    /// Where the text goes.
    pub(super) out: &'a mut W,
    /// Where it stands there.
    pub(super) within: Within,
}

impl<W: Write> Escaped<'_, W> {
    fn escape(&mut self, character: char) -> fmt::Result {
        let code = u32::from(character);
        match character {
            '\n' => self.out.write_str("\\n"),
            '\r' => self.out.write_str("\\r"),
            '\t' => self.out.write_str("\\t"),
            '"' | '\\' => write!(self.out, "\\{character}"),
            _ if code <= 0xffff => write!(self.out, "\\u{code:04x}"),
            _ if self.within == Within::Json => {
                let mut pair = [0; 2];
                character
                    .encode_utf16(&mut pair)
                    .iter()
                    .try_for_each(|half| write!(self.out, "\\u{half:04x}"))
            }
            _ => write!(self.out, "\\U{code:08x}"),
        }
    }
}

impl<W: Write> Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, character) in text.char_indices() {
            let is_quote = self.within != Within::Plain && matches!(character, '"' | '\\');
            if !is_quote && is_visible(character) {
                continue;
            }
            self.out.write_str(&text[plain..at])?;
            plain = at + character.len_utf8();
            self.escape(character)?;
        }
        self.out.write_str(&text[plain..])
    }
}

/// True for a character that shows itself where it stands and nothing else. False for control characters (C0 and
/// C1), line and paragraph separators, what turns the direction of text, what has no width, blanks other than the
/// plain one, and what Unicode has not assigned.
///
/// The tables are the standard library's: its `escape_debug` leaves as it is what is printable, and also, behind
/// another character, what is drawn on that one. [`INVISIBLE`] are those of both kinds that nobody sees.
fn is_visible(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    let mut bytes = [b'x'; 5];
    let length = 1 + character.encode_utf8(&mut bytes[1..]).len();
    // The bytes are those of two characters, so they are UTF-8.
    let is_printable = str::from_utf8(&bytes[..length]).is_ok_and(|text| text.escape_debug().count() == 2);
    let code = u32::from(character);
    is_printable && !INVISIBLE.iter().any(|(first, last)| (*first..=*last).contains(&code))
}

/// Printable by their category, and yet invisible: the rest of Unicode's `Default_Ignorable_Code_Point`, and the
/// blank pattern of Braille.
const INVISIBLE: [(u32, u32); 9] = [
    (0x034f, 0x034f),   // combining grapheme joiner
    (0x115f, 0x1160),   // Hangul fillers
    (0x17b4, 0x17b5),   // Khmer inherent vowels
    (0x180b, 0x180f),   // Mongolian variation selectors
    (0x2800, 0x2800),   // Braille blank
    (0x3164, 0x3164),   // Hangul filler
    (0xfe00, 0xfe0f),   // variation selectors
    (0xffa0, 0xffa0),   // half-width Hangul filler
    (0xe0100, 0xe01ef), // variation selectors supplement
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_backslashes_and_control_characters_are_escaped() {
        let shown = Quoted("a\"b\\c\nd\re\tf\u{1b}[0m\u{7f}\u{9b}é\u{1f600}").to_string();
        assert_eq!(shown, "\"a\\\"b\\\\c\\nd\\re\\tf\\u001b[0m\\u007f\\u009bé\u{1f600}\"");
        assert_eq!(Quoted("").to_string(), "\"\"");
    }

    #[test]
    fn outside_quotes_only_what_is_invisible_is_escaped() {
        let mut out = String::new();
        let text = "a \"b\" \\ c\nforged \u{202e}\u{e0041}";
        write!(Escaped { out: &mut out, within: Within::Plain }, "{text}").unwrap();
        assert_eq!(out, "a \"b\" \\ c\\nforged \\u202e\\U000e0041");
    }

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        let ranges = [
            (0x80, 0xa0),       // C1, no-break space
            (0xad, 0xad),       // soft hyphen
            (0x61c, 0x61c),     // Arabic letter mark
            (0x2000, 0x200f),   // blanks, zero width, direction marks
            (0x2028, 0x202f),   // separators, embeddings and overrides of direction
            (0x205f, 0x206f),   // blanks, isolates, deprecated format characters
            (0x3000, 0x3000),   // ideographic space
            (0xe000, 0xe001),   // private use
            (0xfeff, 0xfeff),   // byte order mark
            (0xfff9, 0xfffb),   // annotations
            (0xfffe, 0xffff),   // no characters
            (0x1d173, 0x1d17a), // musical format characters
            (0xe0000, 0xe007f), // tags
        ];
        for code in ranges.into_iter().chain(INVISIBLE).flat_map(|(first, last)| first..=last) {
            assert!(!is_visible(char::from_u32(code).unwrap()), "U+{code:04X}");
        }
        for text in ["Ünïcode", "日本語", "हिन्दी", "e\u{301}", "→ 😀", "العربية"]
        {
            assert!(text.chars().all(|character| character == ' ' || is_visible(character)), "{text}");
        }
    }

    #[test]
    fn json_and_toml_read_back_what_was_quoted() {
        let text: String = (0..=u32::from(char::MAX)).step_by(7).filter_map(char::from_u32).collect();
        let json: String = serde_json::from_str(&Quoted(&text).to_string()).unwrap();
        let toml = format!("a = {}", TomlQuoted(&text));
        let toml = toml::de::DeTable::parse(&toml).unwrap();
        assert!(json == text && toml.get_ref()["a"].get_ref().as_str() == Some(text.as_str()));
    }

    proptest! {
        #[test]
        fn whatever_it_is_one_line_of_visible_text_comes_out(text in any::<String>()) {
            prop_assert!(Quoted(&text).to_string().chars().all(is_visible));
        }
    }
}
