//! The story of one client of a relay and its back end, told by one worker. Twin: `poll_loop/relay.rs`.
//!
//! One worker owns both directions. With two jobs for one connection the pool could starve: enough of
//! them, and each worker waits for a partner that is still in the queue.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use super::io::Socket;
use super::session::{Session, Waiting};
use super::worker::WaitBudget;
use super::{Connection, Parked};
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
    type Common = ();
    const REFUSES_WHEN_FULL: bool = false;

    fn accept(
        service: Arc<RelayService>,
        _common: &(),
        client: TcpStream,
        peer: SocketAddr,
        accepted: Instant,
        now: &Now,
    ) -> Self {
        let caller = service.context.proxies.identify(peer, || client.local_addr());
        let relay = Relay::new(service, caller, accepted, now);
        RelayConnection { session: Session::new(relay, Socket::accepted(client), None) }
    }

    fn serve(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        self.connect(budget)?;
        self.copy_both_ways(budget)?;
        self.session.finish();
        Ok(())
    }

    fn session(&self) -> Option<&dyn Waiting> {
        Some(&self.session)
    }

    fn session_mut(&mut self) -> Option<&mut dyn Waiting> {
        Some(&mut self.session)
    }
}

impl RelayConnection {
    /// Goes on with two sockets that are connected already.
    pub(crate) fn join(session: Session<Relay>) -> RelayConnection {
        RelayConnection { session }
    }

    /// Connects to the back end whose turn it is; to the next, if that one cannot be had.
    fn connect(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.session.machine.needs_backend() {
            match self.session.machine.step() {
                Step::Connect => self.session.connect(budget, |_, _| None),
                // Its PROXY header is awaited, or its place in the queue for a back end.
                _ => self.session.wait(budget)?,
            }
        }
        Ok(())
    }

    /// Copies bytes both ways and passes each end on, until both sides have ended.
    fn copy_both_ways(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.session.machine.step() != Step::Finish {
            let has_sent = self.session.write_backend() | self.session.write_client();
            match self.session.machine.step() {
                Step::ShutClient => self.session.shut_client(),
                Step::ShutBackend => self.session.shut_backend(),
                Step::Transfer if !has_sent => self.session.wait(budget)?,
                _ => {}
            }
        }
        Ok(())
    }
}
