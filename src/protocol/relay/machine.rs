//! The machine of a relay as the drivers see it.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::{Relay, RelayService};
use crate::protocol::context::RoleContext;
use crate::protocol::exchange::BackendTarget;
use crate::protocol::idle_client::NeverIdle;
use crate::protocol::machine::{Machine, NoFile, own_backend_functions, own_functions};
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use crate::protocol::proxy_header::ClientIdentity;
use crate::protocol::web::Output;

impl Machine for Relay {
    type Service = RelayService;
    type File = NoFile;
    type Idle = NeverIdle;

    own_functions!();
    own_backend_functions!();

    fn open(service: Arc<RelayService>, client: ClientIdentity, accepted: Instant, now: &Now) -> Relay {
        Relay::new(service, client, accepted, now)
    }

    fn context(service: &RelayService) -> &RoleContext {
        &service.context
    }

    /// A relay cannot tell what is in flight: it is always as it is.
    fn into_idle(self) -> Option<NeverIdle> {
        None
    }

    fn from_idle(idle: NeverIdle, _now: &Now) -> Relay {
        match idle {}
    }

    /// A relay cannot tell what is in flight: it goes on until it ends, or the drain does.
    fn drain(&mut self) {}

    fn refuse_for_lack_of_workers(&mut self, _now: &Now) {
        self.drained();
    }

    fn backend_was_cut(&self) -> bool {
        self.was_cut()
    }

    fn client_may_be_piped(&self) -> bool {
        self.client_may_be_piped()
    }

    fn client_piped(&mut self, count: usize, now: &Now) {
        self.client_piped(count, now);
    }

    fn client_output(&self) -> Output<'_, NoFile> {
        Output::Bytes { first: self.client_output(), second: &[], more: false }
    }

    fn choose_backend(&mut self, now: &Now, waker: impl FnOnce() -> Waker) -> Option<BackendTarget> {
        let address = self.choose_backend(now, waker)?;
        let tls = self.backend_tls();
        Some(BackendTarget { address, may_reuse: false, tls })
    }

    /// A relay has no words of its own.
    fn refuse_plain_http(&mut self, _now: &Now) {
        self.end(Outcome::new(Who::Client, How::Malformed, Phase::Handshake));
    }

    fn handshake_done(&mut self, now: &Now) {
        self.arrive(now);
    }

    fn connected(&mut self, _reused: bool, now: &Now) {
        self.connected(now);
    }

    fn backend_may_be_piped(&self) -> bool {
        self.backend_may_be_piped()
    }

    fn backend_piped(&mut self, count: usize, now: &Now) {
        self.backend_piped(count, now);
    }

    fn backend_output(&self) -> [&[u8]; 2] {
        [self.backend_output(), &[]]
    }

    fn backend_send_failed(&mut self, _how: How, _now: &Now) {
        self.backend_failed();
    }

    fn backend_shut(&mut self) {
        self.backend_shut();
    }

    fn backend_failed(&mut self, _how: How, _now: &Now) {
        self.backend_failed();
    }
}
