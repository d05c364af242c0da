//! One client of a relay and its back end, served by a loop. Twin: `threaded/relay.rs`.
//!
//! Compare `integration/python/lb_async.py`: its `Pair` is the [`Session`] here, and its `Server.loop` is
//! `event_loop.rs`.

use std::net::SocketAddr;
use std::sync::Arc;

use super::session::{Session, Waiting};
use super::socket::Socket;
use super::{CALLS_PER_ITERATION_MAX, Connection, LoopContext, Served};
use crate::protocol::interest::Step;
use crate::protocol::now::Now;
use crate::protocol::relay::{Relay, RelayService};

/// A client and the back end it is joined to.
#[derive(Debug)]
pub(crate) struct RelayConnection {
    session: Session<Relay>,
}

impl Connection for RelayConnection {
    type Service = RelayService;
    type Local = ();

    fn accept(service: Arc<RelayService>, client: Socket, peer: SocketAddr, now: &Now) -> Self {
        let caller = service.context.proxies.identify(peer, || client.local_addr());
        RelayConnection { session: Session::new(Relay::new(service, caller, now.instant, now), client, None) }
    }

    fn serve(&mut self, _local: &mut (), context: &mut LoopContext<'_>) -> Served {
        let session = &mut self.session;
        session.keep_time(context);
        for _ in 0..CALLS_PER_ITERATION_MAX {
            match session.step() {
                // A relay keeps no idle connections: each connect is a new one.
                Step::Connect => session.connect(context, |_, _| None),
                Step::ShutClient => session.shut_client(),
                Step::ShutBackend => session.shut_backend(&context.now),
                Step::Finish => return session.finish(context),
                _ if session.transfer(context) => {}
                _ => return session.register(context),
            }
        }
        Served::MoreToDo
    }

    fn session(&mut self) -> Option<&mut dyn Waiting> {
        Some(&mut self.session)
    }
}

impl RelayConnection {
    /// Goes on with two sockets that are connected already.
    pub(crate) fn join(session: Session<Relay>) -> RelayConnection {
        RelayConnection { session }
    }
}
