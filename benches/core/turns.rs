//! Taking a turn of the round robin and choosing its back end, by 1 to 8 threads at the same time.
//!
//! Measured is the time from the common start of all threads until the last one is done, divided by the turns
//! that each of them took. With one core for each thread and nothing shared, it would be the same for any number
//! of threads. It grows, because the counter and the counts of the back ends are shared by design.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use giliran::balance::Group;

pub(crate) fn bench(criterion: &mut Criterion) {
    let now = Instant::now();
    let addresses = (9001..=9005).map(|port| ([127, 0, 0, 1], port).into()).collect();
    let turns = Group::new("bench", addresses);
    let mut group = criterion.benchmark_group("turn");
    for threads in [1, 2, 4, 8] {
        group.throughput(Throughput::Elements(threads as u64));
        group.bench_function(BenchmarkId::new("threads", threads), |bencher| {
            bencher.iter_custom(|times| take_turns(threads, times, &turns, now));
        });
    }
    group.finish();
}

/// How long this many threads need to take this many turns each.
fn take_turns(threads: usize, times: u64, group: &Group, now: Instant) -> Duration {
    let start = Barrier::new(threads + 1);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                start.wait();
                for _ in 0..times {
                    // Released at once: what a connection does with its back end is not measured.
                    let chosen = group.next(&mut group.turn(), now);
                    assert!(chosen.is_some(), "all back ends are up");
                }
            });
        }
        start.wait();
        // The scope waits for the threads after this block has returned its value.
        Instant::now()
    })
    .elapsed()
}
