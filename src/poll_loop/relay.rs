//! One client of a relay and its back end, served by a loop. Twin: `threaded/relay.rs`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::event::Event;

use super::slots::BackendOwner;
use super::socket::{Received, Socket};
use super::{CALLS_PER_ITERATION_MAX, Connection, LoopContext, Served, Side};
use crate::net::connect::{self, ConnectError};
use crate::net::pipe::StreamPipe;
use crate::protocol::interest::Step;
use crate::protocol::now::Now;
use crate::protocol::relay::{Relay, RelayService};

/// A client and the back end it is joined to.
#[derive(Debug)]
pub(crate) struct RelayConnection {
    client: Socket,
    backend: Option<Socket>,
    /// For long streams from the client, and to it.
    up: StreamPipe,
    down: StreamPipe,
    /// Dropped last: with it goes the place at the back end, whose connection must be closed by then.
    relay: Relay,
}

impl Connection for RelayConnection {
    type Service = RelayService;
    type Local = ();

    fn accept(service: Arc<RelayService>, client: Socket, peer: SocketAddr, now: &Now) -> Self {
        let caller = service.context.proxies.identify(peer, || client.local_addr());
        RelayConnection::over(Relay::new(service, caller, now.instant, now), client, None)
    }

    fn serve(&mut self, around: &mut LoopContext<'_, Self>) -> Served {
        self.serve_around(around)
    }

    fn note(&mut self, side: Side, event: &Event) {
        match (side, &mut self.backend) {
            (Side::Client, _) => self.client.note(event),
            (Side::Backend, Some(backend)) => backend.note(event),
            (Side::Backend, None) => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.relay.deadline()
    }

    fn cut(&mut self, now: &Now) {
        self.relay.drained();
        self.finish(now);
    }
}

impl RelayConnection {
    /// Goes on with two sockets that are connected already.
    pub(crate) fn join(relay: Relay, client: Socket, backend: Socket) -> RelayConnection {
        RelayConnection::over(relay, client, Some(backend))
    }

    fn over(relay: Relay, client: Socket, backend: Option<Socket>) -> RelayConnection {
        RelayConnection { client, backend, up: StreamPipe::default(), down: StreamPipe::default(), relay }
    }

    /// Serves it, whatever kind of connection it grew out of: a tunnel began as an exchange.
    pub(crate) fn serve_around<C: Connection>(&mut self, around: &mut LoopContext<'_, C>) -> Served {
        let now = around.now;
        self.relay.expired(&now);
        for _ in 0..CALLS_PER_ITERATION_MAX {
            let interest = self.relay.interest();
            match self.relay.step() {
                Step::Finish => {
                    self.drop_backend(around);
                    self.finish(&now);
                    return Served::Closed;
                }
                _ if interest.watch_client && self.client.has_failed() => self.relay.client_failed(),
                Step::Connect => self.connect(around),
                Step::ShutClient => self.shut_client(),
                Step::ShutBackend => self.shut_backend(),
                _ if self.relay.is_connecting() && self.connect_is_through(&now) => {}
                _ if interest.write_backend && can_write(&self.backend) => self.write_backend(&now),
                _ if interest.write_client && self.client.can_write() => self.write_client(&now),
                _ if interest.read_backend && can_read(&self.backend) => self.read_backend(&now),
                _ if interest.read_client && self.client.can_read() => self.read_client(&now),
                _ => return self.wait(around),
            }
        }
        Served::MoreToDo
    }

    /// Goes back to the loop, which will tell of what is wanted.
    fn wait<C: Connection>(&mut self, around: &mut LoopContext<'_, C>) -> Served {
        let client = self.client.register(around.registry);
        let backend = self.backend.as_mut().map_or(Ok(()), |backend| backend.register(around.registry));
        if let Err(error) = client.and(backend) {
            log::error!("a connection could not be registered: {error}");
            self.relay.client_failed();
            return Served::MoreToDo;
        }
        Served::Waiting
    }

    /// Reads from the client.
    fn read_client(&mut self, now: &Now) {
        let may_be_piped = self.relay.client_may_be_piped();
        let relay = &mut self.relay;
        match self.client.receive_stream(&mut self.up, may_be_piped, || relay.client_space()) {
            Ok(Received::Buffered(count)) => self.relay.client_received(count, now),
            Ok(Received::Piped(count)) => self.relay.client_piped(count, now),
            Ok(Received::Nothing) => self.relay.nothing_from_client(),
            Err(_) => self.relay.client_failed(),
        }
    }

    /// Begins to connect to the back end whose turn it is.
    fn connect<C: Connection>(&mut self, around: &mut LoopContext<'_, C>) {
        self.drop_backend(around);
        let waker = || around.waker.for_connection(around.slot);
        let Some(address) = self.relay.choose_backend(&around.now, waker) else { return };
        match connect::start(address) {
            Ok(stream) => {
                let slot = around.backends.insert(BackendOwner::Connection(around.slot));
                self.backend = Some(Socket::connecting(stream, slot));
            }
            Err(error) => self.relay.connect_failed(error.into(), &around.now),
        }
    }

    /// Looks whether the connect has come to an end; false if not.
    fn connect_is_through(&mut self, now: &Now) -> bool {
        match self.backend.as_mut().map_or(Ok(false), Socket::is_connected) {
            Ok(true) => self.relay.connected(now),
            Ok(false) => return false,
            Err(error) => self.relay.connect_failed(error.into(), now),
        }
        true
    }

    /// Sends what fits; while the connect is under way, success is how we learn that it is through.
    fn write_backend(&mut self, now: &Now) {
        let Some(backend) = &mut self.backend else { return };
        match backend.send_stream(&mut self.up, self.relay.backend_output()) {
            Ok(Some(count)) => {
                self.relay.connected(now);
                self.relay.backend_sent(count, now);
            }
            Ok(None) => {}
            Err(error) if self.relay.is_connecting() => {
                self.relay.connect_failed(ConnectError::from(&error).into(), now);
            }
            Err(_) => self.relay.backend_failed(),
        }
    }

    /// Reads from the back end.
    fn read_backend(&mut self, now: &Now) {
        let Some(backend) = &mut self.backend else { return };
        let may_be_piped = self.relay.backend_may_be_piped();
        let relay = &mut self.relay;
        match backend.receive_stream(&mut self.down, may_be_piped, || relay.backend_space()) {
            Ok(Received::Buffered(count)) => self.relay.backend_received(count, now),
            Ok(Received::Piped(count)) => self.relay.backend_piped(count, now),
            Ok(Received::Nothing) => self.relay.nothing_from_backend(),
            Err(_) => self.relay.backend_failed(),
        }
    }

    fn write_client(&mut self, now: &Now) {
        match self.client.send_stream(&mut self.down, self.relay.client_output()) {
            Ok(Some(count)) => self.relay.client_sent(count, now),
            Ok(None) => {}
            Err(_) => self.relay.client_failed(),
        }
    }

    fn shut_client(&mut self) {
        match self.client.shut() {
            Ok(()) => self.relay.client_shut(),
            Err(_) => self.relay.client_failed(),
        }
    }

    fn shut_backend(&mut self) {
        match self.backend.as_ref().map_or(Ok(()), Socket::shut) {
            Ok(()) => self.relay.backend_shut(),
            Err(_) => self.relay.backend_failed(),
        }
    }

    /// Closes the back end's socket, if there is one, and frees its slot.
    fn drop_backend<C: Connection>(&mut self, around: &mut LoopContext<'_, C>) {
        if let Some(backend) = self.backend.take() {
            if self.relay.was_cut() {
                backend.reset_on_close();
            }
            around.backends.remove(backend.slot());
        }
    }

    fn finish(&mut self, now: &Now) {
        if self.relay.was_cut() {
            self.client.reset_on_close();
            self.backend.iter().for_each(Socket::reset_on_close);
        }
        self.relay.finish(now);
    }
}

fn can_read(socket: &Option<Socket>) -> bool {
    socket.as_ref().is_some_and(Socket::can_read)
}

fn can_write(socket: &Option<Socket>) -> bool {
    socket.as_ref().is_some_and(Socket::can_write)
}
