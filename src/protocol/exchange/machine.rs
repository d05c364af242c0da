//! The machine of a gateway as the drivers see it.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::{BackendTarget, Exchange, Gateway};
use crate::protocol::context::RoleContext;
use crate::protocol::idle_client::IdleClient;
use crate::protocol::machine::{Machine, NoFile, PLAIN_HTTP, own_backend_functions, own_functions};
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Phase};
use crate::protocol::proxy_header::ClientIdentity;
use crate::protocol::web::Output;

impl Machine for Exchange {
    type Service = Gateway;
    type File = NoFile;
    type Idle = IdleClient<Gateway>;

    own_functions!();
    own_backend_functions!();

    fn open(service: Arc<Gateway>, client: ClientIdentity, accepted: Instant, now: &Now) -> Exchange {
        Exchange::new(service, client, accepted, now)
    }

    fn context(service: &Gateway) -> &RoleContext {
        &service.context
    }

    fn is_idle(&self) -> bool {
        self.is_idle()
    }

    fn into_idle(self) -> Option<IdleClient<Gateway>> {
        self.is_idle().then(|| self.into_idle())
    }

    fn from_idle(idle: IdleClient<Gateway>, now: &Now) -> Exchange {
        Exchange::from_idle(idle, now)
    }

    fn drain(&mut self) {
        self.drain();
    }

    fn drain_unless_new(&mut self, now: &Now) {
        self.drain_unless_new(now);
    }

    fn take_last_request(&mut self) {
        self.take_last_request();
    }

    fn refuse_for_lack_of_workers(&mut self, now: &Now) {
        self.refuse_for_lack_of_workers(now);
    }

    fn refuse_plain_http(&mut self, now: &Now) {
        self.refuse(PLAIN_HTTP, How::Malformed, Phase::Handshake, now);
    }

    fn client_output(&self) -> Output<'_, NoFile> {
        let [first, second] = self.client_output();
        Output::Bytes { first, second, more: false }
    }

    fn is_verifying(&self) -> bool {
        self.is_verifying()
    }

    fn verify_password(&mut self, now: &Now, waker: impl FnOnce() -> Waker) {
        self.verify_password(now, waker);
    }

    fn choose_backend(&mut self, now: &Now, waker: impl FnOnce() -> Waker) -> Option<BackendTarget> {
        self.choose_backend(now, waker)
    }

    fn connected(&mut self, reused: bool, now: &Now) {
        self.connected(reused, now);
    }

    fn backend_output(&self) -> [&[u8]; 2] {
        self.backend_output()
    }

    fn backend_send_failed(&mut self, how: How, now: &Now) {
        self.backend_send_failed(how, now);
    }

    fn backend_failed(&mut self, how: How, now: &Now) {
        self.backend_failed(how, now);
    }
}
