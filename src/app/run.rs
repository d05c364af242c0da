//! The whole of a binary, from its arguments to its exit status.
//!
//! Contract: status 0 is fine, 1 a failure at run time, 2 bad usage or configuration; a failure is
//! one line on standard error that says what, where and what to do.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::app::cli::{Failure, Role, print, print_failure};
use crate::app::invocation::{Invocation, NotStarted};
use crate::app::reload::Reload;

/// Runs a role with the process's own arguments.
///
/// `prepare` finds everything that can be wrong before anything is bound; `--check` stops after it,
/// and a reload does it again. `serve` binds and runs to the end, and reloads by the means it is given.
pub fn run<A: Args, P: 'static>(
    role: &Role,
    prepare: impl Fn(&Role, &A) -> Result<P, Failure> + Send + 'static,
    serve: impl FnOnce(P, Option<Reload<P>>) -> Result<(), Failure>,
) -> ExitCode {
    run_with(role, std::env::args_os().collect(), prepare, serve)
}

/// The same with other arguments than the process's own, the name of the program first: the lab
/// starts the roles out of its own executable.
pub(crate) fn run_with<A: Args, P: 'static>(
    role: &Role,
    argv: Vec<OsString>,
    prepare: impl Fn(&Role, &A) -> Result<P, Failure> + Send + 'static,
    serve: impl FnOnce(P, Option<Reload<P>>) -> Result<(), Failure>,
) -> ExitCode {
    let ended = match Invocation::<A>::read(role, argv.clone()) {
        Err(NotStarted::HelpWanted(help)) => {
            return if help.print().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Err(NotStarted::Failed(failure)) => Err(failure),
        Ok(invocation) if invocation.is_check() => invocation
            .check_log()
            .and_then(|()| prepare(role, &invocation.args))
            .and_then(|_| print(&invocation.shown)),
        // The log is held until the role has ended, so that its last lines are written before the exit.
        Ok(invocation) => invocation.start_log().and_then(|_log| {
            let prepared = prepare(role, &invocation.args)?;
            serve(prepared, Reload::new(role, argv, &invocation, prepare))
        }),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print_failure(role.name, &failure);
            failure.status()
        }
    }
}
