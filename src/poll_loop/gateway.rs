//! One client of a gateway, served by a loop. Twin: `threaded/gateway.rs`.

use super::session::{Pollable, Session};
use super::slots::{BackendOwner, BackendSlots};
use super::socket::Socket;
use super::{CALLS_PER_ITERATION_MAX, Connection, LoopContext, Served};
use crate::balance::idle_pool::{IdlePool, Place};
use crate::net::io::is_quiet;
use crate::net::session::{GatewaySession, Stream};
use crate::protocol::exchange::Exchange;
use crate::protocol::interest::Step;
use crate::protocol::now::Now;

/// A client of a gateway, and the back end that is serving it.
pub(crate) type GatewayConnection = GatewaySession<Socket>;

impl Connection for GatewayConnection {
    type Machine = Exchange;
    /// Idle connections to back ends, for whichever connection of this loop needs one next.
    type Local = IdlePool<Socket>;

    fn serve(&mut self, idle: &mut IdlePool<Socket>, context: &mut LoopContext<'_>) -> Served {
        if let GatewaySession::Http(http) = self {
            if let Some(served) = http.serve_requests(idle, context) {
                return served;
            }
            self.switch_protocols(&context.now);
        }
        match self {
            GatewaySession::Tunnel(relay) => relay.serve(&mut (), context),
            GatewaySession::Http(_) | GatewaySession::Switching => Served::Closed,
        }
    }

    fn session(&mut self) -> Option<&mut dyn Pollable> {
        match self {
            GatewaySession::Http(http) => Some(http),
            GatewaySession::Tunnel(relay) => Some(relay),
            GatewaySession::Switching => None,
        }
    }

    fn drop_idle(idle: &mut IdlePool<Socket>, backend: usize) {
        idle.remove(|socket| socket.slot() == backend);
    }

    fn tidy(idle: &mut IdlePool<Socket>, backends: &mut BackendSlots, now: &Now) {
        while let Some(old) = idle.expire(now.instant) {
            backends.remove(old.slot());
        }
    }
}

impl Session<Exchange> {
    /// Request after request, as far as it goes; `None` means that the exchange became a tunnel.
    fn serve_requests(
        &mut self,
        idle: &mut IdlePool<Socket>,
        context: &mut LoopContext<'_>,
    ) -> Option<Served> {
        self.keep_time(context);
        for _ in 0..CALLS_PER_ITERATION_MAX {
            match self.step() {
                Step::Verify => self.verify_password(context),
                Step::Connect => self.try_backend(context, |place, context| take_idle(idle, place, context)),
                Step::ReleaseBackend => self.release_backend(idle, context),
                Step::ShutClient => self.shut_client(),
                Step::SwitchProtocols => return None,
                Step::Finish => return Some(self.close(context)),
                _ if self.transfer(context) => {}
                _ => return Some(self.register(context)),
            }
        }
        Some(Served::MoreToDo)
    }

    /// Keeps the back end's connection for another request, or closes it.
    fn release_backend(&mut self, idle: &mut IdlePool<Socket>, context: &mut LoopContext<'_>) {
        let release = self.machine.release_backend(&context.now);
        if !release.keep {
            return self.drop_backend(context);
        }
        let Some((place, mut socket)) = self.backend.take() else { return };
        let slot = socket.slot();
        // One that has closed, or that could not be registered, would be dead without an event to tell; and what has
        // come behind the response belongs to nobody.
        if socket.has_closed() || socket.has_unread() || socket.register(context.registry).is_err() {
            context.backends.remove(slot);
            return;
        }
        context.backends.set(slot, BackendOwner::Pool);
        if let Some(surplus) = idle.put(place, socket, context.now.instant) {
            context.backends.remove(surplus.slot());
        }
    }
}

/// The newest idle connection to `backend` that is as it was left; the others are closed. If it was read
/// to its last byte, the poller tells of whatever came since, one iteration late at most. That is as good
/// as a look now: a request for which an idle connection may be taken may also be sent again.
fn take_idle(idle: &mut IdlePool<Socket>, backend: &Place, context: &mut LoopContext<'_>) -> Option<Socket> {
    loop {
        let socket = idle.take(backend, context.now.instant)?;
        if !socket.can_read() || is_quiet(&socket) {
            return Some(socket);
        }
        context.backends.remove(socket.slot());
    }
}
