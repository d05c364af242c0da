//! The roles that the lab starts through its own executable, by a hidden command.
//!
//! Contract: `lab role NAME FLAGS` is the role NAME, so `cargo run --bin lab`, which builds no other
//! binary, has everything it measures, from the same build.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::app::cli::{CourseBackEnds, Loops, Pool, Role};
use crate::app::{roles, run_with};
use crate::site::SiteKind;

/// Runs a role: its name comes first, then its flags. Status 2 if there is no such role.
pub(super) fn role(argv: Vec<OsString>) -> ExitCode {
    match argv.first().and_then(|name| name.to_str()) {
        Some("lb-threaded") => {
            run_with(&Role::LB_THREADED, argv, roles::balancer::<Pool, CourseBackEnds>, roles::serve)
        }
        Some("lb-async") => {
            run_with(&Role::LB_ASYNC, argv, roles::balancer::<Loops, CourseBackEnds>, roles::serve)
        }
        Some("web-server") => {
            run_with(&Role::WEB_SERVER, argv, roles::server(SiteKind::Backend), roles::serve)
        }
        _ => ExitCode::from(2),
    }
}
