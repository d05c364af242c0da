//! Guards from their flags: the htpasswd file is read, and the thread that verifies passwords is started.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use crate::app::cli::{Failure, GuardFlags};
use crate::net::files;
use crate::protocol::guard::basic_auth::{BasicAuth, Htpasswd};
use crate::protocol::guard::{AccessList, BodyLimit, Guards, RateLimit};

/// Bytes of an htpasswd file that are read: that of ten thousand users has 700 kB.
const HTPASSWD_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The guards that these flags ask for, which remember nobody yet.
///
/// Errors: the htpasswd file cannot be read, or a line of it is not right.
pub(crate) fn guards(flags: &GuardFlags, max_body: Option<u64>) -> Result<Guards, Failure> {
    Ok(Guards {
        access: AccessList::new(&flags.allow, &flags.deny).map(Arc::new),
        rate_limit: flags.rate_limit.map(|rate| Arc::new(RateLimit::new(rate))),
        basic_auth: flags.basic_auth.as_deref().map(read_users).transpose()?,
        body: max_body.map(BodyLimit),
    })
}

/// Reads the users of a file.
fn read_users(path: &Path) -> Result<Arc<BasicAuth>, Failure> {
    let failure =
        |words: &dyn fmt::Display| Failure::Usage(format!("--basic-auth {}{words}", path.display()));
    let text = read(path).map_err(|error| failure(&format_args!(": {error}")))?;
    let users =
        Htpasswd::parse(&text).map_err(|(line, words)| failure(&format_args!(", line {line}: {words}")))?;
    Ok(Arc::new(BasicAuth::new(users)))
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    files::open_to_read(path)?.take(HTPASSWD_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > HTPASSWD_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {HTPASSWD_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// The thread that verifies passwords, one after another: a flood of them keeps one core busy and no more. It ends when
/// this is dropped.
#[derive(Debug)]
pub(crate) struct PasswordThread(Arc<BasicAuth>);

impl PasswordThread {
    /// Starts it.
    ///
    /// Errors: the thread cannot be started.
    pub(crate) fn start(auth: Arc<BasicAuth>) -> io::Result<PasswordThread> {
        let own = Arc::clone(&auth);
        thread::Builder::new().name("passwords".to_owned()).spawn(move || own.verify())?;
        Ok(PasswordThread(auth))
    }
}

impl Drop for PasswordThread {
    fn drop(&mut self) {
        self.0.close();
    }
}
