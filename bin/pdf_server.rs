//! The course's PDF Web Server: `/pdf/` and the files below it.

use std::process::ExitCode;

use giliran::app::cli::Role;
use giliran::app::{roles, run};
use giliran::site::SiteKind;

fn main() -> ExitCode {
    run(&Role::PDF_SERVER, roles::server(SiteKind::Pdf), roles::serve)
}
