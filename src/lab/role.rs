//! The roles that the lab starts, out of its own executable.
//!
//! Contract: `lab role NAME -- FLAGS` is the role NAME. So `cargo run --bin lab`, which builds no
//! other binary, has everything it measures, from the same build.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cli::{self, Loops, Pool, Role};
use crate::settings::Model;
use crate::{roles, site};

/// Runs the role of this name; 2 if there is none.
pub fn main(name: &str, flags: impl Iterator<Item = OsString>) -> ExitCode {
    let argv: Vec<OsString> = [OsString::from(name)].into_iter().chain(flags).collect();
    match name {
        "lb-threaded" => {
            cli::run_with(&Role::LB_THREADED, argv, roles::balancer::<Pool>(Model::Threaded), roles::serve)
        }
        "lb-async" => {
            cli::run_with(&Role::LB_ASYNC, argv, roles::balancer::<Loops>(Model::Async), roles::serve)
        }
        "web-server" => {
            cli::run_with(&Role::WEB_SERVER, argv, roles::server(site::Role::Generic), roles::serve)
        }
        _ => ExitCode::from(2),
    }
}
