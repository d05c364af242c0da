//! One address or a block of them (CIDR, RFC 4632): `10.1.2.3`, `10.0.0.0/8`, `::1` or `fd00::/8`.
//!
//! [`ipnet`] knows which addresses a block contains. This file adds three things: a single address is a
//! block too, an IPv4 address mapped into IPv6 counts as IPv4, and errors are written for the person who
//! configures.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::protocol::http::decimal;

/// One address or a block of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cidr(IpNet);

impl Cidr {
    /// True if `address` is in this block.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// How many leading bits an address must share with it: the more, the more specific.
    pub(crate) fn prefix(&self) -> u8 {
        self.0.prefix_len()
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Cidr, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err(format!("`{text}` is neither an IP address nor a block such as 10.0.0.0/8"));
        };
        let single = IpNet::from(address);
        let block = match prefix {
            None => Some(single),
            Some(digits) => decimal(digits.as_bytes())
                .and_then(|bits| u8::try_from(bits).ok())
                .and_then(|bits| IpNet::new(address, bits).ok()),
        };
        let error =
            || format!("the prefix of `{text}` is not a number from 0 to {}", single.max_prefix_len());
        block.map(Cidr).ok_or_else(error)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_contains_the_addresses_with_its_prefix() {
        for (block, inside, outside) in [
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.0.0.7/30", "10.0.0.4", "10.0.0.8"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("::/0", "fe80::1", "1.2.3.4"),
            ("fd00::/8", "fdff::1", "fe00::"),
            ("127.0.0.0/8", "::ffff:127.0.0.1", "::1"),
        ] {
            let cidr: Cidr = block.parse().unwrap();
            assert!(cidr.contains(inside.parse().unwrap()), "{block} {inside}");
            assert!(!cidr.contains(outside.parse().unwrap()), "{block} {outside}");
        }
    }

    #[test]
    fn a_block_prints_as_address_and_prefix() {
        for (text, printed) in
            [("10.1.2.3", "10.1.2.3/32"), ("10.0.0.7/08", "10.0.0.7/8"), ("::1", "::1/128")]
        {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn errors_name_the_text_and_the_fault() {
        for text in ["", "localhost", "10.0.0/8", "/8", "010.0.0.1/8"] {
            assert!(text.parse::<Cidr>().unwrap_err().contains("neither an IP address"), "{text}");
        }
        for (text, most) in [
            ("10.0.0.0/33", "32"),
            ("10.0.0.0/", "32"),
            ("10.0.0.0/256", "32"),
            ("::/129", "128"),
            ("::/+1", "128"),
        ] {
            assert!(text.parse::<Cidr>().unwrap_err().ends_with(most), "{text}");
        }
    }
}
