//! A route as one text: `[HOST][/PREFIX]=WHERE[; OPTION]...`.
//!
//! Contract: each part may stand in double quotes, within which `\"` and `\\` stand for `"` and `\`; it has to if there
//! is a `;` in it. Quotes count only at the beginning of a part, so that `ETag: "x"` is a value like any other.

use std::fmt;
use std::str::FromStr;

use super::destination::own_sentence;
use super::{Destination, RouteSpec};
use crate::balance::routes::Pattern;
use crate::protocol::route::Redirect;

const WANTED: &str = "write [HOST][/PREFIX]=HOST:PORT[,HOST:PORT][; OPTION], such as /images/=127.0.0.1:8889";

impl FromStr for RouteSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<RouteSpec, String> {
        parse(text).map_err(|error| format!("{text:?}: {error}"))
    }
}

fn parse(text: &str) -> Result<RouteSpec, String> {
    if text.starts_with('"') {
        let (pattern, rest) = quoted(text)?;
        let rest = rest.trim_start().strip_prefix('=').ok_or(WANTED)?;
        return behind_pattern(&pattern, rest);
    }
    // A path may contain a `=`, and so may what stands behind it. The first one that makes sense is meant; a later one
    // only if what stands before it could be nothing but a pattern.
    let mut result = Err(format!("this is not a route: {WANTED}"));
    for (index, _) in text.match_indices('=') {
        let pattern = &text[..index];
        if pattern.contains('=') && pattern.contains([' ', '\t', ';']) {
            break;
        }
        result = behind_pattern(pattern.trim(), &text[index + 1..]);
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Reads `WHERE[; OPTION]...`.
fn behind_pattern(pattern: &str, text: &str) -> Result<RouteSpec, String> {
    let pattern: Pattern = pattern.parse()?;
    let text = text.trim_start();
    let (to, mut rest) = match Destination::status(text.split(';').next().unwrap_or(text)) {
        None => {
            let (backends, rest) = value(text)?;
            (backends.parse()?, rest)
        }
        Some((status, _)) => {
            let behind = text[3..].trim_start();
            let url = behind.strip_prefix("to").filter(|url| url.starts_with([' ', '\t']));
            match url.filter(|_| Destination::redirects(status)) {
                Some(url) => {
                    let (url, rest) = value(url.trim_start())?;
                    (Destination::of_status(status, &format!("to {url}"))?, rest)
                }
                None => {
                    let (sentence, rest) = value(behind)?;
                    (Destination::of_status(status, &sentence)?, rest)
                }
            }
        }
    };
    let mut route = RouteSpec::new(pattern, to);
    while let Some(option) = rest {
        let option = option.trim_start();
        let end = option.find([' ', '\t', ';']).unwrap_or(option.len());
        let (word, behind) = option.split_at(end);
        let behind = behind.trim_start_matches([' ', '\t']);
        let (value, behind_it) = value(behind)?;
        if word.is_empty() && value.is_empty() {
            if behind_it.is_some() {
                return Err("there is nothing between two `;`".to_owned());
            }
            break; // a `;` at the end does no harm
        }
        let has_value = !behind.is_empty() && !behind.starts_with(';');
        route.set(word, has_value.then_some(value.as_str()))?;
        rest = behind_it;
    }
    route.checked()
}

/// Reads a part up to the next `;`, and returns what stands behind that, if there is one.
fn value(text: &str) -> Result<(String, Option<&str>), String> {
    if !text.starts_with('"') {
        let (value, rest) = match text.split_once(';') {
            Some((value, rest)) => (value, Some(rest)),
            None => (text, None),
        };
        return Ok((value.trim_matches([' ', '\t']).to_owned(), rest));
    }
    let (value, rest) = quoted(text)?;
    let rest = rest.trim_start();
    match rest.strip_prefix(';') {
        None if rest.is_empty() => Ok((value, None)),
        None => Err(format!("{rest:?} follows what is in quotes: a `;` is missing, or a \\ before a quote")),
        behind => Ok((value, behind)),
    }
}

/// Reads a text in quotes, and returns what stands behind it.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut rest = text.strip_prefix('"').unwrap_or(text).chars();
    loop {
        match rest.next() {
            Some('"') => return Ok((value, rest.as_str())),
            Some('\\') => match rest.next() {
                Some(letter @ ('"' | '\\')) => value.push(letter),
                _ => return Err("within quotes a \\ stands before a \" or a \\ only".to_owned()),
            },
            Some(letter) => value.push(letter),
            None => return Err("a quote is not closed".to_owned()),
        }
    }
}

impl fmt::Display for RouteSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", Part(&self.pattern.to_string(), &['=', ';']))?;
        match &self.to {
            Destination::BackEnds(_) => write!(f, "{}", self.to)?,
            Destination::Redirect(Redirect { status, to }) => {
                write!(f, "{status} to {}", Part(&to.to_string(), &[';']))?;
            }
            Destination::Respond(response) => {
                write!(f, "{}", response.status)?;
                if let Some(sentence) = own_sentence(response) {
                    write!(f, " {}", Part(sentence, &[';']))?;
                }
            }
        }
        for (word, value) in self.options() {
            write!(f, "; {word}")?;
            if let Some(value) = value {
                write!(f, " {}", Part(&value, &[';']))?;
            }
        }
        Ok(())
    }
}

/// A part, in quotes if it needs them: if one of these letters is in it.
struct Part<'a>(&'a str, &'a [char]);

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Part(text, special) = self;
        match text.is_empty() || text.contains(*special) || text.starts_with('"') || text.trim() != *text {
            true => write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
            false => f.write_str(text),
        }
    }
}
