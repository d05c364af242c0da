//! Heads of our own responses: for a page, and for a file.

use std::hint::black_box;
use std::time::{Instant, UNIX_EPOCH};

use criterion::Criterion;
use giliran::protocol::buffer::Buffer;
use giliran::protocol::http::response::ResponseWriter;
use giliran::protocol::now::Now;

pub(crate) fn bench(criterion: &mut Criterion) {
    let now = Now { instant: Instant::now(), wall: UNIX_EPOCH };
    let mut group = criterion.benchmark_group("response");
    group.bench_function("page", |bencher| {
        let mut out = Buffer::new();
        bencher.iter(|| {
            let mut head = ResponseWriter::start(&mut out, 200, black_box(&now));
            head.field("Content-Type", "text/plain");
            head.field("Content-Length", black_box(31));
            assert!(head.finish());
            out.clear();
        });
    });
    group.bench_function("file", |bencher| {
        let mut out = Buffer::new();
        bencher.iter(|| {
            let mut head = ResponseWriter::start(&mut out, 200, black_box(&now));
            head.field("Content-Type", "image/jpeg");
            head.field("Last-Modified", "Tue, 13 Jul 2021 13:31:13 GMT");
            head.field("ETag", "\"3d56-60ed97f1\"");
            head.field("Accept-Ranges", "bytes");
            head.field("Content-Length", black_box(15_702));
            assert!(head.finish());
            out.clear();
        });
    });
    group.finish();
}
