//! What all connections of one role share, whichever machine serves them.

use std::any::Any;
use std::sync::Arc;

use super::event::Observer;
use super::limits::KEEP_ALIVE_REQUESTS;
use super::proxy_header::Policy;
use super::timeouts::Timeouts;

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
    /// From which peers PROXY headers are accepted, and whether back ends get one.
    pub proxies: Policy,
    /// Who is told of events: the access log, counters.
    pub observer: Arc<dyn Observer>,
    /// The threads that keep the list of back ends up to date (health checks, name look-ups). They stop
    /// when the last context that holds them is dropped, so not before the last connection that may still
    /// need a back end.
    pub upkeep: Option<Arc<dyn Any + Send + Sync>>,
}

impl RoleContext {
    /// The context of a role with default time limits, no PROXY headers and no upkeep threads.
    pub fn new(role: &'static str, observer: Arc<dyn Observer>) -> RoleContext {
        RoleContext {
            role,
            timeouts: Timeouts::default(),
            keep_alive_requests: KEEP_ALIVE_REQUESTS,
            proxies: Policy::default(),
            observer,
            upkeep: None,
        }
    }
}
