//! The story of one client of a web server, told by one worker. Twin: `poll_loop/web.rs`.
//!
//! Compare `integration/python/server_thread_http.py`: its `serve` reads until the end of the request, makes the
//! response, and sends it. Here the machine makes the response as soon as the request is complete
//! (`take_head` in `protocol/web/request.rs`, which asks the site), so the story reads and writes only.

use super::session::{Parkable, Session};
use super::worker::WaitBudget;
use super::{Connection, Parked};
use crate::net::clock;
use crate::net::io::FileToSend;
use crate::protocol::interest::Step;
use crate::protocol::web::{Response, Site, Web};

/// A client of a web server, whichever its site: the status page is one too.
pub(crate) type WebConnection<S> = Session<Web<S>>;

impl<S> Connection for WebConnection<S>
where
    S: Site<Response: Response<File: FileToSend> + Send> + Send + Sync + 'static,
    Web<S>: Send,
{
    type Machine = Web<S>;
    type Common = ();
    const REFUSES_WHEN_FULL: bool = true;

    fn serve(&mut self, _common: &(), budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.machine.is_open() {
            self.read_request(budget)?;
            self.verify_password(budget)?;
            self.write_response(budget)?;
        }
        self.close(budget)
    }

    fn session(&mut self) -> Option<&mut dyn Parkable> {
        Some(self)
    }
}

impl<S: Site<Response: Response<File: FileToSend>>> WebConnection<S> {
    /// Reads until a whole request is here.
    fn read_request(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.machine.awaits_request() {
            self.wait_and_read(budget)?;
        }
        Ok(())
    }

    /// Sends the response to its last byte; a test response with `?delay=` begins later.
    fn write_response(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.machine.owes_response() {
            if !self.write_client(budget)? {
                self.wait_and_read(budget)?;
            }
        }
        Ok(())
    }

    /// Closes our side first, and reads for a while what the client still sends: to close with bytes
    /// unread would be a reset, and a reset can take the response with it.
    fn close(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        if self.machine.step() == Step::ShutClient {
            self.shut_client();
        }
        while self.machine.step() != Step::Finish {
            self.wait_and_read(budget)?;
        }
        self.finish(&clock::now());
        Ok(())
    }
}
