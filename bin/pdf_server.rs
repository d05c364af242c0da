//! The course's PDF Web Server: `/pdf/` and the files below it.

use std::process::ExitCode;

use giliran::app::cli::{self, Role};
use giliran::app::roles;
use giliran::site;

fn main() -> ExitCode {
    cli::run(&Role::PDF_SERVER, roles::server(site::Role::Pdf), roles::serve)
}
