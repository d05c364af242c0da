//! A site's responses to any request head: paths, conditions, ranges and test responses. A range lies
//! within its file, and each response has exactly one head.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use giliran::protocol::buffer::Buffer;
use giliran::protocol::http::head::{FieldSpace, RequestHead};
use giliran::protocol::web::{Body, Response as _, Site as _};
use giliran::site::{Site, SiteKind};
use giliran_fuzz::now;
use libfuzzer_sys::fuzz_target;

static SITE: LazyLock<Site> = LazyLock::new(|| {
    let public = Path::new(env!("CARGO_MANIFEST_DIR")).join("../public");
    Site::open(SiteKind::Backend, &public).expect("the folder is part of the repository")
});

fuzz_target!(|bytes: &[u8]| {
    let mut space = FieldSpace::new();
    let Ok(Some(head)) = RequestHead::parse(bytes, &mut space) else { return };
    let response = SITE.respond(&head, &now());
    assert!((200..=599).contains(&response.status()));
    let mut out = Buffer::new();
    let fits = response.write_head(&mut out, head.version, None, &now());
    assert!(fits && out.bytes().ends_with(b"\r\n\r\n"));
    assert_eq!(out.bytes().windows(4).filter(|end| end == b"\r\n\r\n").count(), 1, "more than one head");
    if let Body::File { file, offset, length } = response.into_body() {
        let size = file.metadata().expect("an open file has metadata").len();
        assert!(offset.checked_add(length).is_some_and(|end| end <= size), "a range beyond the file");
    }
});
