//! The whole picture: every role in one process, and a map of them.

use std::process::ExitCode;

use giliran::app::cli::Role;
use giliran::app::{run, suite};

fn main() -> ExitCode {
    run(&Role::SUITE, suite::prepare, suite::serve)
}
