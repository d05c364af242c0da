//! The roles: the name, the help text, the example and the default address of each binary.
//!
//! Contract: two roles with the same flags (see `args`) differ in nothing but what is here.

use std::net::SocketAddr;

use clap::{Args, Command};

use super::request::Request;
use crate::app::defaults;

/// A role, as its `--help` presents it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Role {
    /// The name of its binary, in messages and in the log.
    pub(crate) name: &'static str,
    about: &'static str,
    example: &'static str,
    /// Where it listens by default; `None` for the suite, whose roles have addresses of their own.
    listen: Option<SocketAddr>,
    /// An example of its command `explain`, if it has that: only a role that chooses a back end does.
    explain: Option<&'static str>,
}

/// The command that says what would become of a request.
pub(crate) const EXPLAIN: &str = "explain";

impl Role {
    /// The course's Default Server.
    pub const DEFAULT_SERVER: Role = Role {
        name: "default-server",
        about: "Static web server: fixed pages, and the files of a folder",
        example: "default-server --root public --listen 127.0.0.1:8080 --model async",
        listen: Some(defaults::DEFAULT_SERVER),
        explain: None,
    };

    /// The course's Image Web Server.
    pub const IMAGE_SERVER: Role = Role {
        name: "image-server",
        about: "Static web server for /images/ and the files below it",
        example: "image-server --root public --keep-alive 5s",
        listen: Some(defaults::IMAGE_SERVER),
        explain: None,
    };

    /// The course's PDF Web Server.
    pub const PDF_SERVER: Role = Role {
        name: "pdf-server",
        about: "Static web server for /pdf/ and the files below it",
        example: "pdf-server --root public --workers 8 --queue 32",
        listen: Some(defaults::PDF_SERVER),
        explain: None,
    };

    /// The course's Web Server, of which there are five.
    pub const WEB_SERVER: Role = Role {
        name: "web-server",
        about: "Back end for the balancers: the default site, and test responses such as /?size=20000&delay=50ms",
        example: "web-server --listen 127.0.0.1:9002",
        listen: Some(defaults::WEB_SERVERS[0]),
        explain: None,
    };

    /// The course's Reverse Proxy.
    pub const REVERSE_PROXY: Role = Role {
        name: "reverse-proxy",
        about: "Sends each request to a back end by its path",
        example: "reverse-proxy --route /images/=127.0.0.1:8889 --default 127.0.0.1:8888,127.0.0.1:8887",
        listen: Some(defaults::REVERSE_PROXY),
        explain: Some("reverse-proxy explain GET /images/x"),
    };

    /// The course's threaded balancer.
    pub const LB_THREADED: Role = Role {
        name: "lb-threaded",
        about: "Round-robin load balancer: a fixed pool of threads, blocking calls",
        example: "lb-threaded --listen 127.0.0.1:6660 --backend 127.0.0.1:9001 --backend 127.0.0.1:9002",
        listen: Some(defaults::LB_THREADED),
        explain: Some("lb-threaded explain GET / --mode http --backend 127.0.0.1:9001"),
    };

    /// The course's asynchronous balancer.
    pub const LB_ASYNC: Role = Role {
        name: "lb-async",
        about: "Round-robin load balancer: poll loops over nonblocking sockets",
        example: "lb-async --backends 3 --mode http --loops 2",
        listen: Some(defaults::LB_ASYNC),
        explain: Some("lb-async explain GET / --mode http --backends 3"),
    };

    /// All roles in one process.
    pub const SUITE: Role = Role {
        name: "suite",
        about: "Starts every role in one process and prints a table of their addresses",
        example: "suite --port-base 20000 --model async",
        listen: None,
        explain: None,
    };

    /// The command line of the role, which has the flags `A`.
    pub fn command<A: Args>(&self) -> Command {
        let command = self.with_flags::<A>(Command::new(self.name)).about(self.about).long_about(None);
        match self.explain {
            None => command.after_help(format!("Example:\n  {}", self.example)),
            Some(explain) => command
                .after_help(format!("Examples:\n  {}\n  {explain}", self.example))
                .subcommand(self.explain_command::<A>().name(EXPLAIN))
                .disable_help_subcommand(true),
        }
    }

    /// The command line of its command `explain`: the request, and the flags `A` of the role itself.
    pub(crate) fn explain_command<A: Args>(&self) -> Command {
        let name = format!("{} {EXPLAIN}", self.name);
        // Its own arguments first, since they are what the command is about.
        let command = self.with_flags::<A>(Request::augment_args(Command::new(name.clone()).bin_name(name)));
        command
            .about("Says what would become of a request: route, group, back end, and the head that it gets")
            .long_about(None)
            .after_help(self.explain.map(|example| format!("Example:\n  {example}")).unwrap_or_default())
    }

    /// The command with the flags `A`. Its help text is to be set afterwards: clap would take the doc comment of
    /// `A` for it.
    fn with_flags<A: Args>(&self, command: Command) -> Command {
        let command = A::augment_args(command).version(env!("CARGO_PKG_VERSION"));
        let Some(address) = self.listen.map(|address| address.to_string()) else { return command };
        // Not `mut_arg`, which would move the flag to the end of the list.
        command.mut_args(move |arg| match arg.get_long() {
            Some("listen") => arg.default_value(address.clone()),
            _ => arg,
        })
    }
}
