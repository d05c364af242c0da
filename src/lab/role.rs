//! The programs that the lab starts through its own executable, by two hidden commands.
//!
//! Contract: `lab role NAME FLAGS` is the role NAME, so `cargo run --bin lab`, which builds no other
//! binary, has everything it measures, from the same build. `lab guard LAB PROGRAM ARGUMENTS` becomes
//! PROGRAM, which then ends when the lab ends, whose process id is LAB: also when the lab is killed and
//! can end nothing itself.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use super::terminal::say;
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

/// Becomes a program: the lab's process id comes first, then the program and its arguments. Returns
/// only if it cannot be started, or if the lab has ended.
pub(super) fn guard(argv: &[OsString]) -> ExitCode {
    let [lab, program, arguments @ ..] = argv else { return ExitCode::from(2) };
    end_with_the_lab();
    // The lab may have ended before the kernel was asked to tell of it.
    let parent = rustix::process::getppid().map(|parent| parent.as_raw_nonzero().to_string());
    if parent.as_deref() != lab.to_str() {
        return ExitCode::FAILURE;
    }
    let error = Command::new(program).args(arguments).exec();
    say(&format!("{}: {error}", program.to_string_lossy()));
    ExitCode::FAILURE
}

/// Asks the kernel for SIGTERM when the thread that started this process is gone; the request outlives
/// exec(2). SIGTERM and not SIGKILL, so that a peer's master process can end its workers.
#[cfg(target_os = "linux")]
fn end_with_the_lab() {
    use rustix::process::{Signal, set_parent_process_death_signal};
    // If this fails, the lab still ends its programs unless it is killed.
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
}

/// Only Linux tells a child of its parent's death.
#[cfg(not(target_os = "linux"))]
fn end_with_the_lab() {}
