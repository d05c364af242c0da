//! What the access log tells of a request: its line, and the fields that say who asked and for what. All of it is
//! copied, since the head is gone when the line is written; nothing is copied if no observer wants to be told.
//!
//! Contract: the copies are bounded, and they are bytes as the client sent them: whoever shows them escapes them.

use std::fmt;

use super::event::Closing;
use crate::protocol::http::Version;
use crate::protocol::http::head::RequestHead;

/// Bytes of one field value that are kept. Browsers' agents have 150, and referers are addresses that people can
/// still read; what is longer was made by a program, and the log is not its store.
const FIELD_BYTES_MAX: usize = 512;

/// Bytes that the log shows of a request that could not be read: enough to see a method, or that it is no HTTP.
const UNREAD_BYTES_MAX: usize = 64;

/// Memory that is taken at first: what nearly all requests need, in one allocation for a connection.
const USUAL_BYTES: usize = 256;

/// Memory that is kept from one request to the next. Nearly all requests need less, and ten thousand idle
/// connections then hold 10 MB at most.
const KEPT_BYTES_MAX: usize = 1024;

/// One request, or nothing between two of them.
#[derive(Debug, Default)]
pub(crate) struct LoggedRequest {
    /// The parts one behind the other, so that a request needs one piece of memory and a connection keeps it.
    bytes: Vec<u8>,
    /// Where each [`Part`] ends.
    ends: [usize; PARTS],
    version: Option<Version>,
}

/// The parts, in the order in which they lie.
#[derive(Clone, Copy)]
enum Part {
    /// `GET /images/`
    Line,
    Host,
    UserAgent,
    Referer,
    User,
}

const PARTS: usize = Part::User as usize + 1;

impl LoggedRequest {
    /// Remembers a request, if it is `wanted` for the log.
    pub(crate) fn set(&mut self, head: &RequestHead<'_>, wanted: bool) {
        self.clear();
        if !wanted {
            return;
        }
        self.version = Some(head.version);
        self.bytes.reserve(USUAL_BYTES);
        self.bytes.extend_from_slice(head.method_name.as_bytes());
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(head.target.as_bytes());
        self.ends[Part::Line as usize] = self.bytes.len();
        self.push(Part::Host, head.host().as_bytes());
        // One pass over the fields for both.
        let (mut agent, mut referer) = (&b""[..], &b""[..]);
        for field in head.fields.iter() {
            match field.name.len() {
                10 if field.name.eq_ignore_ascii_case("user-agent") => agent = field.value,
                7 if field.name.eq_ignore_ascii_case("referer") => referer = field.value,
                _ => {}
            }
        }
        self.push(Part::UserAgent, agent);
        self.push(Part::Referer, referer);
        self.push(Part::User, b"");
    }

    /// Remembers the user whose password was right, if there is one and the request is remembered at all.
    pub(crate) fn set_user(&mut self, user: Option<&[u8]>) {
        if let Some(user) = user.filter(|_| !self.is_empty()) {
            self.push(Part::User, user);
        }
    }

    /// Adds the next part, as much of it as is kept.
    fn push(&mut self, part: Part, value: &[u8]) {
        self.bytes.extend_from_slice(&value[..value.len().min(FIELD_BYTES_MAX)]);
        self.ends[part as usize] = self.bytes.len();
    }

    /// Remembers the first of the received `bytes` for a request that could not be read, if it is `wanted` for the
    /// log: its first line, or `-` if nothing came.
    pub(crate) fn set_unread(&mut self, bytes: &[u8], wanted: bool) {
        if !self.is_empty() || !wanted {
            return;
        }
        let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let start = bytes.iter().position(|byte| !is_line_end(byte)).unwrap_or(bytes.len());
        let line = bytes[start..].split(is_line_end).next().unwrap_or_default();
        self.bytes.extend_from_slice(&line[..line.len().min(UNREAD_BYTES_MAX)]);
        if line.len() > UNREAD_BYTES_MAX {
            self.bytes.extend_from_slice(b"...");
        }
        if self.bytes.is_empty() {
            self.bytes.push(b'-');
        }
        self.ends = [self.bytes.len(); PARTS];
    }

    /// Forgets the request; the memory is kept for the next one, unless it is a lot.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.ends = [0; PARTS];
        self.version = None;
    }

    /// True between two requests.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds to `closing` what is known of the request.
    pub(crate) fn describe<'a>(&'a self, closing: Closing<'a>) -> Closing<'a> {
        let part = |part| Some(self.part(part)).filter(|bytes| !bytes.is_empty());
        Closing {
            request: Some(self.part(Part::Line)),
            version: self.version,
            host: part(Part::Host),
            user_agent: part(Part::UserAgent),
            referer: part(Part::Referer),
            user: part(Part::User),
            ..closing
        }
    }

    fn part(&self, part: Part) -> &[u8] {
        let part = part as usize;
        let start = if part == 0 { 0 } else { self.ends[part - 1] };
        &self.bytes[start..self.ends[part]]
    }
}

/// The request line.
impl fmt::Display for LoggedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Readable(self.part(Part::Line)))
    }
}

/// Bytes as text, those that are none as `\xff`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readable<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::outcome::{How, Outcome, Phase, Who};
    use crate::protocol::testing::{leaked_space, start};
    use crate::protocol::timing::Timing;

    fn closing() -> Closing<'static> {
        let now = start();
        let outcome = Outcome::new(Who::Us, How::Finished, Phase::ResponseBody);
        Timing::open(now.instant, &now).closing(outcome, &now)
    }

    #[test]
    fn a_request_is_told_with_its_fields() {
        let long = "x".repeat(2 * FIELD_BYTES_MAX);
        let text = format!(
            "GET /a?b HTTP/1.0\r\nhost: a.example:81\r\nreferer: {long}\r\nUSER-AGENT: \u{e9} \"x\"\r\n\r\n"
        );
        let head = RequestHead::parse(text.as_bytes(), leaked_space()).unwrap().unwrap();
        let mut request = LoggedRequest::default();
        request.set(&head, true);
        assert_eq!(request.describe(closing()).user, None);
        request.set_user(Some(b"budi"));
        let told = request.describe(closing());
        assert_eq!((told.request, told.user), (Some(&b"GET /a?b"[..]), Some(&b"budi"[..])));
        assert_eq!((told.version, told.host), (Some(Version::Http10), Some(&b"a.example:81"[..])));
        assert_eq!(told.user_agent, Some("\u{e9} \"x\"".as_bytes()));
        assert_eq!(told.referer, Some(&long.as_bytes()[..FIELD_BYTES_MAX]));
        assert_eq!(request.to_string(), "GET /a?b");

        let head = RequestHead::parse(b"GET / HTTP/1.0\r\n\r\n", leaked_space()).unwrap().unwrap();
        request.set(&head, true);
        let told = request.describe(closing());
        assert_eq!((told.host, told.user_agent, told.referer), (None, None, None));
        let text = format!("GET /{long}{long} HTTP/1.0\r\n\r\n");
        request.set(&RequestHead::parse(text.as_bytes(), leaked_space()).unwrap().unwrap(), true);
        request.set(&head, false);
        assert!(request.is_empty());
        assert_eq!(request.bytes.capacity(), KEPT_BYTES_MAX, "what a long request needed was given back");
    }

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
            let mut request = LoggedRequest::default();
            request.set_unread(bytes, true);
            assert_eq!(request.to_string(), shown);
            request.set_unread(b"other", true);
            assert_eq!(request.to_string(), shown);
            assert_eq!(request.describe(closing()).host, None);
        }
        let mut request = LoggedRequest::default();
        request.set_unread(b"GET", false);
        assert!(request.is_empty());
    }
}
