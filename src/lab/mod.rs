//! The lab: the course's experiment on this machine, with its causes.
//!
//! Contract: it measures programs from outside, as their users meet them; nothing here calls into the
//! drivers. A cause that it names, it has seen in a counter.
//!
//! ```text
//!   command ---> grid ---> measure ---> testbed (balancer and back ends, processes of their own)
//!                 |          |--------> client, or tools (ab, wrk)
//!                 |          '--------> kernel (counters before and after)
//!                 '-> results (saved after each run) ---> summary ---> tables, findings ---> report
//!                                                            '-> warnings ---^
//!           ---> lessons (one cause each: a guess, a few small loads, one plot)
//!           |--> compare (two saved grids)
//!           '--> reenactment (the course's experiment with its load tool's behaviour, beside its figures)
//! ```
//!
//! One word, one meaning: a *cell* is one contender with one number of back ends at one concurrency; a
//! *run* measures a cell once; a *grid* is all cells, several runs of each; a *load* is what the clients
//! send; a *testbed* is the programs that one run starts. Texts are in `locales/`, see `lang`; so are `--help` and
//! what is said about bad usage, see `help` and `usage`.

mod bounds;
mod client;
mod command;
mod compare;
mod findings;
mod grid;
mod help;
mod kernel;
mod lang;
mod lessons;
mod machine;
mod measure;
mod published;
mod reenactment;
mod report;
mod results;
mod role;
mod summary;
mod system;
mod table;
mod tables;
mod terminal;
mod testbed;
mod tools;
mod trace;
mod usage;
mod warnings;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches;
use clap::error::ErrorKind;

use crate::app::cli::{Failure, join_values};

/// The whole of the binary: reads the arguments and does what they ask for. Status 0 is fine, 1 a
/// failure at run time, 2 bad usage; a failure is one line on standard error.
pub fn main(argv: impl Iterator<Item = OsString>) -> ExitCode {
    main_as("lab", argv.collect())
}

/// The same as a command of another program: its help and its messages name it `program`.
pub fn main_as(program: &str, mut argv: Vec<OsString>) -> ExitCode {
    match argv.get(1).and_then(|first| first.to_str()) {
        Some("role") => return role::role(argv.split_off(2)),
        Some("guard") => return system::guard(&argv[2..]),
        _ => {}
    }
    let lang = help::language(&argv);
    lang.use_for_errors();
    let mut definition = help::command(program, lang);
    let argv = join_values(&definition, argv);
    let given = definition.try_get_matches_from_mut(argv);
    let command = match given.and_then(|given| command::Command::from_arg_matches(&given)) {
        Ok(command) => command,
        Err(wanted) if matches!(wanted.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            // If nobody can read it, the status still tells.
            let _ = wanted.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            terminal::say(&format!("{program}: {}", usage::line(&error, lang)));
            return ExitCode::from(2);
        }
    };
    match command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::say(&format!("{program}: {failure}"));
            match failure {
                Failure::Usage(_) => ExitCode::from(2),
                Failure::Runtime(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// The command line of the lab as a command of another program, for its help, its man page and completions.
pub fn definition(program: &str) -> clap::Command {
    help::command(program, lang::Lang::default())
}
