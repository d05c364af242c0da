//! Finding the route of a request among 1 to 1,000 routes: by path the first, the last, none of them, and a path that
//! has to be brought into its normal form first; by host the last, one of a wildcard, and none of them.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use giliran::balance::routes::Routes;

/// How many routes there are.
const COUNTS: [usize; 4] = [1, 10, 100, 1000];

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route");
    for count in COUNTS {
        let by_path = routes((0..count).map(|number| format!("/application-{number:03}/")));
        let last = count - 1;
        let paths = [
            ("first", "/application-000/index.html?page=2".to_owned()),
            ("last", format!("/application-{last:03}/index.html?page=2")),
            ("none", "/elsewhere/index.html?page=2".to_owned()),
            ("disguised", format!("/x/../application-{last:03}//%69ndex.html?page=2")),
        ];
        for (name, path) in paths {
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| by_path.find("www.example.org", black_box(&path)).is_ok());
            });
        }
        let hosts = (0..count).flat_map(|number| {
            [
                format!("application-{number:03}.example.org"),
                format!("*.application-{number:03}.example.net/x/"),
            ]
        });
        let by_host = routes(hosts);
        let hosts = [
            ("host", format!("application-{last:03}.example.org:8080")),
            ("wildcard", format!("www.application-{last:03}.example.net")),
            ("no host", "www.elsewhere.example".to_owned()),
        ];
        for (name, host) in hosts {
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| by_host.find(black_box(&host), black_box("/x/index.html?page=2")).is_ok());
            });
        }
    }
    group.finish();
}

/// A route for each of these patterns.
fn routes(patterns: impl Iterator<Item = String>) -> Routes<String> {
    let mut routes = Routes::new("default".to_owned());
    for text in patterns {
        let pattern = text.parse().expect("a good pattern");
        routes.add(&pattern, text).expect("no two are the same");
    }
    routes
}
