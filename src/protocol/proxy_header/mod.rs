//! The PROXY protocol: a header at the start of a connection, in which a proxy tells the next program the
//! address of the client.
//!
//! Contract: a header is accepted only from a trusted peer, and such a peer must send one. An optional
//! header would be unsafe, because anybody who can connect to us could forge it. A header may arrive in any
//! pieces; its length is bounded, and it has the time limit of a request head. Bytes behind it belong to the
//! connection. A library parses and writes headers; what the library accepts against the
//! [specification](https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt) is refused here.
//!
//! Each of the three machines holds a [`ClientIdentity`]. It calls [`admit`](ClientIdentity::admit) first, then
//! [`read_proxy_header`](ClientIdentity::read_proxy_header) until the header is complete, and
//! [`write_proxy_header`](ClientIdentity::write_proxy_header) at the start of a connection to a back end.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use proxy_header::{ParseConfig, Protocol, ProxiedAddress, ProxyHeader};

use crate::balance::health::is_passed;
use crate::protocol::buffer::Buffer;
use crate::protocol::cidr::Cidr;
use crate::protocol::context::RoleContext;
use crate::protocol::event::{Connection, Event, next_connection_number};
use crate::protocol::guard::client::client_of;
use crate::protocol::http::head::RequestHead;
use crate::protocol::limits::{PROXY_HEADER_BYTES_MAX, PROXY_LINE_BYTES_MAX};
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use crate::protocol::transport::{Secured, Transport};

/// The version of the headers that we send; we read both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// One line of text.
    V1,
    /// Binary.
    V2,
}

/// From which peers headers are accepted, and whether back ends get one.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Every connection must begin with a header.
    pub accept: bool,
    /// Peers that are trusted to send one.
    pub trust: Vec<Cidr>,
    /// The version of the header with which every connection to a back end begins, if it does.
    pub send: Option<Version>,
}

impl Policy {
    /// The identity of a client that connected from `peer`. `local` gives our own address of that
    /// connection. It is called only if back ends get a header, since it costs a system call.
    pub fn identify(
        &self,
        peer: SocketAddr,
        local: impl FnOnce() -> io::Result<SocketAddr>,
    ) -> ClientIdentity {
        let header = match self.accept {
            false => HeaderState::Done,
            true if self.trust.iter().any(|network| network.contains(peer.ip())) => HeaderState::Awaited,
            true => HeaderState::Untrusted,
        };
        // A listener of both families tells IPv4 addresses as IPv6 ones: what a header says is of one family.
        let canonical = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
        let send = self.send.map(|version| (version, local().ok().map(canonical)));
        let is_trusted = self.trust.iter().any(|network| network.contains(peer.ip()));
        let client = ClientIdentity::from(peer);
        ClientIdentity { header, send, sends_checks: client.sends_checks || is_trusted, ..client }
    }
}

/// Who the client of a connection is, and how back ends are told.
#[derive(Clone, Debug)]
pub struct ClientIdentity {
    /// The peer's address, or the client's address from the header.
    address: SocketAddr,
    header: HeaderState,
    /// If back ends get a header: its version, and the address to which the client connected.
    send: Option<(Version, Option<SocketAddr>)>,
    /// The number of its connection, for the log.
    number: u64,
    /// Its connection was reported.
    is_reported: bool,
    /// What it says to be a health check is believed: the peer is on this machine, or trusted.
    sends_checks: bool,
    /// What is reported of it now is about a health check.
    is_check: bool,
    /// Whether its connection is encrypted.
    pub(crate) transport: Transport,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum HeaderState {
    /// No header is expected, or it has been read.
    Done,
    /// The connection must begin with a header, which is not complete yet.
    Awaited,
    /// A header is required, and the peer is not trusted to send one.
    Untrusted,
}

/// A client without a proxy in front: its address is that of the peer.
impl From<SocketAddr> for ClientIdentity {
    fn from(address: SocketAddr) -> ClientIdentity {
        ClientIdentity {
            address,
            header: HeaderState::Done,
            send: None,
            number: next_connection_number(),
            is_reported: false,
            sends_checks: address.ip().to_canonical().is_loopback(),
            is_check: false,
            transport: Transport::Plain,
        }
    }
}

impl ClientIdentity {
    /// The client's address, as far as it is known.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How the client speaks to the first of the proxies on its way, `http` or `https`: what a trusted peer says in
    /// `X-Forwarded-Proto`, else how its connection came.
    pub(crate) fn scheme(&self, head: &RequestHead<'_>, is_trusted: bool) -> &'static str {
        match head.fields.only("x-forwarded-proto").filter(|_| is_trusted) {
            Some(told) if told.eq_ignore_ascii_case(b"https") => "https",
            Some(told) if told.eq_ignore_ascii_case(b"http") => "http",
            _ => self.transport.scheme(),
        }
    }

    /// True if what is reported of it now is about a health check.
    pub(crate) fn is_check(&self) -> bool {
        self.is_check
    }

    /// Whom it asks for, if it is a proxy whose word is trusted.
    pub(crate) fn forwarded_for(&self, head: &RequestHead<'_>, context: &RoleContext) -> Option<IpAddr> {
        let trust = &context.proxies.trust;
        if trust.is_empty() {
            return None;
        }
        let peer = self.address.ip().to_canonical();
        Some(client_of(head, peer, trust)).filter(|client| *client != peer)
    }

    /// The number of its connection: all connections of this process are counted from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Both sides have agreed on how to encrypt the connection.
    pub(crate) fn set_secured(&mut self, secured: Secured) {
        self.transport = Transport::Secured(Arc::new(secured));
    }

    /// True until both sides have agreed on how to encrypt the connection, if it is to be.
    pub(crate) fn is_handshaking(&self) -> bool {
        matches!(self.transport, Transport::Handshaking)
    }

    /// The client could not agree with us on how to encrypt the connection, or broke the rules of TLS later.
    pub(crate) fn report_tls_fault(&self, fault: &io::Error) {
        log::info!("no TLS with {}: {fault}", self.address);
    }

    /// True if no header is expected, or once it has been read.
    pub(crate) fn is_known(&self) -> bool {
        self.header == HeaderState::Done
    }

    /// Begins the connection. If a header is expected and the peer is not trusted to send one, the error is the
    /// end of the connection.
    pub(crate) fn admit(&self) -> Result<(), Outcome> {
        match self.header {
            HeaderState::Done | HeaderState::Awaited => Ok(()),
            HeaderState::Untrusted => {
                log::warn!("{} is closed: PROXY headers are taken from --trust only", self.address);
                Err(Outcome::new(Who::Us, How::Refused, Phase::ProxyHeader))
            }
        }
    }

    /// What is reported from now on is about a health check, if such a client's word is believed, or is not.
    pub(crate) fn set_check(&mut self, is_check: bool) {
        self.is_check = is_check && self.sends_checks;
    }

    /// The request was answered with this status, or not at all: if that is what makes a check fail, it is news.
    pub(crate) fn end_check(&mut self, status: Option<u16>) {
        self.is_check &= status.is_some_and(is_passed);
    }

    /// Reports that the client has connected, once and as soon as it is known who it is. A relay does so at once.
    /// Whoever reads requests waits for the first bytes, to see whether they are a health check.
    pub(crate) fn report_connection(&mut self, context: &RoleContext) {
        if self.is_known() && !self.is_reported {
            self.is_reported = true;
            self.report(context, &Event::ConnectionFrom);
        }
    }

    /// Reports the end of a connection on which no request came. One that the client ends without a byte is what
    /// health checks do that only connect; some end it by a reset.
    pub(crate) fn report_unused(&mut self, context: &RoleContext, outcome: Outcome) {
        if self.is_handshaking() && outcome.how == How::TimedOut {
            log::info!("no TLS with {}: the handshake took too long", self.address);
        }
        if !self.is_reported {
            let is_unused = outcome.who == Who::Client && outcome.phase == Phase::Idle;
            self.is_check = is_unused && matches!(outcome.how, How::Closed | How::Reset);
            self.report_connection(context);
        }
    }

    /// Reports an event of this client's connection.
    pub(crate) fn report(&self, context: &RoleContext, event: &Event<'_>) {
        let &ClientIdentity { number, address: client, is_check, .. } = self;
        let secured = self.transport.secured();
        let connection = Connection { number, role: context.role, client, is_check, secured };
        context.observer.observe(&connection, event);
    }

    /// Removes the header from the start of `input`. Returns false while it is not complete. `ended` means
    /// that no more bytes will come. An error is the end of the connection.
    pub fn read_proxy_header(&mut self, input: &mut Buffer, ended: bool) -> Result<bool, Outcome> {
        if self.is_known() {
            return Ok(true);
        }
        match parse_header(input.bytes()) {
            Ok(Some((length, addresses))) => {
                input.consume(length);
                self.header = HeaderState::Done;
                if let Some(addresses) = addresses {
                    self.address = addresses.source;
                    // The address to which the client itself connected, in place of ours.
                    self.send = self.send.map(|(version, _)| (version, Some(addresses.destination)));
                }
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

    /// True if back ends get a header; then each connection to a back end serves this client only.
    pub(crate) fn sends_header(&self) -> bool {
        self.send.is_some()
    }

    /// Inserts the header for a back end, if it gets one, before the bytes in `output`. False if there is no
    /// room for it.
    #[must_use]
    pub fn write_proxy_header(&self, output: &mut Buffer) -> bool {
        let Some((version, destination)) = self.send else { return true };
        let header = match destination {
            Some(destination) => encode_header(version, Some((self.address, destination))),
            None => encode_header(version, None),
        };
        output.push_front(&header)
    }
}

/// The header for a connection on behalf of no client, such as a health check.
pub(crate) fn local_header(version: Version) -> Vec<u8> {
    encode_header(version, None)
}

/// The length of the header at the start of `bytes`; `None` while that cannot be told. The header itself may be
/// incomplete.
///
/// Errors: this is no header, or too long a one.
pub(crate) fn length(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    let begins = |signature: &[u8]| {
        let known = bytes.len().min(signature.len());
        bytes[..known] == signature[..known]
    };
    if begins(LINE_SIGNATURE) {
        line_length(bytes)
    } else if begins(BINARY_SIGNATURE) {
        binary_length(bytes)
    } else {
        Err("it does not begin with a PROXY header")
    }
}

/// Parses the header at the start of `bytes`: its length, and the addresses if it has some. `None` while it
/// is not complete.
fn parse_header(bytes: &[u8]) -> Result<Option<(usize, Option<ProxiedAddress>)>, &'static str> {
    let Some(header) = length(bytes)?.and_then(|length| bytes.get(..length)) else { return Ok(None) };
    let config = ParseConfig { include_tlvs: false, ..ParseConfig::default() };
    match ProxyHeader::parse(header, config) {
        // The library accepts numbers with a sign, and anything behind UNKNOWN.
        Ok(_) if header.starts_with(LINE_SIGNATURE) && !is_strict(header) => Err(MALFORMED),
        Ok((parsed, _)) => {
            // The addresses count only if they are those of a TCP connection (HAProxy does the same).
            let addresses = parsed.proxied_address().filter(|of| of.protocol == Protocol::Stream);
            Ok(Some((header.len(), addresses.cloned())))
        }
        Err(_) => Err(MALFORMED),
    }
}

const LINE_SIGNATURE: &[u8] = b"PROXY ";
const BINARY_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const MALFORMED: &str = "its PROXY header is malformed";

/// The length of a header of version 1, which is one line.
fn line_length(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    match bytes.iter().take(PROXY_LINE_BYTES_MAX).position(|byte| *byte == b'\n') {
        Some(end) => Ok(Some(end + 1)),
        None if bytes.len() >= PROXY_LINE_BYTES_MAX => Err("its PROXY header is longer than 107 bytes"),
        None => Ok(None),
    }
}

/// The length of a header of version 2: the signature, two bytes, two bytes with the length of the rest, and
/// the rest.
fn binary_length(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    let Some([high, low]) = bytes.get(14..16) else { return Ok(None) };
    match 16 + usize::from(u16::from_be_bytes([*high, *low])) {
        length if length > PROXY_HEADER_BYTES_MAX => Err("its PROXY header is longer than 4 KiB"),
        length => Ok(Some(length)),
    }
}

/// True if a line that the library accepts follows the specification too.
fn is_strict(line: &[u8]) -> bool {
    let rest = &line[LINE_SIGNATURE.len()..];
    match rest.strip_prefix(b"UNKNOWN") {
        Some(rest) => rest.starts_with(b" ") || rest == b"\r\n",
        None => !rest.contains(&b'+'),
    }
}

/// A header with the addresses of a client and of the place where it connected, or without addresses.
fn encode_header(version: Version, addresses: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
    let header = match addresses {
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
    debug_assert!(written.is_ok(), "the addresses are of one family");
    bytes
}

/// Both addresses as IPv4 if both are IPv4 or mapped into IPv6, else both as IPv6: a header has one address
/// family.
fn of_one_family(ends: [SocketAddr; 2]) -> [SocketAddr; 2] {
    let plain = ends.map(|end| end.ip().to_canonical());
    let all_ipv4 = plain.iter().all(IpAddr::is_ipv4);
    let family = plain.map(|ip| match ip {
        IpAddr::V4(ip) if !all_ipv4 => IpAddr::V6(ip.to_ipv6_mapped()),
        ip => ip,
    });
    [SocketAddr::new(family[0], ends[0].port()), SocketAddr::new(family[1], ends[1].port())]
}

#[cfg(test)]
mod tests;
