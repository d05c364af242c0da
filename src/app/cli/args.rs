//! The arguments of each role: which groups of flags it has.
//!
//! Contract: a role has only flags that have an effect on it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::balancing::Balancing;
use super::discovery::Discovery;
use super::flags::{
    BackEndGroup, BackendTimeouts, ClientTimeouts, Concurrency, Configuration, CourseBackEnds, FlagGroup,
    Forwarding, Front, Health, Listening, Load, Logging, Loops, Pool, Routing, Status,
};
use super::guard_flags::{BodyFlags, GuardFlags, HeadFlags};
use super::site::{CourseSite, SiteGroup};
use super::tls_flags::{BackendTlsFlags, TlsFlags};
use super::values::{Cache, count, port_base};
use crate::app::defaults;
use crate::app::duration;
use crate::app::settings::{Model, Settings};
use crate::net::endpoint::Endpoint;
use crate::protocol::limits;

/// The arguments of a static server: of the course's four, or of `giliran serve`.
#[derive(Args, Clone, Debug)]
pub struct Server<S: SiteGroup = CourseSite> {
    /// Where it listens.
    #[command(flatten)]
    pub(crate) listening: Listening,
    /// The concurrency model.
    #[command(flatten)]
    pub(crate) driver: Driver,
    /// What it serves.
    #[command(flatten)]
    pub(crate) site: S,
    /// TLS towards clients.
    #[command(flatten)]
    pub(crate) tls: TlsFlags,
    /// Proxies in front.
    #[command(flatten)]
    pub(crate) front: Front,
    /// Who may ask, how often, and with which password.
    #[command(flatten)]
    pub(crate) guards: GuardFlags,
    /// How long heads may be.
    #[command(flatten)]
    pub(crate) heads: HeadFlags,
    /// Timeouts and the drain.
    #[command(flatten)]
    pub(crate) client_timeouts: ClientTimeouts,
    /// The status page.
    #[command(flatten)]
    pub(crate) status: Status,
    /// The log. Read by the invocation; it stands here for `--help`.
    #[command(flatten)]
    pub(crate) logging: Logging,
    /// The configuration file. Read by the invocation; it stands here for `--help`.
    #[command(flatten)]
    pub(crate) configuration: Configuration,
}

impl<S: SiteGroup> Server<S> {
    /// The settings that these arguments give.
    pub(crate) fn settings(&self) -> Settings {
        settings(&[
            &self.listening,
            &self.driver,
            &self.front,
            &self.heads,
            &self.client_timeouts,
            &self.status,
        ])
    }
}

/// The arguments of `reverse-proxy`.
#[derive(Args, Clone, Debug)]
pub struct Proxy {
    /// Where it listens.
    #[command(flatten)]
    pub(crate) listening: Listening,
    /// The concurrency model.
    #[command(flatten)]
    pub(crate) driver: Driver,
    /// Where requests go.
    #[command(flatten)]
    pub(crate) routing: Routing,
    /// How requests are forwarded.
    #[command(flatten)]
    pub(crate) forwarding: Forwarding,
    /// Pass responses of the course's Python, and of servers with --mirror, on byte for byte
    #[arg(long, help_heading = "Forwarding")]
    pub(crate) mirror: bool,
    /// TLS towards clients.
    #[command(flatten)]
    pub(crate) tls: TlsFlags,
    /// Proxies in front.
    #[command(flatten)]
    pub(crate) front: Front,
    /// Who may ask, how often, and with which password.
    #[command(flatten)]
    pub(crate) guards: GuardFlags,
    /// How long heads may be.
    #[command(flatten)]
    pub(crate) heads: HeadFlags,
    /// How long bodies may be.
    #[command(flatten)]
    pub(crate) bodies: BodyFlags,
    /// Timeouts of clients, and the drain.
    #[command(flatten)]
    pub(crate) client_timeouts: ClientTimeouts,
    /// Timeouts of back ends.
    #[command(flatten)]
    pub(crate) backend_timeouts: BackendTimeouts,
    /// TLS towards back ends.
    #[command(flatten)]
    pub(crate) backend_tls: BackendTlsFlags,
    /// How a back end is chosen.
    #[command(flatten)]
    pub(crate) balancing: Balancing,
    /// How much a back end gets at the same time.
    #[command(flatten)]
    pub(crate) load: Load,
    /// Health checks of back ends.
    #[command(flatten)]
    pub(crate) health: Health,
    /// How the names of back ends are looked up.
    #[command(flatten)]
    pub(crate) discovery: Discovery,
    /// The status page.
    #[command(flatten)]
    pub(crate) status: Status,
    /// The log. Read by the invocation; it stands here for `--help`.
    #[command(flatten)]
    pub(crate) logging: Logging,
    /// The configuration file. Read by the invocation; it stands here for `--help`.
    #[command(flatten)]
    pub(crate) configuration: Configuration,
}

impl Proxy {
    /// The settings that these arguments give.
    pub(crate) fn settings(&self) -> Settings {
        settings(&[
            &self.listening,
            &self.driver,
            &self.front,
            &self.heads,
            &self.client_timeouts,
            &self.backend_timeouts,
            &self.health,
            &self.discovery,
            &self.status,
        ])
    }
}

/// The arguments of a balancer, which has the flags of one model only: [`Pool`] for `lb-threaded`, [`Loops`]
/// for `lb-async`; `giliran balance` has both, and a choice ([`Driver`]).
#[derive(Args, Clone, Debug)]
pub struct Balancer<T: Concurrency, B: BackEndGroup = CourseBackEnds> {
    /// Where it listens.
    #[command(flatten)]
    pub(crate) listening: Listening,
    /// The flags of its model.
    #[command(flatten)]
    pub(crate) concurrency: T,
    /// Where connections or requests go.
    #[command(flatten)]
    pub(crate) back_ends: B,
    /// How requests are forwarded, with `--mode http`.
    #[command(flatten)]
    pub(crate) forwarding: Forwarding,
    /// TLS towards clients.
    #[command(flatten)]
    pub(crate) tls: TlsFlags,
    /// Proxies in front.
    #[command(flatten)]
    pub(crate) front: Front,
    /// Who may ask, how often, and with which password.
    #[command(flatten)]
    pub(crate) guards: GuardFlags,
    /// How long heads may be.
    #[command(flatten)]
    pub(crate) heads: HeadFlags,
    /// How long bodies may be.
    #[command(flatten)]
    pub(crate) bodies: BodyFlags,
    /// Timeouts of clients, and the drain.
    #[command(flatten)]
    pub(crate) client_timeouts: ClientTimeouts,
    /// Timeouts of back ends.
    #[command(flatten)]
    pub(crate) backend_timeouts: BackendTimeouts,
    /// TLS towards back ends.
    #[command(flatten)]
    pub(crate) backend_tls: BackendTlsFlags,
    /// How a back end is chosen.
    #[command(flatten)]
    pub(crate) balancing: Balancing,
    /// How much a back end gets at the same time.
    #[command(flatten)]
    pub(crate) load: Load,
    /// Health checks of back ends.
    #[command(flatten)]
    pub(crate) health: Health,
    /// How the names of back ends are looked up.
    #[command(flatten)]
    pub(crate) discovery: Discovery,
    /// The status page.
    #[command(flatten)]
    pub(crate) status: Status,
    /// The log. Read by the invocation; it stands here for `--help`.
    #[command(flatten)]
    pub(crate) logging: Logging,
    /// The configuration file. Read by the invocation; it stands here for `--help`.
    #[command(flatten)]
    pub(crate) configuration: Configuration,
}

impl<T: Concurrency, B: BackEndGroup> Balancer<T, B> {
    /// The settings that these arguments give.
    pub(crate) fn settings(&self) -> Settings {
        settings(&[
            &self.listening,
            &self.concurrency,
            self.back_ends.common(),
            &self.front,
            &self.heads,
            &self.client_timeouts,
            &self.backend_timeouts,
            &self.health,
            &self.discovery,
            &self.status,
        ])
    }
}

/// The arguments of `suite`.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Suite")]
pub struct Suite {
    /// First port of the block that the roles listen on, 0 for free ports [default: the course's ports]
    #[arg(long, value_name = "N", value_parser = port_base)]
    pub(crate) port_base: Option<u16>,
    /// Concurrency model of the web servers and the reverse proxy
    #[arg(long, value_enum, default_value_t = Model::Threaded)]
    pub(crate) model: Model,
    /// Worker threads of each pool
    #[arg(long, value_name = "N", default_value_t = defaults::SUITE_WORKERS,
          value_parser = count(1, defaults::WORKERS_MAX))]
    pub(crate) workers: usize,
    /// Do not park connections that wait for their peer: each keeps its worker (shows starvation)
    #[arg(long)]
    pub(crate) no_park: bool,
    /// Web servers to start behind the balancers
    #[arg(long, value_name = "N", default_value_t = defaults::WEB_SERVERS.len(),
          value_parser = count(1, defaults::WEB_SERVERS.len()))]
    pub(crate) backends: usize,
    /// Folder of the site
    #[arg(long, value_name = "DIR", default_value = defaults::ROOT)]
    pub(crate) root: Option<PathBuf>,
    /// Keep files for a second before they are looked at again
    #[arg(long, value_enum, default_value_t = Cache::On)]
    pub(crate) cache: Cache,
    /// Answer byte for byte as the course's Python does, also through the reverse proxy
    #[arg(long)]
    pub(crate) mirror: bool,
    /// Speak TLS at the reverse proxy and the balancers, with a certificate made at start, for trying: no client trusts it by itself
    #[arg(long)]
    pub(crate) tls: bool,
    /// File to write that certificate to (not its key), for a client that is to trust it: curl --cacert FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_self_signed_to: Option<PathBuf>,
    /// Time for open connections to finish after Ctrl-C or SIGTERM
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::DRAIN),
          value_parser = duration::parse)]
    pub(crate) drain: Duration,
    /// Time before that in which all serve, but /readyz says 503
    #[arg(long, value_name = "TIME", default_value = duration::text(limits::LAME_DUCK),
          value_parser = duration::parse)]
    pub(crate) lame_duck: Duration,
    /// The status page.
    #[command(flatten)]
    pub(crate) status: Status,
    /// The log. Read by the invocation; it stands here for `--help`.
    #[command(flatten)]
    pub(crate) logging: Logging,
    /// The configuration file. Read by the invocation; it stands here for `--help`.
    #[command(flatten)]
    pub(crate) configuration: Configuration,
}

impl Suite {
    /// True if its sites keep files.
    pub(crate) fn caches(&self) -> bool {
        self.cache == Cache::On
    }

    /// The settings that these arguments give to all roles of the suite.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings {
            workers: self.workers,
            park: !self.no_park,
            // One loop a role: up to eleven roles share the machine, and the course's balancer had one.
            loops: 1,
            connections_max: defaults::SUITE_CONNECTIONS_MAX,
            ..Settings::default()
        };
        settings.timeouts.drain = self.drain;
        settings.lame_duck = self.lame_duck;
        settings.status = self.status.settings(Some(self.status_address()));
        settings
    }

    /// Where the status page is by default: beside the course's servers, in the block, or on any free port.
    fn status_address(&self) -> Endpoint {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into();
        match self.port_base {
            None => defaults::STATUS.into(),
            Some(0) => local(0),
            // The flag accepts only a base that leaves room for the largest offset.
            Some(base) => local(base.saturating_add(defaults::SUITE_STATUS_OFFSET)),
        }
    }
}

/// The choice of a concurrency model, and the flags of both.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Model")]
pub(crate) struct Driver {
    /// Concurrency model
    #[arg(long, value_enum, default_value_t = Model::Threaded)]
    pub(crate) model: Model,
    /// The threaded model's flags.
    #[command(flatten)]
    pub(crate) pool: Pool,
    /// The asynchronous model's flags.
    #[command(flatten)]
    pub(crate) loops: Loops,
}

impl FlagGroup for Driver {
    fn apply(&self, settings: &mut Settings) {
        self.pool.apply(settings);
        self.loops.apply(settings);
    }
}

impl Concurrency for Driver {
    fn model(&self) -> Model {
        self.model
    }
}

fn settings(groups: &[&dyn FlagGroup]) -> Settings {
    let mut settings = Settings::default();
    for group in groups {
        group.apply(&mut settings);
    }
    settings
}
