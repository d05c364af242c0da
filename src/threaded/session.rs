//! One client, its back end if it has one, and the machine that decides what is done for them: what the
//! stories of `web`, `gateway` and `relay` have in common. Twin: `poll_loop/session.rs`.
//!
//! Contract: [`wait_and_read`](Session::wait_and_read) may wait as long as its [`WaitBudget`] allows, and
//! [`connect`](Session::connect) as long as the connect timeout; all other functions move what they can at
//! once. Whatever happens is reported to the machine, and nothing is decided here.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::io::{self, Received, Socket};
use super::worker::WaitBudget;
use super::{Awaited, Parked};
use crate::net::io::FileToSend;
use crate::net::pipe::StreamPipe;
use crate::net::{clock, connect};
use crate::observe::lane::{self, Phase};
use crate::protocol::interest::{Interest, Step};
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
    /// The number of the waker it was given when it last had to wait for a back end.
    waker: Option<u64>,
    /// Rust drops fields from top to bottom: the machine, and with it the place at the back end, goes when
    /// the sockets are closed.
    pub(crate) machine: M,
}

impl<M: Machine<File: FileToSend>> Session<M> {
    pub(crate) fn new(machine: M, client: Socket, backend: Option<(SocketAddr, Socket)>) -> Session<M> {
        Session {
            client,
            backend,
            up: StreamPipe::default(),
            down: StreamPipe::default(),
            waker: None,
            machine,
        }
    }

    /// Goes on with another machine over the same sockets; `None` if there is no back end.
    pub(crate) fn with<N: Machine<File: FileToSend>>(
        self,
        machine: impl FnOnce(M) -> N,
    ) -> Option<Session<N>> {
        let backend = self.backend?;
        Some(Session::new(machine(self.machine), self.client, Some(backend)))
    }

    /// Waits until client or back end can go on, and reads from whichever has sent something.
    pub(crate) fn wait_and_read(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        let now = self.keep_time(budget);
        let step = self.machine.step();
        let limit = match step {
            Step::Transfer => budget.limit(self.machine.deadline(), &now),
            // In the queue for a back end it waits in the parking only: that is where its waker leads.
            Step::Queue => Duration::ZERO,
            // Time has brought something else to do.
            _ => return Ok(()),
        };
        let interest = self.machine.blocking_interest();
        lane::enter_at(waiting_phase(&interest), self.machine.connection(), now.instant);
        let backend = self.backend.as_mut().map(|(_, socket)| socket);
        let ready = io::wait(&interest, &mut self.client, backend, limit);
        let from_backend = ready.read_backend && self.read_backend(ready.limit, budget);
        let from_client = ready.read_client && self.read_client(ready.limit, budget);
        if ready.client_failed {
            self.machine.client_failed();
        }
        match from_backend || from_client || ready.has_room || ready.client_failed {
            true => budget.renew(),
            false if ready.is_look => {}
            false if step == Step::Queue => budget.park(self.machine.deadline())?,
            false => budget.waited_in_vain(self.machine.deadline())?,
        }
        Ok(())
    }

    /// Reads from the client; false if nothing came.
    fn read_client(&mut self, limit: Duration, budget: &WaitBudget<'_>) -> bool {
        let may_be_piped = self.machine.client_may_be_piped();
        let machine = &mut self.machine;
        let received = self.client.receive(&mut self.up, may_be_piped, || machine.client_space(), limit);
        self.hear_of_drain(budget);
        let now = clock::now();
        match received {
            Ok(Received::Buffered(count)) => self.machine.client_received(count, &now),
            Ok(Received::Piped(count)) => self.machine.client_piped(count, &now),
            Ok(Received::Nothing) => {
                self.machine.nothing_from_client();
                return false;
            }
            Err(_) => self.machine.client_failed(),
        }
        true
    }

    /// Chooses a back end and connects to it, or takes the idle connection that `idle` has to it. The worker
    /// waits for the connect, up to the connect timeout: on the way to it nothing can be parked.
    pub(crate) fn connect(
        &mut self,
        budget: &WaitBudget<'_>,
        idle: impl FnOnce(SocketAddr, &Now) -> Option<Socket>,
    ) {
        let now = self.keep_time(budget);
        lane::enter_at(Phase::Connect, self.machine.connection(), now.instant);
        // The one that was tried before is closed now, even if there is no other.
        self.backend = None;
        let waker = || {
            let (waker, number) = budget.waker();
            self.waker = Some(number);
            waker
        };
        let Some(choice) = self.machine.choose_backend(&now, waker) else { return };
        if let Some(socket) = choice.may_reuse.then(|| idle(choice.address, &now)).flatten() {
            self.backend = Some((choice.address, socket));
            return self.machine.connected(true, &now);
        }
        match connect::connect(choice.address, self.machine.connect_timeout(&now)) {
            Ok(stream) => {
                self.backend = Some((choice.address, Socket::connected(stream)));
                self.machine.connected(false, &clock::now());
            }
            Err(error) => self.machine.connect_failed(error.into(), &clock::now()),
        }
    }

    /// Sends to the back end what fits; false if nothing did.
    pub(crate) fn write_backend(&mut self) -> bool {
        let Some((_, backend)) = &mut self.backend else { return false };
        if !self.machine.interest().write_backend {
            return false;
        }
        lane::enter(Phase::Write, self.machine.connection());
        let sent = backend.send(&mut self.up, self.machine.backend_output(), false);
        let now = clock::now();
        match sent {
            Ok(Some(count)) => self.machine.backend_sent(count, &now),
            Ok(None) => return false,
            Err(_) => self.machine.backend_send_failed(How::Reset, &now),
        }
        true
    }

    /// Reads from the back end; false if nothing came.
    fn read_backend(&mut self, limit: Duration, budget: &WaitBudget<'_>) -> bool {
        let Some((_, backend)) = &mut self.backend else { return false };
        let may_be_piped = self.machine.backend_may_be_piped();
        let machine = &mut self.machine;
        let received = backend.receive(&mut self.down, may_be_piped, || machine.backend_space(), limit);
        self.hear_of_drain(budget);
        let now = clock::now();
        match received {
            Ok(Received::Buffered(count)) => self.machine.backend_received(count, &now),
            Ok(Received::Piped(count)) => self.machine.backend_piped(count, &now),
            Ok(Received::Nothing) => {
                self.machine.nothing_from_backend();
                return false;
            }
            Err(_) => self.machine.backend_failed(How::Reset, &now),
        }
        true
    }

    /// Sends to the client what fits; false if nothing did.
    pub(crate) fn write_client(&mut self) -> bool {
        if !self.machine.interest().write_client {
            return false;
        }
        lane::enter(Phase::Write, self.machine.connection());
        let sent = match self.machine.client_output() {
            Output::Bytes { first, second, more } => self.client.send(&mut self.down, [first, second], more),
            Output::File { file, offset, length } => self.client.send_file(file.file(), offset, length),
        };
        match sent {
            // `sendfile` sends nothing where the file has become shorter than it was.
            Ok(Some(0)) => self.machine.file_ended(),
            Ok(Some(count)) => self.machine.client_sent(count, &clock::now()),
            Ok(None) => return false,
            Err(_) => self.machine.client_failed(),
        }
        true
    }

    /// Closes our sending side towards the client.
    pub(crate) fn shut_client(&mut self) {
        match self.client.shut() {
            Ok(()) => self.machine.client_shut(),
            Err(_) => self.machine.client_failed(),
        }
    }

    /// Closes our sending side towards the back end.
    pub(crate) fn shut_backend(&mut self) {
        match self.backend.as_ref().map_or(Ok(()), |(_, backend)| backend.shut()) {
            Ok(()) => self.machine.backend_shut(),
            Err(_) => self.machine.backend_failed(How::Reset, &clock::now()),
        }
    }

    /// The back end's socket, which is this session's no longer.
    pub(crate) fn take_backend(&mut self) -> Option<(SocketAddr, Socket)> {
        self.backend.take()
    }

    /// Acts on what time has brought: a deadline, the drain, the end of it.
    fn keep_time(&mut self, budget: &WaitBudget<'_>) -> Now {
        let now = clock::now();
        self.machine.expired(&now);
        if budget.is_draining() {
            self.machine.drain();
        }
        if budget.is_over() {
            self.machine.drained();
        }
        now
    }

    /// The drain may have begun during a wait: then the request that has just come, or that is being
    /// answered, is the last one.
    fn hear_of_drain(&mut self, budget: &WaitBudget<'_>) {
        if budget.is_draining() {
            self.machine.take_last_request();
        }
    }

    /// Ends it: the log is told, and a connection whose peer must learn that something is missing will be
    /// closed by a reset. The sockets themselves close when the session is dropped.
    pub(crate) fn finish(&mut self) {
        if self.machine.was_cut() {
            self.client.reset_on_close();
        }
        if self.machine.backend_was_cut() {
            self.backend.iter().for_each(|(_, backend)| backend.reset_on_close());
        }
        self.machine.finish(&clock::now());
    }
}

/// What a worker does that waits for these things.
fn waiting_phase(interest: &Interest) -> Phase {
    match interest {
        Interest { read_backend: true, .. } => Phase::Wait,
        Interest { read_client: true, .. } => Phase::Read,
        Interest { write_client: true, .. } | Interest { write_backend: true, .. } => Phase::Write,
        // Its place in the queue for a back end.
        _ => Phase::Wait,
    }
}

/// A session while no worker serves it.
pub(crate) trait Waiting {
    /// What it waits for.
    fn awaited(&self) -> Awaited<'_>;

    /// When it is to be served even if nothing happens.
    fn deadline(&self) -> Option<Instant>;

    /// The drain begins: what is in flight is the last of its kind.
    fn drain(&mut self);

    /// Answers 503 instead of serving.
    fn refuse(&mut self);

    /// The drain's time is over: ends it here and now, and says so in the log.
    fn cut(&mut self);
}

impl<M: Machine<File: FileToSend>> Waiting for Session<M> {
    fn awaited(&self) -> Awaited<'_> {
        Awaited {
            step: self.machine.step(),
            interest: self.machine.blocking_interest(),
            client: self.client.as_fd(),
            backend: self.backend.as_ref().map(|(_, socket)| socket.as_fd()),
            waker: self.waker,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.machine.deadline()
    }

    fn drain(&mut self) {
        self.machine.drain();
    }

    fn refuse(&mut self) {
        self.machine.refuse_for_lack_of_workers(&clock::now());
    }

    fn cut(&mut self) {
        self.machine.drained();
        self.finish();
    }
}
