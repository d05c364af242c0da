//! The guards of a route: the words `allow`, `deny`, `rate-limit`, `basic-auth` and `max-body`.
//!
//! Contract: what a route says replaces what the role says with the flag of the same name, and nothing else; `off`
//! takes it away. `allow` and `deny` are one guard: a route that has either has none of the role's.

use std::path::PathBuf;

use crate::app::size;
use crate::protocol::cidr::Cidr;
use crate::protocol::guard::Rate;

/// The words, and whether each may be given several times.
pub(super) const GUARD_WORDS: [(&str, bool); 5] =
    [("allow", true), ("deny", true), ("rate-limit", false), ("basic-auth", false), ("max-body", false)];

/// What takes a guard of the role away.
const OFF: &str = "off";

/// What a route says of a guard: nothing, that there is none, or which.
pub(crate) type Own<T> = Option<Option<T>>;

/// What a route says of its guards.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct GuardSpec {
    pub(crate) allow: Vec<Cidr>,
    pub(crate) deny: Vec<Cidr>,
    pub(crate) rate_limit: Own<Rate>,
    pub(crate) basic_auth: Own<PathBuf>,
    pub(crate) max_body: Own<u64>,
}

impl GuardSpec {
    /// Sets one of them. False if `word` is none of theirs.
    pub(super) fn set(&mut self, word: &str, value: Option<&str>) -> Result<bool, String> {
        if !GUARD_WORDS.iter().any(|(known, _)| *known == word) {
            return Ok(false);
        }
        let text =
            value.filter(|text| !text.is_empty()).ok_or_else(|| format!("{word}: a value is missing"))?;
        let named = |error: String| format!("{word}: {error}");
        match word {
            "allow" => self.allow.push(text.parse().map_err(named)?),
            "deny" => self.deny.push(text.parse().map_err(named)?),
            "rate-limit" => set_once(word, &mut self.rate_limit, own(text, str::parse).map_err(named)?)?,
            "basic-auth" => {
                set_once(word, &mut self.basic_auth, own(text, |path| Ok(PathBuf::from(path)))?)?;
            }
            _ => set_once(word, &mut self.max_body, own(text, size::of_body).map_err(named)?)?,
        }
        Ok(true)
    }

    /// Those that are set, each with its value.
    pub(super) fn options(&self) -> impl Iterator<Item = (&'static str, String)> {
        let each = |word, blocks: &[Cidr]| -> Vec<(&'static str, String)> {
            blocks.iter().map(|block| (word, block.to_string())).collect()
        };
        let mut options = [each("allow", &self.allow), each("deny", &self.deny)].concat();
        let mut add = |word, text: Option<Option<String>>| {
            options.extend(text.map(|text| (word, text.unwrap_or_else(|| OFF.to_owned()))));
        };
        add("rate-limit", self.rate_limit.map(|rate| rate.map(|rate| rate.to_string())));
        add("basic-auth", self.basic_auth.clone().map(|path| path.map(|path| path.display().to_string())));
        add("max-body", self.max_body.map(|most| most.map(size::text)));
        options.into_iter()
    }
}

fn own<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text == OFF { Ok(None) } else { parse(text).map(Some) }
}

fn set_once<T>(word: &str, place: &mut Own<T>, value: Option<T>) -> Result<(), String> {
    match place.replace(value) {
        Some(_) => Err(format!("{word} is given twice")),
        None => Ok(()),
    }
}
