//! Heads: a request line or status line and its fields, read from bytes that arrive in any pieces.
//!
//! Contract: [`HeadScan`] tells when a head is complete. Its time is linear in the bytes, even if they come
//! one by one. [`RequestHead::parse`] and [`ResponseHead::parse`] borrow from the buffer and from a
//! [`FieldSpace`] of the caller, and allocate nothing for a target in plain form. httparse checks the grammar; the rules about the
//! content of a head are in this file.
//!
//! A request target is put into plain form first: see `plain_target`.

mod limits;
mod scan;

use std::mem::MaybeUninit;

use memchr::memchr;

pub use self::limits::HeadLimits;
pub use self::scan::{HeadScan, Scan};
use super::{Method, Refusal, Version, list};
use crate::protocol::limits::HEAD_FIELDS_MAX;

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
    /// The [`mark`] of each name. Most names are looked for in vain, and then their mark is missing.
    marks: u64,
}

impl<'b> Fields<'b> {
    fn new(list: &'b [httparse::Header<'b>]) -> Fields<'b> {
        Fields { list, marks: list.iter().fold(0, |marks, header| marks | mark(header.name)) }
    }

    /// All fields, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = Field<'b>> {
        self.list.iter().map(|header| Field { name: header.name, value: super::trim(header.value) })
    }

    /// How many field lines there are.
    pub(crate) fn count(&self) -> usize {
        self.list.len()
    }

    /// The values of each field line of this name.
    #[inline]
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'b [u8]> + 's {
        let list = if self.marks & mark(name) == 0 { &[] } else { self.list };
        let has_name = move |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
        list.iter().filter(has_name).map(|header| super::trim(header.value))
    }

    /// The value of the first field line of this name.
    #[inline]
    pub(crate) fn first(&self, name: &str) -> Option<&'b [u8]> {
        self.all(name).next()
    }

    /// The value of a field that may occur only once: `None` if it is missing or occurs twice.
    #[inline]
    pub(crate) fn only(&self, name: &str) -> Option<&'b [u8]> {
        let mut all = self.all(name);
        let value = all.next()?;
        all.next().is_none().then_some(value)
    }

    /// True if a comma-separated list field holds this member, without regard to case.
    #[inline]
    pub(crate) fn lists(&self, name: &str, member: &str) -> bool {
        self.all(name).flat_map(list).any(|found| found.eq_ignore_ascii_case(member.as_bytes()))
    }
}

/// One of 64 bits, the same for a name in capitals and in small letters. Two names may share one; the factor keeps
/// those apart that are looked for in every request and those that every client sends.
#[inline]
fn mark(name: &str) -> u64 {
    let first = name.bytes().next().map_or(0, |byte| byte.to_ascii_lowercase());
    1 << ((usize::from(first) + 11 * name.len()) % 64)
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
            fields: Fields::new(request.headers),
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
        // Nearly every target is a path, and needs no search for what it cannot have.
        if self.target.starts_with('/') {
            return None;
        }
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
        match fits && memchr(b'#', self.target.as_bytes()).is_none() {
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
            fields: Fields::new(response.headers),
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
pub(crate) fn is_host(host: &str) -> bool {
    // Colons within brackets belong to an IPv6 address.
    let (name, port, colons) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((literal, port)) => (literal, port, ":"),
            None => return false,
        },
        None => {
            let (name, port) = host.split_at(memchr(b':', host.as_bytes()).unwrap_or(host.len()));
            (name, port, "")
        }
    };
    let is_allowed = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')')
            || matches!(byte, b'*' | b'+' | b',' | b';' | b'=' | b'%')
    };
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
mod tests;
