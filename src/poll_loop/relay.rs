//! One client of a relay and its back end, served by a loop. Twin: `threaded/relay.rs`.
//!
//! Compare `integration/python/lb_async.py`: its `Pair` is the [`Session`] here, and its `Server.loop` is
//! `event_loop.rs`.

use super::session::{Pollable, Session};
use super::{CALLS_PER_ITERATION_MAX, Connection, LoopContext, Served};
use crate::protocol::interest::Step;
use crate::protocol::relay::Relay;

/// A client and the back end it is joined to.
pub(crate) type RelayConnection = Session<Relay>;

impl Connection for RelayConnection {
    type Machine = Relay;
    type Local = ();

    fn serve(&mut self, _local: &mut (), context: &mut LoopContext<'_>) -> Served {
        self.keep_time(context);
        for _ in 0..CALLS_PER_ITERATION_MAX {
            match self.step() {
                // A relay keeps no idle connections: each connect is a new one.
                Step::Connect => self.try_backend(context, |_, _| None),
                Step::ShutClient => self.shut_client(),
                Step::ShutBackend => self.shut_backend(&context.now),
                Step::StartProbes => self.start_probes(),
                Step::Finish => return self.close(context),
                _ if self.transfer(context) => {}
                _ => return self.register(context),
            }
        }
        Served::MoreToDo
    }

    fn session(&mut self) -> Option<&mut dyn Pollable> {
        Some(self)
    }
}
