//! Round robin under concurrent clients: however many loops or workers draw, the back ends' own
//! counts never differ by more than one.

use crate::support::Model;
use crate::support::backend::{Backend, ok};
use crate::support::client::{Client, request};
use crate::support::launch::Launch;
use crate::support::role::Role;

const CLIENTS: usize = 16;
const REQUESTS_EACH: usize = 25;

#[test]
fn loops_share_one_counter() {
    for loops in [1, 2, 4] {
        expect_even(Model::Async, |launch| launch.flag("--loops", loops));
    }
}

#[test]
fn workers_share_one_counter() {
    for workers in [1, 2, 64] {
        expect_even(Model::Threaded, |launch| launch.flag("--workers", workers));
    }
}

fn expect_even(model: Model, with: impl Fn(Launch) -> Launch) {
    for count in [2, 3, 5] {
        for (mode, kept) in [("tcp", false), ("http", false), ("http", true)] {
            let backends: Vec<_> = (0..count).map(|_| Backend::answering(ok("satu"))).collect();
            let launch = Launch::balancer(model, mode, backends.iter().map(Backend::address));
            let role = with(launch).start();
            std::thread::scope(|scope| {
                for _ in 0..CLIENTS {
                    scope.spawn(|| ask(&role, kept));
                }
            });
            let counts: Vec<_> = backends.iter().map(|backend| backend.requests().len()).collect();
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert_eq!(counts.iter().sum::<usize>(), CLIENTS * REQUESTS_EACH, "{mode}: {counts:?}");
            assert!(most - least <= 1, "{mode}, kept {kept}: {counts:?}");
        }
    }
}

/// Asks again and again, on one connection or on one each.
fn ask(role: &Role, kept: bool) {
    let mut client = Client::connect(role.address());
    for turn in 0..REQUESTS_EACH {
        if turn > 0 && !kept {
            client = Client::connect(role.address());
        }
        client.send(request("GET", "/", ""));
        assert_eq!(client.response().text(), "satu");
    }
}
