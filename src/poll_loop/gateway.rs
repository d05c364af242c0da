//! One client of a gateway, served by a loop. Twin: `threaded/gateway.rs`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::event::Event;

use super::owners::{Owner, Owners};
use super::relay::RelayConnection;
use super::socket::Socket;
use super::{Around, CALLS_A_TURN, Connection, Side, Turn, reactor};
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
        let caller = gateway.context.proxies.caller(peer, || client.local_addr());
        let exchange = Exchange::new(gateway, caller, now.instant, now);
        GatewayConnection { stage: Stage::Http(HttpConnection { client, backend: None, exchange }) }
    }

    fn serve(&mut self, around: &mut Around<'_, Self>) -> Turn {
        if let Stage::Http(http) = &mut self.stage
            && let Some(turn) = http.serve(around)
        {
            return turn;
        }
        self.switch_protocols();
        match &mut self.stage {
            Stage::Tunnel(relay) => relay.serve_around(around),
            Stage::Http(_) | Stage::Switching => Turn::Done,
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
        idle.remove(|socket| reactor::backend_place(socket.token()) == backend);
    }

    fn tidy(idle: &mut IdlePool<Socket>, owners: &mut Owners, now: &Now) {
        while let Some(old) = idle.expire(now.instant) {
            owners.remove(reactor::backend_place(old.token()));
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
    /// Serves requests until there is a turn to take; `None` means that the exchange became a tunnel.
    fn serve(&mut self, around: &mut Around<'_, GatewayConnection>) -> Option<Turn> {
        let now = around.now;
        self.exchange.expired(&now);
        if around.is_draining {
            self.exchange.drain();
        }
        for _ in 0..CALLS_A_TURN {
            let interest = self.exchange.interest();
            match self.exchange.step() {
                Step::Finish => {
                    self.drop_backend(around.owners);
                    self.finish(&now);
                    return Some(Turn::Done);
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
        Some(Turn::Again)
    }

    /// Goes back to the loop, which will tell of what is wanted.
    fn wait(&mut self, around: &mut Around<'_, GatewayConnection>) -> Turn {
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
            return Turn::Again;
        }
        Turn::Wait
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
    fn connect(&mut self, around: &mut Around<'_, GatewayConnection>) {
        self.drop_backend(around.owners);
        let now = around.now;
        let bell = || around.bells.bell(around.place);
        let Some(choice) = self.exchange.choose_backend(&now, bell) else { return };
        let idle = if choice.may_reuse { take_idle(around, choice.address) } else { None };
        if let Some(socket) = idle {
            around.owners.set(reactor::backend_place(socket.token()), Owner::Connection(around.place));
            self.backend = Some((choice.address, socket));
            self.exchange.connected(true, &now);
            return;
        }
        match connect::start(choice.address) {
            Ok(stream) => {
                let place = around.owners.add(Owner::Connection(around.place));
                let socket = Socket::connecting(stream, reactor::token(Side::Backend, place));
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
    fn release_backend(&mut self, around: &mut Around<'_, GatewayConnection>) {
        let release = self.exchange.release_backend(&around.now);
        if !release.keep {
            return self.drop_backend(around.owners);
        }
        let Some((address, mut socket)) = self.backend.take() else { return };
        let place = reactor::backend_place(socket.token());
        // One that has closed, or that could not be registered, would be dead without an event to tell.
        if socket.has_closed() || socket.register(around.registry).is_err() {
            around.owners.remove(place);
            return;
        }
        around.owners.set(place, Owner::Idle);
        if let Some(surplus) = around.local.put(address, socket, around.now.instant) {
            around.owners.remove(reactor::backend_place(surplus.token()));
        }
    }

    /// Closes the back end's socket, if there is one, and frees its place.
    fn drop_backend(&mut self, owners: &mut Owners) {
        if let Some((_, backend)) = self.backend.take() {
            owners.remove(reactor::backend_place(backend.token()));
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
/// was read to its last byte the poller tells whatever came since, a turn late at most: that is as much
/// as a look would know a moment from now, and who may be given a kept connection may ask again.
fn take_idle(around: &mut Around<'_, GatewayConnection>, backend: SocketAddr) -> Option<Socket> {
    loop {
        let socket = around.local.take(backend, around.now.instant)?;
        if !socket.can_read() || io::is_quiet(&socket) {
            return Some(socket);
        }
        around.owners.remove(reactor::backend_place(socket.token()));
    }
}
