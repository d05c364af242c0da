//! Paths: from a request target to a place below the root, or a refusal.
//!
//! Contract: what comes out is relative, has no empty segment, none that starts with a dot, no NUL
//! and no backslash. So `files` is never even asked for something above the root. A path that tries
//! is refused, not tidied up: whoever sends `..` on the wire wants something else than we would serve.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

use super::pages::NOTHING_HERE;
use crate::protocol::http::Refusal;

/// What a folder's address shows.
const INDEX: &[u8] = b"index.html";

/// Bytes that may not stand as they are in the path of a `Location` (RFC 3986 section 3.3).
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

/// A place below the root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// Segments joined by `/`, decoded; empty for the root itself. Bytes: file names are not always UTF-8.
    segments: Vec<u8>,
    /// True if the address ended in `/`.
    is_folder: bool,
}

/// The two parts of a target that matter here: the path and what follows `?`. A fragment is cut off.
pub(super) fn split(path_and_query: &str) -> (&str, &str) {
    let target = path_and_query.split('#').next().unwrap_or("");
    target.split_once('?').unwrap_or((target, ""))
}

impl Place {
    /// Reads a path as it was asked: decoded once, taken apart once.
    pub(super) fn parse(path: &str) -> Result<Place, Refusal> {
        if !path.starts_with('/') {
            return Err(Refusal::bad("The path does not start with a slash."));
        }
        if !escapes_are_whole(path.as_bytes()) {
            return Err(Refusal::bad("The path has a percent sign without two hexadecimal digits."));
        }
        let decoded: Vec<u8> = percent_decode_str(path).collect();
        if decoded.contains(&0) {
            return Err(Refusal::bad("The path has a NUL byte."));
        }
        let mut segments = Vec::with_capacity(decoded.len());
        // An empty segment counts for nothing, as with nginx (`merge_slashes`).
        for segment in decoded.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()) {
            if segment == b".." {
                return Err(Refusal::bad("The path leads upwards."));
            }
            // A separator to some file systems, and hidden files: both are as good as absent.
            if segment.starts_with(b".") || segment.contains(&b'\\') {
                return Err(NOTHING_HERE);
            }
            if !segments.is_empty() {
                segments.push(b'/');
            }
            segments.extend_from_slice(segment);
        }
        Ok(Place { segments, is_folder: decoded.ends_with(b"/") })
    }

    /// The decoded path without its first slash and with its last: what fixed pages are named by.
    pub(super) fn name(&self) -> Vec<u8> {
        let mut name = self.segments.clone();
        if self.is_folder && !name.is_empty() {
            name.push(b'/');
        }
        name
    }

    /// The file to open: the index for a folder.
    pub(super) fn file(&self) -> Vec<u8> {
        if self.is_folder { self.index() } else { self.segments.clone() }
    }

    /// The index of the folder that has this place's name.
    pub(super) fn index(&self) -> Vec<u8> {
        match self.segments.is_empty() {
            true => INDEX.to_vec(),
            false => [&self.segments, &b"/"[..], INDEX].concat(),
        }
    }

    /// The address of the folder of this name, for `Location`. Made from the decoded segments and
    /// not from the target: `//evil.example` sent back with a slash would lead to another host.
    pub(super) fn folder_address(&self) -> String {
        format!("/{}/", percent_encode(&self.segments, NOT_IN_A_PATH))
    }

    /// The place below the folder `folder`, which must be its first segment.
    pub(super) fn below(mut self, folder: &str) -> Result<Place, Refusal> {
        let rest = self.segments.strip_prefix(folder.as_bytes()).and_then(|rest| rest.strip_prefix(b"/"));
        self.segments = rest.ok_or(NOTHING_HERE)?.to_vec();
        Ok(self)
    }
}

/// True if each `%` is followed by two hexadecimal digits.
fn escapes_are_whole(path: &[u8]) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    path.iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'%')
        .all(|(at, _)| is_digit(path.get(at + 1)) && is_digit(path.get(at + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Result<String, u16> {
        let place = Place::parse(path).map_err(|refusal| refusal.status)?;
        Ok(String::from_utf8(place.file()).unwrap())
    }

    #[test]
    fn plain_paths_become_relative_ones() {
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
    fn no_spelling_leads_upwards() {
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
        // Decoded once only: this is a file whose name has a percent sign in it.
        assert_eq!(file("/%252e%252e/etc").as_deref(), Ok("%2e%2e/etc"));
        assert_eq!(file("//etc/passwd").as_deref(), Ok("etc/passwd"), "relative all the same");
    }

    #[test]
    fn hidden_files_are_not_there() {
        for path in ["/.git/config", "/images/.hidden.jpg", "/%2ehtaccess", "/.", "/a/.b/c"] {
            assert_eq!(file(path), Err(404), "{path}");
        }
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
    fn a_folder_address_stays_on_this_host() {
        let address = |path| Place::parse(path).unwrap().folder_address();
        assert_eq!(address("//evil.example"), "/evil.example/");
        assert_eq!(address("/a%0d%0ab"), "/a%0D%0Ab/");
        assert_eq!(address("/a%3fb%25c%20d"), "/a%3Fb%25c%20d/");
    }

    #[test]
    fn a_role_sees_its_own_folder_only() {
        let below = |path: &str| Place::parse(path).unwrap().below("images").map(|place| place.file());
        assert_eq!(below("/images/a.jpg").unwrap(), b"a.jpg");
        for path in ["/a.jpg", "/imagesx/a.jpg", "/pdf/images/a.jpg", "/"] {
            assert_eq!(below(path).unwrap_err().status, 404, "{path}");
        }
    }
}
