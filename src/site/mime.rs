//! Content types: the media type of a file by the extension of its name, its charset, and how it is encoded.
//!
//! The table is that of `mime_guess`, with a few types that are newer. Decided here: what a file without an
//! extension is, and the charset. Texts are declared as UTF-8, because without a charset browsers assume an
//! older one that depends on the user's language; but what a client is told here overrides what the file says
//! of itself, so nothing is said of a file that declares another one.

use std::borrow::Cow;
use std::path::Path;

use super::rules::TypeOf;

/// The type of a file with an unknown extension, or with none and not a text: a browser saves it instead of
/// guessing.
pub(super) const UNKNOWN: &str = "application/octet-stream";

/// Bytes at the beginning of a file in which a declaration of its charset counts: those in which browsers look
/// for one (HTML standard, section 13.2.3.2).
pub(super) const START_BYTES: u64 = 1024;

const TEXT: &str = "text/plain; charset=utf-8";

/// What every stream of gzip begins with (RFC 1952).
const GZIP: &[u8] = b"\x1f\x8b";

/// Extensions whose type in the table is out of date (RFC 8081 for fonts, RFC 9239 for scripts), or is one
/// that players do not know: `.ts` is a video, as nginx says, because TypeScript is for no browser.
const EXTENSIONS: [(&str, &str); 11] = [
    ("cjs", "text/javascript"),
    ("m2t", "video/mp2t"),
    ("m2ts", "video/mp2t"),
    ("mjs", "text/javascript"),
    ("mts", "video/mp2t"),
    ("otf", "font/otf"),
    ("ttc", "font/collection"),
    ("ttf", "font/ttf"),
    ("ts", "video/mp2t"),
    ("tts", "video/mp2t"),
    ("woff", "font/woff"),
];

/// Names without an extension whose readers want a type that is not plain text.
const NAMES: [(&str, &str); 1] = [("apple-app-site-association", "application/json")];

/// What the head of a response says of the bytes of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct FileType {
    /// `Content-Type`.
    pub(super) content_type: Cow<'static, str>,
    /// `Content-Encoding`.
    pub(super) content_encoding: Option<&'static str>,
}

impl<T: Into<Cow<'static, str>>> From<T> for FileType {
    fn from(content_type: T) -> FileType {
        FileType { content_type: content_type.into(), content_encoding: None }
    }
}

/// The type of the file at `path`; `rules` go before the table. `start` gives its first [`START_BYTES`] bytes, and
/// is not asked if the name decides alone.
pub(super) fn of(path: &[u8], rules: &[TypeOf], start: &dyn Fn() -> Vec<u8>) -> FileType {
    // An extension that is not UTF-8 is in no table, so replacing its odd bytes changes nothing.
    let path = String::from_utf8_lossy(path);
    let path = Path::new(&*path);
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    if let Some(rule) = rules.iter().find(|rule| Some(rule.extension.as_str()) == extension.as_deref()) {
        return rule.content_type.clone().into();
    }
    match by_name(path, extension.as_deref()) {
        // It is a compressed picture, which browsers show only if they are told so.
        Some(svg) if extension.as_deref() == Some("svgz") && start().starts_with(GZIP) => {
            FileType { content_encoding: Some("gzip"), ..svg.into() }
        }
        Some(text) if text.starts_with("text/") && !declares_another_charset(text, &start()) => {
            format!("{text}; charset=utf-8").into()
        }
        Some(other) => other.into(),
        None if extension.is_none() && is_text(&start()) => TEXT.into(),
        None => UNKNOWN.into(),
    }
}

fn by_name(path: &Path, extension: Option<&str>) -> Option<&'static str> {
    let find = |table: &[(&str, &'static str)], key: Option<&str>| {
        table.iter().find(|(name, _)| Some(*name) == key).map(|(_, found)| *found)
    };
    find(&EXTENSIONS, extension)
        .or_else(|| find(&NAMES, path.file_name().and_then(|name| name.to_str())))
        .or_else(|| mime_guess::from_path(path).first_raw())
}

/// True if the beginning of a file is UTF-8 without the control characters that no text has.
fn is_text(start: &[u8]) -> bool {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // The last character is cut off.
        Err(error) if error.error_len().is_none() && start.len() as u64 == START_BYTES => {
            std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let is_odd =
        |character: char| character.is_control() && !matches!(character, '\t' | '\n' | '\r' | '\x0c');
    !text.contains(is_odd)
}

/// True if a text says that its charset is not UTF-8: by a byte order mark, or in the way of its type.
fn declares_another_charset(media_type: &str, start: &[u8]) -> bool {
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return true;
    }
    // What is not UTF-8 is of no interest here: declarations are ASCII.
    let text = String::from_utf8_lossy(start).to_ascii_lowercase();
    let declared = match media_type {
        "text/css" => text.strip_prefix("@charset \"").and_then(|rest| rest.split('"').next()),
        "text/xml" => in_xml(&text),
        "text/html" => in_html(&text).or_else(|| in_xml(&text)),
        _ => None,
    };
    declared.is_some_and(|charset| !matches!(charset, "utf-8" | "utf8"))
}

/// The charset in `<?xml version="1.0" encoding="..."?>`.
fn in_xml(text: &str) -> Option<&str> {
    let (declaration, _) = text.strip_prefix("<?xml")?.split_once("?>")?;
    value_of("encoding", declaration)
}

/// The charset in `<meta charset="...">` or `<meta ... content="text/html; charset=...">`.
fn in_html(text: &str) -> Option<&str> {
    text.split("<meta").skip(1).find_map(|meta| value_of("charset", meta.split('>').next()?))
}

/// What stands behind `name` and an equals sign, without its quotes.
fn value_of<'t>(name: &str, text: &'t str) -> Option<&'t str> {
    let (_, rest) = text.split_once(name)?;
    let value = rest.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let is_end =
        |character: char| character.is_whitespace() || matches!(character, '"' | '\'' | ';' | '/' | '?');
    value.split(is_end).next().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content_type(path: &[u8], start: &[u8]) -> String {
        of(path, &[], &|| start.to_vec()).content_type.into_owned()
    }

    #[test]
    fn the_extension_decides() {
        for (path, expected) in [
            ("images/pokijan.jpg", "image/jpeg"),
            ("A.JPG", "image/jpeg"),
            ("nfc.pdf", "application/pdf"),
            ("page.html", "text/html; charset=utf-8"),
            ("testing.txt", "text/plain; charset=utf-8"),
            ("a.tar.gz", "application/gzip"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.mjs", "text/javascript; charset=utf-8"),
            ("a.CJS", "text/javascript; charset=utf-8"),
            ("a.ts", "video/mp2t"),
            ("a.m2t", "video/mp2t"),
            ("a.m2ts", "video/mp2t"),
            ("a.mts", "video/mp2t"),
            ("a.tts", "video/mp2t"),
            ("a.woff", "font/woff"),
            ("a.woff2", "font/woff2"),
            ("a.otf", "font/otf"),
            ("a.ttf", "font/ttf"),
            ("a.svg", "image/svg+xml"),
            ("a.nosuchtype", UNKNOWN),
        ] {
            assert_eq!(content_type(path.as_bytes(), b"text"), expected, "{path}");
        }
        assert_eq!(content_type(b"\xff.jpg", b""), "image/jpeg");
        assert_eq!(content_type(b"a.jpg\xff", b""), UNKNOWN);
    }

    #[test]
    fn the_content_decides_without_an_extension() {
        let cut = "\u{e9}".repeat(600).into_bytes()[1..=START_BYTES as usize - 1].to_vec();
        let cut = [b"ab".as_slice(), &cut[1..]].concat();
        for (path, start, expected) in [
            ("README", &b"# Giliran\n"[..], TEXT),
            ("a.d/LICENSE", "\u{a9} 2026".as_bytes(), TEXT),
            (".well-known/acme-challenge/token", b"token.key", TEXT),
            ("page", b"<html>", TEXT),
            ("empty", b"", TEXT),
            ("cut", &cut, TEXT),
            ("program", b"\x7fELF\x02\0", UNKNOWN),
            ("latin", b"caf\xe9 au lait", UNKNOWN),
            ("utf16", b"\xff\xfea\0", UNKNOWN),
            (".well-known/apple-app-site-association", b"{}", "application/json"),
        ] {
            assert_eq!(content_type(path.as_bytes(), start), expected, "{path}");
        }
    }

    #[test]
    fn a_file_that_declares_its_charset_is_not_contradicted() {
        for (path, start, is_utf8) in [
            ("a.html", "<html><meta charset=utf-8>", true),
            ("a.html", "<html><META Charset='UTF8' />", true),
            ("a.html", "<p>charset=latin1", true),
            ("a.html", "<meta name=a><meta charset = \"iso-8859-1\">", false),
            ("a.html", "<meta http-equiv=Content-Type content='text/html; charset=windows-1252'>", false),
            ("a.html", "<?xml version='1.0' encoding='iso-8859-1'?><html>", false),
            ("a.xml", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>", true),
            ("a.xml", "<?xml version=\"1.0\"?><a encoding='x'/>", true),
            ("a.xml", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" standalone=\"no\"?>", false),
            ("a.css", "@charset \"iso-8859-1\";", false),
            ("a.css", "/* @charset \"iso-8859-1\"; */", true),
            ("a.txt", "charset=iso-8859-1", true),
        ] {
            let expected = content_type(path.as_bytes(), start.as_bytes());
            assert_eq!(expected.ends_with("; charset=utf-8"), is_utf8, "{path}: {start}");
        }
        assert_eq!(content_type(b"a.txt", b"\xff\xfea\0"), "text/plain");
    }

    #[test]
    fn a_rule_goes_before_the_table() {
        let rules = ["html=text/plain", "xyz=text/x-y; charset=big5"].map(|rule| rule.parse().unwrap());
        let content_type = |path: &[u8]| of(path, &rules, &|| b"text".to_vec()).content_type.into_owned();
        assert_eq!(content_type(b"docs/a.HTML"), "text/plain", "no charset is added");
        assert_eq!(content_type(b"a.xyz"), "text/x-y; charset=big5");
        assert_eq!(content_type(b"html"), TEXT);
        assert_eq!(content_type(b"a.css"), "text/css; charset=utf-8");
    }

    #[test]
    fn compressed_pictures_say_so() {
        let svgz = |start: &'static [u8]| of(b"a.svgz", &[], &|| start.to_vec());
        let compressed = FileType { content_encoding: Some("gzip"), ..FileType::from("image/svg+xml") };
        assert_eq!(svgz(b"\x1f\x8b\x08"), compressed);
        assert_eq!(svgz(b"<svg"), FileType::from("image/svg+xml"), "it is not compressed in truth");
        assert_eq!(of(b"a.tar.gz", &[], &|| GZIP.to_vec()), FileType::from("application/gzip"));
    }
}
