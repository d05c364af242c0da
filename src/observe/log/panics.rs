//! Panics are messages of the log, one line each, and not the text that Rust prints by default.

use std::any::Any;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::panic::{self, PanicHookInfo};

use log::Level;

use super::quoted::{Escaped, Within};
use super::thread;

/// From now on a panic is an error in the log. With `--log off` the same line goes to standard error: no level may
/// hide a fault of this program.
pub(super) fn tell_panics() {
    panic::set_hook(Box::new(tell));
}

fn tell(panic: &PanicHookInfo<'_>) {
    let words = words(panic.payload());
    let line = thread::with_name(|thread| match panic.location() {
        Some(place) => format!("{thread} panicked at {place}: {words}"),
        None => format!("{thread} panicked: {words}"),
    });
    if log::log_enabled!(Level::Error) {
        return log::error!("{line}");
    }
    let mut escaped = String::new();
    // A `String` takes everything. Standard error may be closed; then there is nobody to tell.
    let _ = Escaped { out: &mut escaped, within: Within::Plain }.write_str(&line);
    let _ = writeln!(io::stderr(), "{escaped}");
}

/// The text of the panic: `panic!` gives it as one of these two types.
fn words(payload: &dyn Any) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text was given")
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};
    use std::thread;

    use super::super::{Format, LogFile, start};

    /// Runs the test below in a process of its own: the hook and the log are the whole process's.
    fn panic_in_a_process(level: &str) -> (String, Output) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut command = Command::new(std::env::current_exe().unwrap());
        // A test is named by its path without the crate.
        let (_, module) = module_path!().split_once("::").unwrap();
        command.args(["--exact", "--ignored", "--nocapture", &format!("{module}::panics")]);
        let output = command.env("TEST_LOG", &path).env("TEST_LEVEL", level).output().unwrap();
        (std::fs::read_to_string(path).unwrap(), output)
    }

    #[test]
    #[ignore = "the next ones start it in a process of its own"]
    fn panics() {
        let path = std::env::var_os("TEST_LOG").unwrap();
        let level = std::env::var("TEST_LEVEL").unwrap().parse().unwrap();
        let _log = start(level, Format::Text, Some(LogFile::at(path.as_ref()))).unwrap();
        let thread = thread::Builder::new().name("worker".to_owned());
        assert!(thread.spawn(|| panic!("two\nlines of {}\u{202e}", 2)).unwrap().join().is_err());
    }

    #[test]
    fn a_panic_is_one_line_of_the_log() {
        let (log, output) = panic_in_a_process("info");
        assert!(output.status.success(), "{output:?}");
        assert_eq!(log.lines().count(), 1, "{log}");
        let line = log.lines().next().unwrap();
        assert!(line.contains(concat!("[ERROR] worker panicked at ", file!(), ":")), "{line}");
        assert!(line.ends_with(": two\\nlines of 2\\u202e"), "{line}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
    }

    #[test]
    fn a_panic_is_not_silenced_by_a_level() {
        let (log, output) = panic_in_a_process("off");
        assert_eq!(log, "");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            told.contains("worker panicked at ") && told.contains(": two\\nlines of 2\\u202e\n"),
            "{told}"
        );
    }
}
