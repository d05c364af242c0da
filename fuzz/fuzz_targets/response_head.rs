//! Response heads: a forwarded head reads as the same response, with the same framing.
#![no_main]

use giliran::protocol::buffer::Buffer;
use giliran::protocol::forward::Rules;
use giliran::protocol::http::head::{FieldSpace, HeadScan, ResponseHead, Scan};
use giliran::protocol::http::{Method, Version, framing};
use giliran::protocol::now::Now;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Scan::Complete(length)) = HeadScan::default().advance(bytes) else { return };
    let mut space = FieldSpace::new();
    let Ok(Some(head)) = ResponseHead::parse(&bytes[..length], &mut space) else { return };
    if head.fields.iter().count() > 95 {
        return; // together with the fields that we add there may be more than a reader accepts
    }
    let now = Now { instant: std::time::Instant::now(), wall: std::time::UNIX_EPOCH };
    for method in [Method::Get, Method::Head] {
        let Ok(framing) = framing::of_response(&head, method) else { continue };
        let mut out = Buffer::new();
        if Rules::default()
            .write_response_head(&head, framing, Some("close"), Version::Http11, &now, &mut out)
            .is_err()
        {
            assert!(out.is_empty());
            continue;
        }
        let mut space = FieldSpace::new();
        let passed = ResponseHead::parse(out.bytes(), &mut space).expect("well formed").expect("whole");
        assert_eq!(passed.status, head.status);
        assert_eq!(framing::of_response(&passed, method).expect("plain"), framing);
    }
});
