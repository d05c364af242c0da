//! The PROXY protocol: ahead of a client's bytes, one proxy tells the next who the client is.
//!
//! Contract: a header is believed only from a peer that is trusted, and then it must come: a
//! connection that may or may not begin with one could be forged by whoever reaches us directly. It
//! may come in any pieces; it is bounded and has the time of a request head; bytes behind it belong
//! to the connection. Reading and writing are the library's work; what it lets pass and the
//! [specification](https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt) does not is refused here.
//!
//! Each of the three machines has a [`Caller`]: it [enters](Caller::enter), it is
//! [heard](Caller::hear) before anything else is read, and it may [introduce](Caller::introduce) itself
//! to a back end in the same way.

use std::io;
use std::net::{IpAddr, SocketAddr};

use proxy_header::{ParseConfig, Protocol, ProxiedAddress, ProxyHeader};

use crate::protocol::buffer::Buffer;
use crate::protocol::cidr::Cidr;
use crate::protocol::event::{Event, Observer};
use crate::protocol::limits::{PROXY_HEADER_BYTES_MAX, PROXY_LINE_BYTES_MAX};
use crate::protocol::outcome::{How, Outcome, Phase, Who};

/// The form in which a header is sent; both are understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Version {
    /// One line of text
    V1,
    /// Binary
    V2,
}

/// From whom headers are taken, and whether back ends get one.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Every connection begins with a header.
    pub accept: bool,
    /// Who may send one.
    pub trust: Vec<Cidr>,
    /// Every connection to a back end begins with one of ours.
    pub send: Option<Version>,
}

impl Policy {
    /// Whoever has connected to us from `peer`. `local` tells to which address of ours; that is asked
    /// only if a back end is to hear of it, since it costs a system call.
    pub fn caller(&self, peer: SocketAddr, local: impl FnOnce() -> io::Result<SocketAddr>) -> Caller {
        let standing = match self.accept {
            false => Standing::Known,
            true if self.trust.iter().any(|network| network.contains(peer.ip())) => Standing::Awaited,
            true => Standing::Stranger,
        };
        // A listener of both families tells IPv4 addresses as IPv6 ones: what a header says is of one family.
        let canonical = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
        let send = self.send.map(|version| (version, local().ok().map(canonical)));
        Caller { address: peer, standing, send }
    }
}

/// The other end of a client connection.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The peer's address, or the one that its header tells.
    address: SocketAddr,
    standing: Standing,
    /// How back ends are told, and where the client connected to.
    send: Option<(Version, Option<SocketAddr>)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    /// It is who it is: no header is expected, or it was read.
    Known,
    /// Its header comes first.
    Awaited,
    /// It would have to send a header, and would not be believed.
    Stranger,
}

/// A client that is what it seems to be.
impl From<SocketAddr> for Caller {
    fn from(address: SocketAddr) -> Caller {
        Caller { address, standing: Standing::Known, send: None }
    }
}

impl Caller {
    /// Who it is, as far as is known.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// True once no header is to come any more.
    pub fn is_known(&self) -> bool {
        self.standing == Standing::Known
    }

    /// It is taken up: told in the log, or at the end already.
    pub fn enter(&self, observer: &dyn Observer) -> Result<(), Outcome> {
        match self.standing {
            Standing::Known => observer.observe(&Event::ConnectionFrom(self.address)),
            Standing::Awaited => {}
            Standing::Stranger => {
                log::warn!("{} is closed: PROXY headers are taken from --trust only", self.address);
                return Err(Outcome::new(Who::Us, How::Refused, Phase::ProxyHeader));
            }
        }
        Ok(())
    }

    /// Takes the header off the start of `input`; false while it is not whole. `ended` if no more
    /// will come. An error is the end of the connection.
    pub fn hear(
        &mut self,
        input: &mut Buffer,
        ended: bool,
        observer: &dyn Observer,
    ) -> Result<bool, Outcome> {
        if self.is_known() {
            return Ok(true);
        }
        match look(input.bytes()) {
            Ok(Some((length, told))) => {
                input.consume(length);
                self.standing = Standing::Known;
                if let Some(told) = told {
                    self.address = told.source;
                    // The client knows this address and not ours.
                    self.send = self.send.map(|(version, _)| (version, Some(told.destination)));
                }
                observer.observe(&Event::ConnectionFrom(self.address));
                Ok(true)
            }
            Ok(None) if ended && input.is_empty() => Err(Outcome::new(Who::Client, How::Closed, Phase::Idle)),
            Ok(None) if ended => Err(Outcome::new(Who::Client, How::Closed, Phase::ProxyHeader)),
            Ok(None) => Ok(false),
            Err(fault) => {
                log::warn!("{} is closed: {fault}", self.address);
                Err(Outcome::new(Who::Client, How::Malformed, Phase::ProxyHeader))
            }
        }
    }

    /// True if each connection to a back end is this client's alone.
    pub fn is_introduced(&self) -> bool {
        self.send.is_some()
    }

    /// Puts the header for a back end, if it gets one, in front of what `output` holds. False if there
    /// is no room for it.
    #[must_use]
    pub fn introduce(&self, output: &mut Buffer) -> bool {
        let Some((version, destination)) = self.send else { return true };
        let header = match destination {
            Some(destination) => header(version, Some((self.address, destination))),
            None => header(version, None),
        };
        output.push_front(&header)
    }
}

/// The header for a connection of our own, on behalf of nobody: a check.
pub fn own_header(version: Version) -> Vec<u8> {
    header(version, None)
}

/// The header at the start of `bytes`: its length, and the client if it tells of one. `None` while
/// it is not whole.
fn look(bytes: &[u8]) -> Result<Option<(usize, Option<ProxiedAddress>)>, &'static str> {
    let begins = |signature: &[u8]| {
        let known = bytes.len().min(signature.len());
        bytes[..known] == signature[..known]
    };
    let length = if begins(LINE_SIGNATURE) {
        line_length(bytes)?
    } else if begins(BINARY_SIGNATURE) {
        binary_length(bytes)?
    } else {
        return Err("it does not begin with a PROXY header");
    };
    let Some(header) = length.and_then(|length| bytes.get(..length)) else { return Ok(None) };
    let config = ParseConfig { include_tlvs: false, ..ParseConfig::default() };
    match ProxyHeader::parse(header, config) {
        // The library's numbers may have a sign, and its UNKNOWN may go on with anything.
        Ok(_) if begins(LINE_SIGNATURE) && !is_strict(header) => Err(MALFORMED),
        Ok((parsed, _)) => {
            // Of what is no TCP client nothing is taken over (HAProxy does the same).
            let told = parsed.proxied_address().filter(|told| told.protocol == Protocol::Stream);
            Ok(Some((header.len(), told.cloned())))
        }
        Err(_) => Err(MALFORMED),
    }
}

const LINE_SIGNATURE: &[u8] = b"PROXY ";
const BINARY_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const MALFORMED: &str = "its PROXY header is malformed";

/// Version 1: one line.
fn line_length(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    match bytes.iter().take(PROXY_LINE_BYTES_MAX).position(|byte| *byte == b'\n') {
        Some(end) => Ok(Some(end + 1)),
        None if bytes.len() >= PROXY_LINE_BYTES_MAX => Err("its PROXY header is longer than 107 bytes"),
        None => Ok(None),
    }
}

/// Version 2: signature, two bytes, and the length of what follows in another two.
fn binary_length(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    let Some([high, low]) = bytes.get(14..16) else { return Ok(None) };
    match 16 + usize::from(u16::from_be_bytes([*high, *low])) {
        length if length > PROXY_HEADER_BYTES_MAX => Err("its PROXY header is longer than 4 KiB"),
        length => Ok(Some(length)),
    }
}

fn is_strict(line: &[u8]) -> bool {
    let rest = &line[LINE_SIGNATURE.len()..];
    match rest.strip_prefix(b"UNKNOWN") {
        Some(rest) => rest.starts_with(b" ") || rest == b"\r\n",
        None => !rest.contains(&b'+'),
    }
}

/// The header that tells of a client and where it connected to, or of nobody.
fn header(version: Version, told: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
    let header = match told {
        Some((source, destination)) => {
            let [source, destination] = of_one_family([source, destination]);
            ProxyHeader::with_address(ProxiedAddress::stream(source, destination))
        }
        None => ProxyHeader::with_local(),
    };
    let mut bytes = Vec::new();
    let written = match version {
        Version::V1 => header.encode_v1(&mut bytes),
        Version::V2 => header.encode_v2(&mut bytes),
    };
    debug_assert!(written.is_ok(), "two addresses of one family, and nothing else");
    bytes
}

/// An IPv4 client of an IPv6 socket is told as what it is; and a header has room for one family only.
fn of_one_family(ends: [SocketAddr; 2]) -> [SocketAddr; 2] {
    let plain = ends.map(|end| end.ip().to_canonical());
    let all_ipv4 = plain.iter().all(IpAddr::is_ipv4);
    let told = plain.map(|ip| match ip {
        IpAddr::V4(ip) if !all_ipv4 => IpAddr::V6(ip.to_ipv6_mapped()),
        ip => ip,
    });
    [SocketAddr::new(told[0], ends[0].port()), SocketAddr::new(told[1], ends[1].port())]
}

#[cfg(test)]
mod tests;
