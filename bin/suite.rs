//! The whole picture: every role in one process, and a map of them.

use std::process::ExitCode;

use giliran::cli::{self, Role};
use giliran::suite;

fn main() -> ExitCode {
    cli::run(&Role::SUITE, suite::prepare, suite::serve)
}
