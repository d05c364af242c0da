//! The course's Image Web Server: `/images/` and the files below it.

use std::process::ExitCode;

use giliran::app::cli::Role;
use giliran::app::{roles, run};
use giliran::site::SiteKind;

fn main() -> ExitCode {
    run(&Role::IMAGE_SERVER, roles::server(SiteKind::Image), roles::serve)
}
