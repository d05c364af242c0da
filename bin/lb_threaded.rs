//! The course's threaded load balancer: a fixed pool, blocking calls.

use std::process::ExitCode;

use giliran::app::cli::{CourseBackEnds, Pool, Role};
use giliran::app::{roles, run_or_explain};

fn main() -> ExitCode {
    run_or_explain(&Role::LB_THREADED, roles::balancer::<Pool, CourseBackEnds>)
}
