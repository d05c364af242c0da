//! Framing: where the body of a message ends (RFC 9112 section 6.3).
//!
//! Contract: framing that leaves a doubt is refused and never repaired. If two programs disagree on where a
//! request ends, an attacker can make them see different requests (request smuggling).

use super::head::{Fields, RequestHead, ResponseHead};
use super::{Method, Refusal, Version, decimal, list};
use crate::protocol::limits::CONTENT_BYTES_MAX;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// There is no body.
    None,
    /// Exactly this many bytes, at least one.
    Length(u64),
    /// Chunks, each with its size, up to one of size 0 (RFC 9112 section 7.1).
    Chunked,
    /// All bytes until the sender closes: responses only.
    UntilClose,
}

/// The framing of a request. The steps are those of RFC 9112 section 6.3.
pub fn of_request(head: &RequestHead<'_>) -> Result<Framing, Refusal> {
    // Steps 1 and 2 are about responses only.
    match (codings(&head.fields), length(&head.fields)) {
        (Codings::None, Lengths::None) => Ok(Framing::None), // step 7
        (Codings::None, Lengths::One(0)) => Ok(Framing::None),
        (Codings::None, Lengths::One(bytes)) => Ok(Framing::Length(bytes)), // step 6
        // Step 5: not a number, or more than one.
        (Codings::None, Lengths::Broken) => Err(Refusal::bad("The Content-Length is not one plain number.")),
        // Step 3: a request with both may be an attempt at smuggling.
        (_, Lengths::One(_) | Lengths::Broken) => {
            Err(Refusal::bad("The request has both Content-Length and Transfer-Encoding."))
        }
        // Section 6.1: HTTP/1.0 has no transfer codings, so the framing of such a message cannot be trusted.
        (_, Lengths::None) if head.version == Version::Http10 => {
            Err(Refusal::bad("An HTTP/1.0 request cannot have a Transfer-Encoding."))
        }
        (Codings::Chunked, Lengths::None) => Ok(Framing::Chunked), // step 4
        (Codings::Unknown, Lengths::None) => {
            Err(Refusal::new(501, "The only transfer coding spoken here is chunked."))
        }
        (Codings::Broken, Lengths::None) => {
            Err(Refusal::bad("The Transfer-Encoding does not end with chunked."))
        }
    }
}

/// The framing of the response to a request with this method. The error is a fault of the back end: 502.
pub fn of_response(head: &ResponseHead<'_>, request_method: Method) -> Result<Framing, &'static str> {
    // Step 1: no body, whatever the fields say.
    let bodiless = request_method == Method::Head || head.status < 200 || matches!(head.status, 204 | 304);
    if bodiless {
        return Ok(Framing::None);
    }
    // Step 2: a 2xx response to CONNECT begins a tunnel. It cannot occur, as our gateway does not forward CONNECT.
    match (response_codings(&head.fields), length(&head.fields)) {
        (Codings::None, Lengths::One(0)) => Ok(Framing::None),
        (Codings::None, Lengths::One(bytes)) => Ok(Framing::Length(bytes)), // step 6
        (Codings::None, Lengths::None) => Ok(Framing::UntilClose),          // step 8
        (Codings::None, Lengths::Broken) => Err("the Content-Length is not one plain number"), // step 5
        (_, Lengths::One(_) | Lengths::Broken) => Err("both Content-Length and Transfer-Encoding"), // step 3
        (_, Lengths::None) if head.version == Version::Http10 => Err("a Transfer-Encoding in HTTP/1.0"),
        (Codings::Chunked, Lengths::None) => Ok(Framing::Chunked), // step 4
        (Codings::Unknown | Codings::Broken, Lengths::None) => Err("a transfer coding other than chunked"),
    }
}

/// What the `Transfer-Encoding` lines say, read as one list.
enum Codings {
    None,
    /// `chunked`, once, and nothing else.
    Chunked,
    /// Another coding before a final `chunked`: well formed, but not supported.
    Unknown,
    /// Not ending in `chunked`, naming it twice, or empty.
    Broken,
}

/// The codings of a response. `identity` meant no coding (RFC 2616 section 3.6), and some servers still send
/// it; to a message of which it is the only coding all programs give the same end.
fn response_codings(fields: &Fields<'_>) -> Codings {
    let mut members = fields.all("transfer-encoding").flat_map(list).peekable();
    let has_some = members.peek().is_some();
    match has_some && members.all(|coding| coding.eq_ignore_ascii_case(b"identity")) {
        true => Codings::None,
        false => codings(fields),
    }
}

fn codings(fields: &Fields<'_>) -> Codings {
    if fields.first("transfer-encoding").is_none() {
        return Codings::None;
    }
    let mut members = 0;
    let mut chunked = 0;
    let mut last_is_chunked = false;
    for coding in fields.all("transfer-encoding").flat_map(list) {
        members += 1;
        last_is_chunked = coding.eq_ignore_ascii_case(b"chunked");
        chunked += usize::from(last_is_chunked);
    }
    match (members, chunked, last_is_chunked) {
        (1, 1, true) => Codings::Chunked,
        (_, 1, true) => Codings::Unknown,
        _ => Codings::Broken,
    }
}

/// What the `Content-Length` lines say.
enum Lengths {
    None,
    One(u64),
    Broken,
}

/// RFC 9110 section 8.6 allows a recipient to read `5, 5` as 5. We accept only one line with one number of at
/// most [`CONTENT_BYTES_MAX`].
fn length(fields: &Fields<'_>) -> Lengths {
    match (fields.first("content-length"), fields.only("content-length")) {
        (None, _) => Lengths::None,
        (Some(_), None) => Lengths::Broken,
        (Some(_), Some(value)) => match decimal(value) {
            Some(bytes) if bytes <= CONTENT_BYTES_MAX => Lengths::One(bytes),
            _ => Lengths::Broken,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::leaked_space;

    fn request(version: &str, fields: &str) -> Result<Framing, u16> {
        let text = format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        let head = RequestHead::parse(text.as_bytes(), leaked_space()).unwrap().unwrap();
        of_request(&head).map_err(|refusal| refusal.status)
    }

    #[test]
    fn requests() {
        for (fields, framing) in [
            ("", Ok(Framing::None)),
            ("Content-Length: 0\r\n", Ok(Framing::None)),
            ("Content-Length: 5\r\n", Ok(Framing::Length(5))),
            ("Transfer-Encoding: Chunked\r\n", Ok(Framing::Chunked)),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", Err(400)),
            ("Content-Length: 5, 5\r\n", Err(400)),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", Err(400)),
            ("Content-Length: +5\r\n", Err(400)),
            ("Content-Length: -5\r\n", Err(400)),
            ("Content-Length: 0x5\r\n", Err(400)),
            ("Content-Length:\r\n", Err(400)),
            ("Content-Length: 99999999999999999999\r\n", Err(400)),
            ("Content-Length: 9223372036854775807\r\n", Ok(Framing::Length(i64::MAX as u64))),
            ("Content-Length: 9223372036854775808\r\n", Err(400)),
            ("Content-Length: 18446744073709551615\r\n", Err(400)),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Err(400)),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Err(400)),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(501)),
            ("Transfer-Encoding: chunked, gzip\r\n", Err(400)),
            ("Transfer-Encoding: chunked, chunked\r\n", Err(400)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(400)),
            ("Transfer-Encoding: xchunked\r\n", Err(400)),
            ("Transfer-Encoding: \"chunked\"\r\n", Err(400)),
            ("Transfer-Encoding:\r\n", Err(400)),
        ] {
            assert_eq!(request("1.1", fields), framing, "{fields:?}");
        }
        assert_eq!(request("1.0", "Transfer-Encoding: chunked\r\n"), Err(400));
        assert_eq!(request("1.0", "Content-Length: 5\r\n"), Ok(Framing::Length(5)));
    }

    #[test]
    fn responses() {
        let framing = |method, status: u16, version: &str, fields: &str| {
            let text = format!("HTTP/{version} {status} X\r\n{fields}\r\n");
            of_response(&ResponseHead::parse(text.as_bytes(), leaked_space()).unwrap().unwrap(), method)
                .map_err(|_| ())
        };
        let get = Method::Get;
        assert_eq!(framing(get, 200, "1.1", "Content-Length: 5\r\n"), Ok(Framing::Length(5)));
        assert_eq!(framing(get, 200, "1.1", "Content-Length: 0\r\n"), Ok(Framing::None));
        assert_eq!(framing(get, 200, "1.1", "Transfer-Encoding: chunked\r\n"), Ok(Framing::Chunked));
        assert_eq!(framing(get, 200, "1.1", ""), Ok(Framing::UntilClose));
        assert_eq!(framing(Method::Head, 200, "1.1", "Content-Length: 5\r\n"), Ok(Framing::None));
        assert_eq!(framing(get, 204, "1.1", "Content-Length: 5\r\n"), Ok(Framing::None));
        assert_eq!(framing(get, 304, "1.1", "Content-Length: 5\r\n"), Ok(Framing::None));
        assert_eq!(framing(get, 200, "1.1", "Content-Length: 5\r\nContent-Length: 6\r\n"), Err(()));
        assert_eq!(framing(get, 200, "1.1", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), Err(()));
        assert_eq!(framing(get, 200, "1.1", "Content-Length: 9223372036854775808\r\n"), Err(()));
        assert_eq!(framing(get, 200, "1.0", "Transfer-Encoding: chunked\r\n"), Err(()));
        assert_eq!(framing(get, 200, "1.1", "Transfer-Encoding: gzip\r\n"), Err(()));
        assert_eq!(framing(get, 200, "1.1", "Transfer-Encoding: Identity\r\n"), Ok(Framing::UntilClose));
        assert_eq!(
            framing(get, 200, "1.1", "Transfer-Encoding: identity\r\nContent-Length: 5\r\n"),
            Ok(Framing::Length(5))
        );
        assert_eq!(framing(get, 200, "1.1", "Transfer-Encoding: identity, chunked\r\n"), Err(()));
        assert_eq!(framing(get, 200, "1.1", "Transfer-Encoding:\r\n"), Err(()));
    }
}
