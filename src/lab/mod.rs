//! The lab: the course's experiment on this machine, with its causes.
//!
//! Contract: it measures programs from outside, as their users meet them; nothing here reaches into
//! the drivers. What it says is wrong with a figure, it has seen in a counter.
//!
//! ```text
//!   command ---> grid ---> trial ---> stand (balancer and back ends, processes of their own)
//!                 |          |------> client, or tools (ab, wrk)
//!                 |          '------> kernel (counters before and after)
//!                 '-> results (saved after each run) ---> summary ---> warnings ---> tables, report
//!                                                                  '-> comparison, findings ----^
//!           ---> lessons (one cause each: a guess, a few small loads, one plot)
//! ```

mod bounds;
mod client;
mod command;
mod comparison;
mod findings;
mod grid;
mod kernel;
mod lang;
mod lessons;
mod machine;
mod progress;
mod published;
mod random;
mod report;
mod results;
pub mod role;
pub mod stand;
mod summary;
mod tables;
mod text;
mod tools;
mod trial;
mod warnings;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::app::cli::Failure;

/// The whole of the binary: reads the arguments and does what they ask for. Status 0 is fine, 1 a
/// failure at run time, 2 bad usage; a failure is one line on standard error.
pub fn main(argv: impl Iterator<Item = OsString>) -> ExitCode {
    let command = match command::Command::try_parse_from(argv) {
        Ok(command) => command,
        Err(answer) => {
            // Without anybody to read it, the status still tells.
            let _ = answer.print();
            return ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(2));
        }
    };
    match command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            progress::say(&format!("lab: {failure}"));
            match failure {
                Failure::Usage(_) => ExitCode::from(2),
                Failure::Runtime(_) => ExitCode::FAILURE,
            }
        }
    }
}
