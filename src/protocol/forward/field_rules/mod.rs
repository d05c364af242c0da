//! Field rules: which fields of a head a person has set, added or removed, for a whole role or for one route.
//!
//! Contract: a head keeps its framing and its meaning for the connection, whatever the rules are: the fields of which
//! these are made cannot be named. All rules have their effect at once: fields are removed first, then others take the
//! place of all of their name, then fields are added. A rule of a route goes before one of the role for the same
//! field.
//!
//! The rules are applied to a head that has been written, so that they see what is really sent. A name with `_` in
//! place of `-` is removed too: back ends that read fields as variables (CGI, WSGI) cannot tell the two from each
//! other.

use std::fmt;

use super::field::{Kind, kind};
use super::template::{Placeholder, Template, Values};
use crate::protocol::buffer::Buffer;
use crate::protocol::http::head::is_host;
use crate::protocol::http::{is_token_byte, trim};
use crate::protocol::request_id::FIELD;

/// Which head a rule is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// That of the request, as the back end gets it.
    Request,
    /// That of the response, as the client gets it.
    Response,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// The field takes the place of all of its name.
    Set,
    /// The field is added to those of its name.
    Add,
    /// All fields of the name are removed.
    Remove,
}

/// The words for a rule: keys of the configuration file, options of a route, and flags.
pub(crate) const WORDS: [(&str, Side, Change); 6] = [
    ("set-request", Side::Request, Change::Set),
    ("add-request", Side::Request, Change::Add),
    ("remove-request", Side::Request, Change::Remove),
    ("set-response", Side::Response, Change::Set),
    ("add-response", Side::Response, Change::Add),
    ("remove-response", Side::Response, Change::Remove),
];

/// One rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldRule {
    side: Side,
    change: Change,
    name: String,
    /// Empty for a field that is removed.
    value: Template,
}

impl FieldRule {
    /// Reads `Name: value`, or `Name` for a field that is removed.
    ///
    /// Errors, as one sentence for the person who configures it: no name, a value that no field may have, an unknown
    /// placeholder, or a field that cannot be changed by a rule.
    pub fn parse(side: Side, change: Change, text: &str) -> Result<FieldRule, String> {
        let (name, value) = match (change, text.split_once(':')) {
            (Change::Remove, None) => (text.trim(), ""),
            (Change::Remove, Some(_)) => {
                return Err(format!("{text:?} has a value: write only the name of the field"));
            }
            (_, Some((name, value))) => (name, value.trim_matches([' ', '\t'])),
            (_, None) => return Err(format!("{text:?} has no colon: write Name: value")),
        };
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(format!(
                "{text:?} has no name that a field may have: write Name: value, such as X-Real-IP: {{client}}"
            ));
        }
        check_name(side, change, name)?;
        let value: Template = value.parse().map_err(|error| format!("{name}: {error}"))?;
        if kind(name) == Kind::Host && !value.plain().is_some_and(|host| !host.is_empty() && is_host(host)) {
            return Err(format!(
                "{text:?} sets no host: write it as it is to be sent, such as Host: example.org"
            ));
        }
        Ok(FieldRule { side, change, name: name.to_owned(), value })
    }

    /// The rules by which every request and its response carry the identifier of the request.
    pub fn of_request_id() -> Vec<FieldRule> {
        let value = Template::from(Placeholder::RequestId);
        let rule =
            |side| FieldRule { side, change: Change::Set, name: FIELD.to_owned(), value: value.clone() };
        vec![rule(Side::Request), rule(Side::Response)]
    }

    /// Its word of [`WORDS`].
    pub fn word(&self) -> &'static str {
        let is_mine =
            |(_, side, change): &&(&str, Side, Change)| (*side, *change) == (self.side, self.change);
        WORDS.iter().find(is_mine).map_or("", |(word, ..)| *word)
    }
}

/// What [`FieldRule::parse`] reads.
impl fmt::Display for FieldRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.change {
            Change::Remove => f.write_str(&self.name),
            Change::Set | Change::Add => write!(f, "{}: {}", self.name, self.value),
        }
    }
}

fn check_name(side: Side, change: Change, name: &str) -> Result<(), String> {
    let refused = match (kind(name), side) {
        (Kind::Length | Kind::Hop, _) => {
            "it is about one connection or about where the body ends, and is always written anew"
        }
        (Kind::Te | Kind::Upgrade | Kind::Expect | Kind::MaxForwards, _) => {
            "it is a request to the proxy itself, which obeys it"
        }
        (Kind::Host, Side::Response) => "it is a field of requests",
        (Kind::Host, Side::Request) if change != Change::Set => {
            "a request has exactly one, which set-request replaces"
        }
        _ => return Ok(()),
    };
    Err(format!("{name} cannot be changed by a rule: {refused}"))
}

/// All rules for one head.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FieldRules {
    /// Names of fields that are not passed on.
    dropped: Vec<String>,
    /// Fields that are written.
    written: Vec<(String, Template)>,
}

impl FieldRules {
    /// The rules for one side: those of a role, and those of a route, which go before them.
    ///
    /// Errors: a field that is set twice on the same level.
    pub fn new(side: Side, role: &[FieldRule], route: &[FieldRule]) -> Result<FieldRules, String> {
        let mut rules = FieldRules::default();
        for level in [role, route] {
            let of = |change| level.iter().filter(move |rule| rule.side == side && rule.change == change);
            for rule in of(Change::Remove) {
                rules.replace(&rule.name);
            }
            for (index, rule) in of(Change::Set).enumerate() {
                if of(Change::Set).take(index).any(|before| is_same(&before.name, &rule.name)) {
                    return Err(format!("{} is given twice for {}", rule.word(), rule.name));
                }
                rules.replace(&rule.name);
                rules.written.push((rule.name.clone(), rule.value.clone()));
            }
            for rule in of(Change::Add) {
                rules.written.push((rule.name.clone(), rule.value.clone()));
            }
        }
        Ok(rules)
    }

    /// From now on nothing else is known of this field than that it is not passed on.
    fn replace(&mut self, name: &str) {
        self.written.retain(|(other, _)| !is_same(other, name));
        if !self.drops(name) {
            self.dropped.push(name.to_owned());
        }
    }

    /// True if there is no rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.dropped.is_empty() && self.written.is_empty()
    }

    /// True if fields of this name are not passed on as they came.
    pub(crate) fn drops(&self, name: &str) -> bool {
        self.dropped.iter().any(|dropped| is_same(dropped, name))
    }

    /// True if a value has this placeholder.
    pub(crate) fn uses(&self, placeholder: Placeholder) -> bool {
        self.written.iter().any(|(_, value)| value.uses(placeholder))
    }

    /// Appends the lines that are added to the head of one request or response.
    pub fn render(&self, values: &Values<'_>, lines: &mut String) {
        for (name, value) in &self.written {
            lines.push_str(name);
            lines.push_str(": ");
            value.render(values, lines);
            lines.push_str("\r\n");
        }
    }

    /// Applies the rules to the head that begins at byte `start` of `out`, and adds these lines, which
    /// [`render`](FieldRules::render) has written. False if there is no room for them.
    #[must_use]
    pub fn apply(&self, lines: &str, start: usize, out: &mut Buffer) -> bool {
        let end = edit_fields(start, out, |name, _| if self.drops(name) { Edit::Drop } else { Edit::Keep });
        out.insert(end, lines.as_bytes())
    }
}

/// What becomes of a field line.
pub(crate) enum Edit {
    Keep,
    Drop,
    /// It gets another value.
    Replace(Vec<u8>),
}

/// Edits the field lines of the complete head that begins at byte `start` of `out`: `edit` gets name and value of
/// each. Returns where the empty line at its end begins. A new value for which there is no room is left out with its
/// field.
pub(crate) fn edit_fields(start: usize, out: &mut Buffer, edit: impl Fn(&str, &[u8]) -> Edit) -> usize {
    let line_length = |out: &Buffer, at: usize| {
        let rest = &out.bytes()[at..];
        rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1)
    };
    let mut at = start + line_length(out, start);
    loop {
        let length = line_length(out, at);
        let line = out.bytes()[at..at + length].trim_ascii_end();
        if line.is_empty() {
            return at;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let name = std::str::from_utf8(&line[..colon]).unwrap_or_default();
        match edit(name, trim(line.get(colon + 1..).unwrap_or_default())) {
            Edit::Keep => at += length,
            Edit::Drop => out.remove(at, length),
            Edit::Replace(value) => {
                let replaced = [name.as_bytes(), b": ", &value, b"\r\n"].concat();
                out.remove(at, length);
                if out.insert(at, &replaced) {
                    at += replaced.len();
                }
            }
        }
    }
}

/// True if a back end may take these for names of one field.
fn is_same(one: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    one.len() == other.len() && one.bytes().map(plain).eq(other.bytes().map(plain))
}

#[cfg(test)]
mod tests;
