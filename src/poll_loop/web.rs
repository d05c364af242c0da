//! One client of a web server, served by a loop. Twin: `threaded/web.rs`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::event::Event;

use super::socket::Socket;
use super::{CALLS_PER_ITERATION_MAX, Connection, LoopContext, Served, Side};
use crate::protocol::interest::Step;
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
    type Local = ();

    fn accept(service: Arc<WebService<Site>>, client: Socket, peer: SocketAddr, now: &Now) -> Self {
        let caller = service.context.proxies.identify(peer, || client.local_addr());
        WebConnection { web: Web::new(service, caller, now.instant, now), client }
    }

    fn serve(&mut self, around: &mut LoopContext<'_, Self>) -> Served {
        let now = around.now;
        self.web.expired(&now);
        if around.is_draining {
            self.web.drain();
        }
        for _ in 0..CALLS_PER_ITERATION_MAX {
            let interest = self.web.interest();
            match self.web.step() {
                Step::Finish => {
                    self.finish(&now);
                    return Served::Closed;
                }
                Step::ShutClient => self.shut_client(),
                _ if interest.write_client && self.client.can_write() => self.write_client(&now),
                _ if interest.read_client && self.client.can_read() => self.read_client(&now),
                _ => return self.wait(around),
            }
        }
        Served::MoreToDo
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
    fn wait(&mut self, around: &mut LoopContext<'_, Self>) -> Served {
        if let Err(error) = self.client.register(around.registry) {
            log::error!("a client could not be registered: {error}");
            self.web.client_failed();
            return Served::MoreToDo;
        }
        Served::Waiting
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
