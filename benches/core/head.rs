//! Request heads: our code compared with httparse alone.
//!
//! `httparse` is the lower bound: the same grammar without our rules. `scan` searches the empty line that ends
//! the head, as a connection does before it parses. `parse` adds the rules about targets and hosts.
//! `connection` is everything that one request costs here: both, and its framing.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use giliran::protocol::http::framing;
use giliran::protocol::http::head::{FieldSpace, HeadScan, RequestHead, Scan};
use giliran::protocol::limits::HEAD_FIELDS_MAX;

/// What `curl http://127.0.0.1:9001/` sends.
const CURL: &str = "GET / HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";

/// What a browser sends for a picture in a page: 15 fields.
const BROWSER: &str = "GET /images/pokijan.jpg?width=640 HTTP/1.1\r\n\
    Host: 127.0.0.1:18000\r\n\
    Connection: keep-alive\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    sec-ch-ua: \"Chromium\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    sec-ch-ua-platform: \"Linux\"\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36\r\n\
    Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: no-cors\r\n\
    Sec-Fetch-Dest: image\r\n\
    Referer: http://127.0.0.1:18000/page.html\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: id-ID,id;q=0.9,en-US;q=0.8,en;q=0.7\r\n\r\n";

pub(crate) fn bench(criterion: &mut Criterion) {
    let crowded = crowded(40);
    let mut group = criterion.benchmark_group("head");
    for (name, head) in [("curl", CURL), ("browser-15", BROWSER), ("fields-40", crowded.as_str())] {
        let bytes = head.as_bytes();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("httparse", name), |bencher| {
            bencher.iter(|| parse_with_httparse(black_box(bytes)));
        });
        group.bench_function(BenchmarkId::new("scan", name), |bencher| {
            bencher.iter(|| HeadScan::default().advance(black_box(bytes)));
        });
        group.bench_function(BenchmarkId::new("parse", name), |bencher| {
            bencher.iter(|| RequestHead::parse(black_box(bytes), &mut FieldSpace::new()).is_ok());
        });
        group.bench_function(BenchmarkId::new("connection", name), |bencher| {
            bencher.iter(|| read(black_box(bytes)));
        });
    }
    group.finish();
}

/// A head with this many fields: `Host`, and others without a meaning.
fn crowded(fields: usize) -> String {
    let mut head = "GET /nothing HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n".to_owned();
    for number in 1..fields {
        let _ = write!(head, "X-Field-{number}: a value of ordinary length, {number}\r\n"); // writing to a String cannot fail
    }
    head + "\r\n"
}

fn parse_with_httparse(bytes: &[u8]) -> usize {
    let mut headers = [httparse::EMPTY_HEADER; HEAD_FIELDS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    assert!(request.parse(bytes).is_ok_and(|status| status.is_complete()));
    request.headers.len()
}

/// From bytes to what a machine knows about a request before it acts on it.
fn read(bytes: &[u8]) -> (framing::Framing, bool) {
    let Ok(Scan::Complete(length)) = HeadScan::default().advance(bytes) else { panic!("a complete head") };
    let mut space = FieldSpace::new();
    let Ok(Some(head)) = RequestHead::parse(&bytes[..length], &mut space) else { panic!("a good head") };
    let framing = framing::of_request(&head).expect("a plain framing");
    (framing, head.keeps_alive())
}
