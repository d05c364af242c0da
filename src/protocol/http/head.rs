//! Heads: a request line or status line and its fields, read from bytes that arrive in any pieces.
//!
//! Contract: [`HeadScan`] tells when a head is complete. Its time is linear in the bytes, even if they come
//! one by one. [`RequestHead::parse`] and [`ResponseHead::parse`] borrow from the buffer and from a
//! [`FieldSpace`] of the caller, and allocate nothing for a target in plain form. httparse checks the grammar; the rules about the
//! content of a head are in this file.
//!
//! A request target is put into plain form first: see `plain_target`.

use std::mem::MaybeUninit;

use super::{Method, Refusal, Version, list};
use crate::protocol::limits::{HEAD_BYTES_MAX, HEAD_FIELDS_MAX, REQUEST_LINE_BYTES_MAX};

/// Searches the empty line that ends a head, and looks at each byte only once.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadScan {
    scanned: usize,
    /// Bytes of the present line without its `CR`; 0 at the start of a line.
    line_bytes: usize,
    /// The start line has begun. Empty lines before it do not end the head (RFC 9112 section 2.2).
    started: bool,
    first_line_done: bool,
    /// How many bytes there were at the last [`Scan::TryParse`]; the next one is at twice as many.
    tried: usize,
}

/// The result of [`HeadScan::advance`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scan {
    /// The head is not complete.
    Partial,
    /// The head is not complete, but there are enough new bytes to parse what is there, so that a syntax
    /// error is found before the deadline.
    TryParse,
    /// The head is complete and has this many bytes.
    Complete(usize),
}

impl HeadScan {
    /// Continues where the last call stopped. `bytes` begins with the first byte of the head.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        while self.scanned < bytes.len().min(HEAD_BYTES_MAX) {
            let byte = bytes[self.scanned];
            self.scanned += 1;
            match byte {
                b'\n' if self.line_bytes == 0 && self.started => return Ok(Scan::Complete(self.scanned)),
                b'\n' => {
                    self.first_line_done = self.started;
                    self.line_bytes = 0;
                }
                b'\r' => {}
                _ => {
                    self.started = true;
                    // A raw byte of the target will be an escape of three.
                    self.line_bytes += if self.first_line_done || byte.is_ascii() { 1 } else { 3 };
                    if !self.first_line_done && self.line_bytes > REQUEST_LINE_BYTES_MAX {
                        return Err(Refusal::new(414, "The request line is longer than 8 KiB."));
                    }
                }
            }
        }
        if bytes.len() >= HEAD_BYTES_MAX {
            return Err(Refusal::new(431, "The request head is longer than 16 KiB."));
        }
        if bytes.len() >= 2 * self.tried && !bytes.is_empty() {
            self.tried = bytes.len();
            return Ok(Scan::TryParse);
        }
        Ok(Scan::Partial)
    }

    /// The part of `bytes` that has been scanned.
    pub(crate) fn scanned<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        &bytes[..self.scanned]
    }

    /// True once the start line has begun: empty lines before it do not count.
    pub(crate) fn has_started(&self) -> bool {
        self.started
    }
}

/// One field line: `Name: value`.
#[derive(Clone, Copy, Debug)]
pub struct Field<'b> {
    /// The name as it was sent; compare it without regard to case.
    pub(crate) name: &'b str,
    /// The value, without white space at its ends.
    pub(crate) value: &'b [u8],
}

/// Space for one head, which the caller of `parse` provides. It has some kilobytes, most of which are never
/// written. If heads owned it, passing a head to a function would copy all of it.
#[derive(Debug)]
pub struct FieldSpace<'b> {
    fields: [MaybeUninit<httparse::Header<'b>>; HEAD_FIELDS_MAX],
    /// The head once its target is in plain form; empty if it came in that form.
    plain: Vec<u8>,
}

impl<'b> FieldSpace<'b> {
    /// Space for as many fields as a head may have.
    pub const fn new() -> FieldSpace<'b> {
        FieldSpace { fields: [const { MaybeUninit::uninit() }; HEAD_FIELDS_MAX], plain: Vec::new() }
    }
}

impl Default for FieldSpace<'_> {
    fn default() -> Self {
        FieldSpace::new()
    }
}

/// The fields of a head, in order.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'b> {
    list: &'b [httparse::Header<'b>],
}

impl<'b> Fields<'b> {
    /// All fields, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = Field<'b>> {
        self.list.iter().map(|header| Field { name: header.name, value: super::trim(header.value) })
    }

    /// The values of each field line of this name.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'b [u8]> + 's {
        self.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// The value of the first field line of this name.
    pub(crate) fn first(&self, name: &str) -> Option<&'b [u8]> {
        self.all(name).next()
    }

    /// The value of a field that may occur only once: `None` if it is missing or occurs twice.
    pub(crate) fn only(&self, name: &str) -> Option<&'b [u8]> {
        let mut all = self.all(name);
        let value = all.next()?;
        all.next().is_none().then_some(value)
    }

    /// True if a comma-separated list field holds this member, without regard to case.
    pub(crate) fn lists(&self, name: &str, member: &str) -> bool {
        self.all(name).flat_map(list).any(|found| found.eq_ignore_ascii_case(member.as_bytes()))
    }
}

/// A request line and its fields.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'b> {
    /// The method, known or not.
    pub(crate) method: Method,
    /// The method as it was sent.
    pub method_name: &'b str,
    /// The request target in plain form: `/path?query`, `http://host/path`, `*` or `host:port`.
    pub target: &'b str,
    /// HTTP/1.0 or 1.1.
    pub version: Version,
    /// The field lines.
    pub fields: Fields<'b>,
}

impl<'b> RequestHead<'b> {
    /// Parses a head or its beginning. `Ok(None)` means that it is not complete and has no error so far.
    ///
    /// Errors: 400 for syntax and a missing or doubled `Host`; 431 for too many fields; 505 for another
    /// version.
    pub fn parse(bytes: &'b [u8], space: &'b mut FieldSpace<'b>) -> Result<Option<RequestHead<'b>>, Refusal> {
        let FieldSpace { fields, plain } = space;
        let bytes = match plain_target(bytes) {
            Some(copy) => {
                *plain = copy;
                plain
            }
            None => bytes,
        };
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(bytes, fields) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(Refusal::new(431, "The request has more than 100 fields."));
            }
            Err(httparse::Error::Version) => return refuse_version(bytes).map_or(Ok(None), Err),
            Err(_) => return Err(Refusal::bad("The request head is not HTTP/1.1 syntax.")),
        }
        let (Some(method_name), Some(target), Some(version)) =
            (request.method, request.path, request.version)
        else {
            return Err(Refusal::bad("The request line is not complete."));
        };
        let head = RequestHead {
            method: Method::from_name(method_name),
            method_name,
            target,
            version: if version == 0 { Version::Http10 } else { Version::Http11 },
            fields: Fields { list: request.headers },
        };
        head.check_target()?;
        head.check_host()?;
        Ok(Some(head))
    }

    /// The target without its scheme and authority; routes and sites use this. It starts with `/`, except for
    /// `OPTIONS *` and `CONNECT`.
    pub fn path_and_query(&self) -> &'b str {
        match self.authority_and_rest() {
            Some((_, "")) => "/",
            Some((_, rest)) => rest,
            None => self.target,
        }
    }

    /// The requested host: from a target in absolute form, whatever the `Host` field says (RFC 9112 section
    /// 3.2.2), else from that field; `""` if there is none.
    pub fn host(&self) -> &'b str {
        match self.authority_and_rest() {
            Some((authority, _)) => authority,
            None => self.fields.first("host").and_then(|host| std::str::from_utf8(host).ok()).unwrap_or(""),
        }
    }

    /// True if the client allows the connection to be kept alive after this request (RFC 9112 section 9.3).
    pub fn keeps_alive(&self) -> bool {
        keeps_alive(self.version, &self.fields)
    }

    /// True if the client waits for `100 Continue` before it sends the body (RFC 9110 section 10.1.1).
    pub(crate) fn expects_continue(&self) -> bool {
        self.version == Version::Http11 && self.fields.lists("expect", "100-continue")
    }

    /// Splits `http://host/path?query` into host and the rest (RFC 9112 section 3.2.2).
    fn authority_and_rest(&self) -> Option<(&'b str, &'b str)> {
        let (scheme, rest) = self.target.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        Some(rest.split_at(end))
    }

    /// Checks the target: the four forms of RFC 9112 section 3.2, each with the methods that may use it.
    fn check_target(&self) -> Result<(), Refusal> {
        let fits = match self.method {
            Method::Connect => !self.target.contains('/'),
            Method::Options if self.target == "*" => true,
            _ => {
                self.target.starts_with('/')
                    || self.authority_and_rest().is_some_and(|(host, rest)| {
                        is_host(host) && !host.is_empty() && !rest.starts_with(['?', '#'])
                    })
            }
        };
        match fits && !self.target.contains('#') {
            true => Ok(()),
            false => Err(Refusal::bad("The request target is neither a path nor an http address.")),
        }
    }

    /// Checks `Host` (RFC 9112 section 3.2): HTTP/1.1 must have exactly one, HTTP/1.0 may have one. A target in
    /// absolute form does not excuse a `Host` that is missing or malformed, but need not agree with it.
    fn check_host(&self) -> Result<(), Refusal> {
        let mut hosts = self.fields.all("host");
        let Some(host) = hosts.next() else {
            return match self.version {
                Version::Http10 => Ok(()),
                Version::Http11 => Err(Refusal::bad("The request has no Host field.")),
            };
        };
        if hosts.next().is_some() {
            return Err(Refusal::bad("The request has more than one Host field."));
        }
        match std::str::from_utf8(host) {
            Ok(host) if is_host(host) => Ok(()),
            _ => Err(Refusal::bad("The Host field is not a host.")),
        }
    }
}

/// A status line and its fields.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'b> {
    /// HTTP/1.0 or 1.1.
    pub(crate) version: Version,
    /// 100 to 599.
    pub status: u16,
    /// The reason phrase behind the status code, in whatever encoding; may be empty.
    pub(crate) reason: &'b [u8],
    /// The field lines.
    pub fields: Fields<'b>,
}

impl<'b> ResponseHead<'b> {
    /// Parses a head: `Ok(None)` if it is not complete yet, `Err` with the fault if it is not an HTTP/1 response.
    /// Blanks before the colon of a field are removed (RFC 9112 section 5.1).
    pub fn parse(
        bytes: &'b [u8],
        space: &'b mut FieldSpace<'b>,
    ) -> Result<Option<ResponseHead<'b>>, &'static str> {
        let mut config = httparse::ParserConfig::default();
        config.allow_spaces_after_header_name_in_responses(true);
        let mut response = httparse::Response::new(&mut []);
        match config.parse_response_with_uninit_headers(&mut response, bytes, &mut space.fields) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err("more than 100 fields in the response"),
            Err(_) => return Err("the response is not HTTP/1.1 syntax"),
        }
        let (Some(version), Some(status)) = (response.version, response.code) else {
            return Err("the status line is not complete");
        };
        if !(100..=599).contains(&status) {
            return Err("the status code is not between 100 and 599");
        }
        Ok(Some(ResponseHead {
            version: if version == 0 { Version::Http10 } else { Version::Http11 },
            status,
            reason: reason_phrase(bytes),
            fields: Fields { list: response.headers },
        }))
    }

    /// True if the back end allows the connection to be kept after this response (RFC 9112 section 9.3).
    pub(crate) fn keeps_alive(&self) -> bool {
        keeps_alive(self.version, &self.fields)
    }
}

/// The reason phrase of a response whose head has been parsed. httparse leaves out one with bytes above ASCII.
fn reason_phrase(bytes: &[u8]) -> &[u8] {
    /// `HTTP/1.1 200 `, of which the parser has checked each byte; the last blank may be missing.
    const BEFORE_REASON: usize = 13;
    let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    line.get(BEFORE_REASON..).unwrap_or_default()
}

fn keeps_alive(version: Version, fields: &Fields<'_>) -> bool {
    !fields.lists("connection", "close")
        && (version == Version::Http11 || fields.lists("connection", "keep-alive"))
}

/// A copy of a head, or of its beginning, whose target is in plain form; `None` if it is already, as it nearly
/// always is.
///
/// In plain form bytes from 0x80 on are escapes, `%C3` for 0xC3: no target may hold such a byte (RFC 3986), some
/// clients send them nevertheless, and a program that gets them cannot know whether they are UTF-8 or Latin-1. As
/// escapes they are the same bytes to everybody. And `http://host?query` has the path `/` (RFC 9112 section
/// 3.2.1). The host of an absolute target stays as it is: raw bytes in it are an error, as in `Host`.
fn plain_target(bytes: &[u8]) -> Option<Vec<u8>> {
    let start = bytes.iter().position(|byte| *byte == b' ')? + 1;
    let target = &bytes[start..];
    let target = &target[..target.iter().position(|byte| *byte <= b' ').unwrap_or(target.len())];
    let path = match target.first() {
        Some(b'/') => 0,
        _ => {
            let authority = target.windows(3).position(|bytes| bytes == b"://")? + 3;
            authority + target[authority..].iter().position(|byte| matches!(byte, b'/' | b'?'))?
        }
    };
    let (before, path) = target.split_at(path);
    let lacks_slash = path.first() == Some(&b'?');
    if path.is_ascii() && !lacks_slash {
        return None;
    }
    let mut plain = Vec::with_capacity(bytes.len() + 2 * path.len() + 1);
    plain.extend_from_slice(&bytes[..start + before.len()]);
    plain.extend_from_slice(if lacks_slash { b"/" } else { b"" });
    for byte in path {
        match byte.is_ascii() {
            true => plain.push(*byte),
            false => plain.extend_from_slice(percent_encoding::percent_encode_byte(*byte).as_bytes()),
        }
    }
    plain.extend_from_slice(&bytes[start + target.len()..]);
    Some(plain)
}

/// `uri-host [ ":" port ]` (RFC 9110 section 7.2). Of the host only the characters are checked. Host and port
/// may be empty.
fn is_host(host: &str) -> bool {
    // Colons within brackets belong to an IPv6 address.
    let (name, port, colons) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((literal, port)) => (literal, port, ":"),
            None => return false,
        },
        None => {
            let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
            (name, port, "")
        }
    };
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&byte);
    let is_port = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    name.bytes().all(|byte| is_allowed(byte) || colons.as_bytes().contains(&byte))
        && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// 505 for a version that we do not speak, at the end of a request line that is well formed otherwise; 400 for
/// any other line. `None` while the request line is not complete: the result must not depend on how the bytes
/// arrive.
fn refuse_version(bytes: &[u8]) -> Option<Refusal> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let line = lines.find(|line| !line.trim_ascii().is_empty())?.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // Method, target and version with one space between (RFC 9112 section 3). A blank in the target makes the
    // version look wrong, for the parser takes the rest of the target for it.
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next()?, words.next(), words.next());
    let are_words = !method.is_empty() && target.is_some_and(|target| !target.is_empty());
    Some(match version {
        Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor])
            if major.is_ascii_digit() && minor.is_ascii_digit() && are_words && words.next().is_none() =>
        {
            Refusal::new(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.")
        }
        _ => Refusal::bad("The request line is not a method, a target and a version with one space between."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::leaked_space;
    use proptest::prelude::*;

    fn request(text: &str) -> Result<RequestHead<'_>, u16> {
        match RequestHead::parse(text.as_bytes(), leaked_space()) {
            Ok(Some(head)) => Ok(head),
            Ok(None) => panic!("not complete: {text:?}"),
            Err(refusal) => Err(refusal.status),
        }
    }

    #[test]
    fn a_request_head_is_found_whole_and_at_every_split() {
        let text = "GET /images/pokijan.jpg?x=1 HTTP/1.1\r\nHost: a:80\r\nAccept:  */* \r\n\r\n";
        let head = request(text).unwrap();
        assert_eq!((head.method, head.target), (Method::Get, "/images/pokijan.jpg?x=1"));
        assert_eq!(head.fields.first("ACCEPT"), Some(&b"*/*"[..]));
        let bytes = [text.as_bytes(), b"GET /next"].concat();
        for split in 0..bytes.len() {
            let mut scan = HeadScan::default();
            let early = scan.advance(&bytes[..split]).unwrap();
            let late = scan.advance(&bytes);
            match split < text.len() {
                true => {
                    assert_eq!(
                        (matches!(early, Scan::Complete(_)), late),
                        (false, Ok(Scan::Complete(text.len())))
                    )
                }
                false => assert_eq!(early, Scan::Complete(text.len())),
            }
        }
    }

    #[test]
    fn empty_lines_before_the_request_line_are_skipped() {
        let mut scan = HeadScan::default();
        let text = b"\r\n\r\nGET / HTTP/1.0\r\n\r\n";
        assert_eq!(scan.advance(text), Ok(Scan::Complete(text.len())));
        assert!(RequestHead::parse(text, leaked_space()).unwrap().is_some());
    }

    #[test]
    fn a_slow_head_is_parsed_a_logarithmic_number_of_times() {
        let bytes = vec![b'a'; 8000];
        let mut scan = HeadScan::default();
        let tries =
            (1..=bytes.len()).filter(|&len| scan.advance(&bytes[..len]) == Ok(Scan::TryParse)).count();
        assert!(tries <= 14, "{tries}");
    }

    #[test]
    fn too_long_lines_and_heads_have_their_own_status() {
        let line = format!("GET /{} HTTP/1.1\r\n", "a".repeat(9000));
        assert_eq!(HeadScan::default().advance(line.as_bytes()).unwrap_err().status, 414);
        let head = format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(3000));
        assert_eq!(HeadScan::default().advance(head.as_bytes()).unwrap_err().status, 431);
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(100));
        assert_eq!(request(&many).unwrap_err(), 431);
    }

    #[test]
    fn heads_that_break_the_rules_are_refused() {
        for (text, status) in [
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: [::1]80\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: [a]:80:80\r\n\r\n", 400),
            ("GET http://b/ HTTP/1.1\r\n\r\n", 400),
            ("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
            ("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET http://?x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET http://\u{e9}/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET images HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\0\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r2\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
            ("GET / HTTX/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /\r\nHost: a\r\n\r\n", 400),
            ("GET /pa th HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /x  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET  /x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /x HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
            ("GET /x HTTP/2.0 \r\nHost: a\r\n\r\n", 400),
            ("GET /pa th HTTP/2.0\r\nHost: a\r\n\r\n", 400),
            ("GET /x HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /x\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("\r\nGET /x HTTP/1.2\nHost: a\n\n", 505),
            ("\u{16}\u{3}\u{1}\u{2}\r\n\r\n", 400),
        ] {
            assert_eq!(request(text).map(|_| ()), Err(status), "{text:?}");
        }
    }

    #[test]
    fn a_host_may_have_a_port_and_may_be_empty() {
        for host in
            ["", "a", "a:", "a:80", ":80", "127.0.0.1:80", "[::1]", "[::1]:80", "[v1.a:b]:", "xn--a.example"]
        {
            let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(request(&text).unwrap().host(), host);
        }
    }

    #[test]
    fn the_absolute_form_is_a_host_and_a_path() {
        let head = request("GET http://A:80/x?y HTTP/1.1\r\nHost: b\r\n\r\n").unwrap();
        assert_eq!((head.host(), head.path_and_query()), ("A:80", "/x?y"));
        let head = request("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_eq!(head.path_and_query(), "/");
        for (target, host, path) in [
            ("http://localhost:80/h.txt", "localhost:80", "/h.txt"),
            ("http://localhost?x", "localhost", "/?x"),
            ("HTTPS://b?", "b", "/?"),
            ("http://b?x=/y", "b", "/?x=/y"),
            ("http://b/?x=http://c", "b", "/?x=http://c"),
        ] {
            let text = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let head = request(&text).unwrap();
            assert_eq!((head.host(), head.path_and_query()), (host, path), "{target}");
        }
        let head = request("GET /http://a/ HTTP/1.0\r\n\r\n").unwrap();
        assert_eq!((head.host(), head.path_and_query()), ("", "/http://a/"));
    }

    #[test]
    fn raw_bytes_in_a_target_are_read_as_escapes() {
        for (target, plain) in [
            (&b"/caf\xc3\xa9?\xe9=\xff"[..], "/caf%C3%A9?%E9=%FF"),
            (b"/caf\xe9", "/caf%E9"),
            (b"/%E9\x80", "/%E9%80"),
            (b"http://a/\xe9?", "http://a/%E9?"),
            (b"http://a?\xe9", "http://a/?%E9"),
        ] {
            let text = [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n"].concat();
            for end in 0..text.len() {
                let part = RequestHead::parse(&text[..end], leaked_space());
                assert!(matches!(part, Ok(None)), "{plain} cut at {end}");
            }
            let head = RequestHead::parse(&text, leaked_space()).unwrap().unwrap();
            assert_eq!((head.target, head.fields.first("x")), (plain, Some(&b"\xe9"[..])));
        }
        // Each of them has three bytes in the request line.
        let long = [b"GET /", &[0xe9; 3000][..], b" HTTP/1.1\r\n"].concat();
        assert_eq!(HeadScan::default().advance(&long).unwrap_err().status, 414);
    }

    #[test]
    fn keep_alive_depends_on_version_and_connection_field() {
        for (version, field, kept) in [
            ("1.1", "X: y", true),
            ("1.1", "Connection: Close", false),
            ("1.1", "Connection: te, close", false),
            ("1.1", "Connection: closed", true),
            ("1.0", "X: y", false),
            ("1.0", "Connection: Keep-Alive", true),
            ("1.0", "Connection: keep-alive, close", false),
        ] {
            let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{field}\r\n\r\n");
            assert_eq!(request(&text).unwrap().keeps_alive(), kept, "{text:?}");
        }
    }

    #[test]
    fn a_response_head_is_parsed() {
        let head =
            ResponseHead::parse(b"HTTP/1.0 200 OK\r\nContent-type: text/plain\r\n\r\nhi", leaked_space())
                .unwrap()
                .unwrap();
        assert_eq!((head.status, head.reason, head.keeps_alive()), (200, &b"OK"[..], false));
        for (text, reason) in [
            (&b"\r\n\nHTTP/1.1 200 Tr\xe8s bien\r\nA: b\r\n\r\n"[..], &b"Tr\xe8s bien"[..]),
            (b"HTTP/1.1 200 Schw\xc3\xb6r \n\n", b"Schw\xc3\xb6r "),
            (b"HTTP/1.1 200 \r\n\r\n", b""),
            (b"HTTP/1.1 200\r\n\r\n", b""),
        ] {
            assert_eq!(ResponseHead::parse(text, leaked_space()).unwrap().unwrap().reason, reason);
        }
        let blanks = b"HTTP/1.1 200 OK\r\nContent-Length \t: 2\r\n\r\n";
        let head = ResponseHead::parse(blanks, leaked_space()).unwrap().unwrap();
        assert_eq!(head.fields.only("content-length"), Some(&b"2"[..]));
        assert!(ResponseHead::parse(b"HTTP/1.1 200 OK\r\nA b: 2\r\n\r\n", leaked_space()).is_err());
        assert!(ResponseHead::parse(b"HTTP/1.1 200", leaked_space()).unwrap().is_none());
        assert!(ResponseHead::parse(b"hello\r\n\r\n", leaked_space()).is_err());
        assert!(ResponseHead::parse(b"HTTP/1.1 600 No\r\n\r\n", leaked_space()).is_err());
    }

    proptest! {
        /// If the two ends differed, the bytes between them would belong to no message or to two.
        #[test]
        fn the_scan_and_httparse_end_a_head_at_the_same_byte(
            words in prop::collection::vec(prop::sample::select(vec![
                "GET / HTTP/1.1", "\r\n", "\r\n", "\n", "\r", "Host: a", "X: y", " ", ":", "\0", "\t", "\r\n\r\n", "\n\n",
            ]), 0..14),
            cut in 0usize..60, begins: bool,
        ) {
            let text = format!("{}{}", if begins { "GET / HTTP/1.1\r\n" } else { "" }, words.concat());
            let bytes = text.as_bytes();
            let mut scan = HeadScan::default();
            let first = scan.advance(&bytes[..cut.min(bytes.len())]);
            let found = match first { Ok(Scan::Complete(length)) => Ok(Scan::Complete(length)), _ => scan.advance(bytes) };
            let mut headers = [httparse::EMPTY_HEADER; HEAD_FIELDS_MAX];
            let parsed = httparse::Request::new(&mut headers).parse(bytes);
            if let Ok(httparse::Status::Complete(length)) = parsed {
                prop_assert_eq!(found, Ok(Scan::Complete(length)), "{:?}", text);
            } else if let (Ok(Scan::Complete(length)), Ok(httparse::Status::Partial)) = (found, parsed) {
                prop_assert!(false, "the scan ends at {} of {:?}", length, text);
            }
        }
    }
}
