//! The machine of a web server as the drivers see it.
//!
//! The methods of the trait call the machine's own methods of the same name: where both exist, Rust takes a
//! type's own method, so nothing here calls itself.

use std::time::Instant;

use super::{Output, Response, Site, Web};
use crate::protocol::interest::{Interest, Step};
use crate::protocol::machine::Machine;
use crate::protocol::now::Now;

impl<S: Site> Machine for Web<S> {
    type File = <S::Response as Response>::File;

    fn connection(&self) -> u64 {
        self.client.number()
    }

    fn step(&self) -> Step {
        self.step()
    }

    fn interest(&self) -> Interest {
        self.interest()
    }

    fn blocking_interest(&self) -> Interest {
        self.blocking_interest()
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline()
    }

    fn expired(&mut self, now: &Now) {
        self.expired(now);
    }

    fn drain(&mut self) {
        self.drain();
    }

    fn take_last_request(&mut self) {
        self.take_last_request();
    }

    fn drained(&mut self) {
        self.drained();
    }

    fn refuse_for_lack_of_workers(&mut self, now: &Now) {
        self.refuse_for_lack_of_workers(now);
    }

    fn was_cut(&self) -> bool {
        self.was_cut()
    }

    fn finish(&mut self, now: &Now) {
        self.finish(now);
    }

    fn client_space(&mut self) -> &mut [u8] {
        self.client_space()
    }

    fn client_received(&mut self, count: usize, now: &Now) {
        self.client_received(count, now);
    }

    fn nothing_from_client(&mut self) {
        self.nothing_from_client();
    }

    fn client_output(&self) -> Output<'_, Self::File> {
        self.client_output()
    }

    fn client_sent(&mut self, count: usize, now: &Now) {
        self.client_sent(count, now);
    }

    fn file_ended(&mut self) {
        self.file_ended();
    }

    fn client_shut(&mut self) {
        self.client_shut();
    }

    fn client_failed(&mut self) {
        self.client_failed();
    }
}
