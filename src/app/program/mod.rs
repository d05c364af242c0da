//! `giliran`: the roles, the suite and the lab as commands of one program, without the course's defaults.
//!
//! Contract: a command is what its own binary is, with other defaults: [`Role`] has them, and everything else is the
//! same code. Nothing is read from the folder that it was built in.
//!
//! | file | what is in it |
//! |---|---|
//! | `commands` | the command line of all commands: what help, completions and man pages are made from |
//! | `ctl` | `giliran ctl`: asks a running role, or changes what its back ends get |
//! | `table` | columns of text |

mod commands;
mod ctl;
mod table;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command, FromArgMatches};

use crate::app::cli::{Driver, Failure, NamedBackEnds, Role, one_line, print, print_failure};
use crate::app::run::{exit_status, explain_with, run_or_explain_with};
use crate::app::{roles, run_with, suite};
use commands::{CTL, PROGRAM, Shell};
use ctl::Ctl;

/// The lab, which stands above this room: the binary brings it along.
#[derive(Clone, Copy, Debug)]
pub struct Lab {
    /// Runs it under this name, with these arguments.
    pub main: fn(&str, Vec<OsString>) -> ExitCode,
    /// Its command line under this name.
    pub command: fn(&str) -> Command,
}

/// The whole of the binary: the first word says what the rest is for.
pub fn main(lab: &Lab) -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let rest = || argv.iter().skip(1).cloned().collect();
    match argv.get(1).and_then(|word| word.to_str()) {
        Some("serve") => run_with(&Role::SERVE, rest(), roles::folder(), roles::serve),
        Some("proxy") => run_or_explain_with(&Role::PROXY, rest(), roles::proxy),
        Some("balance") => {
            run_or_explain_with(&Role::BALANCE, rest(), roles::balancer::<Driver, NamedBackEnds>)
        }
        Some("suite") => run_with(&Role::WHOLE_SUITE, rest(), suite::prepare, suite::serve),
        Some("explain") => explain_with(&Role::EXPLAIN_PROXY, rest(), roles::proxy),
        Some("lab") => (lab.main)("giliran lab", rest()),
        // The two hidden commands by which the lab starts its programs from this executable.
        Some("role" | "guard") => (lab.main)("giliran lab", argv),
        _ => of_the_program(lab, argv),
    }
}

/// The commands that are the program's own; its help, and what is wrong with the first word.
fn of_the_program(lab: &Lab, argv: Vec<OsString>) -> ExitCode {
    let mut command = commands::command(lab);
    let matches = match command.try_get_matches_from_mut(argv) {
        Ok(matches) => matches,
        Err(error) => return said_by_clap(&error),
    };
    exit_status(PROGRAM, obey(lab, command, &matches).map_err(Into::into))
}

fn obey(lab: &Lab, command: Command, matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some((CTL, matches)) => {
            let ctl = Ctl::from_arg_matches(matches).map_err(|error| Failure::Usage(one_line(&error)))?;
            print(&ctl.run()?)
        }
        Some(("completions", matches)) => {
            let shell = matches.get_one::<Shell>("shell").copied().unwrap_or(Shell::Bash);
            print(&commands::completions(command, shell))
        }
        Some(("man", matches)) => commands::man(lab, matches.get_one("dir")),
        // All others have been looked for before.
        _ => Err(Failure::Usage("a command is missing; see --help".to_owned())),
    }
}

/// Help and versions on standard output; without a command its help on standard error, with status 2; else one line.
fn said_by_clap(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => match error.print() {
            Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1)),
            Err(_) => ExitCode::FAILURE,
        },
        _ => {
            let failure = Failure::Usage(format!("{}; see --help", one_line(error)));
            print_failure(PROGRAM, &failure);
            failure.status()
        }
    }
}
