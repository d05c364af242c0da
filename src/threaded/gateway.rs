//! The story of one client of a gateway, told by one worker. Twin: `poll_loop/gateway.rs`.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::io::{self, Socket};
use super::relay::RelayConnection;
use super::worker::WaitBudget;
use super::{Awaited, Connection, Parked};
use crate::balance::idle_pool::IdlePool;
use crate::net::{clock, connect};
use crate::protocol::exchange::{Exchange, Gateway};
use crate::protocol::interest::{Interest, Step};
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
    idle: Idle,
    connect_timeout: Duration,
    /// The number of the waker it was given when it last had to wait for a back end.
    waker: Option<u64>,
    /// Dropped last: with it goes the place at the back end, whose connection must be closed by then.
    exchange: Exchange,
}

/// Idle connections to back ends, for whichever worker needs one next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Idle(Arc<Mutex<IdlePool<Socket>>>);

impl Connection for GatewayConnection {
    type Service = Gateway;
    type Common = Idle;
    const REFUSES_WHEN_FULL: bool = true;

    fn accept(
        gateway: Arc<Gateway>,
        idle: &Idle,
        client: TcpStream,
        peer: SocketAddr,
        accepted: Instant,
        now: &Now,
    ) -> Self {
        let caller = gateway.context.proxies.identify(peer, || client.local_addr());
        let connect_timeout = gateway.context.timeouts.connect;
        let http = HttpConnection {
            client: Socket::accepted(client),
            backend: None,
            idle: idle.clone(),
            connect_timeout,
            waker: None,
            exchange: Exchange::new(gateway, caller, accepted, now),
        };
        GatewayConnection { stage: Stage::Http(http) }
    }

    fn serve(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        if let Stage::Http(http) = &mut self.stage {
            http.serve(budget)?;
        }
        self.switch_protocols();
        match &mut self.stage {
            Stage::Tunnel(relay) => relay.serve(budget),
            Stage::Http(_) | Stage::Switching => Ok(()),
        }
    }

    fn awaits(&self) -> Awaited<'_> {
        match &self.stage {
            Stage::Http(http) => Awaited {
                step: http.exchange.step(),
                interest: http.exchange.interest(),
                client: Some(http.client.as_fd()),
                backend: http.backend.as_ref().map(|(_, socket)| socket.as_fd()),
                waker: http.waker,
            },
            Stage::Tunnel(relay) => relay.awaits(),
            Stage::Switching => Awaited {
                step: Step::Finish,
                interest: Interest::NONE,
                client: None,
                backend: None,
                waker: None,
            },
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Http(http) => http.exchange.deadline(),
            Stage::Tunnel(relay) => relay.deadline(),
            Stage::Switching => None,
        }
    }

    fn drain(&mut self) {
        if let Stage::Http(http) = &mut self.stage {
            http.exchange.drain();
        }
    }

    fn refuse(&mut self, now: &Now) {
        if let Stage::Http(http) = &mut self.stage {
            http.exchange.refuse_for_lack_of_workers(now);
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

    fn tidy(idle: &Idle, now: &Now) {
        loop {
            // The lock is let go before the socket is closed.
            let old = idle.lock().expire(now.instant);
            if old.is_none() {
                return;
            }
        }
    }
}

impl GatewayConnection {
    /// If the exchange has ended in `101`, the same sockets go on as a relay.
    fn switch_protocols(&mut self) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Switching) {
            Stage::Http(HttpConnection { exchange, client, backend: Some((_, backend)), .. })
                if exchange.step() == Step::SwitchProtocols =>
            {
                Stage::Tunnel(RelayConnection::join(exchange.into_relay(&clock::now()), client, backend))
            }
            stage => stage,
        };
    }
}

impl HttpConnection {
    /// Request after request, until one of them is the last or makes a tunnel of the connection.
    fn serve(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.exchange.is_open() {
            self.read_request_head(budget)?;
            self.connect(budget)?;
            self.exchange_bodies(budget)?;
        }
        if self.exchange.step() == Step::SwitchProtocols {
            return Ok(());
        }
        self.close(budget)
    }

    /// Reads until a whole request head is here.
    fn read_request_head(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.exchange.awaits_request() {
            self.wait_for_either(budget)?;
        }
        Ok(())
    }

    /// Takes an idle connection to the back end whose turn it is, or connects to it; to the next, if
    /// that one cannot be had.
    fn connect(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.exchange.needs_backend() {
            let now = self.keep_time(budget);
            match self.exchange.step() {
                Step::Connect => self.connect_next(budget, &now),
                _ => self.wait_for_either(budget)?,
            }
        }
        Ok(())
    }

    /// Sends the request on and passes the response back. Both at once, for a back end may answer
    /// before it has the whole body.
    fn exchange_bodies(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.exchange.is_exchanging() {
            let has_sent = self.write_backend() | self.write_client();
            match self.exchange.step() {
                Step::ReleaseBackend => self.release_backend(),
                // That back end could not take the request: another one may.
                Step::Connect | Step::Queue => self.connect(budget)?,
                Step::Transfer if !has_sent => self.wait_for_either(budget)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Closes our side first, and reads for a while what the client still sends: to close with bytes
    /// unread would be a reset, and a reset can take the response with it.
    fn close(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.exchange.step() != Step::Finish {
            match self.exchange.step() {
                Step::ReleaseBackend => self.release_backend(),
                Step::ShutClient => self.shut_client(),
                _ => self.wait_for_either(budget)?,
            }
        }
        self.finish(&clock::now());
        Ok(())
    }

    /// Waits until client or back end can go on, and reads from whichever has sent something.
    fn wait_for_either(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        let now = self.keep_time(budget);
        // In the queue for a back end it waits in the parking only: that is where its waker leads.
        let is_queued = self.exchange.step() == Step::Queue;
        let limit = match self.exchange.step() {
            Step::Transfer => budget.limit(self.exchange.deadline(), &now),
            Step::Queue => Duration::ZERO,
            _ => return Ok(()),
        };
        let backend = self.backend.as_mut().map(|(_, socket)| socket);
        let ready = io::wait(&self.exchange.interest(), &mut self.client, backend, limit);
        let from_backend = ready.read_backend && self.read_backend(ready.limit, budget);
        let from_client = ready.read_client && self.read_client(ready.limit, budget);
        if ready.client_failed {
            self.exchange.client_failed();
        }
        match from_backend || from_client || ready.has_room || ready.client_failed {
            true => budget.renew(),
            false if ready.is_look => {}
            false if is_queued => budget.park(self.exchange.deadline())?,
            false => budget.waited_in_vain(self.exchange.deadline())?,
        }
        Ok(())
    }

    /// Reads from the client; false if nothing came.
    fn read_client(&mut self, limit: Duration, budget: &WaitBudget<'_>) -> bool {
        match self.client.receive(self.exchange.client_space(), limit) {
            Ok(Some(count)) => {
                self.hear_of_drain(budget);
                self.exchange.client_received(count, &clock::now());
            }
            Ok(None) => {
                self.exchange.nothing_from_client();
                return false;
            }
            Err(_) => self.exchange.client_failed(),
        }
        true
    }

    /// Tries one back end.
    fn connect_next(&mut self, budget: &WaitBudget<'_>, now: &Now) {
        // The one that was tried before is closed now, even if there is no other.
        self.backend = None;
        let waker = || {
            let (waker, number) = budget.waker();
            self.waker = Some(number);
            waker
        };
        let Some(choice) = self.exchange.choose_backend(now, waker) else { return };
        let idle = if choice.may_reuse { self.idle.take(choice.address, now) } else { None };
        if let Some(socket) = idle {
            self.backend = Some((choice.address, socket));
            self.exchange.connected(true, now);
            return;
        }
        let connected = connect::connect(choice.address, self.connect_timeout);
        let now = clock::now();
        match connected {
            Ok(stream) => {
                self.backend = Some((choice.address, Socket::connected(stream)));
                self.exchange.connected(false, &now);
            }
            Err(error) => self.exchange.connect_failed(error.into(), &now),
        }
    }

    /// Sends to the back end what fits without waiting; false if nothing did.
    fn write_backend(&mut self) -> bool {
        let Some((_, backend)) = &mut self.backend else { return false };
        if !self.exchange.interest().write_backend {
            return false;
        }
        match backend.send(self.exchange.backend_output(), false) {
            Ok(Some(count)) => self.exchange.backend_sent(count, &clock::now()),
            Ok(None) => return false,
            Err(_) => self.exchange.backend_send_failed(How::Reset, &clock::now()),
        }
        true
    }

    /// Reads from the back end; false if nothing came.
    fn read_backend(&mut self, limit: Duration, budget: &WaitBudget<'_>) -> bool {
        let Some((_, backend)) = &mut self.backend else { return false };
        match backend.receive(self.exchange.backend_space(), limit) {
            Ok(Some(count)) => {
                self.hear_of_drain(budget);
                self.exchange.backend_received(count, &clock::now());
            }
            Ok(None) => {
                self.exchange.nothing_from_backend();
                return false;
            }
            Err(_) => self.exchange.backend_failed(How::Reset, &clock::now()),
        }
        true
    }

    /// Sends to the client what fits without waiting; false if nothing did.
    fn write_client(&mut self) -> bool {
        if !self.exchange.interest().write_client {
            return false;
        }
        match self.client.send(self.exchange.client_output(), false) {
            Ok(Some(count)) => self.exchange.client_sent(count, &clock::now()),
            Ok(None) => return false,
            Err(_) => self.exchange.client_failed(),
        }
        true
    }

    fn shut_client(&mut self) {
        match self.client.shut() {
            Ok(()) => self.exchange.client_shut(),
            Err(_) => self.exchange.client_failed(),
        }
    }

    /// Keeps the back end's connection for another request, or closes it.
    fn release_backend(&mut self) {
        let now = clock::now();
        let release = self.exchange.release_backend(&now);
        if let Some((address, socket)) = self.backend.take()
            && release.keep
        {
            // Closed after the lock is let go, if there are too many.
            let _surplus = self.idle.lock().put(address, socket, now.instant);
        }
    }

    /// Acts on what time has brought: a deadline, the drain, the end of it.
    fn keep_time(&mut self, budget: &WaitBudget<'_>) -> Now {
        let now = clock::now();
        self.exchange.expired(&now);
        if budget.is_draining() {
            self.exchange.drain();
        }
        if budget.is_over() {
            self.exchange.drained();
        }
        now
    }

    /// The drain may have begun during a wait: then the request that has just come, or that is being
    /// answered, is the last one.
    fn hear_of_drain(&mut self, budget: &WaitBudget<'_>) {
        if budget.is_draining() {
            self.exchange.take_last_request();
        }
    }

    fn finish(&mut self, now: &Now) {
        if self.exchange.was_cut() {
            self.client.reset_on_close();
        }
        self.exchange.finish(now);
    }
}

impl Idle {
    fn lock(&self) -> MutexGuard<'_, IdlePool<Socket>> {
        // A list of sockets is whole even if a thread panicked beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest idle connection to `backend` that is as it was left; the others are closed.
    fn take(&self, backend: SocketAddr, now: &Now) -> Option<Socket> {
        loop {
            // The lock is let go before a socket is looked at or closed.
            let socket = self.lock().take(backend, now.instant)?;
            if crate::net::io::is_quiet(&socket) {
                return Some(socket);
            }
        }
    }
}
