//! The mirror: response heads as the course's Python wrote them, byte for byte, so that its
//! transcripts can be repeated.
//!
//! Contract: the wire format is the Python's, including what is odd about it: HTTP/1.0, a date in
//! local time, `Content-type` for files only, errors without a body, four extra bytes after the body.
//! Its faults are not repeated: a HEAD is answered, large files arrive whole, and an unknown extension
//! does not crash the server.

use std::borrow::Cow;
use std::io::{self, Write};

use chrono::{DateTime, Local};

use super::mime;
use crate::protocol::buffer::Buffer;
use crate::protocol::http::response::reason;
use crate::protocol::now::Now;

/// What the Python's main loop sent after each response.
pub(super) const TRAILING: &[u8] = b"\r\n\r\n";

/// The type of the file at `path`, from the four types that the Python knew.
pub(super) fn content_type(path: &[u8]) -> Cow<'static, str> {
    const TYPES: [(&str, &str); 4] =
        [(".pdf", "application/pdf"), (".jpg", "image/jpeg"), (".txt", "text/plain"), (".html", "text/html")];
    let known = TYPES.iter().find(|(extension, _)| path.ends_with(extension.as_bytes()));
    Cow::Borrowed(known.map_or(mime::UNKNOWN, |(_, content_type)| content_type))
}

/// What a head of the Python says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'r> {
    pub(super) status: u16,
    /// `Content-Length`.
    pub(super) length: u64,
    /// `Content-type`, of a file.
    pub(super) content_type: Option<&'r str>,
    /// `location`.
    pub(super) location: Option<&'r str>,
}

impl Head<'_> {
    /// Writes the head; `false` if there is no room, and then nothing is written.
    pub(super) fn write(&self, out: &mut Buffer, now: &Now) -> bool {
        let before = out.len();
        let fits = self.write_lines(out, now).is_ok();
        if !fits {
            out.truncate(before);
        }
        fits
    }

    fn write_lines(&self, out: &mut Buffer, now: &Now) -> io::Result<()> {
        let Head { status, length, .. } = self;
        let date = DateTime::<Local>::from(now.wall).format("%a %b %e %H:%M:%S %Y");
        write!(out, "HTTP/1.0 {status} {}\r\nDate: {date}\r\nConnection: close\r\n", reason(*status))?;
        write!(out, "Server: myserver/1.0\r\nContent-Length: {length}\r\n")?;
        if let Some(content_type) = self.content_type {
            write!(out, "Content-type: {content_type}\r\n")?;
        }
        if let Some(location) = self.location {
            write!(out, "location: {location}\r\n")?;
        }
        write!(out, "\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_four_types_are_known() {
        for (path, expected) in [
            ("a.jpg", "image/jpeg"),
            ("a.pdf", "application/pdf"),
            ("a.txt", "text/plain"),
            ("a.html", "text/html"),
            ("a.css", mime::UNKNOWN),
            ("a", mime::UNKNOWN),
        ] {
            assert_eq!(content_type(path.as_bytes()), expected, "{path}");
        }
    }
}
