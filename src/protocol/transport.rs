//! Whether a client's connection is encrypted, and how.
//!
//! Contract: the encryption itself is the drivers' (`net/tls`); here is what the rules and the log need to know of it.

use std::sync::Arc;

use super::http::head::RequestHead;
use super::http::{Method, Refusal};

/// How the bytes of a client's connection travel.
#[derive(Clone, Debug, Default)]
pub(crate) enum Transport {
    /// As they are.
    #[default]
    Plain,
    /// As they are, at an address where requests are only sent on to `https://`, on this port.
    Redirecting(u16),
    /// They are to be encrypted; the two sides have not agreed on how yet.
    Handshaking,
    /// Encrypted.
    Secured(Arc<Secured>),
}

/// What both sides have agreed on, as the log tells of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Secured {
    /// `TLSv1.2` or `TLSv1.3`.
    pub(crate) version: &'static str,
    /// The cipher suite, by its name at IANA.
    pub(crate) cipher: &'static str,
    /// The name that the client asked for (SNI, RFC 6066 section 3), if it did.
    pub(crate) name: Option<Box<str>>,
    /// The client took up an earlier session, which spares both sides the costly part of the handshake.
    pub(crate) is_resumed: bool,
}

impl Transport {
    /// What was agreed on, if it is encrypted.
    pub(crate) fn secured(&self) -> Option<&Secured> {
        match self {
            Transport::Secured(secured) => Some(secured),
            _ => None,
        }
    }

    /// Where a request with this head is redirected to, if it is to be.
    ///
    /// Errors: it should be, and names no host.
    pub(crate) fn redirects(&self, head: &RequestHead<'_>) -> Result<Option<String>, Refusal> {
        match self {
            Transport::Redirecting(port) => https_location(head, *port),
            _ => Ok(None),
        }
    }

    /// The scheme of URLs that lead to such a connection.
    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Transport::Plain | Transport::Redirecting(_) => "http",
            Transport::Handshaking | Transport::Secured(_) => "https",
        }
    }
}

/// What a program asks for to prove to a certificate authority that a host is its own (ACME, RFC 8555 section 8.3). It
/// is asked for without TLS, and served where everything else is redirected.
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// The port that an address with `https://` need not name.
const HTTPS_PORT: u16 = 443;

/// Why a request cannot be redirected.
const NO_HOST: Refusal = Refusal::bad("The request names no host, so it cannot be sent on to https://.");

/// Where a request without TLS is sent on to, at an address that serves none; `None`: it is served all the same.
///
/// Errors: it cannot be told which host was asked.
fn https_location(head: &RequestHead<'_>, port: u16) -> Result<Option<String>, Refusal> {
    let target = head.path_and_query();
    if target.starts_with(CHALLENGES) || !target.starts_with('/') {
        return Ok(None);
    }
    let authority = head.host();
    // Behind the bracket of an IPv6 address there may be a port; in other hosts a colon begins it.
    let host = match authority.rfind(']') {
        Some(bracket) => &authority[..=bracket],
        None => authority.split(':').next().unwrap_or_default(),
    };
    match (host, port) {
        ("", _) => Err(NO_HOST),
        (host, HTTPS_PORT) => Ok(Some(format!("https://{host}{target}"))),
        (host, port) => Ok(Some(format!("https://{host}:{port}{target}"))),
    }
}

/// The status of that redirect: with 301 clients make a GET of everything else.
pub(crate) fn https_status(method: Method) -> u16 {
    if matches!(method, Method::Get | Method::Head) { 301 } else { 308 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::leaked_space;

    fn location(line: &str, host: &str, port: u16) -> Result<Option<String>, Refusal> {
        let head = format!("GET {line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let head = RequestHead::parse(head.leak().as_bytes(), leaked_space()).unwrap().unwrap();
        https_location(&head, port)
    }

    #[test]
    fn the_address_keeps_host_path_and_query_and_changes_scheme_and_port() {
        for (target, host, port, wanted) in [
            ("/", "a.example", 443, "https://a.example/"),
            ("/a?b=c", "a.example:80", 443, "https://a.example/a?b=c"),
            ("/", "127.0.0.1:8080", 8443, "https://127.0.0.1:8443/"),
            ("/", "[::1]:80", 8443, "https://[::1]:8443/"),
            ("/", "[::1]", 443, "https://[::1]/"),
            ("http://b.example:80/x", "b.example:80", 443, "https://b.example/x"),
            ("//evil.example/", "a.example", 443, "https://a.example//evil.example/"),
        ] {
            assert_eq!(location(target, host, port), Ok(Some(wanted.to_owned())), "{target} {host}");
        }
    }

    #[test]
    fn a_challenge_is_served_and_a_host_is_needed() {
        assert_eq!(location("/.well-known/acme-challenge/x", "a.example", 443), Ok(None));
        assert_eq!(location("/", "", 443), Err(NO_HOST));
    }
}
