//! One client, its back end if it has one, and the machine that decides what is done for them: what the
//! services `web`, `gateway` and `relay` have in common. Twin: `threaded/session.rs`.
//!
//! Contract: nothing here waits. A move is made only if the socket is known to be ready for it;
//! [`Session::register`] registers what has to be waited for, and the loop tells when it has come. Whatever
//! happens is reported to the machine, and nothing is decided here.

use std::net::SocketAddr;
use std::time::Instant;

use mio::event::Event;

use super::slots::{BackendOwner, Side};
use super::socket::{Received, Socket};
use super::{LoopContext, Served};
use crate::net::connect::{self, ConnectError};
use crate::net::io::FileToSend;
use crate::net::pipe::StreamPipe;
use crate::observe::lane::{self, Phase};
use crate::protocol::interest::Step;
use crate::protocol::machine::Machine;
use crate::protocol::now::Now;
use crate::protocol::outcome::How;
use crate::protocol::web::Output;

/// A client that is served by a machine of kind `M`.
#[derive(Debug)]
pub(crate) struct Session<M> {
    client: Socket,
    backend: Option<(SocketAddr, Socket)>,
    /// For long streams from the client, and to it.
    up: StreamPipe,
    down: StreamPipe,
    /// Rust drops fields from top to bottom: the machine, and with it the place at the back end, goes when
    /// the sockets are closed.
    pub(crate) machine: M,
}

impl<M: Machine<File: FileToSend>> Session<M> {
    pub(crate) fn new(machine: M, client: Socket, backend: Option<(SocketAddr, Socket)>) -> Session<M> {
        Session { client, backend, up: StreamPipe::default(), down: StreamPipe::default(), machine }
    }

    /// Goes on with another machine over the same sockets; `None` if there is no back end.
    pub(crate) fn with<N: Machine<File: FileToSend>>(
        self,
        machine: impl FnOnce(M) -> N,
    ) -> Option<Session<N>> {
        let backend = self.backend?;
        Some(Session::new(machine(self.machine), self.client, Some(backend)))
    }

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
            context.read_clock();
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

    /// Reads from the client.
    fn read_client(&mut self, now: &Now) {
        lane::enter_at(Phase::Read, self.machine.connection(), now.instant);
        let may_be_piped = self.machine.client_may_be_piped();
        let machine = &mut self.machine;
        match self.client.receive(&mut self.up, may_be_piped, || machine.client_space()) {
            Ok(Received::Buffered(count)) => self.machine.client_received(count, now),
            Ok(Received::Piped(count)) => self.machine.client_piped(count, now),
            Ok(Received::Nothing) => self.machine.nothing_from_client(),
            Err(_) => self.machine.client_failed(),
        }
    }

    /// Chooses a back end and begins to connect to it, or takes the idle connection that `idle` has to it.
    pub(crate) fn connect(
        &mut self,
        context: &mut LoopContext<'_>,
        idle: impl FnOnce(SocketAddr, &mut LoopContext<'_>) -> Option<Socket>,
    ) {
        lane::enter_at(Phase::Connect, self.machine.connection(), context.now.instant);
        self.drop_backend(context);
        context.read_clock();
        let now = context.now;
        let waker = || context.waker.for_connection(context.slot);
        let Some(choice) = self.machine.choose_backend(&now, waker) else { return };
        if let Some(socket) = choice.may_reuse.then(|| idle(choice.address, context)).flatten() {
            context.backends.set(socket.slot(), BackendOwner::Connection(context.slot));
            self.backend = Some((choice.address, socket));
            return self.machine.connected(true, &now);
        }
        match connect::start(choice.address) {
            Ok(stream) => {
                let slot = context.backends.insert(BackendOwner::Connection(context.slot));
                self.backend = Some((choice.address, Socket::connecting(stream, slot)));
            }
            Err(error) => self.machine.connect_failed(error.into(), &now),
        }
    }

    /// Looks whether the connect has come to an end; false if not.
    fn connect_has_ended(&mut self, now: &Now) -> bool {
        match self.backend.as_mut().map_or(Ok(false), |(_, backend)| backend.is_connected()) {
            Ok(true) => self.machine.connected(false, now),
            Ok(false) => return false,
            Err(error) => self.machine.connect_failed(error.into(), now),
        }
        true
    }

    /// Sends to the back end what fits. While the connect is under way, that this works is how we learn
    /// of its end.
    fn write_backend(&mut self, now: &Now) {
        lane::enter_at(Phase::Write, self.machine.connection(), now.instant);
        let Some((_, backend)) = &mut self.backend else { return };
        match backend.send(&mut self.up, self.machine.backend_output(), false) {
            Ok(Some(count)) => {
                // Does nothing but for the first bytes, by which we learn that the connect has succeeded.
                self.machine.connected(false, now);
                self.machine.backend_sent(count, now);
            }
            Ok(None) => {}
            Err(error) if self.machine.is_connecting() => {
                self.machine.connect_failed(ConnectError::from(&error).into(), now);
            }
            Err(_) => self.machine.backend_send_failed(How::Reset, now),
        }
    }

    /// Reads from the back end.
    fn read_backend(&mut self, now: &Now) {
        lane::enter_at(Phase::Read, self.machine.connection(), now.instant);
        let Some((_, backend)) = &mut self.backend else { return };
        let may_be_piped = self.machine.backend_may_be_piped();
        let machine = &mut self.machine;
        match backend.receive(&mut self.down, may_be_piped, || machine.backend_space()) {
            Ok(Received::Buffered(count)) => self.machine.backend_received(count, now),
            Ok(Received::Piped(count)) => self.machine.backend_piped(count, now),
            Ok(Received::Nothing) => self.machine.nothing_from_backend(),
            Err(_) => self.machine.backend_failed(How::Reset, now),
        }
    }

    /// Sends to the client what fits.
    fn write_client(&mut self, now: &Now) {
        lane::enter_at(Phase::Write, self.machine.connection(), now.instant);
        let sent = match self.machine.client_output() {
            Output::Bytes { first, second, more } => self.client.send(&mut self.down, [first, second], more),
            Output::File { file, offset, length } => self.client.send_file(file.file(), offset, length),
        };
        match sent {
            // `sendfile` sends nothing where the file has become shorter than it was.
            Ok(Some(0)) => self.machine.file_ended(),
            Ok(Some(count)) => self.machine.client_sent(count, now),
            Ok(None) => {}
            Err(_) => self.machine.client_failed(),
        }
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
        match self.backend.as_ref().map_or(Ok(()), |(_, backend)| backend.shut()) {
            Ok(()) => self.machine.backend_shut(),
            Err(_) => self.machine.backend_failed(How::Reset, now),
        }
    }

    /// The back end's socket, which is this session's no longer.
    pub(crate) fn take_backend(&mut self) -> Option<(SocketAddr, Socket)> {
        self.backend.take()
    }

    /// Closes the back end's socket, if there is one, and frees its slot.
    pub(crate) fn drop_backend(&mut self, context: &mut LoopContext<'_>) {
        if let Some((_, backend)) = self.backend.take() {
            context.backends.remove(backend.slot());
        }
    }

    /// Acts on what time has brought: a deadline, the drain.
    pub(crate) fn keep_time(&mut self, context: &LoopContext<'_>) {
        self.machine.expired(&context.now);
        if context.is_draining {
            self.machine.drain();
        }
    }

    /// Ends it: the log is told, and a connection whose peer must learn that something is missing will be
    /// closed by a reset. The sockets themselves close when the session is dropped, which also takes them
    /// out of the poller.
    pub(crate) fn finish(&mut self, context: &mut LoopContext<'_>) -> Served {
        self.tell_peers();
        self.drop_backend(context);
        self.machine.finish(&context.now);
        Served::Closed
    }

    fn tell_peers(&self) {
        if self.machine.was_cut() {
            self.client.reset_on_close();
        }
        if self.machine.backend_was_cut() {
            self.backend.iter().for_each(|(_, backend)| backend.reset_on_close());
        }
    }

    fn backend_is(&self, ready: impl Fn(&Socket) -> bool) -> bool {
        self.backend.as_ref().is_some_and(|(_, socket)| ready(socket))
    }
}

/// A session while the loop does not serve it.
pub(crate) trait Waiting {
    /// Remembers an event of one of its sockets; it is acted on when the session is served.
    fn note(&mut self, side: Side, event: &Event);

    /// When it is to be served even without an event.
    fn deadline(&self) -> Option<Instant>;

    /// The drain's time is over: ends it here and now, and says so in the log.
    fn cut(&mut self, now: &Now);
}

impl<M: Machine<File: FileToSend>> Waiting for Session<M> {
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
        self.machine.drained();
        self.tell_peers();
        self.machine.finish(now);
    }
}
