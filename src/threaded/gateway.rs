//! The story of one client of a gateway, told by one worker. Twin: `poll_loop/gateway.rs`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::io::Socket;
use super::session::{Parkable, Session};
use super::worker::WaitBudget;
use super::{Connection, Parked};
use crate::balance::idle_pool::{IdlePool, Place};
use crate::net::clock;
use crate::net::io::is_quiet;
use crate::net::session::{GatewaySession, Stream};
use crate::protocol::exchange::Exchange;
use crate::protocol::interest::Step;
use crate::protocol::now::Now;

/// A client of a gateway, and the back end that is serving it.
pub(crate) type GatewayConnection = GatewaySession<Socket>;

impl Connection for GatewayConnection {
    type Machine = Exchange;
    type Common = SharedIdlePool;
    const REFUSES_WHEN_FULL: bool = true;

    fn serve(&mut self, idle: &SharedIdlePool, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        if let GatewaySession::Http(http) = self {
            http.serve_requests(idle, budget)?;
            if http.machine.step() == Step::Finish {
                return Ok(());
            }
            self.switch_protocols(&clock::now());
        }
        match self {
            GatewaySession::Tunnel(relay) => relay.serve(&(), budget),
            GatewaySession::Http(_) | GatewaySession::Switching => Ok(()),
        }
    }

    fn session(&mut self) -> Option<&mut dyn Parkable> {
        match self {
            GatewaySession::Http(http) => Some(http),
            GatewaySession::Tunnel(relay) => Some(relay),
            GatewaySession::Switching => None,
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

impl Session<Exchange> {
    /// Request after request, until one of them is the last or makes a tunnel of the connection.
    fn serve_requests(&mut self, idle: &SharedIdlePool, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.machine.is_open() {
            self.read_request_head(budget)?;
            self.verify_password(budget)?;
            self.connect(idle, budget)?;
            self.exchange_bodies(idle, budget)?;
        }
        self.close(idle, budget)
    }

    /// Reads until a whole request head is here.
    fn read_request_head(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.machine.awaits_request() {
            self.wait_and_read(budget)?;
        }
        Ok(())
    }

    /// Takes an idle connection to the back end whose turn it is, or connects to it; to the next, if
    /// that one cannot be had.
    fn connect(&mut self, idle: &SharedIdlePool, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.machine.needs_backend() {
            match self.machine.step() {
                Step::Connect => self.try_backend(budget, |place, now| idle.take(place, now)),
                _ => self.wait_and_read(budget)?,
            }
        }
        Ok(())
    }

    /// Sends the request on and passes the response back. Both at once, for a back end may answer
    /// before it has the whole body.
    fn exchange_bodies(&mut self, idle: &SharedIdlePool, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.machine.is_exchanging() {
            // Both are tried, whatever comes of the first: not `||`.
            let has_sent = self.write_backend() | self.write_client(budget)?;
            match self.machine.step() {
                Step::ReleaseBackend => self.release_backend(idle),
                // That back end could not take the request: another one may.
                Step::Connect | Step::Queue => self.connect(idle, budget)?,
                Step::Transfer if !has_sent => self.wait_and_read(budget)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Closes as a web server does (`web.rs`), unless the connection becomes a tunnel.
    fn close(&mut self, idle: &SharedIdlePool, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        loop {
            match self.machine.step() {
                Step::ReleaseBackend => self.release_backend(idle),
                Step::ShutClient => self.shut_client(),
                Step::Finish => break self.finish(&clock::now()),
                Step::SwitchProtocols => break,
                _ => self.wait_and_read(budget)?,
            }
        }
        Ok(())
    }

    /// Keeps the back end's connection for another request, or closes it.
    fn release_backend(&mut self, idle: &SharedIdlePool) {
        let now = clock::now();
        let release = self.machine.release_backend(&now);
        if let Some((place, mut socket)) = self.backend.take()
            && release.keep
            && !socket.has_unread()
        {
            // Closed after the lock is let go, if there are too many.
            let _surplus = idle.lock().put(place, socket, now.instant);
        }
    }
}

/// Idle connections to back ends, for whichever worker needs one next.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedIdlePool(Arc<Mutex<IdlePool<Socket>>>);

impl SharedIdlePool {
    fn lock(&self) -> MutexGuard<'_, IdlePool<Socket>> {
        // A list of sockets is whole even if a thread panicked beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest idle connection to `backend` that is as it was left; the others are closed.
    fn take(&self, backend: &Place, now: &Now) -> Option<Socket> {
        loop {
            // The lock is let go before a socket is looked at or closed.
            let socket = self.lock().take(backend, now.instant)?;
            if is_quiet(&socket) {
                return Some(socket);
            }
        }
    }
}
