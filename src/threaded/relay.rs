//! The story of one client of a relay and its back end, told by one worker. Twin: `poll_loop/relay.rs`.
//!
//! Compare `integration/python/lb_thread.py`: `ProcessTheClient.run` is [`serve`](Connection::serve) here, and its
//! two `Direction`s are `copy_both_ways`.
//!
//! One worker owns both directions. With two jobs for one connection the pool could starve: enough of
//! them, and each worker waits for a partner that is still in the queue.

use super::session::{Parkable, Session};
use super::worker::WaitBudget;
use super::{Connection, Parked};
use crate::net::clock;
use crate::protocol::interest::Step;
use crate::protocol::relay::Relay;

/// A client and the back end it is joined to.
pub(crate) type RelayConnection = Session<Relay>;

impl Connection for RelayConnection {
    type Machine = Relay;
    type Common = ();
    const REFUSES_WHEN_FULL: bool = false;

    fn serve(&mut self, _common: &(), budget: &WaitBudget<'_>) -> Result<(), Parked> {
        self.connect(budget)?;
        self.copy_both_ways(budget)?;
        self.finish(&clock::now());
        Ok(())
    }

    fn session(&mut self) -> Option<&mut dyn Parkable> {
        Some(self)
    }
}

impl RelayConnection {
    /// Connects to the back end whose turn it is; to the next, if that one cannot be had.
    fn connect(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.machine.needs_backend() {
            match self.machine.step() {
                // A relay keeps no idle connections: each connect is a new one.
                Step::Connect => self.try_backend(budget, |_, _| None),
                // Its PROXY header is awaited, or its place in the queue for a back end.
                _ => self.wait_and_read(budget)?,
            }
        }
        Ok(())
    }

    /// Copies bytes both ways and passes each end on, until both sides have ended.
    fn copy_both_ways(&mut self, budget: &WaitBudget<'_>) -> Result<(), Parked> {
        while self.machine.step() != Step::Finish {
            // Both are tried, whatever comes of the first: not `||`.
            let has_sent = self.write_backend() | self.write_client(budget)?;
            match self.machine.step() {
                Step::ShutClient => self.shut_client(),
                Step::ShutBackend => self.shut_backend(&clock::now()),
                Step::StartProbes => self.start_probes(),
                Step::Transfer if !has_sent => self.wait_and_read(budget)?,
                _ => {}
            }
        }
        Ok(())
    }
}
