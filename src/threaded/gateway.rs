//! The story of one client of a gateway, told by one worker. Twin: `poll_loop/gateway.rs`.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::io::Socket;
use super::relay::RelayConnection;
use super::session::{Session, Waiting};
use super::worker::WaitBudget;
use super::{Connection, Parked};
use crate::balance::idle_pool::IdlePool;
use crate::net::clock;
use crate::net::io::is_quiet;
use crate::protocol::exchange::{Exchange, Gateway};
use crate::protocol::interest::Step;
use crate::protocol::now::Now;

/// A client of a gateway, and the back end that is serving it.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all connections are the large one for all their life")]
pub(crate) enum GatewayConnection {
    Http(HttpConnection),
    /// After `101`: bytes both ways.
    Tunnel(RelayConnection),
    /// For the moment between the two.
    Switching,
}

#[derive(Debug)]
pub(crate) struct HttpConnection {
    session: Session<Exchange>,
    idle: SharedIdlePool,
}

/// Idle connections to back ends, for whichever worker needs one next.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedIdlePool(Arc<Mutex<IdlePool<Socket>>>);

impl Connection for GatewayConnection {
    type Service = Gateway;
    type Common = SharedIdlePool;
    const REFUSES_WHEN_FULL: bool = true;

    fn accept(
        gateway: Arc<Gateway>,
        idle: &SharedIdlePool,
        client: TcpStream,
        peer: SocketAddr,
        accepted: Instant,
        now: &Now,
    ) -> Self {
        let caller = gateway.context.proxies.identify(peer, || client.local_addr());
        let exchange = Exchange::new(gateway, caller, accepted, now);
        let session = Session::new(exchange, Socket::accepted(client), None);
        GatewayConnection::Http(HttpConnection { session, idle: idle.clone() })
    }

    fn serve(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        if let GatewayConnection::Http(http) = self {
            http.serve(budget)?;
        }
        self.switch_protocols();
        match self {
            GatewayConnection::Tunnel(relay) => relay.serve(budget),
            GatewayConnection::Http(_) | GatewayConnection::Switching => Ok(()),
        }
    }

    fn session(&self) -> Option<&dyn Waiting> {
        match self {
            GatewayConnection::Http(http) => Some(&http.session),
            GatewayConnection::Tunnel(relay) => relay.session(),
            GatewayConnection::Switching => None,
        }
    }

    fn session_mut(&mut self) -> Option<&mut dyn Waiting> {
        match self {
            GatewayConnection::Http(http) => Some(&mut http.session),
            GatewayConnection::Tunnel(relay) => relay.session_mut(),
            GatewayConnection::Switching => None,
        }
    }

    fn tidy(idle: &SharedIdlePool, now: &Now) {
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
        *self = match std::mem::replace(self, GatewayConnection::Switching) {
            GatewayConnection::Http(http) if http.session.machine.step() == Step::SwitchProtocols => {
                let relay = http.session.with(|exchange| exchange.into_relay(&clock::now()));
                relay.map_or(GatewayConnection::Switching, |session| {
                    GatewayConnection::Tunnel(RelayConnection::join(session))
                })
            }
            connection => connection,
        };
    }
}

impl HttpConnection {
    /// Request after request, until one of them is the last or makes a tunnel of the connection.
    fn serve(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.session.machine.is_open() {
            self.read_request_head(budget)?;
            self.connect(budget)?;
            self.exchange_bodies(budget)?;
        }
        self.close(budget)
    }

    /// Reads until a whole request head is here.
    fn read_request_head(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.session.machine.awaits_request() {
            self.session.wait(budget)?;
        }
        Ok(())
    }

    /// Takes an idle connection to the back end whose turn it is, or connects to it; to the next, if
    /// that one cannot be had.
    fn connect(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.session.machine.needs_backend() {
            match self.session.machine.step() {
                Step::Connect => self.session.connect(budget, |address, now| self.idle.take(address, now)),
                _ => self.session.wait(budget)?,
            }
        }
        Ok(())
    }

    /// Sends the request on and passes the response back. Both at once, for a back end may answer
    /// before it has the whole body.
    fn exchange_bodies(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.session.machine.is_exchanging() {
            let has_sent = self.session.write_backend() | self.session.write_client();
            match self.session.machine.step() {
                Step::ReleaseBackend => self.release_backend(),
                // That back end could not take the request: another one may.
                Step::Connect | Step::Queue => self.connect(budget)?,
                Step::Transfer if !has_sent => self.session.wait(budget)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Closes our side first, and reads for a while what the client still sends: to close with bytes
    /// unread would be a reset, and a reset can take the response with it.
    fn close(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        loop {
            match self.session.machine.step() {
                Step::ReleaseBackend => self.release_backend(),
                Step::ShutClient => self.session.shut_client(),
                Step::Finish => break self.session.finish(),
                // Not the end, but the beginning of a tunnel.
                Step::SwitchProtocols => break,
                _ => self.session.wait(budget)?,
            }
        }
        Ok(())
    }

    /// Keeps the back end's connection for another request, or closes it.
    fn release_backend(&mut self) {
        let now = clock::now();
        let release = self.session.machine.release_backend(&now);
        if let Some((address, socket)) = self.session.take_backend()
            && release.keep
        {
            // Closed after the lock is let go, if there are too many.
            let _surplus = self.idle.lock().put(address, socket, now.instant);
        }
    }
}

impl SharedIdlePool {
    fn lock(&self) -> MutexGuard<'_, IdlePool<Socket>> {
        // A list of sockets is whole even if a thread panicked beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest idle connection to `backend` that is as it was left; the others are closed.
    fn take(&self, backend: SocketAddr, now: &Now) -> Option<Socket> {
        loop {
            // The lock is let go before a socket is looked at or closed.
            let socket = self.lock().take(backend, now.instant)?;
            if is_quiet(&socket) {
                return Some(socket);
            }
        }
    }
}
