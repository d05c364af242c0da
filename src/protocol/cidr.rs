//! Addresses that belong together: one address, or all that share a prefix (CIDR, RFC 4632).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// One address or a block of them, written `10.1.2.3`, `10.0.0.0/8`, `::1` or `fd00::/8`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    address: IpAddr,
    /// Bits that must agree: 0 to 32, or to 128 in IPv6.
    prefix_bits: u8,
}

impl Network {
    /// True if `address` is in this block. An IPv4 address mapped into IPv6 counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        let same = |one: u128, other: u128, bits: u8| {
            let differs_below = u32::from(bits) - u32::from(self.prefix_bits);
            (one ^ other).checked_shr(differs_below).unwrap_or(0) == 0
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(one), IpAddr::V4(other)) => same(one.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(one), IpAddr::V6(other)) => same(one.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    /// Errors are one sentence for the one who configures.
    fn from_str(text: &str) -> Result<Network, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err(format!("`{text}` is neither an IP address nor a block such as 10.0.0.0/8"));
        };
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix.map(|prefix| crate::protocol::http::decimal(prefix.as_bytes())) {
            None => bits,
            Some(Some(prefix)) if prefix <= u64::from(bits) => prefix as u8,
            Some(_) => return Err(format!("the prefix of `{text}` is not a number from 0 to {bits}")),
        };
        Ok(Network { address, prefix_bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_contain_what_shares_their_prefix() {
        for (network, inside, outside) in [
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.0.0.7/30", "10.0.0.4", "10.0.0.8"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("::/0", "fe80::1", "1.2.3.4"),
            ("fd00::/8", "fdff::1", "fe00::"),
            ("127.0.0.0/8", "::ffff:127.0.0.1", "::1"),
        ] {
            let block: Network = network.parse().unwrap();
            assert!(block.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!block.contains(outside.parse().unwrap()), "{network} {outside}");
        }
    }

    #[test]
    fn bad_ones_are_named() {
        for text in ["", "localhost", "10.0.0/8", "/8"] {
            assert!(text.parse::<Network>().unwrap_err().contains("neither an IP address"), "{text}");
        }
        for (text, most) in [("10.0.0.0/33", "32"), ("10.0.0.0/", "32"), ("::/129", "128"), ("::/+1", "128")]
        {
            assert!(text.parse::<Network>().unwrap_err().ends_with(most), "{text}");
        }
    }
}
