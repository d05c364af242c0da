//! The testbed: everything that one run of the experiment needs, started and stopped together.
//!
//! ```text
//!   the lab's client ---> balancer ---> backend-1 .. backend-5      each a process group of its own,
//!                         of the contender, and its back ends       on a free port of 127.0.0.1
//! ```
//!
//! Contract: when [`Testbed::start`] returns, every program responds; when the [`Testbed`] is dropped,
//! nothing of it runs any more and its folder is gone. A signal that ends the lab must therefore end it
//! by a return from `main`, as [`crate::net::shutdown`] makes it do.
//!
//! | file | owns |
//! |---|---|
//! | `contender` | who can be measured, with which options |
//! | `programs` | where the programs are found; the Python counterparts' sources |
//! | `recipe` | the command of each program |
//! | `peers` | configurations of HAProxy, nginx and Apache |
//! | `course` | a checkout of the course's own programs |
//! | `process` | a program with its children, from its start to its end |

mod contender;
mod course;
mod peers;
mod process;
mod programs;
mod recipe;
#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

pub(super) use contender::{Contender, TestbedError, TestbedOptions};
pub(super) use course::check as check_course;
use process::Process;
pub(super) use programs::LADDER;
use programs::Programs;
use recipe::Recipes;

use super::lang::{Lang, text};
use super::system;

/// How often a program gets another port because somebody else took the first.
const PORT_ATTEMPTS: usize = 5;
/// Longest wait for one response while a program starts; then it is asked again.
const RESPONSE_MAX: Duration = Duration::from_secs(2);
/// Port 0: a free one, which the program chooses.
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A balancer and its back ends, running.
pub(super) struct Testbed {
    // Dropped in this order: the balancer first, or it would log that its back ends are gone, and the
    // folder, which is in the recipes, last.
    balancer: Process,
    /// A back end is `None` while it is down.
    backends: Vec<Option<Process>>,
    /// Where the balancer listens.
    pub(super) address: SocketAddr,
    /// Where the back ends listen, or did before they were killed.
    pub(super) backend_addresses: Vec<SocketAddr>,
    recipes: Recipes,
}

impl Testbed {
    /// Starts a contender; our own roles from the running executable.
    ///
    /// Errors: something is not installed, or did not start in time.
    pub(super) fn start(contender: &Contender, options: &TestbedOptions) -> Result<Testbed, TestbedError> {
        let programs = Programs::of_this_executable().map_err(|error| {
            TestbedError::Failed(text!(
                Lang::of_errors(),
                "error-executable",
                error = Lang::of_errors().cause(&error)
            ))
        })?;
        Testbed::start_with(programs, contender, options)
    }

    fn start_with(
        programs: Programs,
        contender: &Contender,
        options: &TestbedOptions,
    ) -> Result<Testbed, TestbedError> {
        // For this user only: what the programs log is nobody else's business.
        let folder = system::private_folder("giliran-testbed-").map_err(TestbedError::folder)?;
        let (contender, options) = (contender.clone(), options.clone());
        let recipes = Recipes { programs, contender, options, folder };
        recipes.check()?;
        let (backends, backend_addresses) = start_backends(&recipes)?;
        let command = |listen| recipes.balancer(&backend_addresses, listen);
        let (balancer, address) = match recipes.balancer_chooses_port() {
            true => {
                let mut balancer = launch(&recipes, "balancer", command(ANY_PORT)?)?;
                let address = balancer.wait_until_it_listens()?;
                (balancer, address)
            }
            false => start_on_a_free_port(&recipes, "balancer", command)?,
        };
        Ok(Testbed { balancer, backends, address, backend_addresses, recipes })
    }

    /// The balancer's process ids, those of its children included.
    pub(super) fn balancer_pids(&self) -> Vec<u32> {
        self.balancer.ids()
    }

    /// The process ids of all back ends that are up, those of their children included.
    pub(super) fn backend_pids(&self) -> Vec<u32> {
        self.backends.iter().flatten().flat_map(Process::ids).collect()
    }

    /// Kills a back end as a crash would: its connections are reset. One that is down stays down.
    pub(super) fn kill_backend(&mut self, index: usize) {
        if let Some(process) = self.backends[index].take() {
            process.kill();
        }
    }

    /// Starts a killed back end again on the port that it had. One that is up stays up.
    ///
    /// Errors: it does not start, or its port was taken in the meantime.
    pub(super) fn restart_backend(&mut self, index: usize) -> Result<(), TestbedError> {
        if self.backends[index].is_none() {
            let (number, address) = (index + 1, self.backend_addresses[index]);
            let command = self.recipes.backend(number, address)?;
            let mut process = launch(&self.recipes, &backend_name(number), command)?;
            process.wait(&text!(Lang::of_errors(), "error-to-respond"), || responds(address))?;
            self.backends[index] = Some(process);
        }
        Ok(())
    }

    /// Where the testbed keeps its files.
    #[cfg(test)]
    #[cfg(unix)]
    fn folder(&self) -> &std::path::Path {
        self.recipes.folder.path()
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        // All are asked before any is waited for, so that they end at the same time.
        self.balancer.ask_to_end();
        self.backends.iter_mut().flatten().for_each(Process::ask_to_end);
    }
}

/// Starts all back ends before it waits for any, so that they get ready at the same time.
fn start_backends(recipes: &Recipes) -> Result<(Vec<Option<Process>>, Vec<SocketAddr>), TestbedError> {
    let mut started = Vec::new();
    for number in 1..=recipes.options.backends {
        let name = backend_name(number);
        let command = |listen| recipes.backend(number, listen);
        started.push(match recipes.backends_choose_ports() {
            true => (launch(recipes, &name, command(ANY_PORT)?)?, None),
            false => {
                let (process, address) = start_on_a_free_port(recipes, &name, command)?;
                (process, Some(address))
            }
        });
    }
    let (mut backends, mut addresses) = (Vec::new(), Vec::new());
    for (mut process, address) in started {
        addresses.push(address.map_or_else(|| process.wait_until_it_listens(), Ok)?);
        backends.push(Some(process));
    }
    Ok((backends, addresses))
}

fn backend_name(number: usize) -> String {
    format!("backend-{number}")
}

fn launch(recipes: &Recipes, name: &str, command: Command) -> Result<Process, TestbedError> {
    Process::start(name, recipes.programs.guarded(command), recipes.folder.path())
}

/// Starts a program that must be told its port and cannot choose one.
fn start_on_a_free_port(
    recipes: &Recipes,
    name: &str,
    command: impl Fn(SocketAddr) -> Result<Command, TestbedError>,
) -> Result<(Process, SocketAddr), TestbedError> {
    let mut attempts = 1;
    loop {
        let free = TcpListener::bind(ANY_PORT).and_then(|listener| listener.local_addr());
        let address = free.map_err(|error| {
            TestbedError::Failed(text!(
                Lang::of_errors(),
                "error-no-free-port",
                error = Lang::of_errors().cause(&error)
            ))
        })?;
        let mut process = launch(recipes, name, command(address)?)?;
        let Err(error) = process.wait(&text!(Lang::of_errors(), "error-to-respond"), || responds(address))
        else {
            return Ok((process, address));
        };
        drop(process);
        // Another program may have taken the port after we let go of it.
        let is_taken = TcpListener::bind(address).is_err();
        if !is_taken || attempts == PORT_ATTEMPTS {
            return Err(error);
        }
        attempts += 1;
    }
}

/// Asks for the first page. A whole request and not only a connection: some of the programs measured
/// here do not survive a client that connects and leaves without a request.
fn responds(address: SocketAddr) -> Option<()> {
    let mut stream = TcpStream::connect_timeout(&address, RESPONSE_MAX).ok()?;
    stream.set_read_timeout(Some(RESPONSE_MAX)).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    // `HTTP/1.x 200 ...`: a balancer that is ready before its back ends sends another status.
    let mut status = [0; "HTTP/1.x 200 ".len()];
    stream.read_exact(&mut status).ok()?;
    // To its end, or it would be reset. Some keep the connection until their client has ended its side.
    stream.shutdown(Shutdown::Write).ok()?;
    stream.read_to_end(&mut Vec::new()).ok()?;
    status.ends_with(b" 200 ").then_some(())
}
