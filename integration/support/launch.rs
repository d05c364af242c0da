//! How a role is started: its binary and its flags, put together one by one.

use std::fmt::Display;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::process::Process;
use super::role::Role;
use super::{Model, WAIT_MAX};

/// A role about to be started.
#[derive(Clone, Debug)]
pub struct Launch {
    binary: &'static str,
    args: Vec<String>,
    /// What a shell does before it becomes the program.
    prelude: Option<String>,
    /// A socket that it is given as its standard input; the prelude makes something of it.
    input: Option<Arc<OwnedFd>>,
    /// Its back ends get requests, not bytes.
    forwards_requests: bool,
}

/// A program that ended by itself.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status; `None` after a signal.
    pub status: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Launch {
    /// A role with no flags at all.
    pub fn bare(binary: &'static str) -> Launch {
        Launch { binary, args: Vec::new(), prelude: None, input: None, forwards_requests: false }
    }

    /// A server or the reverse proxy on a free port.
    pub fn role(binary: &'static str, model: Model) -> Launch {
        let model = match model {
            Model::Threaded => "threaded",
            Model::Async => "async",
        };
        Launch::bare(binary).on_a_free_port().flag("--model", model)
    }

    /// The generic back end on a free port: the site and the test answers.
    pub fn web_server(model: Model) -> Launch {
        Launch::role("web-server", model)
    }

    /// The reverse proxy on a free port, with everything routed to one group. Checked are its back
    /// ends only if the test asks for it: scripted ones shall see the test's requests and no others.
    pub fn reverse_proxy(model: Model, default: SocketAddr) -> Launch {
        let launch = Launch::role("reverse-proxy", model).flag("--default", default);
        Launch { forwards_requests: true, ..launch }
    }

    /// The balancer of this model on a free port; of requests, without checks as above.
    pub fn balancer(model: Model, mode: &str, backends: impl IntoIterator<Item = SocketAddr>) -> Launch {
        let binary = match model {
            Model::Threaded => "lb-threaded",
            Model::Async => "lb-async",
        };
        let launch = Launch::bare(binary).on_a_free_port().flag("--mode", mode);
        let launch = Launch { forwards_requests: mode == "http", ..launch };
        backends.into_iter().fold(launch, |launch, backend| launch.flag("--backend", backend))
    }

    /// A command of `giliran` that serves, on a free port.
    pub fn giliran(command: &str, model: Model) -> Launch {
        let model = match model {
            Model::Threaded => "threaded",
            Model::Async => "async",
        };
        Launch::bare("giliran").switch(command).on_a_free_port().flag("--model", model)
    }

    /// Checks back ends so often.
    pub fn checked(self, interval: &str) -> Launch {
        self.flag("--health-interval", interval)
    }

    /// Starts it with this limit on open files (`ulimit -n`), which it cannot raise.
    pub fn with_descriptors(self, count: u64) -> Launch {
        Launch { prelude: Some(format!("ulimit -n {count}")), ..self }
    }

    /// Adds a flag and its value.
    pub fn flag(mut self, name: &str, value: impl Display) -> Launch {
        self.args.extend([name.to_owned(), value.to_string()]);
        self
    }

    /// Adds a flag without a value.
    pub fn switch(mut self, name: &str) -> Launch {
        self.args.push(name.to_owned());
        self
    }

    /// Has a shell do this first, such as `trap '' HUP`, which the program inherits.
    pub fn after(self, prelude: impl Display) -> Launch {
        Launch { prelude: Some(prelude.to_string()), ..self }
    }

    /// Passes it a socket as systemd does: as descriptor 3, and the environment says so to this process alone.
    pub fn with_socket(self, socket: &TcpListener, name: &str) -> Launch {
        let input = Some(Arc::new(socket.try_clone().unwrap().into()));
        let prelude = format!(
            "{} exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES={name}",
            self.prelude.map(|prelude| prelude + ";").unwrap_or_default()
        );
        Launch { prelude: Some(prelude), input, ..self }
    }

    /// Starts it and waits until it can be reached.
    pub fn start(self) -> Role {
        Role::reached(self.process(), self.binary)
    }

    /// Starts it without waiting.
    pub fn process(&self) -> Process {
        let mut command = match &self.prelude {
            None => Command::new(path_of(self.binary)),
            Some(prelude) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("{prelude}; exec \"$0\" \"$@\""), path_of(self.binary)]);
                shell
            }
        };
        command.args(&self.args);
        let is_given = self.args.iter().any(|arg| arg == "--health-interval");
        if self.forwards_requests && !is_given {
            command.args(["--health-interval", "off"]);
        }
        let socket = self.input.as_ref().map(|socket| Stdio::from(socket.try_clone().unwrap()));
        Process::start_reading(&mut command, socket.unwrap_or_else(Stdio::null)).unwrap()
    }

    /// Runs it to its end, which must come by itself.
    pub fn end(&self) -> Ended {
        let mut process = self.process();
        let status = process.wait(WAIT_MAX);
        let (out, err) = (process.out.text(), process.err.text());
        let Some(status) = status else {
            panic!("{} {:?} still runs; it said:\n{out}\n{err}", self.binary, self.args);
        };
        Ended { status: status.code(), out, err }
    }

    fn on_a_free_port(self) -> Launch {
        self.flag("--listen", "127.0.0.1:0")
    }
}

fn path_of(binary: &str) -> &'static str {
    match binary {
        "giliran" => env!("CARGO_BIN_EXE_giliran"),
        "default-server" => env!("CARGO_BIN_EXE_default-server"),
        "image-server" => env!("CARGO_BIN_EXE_image-server"),
        "pdf-server" => env!("CARGO_BIN_EXE_pdf-server"),
        "web-server" => env!("CARGO_BIN_EXE_web-server"),
        "reverse-proxy" => env!("CARGO_BIN_EXE_reverse-proxy"),
        "lb-threaded" => env!("CARGO_BIN_EXE_lb-threaded"),
        "lb-async" => env!("CARGO_BIN_EXE_lb-async"),
        "suite" => env!("CARGO_BIN_EXE_suite"),
        _ => panic!("no binary {binary}"),
    }
}
