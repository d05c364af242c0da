//! The story of one client of a relay and its back end, told by one worker. Twin: `poll_loop/relay.rs`.
//!
//! One worker owns both directions. With two jobs for one connection the pool could starve: enough of
//! them, and each worker waits for a partner that is still in the queue.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::io::{self, Received, Socket};
use super::worker::WaitBudget;
use super::{Awaited, Connection, Parked};
use crate::net::pipe::StreamPipe;
use crate::net::{clock, connect};
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
    connect_timeout: Duration,
    /// The number of the waker it was given when it last had to wait for a back end.
    waker: Option<u64>,
    /// Dropped last: with it goes the place at the back end, whose connection must be closed by then.
    relay: Relay,
}

impl Connection for RelayConnection {
    type Service = RelayService;
    type Common = ();
    const REFUSES_WHEN_FULL: bool = false;

    fn accept(
        service: Arc<RelayService>,
        _common: &(),
        client: TcpStream,
        peer: SocketAddr,
        accepted: Instant,
        now: &Now,
    ) -> Self {
        let caller = service.context.proxies.identify(peer, || client.local_addr());
        let connect_timeout = service.context.timeouts.connect;
        let relay = Relay::new(service, caller, accepted, now);
        RelayConnection { connect_timeout, ..RelayConnection::over(relay, Socket::accepted(client), None) }
    }

    fn serve(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        self.connect(budget)?;
        self.copy_both_ways(budget)?;
        self.finish(&clock::now());
        Ok(())
    }

    fn awaits(&self) -> Awaited<'_> {
        Awaited {
            step: self.relay.step(),
            interest: self.relay.interest(),
            client: Some(self.client.as_fd()),
            backend: self.backend.as_ref().map(AsFd::as_fd),
            waker: self.waker,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.relay.deadline()
    }

    /// A relay cannot tell what is in flight: it goes on until it ends, or the drain does.
    fn drain(&mut self) {}

    /// A relay has no words of its own: it is never asked to refuse, and would just close.
    fn refuse(&mut self, _now: &Now) {
        self.relay.drained();
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
        RelayConnection {
            client,
            backend,
            up: StreamPipe::default(),
            down: StreamPipe::default(),
            connect_timeout: Duration::ZERO,
            waker: None,
            relay,
        }
    }

    /// Connects to the back end whose turn it is; to the next, if that one cannot be had.
    fn connect(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.relay.needs_backend() {
            let now = self.keep_time(budget);
            match self.relay.step() {
                Step::Connect => self.connect_next(budget, &now),
                // Its PROXY header is awaited, or its place in the queue for a back end.
                _ => self.wait_for_either(budget)?,
            }
        }
        Ok(())
    }

    /// Copies bytes both ways and passes each end on, until both sides have ended.
    fn copy_both_ways(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.relay.step() != Step::Finish {
            let has_sent = self.write_backend() | self.write_client();
            match self.relay.step() {
                Step::ShutClient => self.shut_client(),
                Step::ShutBackend => self.shut_backend(),
                Step::Transfer if !has_sent => self.wait_for_either(budget)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Waits until client or back end can go on, and reads from whichever has sent something.
    fn wait_for_either(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        let now = self.keep_time(budget);
        // In the queue for a back end it waits in the parking only: that is where its waker leads.
        let is_queued = self.relay.step() == Step::Queue;
        let limit = match self.relay.step() {
            Step::Transfer => budget.limit(self.relay.deadline(), &now),
            Step::Queue => Duration::ZERO,
            _ => return Ok(()),
        };
        let ready = io::wait(&self.relay.interest(), &mut self.client, self.backend.as_mut(), limit);
        let from_backend = ready.read_backend && self.read_backend(ready.limit);
        let from_client = ready.read_client && self.read_client(ready.limit);
        if ready.client_failed {
            self.relay.client_failed();
        }
        match from_backend || from_client || ready.has_room || ready.client_failed {
            true => budget.renew(),
            false if ready.is_look => {}
            false if is_queued => budget.park(self.relay.deadline())?,
            false => budget.waited_in_vain(self.relay.deadline())?,
        }
        Ok(())
    }

    /// Reads from the client; false if nothing came.
    fn read_client(&mut self, limit: Duration) -> bool {
        let may_be_piped = self.relay.client_may_be_piped();
        let relay = &mut self.relay;
        match self.client.receive_stream(&mut self.up, may_be_piped, || relay.client_space(), limit) {
            Ok(Received::Buffered(count)) => self.relay.client_received(count, &clock::now()),
            Ok(Received::Piped(count)) => self.relay.client_piped(count, &clock::now()),
            Ok(Received::Nothing) => {
                self.relay.nothing_from_client();
                return false;
            }
            Err(_) => self.relay.client_failed(),
        }
        true
    }

    /// Tries one back end.
    fn connect_next(&mut self, budget: &WaitBudget<'_>, now: &Now) {
        let waker = || {
            let (waker, number) = budget.waker();
            self.waker = Some(number);
            waker
        };
        let Some(address) = self.relay.choose_backend(now, waker) else { return };
        let connected = connect::connect(address, self.connect_timeout);
        let now = clock::now();
        match connected {
            Ok(stream) => {
                self.backend = Some(Socket::connected(stream));
                self.relay.connected(&now);
            }
            Err(error) => self.relay.connect_failed(error.into(), &now),
        }
    }

    /// Sends to the back end what fits without waiting; false if nothing did.
    fn write_backend(&mut self) -> bool {
        let Some(backend) = &mut self.backend else { return false };
        if !self.relay.interest().write_backend {
            return false;
        }
        match backend.send_stream(&mut self.up, self.relay.backend_output()) {
            Ok(Some(count)) => self.relay.backend_sent(count, &clock::now()),
            Ok(None) => return false,
            Err(_) => self.relay.backend_failed(),
        }
        true
    }

    /// Reads from the back end; false if nothing came.
    fn read_backend(&mut self, limit: Duration) -> bool {
        let Some(backend) = &mut self.backend else { return false };
        let may_be_piped = self.relay.backend_may_be_piped();
        let relay = &mut self.relay;
        match backend.receive_stream(&mut self.down, may_be_piped, || relay.backend_space(), limit) {
            Ok(Received::Buffered(count)) => self.relay.backend_received(count, &clock::now()),
            Ok(Received::Piped(count)) => self.relay.backend_piped(count, &clock::now()),
            Ok(Received::Nothing) => {
                self.relay.nothing_from_backend();
                return false;
            }
            Err(_) => self.relay.backend_failed(),
        }
        true
    }

    /// Sends to the client what fits without waiting; false if nothing did.
    fn write_client(&mut self) -> bool {
        if !self.relay.interest().write_client {
            return false;
        }
        match self.client.send_stream(&mut self.down, self.relay.client_output()) {
            Ok(Some(count)) => self.relay.client_sent(count, &clock::now()),
            Ok(None) => return false,
            Err(_) => self.relay.client_failed(),
        }
        true
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

    /// Acts on what time has brought: a deadline, or the end of the drain.
    fn keep_time(&mut self, budget: &WaitBudget<'_>) -> Now {
        let now = clock::now();
        self.relay.expired(&now);
        if budget.is_over() {
            self.relay.drained();
        }
        now
    }

    fn finish(&mut self, now: &Now) {
        if self.relay.was_cut() {
            self.client.reset_on_close();
            self.backend.iter().for_each(Socket::reset_on_close);
        }
        self.relay.finish(now);
    }
}
