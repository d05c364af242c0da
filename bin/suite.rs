//! The whole picture: every role in one process, and a map of them.

use std::process::ExitCode;

use giliran::app::cli::{self, Role};
use giliran::app::suite;

fn main() -> ExitCode {
    cli::run(&Role::SUITE, suite::prepare, suite::serve)
}
