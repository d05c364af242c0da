//! The request as the log shows it: method and target, cut to a bounded length. It is only remembered if an
//! observer wants to be told of the end of a request.

use std::fmt::{self, Write as _};

use crate::protocol::http::head::RequestHead;

/// Bytes of a target that the log shows: enough for any ordinary target, and a log line stays readable.
const SHOWN_BYTES_MAX: usize = 256;

/// Bytes that the log shows of a request that could not be read: enough to see a method, or that it is no HTTP.
const UNREAD_BYTES_MAX: usize = 64;

/// `GET /images/`, or empty between two requests.
#[derive(Debug, Default)]
pub(crate) struct RequestLine(String);

impl RequestLine {
    /// Remembers a request, if it is `wanted` for the log.
    pub(crate) fn set(&mut self, head: &RequestHead<'_>, wanted: bool) {
        self.0.clear();
        if wanted {
            self.0.push_str(head.method_name);
            self.0.push(' ');
            let target = head.target;
            let end = (0..=target.len().min(SHOWN_BYTES_MAX)).rev().find(|&end| target.is_char_boundary(end));
            self.0.push_str(&target[..end.unwrap_or(0)]);
        }
    }

    /// Remembers the first of the received `bytes` for a request that could not be read, if it is `wanted` for the
    /// log: its first line, with bytes that are no text as `\xff`; `-` if nothing came.
    pub(crate) fn set_unread(&mut self, bytes: &[u8], wanted: bool) {
        if !self.0.is_empty() || !wanted {
            return;
        }
        let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let start = bytes.iter().position(|byte| !is_line_end(byte)).unwrap_or(bytes.len());
        let line = bytes[start..].split(is_line_end).next().unwrap_or_default();
        for chunk in line[..line.len().min(UNREAD_BYTES_MAX)].utf8_chunks() {
            self.0.push_str(chunk.valid());
            for byte in chunk.invalid() {
                // Writing to a `String` does not fail.
                let _ = write!(self.0, "\\x{byte:02x}");
            }
        }
        if line.len() > UNREAD_BYTES_MAX {
            self.0.push_str("...");
        }
        if self.0.is_empty() {
            self.0.push('-');
        }
    }

    /// Forgets the request; the memory is kept for the next one.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// True between two requests.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The line.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_unread_request_the_first_bytes_are_shown() {
        let long = [b'a'; 100];
        for (bytes, shown) in [
            (&b""[..], "-"),
            (b"\r\n", "-"),
            (b"GET /pa th HTTP/1.1\r\nHost: a\r\n\r\n", "GET /pa th HTTP/1.1"),
            (b"\r\nGET", "GET"),
            (b"\x16\x03\x01\x02\xff", "\u{16}\u{3}\u{1}\u{2}\\xff"),
            (b"G\xe2\x80", "G\\xe2\\x80"),
            (&long, &format!("{}...", "a".repeat(64))),
            (&long[..64], &"a".repeat(64)),
        ] {
            let mut line = RequestLine::default();
            line.set_unread(bytes, true);
            assert_eq!((line.as_str(), line.to_string().as_str()), (shown, shown));
            line.set_unread(b"other", true);
            assert_eq!(line.as_str(), shown);
        }
        let mut line = RequestLine::default();
        line.set_unread(b"GET", false);
        assert!(line.is_empty());
    }
}
