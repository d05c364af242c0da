//! The story of one client of a web server, told by one worker. Twin: `poll_loop/web.rs`.
//!
//! Compare `integration/python/server_thread_http.py`: its `serve` reads until the end of the request, makes the
//! response, and sends it. Here the machine makes the response as soon as the request is complete
//! (`take_head` in `protocol/web/request.rs`, which asks the site), so the story reads and writes only.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use super::io::Socket;
use super::session::{Session, Waiting};
use super::worker::WaitBudget;
use super::{Connection, Parked};
use crate::net::io::FileToSend;
use crate::protocol::interest::Step;
use crate::protocol::now::Now;
use crate::protocol::web::{Response, Site, Web, WebService};

/// A client of a web server.
#[derive(Debug)]
pub(crate) struct WebConnection<S: Site> {
    session: Session<Web<S>>,
}

impl<S> Connection for WebConnection<S>
where
    S: Site<Response: Response<File: FileToSend + Send, Memory: Send, Generator: Send> + Send>
        + Send
        + Sync
        + 'static,
{
    type Service = WebService<S>;
    type Common = ();
    const REFUSES_WHEN_FULL: bool = true;

    fn accept(
        service: Arc<WebService<S>>,
        _common: &(),
        client: TcpStream,
        peer: SocketAddr,
        accepted: Instant,
        now: &Now,
    ) -> Self {
        let caller = service.context.proxies.identify(peer, || client.local_addr());
        let web = Web::new(service, caller, accepted, now);
        WebConnection { session: Session::new(web, Socket::accepted(client), None) }
    }

    fn serve(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.session.machine.is_open() {
            self.read_request(budget)?;
            self.write_response(budget)?;
        }
        self.close(budget)
    }

    fn session(&self) -> Option<&dyn Waiting> {
        Some(&self.session)
    }

    fn session_mut(&mut self) -> Option<&mut dyn Waiting> {
        Some(&mut self.session)
    }
}

impl<S: Site<Response: Response<File: FileToSend>>> WebConnection<S> {
    /// Reads until a whole request is here.
    fn read_request(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.session.machine.awaits_request() {
            self.session.wait_and_read(budget)?;
        }
        Ok(())
    }

    /// Sends the response to its last byte; a test response with `?delay=` begins later.
    fn write_response(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.session.machine.owes_response() {
            if !self.session.write_client() {
                self.session.wait_and_read(budget)?;
            }
        }
        Ok(())
    }

    /// Closes our side first, and reads for a while what the client still sends: to close with bytes
    /// unread would be a reset, and a reset can take the response with it.
    fn close(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        if self.session.machine.step() == Step::ShutClient {
            self.session.shut_client();
        }
        while self.session.machine.step() != Step::Finish {
            self.session.wait_and_read(budget)?;
        }
        self.session.finish();
        Ok(())
    }
}
