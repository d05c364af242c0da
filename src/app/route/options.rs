//! The options of a route: what is changed on the way, one word each.

use super::guards::GUARD_WORDS;
use super::{Destination, RouteSpec};
use crate::app::defaults::MAX_PER_BACKEND_MAX;
use crate::protocol::forward::{FieldRule, FieldRules, Rewrite, Side, WORDS};

/// The words that are no field rules.
const OTHER_WORDS: [&str; 4] = ["strip", "replace", "policy", "max-per-backend"];

/// Similarity of two words, from 0 to 1, from which on one is suggested for the other.
const SIMILARITY_MIN: f64 = 0.75;

/// All words of options.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    OTHER_WORDS.into_iter().chain(GUARD_WORDS.map(|(word, _)| word)).chain(WORDS.map(|(word, ..)| word))
}

/// True if a word may be given several times: in a file its value may be a list.
pub(super) fn is_repeatable(word: &str) -> bool {
    WORDS.iter().any(|(rule, ..)| *rule == word) || GUARD_WORDS.contains(&(word, true))
}

/// One of the `known` words that was probably meant by `word`, as the end of an error.
pub(super) fn suggestion(word: &str, known: impl Iterator<Item = &'static str>) -> String {
    let known: Vec<&str> = known.collect();
    let similarity = |one: &str| strsim::jaro_winkler(one, word);
    match known.iter().max_by(|one, other| similarity(one).total_cmp(&similarity(other))) {
        Some(nearest) if similarity(nearest) >= SIMILARITY_MIN => format!("did you mean {nearest}?"),
        _ => format!("there are {}", known.join(", ")),
    }
}

impl RouteSpec {
    /// Sets one option. `None` for a word that stands alone.
    pub(super) fn set(&mut self, word: &str, value: Option<&str>) -> Result<(), String> {
        if let Some((_, side, change)) = WORDS.iter().find(|(known, ..)| *known == word) {
            let text = value.ok_or_else(|| format!("{word}: write {word} Name: value"))?;
            let rule = FieldRule::parse(*side, *change, text).map_err(|error| format!("{word}: {error}"))?;
            self.rules.push(rule);
            return Ok(());
        }
        if self.guards.set(word, value)? {
            return Ok(());
        }
        let named = |error: String| format!("{word}: {error}");
        match (word, value) {
            ("strip", None) => {
                let prefix = self.prefix_to_rewrite().map_err(named)?;
                if prefix == b"/" {
                    return Err(format!("{word}: the route has no prefix that could be stripped"));
                }
                self.rewrite = Some(Rewrite::strip(prefix));
            }
            ("strip", Some(value)) => return Err(format!("{word} takes no value, but {value:?} is given")),
            ("replace", Some(path)) => {
                self.rewrite =
                    Some(Rewrite::replace(self.prefix_to_rewrite().map_err(named)?, path).map_err(named)?);
            }
            ("policy", Some(name)) => {
                self.may_say_of_back_ends(word, self.policy.is_some())?;
                self.policy = Some(name.parse().map_err(named)?);
            }
            ("max-per-backend", Some(number)) => {
                self.may_say_of_back_ends(word, self.max_per_backend.is_some())?;
                self.max_per_backend = Some(limit(number).map_err(named)?);
            }
            ("replace" | "policy" | "max-per-backend", None) => {
                return Err(format!("{word}: a value is missing"));
            }
            _ => return Err(format!("{word:?} is no option of a route; {}", suggestion(word, words()))),
        }
        Ok(())
    }

    /// What can be found only when all options are known.
    pub(super) fn checked(mut self) -> Result<RouteSpec, String> {
        if self.guards.max_body.is_some() && !matches!(self.to, Destination::BackEnds(_)) {
            return Err("max-body: the route has no back ends, and reads no bodies".to_owned());
        }
        // In the order of the words, as a table has them: it makes no other difference.
        self.rules.sort_by_key(|rule| WORDS.iter().position(|(word, ..)| *word == rule.word()));
        for side in [Side::Request, Side::Response] {
            FieldRules::new(side, &[], &self.rules)?;
        }
        Ok(self)
    }

    /// The options that are set, each with its value.
    pub(super) fn options(&self) -> Vec<(&'static str, Option<String>)> {
        let mut options = Vec::new();
        if let Some(rewrite) = &self.rewrite {
            options.push(match rewrite.to_string().split_once(' ') {
                Some((_, path)) => ("replace", Some(path.to_owned())),
                None => ("strip", None),
            });
        }
        if let Some(policy) = self.policy {
            options.push(("policy", Some(policy.to_string())));
        }
        if let Some(number) = self.max_per_backend {
            options.push(("max-per-backend", Some(number.to_string())));
        }
        options.extend(self.guards.options().map(|(word, value)| (word, Some(value))));
        options.extend(self.rules.iter().map(|rule| (rule.word(), Some(rule.to_string()))));
        options
    }

    /// Checks an option about back ends, which stands once and only where there are some.
    fn may_say_of_back_ends(&self, word: &str, is_given: bool) -> Result<(), String> {
        match (&self.to, is_given) {
            (_, true) => Err(format!("{word} is given twice")),
            (Destination::BackEnds(_), false) => Ok(()),
            (_, false) => Err(format!("{word}: the route has no back ends")),
        }
    }

    /// The prefix of a path that is about to be rewritten.
    fn prefix_to_rewrite(&self) -> Result<&[u8], String> {
        match (&self.to, &self.rewrite) {
            (Destination::Respond(_), _) => Err("the route sends no path to anybody".to_owned()),
            (_, Some(rewrite)) => Err(format!("the route has {rewrite} already")),
            (_, None) => Ok(self.pattern.prefix()),
        }
    }
}

fn limit(text: &str) -> Result<usize, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| is_number && *number <= MAX_PER_BACKEND_MAX);
    number.ok_or_else(|| format!("{text:?} is not a whole number from 0 to {MAX_PER_BACKEND_MAX}"))
}
