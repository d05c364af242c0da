//! What a binary writes itself, and not through the log: standard output, and its last line on standard error.

use std::io::{self, Write};

use super::failure::Failure;

/// Prints on standard output and flushes: a pipe would buffer the text while a script waits for it.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    printed.map_err(|error| Failure::Runtime(format!("cannot write to standard output: {error}")))
}

/// Prints a failure on standard error, as a line of `program`.
pub(crate) fn print_failure(program: &str, failure: &Failure) {
    // Standard error may be closed; the exit status says the same.
    let _ = writeln!(io::stderr(), "{program}: {failure}");
}
