//! What a role does with its client connections, whichever driver serves them.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use crate::balance::Group;
use crate::checks::Checker;
use crate::defaults::CHECK_PATH;
use crate::exchange::Gateway;
use crate::health::Probe;
use crate::net::shutdown::Shutdown;
use crate::settings::{Model, Settings};
use crate::site::Site;
use crate::{poll_loop, threaded};

/// One of the three services.
#[derive(Clone, Debug)]
pub enum Service {
    /// Answers from a site.
    Web(Arc<Site>),
    /// Forwards HTTP requests to back ends: the reverse proxy, and a balancer of requests.
    Gateway(Arc<Gateway>),
    /// Joins each connection to a back end: a balancer of bytes.
    Relay(Arc<Group>),
}

impl Service {
    /// Every group of back ends behind it.
    fn groups(&self) -> Vec<Arc<Group>> {
        match self {
            Service::Web(_) => Vec::new(),
            Service::Gateway(gateway) => gateway.routes.groups().into_iter().cloned().collect(),
            Service::Relay(group) => vec![Arc::clone(group)],
        }
    }

    /// What its back ends are asked for unless the settings know better: what clients will want of them.
    fn probe(&self) -> Probe {
        match self {
            Service::Gateway(_) => Probe::Head(CHECK_PATH.to_owned()),
            Service::Web(_) | Service::Relay(_) => Probe::Connect,
        }
    }
}

/// Serves the listeners until `shutdown`, then drains: returns when the last connection is gone or
/// the drain's time is over.
///
/// Its back ends are checked for as long, by one more thread, whichever driver serves.
///
/// Errors: threads or pollers that cannot be made; nothing that a client or a back end does.
pub fn serve(
    model: Model,
    role: &'static str,
    listeners: Vec<TcpListener>,
    service: Service,
    settings: &Settings,
    shutdown: &Shutdown,
) -> io::Result<()> {
    // To the end of the drain: what is still in flight may need a back end that works.
    let probe = settings.check_probe.clone().unwrap_or_else(|| service.probe());
    let _checker = Checker::start(service.groups(), settings.check_interval, probe)?;
    match model {
        Model::Threaded => threaded::serve(role, listeners, service, settings, shutdown),
        Model::Async => poll_loop::serve(role, listeners, service, settings, shutdown),
    }
}
