//! The normal form of a host, in which the hosts of routes and of requests are compared.
//!
//! Contract: without the port, in small letters, without the dot at its end; an IPv6 address in brackets, as
//! [`Ipv6Addr`] prints it. Nothing is allocated.

use std::io::Write;
use std::net::Ipv6Addr;

/// Bytes of the longest host that a route can have: that of a name in the DNS (RFC 1035 section 2.3.4).
pub(super) const HOST_BYTES_MAX: usize = 253;

/// Space for one host in normal form.
pub(super) type HostSpace = [u8; HOST_BYTES_MAX];

/// The normal form of what `Host` says, written into `space`. `None` if it is longer than the host of any route.
pub(super) fn normalize<'s>(host: &[u8], space: &'s mut HostSpace) -> Option<&'s [u8]> {
    let (name, is_ipv6) = match host.strip_prefix(b"[") {
        Some(rest) => (rest.split(|byte| *byte == b']').next().unwrap_or(rest), true),
        None => (host.split(|byte| *byte == b':').next().unwrap_or(host), false),
    };
    if is_ipv6 {
        let address: Ipv6Addr = std::str::from_utf8(name).ok()?.parse().ok()?;
        let mut rest = &mut space[..];
        write!(rest, "[{address}]").ok()?;
        let length = HOST_BYTES_MAX - rest.len();
        return Some(&space[..length]);
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    let normal = space.get_mut(..name.len())?;
    normal.copy_from_slice(name);
    normal.make_ascii_lowercase();
    Some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_letters_and_the_dot_at_the_end_make_no_difference() {
        for (host, normal) in [
            ("example.org", Some("example.org")),
            ("EXAMPLE.org.:8080", Some("example.org")),
            ("example.org:", Some("example.org")),
            ("192.0.2.1:80", Some("192.0.2.1")),
            ("[::1]:80", Some("[::1]")),
            ("[0:0:0:0:0:0:0:1]", Some("[::1]")),
            ("[::FFFF:192.0.2.1]", Some("[::ffff:192.0.2.1]")),
            ("[v1.x]", None),
            ("", Some("")),
            (".", Some("")),
            (&"a".repeat(253), Some(&*"a".repeat(253))),
            (&"a".repeat(254), None),
        ] {
            let mut space = [0; HOST_BYTES_MAX];
            let found = normalize(host.as_bytes(), &mut space);
            assert_eq!(found, normal.map(str::as_bytes), "{host}");
        }
    }
}
