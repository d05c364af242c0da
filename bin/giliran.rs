//! One program for people who install it: `giliran serve`, `proxy`, `balance` and more.

use std::process::ExitCode;

use giliran::app::program::{Lab, main as run};
use giliran::lab;

fn main() -> ExitCode {
    run(&Lab { main: lab::main_as, command: lab::definition })
}
