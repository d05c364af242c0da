//! The whole of a binary, from its arguments to its exit status.
//!
//! Contract: status 0 is fine, 1 a failure at run time, 2 bad usage or configuration; a failure is
//! one line on standard error that says what, where and what to do.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::app::cli::{EXPLAIN, Failure, Role, print, print_failure, take_command};
use crate::app::explain;
use crate::app::invocation::{Invocation, NotStarted};
use crate::app::reload::Reload;
use crate::app::roles::{self, PreparedRole};

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
    let run = || {
        let invocation = Invocation::<A>::read(role, argv.clone())?;
        if invocation.is_check() {
            invocation.check_log()?;
            prepare(role, &invocation.args)?;
            print(&invocation.shown)?;
            return Ok(());
        }
        // The log is held until the role has ended, so that its last lines are written before the exit.
        let _log = invocation.start_log()?;
        let prepared = prepare(role, &invocation.args)?;
        serve(prepared, Reload::new(role, argv, &invocation, prepare))?;
        Ok(())
    };
    exit_status(role.program, run())
}

/// Runs a role that chooses back ends, with the process's own arguments; or, if they have its command `explain`, says
/// what would become of a request.
pub fn run_or_explain<A: Args>(
    role: &Role,
    prepare: impl Fn(&Role, &A) -> Result<PreparedRole, Failure> + Send + 'static,
) -> ExitCode {
    run_or_explain_with(role, std::env::args_os().collect(), prepare)
}

/// The same with other arguments than the process's own.
pub(super) fn run_or_explain_with<A: Args>(
    role: &Role,
    argv: Vec<OsString>,
    prepare: impl Fn(&Role, &A) -> Result<PreparedRole, Failure> + Send + 'static,
) -> ExitCode {
    match take_command(&role.command::<A>(), EXPLAIN, &argv) {
        None => run_with(role, argv, prepare, roles::serve),
        Some(argv) => explain_with(role, argv, prepare),
    }
}

/// Says what would become of the request that these arguments name.
pub(super) fn explain_with<A: Args>(
    role: &Role,
    argv: Vec<OsString>,
    prepare: impl Fn(&Role, &A) -> Result<PreparedRole, Failure>,
) -> ExitCode {
    let explain = || Ok(print(&explain::explain(role, argv, prepare)?)?);
    exit_status(role.program, explain())
}

/// Prints what is left to say, and gives the exit status.
pub(super) fn exit_status(program: &str, ended: Result<(), NotStarted>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(NotStarted::HelpWanted(help)) if help.print().is_ok() => ExitCode::SUCCESS,
        Err(NotStarted::HelpWanted(_)) => ExitCode::FAILURE,
        Err(NotStarted::Failed(failure)) => {
            print_failure(program, &failure);
            failure.status()
        }
    }
}
