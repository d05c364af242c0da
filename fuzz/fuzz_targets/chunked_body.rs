//! Chunked bodies: any split gives the same content and the same end. Where the strict reader accepts a
//! body, a simple lenient reader finds the same content and the same end.
#![no_main]

use giliran::protocol::http::body::{BodyFault, BodyReader, Part};
use giliran::protocol::http::framing::Framing;
use giliran_fuzz::Pieces;
use libfuzzer_sys::fuzz_target;

/// Content, bytes used, and whether the end was reached.
type Read = Result<(Vec<u8>, usize, bool), BodyFault>;

fn read(bytes: &[u8], mut pieces: Pieces) -> Read {
    let mut reader = BodyReader::new(Framing::Chunked);
    let (mut content, mut used, mut here) = (Vec::new(), 0, 0);
    while here < bytes.len() && !reader.is_done() {
        here += pieces.next(bytes.len() - here);
        while let Some(part) = reader.next(&bytes[used..here])? {
            let count = part.length();
            assert!(count > 0 && used + count <= here);
            if matches!(part, Part::Content(_)) {
                content.extend_from_slice(&bytes[used..used + count]);
            }
            used += count;
        }
    }
    Ok((content, used, reader.is_done()))
}

/// The lenient reader: the algorithm of RFC 9112 section 7.1.3, for a body that is known to be well formed.
fn reference(bytes: &[u8]) -> (Vec<u8>, usize) {
    let (mut content, mut at) = (Vec::new(), 0);
    let line = |from: usize| from + bytes[from..].windows(2).position(|pair| pair == b"\r\n").unwrap();
    loop {
        let end = line(at);
        let text = std::str::from_utf8(bytes[at..end].split(|byte| *byte == b';').next().unwrap()).unwrap();
        let size = usize::from_str_radix(text.trim_end_matches([' ', '\t']), 16).unwrap();
        at = end + 2;
        if size == 0 {
            break;
        }
        content.extend_from_slice(&bytes[at..at + size]);
        at += size + 2;
    }
    loop {
        let end = line(at);
        let is_last = end == at;
        at = end + 2;
        if is_last {
            return (content, at);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let whole = read(bytes, Pieces::Whole);
    for pieces in Pieces::all(bytes.first().copied().unwrap_or(0)) {
        assert_eq!(read(bytes, pieces), whole);
    }
    if let Ok((content, used, true)) = whole {
        assert_eq!(reference(bytes), (content, used));
    }
});
