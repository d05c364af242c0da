//! The course's Reverse Proxy: each request to a back end by its path.

use std::process::ExitCode;

use giliran::app::cli::Role;
use giliran::app::{roles, run};

fn main() -> ExitCode {
    run(&Role::REVERSE_PROXY, roles::proxy, roles::serve)
}
