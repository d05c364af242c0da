//! Relays without a socket: bytes, ends and moments go in by hand.

mod closing;
mod connect;
mod deadline;
mod flow;
mod graph;
mod line;
mod proxy_header;

use super::*;
use crate::balance::limits::BACKEND_QUEUE;
use crate::protocol::event::{Connection, Observer};
use crate::protocol::limits::BUFFER_BYTES;
use crate::protocol::proxy_header::{Policy, Version};
use crate::protocol::testing::{context, drawn_states};
use std::net::SocketAddr;
use std::task::Waker;
use std::time::Duration;

fn now() -> Now {
    Now { instant: Instant::now(), wall: std::time::UNIX_EPOCH }
}

fn relay(backends: usize, now: &Now) -> Relay {
    let addresses = (0..backends).map(|index| SocketAddr::from(([127, 0, 0, 1], 9001 + index as u16)));
    let group = Arc::new(Group::new("test", addresses.collect()));
    let client = SocketAddr::from(([127, 0, 0, 1], 40_000));
    Relay::new(service(group), client, now.instant, now)
}

fn service(group: Arc<Group>) -> Arc<RelayService> {
    Arc::new(RelayService { context: Arc::new(context(Timeouts::default())), group })
}

fn waker() -> Waker {
    Waker::noop().clone()
}

fn joined(now: &Now) -> Relay {
    let mut relay = relay(1, now);
    relay.choose_backend(now, waker).unwrap();
    relay.connected(now);
    relay.probes_started();
    relay
}

fn from_client(relay: &mut Relay, bytes: &[u8], now: &Now) {
    relay.client_space()[..bytes.len()].copy_from_slice(bytes);
    relay.client_received(bytes.len(), now);
}

fn from_backend(relay: &mut Relay, bytes: &[u8], now: &Now) {
    relay.backend_space()[..bytes.len()].copy_from_slice(bytes);
    relay.backend_received(bytes.len(), now);
}

fn outcome(relay: &Relay) -> String {
    let State::Over { outcome, .. } = &relay.state else { panic!("{relay:?}") };
    outcome.to_string()
}

/// A relay whose clients come through proxies of 10.0.0.0/8, and whose back ends are told of them.
fn introduced(peer: &str, now: &Now) -> Relay {
    let trust = vec!["10.0.0.0/8".parse().unwrap()];
    let policy = Policy { accept: true, trust, send: Some(Version::V1) };
    let caller = policy.identify(peer.parse().unwrap(), || Ok("10.0.0.2:80".parse().unwrap()));
    let group = Arc::new(Group::new("test", vec![SocketAddr::from(([127, 0, 0, 1], 9001))]));
    Relay::new(service(group), caller, now.instant, now)
}
