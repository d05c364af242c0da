//! Routes: a path is refused, or finds the same route as its normal form.
#![no_main]

use std::sync::LazyLock;

use giliran::balance::routes::{Found, Routes};
use libfuzzer_sys::fuzz_target;

static ROUTES: LazyLock<Routes<&str>> = LazyLock::new(|| {
    let mut routes = Routes::new("/");
    for prefix in ["/pdf/", "/images", "/images/me/"] {
        routes.add(&prefix.parse().expect("a good prefix"), prefix).expect("no two are the same");
    }
    routes
});

/// The path as the most lenient back end reads it: all escapes decoded, both kinds of slash, no
/// parameters, dot segments resolved.
fn lenient(path: &str) -> String {
    let mut decoded = Vec::new();
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let value = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        decoded.push(value.unwrap_or(bytes[at]));
        at += if value.is_some() { 3 } else { 1 };
    }
    let text = String::from_utf8_lossy(&decoded).replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    let mut ends_in_folder = false;
    for segment in text.split('/').skip(1) {
        let name = segment.split(';').next().unwrap_or("");
        ends_in_folder = matches!(name, "" | "." | "..");
        match name {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    let slash = if ends_in_folder && !segments.is_empty() { "/" } else { "" };
    format!("/{}{slash}", segments.join("/"))
}

fuzz_target!(|text: &str| {
    let name = match ROUTES.find("", text) {
        Ok(Found::Route(number)) => ROUTES[number],
        // A redirect to a path that is clear.
        Ok(Found::LacksSlash(_)) | Err(_) => return,
    };
    let path = text.split('?').next().unwrap_or("");
    // A request line cannot hold these.
    if !path.starts_with('/') || path.contains(|c: char| c.is_ascii_control() || c == ' ' || c == '#') {
        return;
    }
    // A second layer of escapes is decoded by a second reader only; a NUL ends the path for some readers.
    if path.contains("%25") || path.contains("%00") {
        return;
    }
    let plain = lenient(path);
    let expected =
        ["/images/me/", "/images", "/pdf/"].into_iter().find(|prefix| match plain.strip_prefix(prefix) {
            Some(rest) => prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/'),
            None => false,
        });
    assert_eq!(name, expected.unwrap_or("/"), "{path:?} is {plain:?} to a back end");
});
