//! A checkout of the course's own programs: fixed names, and ports that are written in the sources.
//!
//! Contract: nothing in the checkout is changed. What runs are copies of its programs with other
//! ports in the place of 9001 to 9005, 666 and 44444: free ones, so nobody needs to be root and
//! nothing else on the machine is in the way. Whatever they import, they import from the checkout.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::StandError;

/// The ports of the back ends begin behind this one.
const BEFORE_BACKENDS: u16 = 9000;
/// More back ends than this the course never had.
const BACKENDS_MAX: usize = 5;
/// Where `lbthread.py` listens, and where `lb.py` does.
const BALANCER_PORTS: [u16; 2] = [666, 44444];

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

    /// The program of the back end with this number, from 1.
    pub(super) fn backend_name(&self, number: usize) -> String {
        let prefix = if self.is_async { "async_server" } else { "server_thread_" };
        format!("{prefix}{}", usize::from(BEFORE_BACKENDS) + number) + ".py"
    }

    /// The source of that program.
    pub(super) fn backend_source(&self, number: usize) -> Result<CourseSource, StandError> {
        self.source(&self.backend_name(number), backend_port(number))
    }

    /// The balancer's source, with these back ends and no others.
    pub(super) fn balancer_source(&self, backends: &[SocketAddr]) -> Result<CourseSource, StandError> {
        let name = self.balancer_name();
        let mut source = self.source(name, BALANCER_PORTS[usize::from(self.is_async)])?;
        let wanted = backends.len();
        let (text, left) = with_first_backends(&source.text, wanted);
        if left != wanted {
            let path = self.folder.join(name);
            return Err(failed(format!("{} names {left} of {wanted} back ends", path.display())));
        }
        let ports = (1..).map(backend_port).zip(backends.iter().map(SocketAddr::port));
        source.text = with_ports(&text, &ports.collect::<Vec<_>>());
        Ok(source)
    }

    fn source(&self, name: &str, port: u16) -> Result<CourseSource, StandError> {
        let path = self.folder.join(name);
        let text = fs::read_to_string(&path)
            .map_err(|error| failed(format!("{} cannot be read: {error}", path.display())))?;
        let is_named = numbers(&text).any(|(_, number)| number == port.to_string());
        match is_named {
            true => Ok(CourseSource { text, port }),
            false => Err(failed(format!("{} names no port {port}", path.display()))),
        }
    }

    /// A command that runs `script`, the copy of a program in the checkout.
    pub(super) fn command(&self, python: &Path, script: &Path) -> Command {
        let mut command = Command::new(python);
        command.arg(script).current_dir(&self.folder);
        // A copy imports what lies beside the original.
        command.env("PYTHONPATH", &self.folder).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// One program as text, which listens at `port`.
#[derive(Clone, Debug)]
pub(super) struct CourseSource {
    text: String,
    port: u16,
}

impl CourseSource {
    /// The same program, listening at another port.
    pub(super) fn listening_at(&self, port: u16) -> String {
        with_ports(&self.text, &[(self.port, port)])
    }
}

/// The port of the back end with this number, from 1 to [`BACKENDS_MAX`].
fn backend_port(number: usize) -> u16 {
    BEFORE_BACKENDS + number as u16
}

/// The source with each of the first ports replaced by the second, where it is a number by itself.
/// All in one pass: a new port may be one of the old ones.
fn with_ports(source: &str, ports: &[(u16, u16)]) -> String {
    let mut text = String::with_capacity(source.len());
    let mut done = 0;
    for (place, number) in numbers(source) {
        let port = ports.iter().find(|(old, _)| old.to_string() == number);
        if let Some((_, new)) = port {
            text += &source[done..place];
            text += &new.to_string();
            done = place + number.len();
        }
    }
    text + &source[done..]
}

/// The numbers of a source and where they stand; not the digits of a name such as `async_server9001`.
fn numbers(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut rest = 0;
    let words = std::iter::from_fn(move || {
        let start = rest + source[rest..].find(is_word)?;
        let end =
            source[start..].find(|letter| !is_word(letter)).map_or(source.len(), |length| start + length);
        rest = end;
        Some((start, &source[start..end]))
    });
    words.filter(|(_, word)| word.bytes().all(|byte| byte.is_ascii_digit()))
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
pub(super) fn check_asyncore(python: &Path, checkout: &Path) -> Result<(), StandError> {
    let mut command = Command::new(python);
    command.args(["-W", "ignore", "-c", "import asyncore"]).env("PYTHONPATH", checkout);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(StandError::Missing(format!(
            "{} has no asyncore, which Python 3.12 removed: the course's async programs need Python 3.11 or older, or pyasyncore",
            python.display()
        ))),
        Err(error) => Err(failed(format!("{} cannot be started: {error}", python.display()))),
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
    fn ports_are_replaced_where_they_are_numbers_by_themselves() {
        let source =
            "import async_server9001 # 9001\nself.bind(('0.0.0.0',9001))\nx = 90011 + 9001.5 + p9001\n";
        let changed = with_ports(source, &[(9001, 9002), (9002, 1)]);
        let expected =
            "import async_server9001 # 9002\nself.bind(('0.0.0.0',9002))\nx = 90011 + 9002.5 + p9001\n";
        assert_eq!(changed, expected);
        assert_eq!(with_ports("666", &[(666, 44444)]), "44444");
        assert_eq!(with_ports("", &[(666, 44444)]), "");
    }

    #[test]
    fn a_balancer_that_names_fewer_back_ends_or_another_port_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("lb.py"), format!("{SOURCE}portnumber=44444\n")).unwrap();
        for number in 1..=3 {
            fs::write(folder.path().join(format!("async_server900{number}.py")), "9001").unwrap();
        }
        let course = Course::open(folder.path(), true, 3).unwrap();
        let backends = [61001, 61002, 61004].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let source = course.balancer_source(&backends[..2]).unwrap().listening_at(62000);
        assert!(
            source.contains("('127.0.0.1', 61001)") && source.contains("('127.0.0.1',61002)"),
            "{source}"
        );
        assert!(source.contains("# self.servers.append(('127.0.0.1', 9004))"), "{source}");
        assert!(source.ends_with("portnumber=62000\n"), "{source}");
        let error = course.balancer_source(&backends).err().unwrap().to_string();
        assert!(error.ends_with("lb.py names 2 of 3 back ends"), "{error}");
        assert!(course.backend_source(1).is_ok());
        let error = course.backend_source(2).err().unwrap().to_string();
        assert!(error.ends_with("async_server9002.py names no port 9002"), "{error}");
    }
}
