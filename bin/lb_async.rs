//! The course's asynchronous load balancer: poll loops over nonblocking sockets.

use std::process::ExitCode;

use giliran::app::cli::{Loops, Role};
use giliran::app::settings::Model;
use giliran::app::{roles, run};

fn main() -> ExitCode {
    run(&Role::LB_ASYNC, roles::balancer::<Loops>(Model::Async), roles::serve)
}
