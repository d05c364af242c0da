//! What a pick costs under each policy, with 10 and 1000 back ends, and with weights that differ.
//!
//! One thread takes a turn and gives its back end back at once. The clients have a thousand addresses, and no cookies.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use criterion::{BenchmarkId, Criterion};
use giliran::balance::{Group, Key};

/// The policies by their names.
const POLICIES: [&str; 5] = ["round-robin", "least-connections", "random-two", "source-hash", "cookie"];

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("policy");
    for policy in POLICIES {
        for (count, weights) in [(10, "equal"), (1000, "equal"), (10, "differing"), (1000, "differing")] {
            let of =
                |index: u16| (address(index), if weights == "equal" { 1 } else { 1 + u32::from(index) % 3 });
            let backends: Vec<(SocketAddr, u32)> = (0..count).map(of).collect();
            let turns = Group::by_policy("bench", policy, &backends).expect("it is one of the policies");
            let now = Instant::now();
            let mut client = 0;
            group.bench_function(BenchmarkId::new(policy, format!("{count} {weights}")), |bencher| {
                bencher.iter(|| {
                    client = (client + 1) % 1000;
                    let key = Key::from(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + client)));
                    black_box(turns.next(&mut turns.turn_for(key), now)).expect("all are up");
                });
            });
        }
    }
    group.finish();
}

fn address(index: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 9001 + index).into()
}
