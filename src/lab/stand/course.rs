//! A checkout of the course's own programs: fixed names, fixed ports, nothing to be told on a command line.
//!
//! Contract: nothing in the checkout is changed, and what cannot run there is refused before it starts.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::StandError;

/// The ports of the back ends begin behind this one.
const BEFORE_BACKENDS: u16 = 9000;
/// More back ends than this the course never had.
const BACKENDS_MAX: usize = 5;

/// One of the two sets of programs in a checkout.
#[derive(Clone, Debug)]
pub(super) struct Course {
    folder: PathBuf,
    is_async: bool,
}

impl Course {
    /// Looks whether all that is needed for `backends` back ends is there.
    pub(super) fn open(folder: &Path, is_async: bool, backends: usize) -> Result<Course, StandError> {
        if backends > BACKENDS_MAX {
            return Err(failed(format!("the course has {BACKENDS_MAX} back ends at most, not {backends}")));
        }
        // The programs run elsewhere than the lab, so the path must not depend on where that is.
        let folder = fs::canonicalize(folder)
            .map_err(|error| failed(format!("{} cannot be opened: {error}", folder.display())))?;
        let course = Course { folder, is_async };
        let mut names = (1..=backends).map(|number| course.backend_name(number)).collect::<Vec<_>>();
        names.push(course.balancer_name().to_owned());
        names.retain(|name| !course.folder.join(name).is_file());
        match names.is_empty() {
            true => Ok(course),
            false => Err(failed(format!("{} has no {}", course.folder.display(), names.join(", no ")))),
        }
    }

    /// The balancer's program.
    pub(super) fn balancer_name(&self) -> &'static str {
        if self.is_async { "lb.py" } else { "lbthread.py" }
    }

    /// Where the balancer listens.
    pub(super) fn balancer_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, if self.is_async { 44444 } else { 666 }).into()
    }

    /// The program of the back end with this number, from 1.
    pub(super) fn backend_name(&self, number: usize) -> String {
        let prefix = if self.is_async { "async_server" } else { "server_thread_" };
        format!("{prefix}{}", usize::from(BEFORE_BACKENDS) + number) + ".py"
    }

    /// Where the back end with this number listens, from 1.
    pub(super) fn backend_address(&self, number: usize) -> SocketAddr {
        // At most BACKENDS_MAX, which `open` made sure of.
        (Ipv4Addr::LOCALHOST, BEFORE_BACKENDS + number as u16).into()
    }

    /// The balancer's source with the first `backends` back ends and no others.
    pub(super) fn balancer_source(&self, backends: usize) -> Result<String, StandError> {
        let path = self.folder.join(self.balancer_name());
        let source = fs::read_to_string(&path)
            .map_err(|error| failed(format!("{} cannot be read: {error}", path.display())))?;
        let (source, left) = with_first_backends(&source, backends);
        match left == backends {
            true => Ok(source),
            false => Err(failed(format!("{} names {left} of {backends} back ends", path.display()))),
        }
    }

    /// A command that runs `script`, which is in the checkout or stands in for one that is.
    pub(super) fn command(&self, python: &Path, script: &Path) -> Command {
        let mut command = Command::new(python);
        command.arg(script).current_dir(&self.folder);
        // A stand-in imports what lies beside the original.
        command.env("PYTHONPATH", &self.folder).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// Comments out the back ends behind the first `wanted`, as the course did by hand between two
/// measurements; also says how many are left.
fn with_first_backends(source: &str, wanted: usize) -> (String, usize) {
    let mut left = 0;
    let lines = source.lines().map(|line| match backend_number(line) {
        None => format!("{line}\n"),
        Some(number) if number <= wanted => {
            left += 1;
            format!("{line}\n")
        }
        Some(_) => {
            let code = line.trim_start();
            format!("{}# {code}\n", &line[..line.len() - code.len()])
        }
    });
    (lines.collect(), left)
}

/// Which back end, from 1, this line adds to the list: `self.servers.append(('127.0.0.1', 9001))`.
fn backend_number(line: &str) -> Option<usize> {
    let (code, _) = line.split_once('#').unwrap_or((line, ""));
    let (_, added) = code.split_once(".append(")?;
    let ports = added.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse::<usize>().ok());
    let mut numbers = ports.filter_map(|port| port.checked_sub(usize::from(BEFORE_BACKENDS)));
    numbers.next_back().filter(|number| (1..100).contains(number))
}

/// Refuses if the Python has no `asyncore`, without which the course's async programs do not start.
pub(super) fn check_asyncore(python: &Path) -> Result<(), StandError> {
    let mut command = Command::new(python);
    command.args(["-W", "ignore", "-c", "import asyncore"]);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(StandError::Missing(format!(
            "{} has no asyncore, which Python 3.12 removed: the course's async programs need Python 3.11 or older",
            python.display()
        ))),
        Err(error) => Err(failed(format!("{} cannot be started: {error}", python.display()))),
    }
}

/// Refuses if the port of a program that listens nowhere else cannot be had.
pub(super) fn check_port(address: SocketAddr) -> Result<(), StandError> {
    let port = address.port();
    // On all addresses, as the course's programs do.
    match TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) {
        Ok(_) => Ok(()),
        Err(error) => Err(failed(match error.kind() {
            ErrorKind::AddrInUse => format!("port {port} is taken, and the course's program knows no other"),
            ErrorKind::PermissionDenied => {
                format!("port {port} needs privileges, and the course's program knows no other: run as root")
            }
            _ => format!("port {port} cannot be had: {error}"),
        })),
    }
}

fn failed(what: String) -> StandError {
    StandError::Failed(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "class BackendList:
\tdef __init__(self):
\t\tself.servers = []
\t\tself.servers.append(('127.0.0.1', 9001))
\t\tself.servers.append(('127.0.0.1',9002))
\t\t# self.servers.append(('127.0.0.1', 9003))
\t\tself.servers.append(('127.0.0.1', 9004)) # the last
\t\tself.listen(9001)
";

    #[test]
    fn further_back_ends_are_commented_out() {
        let (source, left) = with_first_backends(SOURCE, 1);
        assert_eq!(left, 1);
        let changed = SOURCE
            .replace(
                "\t\tself.servers.append(('127.0.0.1',9002))",
                "\t\t# self.servers.append(('127.0.0.1',9002))",
            )
            .replace(
                "\t\tself.servers.append(('127.0.0.1', 9004))",
                "\t\t# self.servers.append(('127.0.0.1', 9004))",
            );
        assert_eq!(source, changed);
        assert_eq!(with_first_backends(SOURCE, 4), (SOURCE.to_owned(), 3), "9003 is a comment already");
    }

    #[test]
    fn missing_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("server_thread_9001.py"), "").unwrap();
        let error = Course::open(folder.path(), false, 2).unwrap_err().to_string();
        assert!(error.ends_with("has no server_thread_9002.py, no lbthread.py"), "{error}");
        let error = Course::open(&folder.path().join("nowhere"), true, 1).unwrap_err().to_string();
        assert!(error.contains("nowhere cannot be opened"), "{error}");
    }

    #[test]
    fn a_balancer_that_names_fewer_back_ends_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("lb.py"), SOURCE).unwrap();
        for number in 1..=3 {
            fs::write(folder.path().join(format!("async_server900{number}.py")), "").unwrap();
        }
        let course = Course::open(folder.path(), true, 3).unwrap();
        assert!(course.balancer_source(2).is_ok());
        let error = course.balancer_source(3).unwrap_err().to_string();
        assert!(error.ends_with("lb.py names 2 of 3 back ends"), "{error}");
    }

    #[test]
    fn a_taken_port_is_refused() {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let error = check_port(listener.local_addr().unwrap()).unwrap_err().to_string();
        assert!(error.contains("is taken"), "{error}");
    }
}
