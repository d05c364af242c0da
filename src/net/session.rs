//! One connection as both drivers hold it: the client's socket, the back end's if there is one, and the machine
//! that decides what is done for them.
//!
//! Contract: nothing here moves bytes, waits or decides. Moving and waiting is the drivers' own part
//! (`threaded/session.rs`, `poll_loop/session.rs`), and differs by how they wait.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use socket2::SockRef;

use super::held::Idling;
use super::io;
use super::keep_alive;
use super::pipe::StreamPipe;
use super::socket::AnySocket;
use super::tls::TlsStream;
use crate::balance::idle_pool::Place;
use crate::protocol::exchange::Exchange;
use crate::protocol::machine::{Machine, Received};
use crate::protocol::now::Now;
use crate::protocol::outcome::How;
use crate::protocol::relay::Relay;
use crate::protocol::transport::Transport;

/// A client that was accepted, beside its socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) peer: SocketAddr,
    /// It came to an address without TLS.
    pub(crate) is_plain: bool,
    pub(crate) at: Instant,
}

/// A client that is served by a machine `M`, over a driver's kind of sockets `S`.
#[derive(Debug)]
pub(crate) struct Session<M, S> {
    pub(crate) client: S,
    pub(crate) backend: Option<(Place, S)>,
    /// For long streams from the client, and to it.
    pub(crate) up: StreamPipe,
    pub(crate) down: StreamPipe,
    /// Rust drops fields from top to bottom: the machine, and with it the place at the back end, goes when
    /// the sockets are closed.
    pub(crate) machine: M,
}

/// A driver's kind of socket.
pub(crate) trait Stream: AnySocket + Sized {
    /// Its encryption; `None` for a connection in the clear.
    fn tls(&mut self) -> &mut Option<Box<TlsStream>>;

    /// True if it is encrypted.
    fn is_secure(&self) -> bool;

    /// True if plain bytes, or the end of them, have come over an encrypted connection and were not read yet: the
    /// socket itself may know nothing of them.
    fn has_unread(&mut self) -> bool {
        self.tls().as_ref().is_some_and(|tls| tls.has_received())
    }

    /// Closes our sending side; a peer of an encrypted connection is told so in that form as well.
    fn shut(&mut self) -> std::io::Result<()> {
        self.say_end();
        io::shut(self)
    }

    /// Tells the peer of an encrypted connection that nothing more will come.
    fn say_end(&mut self) {
        if let Some(mut tls) = self.tls().take() {
            tls.say_end(&*self);
            *self.tls() = Some(tls);
        }
    }
}

impl<M, S> Session<M, S> {
    fn new(client: S, machine: M) -> Session<M, S> {
        Session { client, backend: None, up: StreamPipe::default(), down: StreamPipe::default(), machine }
    }
}

impl<M: Machine, S: Stream> Session<M, S> {
    /// Takes up a client that was accepted.
    pub(crate) fn accept(
        service: Arc<M::Service>,
        mut client: S,
        accepted: Accepted,
        now: &Now,
    ) -> Session<M, S> {
        let Accepted { peer, is_plain, at: accepted } = accepted;
        let context = M::context(&service);
        let mut identity = context.proxies.identify(peer, || io::local_address(&client));
        match &context.tls {
            Some(tls) if is_plain => {
                identity.transport = tls.redirect_to.map_or(Transport::Plain, Transport::Redirecting);
            }
            Some(tls) => {
                let stream = TlsStream::accept(Arc::clone(&tls.config), context.proxies.accept);
                *client.tls() = Some(Box::new(stream));
                identity.transport = Transport::Handshaking;
            }
            None => {}
        }
        Session::new(client, M::open(service, identity, accepted, now))
    }

    /// True if bytes may go from socket to socket within the kernel: none of them has to be encrypted.
    pub(crate) fn may_pipe(&self) -> bool {
        !self.client.is_secure() && !self.backend.as_ref().is_some_and(|(_, backend)| backend.is_secure())
    }

    /// Tells the machine what came of a read from the client; false if nothing has come.
    pub(crate) fn client_read(&mut self, received: std::io::Result<Received>, now: &Now) -> bool {
        let secured = self.client.tls().as_mut().and_then(|tls| tls.take_secured());
        let Some(secured) = secured else { return self.machine.client_read(received, now) };
        self.machine.client().set_secured(secured);
        let has_come = self.machine.client_read(received, now);
        self.machine.handshake_done(now);
        has_come
    }

    /// Closes our sending side towards the client.
    pub(crate) fn shut_client(&mut self) {
        match self.client.shut() {
            Ok(()) => self.machine.client_shut(),
            Err(_) => self.machine.client_failed(),
        }
    }

    /// Closes our sending side towards the back end.
    pub(crate) fn shut_backend(&mut self, now: &Now) {
        match self.backend.as_mut().map_or(Ok(()), |(_, backend)| backend.shut()) {
            Ok(()) => self.machine.backend_shut(),
            Err(_) => self.machine.backend_failed(How::Reset, now),
        }
    }

    /// Ends it: the log is told, and a connection whose peer must learn that something is missing will be
    /// closed by a reset. The sockets themselves close when the session is dropped.
    pub(crate) fn finish(&mut self, now: &Now) {
        match self.machine.was_cut() {
            true => io::reset_on_close(&self.client),
            false => self.client.say_end(),
        }
        if let Some((_, backend)) = &mut self.backend {
            match self.machine.backend_was_cut() {
                true => io::reset_on_close(backend),
                false => backend.say_end(),
            }
        }
        self.machine.finish(now);
    }

    /// The drain's time is over: ends it here and now.
    pub(crate) fn cut(&mut self, now: &Now) {
        self.machine.drained();
        self.finish(now);
    }
}

impl<S: Stream> Session<Relay, S> {
    /// Has the kernel send keep-alive probes to the back end.
    pub(crate) fn start_probes(&mut self) {
        if let Some((_, backend)) = &self.backend
            && let Err(error) = keep_alive::set(&SockRef::from(&backend.handle()))
        {
            // Nothing is lost but the probes, and a connection that has failed is noticed when it is read.
            log::debug!("a silent back end cannot be probed: {error}");
        }
        self.machine.probes_started();
    }
}

/// What is kept of a session while its client is idle.
#[derive(Debug)]
pub(crate) struct IdleSession<M: Machine, S> {
    client: S,
    idle: M::Idle,
}

impl<M: Machine, S> Idling for Session<M, S> {
    type Idle = IdleSession<M, S>;

    fn is_idle(&self) -> bool {
        self.backend.is_none() && self.machine.is_idle()
    }

    fn into_idle(self) -> Option<IdleSession<M, S>> {
        let Session { client, machine, .. } = self;
        Some(IdleSession { client, idle: machine.into_idle()? })
    }

    fn from_idle(idle: IdleSession<M, S>, now: &Now) -> Session<M, S> {
        Session::new(idle.client, M::from_idle(idle.idle, now))
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

/// Only a client whose requests are forwarded is ever idle.
impl<S> Idling for GatewaySession<S> {
    type Idle = IdleSession<Exchange, S>;

    fn is_idle(&self) -> bool {
        matches!(self, GatewaySession::Http(http) if http.is_idle())
    }

    fn into_idle(self) -> Option<IdleSession<Exchange, S>> {
        match self {
            GatewaySession::Http(http) => http.into_idle(),
            GatewaySession::Tunnel(_) | GatewaySession::Switching => None,
        }
    }

    fn from_idle(idle: IdleSession<Exchange, S>, now: &Now) -> GatewaySession<S> {
        GatewaySession::Http(Session::from_idle(idle, now))
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
