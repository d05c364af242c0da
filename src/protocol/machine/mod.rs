//! What every machine has in common: one face for both drivers.
//!
//! Contract: a driver asks for the [`Step`] and the [`Interest`], does what they say, and reports what
//! came of it; it passes the time in, and never decides anything about the protocol. The three machines
//! [`Web`](super::web::Web), [`Exchange`](super::exchange::Exchange) and [`Relay`](super::relay::Relay) differ in what they decide, not in how they are driven.

use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::protocol::context::RoleContext;
use crate::protocol::exchange::BackendTarget;
use crate::protocol::http::Refusal;
use crate::protocol::interest::{Interest, Step};
use crate::protocol::now::Now;
use crate::protocol::outcome::How;
use crate::protocol::proxy_header::ClientIdentity;
use crate::protocol::web::Output;

/// What a read brought, and where the bytes are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Received {
    /// So many bytes in the machine's buffer; 0 is the end of the stream.
    Buffered(usize),
    /// So many bytes in the driver's pipe; 0 is the end of the stream.
    Piped(usize),
    /// There were none.
    Nothing,
    /// Bytes came that were for the encryption only.
    Handshake,
    /// The client speaks HTTP without TLS, where TLS is expected. What it sent is dropped.
    PlainHttp,
}

/// One client connection, as its driver sees it.
///
/// The functions about a back end have a default for machines that never ask for one.
pub(crate) trait Machine {
    /// What it serves its client with: a site, routes, or a group of back ends.
    type Service;
    /// A file that a driver sends from.
    type File;
    /// What is remembered of a client while nothing is in flight.
    type Idle;

    /// A machine for a client that was accepted at `accepted` and that is served from now on.
    fn open(service: Arc<Self::Service>, client: ClientIdentity, accepted: Instant, now: &Now) -> Self;
    /// The settings that all connections of a service share.
    fn context(service: &Self::Service) -> &RoleContext;

    /// True if nothing is in flight and no byte of the next request has come.
    fn is_idle(&self) -> bool {
        false
    }
    /// What is to be remembered of the client; `None` if it is not idle.
    fn into_idle(self) -> Option<Self::Idle>;
    /// A machine for a client of which this was remembered.
    fn from_idle(idle: Self::Idle, now: &Now) -> Self;

    /// Who the client is.
    fn client(&mut self) -> &mut ClientIdentity;
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
    /// The same for a connection that is being served: one that is new may still send its first request, since who has
    /// connected has mostly sent it too.
    fn drain_unless_new(&mut self, _now: &Now) {
        self.drain();
    }
    /// The program stops, and bytes have just come: the request they belong to is the last one.
    fn take_last_request(&mut self) {}
    /// The time for finishing is over: ends it here and now.
    fn drained(&mut self);
    /// No worker will serve this client: it gets a response that says so (503), and is closed. A relay, which has
    /// no words of its own, just closes, and so does a connection that is not encrypted yet and should be.
    fn refuse_for_lack_of_workers(&mut self, now: &Now);
    /// The client speaks HTTP without TLS, where TLS is expected: it gets a response that says so, in the clear.
    fn refuse_plain_http(&mut self, now: &Now);
    /// The handshake is done: whoever has waited for that and for nothing else goes on.
    fn handshake_done(&mut self, _now: &Now) {}
    /// The client broke the rules of TLS, or would not agree with us on how to speak it.
    fn tls_failed(&mut self, fault: &io::Error) {
        self.client().report_tls_fault(fault);
        self.client_failed();
    }
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

    /// True while a password has to be verified before the request can go on.
    fn is_verifying(&self) -> bool {
        false
    }
    /// Submits the password, with the waker that is called when it is verified; or acts on what came of it.
    fn verify_password(&mut self, _now: &Now, _waker: impl FnOnce() -> Waker) {}

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

    /// What came of a read from the client. False if nothing has come.
    fn client_read(&mut self, received: io::Result<Received>, now: &Now) -> bool {
        match received {
            Ok(Received::Buffered(count)) => self.client_received(count, now),
            Ok(Received::Piped(count)) => self.client_piped(count, now),
            Ok(Received::Nothing) => {
                self.nothing_from_client();
                return false;
            }
            Ok(Received::Handshake) => self.nothing_from_client(),
            Ok(Received::PlainHttp) => {
                self.nothing_from_client();
                self.refuse_plain_http(now);
            }
            Err(fault) if fault.kind() == io::ErrorKind::InvalidData => self.tls_failed(&fault),
            Err(_) => self.client_failed(),
        }
        true
    }
    /// What came of a read from the back end. False if nothing has come.
    fn backend_read(&mut self, received: io::Result<Received>, now: &Now) -> bool {
        match received {
            Ok(Received::Buffered(count)) => self.backend_received(count, now),
            Ok(Received::Piped(count)) => self.backend_piped(count, now),
            Ok(Received::Nothing) => {
                self.nothing_from_backend();
                return false;
            }
            Ok(Received::Handshake | Received::PlainHttp) => self.nothing_from_backend(),
            Err(_) => self.backend_failed(How::Reset, now),
        }
        true
    }
    /// What came of sending to the client. False if nothing was sent, because there is no room.
    fn client_written(&mut self, sent: io::Result<Option<usize>>, now: &Now) -> bool {
        match sent {
            // `sendfile` sends nothing where the file has become shorter than it was.
            Ok(Some(0)) => self.file_ended(),
            Ok(Some(count)) => self.client_sent(count, now),
            Ok(None) => return false,
            Err(_) => self.client_failed(),
        }
        true
    }
    /// What came of sending to the back end. False if nothing was sent, because there is no room.
    fn backend_written(&mut self, sent: io::Result<Option<usize>>, now: &Now) -> bool {
        match sent {
            Ok(Some(count)) => self.backend_sent(count, now),
            Ok(None) => return false,
            Err(_) => self.backend_send_failed(How::Reset, now),
        }
        true
    }
}

/// The functions of [`Machine`] that every machine has as its own, under the same name: Rust takes a type's own
/// function before that of a trait, so none of these calls itself.
macro_rules! own_functions {
    () => {
        fn client(&mut self) -> &mut $crate::protocol::proxy_header::ClientIdentity {
            &mut self.client
        }
        fn connection(&self) -> u64 {
            self.client.number()
        }
        fn step(&self) -> $crate::protocol::interest::Step {
            self.step()
        }
        fn interest(&self) -> $crate::protocol::interest::Interest {
            self.interest()
        }
        fn deadline(&self) -> Option<std::time::Instant> {
            self.deadline()
        }
        fn expired(&mut self, now: &$crate::protocol::now::Now) {
            self.expired(now);
        }
        fn drained(&mut self) {
            self.drained();
        }
        fn was_cut(&self) -> bool {
            self.was_cut()
        }
        fn finish(&mut self, now: &$crate::protocol::now::Now) {
            self.finish(now);
        }
        fn client_space(&mut self) -> &mut [u8] {
            self.client_space()
        }
        fn client_received(&mut self, count: usize, now: &$crate::protocol::now::Now) {
            self.client_received(count, now);
        }
        fn nothing_from_client(&mut self) {
            self.nothing_from_client();
        }
        fn client_sent(&mut self, count: usize, now: &$crate::protocol::now::Now) {
            self.client_sent(count, now);
        }
        fn client_shut(&mut self) {
            self.client_shut();
        }
        fn client_failed(&mut self) {
            self.client_failed();
        }
    };
}
pub(crate) use own_functions;

/// The same for those about a back end, for the two machines that have one.
macro_rules! own_backend_functions {
    () => {
        fn connect_timeout(&self, now: &$crate::protocol::now::Now) -> std::time::Duration {
            self.connect_timeout(now)
        }
        fn is_connecting(&self) -> bool {
            self.is_connecting()
        }
        fn connect_failed(&mut self, how: $crate::protocol::outcome::How, now: &$crate::protocol::now::Now) {
            self.connect_failed(how, now);
        }
        fn backend_space(&mut self) -> &mut [u8] {
            self.backend_space()
        }
        fn backend_received(&mut self, count: usize, now: &$crate::protocol::now::Now) {
            self.backend_received(count, now);
        }
        fn nothing_from_backend(&mut self) {
            self.nothing_from_backend();
        }
        fn backend_sent(&mut self, count: usize, now: &$crate::protocol::now::Now) {
            self.backend_sent(count, now);
        }
    };
}
pub(crate) use own_backend_functions;

/// What [`refuse_for_lack_of_workers`](Machine::refuse_for_lack_of_workers) responds.
pub(crate) const NO_WORKER: Refusal =
    Refusal::new(503, "All workers are busy and the queue is full; try again soon.");

/// What [`refuse_plain_http`](Machine::refuse_plain_http) responds.
pub(crate) const PLAIN_HTTP: Refusal =
    Refusal::bad("This port speaks TLS: the address begins with https:// and not with http://.");

/// The file of machines that send none.
#[derive(Debug)]
pub(crate) enum NoFile {}

#[cfg(test)]
mod tests;
