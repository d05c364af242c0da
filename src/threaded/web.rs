//! The story of one client of a web server, told by one worker. Twin: `poll_loop/web.rs`.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use super::io::{self, Socket};
use super::worker::WaitBudget;
use super::{Awaited, Connection, Parked};
use crate::net::clock;
use crate::protocol::interest::{Interest, Step};
use crate::protocol::now::Now;
use crate::protocol::web::{Output, Web, WebService};
use crate::site::Site;

/// A client of a web server.
#[derive(Debug)]
pub(crate) struct WebConnection {
    web: Web<Site>,
    client: Socket,
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
        WebConnection { web: Web::new(service, caller, accepted, now), client: Socket::accepted(client) }
    }

    fn serve(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.web.is_open() {
            self.read_request(budget)?;
            self.write_response(budget)?;
        }
        self.close(budget)
    }

    fn awaits(&self) -> Awaited<'_> {
        Awaited {
            step: self.web.step(),
            interest: self.interest(),
            client: Some(self.client.as_fd()),
            backend: None,
            waker: None,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.web.deadline()
    }

    fn drain(&mut self) {
        self.web.drain();
    }

    fn refuse(&mut self, now: &Now) {
        self.web.refuse_for_lack_of_workers(now);
    }

    fn cut(&mut self, now: &Now) {
        self.web.drained();
        self.finish(now);
    }
}

impl WebConnection {
    /// Reads until a whole request is here.
    fn read_request(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.web.awaits_request() {
            self.read_client(budget)?;
        }
        Ok(())
    }

    /// Sends the response to the last byte; one that is asked to take its time begins later.
    fn write_response(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.web.owes_response() {
            if !self.write_client() {
                self.wait_for_client(budget)?;
            }
        }
        Ok(())
    }

    /// Closes our side first, and reads for a while what the client still sends: to close with bytes
    /// unread would be a reset, and a reset can take the response with it.
    fn close(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        if self.web.step() == Step::ShutClient {
            self.shut_client();
        }
        while self.web.step() != Step::Finish {
            self.read_client(budget)?;
        }
        self.finish(&clock::now());
        Ok(())
    }

    /// Reads once, and waits for it.
    fn read_client(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        let now = self.keep_time(budget);
        if !self.web.interest().read_client {
            return Ok(());
        }
        let limit = budget.limit(self.web.deadline(), &now);
        match self.client.receive(self.web.client_space(), limit) {
            Ok(Some(count)) => {
                budget.renew();
                self.hear_of_drain(budget);
                self.web.client_received(count, &clock::now());
            }
            Ok(None) => {
                self.web.nothing_from_client();
                budget.waited_in_vain(self.web.deadline())?;
            }
            Err(_) => self.web.client_failed(),
        }
        Ok(())
    }

    /// Sends what fits without waiting; false if nothing did.
    fn write_client(&mut self) -> bool {
        if !self.web.interest().write_client {
            return false;
        }
        let sent = match self.web.client_output() {
            Output::Bytes { first, second, more } => self.client.send([first, second], more),
            Output::File { file, offset, length } => self.client.send_file(file, offset, length),
        };
        match sent {
            Ok(Some(0)) => self.web.file_ended(),
            Ok(Some(count)) => self.web.client_sent(count, &clock::now()),
            Ok(None) => return false,
            Err(_) => self.web.client_failed(),
        }
        true
    }

    /// Waits until the client takes more, or until it is time to begin.
    fn wait_for_client(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        let now = self.keep_time(budget);
        if self.web.step() != Step::Transfer {
            return Ok(());
        }
        let limit = budget.limit(self.web.deadline(), &now);
        let ready = io::wait(&self.interest(), &mut self.client, None, limit);
        if ready.has_room {
            budget.renew();
            return Ok(());
        }
        budget.waited_in_vain(self.web.deadline())
    }

    /// Acts on what time has brought: a deadline, the drain, the end of it.
    fn keep_time(&mut self, budget: &WaitBudget<'_>) -> Now {
        let now = clock::now();
        self.web.expired(&now);
        if budget.is_draining() {
            self.web.drain();
        }
        if budget.is_over() {
            self.web.drained();
        }
        now
    }

    /// One thing at a time: while a response is on its way, no further request is read.
    fn interest(&self) -> Interest {
        let interest = self.web.interest();
        Interest { read_client: interest.read_client && !interest.write_client, ..interest }
    }

    fn shut_client(&mut self) {
        match self.client.shut() {
            Ok(()) => self.web.client_shut(),
            Err(_) => self.web.client_failed(),
        }
    }

    /// The drain may have begun during a wait: then the request that has just come is the last one.
    fn hear_of_drain(&mut self, budget: &WaitBudget<'_>) {
        if budget.is_draining() {
            self.web.take_last_request();
        }
    }

    fn finish(&mut self, now: &Now) {
        if self.web.was_cut() {
            self.client.reset_on_close();
        }
        self.web.finish(now);
    }
}
