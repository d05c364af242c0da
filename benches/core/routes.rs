//! Finding the route of a path among 1 to 1,000 routes: the first, the last, none of them, and a path that has to
//! be brought into its normal form first.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion};
use giliran::balance::Group;
use giliran::balance::routes::Routes;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route");
    for count in [1, 10, 100, 1000] {
        let routes = routes(count);
        let last = count - 1;
        let paths = [
            ("first", "/application-000/index.html?page=2".to_owned()),
            ("last", format!("/application-{last:03}/index.html?page=2")),
            ("none", "/elsewhere/index.html?page=2".to_owned()),
            ("disguised", format!("/x/../application-{last:03}//%69ndex.html?page=2")),
        ];
        for (name, path) in paths {
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| routes.find(black_box(&path)).is_ok());
            });
        }
    }
    group.finish();
}

/// Routes with this many prefixes of one length, each with a group of its own.
fn routes(count: usize) -> Routes {
    let group = |name: &str| Arc::new(Group::new(name, vec![([127, 0, 0, 1], 9001).into()]));
    let mut routes = Routes::new(group("default"));
    for number in 0..count {
        let prefix = format!("/application-{number:03}/");
        routes.add(&prefix, group(&prefix)).expect("a good prefix");
    }
    routes
}
