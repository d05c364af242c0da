//! What the stories of `web`, `gateway` and `relay` have in common: the moves of bytes, and the wait between
//! them. Twin: `poll_loop/session.rs`.
//!
//! Contract: [`wait_and_read`](Session::wait_and_read) may wait as long as its [`WaitBudget`] allows, and
//! [`try_backend`](Session::try_backend) as long as the connect timeout; all other functions move what they can
//! at once. Whatever happens is reported to the machine, and nothing is decided here.

use std::time::{Duration, Instant};

use super::Parked;
use super::io::{self, Socket};
use super::worker::WaitBudget;
use crate::balance::idle_pool::Place;
use crate::net::connect::ConnectError;
use crate::net::io::FileToSend;
use crate::net::socket::{AnySocket, Handle, number};
use crate::net::tls::{TlsStream, connect_error};
use crate::net::{clock, connect, session};
use crate::observe::lane::{self, Phase};
use crate::protocol::exchange::BackendTarget;
use crate::protocol::interest::{Interest, Step};
use crate::protocol::machine::Machine;
use crate::protocol::now::Now;
use crate::protocol::web::Output;

/// A client that is served by a machine of kind `M`.
pub(crate) type Session<M> = session::Session<M, Socket>;

impl<M: Machine<File: FileToSend>> Session<M> {
    /// Waits until client or back end can go on, and reads from whichever has sent something.
    pub(crate) fn wait_and_read(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        let now = self.keep_time(budget);
        let step = self.machine.step();
        let limit = match step {
            Step::Transfer => budget.limit(self.machine.deadline(), &now)?,
            // For its turn it waits in the parking only: that is where its waker leads.
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

    /// Has the password of the request verified, if that is to be done, and waits for it.
    pub(crate) fn verify_password(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.machine.is_verifying() {
            match self.machine.step() {
                Step::Verify => {
                    let now = self.keep_time(budget);
                    let waker = || budget.load.waker.for_connection(number(&self.client));
                    self.machine.verify_password(&now, waker);
                }
                _ => self.wait_and_read(budget)?,
            }
        }
        Ok(())
    }

    /// Acts on what time has brought: a deadline, the drain, the end of it.
    fn keep_time(&mut self, budget: &WaitBudget<'_>) -> Now {
        let now = clock::now();
        self.machine.expired(&now);
        if budget.load.is_draining() {
            self.machine.drain_unless_new(&now);
        }
        if budget.load.is_over() {
            self.machine.drained();
        }
        now
    }

    /// Chooses a back end and connects to it, or takes the idle connection that `idle` has to it. The worker
    /// waits for the connect, up to the connect timeout: on the way to it nothing can be parked.
    pub(crate) fn try_backend(
        &mut self,
        budget: &WaitBudget<'_>,
        idle: impl FnOnce(&Place, &Now) -> Option<Socket>,
    ) {
        let now = self.keep_time(budget);
        lane::enter_at(Phase::Connect, self.machine.connection(), now.instant);
        // The one that was tried before is closed now, even if there is no other.
        self.backend = None;
        let waker = || budget.load.waker.for_connection(number(&self.client));
        let Some(choice) = self.machine.choose_backend(&now, waker) else { return };
        let place = choice.place();
        if let Some(socket) = choice.may_reuse.then(|| idle(&place, &now)).flatten() {
            self.backend = Some((place, socket));
            return self.machine.connected(true, &now);
        }
        budget.about_to_wait();
        match connect(&choice, self.machine.connect_timeout(&now), &now) {
            Ok(socket) => {
                self.backend = Some((place, socket));
                self.machine.connected(false, &clock::now());
            }
            Err(error) => self.machine.connect_failed(error.into(), &clock::now()),
        }
    }

    /// Reads from the client; false if nothing came.
    fn read_client(&mut self, limit: Duration, budget: &WaitBudget<'_>) -> bool {
        let may_be_piped = self.machine.client_may_be_piped() && self.may_pipe();
        let machine = &mut self.machine;
        let received = self.client.receive(&mut self.up, may_be_piped, || machine.client_space(), limit);
        self.hear_of_drain(budget);
        self.client_read(received, &clock::now())
    }

    /// Sends to the back end what fits; false if nothing did.
    pub(crate) fn write_backend(&mut self) -> bool {
        let Some((_, backend)) = &mut self.backend else { return false };
        if !self.machine.interest().write_backend {
            return false;
        }
        lane::enter(Phase::Write, self.machine.connection());
        let sent = backend.send(&mut self.up, self.machine.backend_output(), false);
        self.machine.backend_written(sent, &clock::now())
    }

    /// Reads from the back end; false if nothing came.
    fn read_backend(&mut self, limit: Duration, budget: &WaitBudget<'_>) -> bool {
        let may_be_piped = self.machine.backend_may_be_piped() && self.may_pipe();
        let Some((_, backend)) = &mut self.backend else { return false };
        let machine = &mut self.machine;
        let received = backend.receive(&mut self.down, may_be_piped, || machine.backend_space(), limit);
        self.hear_of_drain(budget);
        self.machine.backend_read(received, &clock::now())
    }

    /// Sends to the client what fits; false if nothing did.
    pub(crate) fn write_client(&mut self, budget: &WaitBudget<'_>) -> Result<bool, Parked> {
        if !self.machine.interest().write_client {
            return Ok(false);
        }
        let may_wait = budget.count_move()?;
        lane::enter(Phase::Write, self.machine.connection());
        let sent = match self.machine.client_output() {
            Output::Bytes { first, second, more } => self.client.send(&mut self.down, [first, second], more),
            Output::File { file, offset, length } => {
                if may_wait {
                    budget.about_to_wait();
                }
                self.client.send_file(file.file(), offset, length, may_wait)
            }
        };
        Ok(self.machine.client_written(sent, &clock::now()))
    }

    /// The drain may have begun during a wait: then the request that has just come, or that is being
    /// answered, is the last one.
    fn hear_of_drain(&mut self, budget: &WaitBudget<'_>) {
        if budget.load.is_draining() {
            self.machine.take_last_request();
        }
    }
}

/// A new connection to this back end, encrypted if it is to be; made within `timeout`.
fn connect(target: &BackendTarget, timeout: Duration, now: &Now) -> Result<Socket, ConnectError> {
    let mut socket = Socket::connected(connect::connect(target.address, timeout)?);
    if let Some(tls) = &target.tls {
        let until = now.instant + timeout;
        let shaken = TlsStream::connect(tls).and_then(|stream| socket.shake_hands(Box::new(stream), until));
        shaken.map_err(|error| connect_error(target.address, &tls.host, &error))?;
    }
    Ok(socket)
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

/// What a session waits for while no worker serves it, and on which sockets.
pub(crate) struct Awaited<'s> {
    pub(crate) step: Step,
    pub(crate) interest: Interest,
    /// Bytes that are to be read have come already, and were not decrypted: no socket will tell of them.
    pub(crate) has_unread: bool,
    /// When it is to be served even if nothing happens.
    pub(crate) deadline: Option<Instant>,
    pub(crate) client: Handle<'s>,
    pub(crate) backend: Option<Handle<'s>>,
}

/// A session while no worker serves it, whatever its machine.
pub(crate) trait Parkable {
    /// What it waits for.
    fn awaited(&self) -> Awaited<'_>;

    /// Bytes have come from the client or from the back end: the next step is to read them.
    fn expect_bytes(&mut self, from_client: bool);

    /// The drain begins: what is in flight is the last of its kind.
    fn drain(&mut self);

    /// Refuses the client instead of serving it.
    fn refuse(&mut self);

    /// The drain's time is over: ends it here and now.
    fn cut(&mut self);
}

impl<M: Machine<File: FileToSend>> Parkable for Session<M> {
    fn awaited(&self) -> Awaited<'_> {
        let interest = self.machine.blocking_interest();
        let of_backend =
            interest.read_backend && self.backend.as_ref().is_some_and(|(_, socket)| socket.holds_unread());
        Awaited {
            step: self.machine.step(),
            interest,
            has_unread: (interest.read_client && self.client.holds_unread()) || of_backend,
            deadline: self.machine.deadline(),
            client: self.client.handle(),
            backend: self.backend.as_ref().map(|(_, socket)| socket.handle()),
        }
    }

    fn expect_bytes(&mut self, from_client: bool) {
        match (from_client, &mut self.backend) {
            (true, _) => self.client.expect_bytes(),
            (false, Some((_, backend))) => backend.expect_bytes(),
            (false, None) => {}
        }
    }

    fn drain(&mut self) {
        self.machine.drain_unless_new(&clock::now());
    }

    fn refuse(&mut self) {
        self.machine.refuse_for_lack_of_workers(&clock::now());
    }

    fn cut(&mut self) {
        self.cut(&clock::now());
    }
}
