//! TCP keep-alive: the kernel asks a silent peer for a sign of life.
//!
//! Contract: listeners have it from their start, and accepted sockets inherit it, so that it costs no system call for
//! each client. A connection to a back end gets it when a relay has been silent for a while; where requests are
//! forwarded, each wait has a time limit of its own.

use std::io;

use socket2::{Socket, TcpKeepalive};

use super::limits::{KEEP_ALIVE_AFTER, KEEP_ALIVE_INTERVAL};

/// Makes the kernel ask for signs of life on this socket, and on those that it accepts. Without it a relay
/// between two silent peers is forgotten by the routers between, and one whose peer is gone stays open up to its
/// idle timeout.
pub(crate) fn set(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_keepalive(
        &TcpKeepalive::new().with_time(KEEP_ALIVE_AFTER).with_interval(KEEP_ALIVE_INTERVAL),
    )
}
