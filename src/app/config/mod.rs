//! The configuration file: TOML whose keys are the long flags.
//!
//! Contract: there is no second definition of the settings. Each `key = value` becomes the argument
//! `--key=value`, which clap parses like one that was typed. A flag on the command line overrides its key and
//! the keys that it excludes. An error names file, line and key. What [`show`] prints can be read back and
//! gives the same settings. A route may be a table too: it becomes the argument that says the same.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::Write;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::app::cli::one_line;
use crate::app::defaults::CONFIG_BYTES_MAX;
use crate::app::route::{RouteSpec, from_table, to_table};
use crate::net::files;
use crate::observe::log::{Quoted, TomlQuoted};

/// Flags that are not keys: a file can neither name another file nor ask for help, and holds no request to explain.
const NO_KEYS: [&str; 6] = ["config", "check", "help", "version", "from", "live"];

/// Words of a command line that say the same as a flag, by its id: `serve DIR` is `serve --root DIR`.
const WORDS: [(&str, &str); 2] = [("root", "root_word"), ("backend", "backend_words")];

/// The key whose values may be tables, and are shown as such.
const ROUTE: &str = "route";

/// Similarity of two words, from 0 to 1, from which on one is suggested for the other.
const SIMILARITY_MIN: f64 = 0.75;

/// Reads the file at `path` and parses it together with `argv`; `given` is what `argv` alone was parsed to.
///
/// Errors: one line for the user.
pub(crate) fn merge(
    command: &Command,
    given: &ArgMatches,
    path: &Path,
    argv: Vec<OsString>,
) -> Result<ArgMatches, String> {
    let text = read(path)
        .map_err(|error| format!("cannot read the configuration file {}: {error}", path.display()))?;
    merge_text(command, given, &path.display().to_string(), &text, argv)
}

/// The effective settings in the form of a file: every key that has a value.
pub fn show(command: &Command, matches: &ArgMatches) -> String {
    let mut shown = String::new();
    let mut heading = None;
    for arg in command.get_arguments().filter(|arg| arg.get_id() != ROUTE) {
        let (Some(key), Some(value)) = (key(arg), toml_value(arg, matches)) else { continue };
        if arg.get_help_heading() != heading {
            heading = arg.get_help_heading();
            let gap = if shown.is_empty() { "" } else { "\n" };
            shown.push_str(&heading.map(|heading| format!("{gap}# {heading}\n")).unwrap_or_default());
        }
        // Writing to a `String` does not fail.
        let _ = writeln!(shown, "{key} = {value}");
    }
    // Behind all other keys: what stands behind the head of a table is in the table.
    let routes = matches.try_get_many::<RouteSpec>(ROUTE).ok().flatten();
    for route in routes.into_iter().flatten() {
        let _ = write!(shown, "\n{}", to_table(route));
    }
    shown
}

/// The keys in which two texts of [`show`] differ, in the order of the flags.
pub(crate) fn changed(old: &str, new: &str) -> Vec<String> {
    let (old_keys, old_routes) = split_at_routes(old);
    let (new_keys, new_routes) = split_at_routes(new);
    let only_in = |one: &str, other: &str| -> Vec<String> {
        let lines = one.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        // Every key is one line: line ends within a value are shown as escapes.
        let differ = lines.filter(|line| !other.lines().any(|same| same == *line));
        differ.filter_map(|line| Some(line.split_once(" = ")?.0.to_owned())).collect()
    };
    let mut keys = only_in(new_keys, old_keys);
    // Keys that have no value any more.
    let gone = only_in(old_keys, new_keys).into_iter().filter(|key| !keys.contains(key)).collect::<Vec<_>>();
    keys.extend(gone);
    if old_routes != new_routes {
        keys.insert(0, ROUTE.to_owned());
    }
    keys
}

/// A text of [`show`] as two: the keys, and the tables of the routes.
fn split_at_routes(shown: &str) -> (&str, &str) {
    shown.split_at(shown.find("\n[[route]]\n").unwrap_or(shown.len()))
}

/// One key of the file, as command-line arguments.
struct Entry {
    id: String,
    line: usize,
    arguments: Vec<OsString>,
}

/// Parses the text of a file together with `argv`, like [`merge`]; `file` is its name in errors.
pub fn merge_text(
    command: &Command,
    given: &ArgMatches,
    file: &str,
    text: &str,
    argv: Vec<OsString>,
) -> Result<ArgMatches, String> {
    let entries = entries(command, file, text)?;
    let parse = |arguments: Vec<OsString>| command.clone().try_get_matches_from(arguments);
    // A key alone lacks what the command line must have.
    let lenient = command.clone().mut_args(|arg| arg.required(false));
    let program = argv.first().cloned().unwrap_or_else(|| command.get_name().into());
    for Entry { id, line, arguments } in &entries {
        // Each key is parsed alone first, so that an error can name its line.
        let alone: Vec<OsString> =
            std::iter::once(program.clone()).chain(arguments.iter().cloned()).collect();
        if let Err(error) = lenient.clone().try_get_matches_from(alone) {
            let words = one_line(&error);
            let words = words.strip_prefix("--").map_or(words.clone(), str::to_owned);
            debug_assert!(words.contains(id.replace('_', "-").as_str()), "{words}");
            return Err(format!("{file}, line {line}: {words}"));
        }
    }
    let remaining = entries.iter().filter(|entry| !overridden(command, given, &entry.id));
    let arguments = remaining.flat_map(|entry| entry.arguments.iter().cloned());
    let all = std::iter::once(program.clone()).chain(arguments).chain(argv.into_iter().skip(1));
    // Each key alone was right, so two keys of the file exclude each other.
    parse(all.collect()).map_err(|error| {
        let flag = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(flag)) => flag.split(' ').next().unwrap_or_default(),
            _ => "",
        };
        let entry = entries.iter().find(|entry| flag.trim_start_matches('-') == entry.id.replace('_', "-"));
        let line = entry.map(|entry| format!(", line {}", entry.line)).unwrap_or_default();
        format!("{file}{line}: {}", one_line(&error))
    })
}

/// True if the command line has this flag, or one that excludes it.
fn overridden(command: &Command, given: &ArgMatches, id: &str) -> bool {
    let is_given = |id: &str| given.value_source(id) == Some(ValueSource::CommandLine);
    let excludes = |one: &Arg, other: &Arg| {
        command.get_arg_conflicts_with(one).iter().any(|arg| arg.get_id() == other.get_id())
    };
    let Some(arg) = command.get_arguments().find(|arg| arg.get_id() == id) else { return false };
    is_given(id)
        || command
            .get_arguments()
            .filter(|other| is_given(other.get_id().as_str()))
            .any(|other| excludes(arg, other) || excludes(other, arg))
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    files::open_to_read(path)?.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > CONFIG_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {CONFIG_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn entries(command: &Command, file: &str, text: &str) -> Result<Vec<Entry>, String> {
    let at = |span: Range<usize>| format!("{file}, line {}", line_of(text, span.start));
    let table = DeTable::parse(text).map_err(|error| {
        let place = error.span().map_or_else(|| file.to_owned(), &at);
        format!("{place}: {}", error.message().lines().next().unwrap_or("this is no TOML"))
    })?;
    let mut entries = Vec::new();
    for (name, value) in table.get_ref() {
        let known = command.get_arguments().find(|arg| key(arg) == Some(name.get_ref().as_ref()));
        let Some(arg) = known else {
            return Err(format!("{}: {}", at(name.span()), unknown(command, name.get_ref())));
        };
        if arg.get_id() == ROUTE && has_tables(value.get_ref()) {
            for value in value.get_ref().as_array().into_iter().flatten() {
                let argument =
                    route(value).map_err(|(span, words)| format!("{}: {ROUTE}: {words}", at(span)))?;
                let line = line_of(text, value.span().start);
                entries.push(Entry { id: ROUTE.to_owned(), line, arguments: vec![argument] });
            }
            continue;
        }
        let arguments = arguments(arg, name.get_ref(), value.get_ref())
            .map_err(|words| format!("{}: {}: {words}", at(name.span()), name.get_ref()))?;
        let line = line_of(text, name.span().start);
        entries.push(Entry { id: arg.get_id().to_string(), line, arguments });
    }
    // The table is sorted by key; errors and repeated values must follow the order of the file.
    entries.sort_by_key(|entry| entry.line);
    Ok(entries)
}

fn has_tables(value: &DeValue<'_>) -> bool {
    value.as_array().is_some_and(|list| list.iter().any(|one| one.get_ref().is_table()))
}

/// One route as an argument: a table, or the text of the command line among tables.
fn route(value: &Spanned<DeValue<'_>>) -> Result<OsString, (Range<usize>, String)> {
    let text = match value.get_ref().as_table() {
        Some(table) => Cow::Owned(from_table(table, value.span())?.to_string()),
        None => match value.get_ref().as_str() {
            Some(text) => Cow::Borrowed(text),
            None => return Err((value.span(), "takes a table or a text".to_owned())),
        },
    };
    Ok(format!("--{ROUTE}={text}").into())
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn unknown(command: &Command, name: &str) -> String {
    let similarity = |key: &str| strsim::jaro_winkler(key, name);
    let keys = command.get_arguments().filter_map(key);
    match keys.max_by(|one, other| similarity(one).total_cmp(&similarity(other))) {
        Some(nearest) if similarity(nearest) >= SIMILARITY_MIN => {
            format!("{} is no key of {}; did you mean {nearest}?", Quoted(name), command.get_name())
        }
        _ => format!("{} is no key of {}; --help lists them", Quoted(name), command.get_name()),
    }
}

/// The key of a flag, if it can be in a file.
fn key(arg: &Arg) -> Option<&str> {
    arg.get_long().filter(|long| !NO_KEYS.contains(long))
}

fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

fn is_repeatable(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// The arguments of a key: `--key=value` for each of its values.
fn arguments(arg: &Arg, key: &str, value: &DeValue<'_>) -> Result<Vec<OsString>, String> {
    if is_switch(arg) {
        return match value.as_bool() {
            Some(true) => Ok(vec![format!("--{key}").into()]),
            Some(false) => Ok(Vec::new()),
            None => Err("write true or false".to_owned()),
        };
    }
    let argument = |value| scalar(value).map(|value| OsString::from(format!("--{key}={value}")));
    match value {
        // No argument would mean the default, and an empty list does not say that.
        DeValue::Array(values) if values.is_empty() => {
            Err("an empty list; leave the key out for its default".to_owned())
        }
        DeValue::Array(values) if is_repeatable(arg) => {
            values.iter().map(|value| argument(value.get_ref())).collect()
        }
        DeValue::Array(_) => Err("takes one value, not a list".to_owned()),
        value => Ok(vec![argument(value)?]),
    }
}

fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Ok(number.to_string()),
            Err(_) => Err(format!("{number} is too large")),
        },
        DeValue::Float(number) => Ok(number.to_string()),
        other => Err(format!("takes a text or a number, not a {}", other.type_str())),
    }
}

fn toml_value(arg: &Arg, matches: &ArgMatches) -> Option<String> {
    let id = arg.get_id().as_str();
    if is_switch(arg) {
        return Some(matches.get_flag(id).to_string());
    }
    // The texts that clap parsed, defaults included. TOML is Unicode, so a path that is not Unicode cannot
    // be shown as it is.
    let words = WORDS.iter().find(|(flag, _)| *flag == id).map(|(_, words)| *words);
    // A role without such words has no such id, which is an error only of the look-up.
    let words = words.and_then(|words| matches.try_get_raw(words).ok().flatten());
    let values: Vec<String> =
        words.or_else(|| matches.get_raw(id))?.map(|value| toml_scalar(&value.to_string_lossy())).collect();
    match values.as_slice() {
        [] => None,
        [value] if !is_repeatable(arg) => Some(value.clone()),
        values => Some(format!("[{}]", values.join(", "))),
    }
}

/// A number without quotes if it is written as TOML writes it, else a string.
fn toml_scalar(text: &str) -> String {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => text.to_owned(),
        _ => TomlQuoted(text).to_string(),
    }
}

#[cfg(test)]
mod tests;
