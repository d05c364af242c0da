//! A route as a `[[route]]` table of the configuration file: `match`, `to`, and the words of the options as keys.

use std::fmt::Write;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::options::{is_repeatable, suggestion, words};
use super::{Destination, RouteSpec};
use crate::balance::routes::Pattern;
use crate::observe::log::TomlQuoted;

/// The keys that are no options.
const KEYS: [&str; 2] = ["match", "to"];

/// What is wrong with a table, and where in the file.
pub(crate) type TableError = (Range<usize>, String);

/// Reads a table; `span` is where it stands.
pub(crate) fn from_table(table: &DeTable<'_>, span: Range<usize>) -> Result<RouteSpec, TableError> {
    let missing = |key: &str| {
        (
            span.clone(),
            format!("a route without {key}: write match = \"[HOST][/PREFIX]\" and to = \"HOST:PORT\""),
        )
    };
    let (at, pattern) = table.get_key_value("match").ok_or_else(|| missing("match"))?;
    let pattern = one_text(pattern.get_ref())
        .and_then(|text| text.parse::<Pattern>())
        .map_err(|error| (at.span(), format!("match: {error}")))?;
    let (at, to) = table.get_key_value("to").ok_or_else(|| missing("to"))?;
    let to = destination(to.get_ref()).map_err(|error| (at.span(), format!("to: {error}")))?;
    let mut route = RouteSpec::new(pattern, to);
    let mut keys: Vec<_> = table.iter().collect();
    // The table is sorted by key, and rules have an order.
    keys.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in keys {
        let word: &str = key.get_ref();
        if KEYS.contains(&word) {
            continue;
        }
        if !words().any(|known| known == word) {
            let known = suggestion(word, KEYS.into_iter().chain(words()));
            return Err((key.span(), format!("{word:?} is no key of a route; {known}")));
        }
        set(&mut route, word, value.get_ref()).map_err(|error| (key.span(), error))?;
    }
    route.checked().map_err(|error| (span, error))
}

fn destination(value: &DeValue<'_>) -> Result<Destination, String> {
    let Some(list) = value.as_array() else { return one_text(value)?.parse() };
    let texts: Vec<String> = list.iter().map(|one| one_text(one.get_ref())).collect::<Result<_, _>>()?;
    if texts.is_empty() {
        return Err("an empty list".to_owned());
    }
    let backends = texts.iter().map(|text| text.parse()).collect::<Result<_, String>>()?;
    Ok(Destination::BackEnds(backends))
}

fn set(route: &mut RouteSpec, word: &str, value: &DeValue<'_>) -> Result<(), String> {
    if word == "strip" {
        return match value.as_bool() {
            Some(true) => route.set(word, None),
            Some(false) => Ok(()),
            None => Err(format!("{word}: write true or false")),
        };
    }
    match value.as_array().filter(|_| is_repeatable(word)) {
        Some(list) => list.iter().try_for_each(|one| {
            let text = one_text(one.get_ref()).map_err(|error| format!("{word}: {error}"))?;
            route.set(word, Some(&text))
        }),
        None => {
            let text = one_text(value).map_err(|error| format!("{word}: {error}"))?;
            route.set(word, Some(&text))
        }
    }
}

fn one_text(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        other => Err(format!("takes a text, not a {}", other.type_str())),
    }
}

/// The table, as it stands in a file.
pub(crate) fn to_table(route: &RouteSpec) -> String {
    let mut table = format!("[[route]]\nmatch = {}\n", TomlQuoted(&route.pattern.to_string()));
    let list = |texts: &[String]| {
        let quoted: Vec<String> = texts.iter().map(|text| TomlQuoted(text).to_string()).collect();
        format!("[{}]", quoted.join(", "))
    };
    let to = match &route.to {
        Destination::BackEnds(backends) => {
            list(&backends.iter().map(ToString::to_string).collect::<Vec<_>>())
        }
        other => TomlQuoted(&other.to_string()).to_string(),
    };
    // Writing to a `String` does not fail.
    let _ = writeln!(table, "to = {to}");
    let options = route.options();
    for word in words() {
        let values: Vec<String> = options
            .iter()
            .filter(|(of, _)| *of == word)
            .map(|(_, value)| value.clone().unwrap_or_else(|| "true".to_owned()))
            .collect();
        let _ = match values.as_slice() {
            [] => Ok(()),
            values if is_repeatable(word) => {
                writeln!(table, "{word} = {}", list(values))
            }
            [value, ..]
                if matches!(word, "replace" | "policy" | "rate-limit" | "basic-auth" | "max-body") =>
            {
                writeln!(table, "{word} = {}", TomlQuoted(value))
            }
            [value, ..] => writeln!(table, "{word} = {value}"),
        };
    }
    table
}
