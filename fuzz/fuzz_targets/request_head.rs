//! Request heads: the scan and httparse agree on where a head ends, any split gives the same result, and a
//! forwarded head reads as the same request.
#![no_main]

use giliran::protocol::buffer::Buffer;
use giliran::protocol::forward::Rules;
use giliran::protocol::http::framing;
use giliran::protocol::http::head::{FieldSpace, HeadScan, RequestHead, Scan};
use giliran_fuzz::client;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = HeadScan::default().advance(bytes);
    let mut scan = HeadScan::default();
    let split = (1..=bytes.len())
        .map(|end| scan.advance(&bytes[..end]))
        .find(|found| !matches!(found, Ok(Scan::Partial | Scan::TryParse)));
    let Ok(Scan::Complete(length)) = whole else { return };
    assert_eq!(split, Some(Ok(Scan::Complete(length))));
    let mut fields = [httparse::EMPTY_HEADER; 100];
    if let Ok(httparse::Status::Complete(end)) = httparse::Request::new(&mut fields).parse(bytes) {
        assert_eq!(end, length, "the scan and httparse disagree on the end");
    }
    let mut space = FieldSpace::new();
    let Ok(Some(head)) = RequestHead::parse(&bytes[..length], &mut space) else { return };
    let Ok(framing) = framing::of_request(&head) else { return };
    if head.fields.iter().count() > 90 {
        return; // together with the fields that we add there may be more than a reader accepts
    }
    let mut out = Buffer::new();
    if Rules::default().write_request_head(&head, framing, client(), None, &mut out).is_err() {
        assert!(out.is_empty());
        return;
    }
    if head.host().is_empty() {
        return; // the `Host` of the back end is missing still
    }
    let mut space = FieldSpace::new();
    let forwarded = RequestHead::parse(out.bytes(), &mut space).expect("well formed").expect("whole");
    assert_eq!(framing::of_request(&forwarded).expect("plain"), framing);
    assert_eq!((forwarded.method_name, forwarded.fields.all("host").count()), (head.method_name, 1));
    assert!(forwarded.host().eq_ignore_ascii_case(head.host()));
    let same_target = forwarded.target == head.path_and_query() || forwarded.target == "*";
    assert!(same_target, "{:?} became {:?}", head.target, forwarded.target);
});
