//! STUB, to be replaced by the drivers' own: the seam between a prepared role and its driver.
//!
//! Contract: listeners are bound before, so that an error of binding is the caller's and port 0 works.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use crate::balance::Group;
use crate::forward::Rules;
use crate::net::shutdown::Shutdown;
use crate::route::Routes;
use crate::settings::{Model, Settings};
use crate::site::Site;

/// What a role does with its connections.
#[derive(Clone, Debug)]
pub enum Service {
    /// Answer from a site.
    Web(Arc<Site>),
    /// Forward requests.
    Gateway(Arc<Routes>, Arc<Rules>),
    /// Relay bytes.
    Relay(Arc<Group>),
}

/// Serves until `shutdown`, then drains; returns when the last connection is gone or the drain deadline passed.
pub fn serve(
    model: Model,
    name: &'static str,
    listeners: Vec<TcpListener>,
    service: Service,
    settings: &Settings,
    shutdown: &Shutdown,
) -> io::Result<()> {
    log::debug!("{name} ({model}): {} listeners, {service:?}, {settings:?}", listeners.len());
    shutdown.wait();
    Ok(())
}
