//! Errors of clap about bad usage, as one line each.
//!
//! Contract: the line names the flag, repeats the value and says what would be right.

use std::error::Error as _;
use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Says in one line what is wrong. No full stop ends it: the caller may add a hint.
pub(crate) fn one_line(error: &clap::Error) -> String {
    let named = text(error, ContextKind::InvalidArg);
    // Clap says `--workers <N>`; the user typed the flag only. What has no flag is `<METHOD>`.
    let flag = named.split([' ', '=']).next().unwrap_or_default().trim_matches(['<', '>']);
    let value = text(error, ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::InvalidValue if value.is_empty() => format!("{flag}: a value is missing"),
        ErrorKind::InvalidValue => {
            format!("{flag}: {value:?} is not one of {}", text(error, ContextKind::ValidValue))
        }
        ErrorKind::ValueValidation => match error.source() {
            Some(reason) => format!("{flag}: {reason}"),
            None => format!("{flag}: {value:?} is not a value for it"),
        },
        ErrorKind::UnknownArgument => match text(error, ContextKind::SuggestedArg) {
            nearest if nearest.is_empty() => format!("{flag} is unknown here"),
            nearest => format!("{flag} is unknown here; did you mean {nearest}?"),
        },
        ErrorKind::InvalidSubcommand => {
            let word = text(error, ContextKind::InvalidSubcommand);
            match text(error, ContextKind::SuggestedSubcommand) {
                nearest if nearest.is_empty() => format!("{word} is unknown here"),
                nearest => format!("{word} is unknown here; did you mean {nearest}?"),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            format!("missing: {}", named.replace(['<', '>'], "").replace(", ", " and "))
        }
        ErrorKind::ArgumentConflict => {
            let prior = text(error, ContextKind::PriorArg);
            match prior.split([' ', '=']).next().unwrap_or_default() {
                "" => format!("{flag} cannot be combined with the other flags"),
                prior if prior == flag => format!("{flag} is given twice"),
                prior => format!("{flag} and {prior} exclude each other"),
            }
        }
        ErrorKind::TooManyValues => format!("{flag}: takes no value, but {value:?} is given"),
        _ => {
            let rendered = error.render().to_string();
            let line = rendered.lines().next().unwrap_or_default();
            line.strip_prefix("error: ").unwrap_or(line).to_owned()
        }
    }
}

/// The same arguments, with a value that begins with a hyphen joined to its flag: `--workers -1` becomes
/// `--workers=-1`. Clap would take such a value for another flag, and the error would be about that one. What begins
/// with two hyphens, `-h` and `-V` remain flags.
pub(crate) fn join_values(command: &Command, argv: Vec<OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::with_capacity(argv.len());
    for argument in argv {
        match joined.last_mut() {
            Some(flag) if is_negative(&argument) && takes_value(command, flag) => {
                flag.push("=");
                flag.push(argument);
            }
            _ => joined.push(argument),
        }
    }
    joined
}

/// The same arguments without the word `name`, if that is the command that they give: the first word which is
/// neither a flag nor the value of one. So the flags of a command may stand before it and behind it.
pub(crate) fn take_command(command: &Command, name: &str, argv: &[OsString]) -> Option<Vec<OsString>> {
    let is_flag = |argument: &OsString| argument.as_encoded_bytes().first() == Some(&b'-');
    let mut index = 1;
    while argv.get(index).is_some_and(is_flag) {
        index += if takes_value(command, &argv[index]) { 2 } else { 1 };
    }
    if argv.get(index)? != name {
        return None;
    }
    let mut rest = argv.to_vec();
    rest.remove(index);
    Some(rest)
}

fn is_negative(argument: &OsString) -> bool {
    let bytes = argument.as_encoded_bytes();
    bytes.len() > 1 && bytes[0] == b'-' && bytes[1] != b'-' && !matches!(bytes, b"-h" | b"-V")
}

fn takes_value(command: &Command, flag: &OsString) -> bool {
    let name = flag.to_str().and_then(|flag| flag.strip_prefix("--"));
    let of = |command: &Command| {
        command.get_arguments().any(|arg| arg.get_long() == name && arg.get_action().takes_values())
    };
    name.is_some() && (of(command) || command.get_subcommands().any(of))
}

fn text(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(all)) => all.join(", "),
        _ => String::new(),
    }
}
