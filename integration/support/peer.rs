//! Programs nobody here wrote, run to their end. A test asks for them first: [`super::needs`].

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use super::needs::{CURL, Program};
use super::process::Process;

/// What a program said when it had ended.
#[derive(Debug)]
pub struct Said {
    /// True if its status was 0.
    pub success: bool,
    /// Its standard output as text.
    pub out: String,
    /// Its standard error as text.
    pub err: String,
}

/// Runs `program` to its end, at most a minute.
pub fn run<A: AsRef<OsStr>>(program: &Program, args: impl IntoIterator<Item = A>) -> Said {
    let mut process = Process::start(program.command().args(args)).unwrap();
    let program = program.name;
    let status = process.wait(Duration::from_secs(60));
    let said = (process.out.text(), process.err.text());
    let Some(status) = status else {
        panic!("{program} did not end within a minute; it said:\n{}\n{}", said.0, said.1);
    };
    Said { success: status.success(), out: said.0, err: said.1 }
}

/// Runs curl and expects it to be content.
pub fn curl<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Said {
    let quiet = ["--silent", "--show-error", "--max-time", "20"].map(|arg| OsStr::new(arg).to_owned());
    let args = quiet.into_iter().chain(args.into_iter().map(|arg| arg.as_ref().to_owned()));
    let said = run(&CURL, args);
    assert!(said.success, "curl: {}", said.err);
    said
}

/// A server nobody here wrote.
#[derive(Debug)]
pub struct Server {
    _process: Process,
    address: SocketAddr,
}

impl Server {
    /// Starts what `command` makes for an address, and waits until it can be reached there.
    pub fn start(mut command: impl FnMut(SocketAddr) -> Command) -> Server {
        // Somebody else may take the port meanwhile: then the program ends, and another port is tried.
        for _ in 0..5 {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let mut process = Process::start(&mut command(address)).unwrap();
            while process.wait(Duration::from_millis(1)).is_none() {
                if TcpStream::connect(address).is_ok() {
                    return Server { _process: process, address };
                }
            }
            std::io::Write::write_all(&mut std::io::stderr(), process.err.text().as_bytes()).unwrap();
        }
        panic!("it does not start; see above");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
