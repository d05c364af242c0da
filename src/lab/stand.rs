//! Stub: replaced by the stand's own branch.
#![allow(missing_docs)]
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Contender {
    Threaded,
    Async,
    PythonThreaded,
    PythonAsync,
    CourseThreaded(PathBuf),
    CourseAsync(PathBuf),
    Haproxy,
    Nginx,
    Apache,
}
impl Contender {
    pub fn is_async(&self) -> bool {
        !matches!(self, Contender::Threaded | Contender::PythonThreaded | Contender::CourseThreaded(_))
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
            Contender::Haproxy => "haproxy",
            Contender::Nginx => "nginx",
            Contender::Apache => "apache",
        })
    }
}
#[derive(Clone, Debug, Default)]
pub struct StandOptions {
    pub backends: usize,
    pub backlog: Option<u32>,
    pub extra: Vec<String>,
    pub backend_extra: Vec<String>,
}
#[derive(Clone, Debug)]
pub enum StandError {
    Missing(String),
    Failed(String),
}
impl fmt::Display for StandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (StandError::Missing(text) | StandError::Failed(text)) = self;
        f.write_str(text)
    }
}
#[derive(Debug)]
pub struct Stand {}
impl Stand {
    pub fn start(_contender: &Contender, _options: &StandOptions) -> Result<Stand, StandError> {
        Err(StandError::Failed("no stand yet".to_owned()))
    }
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }
    pub fn balancer_pids(&self) -> Vec<u32> {
        Vec::new()
    }
    pub fn backend_pids(&self) -> Vec<u32> {
        Vec::new()
    }
    pub fn backend_addresses(&self) -> &[SocketAddr] {
        &[]
    }
    pub fn kill_backend(&mut self, _number: usize) {}
    pub fn restart_backend(&mut self, _number: usize) -> Result<(), StandError> {
        Ok(())
    }
}
