//! HTTP/1.0 and 1.1 as messages: syntax, framing and bodies, for both directions (RFC 9110, RFC 9112).
//!
//! | file | what it owns |
//! |---|---|
//! | [`head`] | the start line and the fields of a message |
//! | [`framing`] | where the body of a message ends |
//! | [`body`] | reading a body to its end, in any pieces |
//! | `chunk_line` | the line in front of a chunk |
//! | `request_reader` | waiting for the next request head of a client, and its deadline |
//! | [`response`] | writing the heads of our own responses |
//! | [`date`] | the dates in them |

pub mod body;
mod chunk_line;
pub mod date;
pub mod framing;
pub mod head;
pub(crate) mod request_reader;
pub mod response;

use std::fmt;

use crate::balance::routes::RouteError;

/// A version of HTTP that this program speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// HTTP/1.0: the connection is closed after each response, unless the client asks for keep-alive.
    Http10,
    /// HTTP/1.1: the connection is kept alive, unless one side sends `Connection: close`.
    Http11,
}

/// A request method; only those that RFC 9110 (and RFC 5789) define have a name here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "each is the method of its name")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Connect,
    Options,
    Trace,
    Patch,
    /// Any other token: a web server responds 501, a gateway forwards it unchanged.
    Other,
}

impl Method {
    /// The method of this name. Names are case-sensitive (RFC 9110 section 9.1).
    pub(crate) fn from_name(name: &str) -> Method {
        match name {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            "CONNECT" => Method::Connect,
            "OPTIONS" => Method::Options,
            "TRACE" => Method::Trace,
            "PATCH" => Method::Patch,
            _ => Method::Other,
        }
    }

    /// True if the method asks for nothing but information (RFC 9110 section 9.2.1).
    pub(crate) fn is_safe(self) -> bool {
        matches!(self, Method::Get | Method::Head | Method::Options | Method::Trace)
    }
}

/// Why a request gets an error response instead of being served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The status code, 400 to 505.
    pub(crate) status: u16,
    /// One plain sentence for the client and the log.
    pub(crate) reason: &'static str,
    /// A field that the response must have besides.
    pub(crate) field: Option<ExtraField>,
}

/// A field of an error response that tells the client what to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ExtraField {
    /// `Retry-After`, in seconds (RFC 9110 section 10.2.3).
    RetryAfter(u32),
    /// `WWW-Authenticate`: a name and a password (RFC 7617).
    Authenticate,
}

impl ExtraField {
    /// Writes the field.
    pub(crate) fn write(self, head: &mut response::ResponseWriter<'_>) {
        match self {
            ExtraField::RetryAfter(seconds) => head.field("Retry-After", seconds),
            ExtraField::Authenticate => {
                head.field_bytes("WWW-Authenticate", b"Basic realm=\"restricted\", charset=\"UTF-8\"");
            }
        }
    }
}

impl Refusal {
    /// A refusal with this status and sentence.
    pub(crate) const fn new(status: u16, reason: &'static str) -> Refusal {
        Refusal { status, reason, field: None }
    }

    /// The same with a field besides.
    pub(crate) const fn with(self, field: ExtraField) -> Refusal {
        Refusal { field: Some(field), ..self }
    }

    /// Status 400: the request breaks the syntax or the framing rules.
    pub(crate) const fn bad(reason: &'static str) -> Refusal {
        Refusal::new(400, reason)
    }
}

impl From<RouteError> for Refusal {
    fn from(error: RouteError) -> Refusal {
        Refusal::bad(error.reason())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.reason)
    }
}

/// A number in decimal digits and nothing else: no sign, no space, no overflow.
///
/// `str::parse` is too lenient, as it accepts `+5`: if a proxy and its back end read a length differently,
/// an attacker can make one see two requests where the other sees one.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// True for a byte of a `token` (RFC 9110 section 5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// True for the bytes of a field value: visible characters, spaces, tabs and bytes above ASCII.
pub(crate) fn is_text_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// `value` without the spaces and tabs at its ends (`OWS`, RFC 9110 section 5.6.3).
pub(crate) fn trim(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let start = value.iter().position(|byte| !is_blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

/// The members of a comma-separated list, trimmed and without empty ones (RFC 9110 section 5.6.1).
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim).filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_and_nothing_else() {
        assert_eq!(decimal(b"15702"), Some(15702));
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        for bad in ["", "+5", "-5", " 5", "5 ", "0x5", "5,5", "18446744073709551616", "٣"] {
            assert_eq!(decimal(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn methods_have_their_names_and_four_of_them_are_safe() {
        let methods = [
            ("GET", Method::Get, true),
            ("HEAD", Method::Head, true),
            ("POST", Method::Post, false),
            ("PUT", Method::Put, false),
            ("DELETE", Method::Delete, false),
            ("CONNECT", Method::Connect, false),
            ("OPTIONS", Method::Options, true),
            ("TRACE", Method::Trace, true),
            ("PATCH", Method::Patch, false),
            ("get", Method::Other, false),
            ("BREW", Method::Other, false),
        ];
        for (name, method, is_safe) in methods {
            assert_eq!((Method::from_name(name), method.is_safe()), (method, is_safe), "{name}");
        }
    }

    #[test]
    fn a_refusal_is_shown_with_its_status() {
        assert_eq!(Refusal::new(501, "Not here.").to_string(), "501 Not here.");
    }

    #[test]
    fn a_path_without_a_route_is_a_bad_request() {
        for error in [RouteError::AboveRoot, RouteError::Ambiguous] {
            assert_eq!(Refusal::from(error), Refusal::bad(error.reason()));
            assert_eq!(Refusal::from(error).status, 400);
        }
    }

    #[test]
    fn lists_are_trimmed_and_empty_members_do_not_count() {
        assert_eq!(list(b" a ,, b\t,").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(list(b"").count(), 0);
    }
}
