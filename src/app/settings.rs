//! What a role is told: its deadlines and its bounds. Filled from flags, defaulted from [`defaults`].

use std::fmt;
use std::time::Duration;

use crate::balance::health::Probe;
use crate::protocol::proxy_header::Policy;
use crate::protocol::timeouts::Timeouts;
use crate::{poll_loop, threaded};

/// Which driver serves: blocking threads, or loops over readiness.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Model {
    /// A fixed pool of threads, blocking calls.
    Threaded,
    /// Poll loops over nonblocking sockets.
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
    /// Connections the kernel may hold for us before `accept`.
    pub backlog: u32,
    /// Threaded: threads of the pool.
    pub workers: usize,
    /// Threaded: accepted sockets that may wait for a worker.
    pub queue: usize,
    /// Threaded: park connections that wait for their peer; off, each of them owns a worker.
    pub park: bool,
    /// Async: poll loops, each with its own thread.
    pub loops: usize,
    /// Open client connections; further ones wait in the kernel's backlog.
    pub connections_max: usize,
    /// The deadlines.
    pub timeouts: Timeouts,
    /// Who is believed about clients, and who is told of them.
    pub proxies: Policy,
    /// From one check of a back end to the next; `None` for no checks.
    pub check_interval: Option<Duration>,
    /// What back ends are asked for; `None` for what suits the service.
    pub check_probe: Option<Probe>,
    /// From one look-up of the back ends' names to the next; `None` for the one at start only.
    pub resolve_interval: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            backlog: crate::app::defaults::BACKLOG,
            workers: crate::app::defaults::WORKERS,
            queue: crate::app::defaults::QUEUE,
            park: true,
            loops: std::thread::available_parallelism().map_or(1, usize::from),
            connections_max: crate::app::defaults::CONNECTIONS_MAX,
            timeouts: Timeouts::default(),
            proxies: Policy::default(),
            check_interval: Some(crate::balance::limits::CHECK_INTERVAL),
            check_probe: None,
            resolve_interval: Some(crate::app::defaults::RESOLVE_INTERVAL),
        }
    }
}

impl Settings {
    /// What the threaded driver is told.
    pub fn threaded(&self) -> threaded::Settings {
        threaded::Settings {
            workers: self.workers,
            queue: self.queue,
            park: self.park,
            connections_max: self.connections_max,
            drain: self.timeouts.drain,
        }
    }

    /// What the async driver is told.
    pub fn poll_loop(&self) -> poll_loop::Settings {
        poll_loop::Settings {
            loops: self.loops,
            connections_max: self.connections_max,
            drain: self.timeouts.drain,
        }
    }
}
