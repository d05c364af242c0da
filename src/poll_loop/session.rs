//! What the connections of `web`, `gateway` and `relay` have in common: the moves of bytes, none of which waits.
//! Twin: `threaded/session.rs`.
//!
//! Contract: a move is made only if the socket is known to be ready for it; [`Session::register`] registers what has
//! to be waited for, and the loop tells when it has come. Whatever happens is reported to the machine, and nothing
//! is decided here.

use std::time::Instant;

use mio::event::Event;
use mio::net::TcpStream;

use super::slots::{BackendOwner, Side};
use super::socket::Socket;
use super::{LoopContext, Served};
use crate::balance::idle_pool::Place;
use crate::net::connect::{self, ConnectError};
use crate::net::io::FileToSend;
use crate::net::tls::{TlsStream, connect_error};
use crate::net::{clock, session};
use crate::observe::lane::{self, Phase};
use crate::protocol::exchange::BackendTarget;
use crate::protocol::interest::Step;
use crate::protocol::machine::Machine;
use crate::protocol::now::Now;
use crate::protocol::web::Output;

/// A client that is served by a machine of kind `M`.
pub(crate) type Session<M> = session::Session<M, Socket>;

impl<M: Machine<File: FileToSend>> Session<M> {
    /// The next thing to do.
    pub(crate) fn step(&mut self) -> Step {
        if self.client.has_failed() && self.machine.interest().watch_client {
            self.machine.client_failed();
        }
        self.machine.step()
    }

    /// Moves bytes that can be moved now; false if there are none.
    pub(crate) fn transfer(&mut self, context: &mut LoopContext<'_>) -> bool {
        if self.machine.is_connecting() {
            context.now = clock::now();
        }
        let now = &context.now;
        let interest = self.machine.interest();
        if self.machine.is_connecting() && self.connect_has_ended(now) {
            // That was the move: the machine knows of it.
        } else if interest.write_backend && self.backend_is(Socket::can_write) {
            self.write_backend(now);
        } else if interest.write_client && self.client.can_write() {
            self.write_client(now);
        } else if interest.read_backend && self.backend_is(Socket::can_read) {
            self.read_backend(now);
        } else if interest.read_client && self.client.can_read() {
            self.read_client(now);
        } else {
            return false;
        }
        true
    }

    /// Registers both sockets with the poller: when one of them is ready, the loop calls `serve` again.
    pub(crate) fn register(&mut self, context: &LoopContext<'_>) -> Served {
        let backend = self.backend.as_mut();
        let backend = backend.map_or(Ok(()), |(_, backend)| backend.register(context.registry));
        // While only the back end has something to do, the poller need not know the client.
        let interest = self.machine.interest();
        let client = match interest.read_client || interest.write_client || interest.watch_client {
            true => self.client.register(context.registry),
            false => Ok(()),
        };
        if let Err(error) = client.and(backend) {
            log::error!("a connection could not be registered: {error}");
            self.machine.client_failed();
            return Served::MoreToDo;
        }
        Served::Waiting
    }

    /// Has the password of the request verified, or acts on what came of it.
    pub(crate) fn verify_password(&mut self, context: &LoopContext<'_>) {
        let waker = || context.waker.for_connection(context.slot);
        self.machine.verify_password(&context.now, waker);
    }

    /// Acts on what time has brought: a deadline, the drain.
    pub(crate) fn keep_time(&mut self, context: &LoopContext<'_>) {
        self.machine.expired(&context.now);
        if context.is_draining {
            self.machine.drain_unless_new(&context.now);
        }
    }

    /// Chooses a back end and begins to connect to it, or takes the idle connection that `idle` has to it.
    pub(crate) fn try_backend(
        &mut self,
        context: &mut LoopContext<'_>,
        idle: impl FnOnce(&Place, &mut LoopContext<'_>) -> Option<Socket>,
    ) {
        lane::enter_at(Phase::Connect, self.machine.connection(), context.now.instant);
        self.drop_backend(context);
        context.now = clock::now();
        let now = context.now;
        let waker = || context.waker.for_connection(context.slot);
        let Some(choice) = self.machine.choose_backend(&now, waker) else { return };
        let place = choice.place();
        if let Some(socket) = choice.may_reuse.then(|| idle(&place, context)).flatten() {
            context.backends.set(socket.slot(), BackendOwner::Connection(context.slot));
            self.backend = Some((place, socket));
            return self.machine.connected(true, &now);
        }
        match start_connect(&choice) {
            Ok((stream, tls)) => {
                let slot = context.backends.insert(BackendOwner::Connection(context.slot));
                self.backend = Some((place, Socket::connecting(stream, tls, slot)));
            }
            Err(error) => self.machine.connect_failed(error.into(), &now),
        }
    }

    /// Looks whether the connect has come to an end; false if not.
    fn connect_has_ended(&mut self, now: &Now) -> bool {
        let ended = match &mut self.backend {
            Some((place, backend)) => backend.is_connected(place),
            None => Ok(false),
        };
        match ended {
            Ok(true) => self.machine.connected(false, now),
            Ok(false) => return false,
            Err(error) => self.machine.connect_failed(error.into(), now),
        }
        true
    }

    /// Reads from the client.
    fn read_client(&mut self, now: &Now) {
        lane::enter_at(Phase::Read, self.machine.connection(), now.instant);
        let may_be_piped = self.machine.client_may_be_piped() && self.may_pipe();
        let machine = &mut self.machine;
        let received = self.client.receive(&mut self.up, may_be_piped, || machine.client_space());
        self.client_read(received, now);
    }

    /// Sends to the back end what fits. While the connect is under way, that this works is how we learn
    /// of its end.
    fn write_backend(&mut self, now: &Now) {
        lane::enter_at(Phase::Write, self.machine.connection(), now.instant);
        let Some((_, backend)) = &mut self.backend else { return };
        let sent = backend.send(&mut self.up, self.machine.backend_output(), false);
        if self.machine.is_connecting() {
            match &sent {
                Ok(Some(_)) => self.machine.connected(false, now),
                Ok(None) => {}
                Err(error) => return self.machine.connect_failed(ConnectError::from(error).into(), now),
            }
        }
        self.machine.backend_written(sent, now);
    }

    /// Reads from the back end.
    fn read_backend(&mut self, now: &Now) {
        lane::enter_at(Phase::Read, self.machine.connection(), now.instant);
        let may_be_piped = self.machine.backend_may_be_piped() && self.may_pipe();
        let Some((_, backend)) = &mut self.backend else { return };
        let machine = &mut self.machine;
        let received = backend.receive(&mut self.down, may_be_piped, || machine.backend_space());
        self.machine.backend_read(received, now);
    }

    /// Sends to the client what fits.
    fn write_client(&mut self, now: &Now) {
        lane::enter_at(Phase::Write, self.machine.connection(), now.instant);
        let sent = match self.machine.client_output() {
            Output::Bytes { first, second, more } => self.client.send(&mut self.down, [first, second], more),
            Output::File { file, offset, length } => self.client.send_file(file.file(), offset, length),
        };
        self.machine.client_written(sent, now);
    }

    /// Closes the back end's socket, if there is one, and frees its slot.
    pub(crate) fn drop_backend(&mut self, context: &mut LoopContext<'_>) {
        if let Some((_, backend)) = self.backend.take() {
            context.backends.remove(backend.slot());
        }
    }

    /// Ends it. That the loop drops it then takes its sockets out of the poller as well.
    pub(crate) fn close(&mut self, context: &mut LoopContext<'_>) -> Served {
        self.finish(&context.now);
        self.drop_backend(context);
        Served::Closed
    }

    fn backend_is(&self, ready: impl Fn(&Socket) -> bool) -> bool {
        self.backend.as_ref().is_some_and(|(_, socket)| ready(socket))
    }
}

/// Begins to connect to this back end.
fn start_connect(target: &BackendTarget) -> Result<(TcpStream, Option<TlsStream>), ConnectError> {
    let encrypted = target
        .tls
        .as_ref()
        .map(|tls| TlsStream::connect(tls).map_err(|error| connect_error(target.address, &tls.host, &error)));
    let encrypted = encrypted.transpose()?;
    Ok((connect::start(target.address)?, encrypted))
}

/// A session while the loop does not serve it, whatever its machine.
pub(crate) trait Pollable {
    /// Remembers an event of one of its sockets; it is acted on when the session is served.
    fn note(&mut self, side: Side, event: &Event);

    /// When it is to be served even without an event.
    fn deadline(&self) -> Option<Instant>;

    /// The drain's time is over: ends it here and now.
    fn cut(&mut self, now: &Now);
}

impl<M: Machine<File: FileToSend>> Pollable for Session<M> {
    fn note(&mut self, side: Side, event: &Event) {
        match (side, &mut self.backend) {
            (Side::Client, _) => self.client.note(event),
            (Side::Backend, Some((_, backend))) => backend.note(event),
            (Side::Backend, None) => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.machine.deadline()
    }

    fn cut(&mut self, now: &Now) {
        self.cut(now);
    }
}
