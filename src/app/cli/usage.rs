//! Errors of clap about bad usage: what is wrong, and that as one line.
//!
//! Contract: the line names the flag, repeats the value and says what would be right.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What is wrong with the arguments. A flag is named as it is typed, without its value: `--workers`.
#[derive(Debug)]
pub(crate) enum Mistake<'e> {
    NoValue {
        flag: String,
    },
    NotOneOf {
        flag: String,
        value: String,
        choices: String,
    },
    /// The value's own parser says why, if it says anything.
    NotAValue {
        flag: String,
        value: String,
        reason: Option<&'e (dyn Error + 'static)>,
    },
    /// A flag or a word, and the known one that looks like it.
    Unknown {
        word: String,
        nearest: Option<String>,
    },
    Missing(Vec<String>),
    Twice {
        flag: String,
    },
    /// `other` is `None` if there are several.
    Conflict {
        flag: String,
        other: Option<String>,
    },
    TakesNoValue {
        flag: String,
        value: String,
    },
    /// What clap says about something else, in its words.
    Other(String),
}

impl Mistake<'_> {
    /// Reads clap's error.
    pub(crate) fn of(error: &clap::Error) -> Mistake<'_> {
        let named = text(error, ContextKind::InvalidArg);
        // Clap says `--workers <N>`; the user typed the flag only. What has no flag is `<METHOD>`.
        let flag = first_word(&named).trim_matches(UNTYPED).to_owned();
        let value = text(error, ContextKind::InvalidValue);
        let some = |kind| Some(text(error, kind)).filter(|text| !text.is_empty());
        match error.kind() {
            ErrorKind::InvalidValue if value.is_empty() => Mistake::NoValue { flag },
            ErrorKind::InvalidValue => {
                Mistake::NotOneOf { flag, value, choices: text(error, ContextKind::ValidValue) }
            }
            ErrorKind::ValueValidation => Mistake::NotAValue { flag, value, reason: error.source() },
            ErrorKind::UnknownArgument => {
                Mistake::Unknown { word: flag, nearest: some(ContextKind::SuggestedArg) }
            }
            ErrorKind::InvalidSubcommand => Mistake::Unknown {
                word: text(error, ContextKind::InvalidSubcommand),
                nearest: some(ContextKind::SuggestedSubcommand),
            },
            ErrorKind::MissingRequiredArgument => {
                Mistake::Missing(named.replace(['<', '>'], "").split(", ").map(str::to_owned).collect())
            }
            ErrorKind::ArgumentConflict => match first_word(&text(error, ContextKind::PriorArg)) {
                "" => Mistake::Conflict { flag, other: None },
                prior if prior.trim_matches(UNTYPED) == flag => Mistake::Twice { flag },
                prior => Mistake::Conflict { flag, other: Some(prior.trim_matches(UNTYPED).to_owned()) },
            },
            ErrorKind::TooManyValues => Mistake::TakesNoValue { flag, value },
            _ => {
                let rendered = error.render().to_string();
                let line = rendered.lines().next().unwrap_or_default();
                Mistake::Other(line.strip_prefix("error: ").unwrap_or(line).to_owned())
            }
        }
    }
}

impl fmt::Display for Mistake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mistake::NoValue { flag } => write!(f, "{flag}: a value is missing"),
            Mistake::NotOneOf { flag, value, choices } => {
                write!(f, "{flag}: {value:?} is not one of {choices}")
            }
            Mistake::NotAValue { flag, reason: Some(reason), .. } => write!(f, "{flag}: {reason}"),
            Mistake::NotAValue { flag, value, reason: None } => {
                write!(f, "{flag}: {value:?} is not a value for it")
            }
            Mistake::Unknown { word, nearest: None } => write!(f, "{word} is unknown here"),
            Mistake::Unknown { word, nearest: Some(nearest) } => {
                write!(f, "{word} is unknown here; did you mean {nearest}?")
            }
            Mistake::Missing(names) => write!(f, "missing: {}", names.join(" and ")),
            Mistake::Twice { flag } => write!(f, "{flag} is given twice"),
            Mistake::Conflict { flag, other: None } => {
                write!(f, "{flag} cannot be combined with the other flags")
            }
            Mistake::Conflict { flag, other: Some(other) } => {
                write!(f, "{flag} and {other} exclude each other")
            }
            Mistake::TakesNoValue { flag, value } => {
                write!(f, "{flag}: takes no value, but {value:?} is given")
            }
            Mistake::Other(line) => f.write_str(line),
        }
    }
}

/// Says in one line what is wrong. No full stop ends it: the caller may add a hint.
pub(crate) fn one_line(error: &clap::Error) -> String {
    Mistake::of(error).to_string()
}

/// What clap writes around the name of a word without a flag, such as `<METHOD>` and `[DIR]`.
const UNTYPED: [char; 5] = ['<', '>', '[', ']', '.'];

fn first_word(named: &str) -> &str {
    named.split([' ', '=']).next().unwrap_or_default()
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
