//! A turn drawn and its back end chosen, by 1 to 8 threads at once.
//!
//! What is measured is the time from the moment all threads may go until the last one is through,
//! divided by the turns that each of them drew: with a core a thread and nothing shared it would stay
//! as it is for one. The counter and the back ends' own counts are shared by design, so it does not.

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
            bencher.iter_custom(|times| drawn_by(threads, times, &turns, now));
        });
    }
    group.finish();
}

/// How long so many threads take to draw so many turns each.
fn drawn_by(threads: usize, times: u64, group: &Group, now: Instant) -> Duration {
    let start = Barrier::new(threads + 1);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                start.wait();
                for _ in 0..times {
                    // Given back at once: what a connection does with its back end is not the question.
                    let chosen = group.next(&mut group.turn(), now);
                    assert!(chosen.is_some(), "all back ends are up");
                }
            });
        }
        start.wait();
        // `scope` itself waits for the threads, but only after this block has its value.
        Instant::now()
    })
    .elapsed()
}
