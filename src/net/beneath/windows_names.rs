//! Which names are names of files on Windows, and nothing more.
//!
//! Contract: a name that passes means the file of just that name. Windows gives many names a second meaning: devices
//! (`nul.txt`), drives (`C:`), streams of a file (`a.txt:b`, `a.txt::$DATA`), and `a.txt.` for `a.txt`. All of them are
//! refused, and so are those that no file can have. That the file is not called by another of *its* names (`A.TXT`, or
//! `LONGNA~1.TXT`) is not seen here: that needs the disk.

/// Characters that no name has. The separators of paths, drives and streams are among them.
const FORBIDDEN: [char; 9] = ['<', '>', ':', '"', '/', '\\', '|', '?', '*'];

/// Names of devices, also with any extension.
const DEVICES: [&str; 7] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"];

/// Names of devices that end in a digit; the superscript ones count as digits.
const NUMBERED_DEVICES: [&str; 2] = ["COM", "LPT"];
const DIGITS: [char; 13] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '¹', '²', '³'];

/// The segments of a path relative to a root; none for an empty path. `None` if one of them is no name of a file.
pub(super) fn segments(path: &[u8]) -> Option<Vec<&str>> {
    if path.is_empty() {
        return Some(Vec::new());
    }
    let segments: Vec<&str> = std::str::from_utf8(path).ok()?.split('/').collect();
    segments.iter().all(|name| is_name(name)).then_some(segments)
}

/// True if a file can have this name and is meant by it.
pub(super) fn is_name(name: &str) -> bool {
    // Win32 takes blanks and dots from the end of a name: `.` and `..` are among these.
    let is_cut = name.is_empty() || name.ends_with(['.', ' ']);
    !is_cut && !name.contains(|letter: char| letter < ' ' || FORBIDDEN.contains(&letter)) && !is_device(name)
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end_matches(' ');
    let numbered = |device: &&str| {
        let letters = stem.get(..device.len()).filter(|letters| letters.eq_ignore_ascii_case(device));
        let mut rest = stem.chars().skip(device.len());
        letters.is_some() && rest.next().is_some_and(|one| DIGITS.contains(&one)) && rest.next().is_none()
    };
    DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)) || NUMBERED_DEVICES.iter().any(numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_its_segments() {
        for (path, expected) in [
            ("", &[][..]),
            ("a.txt", &["a.txt"]),
            ("docs/b.txt", &["docs", "b.txt"]),
            (".well-known/x", &[".well-known", "x"]),
            ("a b/ĉ.tar.gz", &["a b", "ĉ.tar.gz"]),
            (
                "console/com/com10/lpt/nully.txt/comx.1",
                &["console", "com", "com10", "lpt", "nully.txt", "comx.1"],
            ),
        ] {
            assert_eq!(segments(path.as_bytes()).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn what_means_something_else_is_no_name() {
        for path in [
            "..",
            ".",
            "a/../b",
            "a/./b",
            "/a",
            "a/",
            "a//b",
            "...",
            "a.",
            "a ",
            "a. ",
            "C:",
            "C:a",
            "c:/a",
            "a.txt:b",
            "a.txt::$DATA",
            "a\\b",
            "\\\\host\\a",
            "..\\a",
            "a?",
            "a*",
            "a|b",
            "<a",
            "a>",
            "\"a\"",
            "a\0b",
            "a\nb",
            "nul",
            "NUL",
            "nul.txt",
            "Con.tar.gz",
            "aux/a",
            "PRN .txt",
            "com1",
            "COM9.log",
            "lpt0",
            "COM¹",
            "conin$",
            "CONOUT$.txt",
        ] {
            assert_eq!(segments(path.as_bytes()), None, "{path:?}");
        }
        assert_eq!(segments(b"a\xff"), None, "names there are text");
    }
}
