//! One connection as both drivers hold it: the client's socket, the back end's if there is one, and the machine
//! that decides what is done for them.
//!
//! Contract: nothing here moves bytes, waits or decides. Moving and waiting is the drivers' own part
//! (`threaded/session.rs`, `poll_loop/session.rs`), and differs by how they wait.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use super::io;
use super::pipe::StreamPipe;
use crate::protocol::exchange::Exchange;
use crate::protocol::machine::Machine;
use crate::protocol::now::Now;
use crate::protocol::outcome::How;
use crate::protocol::relay::Relay;

/// A client that is served by a machine `M`, over a driver's kind of sockets `S`.
#[derive(Debug)]
pub(crate) struct Session<M, S> {
    pub(crate) client: S,
    pub(crate) backend: Option<(SocketAddr, S)>,
    /// For long streams from the client, and to it.
    pub(crate) up: StreamPipe,
    pub(crate) down: StreamPipe,
    /// Rust drops fields from top to bottom: the machine, and with it the place at the back end, goes when
    /// the sockets are closed.
    pub(crate) machine: M,
}

impl<M: Machine, S: AsFd> Session<M, S> {
    /// Takes up a client that has connected from `peer` and was accepted at `accepted`.
    pub(crate) fn accept(
        service: Arc<M::Service>,
        client: S,
        peer: SocketAddr,
        accepted: Instant,
        now: &Now,
    ) -> Session<M, S> {
        let identity = M::context(&service).proxies.identify(peer, || io::local_address(&client));
        let machine = M::open(service, identity, accepted, now);
        Session { client, backend: None, up: StreamPipe::default(), down: StreamPipe::default(), machine }
    }

    /// Closes our sending side towards the client.
    pub(crate) fn shut_client(&mut self) {
        match io::shut(&self.client) {
            Ok(()) => self.machine.client_shut(),
            Err(_) => self.machine.client_failed(),
        }
    }

    /// Closes our sending side towards the back end.
    pub(crate) fn shut_backend(&mut self, now: &Now) {
        match self.backend.as_ref().map_or(Ok(()), |(_, backend)| io::shut(backend)) {
            Ok(()) => self.machine.backend_shut(),
            Err(_) => self.machine.backend_failed(How::Reset, now),
        }
    }

    /// Ends it: the log is told, and a connection whose peer must learn that something is missing will be
    /// closed by a reset. The sockets themselves close when the session is dropped.
    pub(crate) fn finish(&mut self, now: &Now) {
        if self.machine.was_cut() {
            io::reset_on_close(&self.client);
        }
        if self.machine.backend_was_cut() {
            self.backend.iter().for_each(|(_, backend)| io::reset_on_close(backend));
        }
        self.machine.finish(now);
    }

    /// The drain's time is over: ends it here and now.
    pub(crate) fn cut(&mut self, now: &Now) {
        self.machine.drained();
        self.finish(now);
    }
}

/// A client of a gateway, from its first request to the end.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all connections are the large one for all their life")]
pub(crate) enum GatewaySession<S> {
    /// Its requests are forwarded.
    Http(Session<Exchange, S>),
    /// After `101`: bytes both ways.
    Tunnel(Session<Relay, S>),
    /// For the moment between the two.
    Switching,
}

impl<S> From<Session<Exchange, S>> for GatewaySession<S> {
    fn from(session: Session<Exchange, S>) -> GatewaySession<S> {
        GatewaySession::Http(session)
    }
}

impl<S> GatewaySession<S> {
    /// The exchange has ended in `101`: the same sockets go on as a relay.
    pub(crate) fn switch_protocols(&mut self, now: &Now) {
        *self = match std::mem::replace(self, GatewaySession::Switching) {
            GatewaySession::Http(http) => {
                let Session { client, backend, up, down, machine } = http;
                GatewaySession::Tunnel(Session {
                    client,
                    backend,
                    up,
                    down,
                    machine: machine.into_relay(now),
                })
            }
            other => other,
        };
    }
}
