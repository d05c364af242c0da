//! Bad usage of the lab: what a value must be, and the line that says what is wrong.
//!
//! Contract: the line is in the language that was asked for, names the flag, repeats the value and says what would
//! be right.

use std::fmt;
use std::time::Duration;

use super::lang::{Lang, text};
use crate::app::cli::Mistake;
use crate::app::duration;

/// What a value should have been.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    Number { least: u64, most: u64 },
    Path,
    Time,
}

// Clap takes errors only; [`line`] says it in the right language.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said(Lang::En))
    }
}

impl std::error::Error for Wanted {}

impl Wanted {
    fn said(self, lang: Lang) -> String {
        match self {
            Wanted::Number { least, most } => text!(lang, "wanted-number", least, most),
            Wanted::Path => text!(lang, "wanted-path"),
            Wanted::Time => text!(lang, "wanted-time"),
        }
    }
}

/// Reads a whole number in this range.
pub(super) fn number<T: TryFrom<u64>>(
    least: u64,
    most: u64,
) -> impl Fn(&str) -> Result<T, Wanted> + Clone + Send + Sync {
    move |text| {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or(Wanted::Number { least, most })
    }
}

/// Reads the path of a request.
pub(super) fn path(text: &str) -> Result<String, Wanted> {
    match text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err(Wanted::Path),
    }
}

/// Reads a time that is not zero.
pub(super) fn time(text: &str) -> Result<Duration, Wanted> {
    duration::parse_timeout(text).map_err(|_| Wanted::Time)
}

/// Says in one line what is wrong with the arguments.
pub(super) fn line(error: &clap::Error, lang: Lang) -> String {
    let quoted = |value: String| format!("{value:?}");
    let wrong = match Mistake::of(error) {
        Mistake::NoValue { flag } => text!(lang, "wrong-no-value", flag),
        Mistake::NotOneOf { flag, value, choices } => {
            text!(lang, "wrong-not-one-of", flag, value = quoted(value), choices)
        }
        Mistake::NotAValue { flag, value, reason } => {
            let wanted = reason.and_then(|reason| reason.downcast_ref::<Wanted>());
            let wanted = wanted.map_or_else(|| text!(lang, "wanted-other"), |wanted| wanted.said(lang));
            text!(lang, "wrong-value", flag, value = quoted(value), wanted)
        }
        Mistake::Unknown { word, nearest: None } => text!(lang, "wrong-unknown", word),
        Mistake::Unknown { word, nearest: Some(nearest) } => text!(lang, "wrong-unknown-near", word, nearest),
        Mistake::Missing(names) => text!(lang, "wrong-missing", names = names.join(", ")),
        Mistake::Twice { flag } => text!(lang, "wrong-twice", flag),
        Mistake::Conflict { flag, other: None } => text!(lang, "wrong-combined", flag),
        Mistake::Conflict { flag, other: Some(other) } => text!(lang, "wrong-conflict", flag, other),
        Mistake::TakesNoValue { flag, value } => {
            text!(lang, "wrong-takes-no-value", flag, value = quoted(value))
        }
        Mistake::Other(line) => line,
    };
    text!(lang, "wrong-see-help", wrong)
}

#[cfg(test)]
mod tests {
    use super::super::help;
    use super::*;

    fn said(flags: &[&str], lang: Lang) -> String {
        let error = help::command("lab", lang).try_get_matches_from([&["lab"], flags].concat()).unwrap_err();
        line(&error, lang)
    }

    #[test]
    fn bad_usage_is_said_in_both_languages() {
        let lessons = "backlog, serial, pool,";
        for (flags, english, indonesian) in [
            (
                &["lesson", "x"][..],
                format!("NAME: \"x\" is not one of {lessons}"),
                format!("NAME: \"x\" bukan salah satu dari {lessons}"),
            ),
            (
                &["--backends", "0"],
                "--backends: \"0\" is not a whole number from 1 to 64; see --help".to_owned(),
                "--backends: \"0\" bukan bilangan bulat dari 1 sampai 64; lihat --help".to_owned(),
            ),
            (
                &["--limit", "1.5"],
                "--limit: \"1.5\" is not a time with its unit".to_owned(),
                "--limit: \"1.5\" bukan waktu dengan satuannya".to_owned(),
            ),
            (
                &["--path", "x"],
                "--path: \"x\" is not a path that begins with /".to_owned(),
                "--path: \"x\" bukan path yang diawali /".to_owned(),
            ),
            (&["--lang"], "--lang: a value is missing".to_owned(), "--lang: nilainya belum ada".to_owned()),
            (&["--xyzzy"], "--xyzzy is unknown here".to_owned(), "--xyzzy tidak dikenal di sini".to_owned()),
            (
                &["--quik"],
                "--quik is unknown here; did you mean --quick?".to_owned(),
                "--quik tidak dikenal di sini; maksudnya --quick?".to_owned(),
            ),
            (&["compare", "a"], "missing: B; ".to_owned(), "belum ada: B; ".to_owned()),
            (
                &["--resume", "--fresh"],
                "--resume and --fresh exclude each other".to_owned(),
                "--resume dan --fresh tidak bisa bersama".to_owned(),
            ),
            (
                &["--seed=1", "--seed=2"],
                "--seed is given twice".to_owned(),
                "--seed ditulis dua kali".to_owned(),
            ),
            (
                &["--quick=1"],
                "--quick takes no value, but \"1\" is given".to_owned(),
                "--quick tidak memakai nilai, tetapi diberi \"1\"".to_owned(),
            ),
        ] {
            for (lang, expected) in [(Lang::En, english), (Lang::Id, indonesian)] {
                let said = said(flags, lang);
                assert!(said.starts_with(&expected), "{flags:?}: {said}");
            }
        }
    }
}
