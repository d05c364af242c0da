//! Why a role fails, and the exit status that tells a script which kind of failure it was.

use std::fmt;
use std::process::ExitCode;

use crate::net::listen::LayoutError;

/// Why a role did not start, or did not end well; shown as one line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The flags or the configuration are wrong: status 2.
    Usage(String),
    /// They were right, and something went wrong: status 1.
    Runtime(String),
}

impl Failure {
    /// What is wrong with the addresses that this flag says to listen on.
    pub(crate) fn of_layout(flag: &str, error: &LayoutError) -> Failure {
        let line = format!("{flag} {error}");
        match error {
            LayoutError::Unknown(..) => Failure::Runtime(line),
            LayoutError::Overlap(..) => Failure::Usage(line),
        }
    }

    /// The exit status of this kind.
    pub(crate) fn status(&self) -> ExitCode {
        match self {
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Runtime(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(line) | Failure::Runtime(line) => f.write_str(line),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_the_status_of_its_kind() {
        let status = |failure: Failure| format!("{:?}", failure.status());
        assert_eq!(status(Failure::Usage(String::new())), format!("{:?}", ExitCode::from(2)));
        assert_eq!(status(Failure::Runtime(String::new())), format!("{:?}", ExitCode::from(1)));
    }
}
