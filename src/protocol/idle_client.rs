//! What is remembered of a client between two requests.
//!
//! Contract: a machine between two requests can be dropped and made again from this, and nobody can tell the
//! difference. A machine takes ten times the memory, so who holds thousands of idle clients holds them like this.

use std::sync::Arc;
use std::time::Instant;

use super::proxy_header::ClientIdentity;

/// A client with nothing in flight.
#[derive(Debug)]
pub(crate) struct IdleClient<V> {
    /// What it is served with; it may have been replaced for later clients.
    pub(crate) service: Arc<V>,
    pub(crate) client: ClientIdentity,
    /// When the wait for its next request began.
    pub(crate) waiting_since: Instant,
    /// Request heads read so far.
    pub(crate) requests: u32,
}

/// For a machine that always has something to remember: there is no such value.
#[derive(Debug)]
pub(crate) enum NeverIdle {}
