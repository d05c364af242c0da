//! All roles in one process, and a table of their addresses.

use std::process::ExitCode;

use giliran::app::cli::Role;
use giliran::app::{run, suite};

fn main() -> ExitCode {
    run(&Role::SUITE, suite::prepare, suite::serve)
}
