//! The machine of a web server as the drivers see it.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::{Output, Response, Site, Web, WebService};
use crate::protocol::context::RoleContext;
use crate::protocol::idle_client::IdleClient;
use crate::protocol::interest::Interest;
use crate::protocol::machine::{Machine, PLAIN_HTTP, own_functions};
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Phase};
use crate::protocol::proxy_header::ClientIdentity;

impl<S: Site> Machine for Web<S> {
    type Service = WebService<S>;
    type File = <S::Response as Response>::File;
    type Idle = IdleClient<WebService<S>>;

    own_functions!();

    fn open(service: Arc<WebService<S>>, client: ClientIdentity, accepted: Instant, now: &Now) -> Web<S> {
        Web::new(service, client, accepted, now)
    }

    fn context(service: &WebService<S>) -> &RoleContext {
        &service.context
    }

    fn is_idle(&self) -> bool {
        self.is_idle()
    }

    fn into_idle(self) -> Option<IdleClient<WebService<S>>> {
        self.is_idle().then(|| self.into_idle())
    }

    fn from_idle(idle: IdleClient<WebService<S>>, now: &Now) -> Web<S> {
        Web::from_idle(idle, now)
    }

    fn blocking_interest(&self) -> Interest {
        self.blocking_interest()
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

    fn is_verifying(&self) -> bool {
        self.is_verifying()
    }

    fn verify_password(&mut self, now: &Now, waker: impl FnOnce() -> Waker) {
        self.verify_password(now, waker);
    }

    fn client_output(&self) -> Output<'_, Self::File> {
        self.client_output()
    }

    fn file_ended(&mut self) {
        self.file_ended();
    }
}
