//! Errors of clap about bad usage, as one line each.
//!
//! Contract: the line names the flag, repeats the value and says what would be right.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Says in one line what is wrong. No full stop ends it: the caller may add a hint.
pub(crate) fn one_line(error: &clap::Error) -> String {
    let flag = text(error, ContextKind::InvalidArg);
    // Clap says `--workers <N>`; the user typed the flag only.
    let flag = flag.split([' ', '=']).next().unwrap_or_default();
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

fn text(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(all)) => all.join(", "),
        _ => String::new(),
    }
}
