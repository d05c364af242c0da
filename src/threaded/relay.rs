//! One client of a relay and its back end, served by one worker. Twin: `poll_loop/relay.rs`.
//!
//! One worker owns both directions. Two jobs for one connection would starve: enough of those, and
//! each worker waits for a partner that is still in the queue.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pool::Patience;
use super::socket::{self, Socket};
use super::{Connection, Turn};
use crate::app::service::{Offer, Service};
use crate::balance::Group;
use crate::net::{clock, connect, io};
use crate::protocol::interest::Wants;
use crate::protocol::now::Now;
use crate::protocol::proxy_header::Policy;
use crate::protocol::relay::Relay;
use crate::protocol::timeouts::Timeouts;

/// What the connections of a relay share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) role: &'static str,
    pub(crate) group: Arc<Group>,
    pub(crate) timeouts: Arc<Timeouts>,
    pub(crate) proxies: Arc<Policy>,
}

impl Shared {
    /// What is offered; `None` if that is no relay.
    pub(crate) fn of(offer: &Offer) -> Option<Shared> {
        let Service::Relay(group) = &offer.service else { return None };
        Some(Shared {
            role: offer.role,
            group: Arc::clone(group),
            timeouts: Arc::clone(&offer.timeouts),
            proxies: Arc::clone(&offer.proxies),
        })
    }
}

/// A client and the back end it is joined to.
#[derive(Debug)]
pub(crate) struct RelayConnection {
    client: Socket,
    backend: Option<Socket>,
    connect_timeout: Duration,
    /// The last write found the socket full.
    client_full: bool,
    backend_full: bool,
    /// The back end's end was looked for once without being told of it.
    looked_for_end: bool,
    /// By what it was to be called when it last stood in the queue for a back end.
    bell: Option<u64>,
    /// Dropped last: with it goes the place at the back end, whose connection must be closed by then.
    relay: Relay,
}

impl Connection for RelayConnection {
    type Shared = Shared;
    const REFUSES_WHEN_FULL: bool = false;

    fn accept(shared: &Shared, client: TcpStream, peer: SocketAddr, accepted: Instant, now: &Now) -> Self {
        let Shared { role, group, timeouts, proxies } = shared;
        let caller = proxies.caller(peer, || client.local_addr());
        RelayConnection {
            client: Socket::accepted(client),
            backend: None,
            connect_timeout: timeouts.connect,
            client_full: false,
            backend_full: false,
            looked_for_end: false,
            bell: None,
            relay: Relay::new(role, caller, Arc::clone(group), Arc::clone(timeouts), accepted, now),
        }
    }

    fn serve(&mut self, patience: &Patience<'_>) -> Turn {
        loop {
            let now = clock::now();
            self.relay.expired(&now);
            if patience.is_over() {
                self.relay.drained();
            }
            let wants = self.relay.wants();
            if wants.finish {
                self.finish(&now);
                return Turn::Done;
            } else if wants.connect {
                self.connect(patience, &now);
            } else if wants.write_backend && !self.backend_full {
                self.write_backend();
            } else if wants.write_client && !self.client_full {
                self.write_client();
            } else if wants.shut_client {
                self.shut_client();
            } else if wants.shut_backend {
                self.shut_backend();
            } else if self.wait(&wants, patience, &now) == Turn::Park {
                return Turn::Park;
            }
        }
    }

    fn waits_for(&self) -> (Wants, [Option<BorrowedFd<'_>>; 2]) {
        (self.relay.wants(), [Some(self.client.as_fd()), self.backend.as_ref().map(AsFd::as_fd)])
    }

    fn bell(&self) -> Option<u64> {
        self.bell
    }

    fn deadline(&self) -> Option<Instant> {
        self.relay.deadline()
    }

    /// A relay cannot tell what is in flight: it goes on until it ends, or the drain does.
    fn drain(&mut self) {}

    /// A relay has no words of its own: it is never asked to refuse, and would just close.
    fn refuse(&mut self, _now: &Now) {
        self.relay.drained();
    }

    fn cut(&mut self, now: &Now) {
        self.relay.drained();
        self.finish(now);
    }
}

impl RelayConnection {
    /// Goes on with two sockets that are connected already.
    pub(crate) fn join(relay: Relay, client: Socket, backend: Socket) -> RelayConnection {
        RelayConnection {
            client,
            backend: Some(backend),
            connect_timeout: Duration::ZERO,
            client_full: false,
            backend_full: false,
            looked_for_end: false,
            bell: None,
            relay,
        }
    }

    /// Waits for what is wanted: a single read waits by itself, anything else asks `poll(2)` first.
    fn wait(&mut self, wants: &Wants, patience: &Patience<'_>, now: &Now) -> Turn {
        if self.stream_goes_on(wants) {
            return Turn::Done;
        }
        // Who stands in the queue waits in the lot: that is where its bell is heard.
        let wait = match wants.queued {
            true => Duration::ZERO,
            false => patience.next_wait(self.relay.deadline(), now),
        };
        let writes = wants.write_client || wants.write_backend;
        let moved = match (wants.read_client, wants.read_backend) {
            (true, false) if !writes && !wants.watch_client => self.read_client(wait),
            (false, true) if !writes && !wants.watch_client => self.read_backend(wait),
            _ => {
                let ready = socket::wait(wants, &self.client, self.backend.as_ref(), wait);
                self.client_full &= !ready.write_client;
                self.backend_full &= !ready.write_backend;
                let from_backend = ready.read_backend && self.read_backend(Duration::ZERO);
                let from_client = ready.read_client && self.read_client(Duration::ZERO);
                if ready.watch_client {
                    self.relay.client_failed();
                }
                let written = ready.write_client || ready.write_backend;
                from_backend || from_client || written || ready.watch_client
            }
        };
        match moved {
            true => patience.renew(),
            false if self.deadline().is_some_and(|deadline| deadline <= clock::now().instant) => {}
            false if wants.queued || patience.waited_in_vain() => return Turn::Park,
            false => {}
        }
        Turn::Done
    }

    /// Reads on without waiting where a long stream goes through a pipe: when its last piece is out,
    /// the next has mostly come.
    fn stream_goes_on(&mut self, wants: &Wants) -> bool {
        let down = wants.read_backend && self.relay.backend_pipe().is_some();
        let up = wants.read_client && self.relay.client_pipe().is_some();
        (down && self.read_backend(Duration::ZERO)) || (up && self.read_client(Duration::ZERO))
    }

    /// Reads from the client; false if nothing came.
    fn read_client(&mut self, wait: Duration) -> bool {
        let moved = match self.relay.client_pipe() {
            Some(pipe) => self.client.fill(pipe, wait),
            None => self.client.receive(self.relay.client_space(), wait),
        };
        match moved {
            Ok(Some(count)) => self.relay.client_received(count, &clock::now()),
            Ok(None) => {
                self.relay.nothing_from_client();
                return false;
            }
            Err(_) => self.relay.client_failed(),
        }
        true
    }

    /// Connects to the back end whose turn it is, and waits for it.
    fn connect(&mut self, patience: &Patience<'_>, now: &Now) {
        let bell = || {
            let (waker, number) = patience.bell();
            self.bell = Some(number);
            waker
        };
        let Some(address) = self.relay.choose_backend(now, bell) else { return };
        let connected = connect::connect(address, self.connect_timeout);
        let now = clock::now();
        match connected {
            Ok(stream) => {
                self.backend = Some(Socket::new(stream));
                self.relay.connected(&now);
                // A client that speaks first has mostly done so by now, and a look costs less than a
                // wait for both sides.
                if self.relay.wants().read_client {
                    self.read_client(Duration::ZERO);
                }
            }
            Err(error) => self.relay.connect_failed(error.into(), &now),
        }
    }

    fn write_backend(&mut self) {
        let Some(backend) = &mut self.backend else { return };
        let sent = match self.relay.backend_output_pipe() {
            Some(pipe) => backend.drain(pipe),
            None => io::send(&*backend, [self.relay.backend_output(), &[]], false),
        };
        match sent {
            Ok(Some(count)) => self.relay.backend_sent(count, &clock::now()),
            Ok(None) => self.backend_full = true,
            Err(_) => self.relay.backend_failed(),
        }
    }

    /// Reads from the back end; false if nothing came.
    fn read_backend(&mut self, wait: Duration) -> bool {
        let Some(backend) = &mut self.backend else { return false };
        let moved = match self.relay.backend_pipe() {
            Some(pipe) => backend.fill(pipe, wait),
            None => backend.receive(self.relay.backend_space(), wait),
        };
        match moved {
            Ok(Some(count)) => self.relay.backend_received(count, &clock::now()),
            Ok(None) => {
                self.relay.nothing_from_backend();
                return false;
            }
            Err(_) => self.relay.backend_failed(),
        }
        true
    }

    fn write_client(&mut self) {
        let sent = match self.relay.client_output_pipe() {
            Some(pipe) => self.client.drain(pipe),
            None => io::send(&self.client, [self.relay.client_output(), &[]], false),
        };
        match sent {
            Ok(Some(count)) => {
                self.relay.client_sent(count, &clock::now());
                self.look_for_end();
            }
            Ok(None) => self.client_full = true,
            Err(_) => self.relay.client_failed(),
        }
    }

    /// A back end that answers once has mostly closed by the time its answer is out: a look is cheaper
    /// than a wait. One look only, for a back end that goes on talking would be asked in vain each time.
    fn look_for_end(&mut self) {
        if !std::mem::replace(&mut self.looked_for_end, true) && self.relay.wants().read_backend {
            self.read_backend(Duration::ZERO);
        }
    }

    fn shut_client(&mut self) {
        match self.client.shut() {
            Ok(()) => self.relay.client_shut(),
            Err(_) => self.relay.client_failed(),
        }
    }

    fn shut_backend(&mut self) {
        match self.backend.as_ref().map_or(Ok(()), Socket::shut) {
            Ok(()) => self.relay.backend_shut(),
            Err(_) => self.relay.backend_failed(),
        }
    }

    fn finish(&mut self, now: &Now) {
        if self.relay.was_cut() {
            self.client.reset_on_close();
            self.backend.iter().for_each(Socket::reset_on_close);
        }
        self.relay.finish(now);
    }
}
