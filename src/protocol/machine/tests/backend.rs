//! A machine without a back end.

use super::*;
use crate::protocol::idle_client::NeverIdle;

/// One that has no back end, and says nothing about it.
struct Alone(Interest, ClientIdentity);

impl Machine for Alone {
    type Service = Arc<RoleContext>;
    type File = NoFile;
    type Idle = NeverIdle;

    fn open(_service: Arc<Arc<RoleContext>>, who: ClientIdentity, _accepted: Instant, _now: &Now) -> Alone {
        Alone(Interest::NONE, who)
    }
    fn context(service: &Arc<RoleContext>) -> &RoleContext {
        service
    }
    fn into_idle(self) -> Option<NeverIdle> {
        None
    }
    fn from_idle(idle: NeverIdle, _now: &Now) -> Alone {
        match idle {}
    }
    fn client(&mut self) -> &mut ClientIdentity {
        &mut self.1
    }
    fn connection(&self) -> u64 {
        0
    }

    fn step(&self) -> Step {
        Step::Transfer
    }
    fn interest(&self) -> Interest {
        self.0
    }
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn expired(&mut self, _now: &Now) {}
    fn drain(&mut self) {}
    fn drained(&mut self) {}
    fn refuse_for_lack_of_workers(&mut self, _now: &Now) {}
    fn refuse_plain_http(&mut self, _now: &Now) {}
    fn was_cut(&self) -> bool {
        true
    }
    fn finish(&mut self, _now: &Now) {}
    fn client_space(&mut self) -> &mut [u8] {
        &mut []
    }
    fn client_received(&mut self, _count: usize, _now: &Now) {}
    fn nothing_from_client(&mut self) {}
    fn client_output(&self) -> Output<'_, NoFile> {
        Output::Bytes { first: &[], second: &[], more: false }
    }
    fn client_sent(&mut self, _count: usize, _now: &Now) {}
    fn client_shut(&mut self) {}
    fn client_failed(&mut self) {}
}

#[test]
fn a_machine_without_a_back_end_need_not_speak_of_one() {
    let interest = Interest { read_client: true, ..Interest::NONE };
    let mut alone = Alone(interest, ClientIdentity::from(SocketAddr::from(([127, 0, 0, 1], 1))));
    assert_eq!(alone.blocking_interest(), interest);
    assert!(!alone.backend_was_cut() && !alone.is_connecting());
    assert!(!alone.client_may_be_piped() && !alone.backend_may_be_piped());
    assert_eq!(alone.connect_timeout(&start()), Duration::ZERO);
    assert!(alone.choose_backend(&start(), waker).is_none());
    assert!(alone.backend_space().is_empty());
    assert!(alone.backend_output().iter().all(|bytes| bytes.is_empty()));
}
