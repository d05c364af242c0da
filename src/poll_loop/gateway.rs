//! One client of a gateway, served by a loop. Twin: `threaded/gateway.rs`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::event::Event;

use super::relay::RelayConnection;
use super::slots::{BackendOwner, BackendSlots};
use super::socket::Socket;
use super::{CALLS_PER_ITERATION_MAX, Connection, LoopContext, Served, Side};
use crate::balance::idle_pool::IdlePool;
use crate::net::connect::{self, ConnectError};
use crate::net::{clock, io};
use crate::protocol::exchange::{Exchange, Gateway};
use crate::protocol::interest::Step;
use crate::protocol::now::Now;
use crate::protocol::outcome::How;

/// A client of a gateway, and the back end that is serving it.
#[derive(Debug)]
pub(crate) struct GatewayConnection {
    stage: Stage,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all connections are the large one for all their life")]
enum Stage {
    Http(HttpConnection),
    /// After `101`: bytes both ways.
    Tunnel(RelayConnection),
    /// For the moment between the two.
    Switching,
}

#[derive(Debug)]
struct HttpConnection {
    client: Socket,
    backend: Option<(SocketAddr, Socket)>,
    /// Dropped last: with it goes the place at the back end, whose connection must be closed by then.
    exchange: Exchange,
}

impl Connection for GatewayConnection {
    type Service = Gateway;
    /// Idle connections to back ends, for whichever connection of this loop needs one next.
    type Local = IdlePool<Socket>;

    fn accept(gateway: Arc<Gateway>, client: Socket, peer: SocketAddr, now: &Now) -> Self {
        let caller = gateway.context.proxies.identify(peer, || client.local_addr());
        let exchange = Exchange::new(gateway, caller, now.instant, now);
        GatewayConnection { stage: Stage::Http(HttpConnection { client, backend: None, exchange }) }
    }

    fn serve(&mut self, around: &mut LoopContext<'_, Self>) -> Served {
        if let Stage::Http(http) = &mut self.stage
            && let Some(served) = http.serve(around)
        {
            return served;
        }
        self.switch_protocols();
        match &mut self.stage {
            Stage::Tunnel(relay) => relay.serve_around(around),
            Stage::Http(_) | Stage::Switching => Served::Closed,
        }
    }

    fn note(&mut self, side: Side, event: &Event) {
        match (&mut self.stage, side) {
            (Stage::Http(HttpConnection { client, .. }), Side::Client) => client.note(event),
            (Stage::Http(HttpConnection { backend, .. }), Side::Backend) => {
                backend.iter_mut().for_each(|(_, socket)| socket.note(event));
            }
            (Stage::Tunnel(relay), side) => relay.note(side, event),
            (Stage::Switching, _) => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Http(http) => http.exchange.deadline(),
            Stage::Tunnel(relay) => relay.deadline(),
            Stage::Switching => None,
        }
    }

    fn cut(&mut self, now: &Now) {
        match &mut self.stage {
            Stage::Http(http) => {
                http.exchange.drained();
                http.finish(now);
            }
            Stage::Tunnel(relay) => relay.cut(now),
            Stage::Switching => {}
        }
    }

    fn drop_idle(idle: &mut IdlePool<Socket>, backend: usize) {
        idle.remove(|socket| socket.slot() == backend);
    }

    fn tidy(idle: &mut IdlePool<Socket>, backends: &mut BackendSlots, now: &Now) {
        while let Some(old) = idle.expire(now.instant) {
            backends.remove(old.slot());
        }
    }
}

impl GatewayConnection {
    /// The exchange has ended in `101`: the same sockets go on as a relay.
    fn switch_protocols(&mut self) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Switching) {
            Stage::Http(HttpConnection { exchange, client, backend: Some((_, backend)), .. }) => {
                Stage::Tunnel(RelayConnection::join(exchange.into_relay(&clock::now()), client, backend))
            }
            stage => stage,
        };
    }
}

impl HttpConnection {
    /// Serves requests as far as it goes; `None` means that the exchange became a tunnel.
    fn serve(&mut self, around: &mut LoopContext<'_, GatewayConnection>) -> Option<Served> {
        let now = around.now;
        self.exchange.expired(&now);
        if around.is_draining {
            self.exchange.drain();
        }
        for _ in 0..CALLS_PER_ITERATION_MAX {
            let interest = self.exchange.interest();
            match self.exchange.step() {
                Step::Finish => {
                    self.drop_backend(around.backends);
                    self.finish(&now);
                    return Some(Served::Closed);
                }
                Step::SwitchProtocols => return None,
                Step::ReleaseBackend => self.release_backend(around),
                _ if interest.watch_client && self.client.has_failed() => self.exchange.client_failed(),
                Step::Connect => self.connect(around),
                Step::ShutClient => self.shut_client(),
                _ if self.exchange.is_connecting() && self.connect_is_through(&now) => {}
                _ if interest.write_backend && self.backend_is(Socket::can_write) => self.write_backend(&now),
                _ if interest.write_client && self.client.can_write() => self.write_client(&now),
                _ if interest.read_backend && self.backend_is(Socket::can_read) => self.read_backend(&now),
                _ if interest.read_client && self.client.can_read() => self.read_client(&now),
                _ => return Some(self.wait(around)),
            }
        }
        Some(Served::MoreToDo)
    }

    /// Goes back to the loop, which will tell of what is wanted.
    fn wait(&mut self, around: &mut LoopContext<'_, GatewayConnection>) -> Served {
        let backend = self.backend.as_mut();
        let backend = backend.map_or(Ok(()), |(_, backend)| backend.register(around.registry));
        // While the back end is at work nothing is wanted of the client, and it need not be known to
        // the poller; but if that takes long, that it is gone is worth knowing.
        let interest = self.exchange.interest();
        let client = match interest.read_client || interest.write_client || interest.watch_client {
            true => self.client.register(around.registry),
            false => Ok(()),
        };
        if let Err(error) = client.and(backend) {
            log::error!("a connection could not be registered: {error}");
            self.exchange.client_failed();
            return Served::MoreToDo;
        }
        Served::Waiting
    }

    /// Reads from the client.
    fn read_client(&mut self, now: &Now) {
        match self.client.receive(self.exchange.client_space()) {
            Ok(Some(count)) => self.exchange.client_received(count, now),
            Ok(None) => self.exchange.nothing_from_client(),
            Err(_) => self.exchange.client_failed(),
        }
    }

    /// Takes an idle connection, or begins to connect.
    fn connect(&mut self, around: &mut LoopContext<'_, GatewayConnection>) {
        self.drop_backend(around.backends);
        let now = around.now;
        let waker = || around.waker.for_connection(around.slot);
        let Some(choice) = self.exchange.choose_backend(&now, waker) else { return };
        let idle = if choice.may_reuse { take_idle(around, choice.address) } else { None };
        if let Some(socket) = idle {
            around.backends.set(socket.slot(), BackendOwner::Connection(around.slot));
            self.backend = Some((choice.address, socket));
            self.exchange.connected(true, &now);
            return;
        }
        match connect::start(choice.address) {
            Ok(stream) => {
                let slot = around.backends.insert(BackendOwner::Connection(around.slot));
                let socket = Socket::connecting(stream, slot);
                self.backend = Some((choice.address, socket));
            }
            Err(error) => self.exchange.connect_failed(error.into(), &now),
        }
    }

    /// Looks whether the connect has come to an end; false if not.
    fn connect_is_through(&mut self, now: &Now) -> bool {
        match self.backend.as_mut().map_or(Ok(false), |(_, backend)| backend.is_connected()) {
            Ok(true) => self.exchange.connected(false, now),
            Ok(false) => return false,
            Err(error) => self.exchange.connect_failed(error.into(), now),
        }
        true
    }

    /// Sends what fits; while the connect is under way, success is how we learn that it is through.
    fn write_backend(&mut self, now: &Now) {
        let Some((_, backend)) = &mut self.backend else { return };
        let sent = backend.send(self.exchange.backend_output(), false);
        match sent {
            Ok(Some(count)) => {
                self.exchange.connected(false, now);
                self.exchange.backend_sent(count, now);
            }
            Ok(None) => {}
            Err(error) if self.exchange.is_connecting() => {
                self.exchange.connect_failed(ConnectError::from(&error).into(), now);
            }
            Err(_) => self.exchange.backend_send_failed(How::Reset, now),
        }
    }

    /// Reads from the back end.
    fn read_backend(&mut self, now: &Now) {
        let Some((_, backend)) = &mut self.backend else { return };
        match backend.receive(self.exchange.backend_space()) {
            Ok(Some(count)) => self.exchange.backend_received(count, now),
            Ok(None) => self.exchange.nothing_from_backend(),
            Err(_) => self.exchange.backend_failed(How::Reset, now),
        }
    }

    fn write_client(&mut self, now: &Now) {
        match self.client.send(self.exchange.client_output(), false) {
            Ok(Some(count)) => self.exchange.client_sent(count, now),
            Ok(None) => {}
            Err(_) => self.exchange.client_failed(),
        }
    }

    fn shut_client(&mut self) {
        match self.client.shut() {
            Ok(()) => self.exchange.client_shut(),
            Err(_) => self.exchange.client_failed(),
        }
    }

    /// Keeps the back end's connection for another request, or closes it.
    fn release_backend(&mut self, around: &mut LoopContext<'_, GatewayConnection>) {
        let release = self.exchange.release_backend(&around.now);
        if !release.keep {
            return self.drop_backend(around.backends);
        }
        let Some((address, mut socket)) = self.backend.take() else { return };
        let slot = socket.slot();
        // One that has closed, or that could not be registered, would be dead without an event to tell.
        if socket.has_closed() || socket.register(around.registry).is_err() {
            around.backends.remove(slot);
            return;
        }
        around.backends.set(slot, BackendOwner::Pool);
        if let Some(surplus) = around.local.put(address, socket, around.now.instant) {
            around.backends.remove(surplus.slot());
        }
    }

    /// Closes the back end's socket, if there is one, and frees its slot.
    fn drop_backend(&mut self, backends: &mut BackendSlots) {
        if let Some((_, backend)) = self.backend.take() {
            backends.remove(backend.slot());
        }
    }

    fn backend_is(&self, ready: impl Fn(&Socket) -> bool) -> bool {
        self.backend.as_ref().is_some_and(|(_, socket)| ready(socket))
    }

    fn finish(&mut self, now: &Now) {
        if self.exchange.was_cut() {
            self.client.reset_on_close();
        }
        self.exchange.finish(now);
    }
}

/// The newest kept connection to `backend` that is as it was left; the others are closed. Of one that
/// was read to its last byte the poller tells whatever came since, an iteration late at most: that is as much
/// as a look would know a moment from now, and who may be given a kept connection may ask again.
fn take_idle(around: &mut LoopContext<'_, GatewayConnection>, backend: SocketAddr) -> Option<Socket> {
    loop {
        let socket = around.local.take(backend, around.now.instant)?;
        if !socket.can_read() || io::is_quiet(&socket) {
            return Some(socket);
        }
        around.backends.remove(socket.slot());
    }
}
