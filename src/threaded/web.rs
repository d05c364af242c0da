//! The story of one client of a web server, told by one worker. Twin: `poll_loop/web.rs`.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use super::io::Socket;
use super::session::{Session, Waiting};
use super::worker::WaitBudget;
use super::{Connection, Parked};
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
    type Common = ();
    const REFUSES_WHEN_FULL: bool = true;

    fn accept(
        service: Arc<WebService<Site>>,
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

impl WebConnection {
    /// Reads until a whole request is here.
    fn read_request(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.session.machine.awaits_request() {
            self.session.wait(budget)?;
        }
        Ok(())
    }

    /// Sends the response to its last byte; one that is asked to take its time begins later.
    fn write_response(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.session.machine.owes_response() {
            if !self.session.write_client() {
                self.session.wait(budget)?;
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
            self.session.wait(budget)?;
        }
        self.session.finish();
        Ok(())
    }
}
