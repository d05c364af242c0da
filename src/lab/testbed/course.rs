//! A checkout of the course's own programs: fixed file names, and port numbers in the sources.
//!
//! Contract: nothing in the checkout is changed. What runs are copies of its programs in which free
//! ports replace 9001 to 9005, 666 and 44444, so that nobody needs to be root and no other program is
//! in the way. The copies import their modules from the checkout.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::contender::TestbedError;
use crate::lab::lang::{Lang, text};

/// Back end 1 listens on the port after this one.
const BEFORE_BACKENDS: u16 = 9000;
/// The course has no more back ends than this.
const BACKENDS_MAX: usize = 5;
/// Where `lbthread.py` listens, and where `lb.py` does.
const BALANCER_PORTS: [u16; 2] = [666, 44444];

/// One of the two sets of programs in a checkout.
#[derive(Clone, Debug)]
pub(super) struct Course {
    folder: PathBuf,
    is_async: bool,
}

/// Looks for the programs of both models.
///
/// Errors: the folder cannot be opened, files are missing, or the course has fewer back ends. The text names all
/// files that are wanted.
pub(in crate::lab) fn check(folder: &Path, backends: usize) -> Result<(), TestbedError> {
    let missing = |is_async| match Course::open(folder, is_async, backends) {
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    };
    let mut found: Vec<String> = [false, true].into_iter().filter_map(missing).collect();
    // The folder itself, or too many back ends: the same for both models.
    found.dedup();
    if found.is_empty() {
        return Ok(());
    }
    let lang = Lang::of_errors();
    let needed = [false, true].map(|is_async| {
        let course = Course { folder: PathBuf::new(), is_async };
        let (first, last) = (course.backend_name(1), course.backend_name(backends.min(BACKENDS_MAX)));
        format!("{}, {}", course.balancer_name(), text!(lang, "error-first-to-last", first, last))
    });
    Err(failed(text!(lang, "error-course-needs", found = found.join("; "), needed = needed.join(", "))))
}

impl Course {
    /// Finds the programs for `backends` back ends.
    ///
    /// Errors: a file is missing, or the course has fewer back ends.
    pub(super) fn open(folder: &Path, is_async: bool, backends: usize) -> Result<Course, TestbedError> {
        let lang = Lang::of_errors();
        if backends > BACKENDS_MAX {
            return Err(failed(text!(lang, "error-course-backends", most = BACKENDS_MAX, backends)));
        }
        // The programs have another working directory than the lab, so a relative path would not do.
        let folder = fs::canonicalize(folder).map_err(|error| {
            let path = folder.display().to_string();
            failed(text!(lang, "error-not-opened", path, error = lang.cause(&error)))
        })?;
        let course = Course { folder, is_async };
        let mut names = (1..=backends).map(|number| course.backend_name(number)).collect::<Vec<_>>();
        names.push(course.balancer_name().to_owned());
        names.retain(|name| !course.folder.join(name).is_file());
        if names.is_empty() {
            return Ok(course);
        }
        let folder = course.folder.display().to_string();
        Err(failed(text!(lang, "error-has-no", folder, names = names.join(", "))))
    }

    /// The balancer's file.
    pub(super) fn balancer_name(&self) -> &'static str {
        if self.is_async { "lb.py" } else { "lbthread.py" }
    }

    /// The file of the back end with this number, from 1.
    pub(super) fn backend_name(&self, number: usize) -> String {
        let prefix = if self.is_async { "async_server" } else { "server_thread_" };
        format!("{prefix}{}.py", backend_port(number))
    }

    /// The source of that back end, changed to listen on `port`.
    pub(super) fn backend_source(&self, number: usize, port: u16) -> Result<String, TestbedError> {
        let own = backend_port(number);
        Ok(with_ports(&self.source(&self.backend_name(number), own)?, &[(own, port)]))
    }

    /// The balancer's source, changed to listen on `port` before these back ends and no others.
    pub(super) fn balancer_source(&self, backends: &[SocketAddr], port: u16) -> Result<String, TestbedError> {
        let (name, own) = (self.balancer_name(), BALANCER_PORTS[usize::from(self.is_async)]);
        let wanted = backends.len();
        let (source, left) = with_first_backends(&self.source(name, own)?, wanted);
        if left != wanted {
            let path = self.folder.join(name).display().to_string();
            return Err(failed(text!(Lang::of_errors(), "error-names-fewer", path, left, wanted)));
        }
        let mut ports: Vec<_> = (1..).map(backend_port).zip(backends.iter().map(SocketAddr::port)).collect();
        ports.push((own, port));
        Ok(with_ports(&source, &ports))
    }

    fn source(&self, name: &str, port: u16) -> Result<String, TestbedError> {
        let (lang, path) = (Lang::of_errors(), self.folder.join(name));
        let shown = path.display().to_string();
        let source = fs::read_to_string(&path).map_err(|error| {
            failed(text!(lang, "error-not-read", path = &shown, error = lang.cause(&error)))
        })?;
        match words(&source).contains(&port.to_string()) {
            true => Ok(source),
            false => Err(failed(text!(lang, "error-no-port", path = shown, port))),
        }
    }

    /// A command that runs `script`, the changed copy of a program in the checkout.
    pub(super) fn command(&self, python: &Path, script: &Path) -> Command {
        let mut command = Command::new(python);
        command.arg(script).current_dir(&self.folder);
        command.env("PYTHONPATH", &self.folder).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// The port of the back end with this number, from 1 to [`BACKENDS_MAX`].
fn backend_port(number: usize) -> u16 {
    BEFORE_BACKENDS + number as u16
}

/// The source in which each first port is replaced by the second, where it is a number by itself and
/// not part of a name such as `async_server9001`. In one pass, as a new port may be one of the old ones.
fn with_ports(source: &str, ports: &[(u16, u16)]) -> String {
    let replaced = words(source).into_iter().map(|word| {
        let port = ports.iter().find(|(old, _)| old.to_string() == word);
        port.map_or(word, |(_, new)| new.to_string())
    });
    replaced.collect()
}

/// The words and numbers of a source, and what is between them; joined, they are the source again.
fn words(source: &str) -> Vec<String> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let letters: Vec<char> = source.chars().collect();
    let pieces = letters.chunk_by(|one, next| is_word(*one) == is_word(*next));
    pieces.map(|piece| piece.iter().collect()).collect()
}

/// Comments out the back ends after the first `wanted`, as the course did by hand between two
/// measurements; also says how many are left.
fn with_first_backends(source: &str, wanted: usize) -> (String, usize) {
    let mut left = 0;
    let lines = source.lines().map(|line| match backend_number(line) {
        Some(number) if number > wanted => {
            let code = line.trim_start();
            format!("{}# {code}\n", &line[..line.len() - code.len()])
        }
        number => {
            left += usize::from(number.is_some());
            format!("{line}\n")
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

/// An error if this Python has no `asyncore`, without which the course's async programs do not start.
pub(super) fn check_asyncore(python: &Path, checkout: &Path) -> Result<(), TestbedError> {
    let mut command = Command::new(python);
    command.args(["-W", "ignore", "-c", "import asyncore"]).env("PYTHONPATH", checkout);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => {
            let python = python.display().to_string();
            Err(TestbedError::Missing(text!(Lang::of_errors(), "error-no-asyncore", python)))
        }
        Err(error) => Err(TestbedError::cannot_start(&python.display().to_string(), &error)),
    }
}

fn failed(what: String) -> TestbedError {
    TestbedError::Failed(what)
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
        assert!(error.ends_with("lacks server_thread_9002.py, lbthread.py"), "{error}");
        let error = Course::open(&folder.path().join("nowhere"), true, 1).unwrap_err().to_string();
        assert!(error.contains("nowhere cannot be opened"), "{error}");
        let error = check(&folder.path().join("nowhere"), 2).unwrap_err().to_string();
        let needs = "it needs lbthread.py, server_thread_9001.py to server_thread_9002.py, lb.py, async_server9001.py to async_server9002.py";
        assert!(error.ends_with(needs) && error.matches("cannot be opened").count() == 1, "{error}");
        let error = check(folder.path(), 1).unwrap_err().to_string();
        assert!(
            error.contains("lacks lbthread.py; ") && error.contains("lacks async_server9001.py, lb.py; "),
            "{error}"
        );
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
        let source = course.balancer_source(&backends[..2], 62000).unwrap();
        assert!(
            source.contains("('127.0.0.1', 61001)") && source.contains("('127.0.0.1',61002)"),
            "{source}"
        );
        assert!(source.contains("# self.servers.append(('127.0.0.1', 9004))"), "{source}");
        assert!(source.ends_with("portnumber=62000\n"), "{source}");
        let error = course.balancer_source(&backends, 62000).unwrap_err().to_string();
        assert!(error.ends_with("lb.py names 2 of 3 back ends"), "{error}");
        assert!(course.backend_source(1, 62001).is_ok());
        let error = course.backend_source(2, 62001).unwrap_err().to_string();
        assert!(error.ends_with("async_server9002.py names no port 9002"), "{error}");
    }
}
