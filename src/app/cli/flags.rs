//! The flags, in groups; `args` says which groups a role has.
//!
//! Contract: each flag is defined once, so that it has one name, one default and one help text in all
//! roles. No default is written here: it is a constant of [`defaults`] or of a room's `limits`.
//! [`FlagGroup`] turns a group into [`Settings`].

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::ArgPredicate;
use log::LevelFilter;

use super::failure::Failure;
use super::values::{Mode, ProxyVersion, StatusAt, count, levels};
use crate::app::defaults;
use crate::app::duration::{self, Interval};
use crate::app::route::{Destination, RouteSpec};
use crate::app::settings::{Model, Settings, StatusSettings};
use crate::balance::Passive;
use crate::balance::health::Probe;
use crate::balance::limits::{
    CHECK_INTERVAL, PASSIVE_FAILURES, PASSIVE_FAILURES_MAX, PASSIVE_OUT, PASSIVE_WINDOW,
};
use crate::net::endpoint::Endpoint;
use crate::net::target::Target;
use crate::observe::log::Format;
use crate::protocol::cidr::Cidr;
use crate::protocol::forward::{Change, FieldRule, FieldRules, Side};
use crate::protocol::limits;

/// A group of flags that changes the settings of the drivers.
pub trait FlagGroup {
    /// Writes the values of the flags into `settings`.
    fn apply(&self, settings: &mut Settings);
}

/// The flags of a model, or of the choice between both.
pub trait Concurrency: Args + FlagGroup {
    /// The model.
    fn model(&self) -> Model;
}

/// Where connections are accepted.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Listening")]
pub(crate) struct Listening {
    /// Address to listen on, such as 127.0.0.1:80 or name:80, or :80 or 80 for every address, IPv4 and IPv6; repeatable; port 0 takes a free port
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Vec<Endpoint>,
    /// Connections that may wait in the kernel until they are accepted
    #[arg(long, value_name = "N", default_value_t = defaults::BACKLOG as usize,
          value_parser = count(1, defaults::BACKLOG_MAX))]
    pub(crate) backlog: usize,
    /// Client connections that may be open at the same time; more wait in the kernel's backlog
    #[arg(long, value_name = "N", default_value_t = defaults::CONNECTIONS_MAX,
          value_parser = count(1, defaults::CONNECTIONS_MAX_MAX))]
    pub(crate) connections_max: usize,
}

impl FlagGroup for Listening {
    fn apply(&self, settings: &mut Settings) {
        // The flag accepts only numbers that fit by far.
        settings.backlog = u32::try_from(self.backlog).unwrap_or(u32::MAX);
        settings.connections_max = self.connections_max;
    }
}

/// The threaded model's pool.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Threaded model")]
pub struct Pool {
    /// Worker threads of the pool
    #[arg(long, value_name = "N", default_value_t = defaults::WORKERS,
          value_parser = count(1, defaults::WORKERS_MAX))]
    pub(crate) workers: usize,
    /// Accepted connections that may wait for a worker
    #[arg(long, value_name = "N", default_value_t = defaults::QUEUE,
          value_parser = count(1, defaults::QUEUE_MAX))]
    pub(crate) queue: usize,
    /// How long the queue may be full before clients are refused with 503; meanwhile they wait in the backlog
    #[arg(long, value_name = "TIME", default_value = duration::text(defaults::QUEUE_WAIT),
          value_parser = duration::parse)]
    pub(crate) queue_wait: Duration,
    /// Do not park connections that wait for their peer: each keeps its worker (shows starvation)
    #[arg(long)]
    pub(crate) no_park: bool,
}

impl FlagGroup for Pool {
    fn apply(&self, settings: &mut Settings) {
        settings.workers = self.workers;
        settings.queue = self.queue;
        settings.queue_wait = self.queue_wait;
        settings.park = !self.no_park;
    }
}

impl Concurrency for Pool {
    fn model(&self) -> Model {
        Model::Threaded
    }
}

/// The asynchronous model's loops.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Async model")]
pub struct Loops {
    /// Poll loops, each on a thread of its own [default: one per core]
    #[arg(long, value_name = "N", hide_default_value = true, default_value_t = Settings::default().loops,
          value_parser = count(1, defaults::LOOPS_MAX))]
    pub(crate) loops: usize,
}

impl FlagGroup for Loops {
    fn apply(&self, settings: &mut Settings) {
        settings.loops = self.loops;
    }
}

impl Concurrency for Loops {
    fn model(&self) -> Model {
        Model::Async
    }
}

/// The timeouts of client connections, and the drain.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Timeouts, such as 500ms, 4s or 10m")]
pub(crate) struct ClientTimeouts {
    /// Time to receive a whole request head; then 408
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::HEADER_TIMEOUT),
          value_parser = duration::parse_timeout)]
    pub(crate) header_timeout: Duration,
    /// Time that an idle client connection stays open for its next request
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::KEEP_ALIVE),
          value_parser = duration::parse_timeout)]
    pub(crate) keep_alive: Duration,
    /// Longest time without progress within a body
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::STALL_TIMEOUT),
          value_parser = duration::parse_timeout)]
    pub(crate) stall_timeout: Duration,
    /// Time for open connections to finish after Ctrl-C or SIGTERM
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::DRAIN),
          value_parser = duration::parse)]
    pub(crate) drain: Duration,
    /// Time before that in which it still serves, but /readyz says 503: for balancers in front to notice
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::LAME_DUCK),
          value_parser = duration::parse)]
    pub(crate) lame_duck: Duration,
}

impl FlagGroup for ClientTimeouts {
    fn apply(&self, settings: &mut Settings) {
        settings.timeouts.header = self.header_timeout;
        settings.timeouts.keep_alive = self.keep_alive;
        settings.timeouts.stall = self.stall_timeout;
        settings.timeouts.drain = self.drain;
        settings.lame_duck = self.lame_duck;
    }
}

/// What is shown of a role while it runs.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Status page")]
pub(crate) struct Status {
    /// Address of a page that shows what the role does, or off: dashboard, /metrics, /healthz, /readyz, /status.json, and POST to drain back ends [default: off; suite: 127.0.0.1:8891, or the seventh port of the block]
    #[arg(long, value_name = "ADDR")]
    status: Option<StatusAt>,
    /// File with the token that changes need: Authorization: Bearer TOKEN
    #[arg(long, value_name = "PATH")]
    status_token: Option<PathBuf>,
    /// Host name at which changes are accepted, besides IP addresses and localhost; repeatable
    #[arg(long, value_name = "NAME")]
    status_host: Vec<String>,
    /// File for a trace of the whole run, in Chrome's format, which Perfetto opens; each thread keeps its newest phases
    #[arg(long, value_name = "PATH")]
    trace: Option<PathBuf>,
}

impl Status {
    /// What is shown, at `default` unless a flag says otherwise.
    pub(super) fn settings(&self, default: Option<Endpoint>) -> StatusSettings {
        let listen = match &self.status {
            None => default,
            Some(StatusAt::Off) => None,
            Some(StatusAt::Address(endpoint)) => Some(endpoint.clone()),
        };
        StatusSettings {
            listen: listen.into_iter().collect(),
            token: self.status_token.clone(),
            hosts: self.status_host.clone(),
            trace: self.trace.clone(),
        }
    }
}

impl FlagGroup for Status {
    fn apply(&self, settings: &mut Settings) {
        settings.status = self.settings(None);
    }
}

/// The timeouts of connections to back ends, and of relays.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Timeouts of back ends")]
pub(crate) struct BackendTimeouts {
    /// Time for a back end to accept a connection
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::CONNECT_TIMEOUT),
          value_parser = duration::parse_timeout)]
    pub(crate) connect_timeout: Duration,
    /// Time for a back end to send the head of its response; then 504
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::BACKEND_TIMEOUT),
          value_parser = duration::parse_timeout)]
    pub(crate) backend_timeout: Duration,
    /// Time that a relay may be idle: neither side sends
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::RELAY_IDLE_TIMEOUT),
          value_parser = duration::parse_timeout)]
    pub(crate) relay_idle_timeout: Duration,
    /// Time that a half-closed relay may be idle: one side has finished sending, the other sends nothing
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::HALF_CLOSED_TIMEOUT),
          value_parser = duration::parse_timeout)]
    pub(crate) half_closed_timeout: Duration,
}

impl FlagGroup for BackendTimeouts {
    fn apply(&self, settings: &mut Settings) {
        settings.timeouts.connect = self.connect_timeout;
        settings.timeouts.backend = self.backend_timeout;
        settings.timeouts.relay_idle = self.relay_idle_timeout;
        settings.timeouts.half_closed = self.half_closed_timeout;
    }
}

/// How much a back end gets at the same time.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limit of back ends")]
pub(crate) struct Load {
    /// Connections (tcp) or requests (http) that one back end gets at the same time, 0 for no limit; more
    /// wait in a queue for up to --connect-timeout, then get 503, or for tcp are closed
    #[arg(long, value_name = "N", default_value_t = defaults::MAX_PER_BACKEND,
          value_parser = count(0, defaults::MAX_PER_BACKEND_MAX))]
    pub(crate) max_per_backend: usize,
}

/// How the role learns which back ends are up.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Health of back ends")]
pub(crate) struct Health {
    /// Time between two health checks of a back end, or off; 3 failures in a row take it out, 2 successes bring it back; the first check alone decides nothing
    #[arg(long, value_name = "TIME", default_value = duration::text(CHECK_INTERVAL),
          value_parser = duration::parse_interval)]
    pub(crate) health_interval: Interval,
    /// Path that health checks request with HEAD, any status below 500 passes; off: a connection passes [default: / for http, off for tcp]
    #[arg(long, value_name = "PATH")]
    pub(crate) health_path: Option<Probe>,
    /// Failures in a row that clients meet (no connection, no response, no HTTP) and that take a back end out, unless it is the last one up; a passed check outvotes them; 0 for never
    #[arg(long, value_name = "N", default_value_t = PASSIVE_FAILURES as usize,
          value_parser = count(0, PASSIVE_FAILURES_MAX))]
    pub(crate) passive_failures: usize,
    /// Time within which these failures must fall to count together
    #[arg(long, value_name = "TIME", default_value = duration::text(PASSIVE_WINDOW),
          value_parser = duration::parse_timeout)]
    pub(crate) passive_window: Duration,
    /// Time that such a back end stays out if no check brings it back; then one connection tries it
    #[arg(long, value_name = "TIME", default_value = duration::text(PASSIVE_OUT),
          value_parser = duration::parse_timeout)]
    pub(crate) passive_out: Duration,
}

impl Health {
    /// When failures that clients meet take a back end out.
    pub(crate) fn passive(&self) -> Passive {
        Passive {
            // The flag accepts only numbers that fit.
            failures: u32::try_from(self.passive_failures).unwrap_or(u32::MAX),
            window: self.passive_window,
            out: self.passive_out,
        }
    }
}

impl FlagGroup for Health {
    fn apply(&self, settings: &mut Settings) {
        settings.check_interval = self.health_interval;
        settings.check_probe = self.health_path.clone();
    }
}

/// Which back ends a balancer has: the flags that say so, and those that are the same for all.
pub trait BackEndGroup: Args {
    /// What is the same for all.
    fn common(&self) -> &BackEnds;
    /// Where they are; empty if nobody said.
    fn targets(&self) -> Vec<Target>;
}

/// The back ends of the course's balancers: its five web servers, unless others are named.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Back ends")]
pub struct CourseBackEnds {
    // Stands before `backends` on purpose, whose default depends on it.
    #[command(flatten)]
    common: BackEnds,
    /// Use the first N of 127.0.0.1:9001 to 9005; excludes --backend
    #[arg(long, value_name = "N", conflicts_with = "backend",
          default_value = defaults::WEB_SERVERS.len().to_string(),
          default_value_if("backend", ArgPredicate::IsPresent, None),
          value_parser = count(1, defaults::WEB_SERVERS.len()))]
    backends: Option<usize>,
}

impl BackEndGroup for CourseBackEnds {
    fn common(&self) -> &BackEnds {
        &self.common
    }

    fn targets(&self) -> Vec<Target> {
        match self.backends {
            Some(count) => defaults::WEB_SERVERS[..count].iter().copied().map(Target::from).collect(),
            None => self.common.backend.clone(),
        }
    }
}

/// Back ends that are named as words of the command line, or by the flag.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Back ends")]
pub(crate) struct NamedBackEnds {
    /// Address of a back end; the same as --backend
    // The configuration file knows it by this id.
    #[arg(value_name = "BACKEND", conflicts_with = "backend", help_heading = None::<&str>)]
    backend_words: Vec<Target>,
    #[command(flatten)]
    common: BackEnds,
}

impl BackEndGroup for NamedBackEnds {
    fn common(&self) -> &BackEnds {
        &self.common
    }

    fn targets(&self) -> Vec<Target> {
        [&self.backend_words[..], &self.common.backend].concat()
    }
}

/// The back ends of a balancer, and what it does with them.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Back ends")]
pub struct BackEnds {
    /// Address of a back end, such as name:80, http://name:80, or 80 on this machine, each address of a host name being a back end; or a service, srv:_http._tcp.name, whose DNS records name hosts and ports; repeatable
    #[arg(long, value_name = "ADDR")]
    pub(crate) backend: Vec<Target>,
    /// What is balanced: connections (tcp) or requests (http)
    #[arg(long, value_enum, default_value_t = Mode::Tcp)]
    pub(crate) mode: Mode,
    /// Send back ends a PROXY header with the client's address; each connection then serves one client only
    #[arg(long, value_enum, value_name = "VERSION")]
    pub(crate) send_proxy: Option<ProxyVersion>,
}

impl FlagGroup for BackEnds {
    fn apply(&self, settings: &mut Settings) {
        settings.proxies.send = self.send_proxy.map(Into::into);
    }
}

/// The proxies in front of this role.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Proxies in front")]
pub(crate) struct Front {
    /// Address or block, such as 10.0.0.0/8, of proxies whose X-Forwarded fields and PROXY headers are trusted; repeatable
    #[arg(long, value_name = "ADDR")]
    pub(crate) trust: Vec<Cidr>,
    /// Expect a PROXY header (v1 or v2) at the start of every connection; close those of addresses that are not trusted
    #[arg(long)]
    pub(crate) proxy_protocol: bool,
}

impl Front {
    /// Finds combinations of the flags that make no sense.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.proxy_protocol && self.trust.is_empty() {
            let words =
                "--proxy-protocol: no address is trusted to send a header; name the proxies with --trust";
            return Err(Failure::Usage(words.to_owned()));
        }
        Ok(())
    }
}

impl FlagGroup for Front {
    fn apply(&self, settings: &mut Settings) {
        settings.proxies.accept = self.proxy_protocol;
        settings.proxies.trust.clone_from(&self.trust);
    }
}

/// How requests are forwarded.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Forwarding")]
pub(crate) struct Forwarding {
    /// Add no Via field to forwarded requests and responses; nginx back ends then compress their responses again
    #[arg(long)]
    pub(crate) no_via: bool,
    /// Give every request an identifier, X-Request-Id, for its back end, its client and the log; that of a proxy named by --trust is kept
    #[arg(long)]
    pub(crate) request_id: bool,
    /// Set a field of every request, in place of all of its name; {client}, {host}, {path}, {request-id} and {scheme} are filled in; repeatable, like the five flags below
    #[arg(long, value_name = "NAME: VALUE", value_parser = field_rule(Side::Request, Change::Set))]
    pub(crate) set_request: Vec<FieldRule>,
    /// Add a field to every request
    #[arg(long, value_name = "NAME: VALUE", value_parser = field_rule(Side::Request, Change::Add))]
    pub(crate) add_request: Vec<FieldRule>,
    /// Remove a field from every request
    #[arg(long, value_name = "NAME", value_parser = field_rule(Side::Request, Change::Remove))]
    pub(crate) remove_request: Vec<FieldRule>,
    /// Set a field of every response
    #[arg(long, value_name = "NAME: VALUE", value_parser = field_rule(Side::Response, Change::Set))]
    pub(crate) set_response: Vec<FieldRule>,
    /// Add a field to every response
    #[arg(long, value_name = "NAME: VALUE", value_parser = field_rule(Side::Response, Change::Add))]
    pub(crate) add_response: Vec<FieldRule>,
    /// Remove a field from every response
    #[arg(long, value_name = "NAME", value_parser = field_rule(Side::Response, Change::Remove))]
    pub(crate) remove_response: Vec<FieldRule>,
}

impl Forwarding {
    /// The rules for the fields of all requests and responses.
    ///
    /// Errors: two that cannot both be obeyed.
    pub(crate) fn rules(&self) -> Result<Vec<FieldRule>, Failure> {
        let own = [
            &self.set_request,
            &self.add_request,
            &self.remove_request,
            &self.set_response,
            &self.add_response,
            &self.remove_response,
        ];
        let own: Vec<FieldRule> = own.into_iter().flatten().cloned().collect();
        let with_id = match self.request_id {
            true => FieldRule::of_request_id().into_iter().chain(own).collect(),
            false => own,
        };
        for side in [Side::Request, Side::Response] {
            FieldRules::new(side, &[], &with_id).map_err(|error| Failure::Usage(format!("--{error}")))?;
        }
        Ok(with_id)
    }
}

fn field_rule(
    side: Side,
    change: Change,
) -> impl Fn(&str) -> Result<FieldRule, String> + Clone + Send + Sync {
    move |text| FieldRule::parse(side, change, text)
}

/// Which hosts and paths go where.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Routes")]
pub(crate) struct Routing {
    // Stands before `default` on purpose: clap fills in default values in this order, and `default`
    // would count as given once it has its own.
    /// Send requests for a host, or *.DOMAIN, and for paths that start with PREFIX to these back ends in turn; or WHERE is `301 to URL`, or a response such as `404 Not here.`; options: strip, replace /PATH, set-request 'NAME: VALUE' and the like, policy NAME, max-per-backend N; repeatable; no routes if only --default is given
    #[arg(long, value_name = "[HOST][/PREFIX]=WHERE[; OPTION]", default_values_t = course_routes(),
          default_value_if("default", ArgPredicate::IsPresent, None))]
    pub(crate) route: Vec<RouteSpec>,
    /// Send all other requests to these back ends in turn
    #[arg(long, value_name = "ADDR[,ADDR]", value_delimiter = ',',
          default_values_t = [Target::from(defaults::DEFAULT_SERVER)])]
    pub(crate) default: Vec<Target>,
}

/// The course's routes: images and PDF files have their own servers.
fn course_routes() -> Vec<RouteSpec> {
    let route = |prefix: &str, address| {
        let pattern = prefix.parse().ok()?;
        Some(RouteSpec::new(pattern, Destination::BackEnds(vec![Target::from(address)])))
    };
    let routes = [route("/images/", defaults::IMAGE_SERVER), route("/pdf/", defaults::PDF_SERVER)];
    // Both are patterns, as a test shows.
    routes.into_iter().flatten().collect()
}

/// What is logged, in which form, and where.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Log")]
pub(crate) struct Logging {
    /// Level of the log: this one and those before it are logged; health checks that change nothing only at debug
    #[arg(long, value_name = "LEVEL", default_value = defaults::LOG_LEVEL, value_parser = levels())]
    pub(crate) log: LevelFilter,
    /// Form of the lines: for people; the course's lines and (below debug) nothing else but errors; JSON; or Apache's combined, a line for each request, with messages on standard error
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub(crate) log_format: Format,
    /// File to append the log to; SIGUSR1 reopens it [default: standard error]
    #[arg(long, value_name = "PATH")]
    pub(crate) log_file: Option<PathBuf>,
}

/// The configuration file, and its validation.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct Configuration {
    /// TOML file with the long flags as keys; the command line overrides it; SIGHUP reloads all of it or, on an error, nothing
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Validate, print the effective settings as such a file, and exit
    #[arg(long)]
    pub(crate) check: bool,
}
