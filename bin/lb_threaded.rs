//! The course's threaded load balancer: a fixed pool, blocking calls.

use std::process::ExitCode;

use giliran::cli::{self, Pool, Role};
use giliran::roles;
use giliran::settings::Model;

fn main() -> ExitCode {
    cli::run(&Role::LB_THREADED, roles::balancer::<Pool>(Model::Threaded), roles::serve)
}
