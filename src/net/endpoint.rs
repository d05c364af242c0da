//! An address as people write it: `127.0.0.1:8888`, `[::1]:80`, `localhost:9001`.
//!
//! Contract: parsing does no lookup, so that a command line is checked at once. [`Endpoint::resolve`] looks
//! the name up and may block: it is for the start and for a thread of its own, never for a poll loop.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use crate::net::limits::ADDRESSES_PER_NAME_MAX;

/// A host and a port; the host may be a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Endpoint {
    /// A name or an address; IPv6 without its brackets.
    pub(crate) host: String,
    /// The port. 0 is only for listening: the system chooses a free one.
    pub(crate) port: u16,
}

impl Endpoint {
    /// Reads an address to connect to, which has no port 0.
    pub(crate) fn parse_target(text: &str) -> Result<Endpoint, String> {
        let endpoint = text.parse::<Endpoint>()?;
        if endpoint.port == 0 {
            return Err(format!("{text}: nothing can be reached on port 0"));
        }
        Ok(endpoint)
    }

    /// True if the host is a name, whose addresses may change, and not an address.
    pub(crate) fn is_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }

    /// All addresses of the host, in the resolver's order and each once; never empty.
    pub(crate) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
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

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        Endpoint { host: address.ip().to_string(), port: address.port() }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Endpoint, String> {
        let wanted = "write HOST:PORT, such as 127.0.0.1:8888 or [::1]:8888";
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(format!("{text:?} is not an address: {wanted}"));
        };
        // Digits only: `parse` alone would also accept "+80".
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("{text:?} has no port: {wanted}"));
        }
        let port = port.parse::<u16>().map_err(|_| format!("{text}: the largest port is 65535"))?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) if address.parse::<Ipv6Addr>().is_ok() => address,
            None if is_name(host) => host,
            _ => return Err(format!("{text:?} is not an address: {wanted}")),
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
        for text in ["127.0.0.1:8888", "[::1]:80", "localhost:0", "a-b.example:65535"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        let address = "[2001:db8::1]:8080".parse::<SocketAddr>().unwrap();
        assert_eq!(Endpoint::from(address).resolve().unwrap(), [address]);
    }

    #[test]
    fn an_error_says_what_an_address_looks_like() {
        for (text, part) in [
            ("8888", "write HOST:PORT"),
            ("localhost", "write HOST:PORT"),
            (":8888", "is not an address"),
            ("::1:80", "is not an address"),
            ("[localhost]:80", "is not an address"),
            ("http://localhost:80", "is not an address"),
            ("a,b:80", "is not an address"),
            ("localhost:", "has no port"),
            ("localhost:+80", "has no port"),
            ("localhost:65536", "the largest port is 65535"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_target_needs_a_port() {
        assert!(Endpoint::parse_target("localhost:0").unwrap_err().contains("port 0"));
        assert!(Endpoint::parse_target("localhost:1").is_ok());
    }
}
