//! Guards from their flags: the htpasswd file is read, and the thread that verifies passwords is started.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use crate::app::cli::{Failure, GuardFlags};
use crate::app::route::GuardSpec;
use crate::net::files;
use crate::protocol::guard::basic_auth::{BasicAuth, Htpasswd};
use crate::protocol::guard::{AccessList, BodyLimit, Guards, RateLimit};

/// Bytes of an htpasswd file that are read: that of ten thousand users has 700 kB.
const HTPASSWD_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The guards that these flags ask for, which remember nobody yet.
///
/// Errors: the htpasswd file cannot be read, or a line of it is not right.
pub(crate) fn guards(flags: &GuardFlags, max_body: Option<u64>) -> Result<Guards, Failure> {
    let basic_auth = flags.basic_auth.as_deref().map(read_users).transpose();
    Ok(Guards {
        access: AccessList::new(&flags.allow, &flags.deny).map(Arc::new),
        rate_limit: flags.rate_limit.map(|rate| Arc::new(RateLimit::new(rate))),
        basic_auth: basic_auth.map_err(|error| Failure::Usage(format!("--basic-auth {error}")))?,
        body: max_body.map(BodyLimit),
    })
}

/// The guards of a route that says this of them, in a role that has those of `role`; `None` if the route says nothing.
///
/// Errors: as above, as a sentence.
pub(crate) fn of_route(spec: &GuardSpec, role: &Guards) -> Result<Option<Arc<Guards>>, String> {
    if *spec == GuardSpec::default() {
        return Ok(None);
    }
    let mut guards = role.clone();
    if let Some(access) = AccessList::new(&spec.allow, &spec.deny) {
        guards.access = Some(Arc::new(access));
    }
    if let Some(rate) = spec.rate_limit {
        guards.rate_limit = rate.map(|rate| Arc::new(RateLimit::new(rate)));
    }
    if let Some(path) = &spec.basic_auth {
        let users = path.as_deref().map(read_users).transpose();
        guards.basic_auth = users.map_err(|error| format!("basic-auth {error}"))?;
    }
    if let Some(most) = spec.max_body {
        guards.body = most.map(BodyLimit);
    }
    Ok(Some(Arc::new(guards)))
}

/// Reads the users of a file.
fn read_users(path: &Path) -> Result<Arc<BasicAuth>, String> {
    let text = read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let users = Htpasswd::parse(&text)
        .map_err(|(line, words)| format!("{}, line {line}: {words}", path.display()))?;
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

/// The thread that verifies the passwords of one file, one after another: a flood of them keeps one core busy and no
/// more. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct PasswordThread(Arc<BasicAuth>);

impl PasswordThread {
    /// Starts one for each of these that is another one: routes without passwords of their own share those of the role.
    ///
    /// Errors: a thread cannot be started.
    pub(crate) fn start_each<'a>(
        auths: impl Iterator<Item = &'a Arc<BasicAuth>>,
    ) -> io::Result<Vec<PasswordThread>> {
        let mut threads: Vec<PasswordThread> = Vec::new();
        for auth in auths {
            if threads.iter().any(|thread| Arc::ptr_eq(&thread.0, auth)) {
                continue;
            }
            let own = Arc::clone(auth);
            thread::Builder::new().name("passwords".to_owned()).spawn(move || own.verify())?;
            threads.push(PasswordThread(Arc::clone(auth)));
        }
        Ok(threads)
    }
}

impl Drop for PasswordThread {
    fn drop(&mut self) {
        self.0.close();
    }
}
