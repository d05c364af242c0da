//! The settings that both drivers obey: timeouts, limits, trusted proxies, checks of back ends.
//!
//! Contract: [`Settings::default`] is what the flags give when none is on the command line; a test holds them together.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::app::defaults;
use crate::balance::health::Probe;
use crate::balance::limits::CHECK_INTERVAL;
use crate::net::dns::Pace;
use crate::net::endpoint::Endpoint;
use crate::observe::role_view::RoleView;
use crate::protocol::guard::Guards;
use crate::protocol::http::head::HeadLimits;
use crate::protocol::proxy_header::Policy;
use crate::protocol::timeouts::Timeouts;
use crate::{poll_loop, threaded};

/// The concurrency model, which is the choice of a driver.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Model {
    /// A fixed pool of threads, blocking calls
    Threaded,
    /// Poll loops over nonblocking sockets
    Async,
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Model::Threaded => "threaded",
            Model::Async => "async",
        })
    }
}

/// The settings both drivers obey.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Connections that may wait in the kernel until they are accepted.
    pub backlog: u32,
    /// Threaded: worker threads of the pool.
    pub workers: usize,
    /// Threaded: accepted connections that may wait for a worker.
    pub queue: usize,
    /// Threaded: how long that queue may be full before clients are refused.
    pub queue_wait: Duration,
    /// Threaded: park connections that wait for their peer; if false, each of them keeps its worker.
    pub park: bool,
    /// Async: poll loops, each on a thread of its own.
    pub loops: usize,
    /// Client connections that may be open at the same time; more wait in the kernel's backlog.
    pub connections_max: usize,
    /// The timeouts.
    pub timeouts: Timeouts,
    /// Time between being told to stop and the drain, in which it is not ready but serves.
    pub lame_duck: Duration,
    /// The status page and the trace.
    pub status: StatusSettings,
    /// Where the role shows what it does; `None` if nobody looks.
    pub(crate) view: Option<Arc<RoleView>>,
    /// How long a request head may be.
    pub head_limits: HeadLimits,
    /// Which requests are refused before anybody answers them.
    pub guards: Guards,
    /// Which proxies in front are trusted, and whether back ends get a PROXY header.
    pub proxies: Policy,
    /// Time between two health checks of a back end; `None` for no checks.
    pub check_interval: Option<Duration>,
    /// What a health check does; `None` for what suits the service.
    pub check_probe: Option<Probe>,
    /// How often the back ends' names are looked up; `None` for once at the start.
    pub(crate) look_ups: Option<Pace>,
}

/// What is shown of a role, and to whom.
#[derive(Clone, Debug, Default)]
pub struct StatusSettings {
    /// Where the status page is; empty for none.
    pub(crate) listen: Vec<Endpoint>,
    /// The file that holds the token for changes.
    pub(crate) token: Option<PathBuf>,
    /// Names at which changes are accepted, besides addresses and `localhost`.
    pub(crate) hosts: Vec<String>,
    /// The file that the trace of the whole run is written to.
    pub(crate) trace: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            backlog: defaults::BACKLOG,
            workers: defaults::WORKERS,
            queue: defaults::QUEUE,
            queue_wait: defaults::QUEUE_WAIT,
            park: true,
            loops: std::thread::available_parallelism().map_or(1, usize::from),
            connections_max: defaults::CONNECTIONS_MAX,
            timeouts: Timeouts::default(),
            lame_duck: Duration::ZERO,
            status: StatusSettings::default(),
            view: None,
            head_limits: HeadLimits::default(),
            guards: Guards::default(),
            proxies: Policy::default(),
            check_interval: Some(CHECK_INTERVAL),
            check_probe: None,
            look_ups: Some(Pace {
                interval: defaults::RESOLVE_INTERVAL,
                least: defaults::RESOLVE_MIN,
                most: defaults::RESOLVE_MAX,
            }),
        }
    }
}

impl Settings {
    /// The settings of the threaded driver.
    pub(crate) fn threaded(&self) -> threaded::PoolSettings {
        threaded::PoolSettings {
            workers: self.workers,
            queue: self.queue,
            queue_wait: self.queue_wait,
            park: self.park,
            connections_max: self.connections_max,
            drain: self.timeouts.drain,
            view: self.view.clone(),
        }
    }

    /// The settings of the async driver.
    pub(crate) fn poll_loop(&self) -> poll_loop::LoopSettings {
        poll_loop::LoopSettings {
            loops: self.loops,
            connections_max: self.connections_max,
            drain: self.timeouts.drain,
            view: self.view.clone(),
        }
    }
}
