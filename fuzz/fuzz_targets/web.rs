//! A whole connection to a web server: any bytes, however they are cut into pieces, get the same responses.
#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use giliran::site::{Site, SiteKind};
use giliran_fuzz::{Pieces, drivers};
use libfuzzer_sys::fuzz_target;

static SITE: LazyLock<Arc<Site>> = LazyLock::new(|| {
    let public = Path::new(env!("CARGO_MANIFEST_DIR")).join("../public");
    Arc::new(Site::open(SiteKind::Backend, &public).expect("the folder is part of the repository"))
});

/// The output without `100 Continue`: whether it is sent depends on whether the body has come already,
/// and so on the pieces.
fn without_continue(output: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(output).replace("HTTP/1.1 100 Continue\r\n\r\n", "").into_bytes()
}

fuzz_target!(|bytes: &[u8]| {
    let whole = drivers::web(&SITE, bytes, Pieces::Whole);
    for pieces in Pieces::all(bytes.first().copied().unwrap_or(0)) {
        let split = drivers::web(&SITE, bytes, pieces);
        if whole.output.len() < 200_000 {
            let (one, other) = (without_continue(&whole.output), without_continue(&split.output));
            assert_eq!(String::from_utf8_lossy(&one), String::from_utf8_lossy(&other), "{pieces:?}");
        }
    }
});
