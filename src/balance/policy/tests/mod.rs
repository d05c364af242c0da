//! The policies, through a group: what each promises, and what all of them keep.

mod backup;
mod cookie;
mod least_connections;
mod random_two;
mod round_robin;
mod rules;
mod slow_start;
mod source_hash;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::Policy;
use crate::balance::{Backend, Chosen, Group, GroupSettings, Key, Member};

fn policy(name: &str) -> Policy {
    name.parse().unwrap()
}

/// A back end by its index, with this weight.
fn member(index: usize, weight: u32) -> Member {
    let port = 9001 + u16::try_from(index).unwrap();
    Member { weight, ..Member::from(SocketAddr::from(([127, 0, 0, 1], port))) }
}

fn members(weights: &[u32]) -> Vec<Member> {
    weights.iter().enumerate().map(|(index, weight)| member(index, *weight)).collect()
}

fn group(name: &str, weights: &[u32]) -> Group {
    Group::with("test", members(weights), GroupSettings { policy: policy(name), ..GroupSettings::default() })
}

fn index_of(chosen: &Backend) -> usize {
    usize::from(chosen.address.port()) - 9001
}

fn take(group: &Group, key: Key, now: Instant) -> Option<Chosen> {
    group.next(&mut group.turn_for(key), now)
}

/// The first candidate of the next turn, which is given back at once.
fn first(group: &Group, now: Instant) -> usize {
    index_of(&take(group, Key::default(), now).unwrap())
}

/// How many of so many turns each of `count` back ends gets.
fn shares(group: &Group, count: usize, turns: usize, now: Instant) -> Vec<usize> {
    let mut shares = vec![0; count];
    (0..turns).for_each(|_| shares[first(group, now)] += 1);
    shares
}

fn client(number: u32) -> Key {
    Key::from(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number)))
}

fn nth(group: &Group, index: usize) -> Arc<Backend> {
    Arc::clone(group.backends().iter().find(|backend| index_of(backend) == index).unwrap())
}
