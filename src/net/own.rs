//! Which addresses lead back to this role: a balancer that is its own back end sends each connection round and
//! round, until one client fills every place.
//!
//! Contract: no packet is sent. An address that leads here only by way of another machine (a port that is
//! forwarded, a second balancer) looks like any other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::listen::ListenAddress;

/// The addresses that a role listens on.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnAddresses(Vec<ListenAddress>);

impl OwnAddresses {
    /// A role that listens on these.
    pub(crate) fn new(addresses: Vec<ListenAddress>) -> OwnAddresses {
        OwnAddresses(addresses)
    }

    /// Where the role listens.
    pub(crate) fn addresses(&self) -> &[ListenAddress] {
        &self.0
    }

    /// The address that the role listens on and that is meant by `target`, if there is one.
    pub(crate) fn leads_here(&self, target: SocketAddr) -> Option<SocketAddr> {
        self.find(target, is_of_this_machine)
    }

    fn find(
        &self,
        target: SocketAddr,
        is_of_this_machine: impl Fn(SocketAddr) -> bool,
    ) -> Option<SocketAddr> {
        let target = normal(target);
        let means = |listen: &&ListenAddress| {
            let ListenAddress { address, is_dual, .. } = **listen;
            // Which port 0 will be, is known when it is bound.
            if address.port() != target.port() || address.port() == 0 {
                return false;
            }
            match address.ip().to_canonical() {
                ip if ip.is_unspecified() => {
                    (is_dual || ip.is_ipv4() == target.is_ipv4()) && is_of_this_machine(target)
                }
                ip => ip == target.ip(),
            }
        };
        self.0.iter().find(means).map(|listen| listen.address)
    }
}

/// The address that a connect to `target` reaches: an IPv4 address in the form of IPv6 is one of IPv4, and that of
/// no host is the loopback address.
fn normal(target: SocketAddr) -> SocketAddr {
    let ip = match target.ip().to_canonical() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip if ip == target.ip() => return target,
        ip => ip,
    };
    SocketAddr::new(ip, target.port())
}

/// True if it is an address of this machine: one that a socket can be bound to. Where the system allows to bind
/// to foreign ones (as standby balancers want it), one from which this machine would speak to it.
fn is_of_this_machine(address: SocketAddr) -> bool {
    let at = |port| {
        let mut address = address;
        address.set_port(port);
        address
    };
    let is_source = || {
        let unspecified: IpAddr = match address.is_ipv4() {
            true => Ipv4Addr::UNSPECIFIED.into(),
            false => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((unspecified, 0)).ok()?;
        // A datagram socket is connected without a packet; the port does not matter.
        socket.connect(at(9)).ok()?;
        Some(socket.local_addr().ok()?.ip() == address.ip())
    };
    address.ip().is_loopback()
        || (UdpSocket::bind(at(0)).is_ok() && (!binds_foreign(address) || is_source() == Some(true)))
}

/// True if this system binds sockets to addresses of other machines (Linux, `ip_nonlocal_bind`).
fn binds_foreign(address: SocketAddr) -> bool {
    let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
    cfg!(target_os = "linux")
        && std::fs::read_to_string(format!("/proc/sys/net/{family}/ip_nonlocal_bind"))
            .is_ok_and(|value| value.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(address: &str, is_dual: bool) -> OwnAddresses {
        OwnAddresses::new(vec![ListenAddress { is_dual, ..address.parse::<SocketAddr>().unwrap().into() }])
    }

    #[test]
    fn listeners_are_known_by_every_address_that_reaches_them() {
        let here = |address: SocketAddr| {
            address.ip().is_loopback() || [IpAddr::from([192, 0, 2, 1])].contains(&address.ip())
        };
        for (listen, is_dual, target, expected) in [
            ("127.0.0.1:80", false, "127.0.0.1:80", true),
            ("127.0.0.1:80", false, "127.0.0.1:81", false),
            ("127.0.0.1:80", false, "127.0.0.2:80", false),
            ("127.0.0.1:80", false, "0.0.0.0:80", true),
            ("127.0.0.1:80", false, "[::ffff:127.0.0.1]:80", true),
            ("127.0.0.1:80", false, "[::1]:80", false),
            ("[::1]:80", false, "[::]:80", true),
            ("0.0.0.0:80", false, "127.0.0.2:80", true),
            ("0.0.0.0:80", false, "192.0.2.1:80", true),
            ("0.0.0.0:80", false, "192.0.2.2:80", false),
            ("0.0.0.0:80", false, "[::1]:80", false),
            ("[::]:80", false, "[::1]:80", true),
            ("[::]:80", false, "127.0.0.1:80", false),
            ("[::]:80", true, "127.0.0.1:80", true),
            ("[::]:80", true, "192.0.2.1:80", true),
            ("[::]:80", true, "192.0.2.2:80", false),
            ("0.0.0.0:0", false, "127.0.0.1:0", false),
        ] {
            let found = own(listen, is_dual).find(target.parse().unwrap(), here);
            assert_eq!(found.is_some(), expected, "{listen} {is_dual} {target}");
        }
    }

    #[test]
    fn the_system_knows_its_own_addresses() {
        assert!(is_of_this_machine("127.0.0.7:80".parse().unwrap()));
        // TEST-NET-1 (RFC 5737) is nobody's.
        assert!(!is_of_this_machine("192.0.2.1:80".parse().unwrap()));
        // The one that packets to elsewhere would come from, if there is a way to elsewhere.
        let source = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
            socket.connect("192.0.2.1:9")?;
            socket.local_addr()
        });
        assert!(source.map_or(true, is_of_this_machine));
    }
}
