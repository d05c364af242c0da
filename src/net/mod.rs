//! The edges: sockets, the clock, signals and the limits of the process.
//!
//! Everything here is called by the drivers and the binaries and never by the core.

pub mod accept;
pub mod checker;
pub mod clock;
pub mod connect;
pub mod dns;
pub mod endpoint;
pub mod io;
pub mod limits;
pub mod listen;
pub mod own;
pub mod permits;
pub mod pipe;
pub(crate) mod poller;
pub mod shutdown;
pub mod signals;
pub mod threads;
pub mod timers;
