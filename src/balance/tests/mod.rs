//! The round robin and the availability of back ends, tested together through a group.

mod checks;
mod failures;
mod list;
mod properties;
mod trial;
mod turn;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::availability::Effect;
use super::group::Replaced;
use super::health::{Change, Health};
use super::limits::{PASSIVE_FAILURES, PASSIVE_OUT, PASSIVE_WINDOW, RETRIES};
use super::*;

fn group(count: u16) -> Group {
    Group::new("test", (0..count).map(|port| SocketAddr::from(([127, 0, 0, 1], 9001 + port))).collect())
}

fn nth(group: &Group, index: usize) -> Arc<Backend> {
    Arc::clone(&group.backends()[index])
}

fn take_out(group: &Group, index: usize, now: Instant) {
    for round in 1..=PASSIVE_FAILURES {
        assert_eq!(group.failed(&nth(group, index), now) == Effect::Out, round == PASSIVE_FAILURES);
    }
}

fn index_of(group: &Group, chosen: &Chosen) -> usize {
    group.backends().iter().position(|backend| Arc::ptr_eq(backend, &chosen.0)).unwrap()
}

fn candidates(group: &Group, now: Instant) -> Vec<usize> {
    let mut turn = group.turn();
    std::iter::from_fn(|| group.next(&mut turn, now)).map(|chosen| index_of(group, &chosen)).collect()
}

fn first(group: &Group, now: Instant) -> Option<usize> {
    group.next(&mut group.turn(), now).map(|chosen| index_of(group, &chosen))
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Counts how often it was called.
#[derive(Default)]
struct Called(AtomicUsize);

impl std::task::Wake for Called {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
