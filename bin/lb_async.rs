//! The course's asynchronous load balancer: poll loops over nonblocking sockets.

use std::process::ExitCode;

use giliran::app::cli::{Loops, Role};
use giliran::app::settings::Model;
use giliran::app::{roles, run_or_explain};

fn main() -> ExitCode {
    run_or_explain(&Role::LB_ASYNC, roles::balancer::<Loops>(Model::Async))
}
