//! Paths: from a request target to a path relative to the root, or a refusal.
//!
//! Contract: a [`SitePath`] is relative and has no empty segment, no segment `.` or `..`, no NUL and no backslash.
//! It has no other segment that starts with a dot either (but `.well-known` at its beginning), unless [`Dotfiles`]
//! says so. So the disk is never asked for anything above the root. A path with `..` is refused and not normalised: browsers normalise paths themselves, so a client that sends `..` wants
//! something that we do not serve.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

use super::limits::LOCATION_BYTES_MAX;
use super::refusals::{DOTFILE, LOCATION_TOO_LONG, Refused};
use super::rules::Dotfiles;
use crate::protocol::http::Refusal;

/// The file that is served for a folder.
const INDEX: &[u8] = b"index.html";

/// The folder of addresses that other programs look for on every host, such as those that show a certificate
/// authority who owns it (RFC 8615). It is only one at the beginning of a path.
pub(super) const WELL_KNOWN: &[u8] = b".well-known";

/// What an address without the extension of its page stands for.
const PAGE_EXTENSION: &[u8] = b".html";

/// Bytes that are percent-encoded in the path of a `Location` (RFC 3986 section 3.3).
const NOT_IN_A_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// Bytes that are percent-encoded in the query of a `Location` (RFC 3986 section 3.4). The percent sign is none
/// of them, because the query is passed on as it came.
const NOT_IN_A_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// A path below the root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct SitePath {
    /// Segments joined by `/`, decoded; empty for the root itself. Bytes: file names are not always UTF-8.
    segments: Vec<u8>,
    /// True if the path ended in `/`.
    is_folder: bool,
}

/// The path and the query of a request target. A fragment is cut off.
pub(super) fn split(path_and_query: &str) -> (&str, &str) {
    let target = path_and_query.split('#').next().unwrap_or("");
    target.split_once('?').unwrap_or((target, ""))
}

impl SitePath {
    /// Parses the path of a request target, which is percent-decoded exactly once.
    pub(super) fn parse(path: &str, dotfiles: Dotfiles) -> Result<SitePath, Refused> {
        if !path.starts_with('/') {
            return Err(Refusal::bad("The path does not start with a slash.").into());
        }
        if !escapes_are_complete(path.as_bytes()) {
            return Err(Refusal::bad("The path has a percent sign without two hexadecimal digits.").into());
        }
        let decoded: Vec<u8> = percent_decode_str(path).collect();
        if decoded.contains(&0) {
            return Err(Refusal::bad("The path has a NUL byte.").into());
        }
        let mut segments = Vec::with_capacity(decoded.len());
        // Empty segments are dropped, as nginx does (`merge_slashes`).
        for segment in decoded.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()) {
            if segment == b".." {
                return Err(Refusal::bad("The path leads upwards.").into());
            }
            let is_well_known = segments.is_empty() && segment == WELL_KNOWN;
            if segment.starts_with(b".") && !is_well_known {
                match dotfiles {
                    Dotfiles::Allow if segment != b"." => {}
                    Dotfiles::Deny if segment != b"." => return Err(DOTFILE),
                    _ => return Err(Refused::nothing_here("a dotfile")),
                }
            }
            // It separates folders on Windows.
            if segment.contains(&b'\\') {
                return Err(Refused::nothing_here("a backslash in the path"));
            }
            if !segments.is_empty() {
                segments.push(b'/');
            }
            segments.extend_from_slice(segment);
        }
        Ok(SitePath { segments, is_folder: decoded.ends_with(b"/") })
    }

    /// The decoded path without its first slash and with its last: the name of a fixed page.
    pub(super) fn name(&self) -> Vec<u8> {
        let mut name = self.segments.clone();
        if self.is_folder && !name.is_empty() {
            name.push(b'/');
        }
        name
    }

    /// True if the path ended in `/`.
    pub(super) fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// The decoded path without slashes at its ends.
    pub(super) fn segments(&self) -> &[u8] {
        &self.segments
    }

    /// The file to open: for a folder, its index.
    pub(super) fn file(&self) -> Vec<u8> {
        if self.is_folder { self.index() } else { self.segments.clone() }
    }

    /// The index of the folder of this name.
    pub(super) fn index(&self) -> Vec<u8> {
        match self.segments.is_empty() {
            true => INDEX.to_vec(),
            false => [&self.segments, &b"/"[..], INDEX].concat(),
        }
    }

    /// The page for which this path is an address without its extension; `None` for a folder.
    pub(super) fn page(&self) -> Option<Vec<u8>> {
        (!self.is_folder && !self.segments.is_empty()).then(|| [&self.segments, PAGE_EXTENSION].concat())
    }

    /// The same path without the extension of a page, or without `index.html`: the address by which such a page is
    /// known where addresses have no extension. `None` for what is no page.
    pub(super) fn without_extension(&self) -> Option<SitePath> {
        if self.is_folder {
            return None;
        }
        let name_at = self.segments.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (above, name) = self.segments.split_at(name_at);
        if name == INDEX {
            let segments = above.strip_suffix(b"/").unwrap_or(above).to_vec();
            return Some(SitePath { segments, is_folder: true });
        }
        let stem = name.strip_suffix(PAGE_EXTENSION).filter(|stem| !stem.is_empty())?;
        Some(SitePath { segments: [above, stem].concat(), is_folder: false })
    }

    /// The same path as that of a folder.
    pub(super) fn as_folder(&self) -> SitePath {
        SitePath { is_folder: true, ..self.clone() }
    }

    /// The address of this path with this query, for `Location`. It is made from the decoded segments and not from
    /// the target: to a browser, `//evil.example/` is another host.
    pub(super) fn location(&self, query: &str) -> Result<String, Refused> {
        let mark = if query.is_empty() { "" } else { "?" };
        let slash = if self.is_folder && !self.segments.is_empty() { "/" } else { "" };
        let path = percent_encode(&self.segments, NOT_IN_A_PATH);
        let location = format!("/{path}{slash}{mark}{}", percent_encode(query.as_bytes(), NOT_IN_A_QUERY));
        if location.len() > LOCATION_BYTES_MAX { Err(LOCATION_TOO_LONG.into()) } else { Ok(location) }
    }

    /// True if its last segment has an extension.
    pub(super) fn has_extension(&self) -> bool {
        let name = self.segments.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        !self.is_folder && name.contains(&b'.')
    }

    /// The path relative to the folder `folder`, which must be its first segment.
    pub(super) fn below(mut self, folder: &str) -> Result<SitePath, Refused> {
        let rest = match self.segments.strip_prefix(folder.as_bytes()) {
            Some([]) => Some(&b""[..]),
            Some(rest) => rest.strip_prefix(b"/"),
            None => None,
        };
        self.segments = rest.ok_or(Refused::nothing_here("outside of the folder of this server"))?.to_vec();
        Ok(self)
    }
}

/// True if each `%` is followed by two hexadecimal digits.
fn escapes_are_complete(path: &[u8]) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    path.iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'%')
        .all(|(at, _)| is_digit(path.get(at + 1)) && is_digit(path.get(at + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(path: &str) -> Result<SitePath, Refused> {
        SitePath::parse(path, Dotfiles::Hide)
    }

    fn file(path: &str) -> Result<String, u16> {
        let path = parse(path).map_err(|refused| refused.refusal.status)?;
        Ok(String::from_utf8(path.file()).unwrap())
    }

    #[test]
    fn paths_become_relative() {
        for (path, expected) in [
            ("/testing.txt", "testing.txt"),
            ("/images/me/donalbebek.jpg", "images/me/donalbebek.jpg"),
            ("//images///pokijan.jpg", "images/pokijan.jpg"),
            ("/a%20b.txt", "a b.txt"),
            ("/a%2Fb.txt", "a/b.txt"),
            ("/a+b.txt", "a+b.txt"),
            ("/a..b", "a..b"),
            ("/", "index.html"),
            ("//", "index.html"),
            ("/docs/", "docs/index.html"),
            ("/docs%2f", "docs/index.html"),
        ] {
            assert_eq!(file(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn no_spelling_leads_out_of_the_root() {
        for path in [
            "/..",
            "/../etc/passwd",
            "/images/../testing.txt",
            "/images/..",
            "/%2e%2e/etc/passwd",
            "/.%2e/etc/passwd",
            "/%2E./etc/passwd",
            "/..%2fetc/passwd",
            "/images%2f..%2f..%2fetc/passwd",
            "/%2f../etc/passwd",
            "/\u{2f}..",
        ] {
            assert_eq!(file(path), Err(400), "{path}");
        }
        for path in ["/..\\etc", "/..%5cetc", "/a\\..\\b", "/a%5C..%5Cb", "/...", "/./a", "/%2e/a"] {
            assert_eq!(file(path), Err(404), "{path}");
        }
        // Decoded only once: this is a file whose name contains percent signs.
        assert_eq!(file("/%252e%252e/etc").as_deref(), Ok("%2e%2e/etc"));
        assert_eq!(file("//etc/passwd").as_deref(), Ok("etc/passwd"), "still relative");
    }

    #[test]
    fn hidden_files_are_not_found() {
        for path in [
            "/.git/config",
            "/images/.hidden.jpg",
            "/%2ehtaccess",
            "/.",
            "/a/.b/c",
            "/a/.well-known/b",
            "/.well-known/.htaccess",
            "/.well-known.txt",
            "/.Well-Known/a",
        ] {
            assert_eq!(file(path), Err(404), "{path}");
        }
        assert_eq!(file("/.well-known/acme-challenge/x").as_deref(), Ok(".well-known/acme-challenge/x"));
        assert_eq!(file("/%2ewell-known/x").as_deref(), Ok(".well-known/x"));
    }

    #[test]
    fn broken_escapes_and_nul_are_bad_requests() {
        for path in ["/%", "/%4", "/%zz", "/a%g0", "/a%00.jpg", "/%0", "*", "", "a"] {
            assert_eq!(file(path), Err(400), "{path}");
        }
    }

    #[test]
    fn the_query_and_the_fragment_are_cut_off() {
        assert_eq!(split("/a?b=c?d"), ("/a", "b=c?d"));
        assert_eq!(split("/a#x?y"), ("/a", ""));
        assert_eq!(split("/a"), ("/a", ""));
    }

    #[test]
    fn the_location_of_a_folder_is_on_this_host() {
        let location = |path| parse(path).unwrap().as_folder().location("").unwrap();
        assert_eq!(location("//evil.example"), "/evil.example/");
        assert_eq!(location("/a%0d%0ab"), "/a%0D%0Ab/");
        assert_eq!(location("/a%3fb%25c%20d"), "/a%3Fb%25c%20d/");
    }

    #[test]
    fn the_location_of_a_folder_keeps_the_query_and_has_a_bound() {
        let docs = parse("/docs").unwrap().as_folder();
        let location = |query: &str| docs.location(query);
        assert_eq!(location("v=1&a=%20/?b").unwrap(), "/docs/?v=1&a=%20/?b");
        assert_eq!(location("q=\u{e9}<").unwrap(), "/docs/?q=%C3%A9%3C");
        let room = LOCATION_BYTES_MAX - "/docs/?".len();
        assert_eq!(location(&"q".repeat(room)).unwrap().len(), LOCATION_BYTES_MAX);
        for query in ["q".repeat(room + 1), "\u{e9}".repeat(room / 4)] {
            assert_eq!(location(&query), Err(LOCATION_TOO_LONG.into()));
        }
    }

    #[test]
    fn only_paths_in_the_folder_are_below_it() {
        let below = |path: &str| parse(path).unwrap().below("images").map(|path| path.file());
        assert_eq!(below("/images/a.jpg").unwrap(), b"a.jpg");
        assert_eq!(below("/images/").unwrap(), b"index.html");
        assert_eq!(below("/images").unwrap(), b"");
        for path in ["/a.jpg", "/imagesx/a.jpg", "/pdf/images/a.jpg", "/"] {
            assert_eq!(below(path).unwrap_err().refusal.status, 404, "{path}");
        }
    }

    #[test]
    fn dotfiles_are_hidden_denied_or_allowed() {
        let status =
            |path: &str, dotfiles| SitePath::parse(path, dotfiles).map_err(|refused| refused.refusal.status);
        for path in ["/.git/config", "/a/.b", "/%2ehtaccess"] {
            assert_eq!(status(path, Dotfiles::Hide), Err(404), "{path}");
            assert_eq!(status(path, Dotfiles::Deny), Err(403), "{path}");
            assert!(status(path, Dotfiles::Allow).is_ok(), "{path}");
        }
        for dotfiles in [Dotfiles::Hide, Dotfiles::Deny, Dotfiles::Allow] {
            assert!(status("/.well-known/a", dotfiles).is_ok());
            assert_eq!(status("/./a", dotfiles), Err(404));
            assert_eq!(status("/a/%2e/b", dotfiles), Err(404));
            assert_eq!(status("/../a", dotfiles), Err(400));
        }
    }

    #[test]
    fn pages_have_an_address_without_their_extension() {
        let short =
            |path: &str| parse(path).unwrap().without_extension().map(|path| path.location("").unwrap());
        assert_eq!(short("/about.html").as_deref(), Some("/about"));
        assert_eq!(short("/a/b.c.html").as_deref(), Some("/a/b.c"));
        assert_eq!(short("/index.html").as_deref(), Some("/"));
        assert_eq!(short("/docs/index.html").as_deref(), Some("/docs/"));
        assert_eq!(short("//evil.example.html").as_deref(), Some("/evil.example"));
        for path in ["/", "/docs/", "/a.htm", "/about.html/", "/a.HTML"] {
            assert_eq!(short(path), None, "{path}");
        }
        assert_eq!(parse("/about").unwrap().page().as_deref(), Some(&b"about.html"[..]));
        assert_eq!(parse("/about/").unwrap().page(), None);
        assert_eq!(parse("/").unwrap().page(), None);
    }

    proptest! {
        #[test]
        fn a_path_that_is_served_is_clean(path in "/([a-z./%25\\\\]|%2e|%2f|%00){0,12}") {
            for dotfiles in [Dotfiles::Hide, Dotfiles::Deny, Dotfiles::Allow] {
                let Ok(clean) = SitePath::parse(&path, dotfiles) else { continue };
                let file = clean.file();
                let is_root = file.is_empty();
                for segment in file.split(|byte| *byte == b'/').filter(|_| !is_root) {
                    prop_assert!(!segment.is_empty() && segment != b"." && segment != b"..", "{}", path);
                    prop_assert!(dotfiles == Dotfiles::Allow || !segment.starts_with(b"."), "{}", path);
                }
                // Its own address leads to it again.
                let again = SitePath::parse(&clean.location("").unwrap(), dotfiles).unwrap();
                prop_assert_eq!(again.segments(), clean.segments());
            }
        }
    }
}
