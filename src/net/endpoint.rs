//! An address as people write it: `127.0.0.1:8888`, `[::1]:80`, `name:80`, `:80` or `80`; of a back end also
//! `http://name:80`.
//!
//! Contract: parsing does no lookup, so that a command line is checked at once. [`Endpoint::resolve`] looks
//! the name up and may block: it is for the start and for a thread of its own, never for a poll loop.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use crate::net::limits::ADDRESSES_PER_NAME_MAX;

/// The scheme that an address of a back end may begin with, and its port.
const HTTP: (&str, u16) = ("http://", 80);

/// What an address looks like.
const WANTED: &str =
    "write HOST:PORT, :PORT or PORT, such as 127.0.0.1:8888, [::1]:8888, localhost:8888, :8888 or 8888";

/// A host and a port; the host may be a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Endpoint {
    /// A name or an address; IPv6 without its brackets. Empty for every address of this machine, which is only
    /// for listening.
    pub(crate) host: String,
    /// The port. 0 is only for listening: the system chooses a free one.
    pub(crate) port: u16,
}

impl Endpoint {
    /// Reads an address to connect to, which has no port 0. Without a host it is on this machine.
    pub(crate) fn parse_target(text: &str) -> Result<Endpoint, String> {
        match strip_scheme(text) {
            Some(authority) => Endpoint::parse_authority(text, authority, HTTP),
            None => text.parse::<Endpoint>()?.for_connecting(text),
        }
    }

    /// Reads what is behind the scheme of a URL: an address whose port may be missing, and no path but `/`.
    pub(super) fn parse_authority(
        text: &str,
        authority: &str,
        (scheme, port): (&str, u16),
    ) -> Result<Endpoint, String> {
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let not_an_address =
            || format!("{text:?} is not an address: write {scheme}HOST or {scheme}HOST:PORT");
        if authority.is_empty() {
            return Err(not_an_address());
        }
        if authority.contains(['/', '?', '#', '@']) {
            return Err(format!("{text:?} has more than an address: a back end gets the client's own path"));
        }
        // A colon behind the bracket of an IPv6 address begins the port.
        let has_port = authority.rsplit_once(']').map_or(authority, |(_, behind)| behind).contains(':');
        let parsed: Result<Endpoint, String> = match has_port {
            true => authority.parse(),
            false => format!("{authority}:{port}").parse(),
        };
        parsed.map_err(|_| not_an_address())?.for_connecting(text)
    }

    /// The same, if it is one to connect to. Without a host it is on this machine.
    fn for_connecting(mut self, text: &str) -> Result<Endpoint, String> {
        if self.port == 0 {
            return Err(format!("{text}: nothing can be reached on port 0"));
        }
        if self.host.is_empty() {
            self.host = Ipv4Addr::LOCALHOST.to_string();
        }
        Ok(self)
    }

    /// True if the host is a name, whose addresses may change, and not an address.
    pub(crate) fn is_name(&self) -> bool {
        !self.is_everywhere() && self.host.parse::<IpAddr>().is_err()
    }

    /// True for every address of this machine, of both families.
    pub(crate) fn is_everywhere(&self) -> bool {
        self.host.is_empty()
    }

    /// All addresses of the host, in the resolver's order and each once; never empty.
    pub(crate) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        if self.is_everywhere() {
            return Ok(vec![SocketAddr::from((Ipv6Addr::UNSPECIFIED, self.port))]);
        }
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in (self.host.as_str(), self.port).to_socket_addrs()?.take(ADDRESSES_PER_NAME_MAX) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(addresses)
    }
}

/// What is behind `http://`, in whichever case.
fn strip_scheme(text: &str) -> Option<&str> {
    let scheme = text.get(..HTTP.0.len())?;
    scheme.eq_ignore_ascii_case(HTTP.0).then(|| &text[HTTP.0.len()..])
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        Endpoint { host: address.ip().to_string(), port: address.port() }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Endpoint, String> {
        // Digits only: `parse` alone would also accept "+80".
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (host, port) = match text.rsplit_once(':') {
            Some(parts) => parts,
            None if is_number(text) => ("", text),
            None => return Err(format!("{text:?} is not an address: {WANTED}")),
        };
        if !is_number(port) {
            return Err(format!("{text:?} has no port: {WANTED}"));
        }
        let port = port.parse::<u16>().map_err(|_| format!("{text}: the largest port is 65535"))?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) if address.parse::<Ipv6Addr>().is_ok() => address,
            None if host.is_empty() || is_name(host) => host,
            _ => return Err(format!("{text:?} is not an address: {WANTED}")),
        };
        Ok(Endpoint { host: host.to_owned(), port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// True for letters, digits, `-`, `_` and `.`: host names and IPv4 addresses. A bare IPv6 address, a URL or
/// a list is refused here, with a better message than that of a failed lookup.
fn is_name(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_they_were_written() {
        for text in ["127.0.0.1:8888", "[::1]:80", "localhost:0", "a-b.example:65535", ":80"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        let address = "[2001:db8::1]:8080".parse::<SocketAddr>().unwrap();
        assert_eq!(Endpoint::from(address).resolve().unwrap(), [address]);
    }

    #[test]
    fn a_port_alone_is_every_address_to_listen_on_and_this_machine_for_connecting() {
        for text in [":8080", "8080"] {
            let endpoint = text.parse::<Endpoint>().unwrap();
            assert!(endpoint.is_everywhere() && !endpoint.is_name());
            assert_eq!(endpoint.resolve().unwrap(), ["[::]:8080".parse().unwrap()]);
            assert_eq!(Endpoint::parse_target(text).unwrap().to_string(), "127.0.0.1:8080");
        }
    }

    #[test]
    fn a_target_may_be_a_url_without_a_path() {
        for (text, address) in [
            ("http://name:8080", "name:8080"),
            ("HTTP://name/", "name:80"),
            ("http://[::1]", "[::1]:80"),
            ("http://[::1]:81/", "[::1]:81"),
            ("http://127.0.0.1", "127.0.0.1:80"),
            ("http://:81", "127.0.0.1:81"),
        ] {
            assert_eq!(
                Endpoint::parse_target(text).map(|endpoint| endpoint.to_string()),
                Ok(address.to_owned())
            );
        }
        for (text, part) in [
            ("http://name/path", "more than an address"),
            ("http://name/?", "more than an address"),
            ("http://user@name", "more than an address"),
            ("http://", "write http://HOST"),
            ("http://name:", "write http://HOST"),
            ("http://a b", "write http://HOST"),
            ("http://name:0", "port 0"),
            ("ftp://name", "write HOST:PORT"),
        ] {
            let error = Endpoint::parse_target(text).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn an_error_says_what_an_address_looks_like() {
        for (text, part) in [
            ("localhost", "write HOST:PORT"),
            ("", "write HOST:PORT"),
            ("::1:80", "is not an address"),
            ("[localhost]:80", "is not an address"),
            ("http://localhost:80", "is not an address"),
            ("a,b:80", "is not an address"),
            ("localhost:", "has no port"),
            (":", "has no port"),
            ("localhost:+80", "has no port"),
            ("localhost:65536", "the largest port is 65535"),
            ("65536", "the largest port is 65535"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_target_needs_a_port() {
        for text in ["localhost:0", ":0", "0"] {
            assert!(Endpoint::parse_target(text).unwrap_err().contains("port 0"));
        }
        assert!(Endpoint::parse_target("localhost:1").is_ok());
    }
}
