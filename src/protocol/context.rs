//! What all connections of one role share, whichever machine serves them.

use std::any::Any;
use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig};

use super::event::Observer;
use super::guard::Guards;
use super::http::head::HeadLimits;
use super::limits::KEEP_ALIVE_REQUESTS;
use super::proxy_header::Policy;
use super::timeouts::Timeouts;
use crate::balance::Backend;

/// The settings of a role that its machines use. A connection keeps the context with which it was
/// accepted; a reload makes a new one for later connections.
#[derive(Clone, Debug)]
pub struct RoleContext {
    /// The role, as the log names it.
    pub role: &'static str,
    /// How long each phase may take.
    pub timeouts: Timeouts,
    /// How many requests one client connection may carry.
    pub keep_alive_requests: u32,
    /// How long a request head may be.
    pub head_limits: HeadLimits,
    /// Which requests are refused before anybody answers them; `None` if none are.
    pub guards: Option<Arc<Guards>>,
    /// From which peers PROXY headers are accepted, and whether back ends get one.
    pub proxies: Policy,
    /// How connections of clients are encrypted, if they are.
    pub tls: Option<FrontTls>,
    /// How connections to back ends are, to those that are `https://`.
    pub backend_tls: Option<Arc<ClientConfig>>,
    /// Who is told of events: the access log, counters.
    pub observer: Arc<dyn Observer>,
    /// The threads that keep the list of back ends up to date (health checks, name look-ups). They stop
    /// when the last context that holds them is dropped, so not before the last connection that may still
    /// need a back end.
    pub upkeep: Option<Arc<dyn Any + Send + Sync>>,
}

impl RoleContext {
    /// How connections to this back end are encrypted, if they are.
    pub(crate) fn tls_to(&self, backend: &Backend) -> Option<BackendTls> {
        let (config, host) = (self.backend_tls.as_ref()?, backend.secure_host()?);
        Some(BackendTls { config: Arc::clone(config), host: Arc::clone(host) })
    }

    /// The context of a role with default time limits, no PROXY headers and no upkeep threads.
    pub fn new(role: &'static str, observer: Arc<dyn Observer>) -> RoleContext {
        RoleContext {
            role,
            timeouts: Timeouts::default(),
            keep_alive_requests: KEEP_ALIVE_REQUESTS,
            head_limits: HeadLimits::default(),
            guards: None,
            proxies: Policy::default(),
            tls: None,
            backend_tls: None,
            observer,
            upkeep: None,
        }
    }
}

/// TLS towards clients.
#[derive(Clone, Debug)]
pub struct FrontTls {
    /// What is spoken, and with which certificates.
    pub config: Arc<ServerConfig>,
    /// At addresses without TLS, requests are sent on to `https://` on this port; `None`: they are served.
    pub redirect_to: Option<u16>,
}

/// TLS towards one back end.
#[derive(Clone, Debug)]
pub struct BackendTls {
    /// What is spoken, and which certificates are believed.
    pub(crate) config: Arc<ClientConfig>,
    /// The name or address that its certificate must be for.
    pub(crate) host: Arc<str>,
}
