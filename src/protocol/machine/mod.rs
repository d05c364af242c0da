//! What every machine has in common: one face for both drivers.
//!
//! Contract: a driver asks for the [`Step`] and the [`Interest`], does what they say, and reports what
//! came of it; it passes the time in, and never decides anything about the protocol. The three machines
//! [`Web`](super::web::Web), [`Exchange`](super::exchange::Exchange) and [`Relay`](super::relay::Relay) differ in what they decide, not in how they are driven.

use std::task::Waker;
use std::time::{Duration, Instant};

use crate::protocol::exchange::BackendTarget;
use crate::protocol::interest::{Interest, Step};
use crate::protocol::now::Now;
use crate::protocol::outcome::How;
use crate::protocol::web::Output;

/// One client connection, as its driver sees it.
///
/// The functions about a back end have a default for machines that never ask for one.
pub(crate) trait Machine {
    /// A file that a driver sends from.
    type File;

    /// The number of the client's connection.
    fn connection(&self) -> u64;
    /// The next thing to do.
    fn step(&self) -> Step;
    /// Which bytes can be moved.
    fn interest(&self) -> Interest;
    /// Which bytes the threaded driver waits for: it does one thing at a time.
    fn blocking_interest(&self) -> Interest {
        self.interest()
    }

    /// When [`expired`](Machine::expired) is to be called if nothing happens before.
    fn deadline(&self) -> Option<Instant>;
    /// Acts on a deadline that has come; does nothing if none has.
    fn expired(&mut self, now: &Now);
    /// The program stops: what is in flight is the last, and an idle connection ends now.
    fn drain(&mut self);
    /// The program stops, and bytes have just come: the request they belong to is the last one.
    fn take_last_request(&mut self) {}
    /// The time for finishing is over: ends it here and now.
    fn drained(&mut self);
    /// There is no worker for this client: answers 503 and closes, or just closes.
    fn refuse_for_lack_of_workers(&mut self, now: &Now);
    /// True if the close must be a reset, because an orderly one would make a part look like the whole.
    fn was_cut(&self) -> bool;
    /// True if the same holds for the back end's connection.
    fn backend_was_cut(&self) -> bool {
        false
    }
    /// Both sockets are about to be closed: tells the end of it.
    fn finish(&mut self, now: &Now);

    /// Where bytes from the client go.
    fn client_space(&mut self) -> &mut [u8];
    /// `count` bytes came from the client; 0 means that it has ended its sending.
    fn client_received(&mut self, count: usize, now: &Now);
    /// There was nothing to read after all: gives the memory for it back.
    fn nothing_from_client(&mut self);
    /// True if the next bytes from the client may go into a pipe of the driver's instead.
    fn client_may_be_piped(&self) -> bool {
        false
    }
    /// `count` bytes came from the client into the driver's pipe.
    fn client_piped(&mut self, _count: usize, _now: &Now) {}
    /// What is to be sent to the client next, unless the driver's pipe holds it.
    fn client_output(&self) -> Output<'_, Self::File>;
    /// The client has taken the first `count` bytes.
    fn client_sent(&mut self, count: usize, now: &Now);
    /// The file to send from ended before its promised length.
    fn file_ended(&mut self) {}
    /// Our sending side towards the client is closed.
    fn client_shut(&mut self);
    /// A call on the client's socket failed.
    fn client_failed(&mut self);

    /// How long the connect that begins now may take.
    fn connect_timeout(&self, _now: &Now) -> Duration {
        Duration::ZERO
    }
    /// Chooses the back end to connect to. `None`: it has to wait in a queue, and `waker` is how it is
    /// called; or there is none, and the machine has acted on that.
    fn choose_backend(&mut self, _now: &Now, _waker: impl FnOnce() -> Waker) -> Option<BackendTarget> {
        None
    }
    /// True while the chosen back end has not answered the connect yet.
    fn is_connecting(&self) -> bool {
        false
    }
    /// The back end is there; `reused` if its connection was kept from an earlier request.
    fn connected(&mut self, _reused: bool, _now: &Now) {}
    /// The chosen back end cannot be connected.
    fn connect_failed(&mut self, _how: How, _now: &Now) {}
    /// Where bytes from the back end go.
    fn backend_space(&mut self) -> &mut [u8] {
        &mut []
    }
    /// `count` bytes came from the back end; 0 means that it has ended its sending.
    fn backend_received(&mut self, _count: usize, _now: &Now) {}
    /// There was nothing to read after all: gives the memory for it back.
    fn nothing_from_backend(&mut self) {}
    /// True if the next bytes from the back end may go into a pipe of the driver's instead.
    fn backend_may_be_piped(&self) -> bool {
        false
    }
    /// `count` bytes came from the back end into the driver's pipe.
    fn backend_piped(&mut self, _count: usize, _now: &Now) {}
    /// What is to be sent to the back end next, unless the driver's pipe holds it.
    fn backend_output(&self) -> [&[u8]; 2] {
        [&[], &[]]
    }
    /// The back end has taken the first `count` bytes.
    fn backend_sent(&mut self, _count: usize, _now: &Now) {}
    /// Sending to the back end failed.
    fn backend_send_failed(&mut self, _how: How, _now: &Now) {}
    /// Our sending side towards the back end is closed.
    fn backend_shut(&mut self) {}
    /// Reading from the back end failed.
    fn backend_failed(&mut self, _how: How, _now: &Now) {}
}

/// The file of machines that send none.
#[derive(Debug)]
pub(crate) enum NoFile {}

#[cfg(test)]
mod tests;
