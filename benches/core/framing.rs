//! Reading bodies to their end: with a length, and chunked, where the bytes come whole or in pieces.
//!
//! Nothing is copied, so a body with a length costs the same for each read, however many bytes it brings. Of a
//! chunked body each byte of framing is examined, and none of the content.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use giliran::protocol::http::body::{BodyReader, Part};
use giliran::protocol::http::framing::Framing;

/// The size of the course's PDF file.
const BODY_BYTES: usize = 550_558;
/// What one read brings at most, with a buffer of ordinary size.
const READ_BYTES: usize = 16 * 1024;

pub(crate) fn bench(criterion: &mut Criterion) {
    let plain = vec![b'x'; BODY_BYTES];
    let mut group = criterion.benchmark_group("framing");
    group.bench_function("length/reads-16k", |bencher| {
        bencher.iter(|| read(Framing::Length(BODY_BYTES as u64), black_box(&plain), READ_BYTES));
    });
    // nginx and HAProxy send one chunk for each full buffer; programs that print line by line send short ones.
    for chunk in [8192, 64] {
        let body = chunked(&plain, chunk);
        for (pieces, piece) in [("whole", body.len()), ("reads-16k", READ_BYTES), ("reads-100", 100)] {
            group.bench_function(BenchmarkId::new(format!("chunks-{chunk}"), pieces), |bencher| {
                bencher.iter(|| read(Framing::Chunked, black_box(&body), piece));
            });
        }
    }
    group.finish();
}

/// `content` in chunks of this size; the last one may be shorter.
fn chunked(content: &[u8], size: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in content.chunks(size) {
        body.extend(format!("{:x}\r\n", chunk.len()).bytes());
        body.extend(chunk);
        body.extend(b"\r\n");
    }
    body.extend(b"0\r\n\r\n");
    body
}

/// Reads a body that comes in pieces of this size, and returns the number of its content bytes.
fn read(framing: Framing, body: &[u8], piece: usize) -> usize {
    let mut reader = BodyReader::new(framing);
    let mut content = 0;
    for mut piece in body.chunks(piece) {
        while let Some(part) = reader.next(piece).expect("a sound body") {
            let count = part.length();
            content += if matches!(part, Part::Content(_)) { count } else { 0 };
            piece = &piece[count..];
        }
    }
    assert!(reader.is_done() && content == BODY_BYTES);
    content
}
