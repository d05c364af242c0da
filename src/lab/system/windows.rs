//! Windows. The contract is in [`super`].
//!
//! There are no signals here that one program could send another, and no program learns of its parent's death.
//! What every program can learn is that its standard input has ended: the lab holds the other end, and the system
//! lets go of it when the lab is gone, however it went. [`guard`] turns that into the end of a program: our roles
//! take it for a Ctrl-C, others are killed.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::windows::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::lab::terminal::say;
use crate::net::signals::ENDS_WITH_INPUT;

/// The program does not hear the Ctrl-C that is meant for the lab: its name in the API is
/// `CREATE_NEW_PROCESS_GROUP`.
const NEW_PROCESS_GROUP: u32 = 0x200;

/// How often a guard looks whether its program has ended: that ends the guard, and nobody is in a hurry for it.
const GUARD_LOOKS: Duration = Duration::from_millis(100);

/// Longest wait of a guard for a program that was asked to end: less than the lab waits for the guard.
const PROGRAM_ENDS_MAX: Duration = Duration::from_millis(1500);

/// Longest wait for a guard to end its program, before the guard is ended itself.
const GUARD_ENDS_MAX: Duration = Duration::from_secs(3);

/// Time between two looks at what cannot be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What the lab sends to a guard whose program is to end without being asked.
const CRASH: &[u8] = b"!";

/// A program. If it starts programs itself, it ends them itself: the `py` launcher and the `python` of a virtual
/// environment do.
#[derive(Debug)]
pub(in crate::lab) struct Group(Child);

impl Group {
    /// Starts `command` with a standard input that ends when the lab does, and nothing to read before.
    pub(in crate::lab) fn start(command: &mut Command) -> io::Result<Group> {
        Ok(Group(command.stdin(Stdio::piped()).creation_flags(NEW_PROCESS_GROUP).spawn()?))
    }

    /// The process id.
    pub(in crate::lab) fn id(&self) -> u32 {
        self.0.id()
    }

    /// The process ids of the whole group.
    pub(in crate::lab) fn ids(&self) -> Vec<u32> {
        vec![self.id()]
    }

    /// True once it has ended.
    pub(in crate::lab) fn has_ended(&mut self) -> bool {
        // An error means that there is nothing to wait for, which is an end too.
        !matches!(self.0.try_wait(), Ok(None))
    }

    /// Ends its standard input. A guard then asks its program to end in the same way.
    pub(in crate::lab) fn ask_to_end(&mut self) {
        drop(self.0.stdin.take());
    }

    /// Ends it as a crash would. A guard needs a moment for that; what does not listen to its input is killed.
    pub(in crate::lab) fn kill(&mut self) {
        if let Some(input) = &mut self.0.stdin {
            let _ = input.write_all(CRASH); // it may be gone already
        }
        self.ask_to_end();
        wait(&mut self.0, GUARD_ENDS_MAX);
        let _ = self.0.kill(); // likewise
    }

    /// Waits for its end.
    pub(in crate::lab) fn reap(&mut self) {
        let _ = self.0.wait();
    }
}

/// Runs a program until it ends, or until standard input does: then the lab has ended or wants this end. The lab's
/// process id comes first, then the program and its arguments.
pub(in crate::lab) fn guard(argv: &[OsString]) -> ExitCode {
    let [_, program, arguments @ ..] = argv else { return ExitCode::from(2) };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).env(ENDS_WITH_INPUT, "1");
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            say(&format!("{}: {error}", program.to_string_lossy()));
            return ExitCode::FAILURE;
        }
    };
    let (told, orders) = mpsc::channel();
    thread::spawn(move || {
        let mut order = Vec::new();
        let _ = io::stdin().lock().read_to_end(&mut order); // an error is an end as well
        told.send(order)
    });
    let order = loop {
        match orders.recv_timeout(GUARD_LOOKS) {
            Err(RecvTimeoutError::Timeout) => {}
            order => break order.unwrap_or_default(),
        }
        if let Ok(Some(status)) = child.try_wait() {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            return ExitCode::from(code.unwrap_or(1));
        }
    };
    if order != CRASH {
        drop(child.stdin.take());
        wait(&mut child, PROGRAM_ENDS_MAX);
    }
    let _ = child.kill(); // it may be gone already
    let _ = child.wait();
    ExitCode::SUCCESS
}

/// Waits for the end of a program, but not for ever.
fn wait(child: &mut Child, limit: Duration) {
    let deadline = Instant::now() + limit;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
        thread::sleep(LOOK_AGAIN);
    }
}

/// Nothing that the lab starts here asks for it.
pub(in crate::lab) fn is_root() -> bool {
    false
}

/// The counters that are counted in pages are Linux's.
pub(in crate::lab) fn page_bytes() -> Option<u64> {
    None
}

/// This system has no such limit.
pub(in crate::lab) fn open_files() -> Option<String> {
    None
}

/// The standard library does not tell.
pub(in crate::lab) fn thread_cpu() -> Option<Duration> {
    None
}

/// The release of the system, as `ver` prints it: `Microsoft Windows [Version 10.0.22631.4460]`.
pub(in crate::lab) fn release() -> Option<String> {
    let printed = Command::new("cmd").args(["/c", "ver"]).output().ok()?.stdout;
    let text = String::from_utf8_lossy(&printed).into_owned();
    // The word before it is in the language of the system.
    let mut words = text.split([' ', '[', ']', '\r', '\n']);
    words.find(|word| word.starts_with(|first: char| first.is_ascii_digit())).map(str::to_owned)
}

/// The Python interpreter's usual name.
pub(in crate::lab) const PYTHON: &str = "python";

/// A temporary folder that only this user may open: it is in a folder of that kind.
pub(in crate::lab) fn private_folder(prefix: &str) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(prefix).tempdir()
}
