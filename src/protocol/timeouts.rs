//! How long each phase of a connection may take.

use std::time::Duration;

use super::limits;

/// The time limits; the constant of each default explains it.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// A whole request head: [`limits::HEADER_TIMEOUT`].
    pub(crate) header: Duration,
    /// Silence between two requests: [`limits::KEEP_ALIVE`].
    pub(crate) keep_alive: Duration,
    /// Silence within a body: [`limits::STALL_TIMEOUT`].
    pub(crate) stall: Duration,
    /// Until a back end accepts a connection: [`limits::CONNECT_TIMEOUT`].
    pub(crate) connect: Duration,
    /// Until the response head of a back end is complete: [`limits::BACKEND_TIMEOUT`].
    pub(crate) backend: Duration,
    /// Silence on a relay: [`limits::RELAY_IDLE_TIMEOUT`].
    pub(crate) relay_idle: Duration,
    /// Silence on a half-closed relay: [`limits::HALF_CLOSED_TIMEOUT`].
    pub(crate) half_closed: Duration,
    /// From the signal to stop until the program ends: [`limits::DRAIN`].
    pub(crate) drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            header: limits::HEADER_TIMEOUT,
            keep_alive: limits::KEEP_ALIVE,
            stall: limits::STALL_TIMEOUT,
            connect: limits::CONNECT_TIMEOUT,
            backend: limits::BACKEND_TIMEOUT,
            relay_idle: limits::RELAY_IDLE_TIMEOUT,
            half_closed: limits::HALF_CLOSED_TIMEOUT,
            drain: limits::DRAIN,
        }
    }
}
