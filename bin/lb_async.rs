//! The course's asynchronous load balancer: poll loops over nonblocking sockets.

use std::process::ExitCode;

use giliran::app::cli::{CourseBackEnds, Loops, Role};
use giliran::app::{roles, run_or_explain};

fn main() -> ExitCode {
    run_or_explain(&Role::LB_ASYNC, roles::balancer::<Loops, CourseBackEnds>)
}
