//! The `Host` of a request that names none.
//!
//! Contract: an HTTP/1.0 request may have no host, and any request an empty one. HTTP/1.1 must have the field,
//! and servers refuse an empty one. So the back end gets its own address, as from nginx. The line is written when
//! the back end has been chosen, and again when another one is.

use std::io::Write;
use std::net::SocketAddr;

use crate::protocol::buffer::Buffer;
use crate::protocol::http::head::RequestHead;

/// Bytes of the longest line: `Host: `, an IPv6 address of 45 bytes in brackets, a port, and the line end.
const HOST_LINE_BYTES_MAX: usize = 6 + 47 + 6 + 2;

/// Where the line is in the rewritten head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostLine {
    at: usize,
    length: usize,
}

impl HostLine {
    /// The place for the line, behind the request line; the head begins at byte `start` of `out`. `Ok(None)` if the
    /// request names a host; `Err` if there is no room for the line.
    pub(crate) fn reserve(
        head: &RequestHead<'_>,
        start: usize,
        out: &Buffer,
    ) -> Result<Option<HostLine>, ()> {
        if !head.host().is_empty() {
            return Ok(None);
        }
        let line = out.bytes()[start..].iter().position(|byte| *byte == b'\n').ok_or(())?;
        match out.room() >= HOST_LINE_BYTES_MAX {
            true => Ok(Some(HostLine { at: start + line + 1, length: 0 })),
            false => Err(()),
        }
    }

    /// Writes the line for this back end, in place of the one before it.
    pub(crate) fn write(&mut self, backend: SocketAddr, out: &mut Buffer) {
        out.remove(self.at, self.length);
        let mut line = Vec::with_capacity(HOST_LINE_BYTES_MAX);
        // Writing to a `Vec` does not fail. The scope of an IPv6 address means something to this machine only.
        let _ = match backend {
            SocketAddr::V4(address) => write!(line, "Host: {}", address.ip()),
            SocketAddr::V6(address) => write!(line, "Host: [{}]", address.ip()),
        };
        if backend.port() != HTTP_PORT {
            let _ = write!(line, ":{}", backend.port());
        }
        line.extend_from_slice(b"\r\n");
        let fits = out.insert(self.at, &line);
        debug_assert!(fits, "reserve has checked the room");
        self.length = line.len();
    }
}

/// The port that a `Host` does not name.
const HTTP_PORT: u16 = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::leaked_space;

    #[test]
    fn room_is_kept_for_the_longest_line() {
        let longest = "Host: [0000:0000:0000:0000:0000:ffff:255.255.255.255]:65535\r\n";
        assert_eq!(HOST_LINE_BYTES_MAX, longest.len());
    }

    #[test]
    fn the_line_follows_the_back_end() {
        let head = RequestHead::parse(b"GET / HTTP/1.0\r\n\r\n", leaked_space()).unwrap().unwrap();
        let mut out = Buffer::new();
        assert!(out.push(b"PROXY\r\nGET / HTTP/1.1\r\nX: y\r\n\r\n"));
        let mut line = HostLine::reserve(&head, 7, &out).unwrap().unwrap();
        for (backend, host) in [
            ("127.0.0.1:9001", "127.0.0.1:9001"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[fe80::1%3]:8080", "[fe80::1]:8080"),
            (
                "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
            ),
        ] {
            line.write(backend.parse().unwrap(), &mut out);
            let expected = format!("PROXY\r\nGET / HTTP/1.1\r\nHost: {host}\r\nX: y\r\n\r\n");
            assert_eq!(std::str::from_utf8(out.bytes()), Ok(expected.as_str()));
        }
    }
}
