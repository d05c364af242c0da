//! Whose address counts, behind proxies that are trusted.
//!
//! Contract: the client is the peer, or whom its PROXY header names. If that is a trusted proxy, the client is the
//! right-most address of `X-Forwarded-For` that is not a trusted proxy itself, as in nginx (`real_ip_recursive on`):
//! what stands further left was written by somebody nobody vouches for. If all are trusted, it is the left-most.
//! Something that is no address ends the search.

use std::net::{IpAddr, SocketAddr};

use crate::protocol::cidr::Cidr;
use crate::protocol::http::head::{Fields, RequestHead};

/// The address of the client that sent this request over a connection of `peer`.
pub(crate) fn client_of(head: &RequestHead<'_>, peer: IpAddr, trust: &[Cidr]) -> IpAddr {
    let peer = peer.to_canonical();
    match is_trusted(peer, trust) {
        true => forwarded_for(&head.fields, peer, trust),
        false => peer,
    }
}

fn is_trusted(address: IpAddr, trust: &[Cidr]) -> bool {
    trust.iter().any(|block| block.contains(address))
}

fn forwarded_for(fields: &Fields<'_>, peer: IpAddr, trust: &[Cidr]) -> IpAddr {
    let mut client = peer;
    // The lines are one list; from the end of a line on, the lines before it go on.
    let lines = fields.iter().filter(|field| field.name.eq_ignore_ascii_case("x-forwarded-for"));
    // Fields can be walked in one direction only. There are a hundred at most, and usually one line of these.
    let lines: Vec<&[u8]> = lines.map(|field| field.value).collect();
    for entry in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
        let Some(address) = std::str::from_utf8(entry).ok().and_then(|text| parse(text.trim())) else {
            break;
        };
        client = address;
        if !is_trusted(client, trust) {
            break;
        }
    }
    client
}

/// An address, or an address with a port, which some proxies write.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse().ok().map(|with_port: SocketAddr| with_port.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::leaked_space;

    fn client(peer: &str, lines: &[&str]) -> String {
        let fields: String = lines.iter().map(|line| format!("X-Forwarded-For: {line}\r\n")).collect();
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let head = RequestHead::parse(text.as_bytes(), leaked_space()).unwrap().unwrap();
        let trust = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        client_of(&head, peer.parse().unwrap(), &trust).to_string()
    }

    #[test]
    fn the_right_most_address_that_is_no_proxy_of_ours_is_the_client() {
        for (peer, lines, wanted) in [
            ("192.0.2.1", &["203.0.113.9"][..], "192.0.2.1"), // a stranger's word counts for nothing
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &["1.1.1.1", "203.0.113.9", "10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
            ("fd00::1", &["[2001:db8::7]:443"], "2001:db8::7"),
            ("fd00::1", &["[2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", &["203.0.113.9:5555"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ] {
            assert_eq!(client(peer, lines), wanted, "{peer} {lines:?}");
        }
    }
}
