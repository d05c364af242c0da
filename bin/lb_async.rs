//! The course's asynchronous load balancer: poll loops over nonblocking sockets.

use std::process::ExitCode;

use giliran::app::cli::{self, Loops, Role};
use giliran::app::roles;
use giliran::app::settings::Model;

fn main() -> ExitCode {
    cli::run(&Role::LB_ASYNC, roles::balancer::<Loops>(Model::Async), roles::serve)
}
