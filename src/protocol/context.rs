//! What all connections of one role share, whichever machine serves them.

use std::any::Any;
use std::sync::Arc;

use super::event::Observer;
use super::limits::KEEP_ALIVE_REQUESTS;
use super::proxy_header::Policy;
use super::timeouts::Timeouts;

/// The settings of a role that its machines obey. A connection keeps the one it was accepted with,
/// whatever a reload changes for the next ones.
#[derive(Clone, Debug)]
pub struct RoleContext {
    /// The role, as the log names it.
    pub role: &'static str,
    /// How long each phase may take.
    pub timeouts: Timeouts,
    /// Requests that one client connection may carry.
    pub keep_alive_requests: u32,
    /// From whom PROXY headers are taken, and whether back ends get one.
    pub proxies: Policy,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
    /// Threads that keep the back ends known (checks, name look-ups): they end with the last
    /// connection that may still need a back end.
    pub upkeep: Option<Arc<dyn Any + Send + Sync>>,
}

impl RoleContext {
    /// The context of a role with default time limits, no PROXY headers and nothing to keep up.
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
