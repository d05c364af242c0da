//! The course's threaded load balancer: a fixed pool, blocking calls.

use std::process::ExitCode;

use giliran::app::cli::{self, Pool, Role};
use giliran::app::roles;
use giliran::app::settings::Model;

fn main() -> ExitCode {
    cli::run(&Role::LB_THREADED, roles::balancer::<Pool>(Model::Threaded), roles::serve)
}
