//! Patterns of file names, by which `--cache-control` chooses.
//!
//! Contract: a pattern without a slash is compared with the last part of a path, one with a slash with all of it.
//! `*` stands for any characters but a slash, `**` for any characters, `?` for one that is no slash, and `[hash]`
//! for a hash as build tools put into names: 8 to 64 letters and digits, of which at least one is a letter and one
//! a digit, so that neither a word nor a date is taken for one. The time to compare is bounded by the product of
//! the two lengths.

use std::str::FromStr;

use super::limits::PATTERN_BYTES_MAX;

/// Fewest characters of a hash in a name: what Vite, esbuild and Parcel write.
const HASH_BYTES_MIN: usize = 8;

/// Most characters of a hash in a name: SHA-256 in hexadecimal.
const HASH_BYTES_MAX: usize = 64;

/// A pattern of file names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Pattern {
    tokens: Vec<Token>,
    /// True if it is compared with the whole path.
    has_slash: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Token {
    /// This byte.
    Byte(u8),
    /// One character but a slash: a byte that begins a character, and those that go on with it.
    One,
    /// Any bytes but a slash.
    Star,
    /// Any bytes.
    Anything,
    /// A hash.
    Hash,
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Pattern, String> {
        if text.is_empty() || text.len() > PATTERN_BYTES_MAX {
            return Err(format!("a pattern has 1 to {PATTERN_BYTES_MAX} bytes"));
        }
        let has_slash = text.contains('/');
        let mut rest = text.strip_prefix('/').unwrap_or(text).as_bytes();
        let mut tokens = Vec::new();
        while let [first, behind @ ..] = rest {
            let (token, length) = match first {
                b'*' if behind.first() == Some(&b'*') => (Token::Anything, 2),
                b'*' => (Token::Star, 1),
                b'?' => (Token::One, 1),
                b'[' if rest.starts_with(b"[hash]") => (Token::Hash, 6),
                b'[' => return Err("the only word in brackets is [hash]".to_owned()),
                byte => (Token::Byte(*byte), 1),
            };
            tokens.push(token);
            rest = &rest[length..];
        }
        Ok(Pattern { tokens, has_slash })
    }
}

impl Pattern {
    /// True if it fits a path, which has no slash in front.
    pub(super) fn fits(&self, path: &[u8]) -> bool {
        let text = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) if !self.has_slash => &path[slash + 1..],
            _ => path,
        };
        // For each place in the text, whether the tokens so far fit all that is before it.
        let mut fits = vec![false; text.len() + 1];
        fits[0] = true;
        for token in &self.tokens {
            fits = after(*token, text, &fits);
        }
        fits[text.len()]
    }
}

/// Where in `text` a token can end that begins where `before` says.
fn after(token: Token, text: &[u8], before: &[bool]) -> Vec<bool> {
    let mut after = vec![false; before.len()];
    match token {
        Token::Byte(byte) => {
            for (at, found) in text.iter().enumerate() {
                after[at + 1] = before[at] && *found == byte;
            }
        }
        Token::One => {
            for at in (0..text.len()).filter(|at| before[*at] && text[*at] != b'/') {
                let length = 1 + text[at + 1..].iter().take_while(|byte| **byte & 0xc0 == 0x80).count();
                after[at + length] = true;
            }
        }
        Token::Star | Token::Anything => {
            after[0] = before[0];
            for (at, found) in text.iter().enumerate() {
                let goes_on = after[at] && (token == Token::Anything || *found != b'/');
                after[at + 1] = before[at + 1] || goes_on;
            }
        }
        Token::Hash => {
            for start in (0..text.len()).filter(|at| before[*at]) {
                let longest = text[start..].iter().take(HASH_BYTES_MAX);
                let run = longest.take_while(|byte| byte.is_ascii_alphanumeric()).count();
                for end in (start + HASH_BYTES_MIN..=start + run).rev() {
                    let hash = &text[start..end];
                    let is_mixed =
                        hash.iter().any(u8::is_ascii_digit) && hash.iter().any(u8::is_ascii_alphabetic);
                    if !is_mixed {
                        break; // a shorter one is not mixed either
                    }
                    after[end] = true;
                }
            }
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fits(pattern: &str, path: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().fits(path.as_bytes())
    }

    #[test]
    fn a_pattern_is_for_names_and_with_a_slash_for_paths() {
        for (pattern, path, expected) in [
            ("*.html", "index.html", true),
            ("*.html", "docs/deep/a.html", true),
            ("*.html", "a.html.txt", false),
            ("*.HTML", "a.html", false),
            ("*", "docs/a", true),
            ("/*.html", "a.html", true),
            ("/*.html", "docs/a.html", false),
            ("docs/*", "docs/a", true),
            ("docs/*", "docs/b/a", false),
            ("docs/**", "docs/b/a", true),
            ("/assets/**", "x/assets/a", false),
            ("**/a", "b/c/a", true),
            ("a?c", "abc", true),
            ("a?c", "a\u{e9}c", true),
            ("a?c", "ac", false),
            ("d?cs/a", "d/cs/a", false),
            ("", "", false),
        ] {
            let found = pattern.parse::<Pattern>().is_ok_and(|pattern| pattern.fits(path.as_bytes()));
            assert_eq!(found, expected, "{pattern} {path}");
        }
    }

    #[test]
    fn hashes_are_told_from_words_and_dates() {
        for (pattern, path, expected) in [
            ("*.[hash].js", "assets/app.1a2b3c4d.js", true),
            ("*-[hash].js", "index-BdEf12a9.js", true),
            ("*.[hash].*", "main.8e0d62a18e0d62a18e0d.chunk.css", true),
            ("*.[hash].js", "app.settings.js", false),
            ("*.[hash].js", "photo.20261126.js", false),
            ("*.[hash].js", "app.1a2b3c4.js", false),
            ("[hash].js", "1a2b3c4d.js", true),
            ("*-[hash].js", "my-component-v2.js", false),
        ] {
            assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        }
        let long = format!("{}.js", "a1".repeat(33));
        assert!(!fits("[hash].js", &long));
        assert!(fits("[hash].js", &long[2..]));
    }

    #[test]
    fn a_pattern_that_cannot_be_meant_is_refused() {
        for text in ["", "*.[ab]", &"a".repeat(PATTERN_BYTES_MAX + 1)] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_name_fits_itself_and_its_own_generalisations(name in "[a-z0-9.]{1,12}", cut in 0usize..12) {
            prop_assert!(fits(&name, &name));
            let cut = cut.min(name.len());
            let starred = format!("{}*{}", &name[..cut], &name[cut..]);
            prop_assert!(fits(&starred, &name), "{}", starred);
            let doubled = format!("{}**{}", &name[..cut], &name[cut..]);
            prop_assert!(fits(&doubled, &name), "{}", doubled);
        }

        #[test]
        fn a_star_never_crosses_a_slash(front in "[a-z]{0,4}", back in "[a-z]{0,4}") {
            let path = format!("{front}/{back}");
            prop_assert!(!fits("/*", &path));
            prop_assert!(fits("/**", &path));
        }

        #[test]
        fn hostile_patterns_and_names_take_bounded_time(stars in 1usize..80) {
            // A matcher that tries every split would need longer than the universe is old.
            let pattern = "a*".repeat(stars) + "b";
            prop_assert!(!fits(&pattern, &"a".repeat(1000)));
        }
    }
}
