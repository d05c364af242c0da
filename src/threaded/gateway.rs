//! One client of a gateway, served by one worker. Twin: `poll_loop/gateway.rs`.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::pool::Patience;
use super::relay::RelayConnection;
use super::socket::{self, Socket};
use super::{Connection, Turn};
use crate::app::service::{Offer, Service, Upkeep};
use crate::balance::idle_pool::IdlePool;
use crate::net::{clock, connect, io};
use crate::protocol::exchange::{Exchange, Gateway};
use crate::protocol::interest::Wants;
use crate::protocol::limits::KEEP_ALIVE_REQUESTS;
use crate::protocol::now::Now;
use crate::protocol::outcome::How;
use crate::protocol::proxy_header::Policy;
use crate::protocol::timeouts::Timeouts;

/// What the connections of a gateway share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) role: &'static str,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) timeouts: Arc<Timeouts>,
    pub(crate) proxies: Arc<Policy>,
    /// A kept connection draws back ends for as long as it lives: they are kept known for it.
    pub(crate) _upkeep: Arc<Upkeep>,
    /// Idle connections to back ends, for whichever worker needs one next.
    pub(crate) kept: Arc<Mutex<IdlePool<Socket>>>,
}

impl Shared {
    /// What is offered, with the stock of kept connections; `None` if that is no gateway.
    pub(crate) fn of(offer: &Offer, kept: &Arc<Mutex<IdlePool<Socket>>>) -> Option<Shared> {
        let Service::Gateway(gateway) = &offer.service else { return None };
        Some(Shared {
            role: offer.role,
            gateway: Arc::clone(gateway),
            timeouts: Arc::clone(&offer.timeouts),
            proxies: Arc::clone(&offer.proxies),
            _upkeep: Arc::clone(&offer.upkeep),
            kept: Arc::clone(kept),
        })
    }

    fn kept(&self) -> MutexGuard<'_, IdlePool<Socket>> {
        // A list of sockets is whole even if a thread panicked beside it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest kept connection to `backend` that is as it was left; the others are closed.
    fn take_idle(&self, backend: SocketAddr, now: &Now) -> Option<Socket> {
        loop {
            // The lock is let go before a socket is looked at or closed.
            let socket = self.kept().take(backend, now)?;
            if io::is_quiet(&socket) {
                return Some(socket);
            }
        }
    }
}

/// A client of a gateway, and the back end that is serving it.
#[derive(Debug)]
pub(crate) struct GatewayConnection {
    shared: Shared,
    stage: Stage,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all connections are the large one for all their life")]
enum Stage {
    Exchanging(Exchanging),
    /// After `101`: bytes both ways.
    Tunnel(RelayConnection),
    /// For the moment between the two.
    Switching,
}

#[derive(Debug)]
struct Exchanging {
    client: Socket,
    backend: Option<(SocketAddr, Socket)>,
    /// The last write found the socket full.
    client_full: bool,
    backend_full: bool,
    /// By what it was to be called when it last stood in the queue for a back end.
    bell: Option<u64>,
    /// Dropped last: with it goes the place at the back end, whose connection must be closed by then.
    exchange: Exchange,
}

impl Connection for GatewayConnection {
    type Shared = Shared;
    const REFUSES_WHEN_FULL: bool = true;

    fn accept(shared: &Shared, client: TcpStream, peer: SocketAddr, accepted: Instant, now: &Now) -> Self {
        let Shared { role, gateway, timeouts, proxies, .. } = shared;
        let caller = proxies.caller(peer, || client.local_addr());
        let (gateway, timeouts) = (Arc::clone(gateway), Arc::clone(timeouts));
        let exchange = Exchange::new(role, caller, gateway, timeouts, KEEP_ALIVE_REQUESTS, accepted, now);
        let client = Socket::accepted(client);
        let exchanging = Exchanging {
            client,
            backend: None,
            client_full: false,
            backend_full: false,
            bell: None,
            exchange,
        };
        GatewayConnection { shared: shared.clone(), stage: Stage::Exchanging(exchanging) }
    }

    fn serve(&mut self, patience: &Patience<'_>) -> Turn {
        if let Stage::Exchanging(exchanging) = &mut self.stage
            && let Some(turn) = exchanging.serve(&self.shared, patience)
        {
            return turn;
        }
        self.switch_protocols();
        match &mut self.stage {
            Stage::Tunnel(relay) => relay.serve(patience),
            Stage::Exchanging(_) | Stage::Switching => Turn::Done,
        }
    }

    fn waits_for(&self) -> (Wants, [Option<BorrowedFd<'_>>; 2]) {
        match &self.stage {
            Stage::Exchanging(exchanging) => {
                let backend = exchanging.backend.as_ref().map(|(_, socket)| socket.as_fd());
                (exchanging.exchange.wants(), [Some(exchanging.client.as_fd()), backend])
            }
            Stage::Tunnel(relay) => relay.waits_for(),
            Stage::Switching => (Wants::default(), [None, None]),
        }
    }

    fn bell(&self) -> Option<u64> {
        match &self.stage {
            Stage::Exchanging(exchanging) => exchanging.bell,
            Stage::Tunnel(_) | Stage::Switching => None,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Exchanging(exchanging) => exchanging.exchange.deadline(),
            Stage::Tunnel(relay) => relay.deadline(),
            Stage::Switching => None,
        }
    }

    fn drain(&mut self) {
        match &mut self.stage {
            Stage::Exchanging(exchanging) => exchanging.exchange.drain(),
            Stage::Tunnel(_) | Stage::Switching => {}
        }
    }

    fn refuse(&mut self, now: &Now) {
        if let Stage::Exchanging(exchanging) = &mut self.stage {
            exchanging.exchange.refuse_for_lack_of_workers(now);
        }
    }

    fn cut(&mut self, now: &Now) {
        match &mut self.stage {
            Stage::Exchanging(exchanging) => {
                exchanging.exchange.drained();
                exchanging.finish(now);
            }
            Stage::Tunnel(relay) => relay.cut(now),
            Stage::Switching => {}
        }
    }

    fn tidy(shared: &Shared, now: &Now) {
        loop {
            // The lock is let go before the socket is closed.
            let old = shared.kept().expire(now);
            if old.is_none() {
                return;
            }
        }
    }
}

impl GatewayConnection {
    /// The exchange has ended in `101`: the same sockets go on as a relay.
    fn switch_protocols(&mut self) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Switching) {
            Stage::Exchanging(Exchanging { exchange, client, backend: Some((_, backend)), .. }) => {
                Stage::Tunnel(RelayConnection::join(exchange.into_relay(&clock::now()), client, backend))
            }
            stage => stage,
        };
    }
}

impl Exchanging {
    /// Serves requests until there is a turn to take; `None` means that the exchange became a tunnel.
    fn serve(&mut self, shared: &Shared, patience: &Patience<'_>) -> Option<Turn> {
        loop {
            let now = clock::now();
            self.exchange.expired(&now);
            self.hear_of_drain(patience);
            if patience.is_over() {
                self.exchange.drained();
            }
            let wants = self.exchange.wants();
            if wants.finish {
                self.finish(&now);
                return Some(Turn::Done);
            } else if wants.tunnel {
                return None;
            } else if wants.release_backend {
                self.release_backend(shared, &now);
            } else if wants.connect {
                self.connect(shared, patience, &now);
            } else if wants.write_backend && !self.backend_full {
                self.write_backend();
            } else if wants.write_client && !self.client_full {
                self.write_client();
            } else if wants.shut_client {
                self.shut_client();
            } else if self.wait(&wants, patience, &now) == Turn::Park {
                return Some(Turn::Park);
            }
        }
    }

    /// The drain may have begun while a call waited: what it brought is then the last of its kind.
    fn hear_of_drain(&mut self, patience: &Patience<'_>) {
        if patience.is_draining() {
            self.exchange.drain();
        }
    }

    /// Waits for what is wanted: a single read waits by itself, anything else asks `poll(2)` first.
    fn wait(&mut self, wants: &Wants, patience: &Patience<'_>, now: &Now) -> Turn {
        // Who stands in the queue waits in the lot: that is where its bell is heard.
        let wait = match wants.queued {
            true => Duration::ZERO,
            false => patience.next_wait(self.exchange.deadline(), now),
        };
        let writes = wants.write_client || wants.write_backend;
        let moved = match (wants.read_client, wants.read_backend) {
            (true, false) if !writes && !wants.watch_client => self.read_client(wait, patience),
            (false, true) if !writes && !wants.watch_client => self.read_backend(wait, patience),
            _ => {
                let backend = self.backend.as_ref().map(|(_, socket)| socket);
                let ready = socket::wait(wants, &self.client, backend, wait);
                self.client_full &= !ready.write_client;
                self.backend_full &= !ready.write_backend;
                let from_backend = ready.read_backend && self.read_backend(Duration::ZERO, patience);
                let from_client = ready.read_client && self.read_client(Duration::ZERO, patience);
                if ready.watch_client {
                    self.exchange.client_failed();
                }
                let written = ready.write_client || ready.write_backend;
                from_backend || from_client || written || ready.watch_client
            }
        };
        match moved {
            true => patience.renew(),
            false if self.exchange.deadline().is_some_and(|deadline| deadline <= clock::now().instant) => {}
            false if wants.queued || patience.waited_in_vain() => return Turn::Park,
            false => {}
        }
        Turn::Done
    }

    /// Reads from the client; false if nothing came.
    fn read_client(&mut self, wait: Duration, patience: &Patience<'_>) -> bool {
        let moved = self.client.receive(self.exchange.client_space(), wait);
        self.hear_of_drain(patience);
        match moved {
            Ok(Some(count)) => self.exchange.client_received(count, &clock::now()),
            Ok(None) => {
                self.exchange.nothing_from_client();
                return false;
            }
            Err(_) => self.exchange.client_failed(),
        }
        true
    }

    /// Takes a kept connection, or connects and waits for it.
    fn connect(&mut self, shared: &Shared, patience: &Patience<'_>, now: &Now) {
        // One that was tried before is closed now, even if there is no other.
        self.backend = None;
        self.backend_full = false;
        let bell = || {
            let (waker, number) = patience.bell();
            self.bell = Some(number);
            waker
        };
        let Some(choice) = self.exchange.choose_backend(now, bell) else { return };
        let kept = if choice.may_reuse { shared.take_idle(choice.address, now) } else { None };
        if let Some(socket) = kept {
            self.backend = Some((choice.address, socket));
            self.exchange.connected(true, now);
            return;
        }
        let connected = connect::connect(choice.address, shared.timeouts.connect);
        let now = clock::now();
        match connected {
            Ok(stream) => {
                self.backend = Some((choice.address, Socket::new(stream)));
                self.exchange.connected(false, &now);
            }
            Err(error) => self.exchange.connect_failed(error.into(), &now),
        }
    }

    fn write_backend(&mut self) {
        let Some((_, backend)) = &self.backend else { return };
        let sent = io::send(backend, self.exchange.backend_output(), false);
        let now = clock::now();
        match sent {
            Ok(Some(count)) => self.exchange.backend_sent(count, &now),
            Ok(None) => self.backend_full = true,
            Err(_) => self.exchange.backend_send_failed(How::Reset, &now),
        }
    }

    /// Reads from the back end; false if nothing came.
    fn read_backend(&mut self, wait: Duration, patience: &Patience<'_>) -> bool {
        let Some((_, backend)) = &mut self.backend else { return false };
        let moved = backend.receive(self.exchange.backend_space(), wait);
        self.hear_of_drain(patience);
        let now = clock::now();
        match moved {
            Ok(Some(count)) => self.exchange.backend_received(count, &now),
            Ok(None) => {
                self.exchange.nothing_from_backend();
                return false;
            }
            Err(_) => self.exchange.backend_failed(How::Reset, &now),
        }
        true
    }

    fn write_client(&mut self) {
        let sent = io::send(&self.client, self.exchange.client_output(), false);
        match sent {
            Ok(Some(count)) => self.exchange.client_sent(count, &clock::now()),
            Ok(None) => self.client_full = true,
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
    fn release_backend(&mut self, shared: &Shared, now: &Now) {
        let release = self.exchange.release_backend(now);
        if let Some((address, socket)) = self.backend.take()
            && release.keep
        {
            // Closed after the lock is let go, if there are too many.
            let _surplus = shared.kept().put(address, socket, now);
        }
    }

    fn finish(&mut self, now: &Now) {
        if self.exchange.was_cut() {
            self.client.reset_on_close();
        }
        self.exchange.finish(now);
    }
}
