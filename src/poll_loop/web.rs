//! One client of a web server, served by a loop. Twin: `threaded/web.rs`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::event::Event;

use super::socket::Socket;
use super::{Around, CALLS_A_TURN, Connection, Side, Turn};
use crate::app::service::{Offer, Service};
use crate::protocol::limits::KEEP_ALIVE_REQUESTS;
use crate::protocol::now::Now;
use crate::protocol::proxy_header::Policy;
use crate::protocol::timeouts::Timeouts;
use crate::protocol::web::{Output, Web};

/// What the connections of a web server share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) role: &'static str,
    pub(crate) site: Arc<crate::site::Site>,
    pub(crate) timeouts: Arc<Timeouts>,
    pub(crate) proxies: Arc<Policy>,
}

impl Shared {
    /// What is offered; `None` if that is no site.
    pub(crate) fn of(offer: &Offer) -> Option<Shared> {
        let Service::Web(site) = &offer.service else { return None };
        Some(Shared {
            role: offer.role,
            site: Arc::clone(site),
            timeouts: Arc::clone(&offer.timeouts),
            proxies: Arc::clone(&offer.proxies),
        })
    }
}

/// A client of a web server.
#[derive(Debug)]
pub(crate) struct WebConnection {
    web: Web,
    client: Socket,
}

impl Connection for WebConnection {
    type Shared = Shared;
    type Local = ();

    fn accept(shared: &Shared, client: Socket, peer: SocketAddr, now: &Now) -> Self {
        let Shared { role, site, timeouts, proxies } = shared;
        let caller = proxies.caller(peer, || client.local_addr());
        let (site, timeouts, accepted) = (Arc::clone(site), Arc::clone(timeouts), now.instant);
        let web = Web::new(role, caller, site, timeouts, KEEP_ALIVE_REQUESTS, accepted, now);
        WebConnection { web, client }
    }

    fn serve(&mut self, around: &mut Around<'_, Self>) -> Turn {
        let now = around.now;
        self.web.expired(&now);
        if around.is_draining {
            self.web.drain();
        }
        for _ in 0..CALLS_A_TURN {
            let wants = self.web.wants();
            if wants.finish {
                self.finish(&now);
                return Turn::Done;
            } else if wants.write_client && self.client.can_write() {
                self.write_client(&now);
            } else if wants.shut_client {
                self.shut_client();
            } else if wants.read_client && self.client.can_read() {
                self.read_client(&now);
            } else {
                return self.wait(around);
            }
        }
        Turn::Again
    }

    fn note(&mut self, _side: Side, event: &Event) {
        self.client.note(event);
    }

    fn deadline(&self) -> Option<Instant> {
        self.web.deadline()
    }

    fn cut(&mut self, now: &Now) {
        self.web.drained();
        self.finish(now);
    }
}

impl WebConnection {
    /// Goes back to the loop, which will tell of what is wanted.
    fn wait(&mut self, around: &mut Around<'_, Self>) -> Turn {
        if let Err(error) = self.client.register(around.registry) {
            log::error!("a client could not be registered: {error}");
            self.web.client_failed();
            return Turn::Again;
        }
        Turn::Wait
    }

    /// Reads from the client.
    fn read_client(&mut self, now: &Now) {
        match self.client.receive(self.web.client_space()) {
            Ok(Some(count)) => self.web.client_received(count, now),
            Ok(None) => self.web.nothing_from_client(),
            Err(_) => self.web.client_failed(),
        }
    }

    fn write_client(&mut self, now: &Now) {
        let sent = match self.web.client_output() {
            Output::Bytes { first, second, more } => self.client.send([first, second], more),
            Output::File { file, offset, length } => self.client.send_file(file, offset, length),
        };
        match sent {
            Ok(Some(0)) => self.web.file_ended(),
            Ok(Some(count)) => self.web.client_sent(count, now),
            Ok(None) => {}
            Err(_) => self.web.client_failed(),
        }
    }

    fn shut_client(&mut self) {
        match self.client.shut() {
            Ok(()) => self.web.client_shut(),
            Err(_) => self.web.client_failed(),
        }
    }

    fn finish(&mut self, now: &Now) {
        if self.web.was_cut() {
            self.client.reset_on_close();
        }
        self.web.finish(now);
    }
}
