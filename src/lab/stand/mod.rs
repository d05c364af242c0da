//! The stand: everything that one cell of the experiment needs, started and stopped together.
//!
//! ```text
//!   the lab's client ---> balancer ---> backend-1 .. backend-5      each a process group of its own,
//!                         of the contender, and its back ends       on a free port of 127.0.0.1
//! ```
//!
//! Contract: when [`Stand::start`] returns, every program can be reached; when the [`Stand`] is
//! dropped, nothing of it runs any more and its folder is gone. A signal that ends the lab itself
//! must therefore come back as a return, as [`crate::net::shutdown`] makes it do.
//!
//! | file | owns |
//! |---|---|
//! | `recipe` | the command of each program, and how one knows that it can be reached |
//! | `programs` | where the programs are found; the Python counterparts' sources |
//! | `peers` | configurations of HAProxy, nginx and Apache |
//! | `course` | a checkout of the course's own programs |
//! | `process` | a process group, from its start to its end |
//! | `folder` | a temporary folder |

mod course;
mod folder;
mod peers;
mod process;
mod programs;
mod recipe;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use folder::Folder;
use process::Process;
pub use programs::Programs;
use recipe::{Listen, Recipe, Recipes};

/// How often a peer is given another port because somebody was faster.
const PORT_ATTEMPTS: usize = 5;
/// Longest wait for one answer while a program starts; then it is asked again.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Whose balancer is measured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Contender {
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
    /// HAProxy relaying bytes, over our async `web-server`s.
    Haproxy,
    /// nginx relaying bytes (its stream module), over our async `web-server`s.
    Nginx,
    /// Apache httpd's worker MPM with mod_proxy_balancer, over our async `web-server`s.
    Apache,
}

impl Contender {
    /// True if one thread serves many connections.
    pub fn is_async(&self) -> bool {
        match self {
            Contender::Async | Contender::PythonAsync | Contender::CourseAsync(_) => true,
            Contender::Haproxy | Contender::Nginx => true,
            Contender::Threaded | Contender::PythonThreaded | Contender::CourseThreaded(_) => false,
            Contender::Apache => false,
        }
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

/// What may differ from cell to cell.
#[derive(Clone, Debug, Default)]
pub struct StandOptions {
    /// How many back ends.
    pub backends: usize,
    /// The listen(2) backlog of the balancer and of its back ends; each one's own if `None`.
    pub backlog: Option<u32>,
    /// Further arguments of the balancer.
    pub extra: Vec<String>,
    /// Further arguments of each back end.
    pub backend_extra: Vec<String>,
}

/// Why there is no stand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StandError {
    /// Something is not installed; the text says what, and how to get it.
    Missing(String),
    /// Something did not start.
    Failed(String),
}

impl StandError {
    fn folder(error: io::Error) -> StandError {
        StandError::Failed(format!("the temporary folder: {error}"))
    }
}

impl fmt::Display for StandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (StandError::Missing(text) | StandError::Failed(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for StandError {}

/// A balancer and its back ends, running.
pub struct Stand {
    // In the order in which they end: the balancer first, or it would complain about its back ends.
    balancer: Process,
    backends: Vec<BackEnd>,
    address: SocketAddr,
    backend_addresses: Vec<SocketAddr>,
    /// Last: it holds what the others write.
    folder: Folder,
}

/// One back end, which may be down.
struct BackEnd {
    recipe: Recipe,
    process: Option<Process>,
}

impl Stand {
    /// Starts a contender; our own roles out of the running executable.
    ///
    /// Errors: something is not installed, or did not start in time.
    pub fn start(contender: &Contender, options: &StandOptions) -> Result<Stand, StandError> {
        let programs = Programs::of_this_executable()
            .map_err(|error| StandError::Failed(format!("which executable is this? {error}")))?;
        Stand::start_with(&programs, contender, options)
    }

    /// Starts a contender with these programs.
    ///
    /// Errors: something is not installed, or did not start in time.
    pub fn start_with(
        programs: &Programs,
        contender: &Contender,
        options: &StandOptions,
    ) -> Result<Stand, StandError> {
        if options.backends == 0 {
            return Err(StandError::Failed("a balancer without back ends has nothing to do".to_owned()));
        }
        let folder = Folder::new().map_err(StandError::folder)?;
        let recipes = Recipes { programs, contender, options, folder: &folder };
        recipes.check()?;
        let (backends, backend_addresses) = start_backends(recipes.backends()?, &folder)?;
        let recipe = recipes.balancer(&backend_addresses)?;
        let (balancer, address) = match recipe.listen {
            Listen::Given => start_on_a_free_port(&recipe, &folder)?,
            Listen::Told => {
                let balancer = launch(&recipe, &folder)?;
                let address = balancer.wait_until_it_listens()?;
                (balancer, address)
            }
        };
        Ok(Stand { balancer, backends, address, backend_addresses, folder })
    }

    /// Where the balancer listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The balancer's process ids, those of its children included.
    pub fn balancer_pids(&self) -> Vec<u32> {
        self.balancer.ids()
    }

    /// The process ids of all back ends that are up, those of their children included.
    pub fn backend_pids(&self) -> Vec<u32> {
        self.backends.iter().filter_map(|backend| backend.process.as_ref()).flat_map(Process::ids).collect()
    }

    /// Where the back ends listen, or listened.
    pub fn backend_addresses(&self) -> &[SocketAddr] {
        &self.backend_addresses
    }

    /// Kills a back end as a crash would: no drain, its connections reset. If it is down it stays so.
    pub fn kill_backend(&mut self, index: usize) {
        if let Some(process) = self.backends[index].process.take() {
            process.kill();
        }
    }

    /// Starts a killed back end again on the port that it had. If it is up it stays so.
    ///
    /// Errors: it does not start, or its port was taken in the meantime.
    pub fn restart_backend(&mut self, index: usize) -> Result<(), StandError> {
        let backend = &mut self.backends[index];
        if backend.process.is_none() {
            let (recipe, address) = (&backend.recipe, self.backend_addresses[index]);
            let command = recipe.command_at(address).map_err(StandError::folder)?;
            let process = Process::start(&recipe.name, command, &self.folder)?;
            match recipe.listen {
                Listen::Told => drop(process.wait_until_it_listens()?),
                Listen::Given => process.wait("answer", || answers(address))?,
            }
            backend.process = Some(process);
        }
        Ok(())
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        // All are asked before any is waited for: they end side by side.
        self.balancer.ask_to_end();
        let processes = self.backends.iter_mut().filter_map(|backend| backend.process.as_mut());
        processes.for_each(Process::ask_to_end);
    }
}

/// Starts all that can be started before it waits for any: they get ready side by side.
fn start_backends(
    recipes: Vec<Recipe>,
    folder: &Folder,
) -> Result<(Vec<BackEnd>, Vec<SocketAddr>), StandError> {
    let mut started = Vec::new();
    for recipe in recipes {
        let (process, address) = match recipe.listen {
            Listen::Told => (launch(&recipe, folder)?, None),
            Listen::Given => {
                let (process, address) = start_on_a_free_port(&recipe, folder)?;
                (process, Some(address))
            }
        };
        started.push((recipe, process, address));
    }
    let (mut backends, mut addresses) = (Vec::new(), Vec::new());
    for (recipe, process, address) in started {
        addresses.push(address.map_or_else(|| process.wait_until_it_listens(), Ok)?);
        backends.push(BackEnd { recipe, process: Some(process) });
    }
    Ok((backends, addresses))
}

fn launch(recipe: &Recipe, folder: &Folder) -> Result<Process, StandError> {
    let command = recipe.command().map_err(StandError::folder)?;
    Process::start(&recipe.name, command, folder)
}

/// Starts a program that must be told its port and cannot be told to take any.
fn start_on_a_free_port(recipe: &Recipe, folder: &Folder) -> Result<(Process, SocketAddr), StandError> {
    let mut attempts = 1;
    loop {
        let address = free_address().map_err(|error| StandError::Failed(format!("no free port: {error}")))?;
        let command = recipe.command_at(address).map_err(StandError::folder)?;
        let process = Process::start(&recipe.name, command, folder)?;
        match process.wait("answer", || answers(address)) {
            Ok(()) => return Ok((process, address)),
            Err(error) => {
                drop(process);
                // Between our letting go of the port and the program's taking it, somebody else may have.
                let is_clash = TcpListener::bind(address).is_err();
                if !is_clash || attempts == PORT_ATTEMPTS {
                    return Err(error);
                }
                attempts += 1;
            }
        }
    }
}

/// An address that nobody has at this moment.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Asks for the first page. A whole request and not a bare connection: some of the programs measured
/// here never get over a client that comes and goes without a word.
fn answers(address: SocketAddr) -> Option<()> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX).ok()?;
    stream.set_read_timeout(Some(ANSWER_MAX)).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    // `HTTP/1.x 200 ...`; a balancer that is ready before its back ends are says something else.
    answer.get(8..)?.starts_with(b" 200 ").then_some(())
}
