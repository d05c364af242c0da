//! The course's Reverse Proxy: each request to a back end by its path.

use std::process::ExitCode;

use giliran::app::cli::Role;
use giliran::app::{roles, run_or_explain};

fn main() -> ExitCode {
    run_or_explain(&Role::REVERSE_PROXY, roles::proxy)
}
