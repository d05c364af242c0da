//! The lab: the course's experiment on this machine, with its causes.

use std::process::ExitCode;

fn main() -> ExitCode {
    giliran::lab::main(std::env::args_os())
}
