//! One client of a web server, served by a loop. Twin: `threaded/web.rs`.
//!
//! Compare `integration/python/server_async_http.py`.

use std::net::SocketAddr;
use std::sync::Arc;

use super::session::{Session, Waiting};
use super::socket::Socket;
use super::{CALLS_PER_ITERATION_MAX, Connection, LoopContext, Served};
use crate::protocol::interest::Step;
use crate::protocol::now::Now;
use crate::protocol::web::{Web, WebService};
use crate::site::Site;

/// A client of a web server.
#[derive(Debug)]
pub(crate) struct WebConnection {
    session: Session<Web<Site>>,
}

impl Connection for WebConnection {
    type Service = WebService<Site>;
    type Local = ();

    fn accept(service: Arc<WebService<Site>>, client: Socket, peer: SocketAddr, now: &Now) -> Self {
        let caller = service.context.proxies.identify(peer, || client.local_addr());
        WebConnection { session: Session::new(Web::new(service, caller, now.instant, now), client, None) }
    }

    fn serve(&mut self, _local: &mut (), context: &mut LoopContext<'_>) -> Served {
        let session = &mut self.session;
        session.keep_time(context);
        for _ in 0..CALLS_PER_ITERATION_MAX {
            match session.step() {
                Step::ShutClient => session.shut_client(),
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
