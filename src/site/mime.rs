//! Content types: what a file's name says about its content.
//!
//! The table is mime_guess's; what is decided here is what to say where it is silent.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// For a name that says nothing: the client should save it rather than guess.
pub(super) const UNKNOWN: &str = "application/octet-stream";

/// The type of a file by its extension. Texts are declared as UTF-8, or a browser would take them
/// for whatever its user's country wrote in 1995.
pub(super) fn of(path: &[u8]) -> Cow<'static, str> {
    match mime_guess::from_path(Path::new(OsStr::from_bytes(path))).first_raw() {
        Some(text) if text.starts_with("text/") => Cow::Owned(format!("{text}; charset=utf-8")),
        Some(other) => Cow::Borrowed(other),
        None => Cow::Borrowed(UNKNOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_decides() {
        for (path, expected) in [
            ("images/pokijan.jpg", "image/jpeg"),
            ("A.JPG", "image/jpeg"),
            ("nfc.pdf", "application/pdf"),
            ("page.html", "text/html; charset=utf-8"),
            ("testing.txt", "text/plain; charset=utf-8"),
            ("a.tar.gz", "application/gzip"),
            ("README", UNKNOWN),
            ("a.nosuchtype", UNKNOWN),
            ("dir.jpg/file", UNKNOWN),
        ] {
            assert_eq!(of(path.as_bytes()), expected, "{path}");
        }
    }
}
