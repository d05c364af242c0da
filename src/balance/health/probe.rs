//! What a check asks a back end, and how the response is read.
//!
//! Contract: the request is a whole one that asks the back end to close; of the response only the status
//! counts.

use std::fmt;
use std::str::FromStr;

use crate::balance::limits::{CHECK_AGENT, CHECK_ANSWER_BYTES_MAX};

/// What a check asks of a back end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Probe {
    /// That it accepts a connection.
    Connect,
    /// A response to HEAD for this path.
    Head(String),
}

impl Probe {
    /// The bytes to send to the back end at `host`; none if a connection is enough.
    pub(crate) fn request(&self, host: impl fmt::Display) -> Vec<u8> {
        let Probe::Head(path) = self else { return Vec::new() };
        let version = env!("CARGO_PKG_VERSION");
        let head = format!(
            "HEAD {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {CHECK_AGENT}{version}\r\nConnection: close\r\n\r\n"
        );
        head.into_bytes()
    }
}

impl FromStr for Probe {
    type Err = String;

    /// A path, or `off` for no request at all.
    fn from_str(text: &str) -> Result<Probe, String> {
        match text {
            "off" => Ok(Probe::Connect),
            // It goes into a request line as it is.
            path if path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(Probe::Head(path.to_owned()))
            }
            _ => Err(format!("{text:?} is no path: write one that starts with /, or off")),
        }
    }
}

/// True for a status that a working server gives.
pub(crate) fn is_passed(status: u16) -> bool {
    matches!(status, 100..=499 | 501)
}

/// What the first bytes of a response to [`Probe::Head`] say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ProbeResult {
    /// Too few bytes to tell.
    Incomplete,
    /// A status that a working server gives. 501 is one: the server works and does not know HEAD, as
    /// many a small server of a course does. So is every 4xx, for the path need not exist.
    Passed,
    /// Another 5xx: it says itself that it does not work.
    ServerError(u16),
    /// Not HTTP/1.
    NotHttp,
}

impl ProbeResult {
    /// Reads the status line as far as the status: `HTTP/1.` digit, space, three digits (RFC 9112 section 4).
    pub(crate) fn read(bytes: &[u8]) -> ProbeResult {
        let (pattern, length) = (b"HTTP/1.d ddd", bytes.len().min(CHECK_ANSWER_BYTES_MAX));
        let fits = |(byte, wanted): (&u8, &u8)| match wanted {
            b'd' => byte.is_ascii_digit(),
            wanted => byte == wanted,
        };
        if !bytes[..length].iter().zip(pattern).all(fits) {
            return ProbeResult::NotHttp;
        }
        let Some([hundreds, tens, ones]) = bytes.get(9..12) else { return ProbeResult::Incomplete };
        let digit = |byte: &u8| u16::from(byte - b'0');
        match 100 * digit(hundreds) + 10 * digit(tens) + digit(ones) {
            status if is_passed(status) => ProbeResult::Passed,
            status @ 500..=599 => ProbeResult::ServerError(status),
            _ => ProbeResult::NotHttp,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_check_of_the_connection_sends_nothing() {
        assert_eq!(Probe::Connect.request("127.0.0.1:1"), b"");
        let request = Probe::Head("/sehat?x".to_owned()).request("[::1]:80");
        let request = String::from_utf8(request).unwrap();
        assert!(request.starts_with("HEAD /sehat?x HTTP/1.1\r\nHost: [::1]:80\r\n"), "{request}");
        assert!(request.ends_with("Connection: close\r\n\r\n"), "{request}");
    }

    #[test]
    fn a_path_is_what_fits_into_a_request_line() {
        assert_eq!("/a?b=%20".parse(), Ok(Probe::Head("/a?b=%20".to_owned())));
        assert_eq!("off".parse(), Ok(Probe::Connect));
        for text in ["", "a", "/a b", "/a\r\nX: y", "/\u{e9}", "http://a/"] {
            assert!(text.parse::<Probe>().unwrap_err().contains("starts with /"), "{text:?}");
        }
    }

    #[test]
    fn a_response_is_judged_by_its_status_alone() {
        for (bytes, result) in [
            ("HTTP/1.1 200 OK\r\n", ProbeResult::Passed),
            ("HTTP/1.0 404 Not Found", ProbeResult::Passed),
            ("HTTP/1.1 501 x", ProbeResult::Passed),
            ("HTTP/1.1 500", ProbeResult::ServerError(500)),
            ("HTTP/1.1 511 x", ProbeResult::ServerError(511)),
            ("HTTP/1.1 503 Service Unavailable", ProbeResult::ServerError(503)),
            ("HTTP/1.1 999 x", ProbeResult::NotHttp),
            ("HTTP/2 200", ProbeResult::NotHttp),
            ("HTTP/1.1  200", ProbeResult::NotHttp),
            ("HTTP/1.1 +20", ProbeResult::NotHttp),
            ("220 mail.example ESMTP", ProbeResult::NotHttp),
        ] {
            assert_eq!(ProbeResult::read(bytes.as_bytes()), result, "{bytes}");
        }
        assert!((0..12).all(|count| ProbeResult::read(&b"HTTP/1.1 200"[..count]) == ProbeResult::Incomplete));
    }

    proptest! {
        #[test]
        fn further_bytes_do_not_change_a_result(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let results: Vec<ProbeResult> = (0..=bytes.len()).map(|count| ProbeResult::read(&bytes[..count])).collect();
            let first = results.iter().find(|result| **result != ProbeResult::Incomplete);
            prop_assert!(first.is_none() || results.iter().skip_while(|v| **v == ProbeResult::Incomplete).all(|v| Some(v) == first));
        }
    }
}
