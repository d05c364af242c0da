//! The machine of a gateway as the drivers see it.
//!
//! The methods of the trait call the machine's own methods of the same name: where both exist, Rust takes a
//! type's own method, so nothing here calls itself.

use std::task::Waker;
use std::time::{Duration, Instant};

use super::{BackendTarget, Exchange};
use crate::protocol::interest::{Interest, Step};
use crate::protocol::machine::{Machine, NoFile};
use crate::protocol::now::Now;
use crate::protocol::outcome::How;
use crate::protocol::web::Output;

impl Machine for Exchange {
    type File = NoFile;

    fn connection(&self) -> u64 {
        self.client.number()
    }

    fn step(&self) -> Step {
        self.step()
    }

    fn interest(&self) -> Interest {
        self.interest()
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
        let [first, second] = self.client_output();
        Output::Bytes { first, second, more: false }
    }

    fn client_sent(&mut self, count: usize, now: &Now) {
        self.client_sent(count, now);
    }

    fn client_shut(&mut self) {
        self.client_shut();
    }

    fn client_failed(&mut self) {
        self.client_failed();
    }

    fn connect_timeout(&self, now: &Now) -> Duration {
        self.connect_timeout(now)
    }

    fn choose_backend(&mut self, now: &Now, waker: impl FnOnce() -> Waker) -> Option<BackendTarget> {
        self.choose_backend(now, waker)
    }

    fn is_connecting(&self) -> bool {
        self.is_connecting()
    }

    fn connected(&mut self, reused: bool, now: &Now) {
        self.connected(reused, now);
    }

    fn connect_failed(&mut self, how: How, now: &Now) {
        self.connect_failed(how, now);
    }

    fn backend_space(&mut self) -> &mut [u8] {
        self.backend_space()
    }

    fn backend_received(&mut self, count: usize, now: &Now) {
        self.backend_received(count, now);
    }

    fn nothing_from_backend(&mut self) {
        self.nothing_from_backend();
    }

    fn backend_output(&self) -> [&[u8]; 2] {
        self.backend_output()
    }

    fn backend_sent(&mut self, count: usize, now: &Now) {
        self.backend_sent(count, now);
    }

    fn backend_send_failed(&mut self, how: How, now: &Now) {
        self.backend_send_failed(how, now);
    }

    fn backend_failed(&mut self, how: How, now: &Now) {
        self.backend_failed(how, now);
    }
}
