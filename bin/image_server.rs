//! The course's Image Web Server: `/images/` and the files below it.

use std::process::ExitCode;

use giliran::app::cli::{self, Role};
use giliran::app::roles;
use giliran::site;

fn main() -> ExitCode {
    cli::run(&Role::IMAGE_SERVER, roles::server(site::Role::Image), roles::serve)
}
