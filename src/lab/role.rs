//! The programs that the lab starts, by way of its own executable.
//!
//! Contract: `lab role LAB NAME -- FLAGS` is the role NAME, where LAB is the process id of the lab.
//! So `cargo run --bin lab`, which builds no other binary, has everything it measures, from the same
//! build. `lab role LAB run -- PROGRAM ARGUMENTS` becomes PROGRAM. Both end when the lab ends, also
//! when it is killed and can end nobody itself.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use super::progress::say;
use crate::app::cli::{Loops, Pool, Role};
use crate::app::settings::Model;
use crate::app::{roles, run_with};
use crate::site::SiteKind;

/// Runs the role of this name; 2 if there is none.
pub fn main(lab: &str, name: &str, flags: impl Iterator<Item = OsString>) -> ExitCode {
    end_with_the_lab();
    // It may have ended before the kernel was asked to tell of it.
    let parent = rustix::process::getppid().map(|parent| parent.as_raw_nonzero().to_string());
    if parent.as_deref() != Some(lab) {
        return ExitCode::FAILURE;
    }
    if name == "run" {
        return become_program(flags);
    }
    let argv: Vec<OsString> = [OsString::from(name)].into_iter().chain(flags).collect();
    match name {
        "lb-threaded" => {
            run_with(&Role::LB_THREADED, argv, roles::balancer::<Pool>(Model::Threaded), roles::serve)
        }
        "lb-async" => run_with(&Role::LB_ASYNC, argv, roles::balancer::<Loops>(Model::Async), roles::serve),
        "web-server" => run_with(&Role::WEB_SERVER, argv, roles::server(SiteKind::Backend), roles::serve),
        _ => ExitCode::from(2),
    }
}

/// Has the kernel send SIGTERM when the thread that started this process is gone. SIGTERM and not
/// SIGKILL: a peer's master process then ends its workers, of which the kernel knows nothing here.
#[cfg(target_os = "linux")]
fn end_with_the_lab() {
    use rustix::process::{Signal, set_parent_process_death_signal};
    // Where that is not allowed, the lab still ends its programs in every end that it lives to see.
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
}

/// Only Linux tells a child of its parent's death.
#[cfg(not(target_os = "linux"))]
fn end_with_the_lab() {}

/// Returns only if there is no such program.
fn become_program(mut argv: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(program) = argv.next() else { return ExitCode::from(2) };
    let error = Command::new(&program).args(argv).exec();
    say(&format!("{}: {error}", program.to_string_lossy()));
    ExitCode::FAILURE
}
