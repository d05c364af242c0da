//! What a role does with its client connections, whichever driver serves them.
//!
//! Contract: a connection is served to its end with the [`Offer`] that stood when it was accepted; a
//! reload changes what the next ones get, and nothing else.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use crate::app::settings::{Model, Settings};
use crate::balance::Group;
use crate::balance::health::Probe;
use crate::balance::limits::CHECK_PATH;
use crate::net::checker::Checker;
use crate::net::dns::{Lookups, Names};
use crate::net::reloadable::Live;
use crate::net::shutdown::Shutdown;
use crate::protocol::exchange::Gateway;
use crate::protocol::proxy_header::Policy;
use crate::protocol::timeouts::Timeouts;
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

/// A service as new connections get it.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The role, as the log calls it.
    pub role: &'static str,
    /// What is served.
    pub service: Service,
    /// How patiently.
    pub timeouts: Arc<Timeouts>,
    /// Who is believed about clients, and who is told of them.
    pub proxies: Arc<Policy>,
    /// What keeps the service's back ends known.
    pub upkeep: Arc<Upkeep>,
}

/// The threads that check back ends and look their names up: whoever uses a service holds on to
/// them, and they end with the last one.
#[derive(Debug)]
pub struct Upkeep {
    _checker: Option<Checker>,
    _lookups: Option<Lookups>,
}

impl Offer {
    /// Starts the upkeep of a service whose groups came from these names.
    ///
    /// Errors: threads or pollers that cannot be made.
    pub fn start(
        role: &'static str,
        service: Service,
        settings: &Settings,
        names: Vec<Names>,
    ) -> io::Result<Offer> {
        let probe = settings.check_probe.clone().unwrap_or_else(|| service.probe());
        let upkeep = Upkeep {
            _checker: Checker::start(
                service.groups(),
                settings.check_interval,
                probe,
                settings.proxies.send,
            )?,
            _lookups: Lookups::start(names, settings.resolve_interval)?,
        };
        Ok(Offer {
            role,
            service,
            timeouts: Arc::new(settings.timeouts),
            proxies: Arc::new(settings.proxies.clone()),
            upkeep: Arc::new(upkeep),
        })
    }
}

/// Serves the listeners until `shutdown`, then drains: returns when the last connection is gone or
/// the drain's time is over.
///
/// Errors: threads or pollers that cannot be made; nothing that a client or a back end does.
pub fn serve(
    model: Model,
    listeners: Vec<TcpListener>,
    offers: &Live<Offer>,
    settings: &Settings,
    shutdown: &Shutdown,
) -> io::Result<()> {
    match model {
        Model::Threaded => threaded::serve(listeners, offers, settings, shutdown),
        Model::Async => poll_loop::serve(listeners, offers, settings, shutdown),
    }
}
