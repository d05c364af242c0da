//! The course's Web Server: a back end for the balancers, with test answers.

use std::process::ExitCode;

use giliran::app::cli::Role;
use giliran::app::{roles, run};
use giliran::site::SiteKind;

fn main() -> ExitCode {
    run(&Role::WEB_SERVER, roles::server(SiteKind::Backend), roles::serve)
}
