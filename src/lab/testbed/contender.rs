//! Who can be measured, what may differ between two testbeds, and why one did not come up.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::lab::lang::{Lang, text};

/// Whose balancer is measured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::lab) enum Contender {
    /// `lb-threaded` over threaded `web-server`s.
    Threaded,
    /// `lb-async` over async `web-server`s.
    Async,
    /// Our counterparts of the course's Python, with threads.
    PythonThreaded,
    /// Our counterparts of the course's Python, with one loop.
    PythonAsync,
    /// `lbthread.py` and `server_thread_900N.py` of a checkout of the course's own code.
    CourseThreaded(PathBuf),
    /// `lb.py` and `async_server900N.py` of a checkout of the course's own code.
    CourseAsync(PathBuf),
    /// A step of the ladder in `examples/`, from 1: its balancer over its web servers.
    Ladder(usize),
    /// HAProxy relaying bytes, over our async `web-server`s.
    Haproxy,
    /// nginx relaying bytes (its stream module), over our async `web-server`s.
    Nginx,
    /// Apache httpd's worker MPM with mod_proxy_balancer, over our async `web-server`s.
    Apache,
}

impl Contender {
    /// True if one thread serves many connections.
    pub(in crate::lab) fn is_async(&self) -> bool {
        use Contender::{Async, CourseAsync, Haproxy, Ladder, Nginx, PythonAsync};
        matches!(self, Async | PythonAsync | CourseAsync(_) | Ladder(4) | Haproxy | Nginx)
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Contender::Threaded => "threaded",
            Contender::Async => "async",
            Contender::PythonThreaded => "python-threaded",
            Contender::PythonAsync => "python-async",
            Contender::CourseThreaded(_) => "course-threaded",
            Contender::CourseAsync(_) => "course-async",
            Contender::Ladder(step) => return write!(f, "ladder-{step}"),
            Contender::Haproxy => "haproxy",
            Contender::Nginx => "nginx",
            Contender::Apache => "apache",
        })
    }
}

/// What may differ between two testbeds of one contender.
#[derive(Clone, Debug, Default)]
pub(in crate::lab) struct TestbedOptions {
    /// How many back ends.
    pub(in crate::lab) backends: usize,
    /// The model of the back ends, where it is not the balancer's: true for one thread with many connections.
    pub(in crate::lab) backend_is_async: Option<bool>,
    /// The listen(2) backlog of the balancer and of its back ends; the default of each if `None`.
    pub(in crate::lab) backlog: Option<u32>,
    /// Further arguments of the balancer.
    pub(in crate::lab) extra: Vec<String>,
    /// Further arguments of each back end.
    pub(in crate::lab) backend_extra: Vec<String>,
}

/// Why a testbed did not come up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::lab) enum TestbedError {
    /// Something is not installed; the text says what, and how to get it.
    Missing(String),
    /// Something did not start.
    Failed(String),
}

impl TestbedError {
    /// The temporary folder cannot be used.
    pub(super) fn folder(error: io::Error) -> TestbedError {
        TestbedError::Failed(text!(
            Lang::of_errors(),
            "error-folder",
            error = Lang::of_errors().cause(&error)
        ))
    }

    /// A program, or what it is for, cannot be started.
    pub(super) fn cannot_start(program: &str, error: &io::Error) -> TestbedError {
        TestbedError::Failed(text!(
            Lang::of_errors(),
            "error-start",
            program,
            error = Lang::of_errors().cause(error)
        ))
    }
}

impl fmt::Display for TestbedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (TestbedError::Missing(text) | TestbedError::Failed(text)) = self;
        f.write_str(text)
    }
}
