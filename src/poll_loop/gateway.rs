//! One client of a gateway, served by a loop. Twin: `threaded/gateway.rs`.

use std::net::SocketAddr;
use std::sync::Arc;

use super::relay::RelayConnection;
use super::session::{Session, Waiting};
use super::slots::{BackendOwner, BackendSlots};
use super::socket::Socket;
use super::{CALLS_PER_ITERATION_MAX, Connection, LoopContext, Served};
use crate::balance::idle_pool::IdlePool;
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
}

impl Connection for GatewayConnection {
    type Service = Gateway;
    /// Idle connections to back ends, for whichever connection of this loop needs one next.
    type Local = IdlePool<Socket>;

    fn accept(gateway: Arc<Gateway>, client: Socket, peer: SocketAddr, now: &Now) -> Self {
        let caller = gateway.context.proxies.identify(peer, || client.local_addr());
        let exchange = Exchange::new(gateway, caller, now.instant, now);
        GatewayConnection::Http(HttpConnection { session: Session::new(exchange, client, None) })
    }

    fn serve(&mut self, idle: &mut IdlePool<Socket>, context: &mut LoopContext<'_>) -> Served {
        if let GatewayConnection::Http(http) = self
            && let Some(served) = http.serve(idle, context)
        {
            return served;
        }
        self.switch_protocols(&context.now);
        match self {
            GatewayConnection::Tunnel(relay) => relay.serve(&mut (), context),
            GatewayConnection::Http(_) | GatewayConnection::Switching => Served::Closed,
        }
    }

    fn session(&mut self) -> Option<&mut dyn Waiting> {
        match self {
            GatewayConnection::Http(http) => Some(&mut http.session),
            GatewayConnection::Tunnel(relay) => relay.session(),
            GatewayConnection::Switching => None,
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

impl GatewayConnection {
    /// The exchange has ended in `101`: the same sockets go on as a relay.
    fn switch_protocols(&mut self, now: &Now) {
        *self = match std::mem::replace(self, GatewayConnection::Switching) {
            GatewayConnection::Http(http) => {
                let relay = http.session.with(|exchange| exchange.into_relay(now));
                relay.map_or(GatewayConnection::Switching, |session| {
                    GatewayConnection::Tunnel(RelayConnection::join(session))
                })
            }
            connection => connection,
        };
    }
}

impl HttpConnection {
    /// Serves requests as far as it goes; `None` means that the exchange became a tunnel.
    fn serve(&mut self, idle: &mut IdlePool<Socket>, context: &mut LoopContext<'_>) -> Option<Served> {
        let session = &mut self.session;
        session.keep_time(context);
        for _ in 0..CALLS_PER_ITERATION_MAX {
            match session.step() {
                Step::Connect => {
                    session.connect(context, |address, context| take_idle(idle, address, context))
                }
                Step::ReleaseBackend => release_backend(session, idle, context),
                Step::ShutClient => session.shut_client(),
                Step::SwitchProtocols => return None,
                Step::Finish => return Some(session.finish(context)),
                _ if session.transfer(context) => {}
                _ => return Some(session.register(context)),
            }
        }
        Some(Served::MoreToDo)
    }
}

/// Keeps the back end's connection for another request, or closes it.
fn release_backend(
    session: &mut Session<Exchange>,
    idle: &mut IdlePool<Socket>,
    context: &mut LoopContext<'_>,
) {
    let release = session.machine.release_backend(&context.now);
    if !release.keep {
        return session.drop_backend(context);
    }
    let Some((address, mut socket)) = session.take_backend() else { return };
    let slot = socket.slot();
    // One that has closed, or that could not be registered, would be dead without an event to tell.
    if socket.has_closed() || socket.register(context.registry).is_err() {
        context.backends.remove(slot);
        return;
    }
    context.backends.set(slot, BackendOwner::Pool);
    if let Some(surplus) = idle.put(address, socket, context.now.instant) {
        context.backends.remove(surplus.slot());
    }
}

/// The newest idle connection to `backend` that is as it was left; the others are closed. If it was read
/// to its last byte, the poller tells of whatever came since, one iteration late at most. That is as good
/// as a look now: a request for which an idle connection may be taken may also be sent again.
fn take_idle(
    idle: &mut IdlePool<Socket>,
    backend: SocketAddr,
    context: &mut LoopContext<'_>,
) -> Option<Socket> {
    loop {
        let socket = idle.take(backend, context.now.instant)?;
        if !socket.can_read() || is_quiet(&socket) {
            return Some(socket);
        }
        context.backends.remove(socket.slot());
    }
}
