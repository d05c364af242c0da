//! The flags, in groups that concern the same thing; a role is a choice of groups.
//!
//! Contract: each flag is defined once, so that it has one name, one default and one text in all
//! roles; every default comes from [`defaults`]. [`FlagGroup`] turns a group into [`Settings`].

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::ArgPredicate;
use log::LevelFilter;

use super::failure::Failure;
use super::values::{Mode, RouteTo, count, levels};
use crate::app::defaults;
use crate::app::duration::{self, Interval};
use crate::app::settings::Settings;
use crate::balance::health::Probe;
use crate::balance::limits::CHECK_INTERVAL;
use crate::net::endpoint::Endpoint;
use crate::observe::log::Format;
use crate::protocol::cidr::Network;
use crate::protocol::limits;
use crate::protocol::proxy_header::Version;

/// Flags that change the settings of the drivers.
pub trait FlagGroup {
    /// Writes what the flags say into `settings`.
    fn apply(&self, settings: &mut Settings);
}

/// Where connections come in.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Listening")]
pub struct Listening {
    /// Address to listen on; repeatable; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub listen: Vec<Endpoint>,
    /// Connections the kernel holds until they are accepted
    #[arg(long, value_name = "N", default_value_t = defaults::BACKLOG as usize,
          value_parser = count(1, defaults::BACKLOG_MAX))]
    pub backlog: usize,
    /// Open client connections; more wait in the kernel's backlog
    #[arg(long, value_name = "N", default_value_t = defaults::CONNECTIONS_MAX,
          value_parser = count(1, defaults::CONNECTIONS_MAX_MAX))]
    pub connections_max: usize,
}

impl FlagGroup for Listening {
    fn apply(&self, settings: &mut Settings) {
        // The flag's bound lies far below that of its type.
        settings.backlog = u32::try_from(self.backlog).unwrap_or(u32::MAX);
        settings.connections_max = self.connections_max;
    }
}

/// The threaded model's pool.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Threaded model")]
pub struct Pool {
    /// Threads of the pool
    #[arg(long, value_name = "N", default_value_t = defaults::WORKERS,
          value_parser = count(1, defaults::WORKERS_MAX))]
    pub workers: usize,
    /// Accepted connections that may wait for a worker
    #[arg(long, value_name = "N", default_value_t = defaults::QUEUE,
          value_parser = count(1, defaults::QUEUE_MAX))]
    pub queue: usize,
    /// Let a connection that waits for its client keep its worker (shows starvation)
    #[arg(long)]
    pub no_park: bool,
}

impl FlagGroup for Pool {
    fn apply(&self, settings: &mut Settings) {
        settings.workers = self.workers;
        settings.queue = self.queue;
        settings.park = !self.no_park;
    }
}

/// The asynchronous model's loops.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Async model")]
pub struct Loops {
    /// Poll loops, each with a thread of its own [default: one a core]
    #[arg(long, value_name = "N", hide_default_value = true, default_value_t = Settings::default().loops,
          value_parser = count(1, defaults::LOOPS_MAX))]
    pub loops: usize,
}

impl FlagGroup for Loops {
    fn apply(&self, settings: &mut Settings) {
        settings.loops = self.loops;
    }
}

/// Deadlines of the client's side.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Deadlines, such as 500ms, 4s or 10m")]
pub struct ClientTimeouts {
    /// For a whole request head; then 408
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::HEADER_TIMEOUT),
          value_parser = duration::parse_timeout)]
    pub header_timeout: Duration,
    /// For the next request on a kept connection
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::KEEP_ALIVE),
          value_parser = duration::parse_timeout)]
    pub keep_alive: Duration,
    /// Longest silence within a body
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::STALL_TIMEOUT),
          value_parser = duration::parse_timeout)]
    pub stall_timeout: Duration,
    /// For what is in flight after Ctrl-C or SIGTERM
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::DRAIN),
          value_parser = duration::parse)]
    pub drain: Duration,
}

impl FlagGroup for ClientTimeouts {
    fn apply(&self, settings: &mut Settings) {
        settings.timeouts.header = self.header_timeout;
        settings.timeouts.keep_alive = self.keep_alive;
        settings.timeouts.stall = self.stall_timeout;
        settings.timeouts.drain = self.drain;
    }
}

/// Deadlines of the back ends' side.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Deadlines of back ends")]
pub struct BackendTimeouts {
    /// For a back end to accept a connection
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::CONNECT_TIMEOUT),
          value_parser = duration::parse_timeout)]
    pub connect_timeout: Duration,
    /// For the head of a back end's answer; then 504
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::BACKEND_TIMEOUT),
          value_parser = duration::parse_timeout)]
    pub backend_timeout: Duration,
    /// For a relay on which nobody sends
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::RELAY_IDLE_TIMEOUT),
          value_parser = duration::parse_timeout)]
    pub relay_idle_timeout: Duration,
    /// For a relay of which one side has finished and the other is silent
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::HALF_CLOSED_TIMEOUT),
          value_parser = duration::parse_timeout)]
    pub half_closed_timeout: Duration,
}

impl FlagGroup for BackendTimeouts {
    fn apply(&self, settings: &mut Settings) {
        settings.timeouts.connect = self.connect_timeout;
        settings.timeouts.backend = self.backend_timeout;
        settings.timeouts.relay_idle = self.relay_idle_timeout;
        settings.timeouts.half_closed = self.half_closed_timeout;
    }
}

/// How much back ends get at a time.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Load of back ends")]
pub struct Load {
    /// Connections (tcp) or requests (http) that one back end gets at a time, 0 for any number; the rest
    /// wait in turn, at most for --connect-timeout; then 503, or the end for tcp
    #[arg(long, value_name = "N", default_value_t = defaults::MAX_PER_BACKEND,
          value_parser = count(0, defaults::MAX_PER_BACKEND_MAX))]
    pub max_per_backend: usize,
}

/// How it is known which back ends there are, and which of them work.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Health of back ends")]
pub struct Health {
    /// From one check of a back end to the next, or off; 3 that fail take it out, 2 that pass bring it back
    #[arg(long, value_name = "TIME", default_value = duration::text(CHECK_INTERVAL),
          value_parser = duration::parse_interval)]
    pub health_interval: Interval,
    /// What checks ask for with HEAD, well is any status below 500; off: to be connected is enough [default: / for http, off for tcp]
    #[arg(long, value_name = "PATH")]
    pub health_path: Option<Probe>,
    /// From one look-up of the back ends' names to the next, or off
    #[arg(long, value_name = "TIME", default_value = duration::text(defaults::RESOLVE_INTERVAL),
          value_parser = duration::parse_interval)]
    pub resolve_interval: Interval,
}

impl FlagGroup for Health {
    fn apply(&self, settings: &mut Settings) {
        settings.check_interval = self.health_interval;
        settings.check_probe = self.health_path.clone();
        settings.resolve_interval = self.resolve_interval;
    }
}

/// The back ends of a balancer.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Back ends")]
pub struct BackEnds {
    /// A back end; repeatable; of a name, every address is one
    #[arg(long, value_name = "ADDR", value_parser = Endpoint::parse_target)]
    pub backend: Vec<Endpoint>,
    /// The first N of 127.0.0.1:9001 to 9005; excludes --backend
    #[arg(long, value_name = "N", conflicts_with = "backend",
          default_value = defaults::WEB_SERVERS.len().to_string(),
          default_value_if("backend", ArgPredicate::IsPresent, None),
          value_parser = count(1, defaults::WEB_SERVERS.len()))]
    pub backends: Option<usize>,
    /// What is shared out: connections (tcp) or requests (http)
    #[arg(long, value_enum, default_value_t = Mode::Tcp)]
    pub mode: Mode,
    /// Tell back ends who the client is by a PROXY header; their connections are not kept then
    #[arg(long, value_enum, value_name = "VERSION")]
    pub send_proxy: Option<Version>,
}

impl FlagGroup for BackEnds {
    fn apply(&self, settings: &mut Settings) {
        settings.proxies.send = self.send_proxy;
    }
}

/// Proxies that stand in front of this role.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Proxies in front")]
pub struct Front {
    /// An address or block, such as 10.0.0.0/8, whose X-Forwarded fields and PROXY headers are believed; repeatable
    #[arg(long, value_name = "ADDR")]
    pub trust: Vec<Network>,
    /// Every connection begins with a PROXY header (v1 or v2); whoever is not trusted is closed
    #[arg(long)]
    pub proxy_protocol: bool,
}

impl Front {
    /// Looks whether the flags make sense together.
    pub fn check(&self) -> Result<(), Failure> {
        match self.proxy_protocol && self.trust.is_empty() {
            true => {
                let words = "--proxy-protocol: nobody may send a header; name the proxies with --trust";
                Err(Failure::Usage(words.to_owned()))
            }
            false => Ok(()),
        }
    }
}

impl FlagGroup for Front {
    fn apply(&self, settings: &mut Settings) {
        settings.proxies.accept = self.proxy_protocol;
        settings.proxies.trust.clone_from(&self.trust);
    }
}

/// Which paths go where.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Routes")]
pub struct Routing {
    // Before `default`, which would otherwise have its default value already when this one asks
    // whether it is there.
    /// Paths that start with PREFIX go to these back ends in turn; repeatable; none if only --default is given
    #[arg(long, value_name = "PREFIX=ADDR[,ADDR]", default_values_t = course_routes(),
          default_value_if("default", ArgPredicate::IsPresent, None))]
    pub route: Vec<RouteTo>,
    /// All other paths go to these back ends in turn
    #[arg(long, value_name = "ADDR[,ADDR]", value_delimiter = ',', value_parser = Endpoint::parse_target,
          default_values_t = [Endpoint::from(defaults::DEFAULT_SERVER)])]
    pub default: Vec<Endpoint>,
}

/// The course's routes: images and PDF files have servers of their own.
fn course_routes() -> Vec<RouteTo> {
    let route =
        |prefix: &str, address| RouteTo { prefix: prefix.into(), backends: vec![Endpoint::from(address)] };
    vec![route("/images/", defaults::IMAGE_SERVER), route("/pdf/", defaults::PDF_SERVER)]
}

/// What is told, and where.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Log")]
pub struct Logging {
    /// How much is told
    #[arg(long, value_name = "LEVEL", default_value = defaults::LOG_LEVEL, value_parser = levels())]
    pub log: LevelFilter,
    /// For people, as the course's Python wrote it, or one JSON object a line
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub log_format: Format,
    /// File the log is appended to, opened anew on SIGUSR1 [default: standard error]
    #[arg(long, value_name = "PATH")]
    pub log_file: Option<PathBuf>,
}

/// The file of settings, and the trial of it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Configuration")]
pub struct Configuration {
    /// TOML file with the long flags as keys; the command line wins over it; SIGHUP reads it again, all or nothing
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Validate, print the effective settings as such a file, and stop
    #[arg(long)]
    pub check: bool,
}
