//! Content types: the media type of a file, by the extension of its name.
//!
//! The table is that of `mime_guess`. Decided here: the type of unknown extensions, and the charset.

use std::borrow::Cow;
use std::path::Path;

/// The type of a file with an unknown extension or none: a browser saves it instead of guessing.
pub(super) const UNKNOWN: &str = "application/octet-stream";

/// The type of the file at `path`. Texts are declared as UTF-8, because without a charset browsers
/// assume an older one that depends on the user's language.
pub(super) fn of(path: &[u8]) -> Cow<'static, str> {
    // An extension that is not UTF-8 is in no table, so replacing its odd bytes changes nothing.
    let path = String::from_utf8_lossy(path);
    match mime_guess::from_path(Path::new(&*path)).first_raw() {
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
        assert_eq!(of(b"\xff.jpg"), "image/jpeg");
        assert_eq!(of(b"a.jpg\xff"), UNKNOWN);
    }
}
