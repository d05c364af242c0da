//! The roles: the name, the help text, the examples and the default address of each binary, and of each command of
//! `giliran`.
//!
//! Contract: two roles with the same flags (see `args`) differ in nothing but what is here.

use std::net::SocketAddr;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{Arg, Args, Command};

use super::request::Request;
use crate::app::defaults;

/// A role, as its `--help` presents it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Role {
    /// Its name in the log, on the status page and in the configuration file's errors.
    pub(crate) name: &'static str,
    /// What is typed to start it, and what its messages begin with: its binary, or `giliran` and its name.
    pub(crate) program: &'static str,
    about: &'static str,
    example: &'static str,
    /// Where it listens by default; `None` for the suite, whose roles have addresses of their own.
    listen: Option<SocketAddr>,
    /// An example of its command `explain`, if it has that: only a role that chooses a back end does.
    explain: Option<&'static str>,
    /// Flags whose defaults are not those of the course: id, and the default if it has one.
    defaults: &'static [(&'static str, Option<&'static str>)],
    /// Flags that `-h` shows, by id; empty if it shows all, as `--help` does.
    short_help: &'static [&'static str],
}

/// The command that says what would become of a request.
pub(crate) const EXPLAIN: &str = "explain";

impl Role {
    /// The course's Default Server.
    pub const DEFAULT_SERVER: Role = Role {
        name: "default-server",
        program: "default-server",
        about: "Static web server: fixed pages, and the files of a folder",
        example: "default-server --root public --listen 127.0.0.1:8080 --model async",
        listen: Some(defaults::DEFAULT_SERVER),
        explain: None,
        defaults: &[],
        short_help: &[],
    };

    /// The course's Image Web Server.
    pub const IMAGE_SERVER: Role = Role {
        name: "image-server",
        program: "image-server",
        about: "Static web server for /images/ and the files below it",
        example: "image-server --root public --keep-alive 5s",
        listen: Some(defaults::IMAGE_SERVER),
        explain: None,
        defaults: &[],
        short_help: &[],
    };

    /// The course's PDF Web Server.
    pub const PDF_SERVER: Role = Role {
        name: "pdf-server",
        program: "pdf-server",
        about: "Static web server for /pdf/ and the files below it",
        example: "pdf-server --root public --workers 8 --queue 32",
        listen: Some(defaults::PDF_SERVER),
        explain: None,
        defaults: &[],
        short_help: &[],
    };

    /// The course's Web Server, of which there are five.
    pub const WEB_SERVER: Role = Role {
        name: "web-server",
        program: "web-server",
        about: "Back end for the balancers: the default site, and test responses such as /?size=20000&delay=50ms",
        example: "web-server --listen 127.0.0.1:9002",
        listen: Some(defaults::WEB_SERVERS[0]),
        explain: None,
        defaults: &[],
        short_help: &[],
    };

    /// The course's Reverse Proxy.
    pub const REVERSE_PROXY: Role = Role {
        name: "reverse-proxy",
        program: "reverse-proxy",
        about: "Sends each request to a back end by its path",
        example: "reverse-proxy --route /images/=127.0.0.1:8889 --default 127.0.0.1:8888,127.0.0.1:8887",
        listen: Some(defaults::REVERSE_PROXY),
        explain: Some("reverse-proxy explain GET /images/x"),
        defaults: &[],
        short_help: &[],
    };

    /// The course's threaded balancer.
    pub const LB_THREADED: Role = Role {
        name: "lb-threaded",
        program: "lb-threaded",
        about: "Round-robin load balancer: a fixed pool of threads, blocking calls",
        example: "lb-threaded --listen 127.0.0.1:6660 --backend 127.0.0.1:9001 --backend 127.0.0.1:9002",
        listen: Some(defaults::LB_THREADED),
        explain: Some("lb-threaded explain GET / --mode http --backend 127.0.0.1:9001"),
        defaults: &[],
        short_help: &[],
    };

    /// The course's asynchronous balancer.
    pub const LB_ASYNC: Role = Role {
        name: "lb-async",
        program: "lb-async",
        about: "Round-robin load balancer: poll loops over nonblocking sockets",
        example: "lb-async --backends 3 --mode http --loops 2",
        listen: Some(defaults::LB_ASYNC),
        explain: Some("lb-async explain GET / --mode http --backends 3"),
        defaults: &[],
        short_help: &[],
    };

    /// All roles in one process.
    pub const SUITE: Role = Role {
        name: "suite",
        program: "suite",
        about: "Starts every role in one process and prints a table of their addresses",
        example: "suite --port-base 20000 --model async",
        listen: None,
        explain: None,
        defaults: &[],
        short_help: &[],
    };

    /// `giliran serve`: a folder without the course's pages.
    pub(crate) const SERVE: Role = Role {
        name: "serve",
        program: "giliran serve",
        about: "Serves a folder: files, index.html, listings, compressed files, pages of applications",
        example: "giliran serve\n  giliran serve dist --spa index.html --precompressed --cache-control '*.[hash].*=immutable'\n  \
                  giliran serve /srv/www --listen :443 --tls-cert site.pem --plain :80 --redirect-https",
        listen: Some(defaults::GILIRAN),
        explain: None,
        defaults: &[("root", Some("."))],
        short_help: &[
            "root_word",
            "listen",
            "model",
            "listing",
            "spa",
            "error_page",
            "clean_urls",
            "precompressed",
            "cache",
            "tls_cert",
            "tls_self_signed",
            "status",
            "log",
            "config",
        ],
    };

    /// `giliran proxy`: the reverse proxy without the course's routes.
    pub(crate) const PROXY: Role = Role {
        name: "proxy",
        program: "giliran proxy",
        about: "Sends each request to a back end by its host and path",
        example: "giliran proxy --default 127.0.0.1:3000\n  \
                  giliran proxy --route '/api/=127.0.0.1:3000,127.0.0.1:3001; strip' --default 127.0.0.1:8081\n  \
                  giliran proxy --config /etc/giliran/giliran.toml --check",
        listen: Some(defaults::GILIRAN),
        explain: Some("giliran proxy explain GET /images/x --default 127.0.0.1:3000"),
        defaults: &[("route", None), ("default", None)],
        short_help: &[
            "listen",
            "model",
            "route",
            "default",
            "policy",
            "health_path",
            "tls_cert",
            "tls_self_signed",
            "status",
            "log",
            "config",
        ],
    };

    /// `giliran balance`: both balancers in one.
    pub(crate) const BALANCE: Role = Role {
        name: "balance",
        program: "giliran balance",
        about: "Balances connections, or with --mode http requests, over back ends",
        example: "giliran balance --listen :8080 a:3000 b:3000\n  \
                  giliran balance --model async --mode http --policy least-connections 127.0.0.1:3000 127.0.0.1:3001",
        listen: Some(defaults::GILIRAN),
        explain: Some("giliran balance explain GET / --mode http 127.0.0.1:3000"),
        defaults: &[],
        short_help: &[
            "backend_words",
            "listen",
            "model",
            "mode",
            "policy",
            "health_path",
            "tls_cert",
            "tls_self_signed",
            "status",
            "log",
            "config",
        ],
    };

    /// `giliran suite`: the suite, with the course's site inside.
    pub(crate) const WHOLE_SUITE: Role = Role {
        program: "giliran suite",
        example: "giliran suite --port-base 20000 --model async",
        defaults: &[("root", None)],
        short_help: &["port_base", "model", "backends", "root", "workers", "tls", "status", "log", "config"],
        ..Role::SUITE
    };

    /// `giliran explain`, which is about `giliran proxy`.
    pub(crate) const EXPLAIN_PROXY: Role = Role {
        program: "giliran",
        explain: Some("giliran explain GET http://www.example.org/api/x --config giliran.toml"),
        short_help: &["method", "target", "header", "from", "live", "route", "default", "config"],
        ..Role::PROXY
    };

    /// The command line of the role, which has the flags `A`.
    pub fn command<A: Args>(&self) -> Command {
        let command = Command::new(self.name).bin_name(self.program).display_name(self.program);
        let command = self.with_flags::<A>(command).about(self.about).long_about(None);
        match self.explain {
            None => self.with_examples(command, self.example),
            Some(explain) => self
                .with_examples(command, &format!("{}\n  {explain}", self.example))
                .subcommand(self.explain_command::<A>().name(EXPLAIN))
                .disable_help_subcommand(true),
        }
    }

    /// The command line of its command `explain`: the request, and the flags `A` of the role itself.
    pub(crate) fn explain_command<A: Args>(&self) -> Command {
        let name = format!("{} {EXPLAIN}", self.program);
        // Its own arguments first, since they are what the command is about.
        let command = self.with_flags::<A>(Request::augment_args(Command::new(name.clone()).bin_name(name)));
        let command = command
            .about("Says what would become of a request: route, group, back end, and the head that it gets")
            .long_about(None);
        self.with_examples(command, self.explain.unwrap_or_default())
    }

    /// The command with these examples, one a line, at the end of its help; and with a word about `--help` if `-h`
    /// is shorter.
    fn with_examples(&self, command: Command, examples: &str) -> Command {
        let heading = if examples.contains('\n') { "Examples" } else { "Example" };
        let text = format!("{heading}:\n  {examples}");
        match self.short_help {
            [] => command.after_help(text),
            _ => command.after_help(format!("{text}\n\nAll flags: --help")).after_long_help(text),
        }
    }

    /// The command with the flags `A`. Its help text is to be set afterwards: clap would take the doc comment of
    /// `A` for it.
    fn with_flags<A: Args>(&self, command: Command) -> Command {
        let command = A::augment_args(command).version(env!("CARGO_PKG_VERSION")).styles(STYLES);
        let Role { defaults, short_help, .. } = *self;
        let address = self.listen.map(|address| address.to_string());
        // Not `mut_arg`, which would move the flag to the end of the list.
        command.mut_args(move |arg| {
            let id = arg.get_id().as_str();
            let is_in_short_help = short_help.contains(&id);
            let own = defaults.iter().find(|(flag, _)| *flag == id).map(|(_, default)| *default);
            let arg = match (own, &address) {
                (Some(default), _) => arg.default_value(default),
                (None, Some(address)) if id == "listen" => arg.default_value(address.clone()),
                _ => arg,
            };
            if short_help.is_empty() { arg } else { with_short_help(arg, is_in_short_help) }
        })
    }
}

/// The argument with a help text of its own for `-h`, the first clause, if it is shown there at all.
fn with_short_help(arg: Arg, is_shown: bool) -> Arg {
    let Some(full) = arg.get_help().map(ToString::to_string) else { return arg };
    let first = full.split("; ").next().unwrap_or_default().to_owned();
    arg.help(first).long_help(full).hide_short_help(!is_shown)
}

/// The colours of help on a terminal.
pub(crate) const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());
