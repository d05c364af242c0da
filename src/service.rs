//! What a role does with its client connections, whichever driver serves them.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use crate::balance::Group;
use crate::exchange::Gateway;
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

/// Serves the listeners until `shutdown`, then drains: returns when the last connection is gone or
/// the drain's time is over.
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
    match model {
        Model::Threaded => threaded::serve(role, listeners, service, settings, shutdown),
        Model::Async => poll_loop::serve(role, listeners, service, settings, shutdown),
    }
}
