//! The lab: the course's experiment on this machine, with its causes.

use std::process::ExitCode;

use giliran::lab;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    // `lab role LAB NAME -- FLAGS`, which nobody types: the lab starts its programs that way.
    if arguments.by_ref().nth(1).is_some_and(|first| first == "role") {
        let mut next = || arguments.next().unwrap_or_default().to_string_lossy().into_owned();
        let (lab, name) = (next(), next());
        let flags = arguments.skip_while(|flag| flag == "--");
        return lab::role::main(&lab, &name, flags);
    }
    lab::main(std::env::args_os())
}
