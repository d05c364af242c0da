//! One invocation of a role: its command line together with its configuration file.
//!
//! Contract: reading starts nothing. Whatever is wrong with the flags or with the file is one line; about a
//! flag of the command line it ends with a hint at `--help`.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::app::cli::{Configuration, Failure, Logging, Role, join_values, one_line};
use crate::app::config;
use crate::app::route::RouteSpec;
use crate::net::files;
use crate::observe;

/// The parsed flags of a command line and of its configuration file.
#[derive(Debug)]
pub(crate) struct Invocation<A> {
    /// The arguments of the role.
    pub(crate) args: A,
    /// The flags of the log.
    pub(crate) logging: Logging,
    configuration: Configuration,
    /// The flags name files that may have changed when they are read again.
    has_files: bool,
    /// The effective settings, as `--check` prints them.
    pub(crate) shown: String,
}

/// Why there is nothing to start.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// `--help` or `--version` was asked for; clap has the text.
    HelpWanted(clap::Error),
    /// Something is wrong.
    Failed(Failure),
}

impl From<Failure> for NotStarted {
    fn from(failure: Failure) -> NotStarted {
        NotStarted::Failed(failure)
    }
}

impl<A: Args> Invocation<A> {
    /// Reads `argv` as flags of the role, the name of the program first, and the file that it names.
    pub(crate) fn read(role: &Role, argv: Vec<OsString>) -> Result<Invocation<A>, NotStarted> {
        Invocation::read_as(role.command::<A>(), argv)
    }

    /// The same with the flags of `command`.
    pub(crate) fn read_as(mut command: Command, argv: Vec<OsString>) -> Result<Invocation<A>, NotStarted> {
        let usage = |error: clap::Error| match error.exit_code() {
            0 => NotStarted::HelpWanted(error),
            _ => NotStarted::Failed(Failure::Usage(format!("{}; see --help", one_line(&error)))),
        };
        let argv = join_values(&command, argv);
        let mut matches = command.try_get_matches_from_mut(&argv).map_err(usage)?;
        if let Some(path) = matches.get_one::<PathBuf>("config").cloned() {
            matches = config::merge(&command, &matches, &path, argv)
                .map_err(|error| NotStarted::Failed(Failure::Usage(error)))?;
        }
        let shown = config::show(&command, &matches);
        Invocation::from_matches(&matches, shown).map_err(usage)
    }

    fn from_matches(matches: &ArgMatches, shown: String) -> Result<Invocation<A>, clap::Error> {
        Ok(Invocation {
            args: A::from_arg_matches(matches)?,
            logging: Logging::from_arg_matches(matches)?,
            configuration: Configuration::from_arg_matches(matches)?,
            has_files: READ_AGAIN.iter().any(|id| is_given(matches, id)) || has_passwords(matches),
            shown,
        })
    }

    /// True if the role is to validate its settings and stop.
    pub(crate) fn is_check(&self) -> bool {
        self.configuration.check
    }

    /// True if there are files, which may have changed when they are read again.
    pub(crate) fn has_files(&self) -> bool {
        self.has_files
    }

    /// Finds what would keep [`start_log`](Invocation::start_log) from working, and makes no file.
    pub(crate) fn check_log(&self) -> Result<(), Failure> {
        let Some(path) = &self.logging.log_file else { return Ok(()) };
        files::check_append(path).map_err(|error| log_file_failure(path, &error))
    }

    /// Starts the log; it ends, with its last lines written, when the guard is dropped.
    pub(crate) fn start_log(&self) -> Result<observe::log::Guard, Failure> {
        let Logging { log: level, log_format, log_file } = &self.logging;
        let file = log_file.clone().map(|path| observe::log::LogFile { path, open: files::open_to_append });
        observe::log::start(*level, *log_format, file).map_err(|error| match log_file {
            Some(path) => log_file_failure(path, &error),
            None => Failure::Runtime(format!("the log cannot be started: {error}")),
        })
    }
}

/// Flags that name files which a reload reads again.
const READ_AGAIN: [&str; 5] = ["config", "tls_cert", "tls_key", "backend_ca", "basic_auth"];

/// True if a route names a file of passwords.
fn has_passwords(matches: &ArgMatches) -> bool {
    let routes = matches.try_get_many::<RouteSpec>("route").ok().flatten();
    routes.into_iter().flatten().any(|route| matches!(route.guards.basic_auth, Some(Some(_))))
}

/// True if the role has this flag, and it is given.
fn is_given(matches: &ArgMatches, id: &str) -> bool {
    // A role without the flag has no such id, which is an error only of the look-up.
    matches.try_contains_id(id).unwrap_or(false)
}

fn log_file_failure(path: &Path, error: &io::Error) -> Failure {
    Failure::Usage(format!("--log-file: {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::cli::{Balancer, Loops, Pool, Server};

    fn read<A: Args>(role: Role, flags: &[&str]) -> Result<Invocation<A>, String> {
        let argv = [role.name].iter().chain(flags).map(OsString::from).collect();
        Invocation::read(&role, argv).map_err(|reason| match reason {
            NotStarted::HelpWanted(_) => "help".to_owned(),
            NotStarted::Failed(failure) => failure.to_string(),
        })
    }

    #[test]
    fn bad_usage_is_one_line_that_says_what_is_wrong() {
        for (flags, words) in [
            (&["--workers", "0"][..], "--workers: 0 is out of range: 1 to 4096; see --help"),
            (&["--backlog=0"], "--backlog: 0 is out of range: 1 to 65535; see --help"),
            (&["--queue", "many"], "--queue: \"many\" is not a whole number from 1 to 1000000; see --help"),
            (&["--workers", "-1"], "--workers: -1 is out of range: 1 to 4096; see --help"),
            (
                &["--queue", "-99999999999999999999"],
                "--queue: -99999999999999999999 is out of range: 1 to 1000000; see --help",
            ),
            (&["--backends", "-1.5"], "--backends: \"-1.5\" is not a whole number from 1 to 5; see --help"),
            (&["--drain", "-5s"], "--drain: -5s is out of range: 0s to 168h; see --help"),
            (&["--header-timeout", "-5s"], "--header-timeout: -5s is out of range: 1ms to 168h; see --help"),
            (
                &["--health-interval", "-1s"],
                "--health-interval: -1s is out of range: 0s to 168h, or off; see --help",
            ),
            (
                &["--log", "-x"],
                "--log: \"-x\" is not one of off, error, warn, info, debug, trace; see --help",
            ),
            (&["--workers", "--queue=1"], "--workers: a value is missing; see --help"),
            (&["-1"], "-1 is unknown here; see --help"),
            (&["--workers"], "--workers: a value is missing; see --help"),
            (&["--workers=1", "--workers=2"], "--workers is given twice; see --help"),
            (&["--workerz=1"], "--workerz is unknown here; did you mean --workers?; see --help"),
            (&["--xyzzy"], "--xyzzy is unknown here; see --help"),
            (&["xyzzy"], "xyzzy is unknown here; see --help"),
            (&["--no-park=1"], "--no-park: takes no value, but \"1\" is given; see --help"),
            (&["--mode", "udp"], "--mode: \"udp\" is not one of tcp, http; see --help"),
            (&["--backend=a:1", "--backends=2"], "--backends and --backend exclude each other; see --help"),
            (
                &["--header-timeout=0s"],
                "--header-timeout: 0s is no time at all: the least is 1ms; see --help",
            ),
            (
                &["--backend=a"],
                "--backend: \"a\" is not an address: write HOST:PORT, :PORT or PORT, such as 127.0.0.1:8888, [::1]:8888, localhost:8888, :8888 or 8888; see --help",
            ),
            (
                &["--log", "loud"],
                "--log: \"loud\" is not one of off, error, warn, info, debug, trace; see --help",
            ),
        ] {
            let error = read::<Balancer<Pool>>(Role::LB_THREADED, flags).unwrap_err();
            if flags.len() == 2 && flags[0].starts_with("--backend=") {
                // Clap names the two in either order.
                assert!(error.contains("exclude each other"), "{error}");
            } else {
                assert_eq!(error, words, "{flags:?}");
            }
        }
        assert_eq!(read::<Server>(Role::IMAGE_SERVER, &["--help"]).unwrap_err(), "help");
        assert_eq!(read::<Server>(Role::IMAGE_SERVER, &["--version"]).unwrap_err(), "help");
        let error = read::<Balancer<Loops>>(Role::LB_ASYNC, &["--model=async"]).unwrap_err();
        assert!(error.starts_with("--model is unknown here"), "{error}");
    }
}
