//! The course's Reverse Proxy: each request to a back end by its path.

use std::process::ExitCode;

use giliran::app::cli::{self, Role};
use giliran::app::roles;

fn main() -> ExitCode {
    cli::run(&Role::REVERSE_PROXY, roles::proxy, roles::serve)
}
