//! The command line: from arguments to a typed set of flags, and from the end of a role to an exit status.
//!
//! Contract: clap's definition of the flags is the only one; `--help`, the configuration file and
//! `--check` are made from it. Status 0 is fine, 1 a failure at run time, 2 bad usage or
//! configuration; a failure is one line on standard error that says what, where and what to do.

mod args;
mod flags;
mod reload;
mod role;
mod usage;
mod values;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, Args, FromArgMatches};

use crate::app::config;
use crate::observe::log;

pub use args::{AsyncBalancer, Balancer, Proxy, Server, Suite, ThreadedBalancer};
pub use flags::{
    BackEndTimes, BackEnds, ClientTimes, Configuration, Effect, Front, Health, Listening, Logging, Loops,
    Mode,
};
pub use flags::{Pool, RouteTo, Routing};
pub use reload::Reload;
pub use role::Role;
pub(crate) use usage::explain;

/// Why a role ends other than well; shown as one line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// What was asked for makes no sense, or cannot be had: status 2.
    Usage(String),
    /// It made sense and went wrong: status 1.
    Runtime(String),
}

impl Failure {
    fn status(&self) -> ExitCode {
        match self {
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Runtime(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(line) | Failure::Runtime(line) => f.write_str(line),
        }
    }
}

impl std::error::Error for Failure {}

/// The whole of a binary: reads the process's arguments, prepares, serves, and says how it went.
///
/// `prepare` looks at everything that can be wrong before anything is bound; `--check` stops after it,
/// and a reload, for which `serve` is given the means, does it again.
pub fn run<A: Args, P: 'static>(
    role: &Role,
    prepare: impl Fn(&Role, &A) -> Result<P, Failure> + Send + 'static,
    serve: impl FnOnce(P, Option<Reload<P>>) -> Result<(), Failure>,
) -> ExitCode {
    run_with(role, std::env::args_os().collect(), prepare, serve)
}

/// The same with other arguments than the process's own, the name of the program first: the lab
/// starts the roles out of its own executable.
pub fn run_with<A: Args, P: 'static>(
    role: &Role,
    argv: Vec<OsString>,
    prepare: impl Fn(&Role, &A) -> Result<P, Failure> + Send + 'static,
    serve: impl FnOnce(P, Option<Reload<P>>) -> Result<(), Failure>,
) -> ExitCode {
    let parsed = match Parsed::<A>::read(role, argv.clone()) {
        Ok(parsed) => parsed,
        Err(Stop::Told(answer)) => {
            return if answer.print().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Err(Stop::Failed(failure)) => return fail(role, &failure),
    };
    let done = if parsed.is_check() {
        prepare(role, &parsed.args).and_then(|_| print(&parsed.shown))
    } else {
        // Held to the end of this block, so that the last lines are out before the exit.
        parsed.start_log().and_then(|_log| {
            let plan = prepare(role, &parsed.args)?;
            serve(plan, Reload::new(role, argv, &parsed, prepare))
        })
    };
    done.map_or_else(|failure| fail(role, &failure), |()| ExitCode::SUCCESS)
}

/// Prints on standard output at once, even into a pipe, where a harness or a script waits for it.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    printed.map_err(|error| Failure::Runtime(format!("cannot write to standard output: {error}")))
}

fn fail(role: &Role, failure: &Failure) -> ExitCode {
    // With standard error closed, the status still tells.
    let _ = writeln!(io::stderr(), "{}: {failure}", role.name);
    failure.status()
}

/// What a command line and its configuration file came to.
#[derive(Debug)]
struct Parsed<A> {
    args: A,
    logging: Logging,
    configuration: Configuration,
    /// The effective settings, as `--check` prints them.
    shown: String,
}

/// Why there is nothing to start.
#[derive(Debug)]
enum Stop {
    /// `--help` or `--version` was asked for.
    Told(clap::Error),
    Failed(Failure),
}

impl<A: Args> Parsed<A> {
    /// Reads `argv`, the name of the program first, and the file that it names.
    fn read(role: &Role, argv: Vec<OsString>) -> Result<Parsed<A>, Stop> {
        let usage = |error: clap::Error| match error.exit_code() {
            0 => Stop::Told(error),
            _ => Stop::Failed(Failure::Usage(format!("{}; see --help", explain(&error)))),
        };
        let mut command = role.command::<A>();
        let mut matches = command.try_get_matches_from_mut(&argv).map_err(usage)?;
        if let Some(path) = matches.get_one::<PathBuf>("config").cloned() {
            matches = config::merge(&command, &matches, &path, argv)
                .map_err(|fault| Stop::Failed(Failure::Usage(fault)))?;
        }
        let shown = config::show(&command, &matches);
        Parsed::of(&matches, shown).map_err(usage)
    }

    fn of(matches: &ArgMatches, shown: String) -> Result<Parsed<A>, clap::Error> {
        Ok(Parsed {
            args: A::from_arg_matches(matches)?,
            logging: Logging::from_arg_matches(matches)?,
            configuration: Configuration::from_arg_matches(matches)?,
            shown,
        })
    }

    fn is_check(&self) -> bool {
        self.configuration.check
    }

    fn start_log(&self) -> Result<log::Guard, Failure> {
        let Logging { log: level, log_format, log_file } = &self.logging;
        log::start(*level, *log_format, log_file.clone()).map_err(|error| match log_file {
            Some(path) => Failure::Usage(format!("--log-file: {}: {error}", path.display())),
            None => Failure::Runtime(format!("the log cannot be started: {error}")),
        })
    }
}

#[cfg(test)]
mod tests;
