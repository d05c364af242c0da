//! The name servers and how they are asked: as `/etc/resolv.conf` says, or as flags do.
//!
//! Contract: every number of the file is cut to a bound, and what cannot be read of it is passed over, as the system's
//! resolver does. The file is read anew for each look-up: it is small, and changes with the network.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use resolv_conf::ScopedIp;

use crate::net::limits::{
    NAME_SERVERS_MAX, NDOTS_MAX, QUERY_ATTEMPTS, QUERY_ATTEMPTS_MAX, QUERY_TIMEOUT,
    QUERY_TIMEOUT_SECONDS_MAX, RESOLV_CONF_BYTES_MAX, SEARCH_DOMAINS_MAX,
};

/// The port of name servers.
pub(crate) const DNS_PORT: u16 = 53;

/// Where the system keeps its own.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Whom to ask, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Servers {
    /// In the order in which they are asked; none on a system without such a file.
    pub(super) addresses: Vec<SocketAddr>,
    /// Domains that a short name is tried in.
    pub(super) search: Vec<String>,
    /// A name with fewer dots is short.
    pub(super) dots: usize,
    /// Time for one query.
    pub(super) timeout: Duration,
    /// How often each server is asked.
    pub(super) attempts: u32,
    /// Each look-up begins with another server.
    pub(super) rotates: bool,
    /// IPv6 addresses are not asked for.
    pub(super) skips_ipv6: bool,
    /// All queries go over TCP.
    pub(super) is_tcp: bool,
}

impl Servers {
    /// These servers; names are asked for as they are written.
    pub(super) fn named(addresses: &[SocketAddr]) -> Servers {
        Servers {
            addresses: addresses.to_vec(),
            search: Vec::new(),
            dots: 0,
            timeout: QUERY_TIMEOUT,
            attempts: QUERY_ATTEMPTS,
            rotates: false,
            skips_ipv6: false,
            is_tcp: false,
        }
    }

    /// Those of the system.
    pub(super) fn of_system() -> Servers {
        let mut text = Vec::new();
        if cfg!(windows) {
            // Whoever makes such a file there is not the system.
            return Servers::read(&text);
        }
        // What cannot be read names no server.
        let _ = File::open(RESOLV_CONF).map(|file| file.take(RESOLV_CONF_BYTES_MAX).read_to_end(&mut text));
        Servers::read(&text)
    }

    /// Those of a file with this text.
    fn read(text: &[u8]) -> Servers {
        let (file, _) = resolv_conf::Config::parse_with_errors(text);
        let bounded = |number: u32, most| number.clamp(1, most);
        Servers {
            addresses: file.nameservers.iter().filter_map(address).take(NAME_SERVERS_MAX).collect(),
            search: file.get_last_search_or_domain().take(SEARCH_DOMAINS_MAX).cloned().collect(),
            dots: file.ndots.min(NDOTS_MAX) as usize,
            timeout: Duration::from_secs(bounded(file.timeout, QUERY_TIMEOUT_SECONDS_MAX).into()),
            attempts: bounded(file.attempts, QUERY_ATTEMPTS_MAX),
            rotates: file.rotate,
            skips_ipv6: file.no_aaaa,
            is_tcp: file.use_vc,
        }
    }

    /// The names that `name` may stand for, in the order in which they are asked for: as it is written, and in each
    /// search domain. One with a dot at its end stands for itself.
    pub(super) fn candidates(&self, name: &str) -> Vec<String> {
        let as_it_is = [name.to_owned()];
        if name.ends_with('.') {
            return as_it_is.into();
        }
        let domains = self.search.iter().map(|domain| domain.trim_matches('.')).filter(|one| !one.is_empty());
        let searched: Vec<String> = domains.map(|domain| format!("{name}.{domain}")).collect();
        let is_short = name.matches('.').count() < self.dots;
        if is_short { [searched, as_it_is.into()].concat() } else { [as_it_is.into(), searched].concat() }
    }
}

/// The address of a server. One on a link whose interface is named, not numbered, is left out.
fn address(server: &ScopedIp) -> Option<SocketAddr> {
    let on_link = |ip: Ipv6Addr, scope| SocketAddrV6::new(ip, DNS_PORT, 0, scope).into();
    match server {
        ScopedIp::V4(ip) => Some((IpAddr::V4(*ip), DNS_PORT).into()),
        ScopedIp::V6(ip, None) => Some((IpAddr::V6(*ip), DNS_PORT).into()),
        ScopedIp::V6(ip, Some(scope)) => scope.parse().ok().map(|scope| on_link(*ip, scope)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_as_the_system_reads_it() {
        let text = "# local\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver fe80::1%3\n\
                    nameserver 192.0.2.4\nsearch default.svc.cluster.local cluster.local\n\
                    options ndots:5 timeout:1 attempts:3 rotate no-aaaa unknown:7\nnonsense\n";
        let servers = Servers::read(text.as_bytes());
        let addresses = ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%3]:53"];
        assert_eq!(servers.addresses, addresses.map(|one| one.parse().unwrap()));
        assert_eq!((servers.timeout, servers.attempts), (Duration::from_secs(1), 3));
        assert!(servers.rotates && servers.skips_ipv6 && !servers.is_tcp);
        let candidates = ["web.default.svc.cluster.local", "web.cluster.local", "web"];
        assert_eq!(servers.candidates("web"), candidates);
    }

    #[test]
    fn numbers_have_bounds_and_an_empty_file_has_no_server() {
        let servers = Servers::read(b"options timeout:0 attempts:99999 ndots:77\nsearch . a.example.\n");
        assert_eq!((servers.timeout, servers.attempts, servers.dots), (Duration::from_secs(1), 5, 15));
        assert_eq!(servers.addresses, []);
        assert_eq!(servers.candidates("a"), ["a.a.example", "a"]);
        let silent = Servers::read(b"");
        assert_eq!((silent.timeout, silent.attempts, silent.dots), (Duration::from_secs(5), 2, 1));
    }

    #[test]
    fn a_long_name_is_tried_as_it_is_first_and_one_with_a_dot_at_its_end_only() {
        let servers = Servers::read(b"search example.org\n");
        assert_eq!(servers.candidates("web"), ["web.example.org", "web"]);
        assert_eq!(servers.candidates("web.a"), ["web.a", "web.a.example.org"]);
        assert_eq!(servers.candidates("web."), ["web."]);
        assert_eq!(Servers::named(&[]).candidates("web"), ["web"]);
    }
}
