//! One client of a web server, served by one worker. Twin: `poll_loop/web.rs`.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pool::Patience;
use super::socket::{self, Socket};
use super::{Connection, Turn};
use crate::app::service::{Offer, Service};
use crate::net::{clock, io};
use crate::protocol::interest::Wants;
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
    /// The last write found the client's socket full.
    client_full: bool,
}

impl Connection for WebConnection {
    type Shared = Shared;
    const REFUSES_WHEN_FULL: bool = true;

    fn accept(shared: &Shared, client: TcpStream, peer: SocketAddr, accepted: Instant, now: &Now) -> Self {
        let Shared { role, site, timeouts, proxies } = shared;
        let caller = proxies.caller(peer, || client.local_addr());
        let (site, timeouts) = (Arc::clone(site), Arc::clone(timeouts));
        let web = Web::new(role, caller, site, timeouts, KEEP_ALIVE_REQUESTS, accepted, now);
        WebConnection { web, client: Socket::accepted(client), client_full: false }
    }

    fn serve(&mut self, patience: &Patience<'_>) -> Turn {
        loop {
            let now = clock::now();
            self.web.expired(&now);
            self.hear_of_drain(patience);
            if patience.is_over() {
                self.web.drained();
            }
            let wants = self.web.wants();
            if wants.finish {
                self.finish(&now);
                return Turn::Done;
            } else if wants.write_client && !self.client_full {
                self.write_client();
            } else if wants.shut_client {
                self.shut_client();
            } else if self.wait(&wants, patience, &now) == Turn::Park {
                return Turn::Park;
            }
        }
    }

    fn waits_for(&self) -> (Wants, [Option<BorrowedFd<'_>>; 2]) {
        (self.web.wants(), [Some(self.client.as_fd()), None])
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
    /// The drain may have begun while a call waited: what it brought is then the last of its kind.
    fn hear_of_drain(&mut self, patience: &Patience<'_>) {
        if patience.is_draining() {
            self.web.drain();
        }
    }

    /// Waits for what is wanted: a single read waits by itself, anything else asks `poll(2)` first.
    fn wait(&mut self, wants: &Wants, patience: &Patience<'_>, now: &Now) -> Turn {
        let wait = patience.next_wait(self.web.deadline(), now);
        let moved = match (wants.read_client, wants.write_client) {
            (true, false) => self.read_client(wait, patience),
            _ => {
                let ready = socket::wait(wants, &self.client, None, wait);
                self.client_full &= !ready.write_client;
                ready.read_client && self.read_client(Duration::ZERO, patience) || ready.write_client
            }
        };
        match moved {
            true => patience.renew(),
            false if self.deadline().is_some_and(|deadline| deadline <= clock::now().instant) => {}
            false if patience.waited_in_vain() => return Turn::Park,
            false => {}
        }
        Turn::Done
    }

    /// Reads from the client; false if nothing came.
    fn read_client(&mut self, wait: Duration, patience: &Patience<'_>) -> bool {
        let moved = self.client.receive(self.web.client_space(), wait);
        self.hear_of_drain(patience);
        let now = clock::now();
        match moved {
            Ok(Some(count)) => self.web.client_received(count, &now),
            Ok(None) => {
                self.web.nothing_from_client();
                return false;
            }
            Err(_) => self.web.client_failed(),
        }
        true
    }

    fn write_client(&mut self) {
        let sent = match self.web.client_output() {
            Output::Bytes { first, second, more } => io::send(&self.client, [first, second], more),
            Output::File { file, offset, length } => self.client.send_file(file, offset, length),
        };
        match sent {
            Ok(Some(0)) => self.web.file_ended(),
            Ok(Some(count)) => self.web.client_sent(count, &clock::now()),
            Ok(None) => self.client_full = true,
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
