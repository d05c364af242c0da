//! Programs nobody here wrote, run to their end. A test asks for them first: [`super::needs`].

use std::ffi::OsStr;
use std::time::Duration;

use super::needs::{CURL, Program};
use super::process::Process;

/// What a program said when it had ended.
#[derive(Debug)]
pub struct Said {
    /// True if its status was 0.
    pub success: bool,
    /// Its standard output as text.
    pub out: String,
    /// Its standard error as text.
    pub err: String,
}

/// Runs `program` to its end, at most a minute.
pub fn run<A: AsRef<OsStr>>(program: &Program, args: impl IntoIterator<Item = A>) -> Said {
    let mut process = Process::start(program.command().args(args)).unwrap();
    let program = program.name;
    let status = process.wait(Duration::from_secs(60));
    let said = (process.out.text(), process.err.text());
    let Some(status) = status else {
        panic!("{program} did not end within a minute; it said:\n{}\n{}", said.0, said.1);
    };
    Said { success: status.success(), out: said.0, err: said.1 }
}

/// Runs curl and expects it to be content.
pub fn curl<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Said {
    let quiet = ["--silent", "--show-error", "--max-time", "20"].map(|arg| OsStr::new(arg).to_owned());
    let args = quiet.into_iter().chain(args.into_iter().map(|arg| arg.as_ref().to_owned()));
    let said = run(&CURL, args);
    assert!(said.success, "curl: {}", said.err);
    said
}
