//! Our own responses: writes a head into a buffer, field by field.
//!
//! Contract: a head is written whole or not at all.

use std::fmt::{self, Write as _};

use super::date;
use crate::protocol::buffer::Buffer;
use crate::protocol::now::Now;

/// Bytes that are always enough for a head that we write ourselves. A caller that has this room need not
/// handle a full buffer.
pub(crate) const HEAD_ROOM: usize = 2 * 1024;

/// The name of this program in the `Server` and `Via` fields.
pub(crate) const SERVER: &str = "giliran";

/// Writes one response head, field by field.
///
/// ```
/// use giliran::protocol::{buffer::Buffer, http::response::ResponseWriter, now::Now};
/// let now = Now { instant: std::time::Instant::now(), wall: std::time::UNIX_EPOCH };
/// let mut out = Buffer::new();
/// let mut head = ResponseWriter::start(&mut out, 204, &now);
/// head.field("ETag", "\"a\"");
/// assert!(head.finish());
/// assert_eq!(out.bytes(), b"HTTP/1.1 204 No Content\r\nServer: giliran\r\n\
///     Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nETag: \"a\"\r\n\r\n");
/// ```
#[derive(Debug)]
pub struct ResponseWriter<'o> {
    out: &'o mut Buffer,
    /// Bytes of this head so far. They stand in the free space of `out`, and become part of it with the last of them.
    length: usize,
    full: bool,
}

impl<'o> ResponseWriter<'o> {
    /// Begins a head with its status line, `Server` and `Date`.
    pub fn start(out: &'o mut Buffer, status: u16, now: &Now) -> ResponseWriter<'o> {
        out.space();
        let mut writer = ResponseWriter { out, length: 0, full: false };
        writer.lines(b"HTTP/1.1 ");
        writer.lines(&digits(status));
        writer.lines(b" ");
        writer.lines(reason(status).as_bytes());
        writer.lines(b"\r\n");
        writer.field_bytes("Server", SERVER.as_bytes());
        writer.field_bytes("Date", &date::format(now.unix_seconds()));
        writer
    }

    /// Adds a field line.
    pub fn field(&mut self, name: &str, value: impl fmt::Display) {
        self.lines(name.as_bytes());
        self.full |= write!(self, ": {value}\r\n").is_err();
    }

    /// Adds a field line whose value is a number.
    pub(crate) fn field_number(&mut self, name: &str, value: u64) {
        self.field_bytes(name, itoa::Buffer::new().format(value).as_bytes());
    }

    /// Adds a field line whose value is bytes.
    pub(crate) fn field_bytes(&mut self, name: &str, value: &[u8]) {
        let (name, colon, end) = (name.as_bytes(), b": ", b"\r\n");
        if let Some(line) = self.room(name.len() + colon.len() + value.len() + end.len()) {
            let (name_room, line) = line.split_at_mut(name.len());
            let (colon_room, line) = line.split_at_mut(colon.len());
            let (value_room, end_room) = line.split_at_mut(value.len());
            name_room.copy_from_slice(name);
            colon_room.copy_from_slice(colon);
            value_room.copy_from_slice(value);
            end_room.copy_from_slice(end);
        }
    }

    /// Adds field lines that are formatted, each with its line end, or a part of them.
    pub(crate) fn lines(&mut self, lines: &[u8]) {
        if let Some(room) = self.room(lines.len()) {
            room.copy_from_slice(lines);
        }
    }

    /// The place of the next `count` bytes, which must all be written; `None` if they do not fit.
    #[inline]
    fn room(&mut self, count: usize) -> Option<&mut [u8]> {
        let start = self.length;
        let room = self.out.same_space().get_mut(start..start + count);
        match room {
            Some(_) => self.length += count,
            None => self.full = true,
        }
        room
    }

    /// Ends the head. If the buffer had no room for it, leaves nothing of it behind and returns `false`.
    #[must_use]
    pub fn finish(mut self) -> bool {
        self.lines(b"\r\n");
        self.out.filled(if self.full { 0 } else { self.length });
        !self.full
    }
}

impl fmt::Write for ResponseWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.lines(text.as_bytes());
        Ok(())
    }
}

/// A status code as text; it has three digits.
fn digits(status: u16) -> [u8; 3] {
    [status / 100, status / 10, status].map(|digit| b"0123456789"[usize::from(digit % 10)])
}

/// The reason phrase of a status code (RFC 9110 section 15, RFC 6585); empty for codes that are not listed.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "I'm a teapot",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::limits::BUFFER_BYTES;

    #[test]
    fn a_head_that_does_not_fit_leaves_nothing_behind() {
        let now = Now { instant: std::time::Instant::now(), wall: std::time::UNIX_EPOCH };
        let mut out = Buffer::new();
        assert!(out.push(&[b'x'; BUFFER_BYTES - 60]));
        assert!(!ResponseWriter::start(&mut out, 200, &now).finish());
        assert_eq!(out.len(), BUFFER_BYTES - 60);
        assert_eq!(HEAD_ROOM, 2_048);
    }

    #[test]
    fn each_status_has_its_phrase_and_an_unknown_one_none() {
        let known = [
            100, 101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408,
            410, 411, 412, 413, 414, 416, 417, 418, 421, 422, 429, 431, 500, 501, 502, 503, 504, 505,
        ];
        let phrases: std::collections::HashSet<_> = known.into_iter().map(reason).collect();
        assert!(!phrases.contains("") && phrases.len() == known.len(), "{phrases:?}");
        assert_eq!((reason(404), reason(503), reason(599)), ("Not Found", "Service Unavailable", ""));
    }
}
