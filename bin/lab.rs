//! The lab: the course's experiment on this machine, with its causes.

use std::process::ExitCode;

use giliran::lab;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    // `lab role NAME -- FLAGS`, which nobody types: the lab starts the roles that way.
    if arguments.by_ref().nth(1).is_some_and(|first| first == "role") {
        let name = arguments.next().unwrap_or_default();
        let flags = arguments.skip_while(|flag| flag == "--");
        return lab::role::main(&name.to_string_lossy(), flags);
    }
    lab::main(std::env::args_os())
}
