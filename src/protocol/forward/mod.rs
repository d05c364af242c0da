//! Forwarding: how a gateway rewrites a request head for the back end and a response head for the client.
//!
//! Contract: end-to-end fields are forwarded in their order and spelling. Fields that concern one connection
//! only are dropped (RFC 9110 section 7.6.1). The framing fields are written anew from the framing that we
//! read, so that both sides see the same end of a body. A head is written whole or not at all, and without
//! allocating.
//!
//! | field | what happens to it |
//! |---|---|
//! | `Connection` and the fields that it names, `Keep-Alive`, hop-by-hop `Proxy-*` | dropped (the list of Go's `httputil.ReverseProxy`) |
//! | `Content-Length`, `Transfer-Encoding` | written anew from the framing |
//! | `TE` | only `trailers` is forwarded |
//! | `Upgrade` | forwarded if the gateway supports it: see [`upgrade`]; from a back end with 101 and 426 only |
//! | `Host` | forwarded; the host of an absolute target replaces it; never empty: see `HostLine` |
//! | `X-Forwarded-*`, `Forwarded` | replaced; if the peer is trusted, extended |
//! | `Date` | added to a response without it (RFC 9110 section 6.6.1) |
//! | `Via` | one line is added, unless switched off (section 7.6.3); a loop of proxies ends when a head has 100 fields |
//! | `Max-Forwards` | decremented for `TRACE` and `OPTIONS`: see [`max_forwards`] |
//! | `Expect` | forwarded; dropped from an HTTP/1.0 request, whose version does not have it |
//! | chunk extensions | dropped: they concern one connection (RFC 9112 section 7.1.1) |
//! | trailers | forwarded, except fields that are valid in a head only: see [`may_forward_trailer`] |

mod field;
mod host;
mod lines;
mod own_response;

use std::net::{IpAddr, SocketAddr};

use self::field::{ConnectionOptions, Kind, ignores_connection_options, kind, may_be_trailer};
pub(crate) use self::host::HostLine;
use self::lines::Lines;
pub(crate) use self::own_response::OwnResponse;
use crate::protocol::buffer::Buffer;
use crate::protocol::cidr::Cidr;
use crate::protocol::http::date;
use crate::protocol::http::framing::Framing;
use crate::protocol::http::head::{Field, Fields, RequestHead, ResponseHead};
use crate::protocol::http::response::SERVER;
use crate::protocol::http::{Method, Refusal, Version, decimal, list};
use crate::protocol::limits::CONTENT_BYTES_MAX;
use crate::protocol::now::Now;

/// How heads are rewritten.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Peers whose `X-Forwarded-*` and `Forwarded` fields are trusted: our own proxies in front of us.
    pub(crate) trust: Vec<Cidr>,
    /// Add a `Via` line to requests and responses. nginx back ends send nothing compressed to a request that
    /// has one (`gzip_proxied off`).
    pub(crate) via: bool,
    /// Pass the responses of the course's Python on byte for byte: see [`is_mirrored`](Rules::is_mirrored).
    pub(crate) mirror: bool,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { trust: Vec::new(), via: true, mirror: false }
    }
}

impl Rules {
    /// Writes the request head for the back end, always as HTTP/1.1. The request came from `client`. If it names
    /// no host, a [`HostLine`] has to be added.
    ///
    /// Errors: 431 if it does not fit into `out` or if `Connection` has too many options; 501 for `CONNECT`.
    pub fn write_request_head(
        &self,
        head: &RequestHead<'_>,
        framing: Framing,
        client: SocketAddr,
        out: &mut Buffer,
    ) -> Result<(), Refusal> {
        if head.method == Method::Connect {
            return Err(Refusal::new(501, "This gateway makes no tunnels."));
        }
        let options = ConnectionOptions::parse(&head.fields)
            .ok_or(Refusal::new(431, "The Connection field names more than 16 options."))?;
        // An IPv4 client of an IPv6 socket is shown with its IPv4 address.
        let peer = client.ip().to_canonical();
        let from = Peer { address: peer, trusted: self.trusts(peer) };
        let mut lines = Lines::new(out.space());
        request_line(head, &mut lines);
        let mut passed = PassedFields::default();
        for field in head.fields.iter() {
            if !options.contains(field.name) || ignores_connection_options(field.name) {
                passed.request_field(field, head, from.trusted, &mut lines);
            }
        }
        hop_fields(head, framing, &mut lines);
        from.fields(head, &passed, &mut lines);
        self.via(head.version, &mut lines);
        let length = lines.finish();
        out.filled(length.unwrap_or(0));
        let too_long = Refusal::new(431, "The request head does not fit into 16 KiB once it is forwarded.");
        length.map(|_| ()).ok_or(too_long)
    }

    /// Writes the response head for the client, always as HTTP/1.1. It was received at `now`.
    ///
    /// `framing` is that of the back end's response. An HTTP/1.0 client does not know chunks, so it gets no
    /// `Transfer-Encoding`, and the caller ends the body by closing. `connection` is the value of the
    /// `Connection` field; a 101 gets `Upgrade` instead, with the protocol that the back end named.
    ///
    /// Errors: what is wrong with the response; the client then gets 502.
    pub fn write_response_head(
        &self,
        head: &ResponseHead<'_>,
        framing: Framing,
        connection: Option<&'static str>,
        client_version: Version,
        now: &Now,
        out: &mut Buffer,
    ) -> Result<(), &'static str> {
        let options = ConnectionOptions::parse(&head.fields)
            .ok_or("the Connection field names more than 16 options")?;
        if head.status == 101 && head.fields.only("upgrade").is_none() {
            return Err("a 101 without exactly one Upgrade field");
        }
        let mut lines = Lines::new(out.space());
        lines.put(b"HTTP/1.1 ");
        lines.number(u64::from(head.status));
        lines.put(b" ");
        lines.put(head.reason);
        lines.put(b"\r\n");
        for field in head.fields.iter() {
            let passes = match kind(field.name) {
                Kind::Hop | Kind::Te | Kind::Length | Kind::Upgrade => false,
                _ => !options.contains(field.name),
            };
            if passes {
                lines.field(field.name, field.value);
            }
        }
        response_framing(head, framing, client_version, &mut lines);
        response_connection(head, connection, &mut lines);
        if head.status >= 200 && head.fields.first("date").is_none() {
            lines.field("Date", &date::format(now.unix_seconds()));
        }
        self.via(head.version, &mut lines);
        let length = lines.finish();
        out.filled(length.unwrap_or(0));
        length.map(|_| ()).ok_or("the response head does not fit into 16 KiB once it is forwarded")
    }

    /// True if a response with this head is passed on as it came, head and all, up to the close of its
    /// connection. The Python's responses are HTTP/1.0 and have stray bytes behind the body; those of a back
    /// end that keeps its connection open would never end.
    pub(crate) fn is_mirrored(&self, head: &ResponseHead<'_>) -> bool {
        self.mirror && head.version == Version::Http10 && !head.keeps_alive()
    }

    /// Writes our `Via` line; `received` is the version of the message that we got (RFC 9110 section 7.6.3).
    fn via(&self, received: Version, lines: &mut Lines<'_>) {
        if !self.via || self.mirror {
            return;
        }
        lines.put(match received {
            Version::Http10 => b"Via: 1.0 ",
            Version::Http11 => b"Via: 1.1 ",
        });
        lines.put(SERVER.as_bytes());
        lines.put(b"\r\n");
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        self.trust.iter().any(|network| network.contains(peer))
    }
}

/// True if trailers of a message with these fields may be forwarded at all.
///
/// A field that `Connection` names must not be forwarded, not as a trailer either (RFC 9110 section 7.6.1).
/// The head is no longer there when trailers come. So if `Connection` names fields that we do not know, all
/// trailers of the message are dropped, which is allowed.
pub(crate) fn may_forward_trailers(fields: &Fields<'_>) -> bool {
    ConnectionOptions::parse(fields).is_some_and(|options| !options.name_unknown_fields())
}

/// True if this trailer line may be forwarded. Not if its field is valid in a head only (RFC 9110 section
/// 6.5.1): in a trailer it would reach the back end without the checks that it gets in a head. One with a blank
/// before its colon is dropped, since it must not be passed on like that (RFC 9112 section 5.1).
pub(crate) fn may_forward_trailer(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next().unwrap_or(line);
    !name.ends_with(b" ") && !name.ends_with(b"\t") && std::str::from_utf8(name).is_ok_and(may_be_trailer)
}

/// The protocol to which a request asks to switch, if the gateway forwards it: `Upgrade: websocket`.
///
/// With `None` the field is dropped, since a server may ignore it (RFC 9110 section 7.8). This is so for
/// HTTP/1.0; if `Connection` does not name `Upgrade`; and for `h2c`, since its tunnel would carry further
/// requests that this proxy does not check. A request with a body (kubectl exec, docker attach) switches when
/// all of the body has been sent.
pub(crate) fn upgrade<'b>(head: &RequestHead<'b>) -> Option<&'b [u8]> {
    let protocols = head.fields.only("upgrade")?;
    let is_asked = head.version == Version::Http11 && head.fields.lists("connection", "upgrade");
    let is_harmless = !list(protocols).any(|protocol| protocol.eq_ignore_ascii_case(b"h2c"));
    (is_asked && is_harmless).then_some(protocols)
}

/// What a gateway has to do for `Max-Forwards` (RFC 9110 section 7.6.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MaxForwards {
    /// There is none, or it does not apply: forward the request as it is.
    None,
    /// It is 0: the gateway itself must respond.
    Answer,
    /// Forward it with this number.
    Forward(u64),
}

/// Reads `Max-Forwards`, which applies to `TRACE` and `OPTIONS` only. A value that is not a number is forwarded
/// as it is.
pub(crate) fn max_forwards(head: &RequestHead<'_>) -> MaxForwards {
    if !matches!(head.method, Method::Trace | Method::Options) {
        return MaxForwards::None;
    }
    match head.fields.only("max-forwards").and_then(decimal) {
        None => MaxForwards::None,
        Some(0) => MaxForwards::Answer,
        Some(number) => MaxForwards::Forward(number - 1),
    }
}

/// The peer that sent the request.
struct Peer {
    address: IpAddr,
    trusted: bool,
}

impl Peer {
    /// Writes the `X-Forwarded-` fields, which tell the back end about the client.
    fn fields(&self, head: &RequestHead<'_>, passed: &PassedFields, lines: &mut Lines<'_>) {
        lines.put(b"X-Forwarded-For: ");
        if self.trusted && passed.had_forwarded_for {
            // As one line, since many back ends read only one.
            for value in head.fields.all("x-forwarded-for").filter(|value| !value.is_empty()) {
                lines.put(value);
                lines.put(b", ");
            }
        }
        lines.address(self.address);
        lines.put(b"\r\n");
        if !passed.forwarded_proto {
            lines.put(b"X-Forwarded-Proto: http\r\n");
        }
        if !passed.forwarded_host && !head.host().is_empty() {
            lines.field("X-Forwarded-Host", head.host().as_bytes());
        }
    }
}

/// Which of the client's fields were forwarded, so that they are not added again.
#[derive(Default)]
struct PassedFields {
    had_forwarded_for: bool,
    forwarded_host: bool,
    forwarded_proto: bool,
}

impl PassedFields {
    /// Writes one field of the request, if it is forwarded.
    fn request_field(
        &mut self,
        field: Field<'_>,
        head: &RequestHead<'_>,
        trusted: bool,
        lines: &mut Lines<'_>,
    ) {
        let passes = match kind(field.name) {
            Kind::EndToEnd => true,
            Kind::Hop | Kind::Length | Kind::Te | Kind::Upgrade => false,
            // An empty one is left to `HostLine`.
            Kind::Host => !is_absolute(head) && !field.value.is_empty(),
            Kind::Expect => head.version == Version::Http11,
            Kind::MaxForwards => match max_forwards(head) {
                MaxForwards::Forward(number) => {
                    lines.put(field.name.as_bytes());
                    lines.put(b": ");
                    lines.number(number);
                    lines.put(b"\r\n");
                    false
                }
                MaxForwards::Answer | MaxForwards::None => true,
            },
            Kind::ForwardedFor => {
                self.had_forwarded_for = true;
                false
            }
            Kind::ForwardedHost => {
                self.forwarded_host = trusted;
                trusted
            }
            Kind::ForwardedProto => {
                self.forwarded_proto = trusted;
                trusted
            }
            Kind::Forwarded => trusted,
        };
        if passes {
            lines.field(field.name, field.value);
        }
    }
}

/// Writes the request line, and `Host` if it is not simply that of the client.
fn request_line(head: &RequestHead<'_>, lines: &mut Lines<'_>) {
    let asks_the_server = head.method == Method::Options && !head.target.starts_with('/');
    let target = match head.path_and_query() {
        // RFC 9112 section 3.2.4: `OPTIONS http://host` asks about the server as a whole.
        "/" if asks_the_server && !head.target.ends_with('/') => "*",
        target => target,
    };
    lines.put(head.method_name.as_bytes());
    lines.put(b" ");
    lines.put(target.as_bytes());
    lines.put(b" HTTP/1.1\r\n");
    if is_absolute(head) {
        lines.field("Host", head.host().as_bytes());
    }
}

/// True if the host of the target replaces that of the `Host` field (RFC 9112 section 3.2.2).
fn is_absolute(head: &RequestHead<'_>) -> bool {
    !head.target.starts_with('/') && head.target != "*"
}

/// Writes the fields that concern the connection to the back end: framing, `TE` and `Upgrade`.
fn hop_fields(head: &RequestHead<'_>, framing: Framing, lines: &mut Lines<'_>) {
    match framing {
        Framing::Length(bytes) => lines.length(bytes),
        Framing::Chunked => lines.put(b"Transfer-Encoding: chunked\r\n"),
        // A length of 0 is forwarded: for a POST without it some servers respond 411.
        Framing::None if head.fields.first("content-length").is_some() => lines.length(0),
        // The body of a request never ends by the close of its connection.
        Framing::None | Framing::UntilClose => {}
    }
    let trailers = head.version == Version::Http11 && head.fields.lists("te", "trailers");
    let upgrade = upgrade(head);
    // RFC 9110 sections 7.8 and 10.1.4: `Connection` must name both.
    match (upgrade, trailers) {
        (Some(_), true) => lines.put(b"Connection: Upgrade, TE\r\n"),
        (Some(_), false) => lines.put(b"Connection: Upgrade\r\n"),
        (None, true) => lines.put(b"Connection: TE\r\n"),
        (None, false) => {}
    }
    if let Some(protocols) = upgrade {
        lines.field("Upgrade", protocols);
    }
    if trailers {
        lines.put(b"TE: trailers\r\n");
    }
}

/// Writes `Connection`, and `Upgrade` where it says something to the client: to which protocol the connection
/// switches (101), or which ones the back end wants instead of HTTP/1.1 (426, RFC 9110 section 15.5.22).
fn response_connection(head: &ResponseHead<'_>, connection: Option<&'static str>, lines: &mut Lines<'_>) {
    let upgrade = matches!(head.status, 101 | 426) && head.fields.first("upgrade").is_some();
    match connection.filter(|_| head.status != 101) {
        Some(value) if upgrade => {
            lines.put(b"Connection: ");
            lines.put(value.as_bytes());
            lines.put(b", Upgrade\r\n");
        }
        Some(value) => lines.field("Connection", value.as_bytes()),
        None if upgrade => lines.put(b"Connection: Upgrade\r\n"),
        None => {}
    }
    if upgrade {
        head.fields.all("upgrade").for_each(|protocol| lines.field("Upgrade", protocol));
    }
}

fn response_framing(
    head: &ResponseHead<'_>,
    framing: Framing,
    client_version: Version,
    lines: &mut Lines<'_>,
) {
    match framing {
        Framing::Length(bytes) => lines.length(bytes),
        Framing::Chunked if client_version == Version::Http11 => lines.put(b"Transfer-Encoding: chunked\r\n"),
        Framing::Chunked | Framing::UntilClose => {}
        // RFC 9110 section 8.6: these must not have a Content-Length.
        Framing::None if head.status < 200 || head.status == 204 => {}
        // For a HEAD and in a 304 it is the length of the body that is not sent; else it is 0.
        Framing::None => {
            let length = head.fields.only("content-length").and_then(decimal);
            if let Some(bytes) = length.filter(|bytes| *bytes <= CONTENT_BYTES_MAX) {
                lines.length(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::buffer::Buffer;
    use crate::protocol::http::framing;
    use crate::protocol::testing::leaked_space;
    use proptest::prelude::*;
    use std::time::{Instant, SystemTime};

    fn rules(trust: &[&str]) -> Rules {
        let trust = trust.iter().map(|network| network.parse().unwrap()).collect();
        Rules { trust, ..Rules::default() }
    }

    fn epoch() -> Now {
        Now { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH }
    }

    fn request_head(text: &str) -> RequestHead<'_> {
        RequestHead::parse(text.as_bytes(), leaked_space()).expect("a good head").expect("a complete head")
    }

    fn response_head(text: &str) -> ResponseHead<'_> {
        ResponseHead::parse(text.as_bytes(), leaked_space()).expect("a good head").expect("a complete head")
    }

    fn try_forwarded(rules: &Rules, text: &str) -> Result<String, Refusal> {
        let head = request_head(text);
        let mut out = Buffer::new();
        let framing = framing::of_request(&head).expect("good framing");
        rules.write_request_head(&head, framing, ([192, 0, 2, 7], 22530).into(), &mut out)?;
        Ok(String::from_utf8(out.bytes().to_vec()).unwrap())
    }

    /// The lines that a back end gets. `lines` is the request without its last empty line.
    fn forwarded_by(rules: &Rules, lines: &str) -> String {
        try_forwarded(rules, &format!("{}\r\n\r\n", lines.replace('\n', "\r\n")))
            .expect("it fits")
            .replace('\r', "")
    }

    fn forwarded(lines: &str) -> String {
        forwarded_by(&rules(&[]), lines)
    }

    /// The lines that a client gets, but for the date.
    fn answered(lines: &str, method: Method, connection: Option<&'static str>, client: Version) -> String {
        answered_in_full(lines, method, connection, client).replace(DATE, "")
    }

    const DATE: &str = "Date: Thu, 01 Jan 1970 00:00:00 GMT\n";

    fn answered_in_full(
        lines: &str,
        method: Method,
        connection: Option<&'static str>,
        client: Version,
    ) -> String {
        let text = format!("{}\r\n\r\n", lines.replace('\n', "\r\n"));
        let head = response_head(&text);
        let framing = framing::of_response(&head, method).expect("good framing");
        let mut out = Buffer::new();
        rules(&[])
            .write_response_head(&head, framing, connection, client, &epoch(), &mut out)
            .expect("it fits");
        String::from_utf8(out.bytes().to_vec()).unwrap().replace('\r', "")
    }

    #[test]
    fn our_fields_with_underscores_are_dropped() {
        let text = forwarded(
            "POST / HTTP/1.1\nHost: a\nTransfer_Encoding: chunked\nContent_Length: 5\nX_Forwarded_For: 6.6.6.6\n\
             X_Forwarded-Anything_at_all: 1\nX_Request_Id: 7",
        );
        for name in ["Transfer_", "Content_", "X_Forwarded"] {
            assert!(!text.contains(name), "{text}");
        }
        assert!(text.contains("X_Request_Id: 7"), "{text}");
    }

    #[test]
    fn trailers_cannot_carry_fields_of_heads() {
        for name in [
            "X-Forwarded-For",
            "x-forwarded-anything",
            "Forwarded",
            "Via",
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "TE",
            "Host",
            "Expect",
            "Upgrade",
            "Keep-Alive",
            "Proxy-Authorization",
            "Max-Forwards",
            "Authorization",
            "Cookie",
            "Set-Cookie",
            "If-Match",
            "Range",
            "Content-Type",
            "Trailer",
            "Location",
            "X_Forwarded_For",
            "Content_Length",
            "If_None_Match",
            "Set_Cookie",
            "WWW-Authenticate",
        ] {
            assert!(!may_forward_trailer(format!("{name}: 1\r\n").as_bytes()), "{name}");
        }
        assert!(!may_forward_trailer(b"Digest : 1\r\n") && !may_forward_trailer(b"Host\t: 1\r\n"));
        for name in ["Digest", "Server-Timing", "X-Sum", "ETag", "grpc-status", "If", "Viable", "Ranges"] {
            assert!(may_forward_trailer(format!("{name}:1\r\n").as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_connection_field_with_unknown_names_stops_trailers() {
        for (lines, passes) in [
            ("Host: a", true),
            ("Host: a\r\nConnection: close, TE, Upgrade", true),
            ("Host: a\r\nConnection: X-Sum", false),
        ] {
            let text = format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n");
            assert_eq!(may_forward_trailers(&request_head(&text).fields), passes, "{lines}");
        }
    }

    const ADDED: &str =
        "X-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: http\nX-Forwarded-Host: a\nVia: 1.1 giliran\n\n";

    #[test]
    fn end_to_end_fields_keep_order_and_spelling() {
        let head = "GET /a/../b?c%20d HTTP/1.1\nhOST: a\nAccept: */*\nX-Empty:\nCookie: a=b\nCookie: c=d\nTrailer: X";
        assert_eq!(forwarded(head), format!("{}\n{ADDED}", head.replace("X-Empty:", "X-Empty: ")));
    }

    #[test]
    fn hop_by_hop_fields_are_dropped() {
        let head = "GET / HTTP/1.1\nHost: a\nConnection: keep-alive, X-Mine\nKeep-Alive: 5\nx-mine: 1\n\
            Proxy-Connection: close\nProxy-Authorization: x\nTE: gzip\nUpgrade: websocket\nX-Other: 2";
        assert_eq!(forwarded(head), format!("GET / HTTP/1.1\nHost: a\nX-Other: 2\n{ADDED}"));
    }

    #[test]
    fn connection_cannot_remove_fields_that_the_gateway_needs() {
        let head = "POST / HTTP/1.1\nHost: a\nContent-Length: 3\nVia: 1.0 x\n\
            Connection: host, content-length, via, x-forwarded-for, via";
        let expected = "POST / HTTP/1.1\nHost: a\nVia: 1.0 x\nContent-Length: 3\n";
        assert_eq!(forwarded(head), format!("{expected}{ADDED}"));
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {}\r\n\r\n", "a,".repeat(17));
        assert_eq!(try_forwarded(&rules(&[]), &many).unwrap_err().status, 431);
    }

    #[test]
    fn framing_fields_are_written_from_the_framing() {
        for (sent, expected) in [
            ("Content-Length: 12", "Content-Length: 12\n"),
            ("Content-Length: 00012", "Content-Length: 12\n"),
            ("Content-Length: 0", "Content-Length: 0\n"),
            ("Transfer-Encoding: CHUNKED", "Transfer-Encoding: chunked\n"),
            (
                "Transfer-Encoding: chunked\nTE: trailers, x",
                "Transfer-Encoding: chunked\nConnection: TE\nTE: trailers\n",
            ),
        ] {
            let head = format!("POST / HTTP/1.1\nHost: a\n{sent}");
            assert_eq!(forwarded(&head), format!("POST / HTTP/1.1\nHost: a\n{expected}{ADDED}"));
        }
    }

    #[test]
    fn forwarding_fields_of_an_untrusted_peer_are_replaced() {
        let head = "GET / HTTP/1.1\nHost: a\nX-Forwarded-For: 1.1.1.1\nX-forwarded-PROTO: https\n\
            X-Forwarded-Host: b\nX-Forwarded-Port: 1\nForwarded: for=x";
        assert_eq!(forwarded(head), format!("GET / HTTP/1.1\nHost: a\n{ADDED}"));
    }

    #[test]
    fn forwarding_fields_of_a_trusted_peer_are_extended() {
        let head = "GET / HTTP/1.1\nHost: a\nX-Forwarded-For: 1.1.1.1, 2.2.2.2\nForwarded: for=x\n\
            X-Forwarded-For: 3.3.3.3\nX-Forwarded-Proto: https\nX-Forwarded-Host: b\n\
            Connection: X-Forwarded-For";
        let expected = "GET / HTTP/1.1\nHost: a\nForwarded: for=x\nX-Forwarded-Proto: https\n\
            X-Forwarded-Host: b\nX-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.7\nVia: 1.1 giliran\n\n";
        assert_eq!(forwarded_by(&rules(&["192.0.2.0/24"]), head), expected);
    }

    #[test]
    fn a_mapped_client_address_is_shown_as_ipv4() {
        let head = request_head("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        for (client, shown) in [("[::ffff:10.0.0.1]:5", "10.0.0.1"), ("[fd00::1]:5", "fd00::1")] {
            let mut out = Buffer::new();
            rules(&[]).write_request_head(&head, Framing::None, client.parse().unwrap(), &mut out).unwrap();
            let text = String::from_utf8(out.bytes().to_vec()).unwrap();
            assert!(text.contains(&format!("X-Forwarded-For: {shown}\r\n")), "{text}");
        }
    }

    #[test]
    fn an_absolute_target_becomes_a_path_and_its_host_is_used() {
        let absolute = "GET HTTP://a/x?y HTTP/1.1\nAccept: b\nHost: A";
        assert_eq!(forwarded(absolute), format!("GET /x?y HTTP/1.1\nHost: a\nAccept: b\n{ADDED}"));
        let another = "GET http://a?x HTTP/1.1\nHost: b:81";
        assert_eq!(forwarded(another), format!("GET /?x HTTP/1.1\nHost: a\n{ADDED}"));
        let no_path = "GET http://a HTTP/1.1\nHost: a";
        assert_eq!(forwarded(no_path), format!("GET / HTTP/1.1\nHost: a\n{ADDED}"));
        for target in ["http://a", "*"] {
            let options = format!("OPTIONS {target} HTTP/1.1\nHost: a");
            assert_eq!(forwarded(&options), format!("OPTIONS * HTTP/1.1\nHost: a\n{ADDED}"));
        }
        let options = "OPTIONS http://a/ HTTP/1.1\nHost: a";
        assert_eq!(forwarded(options), format!("OPTIONS / HTTP/1.1\nHost: a\n{ADDED}"));
    }

    #[test]
    fn http_1_0_is_forwarded_as_1_1_without_expect_and_without_an_empty_host() {
        let empty = "GET / HTTP/1.1\nX: y\nHost:";
        let no_host = ADDED.replace("X-Forwarded-Host: a\n", "");
        assert_eq!(forwarded(empty), format!("GET / HTTP/1.1\nX: y\n{no_host}"));
        let expected = "GET / HTTP/1.1\nX-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: http\n\
            Via: 1.0 giliran\n\n";
        assert_eq!(forwarded("GET / HTTP/1.0\nExpect: 100-continue"), expected);
        let with_expect = "PUT / HTTP/1.1\nHost: a\nExpect: 100-continue";
        assert_eq!(forwarded(with_expect), format!("{with_expect}\n{ADDED}"));
    }

    #[test]
    fn max_forwards_counts_down_for_trace_and_options() {
        for (line, verdict) in [
            ("TRACE / HTTP/1.1\r\nMax-Forwards: 0", MaxForwards::Answer),
            ("OPTIONS * HTTP/1.1\r\nMax-Forwards: 3", MaxForwards::Forward(2)),
            ("GET / HTTP/1.1\r\nMax-Forwards: 0", MaxForwards::None),
            ("TRACE / HTTP/1.1\r\nMax-Forwards: +1", MaxForwards::None),
        ] {
            assert_eq!(max_forwards(&request_head(&format!("{line}\r\nHost: a\r\n\r\n"))), verdict, "{line}");
        }
        let counted = forwarded("OPTIONS / HTTP/1.1\nHost: a\nMAX-forwards: 10");
        assert_eq!(counted, format!("OPTIONS / HTTP/1.1\nHost: a\nMAX-forwards: 9\n{ADDED}"));
        let uncounted = "GET / HTTP/1.1\nHost: a\nMax-Forwards: 10";
        assert_eq!(forwarded(uncounted), format!("{uncounted}\n{ADDED}"));
    }

    #[test]
    fn a_supported_upgrade_is_forwarded_both_ways() {
        let asked = "GET / HTTP/1.1\nHost: a\nUpgrade: websocket\nConnection: keep-alive, Upgrade";
        let expected = "GET / HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\n";
        assert_eq!(forwarded(asked), format!("{expected}{ADDED}"));
        for (sent, written) in [
            ("Content-Length: 0", "Content-Length: 0\n"),
            ("Content-Length: 5", "Content-Length: 5\n"),
            ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked\n"),
        ] {
            let asked = format!("POST / HTTP/1.1\nHost: a\n{sent}\nUpgrade: tcp\nConnection: Upgrade");
            let expected = format!("POST / HTTP/1.1\nHost: a\n{written}Connection: Upgrade\nUpgrade: tcp\n");
            assert_eq!(forwarded(&asked), format!("{expected}{ADDED}"));
        }
        for refused in [
            "GET / HTTP/1.1\nHost: a\nUpgrade: h2c\nHTTP2-Settings: x\nConnection: Upgrade, HTTP2-Settings",
            "GET / HTTP/1.1\nHost: a\nUpgrade: websocket",
            "GET / HTTP/1.1\nHost: a\nUpgrade: websocket\nUpgrade: x\nConnection: Upgrade",
        ] {
            assert_eq!(forwarded(refused), format!("GET / HTTP/1.1\nHost: a\n{ADDED}"));
        }
        let answer = "HTTP/1.1 101 Switching Protocols\nConnection: upgrade\nUpgrade: websocket\nX: y";
        assert_eq!(
            answered(answer, Method::Get, Some("keep-alive"), Version::Http11),
            "HTTP/1.1 101 Switching Protocols\nX: y\nConnection: Upgrade\nUpgrade: websocket\nVia: 1.1 giliran\n\n"
        );
    }

    #[test]
    fn a_426_says_what_to_upgrade_to() {
        let answer = "HTTP/1.1 426 Upgrade Required\nConnection: Upgrade\nUpgrade: websocket\nUpgrade: x/2";
        for (connection, sent) in [(None, "Upgrade"), (Some("close"), "close, Upgrade")] {
            assert_eq!(
                answered(answer, Method::Get, connection, Version::Http11),
                format!(
                    "HTTP/1.1 426 Upgrade Required\nConnection: {sent}\nUpgrade: websocket\nUpgrade: x/2\n\
                     Via: 1.1 giliran\n\n"
                )
            );
        }
        // With other responses it is an offer of one connection only.
        let answer = "HTTP/1.1 200 OK\nConnection: Upgrade\nUpgrade: h2,h2c\nContent-Length: 0";
        let expected = "HTTP/1.1 200 OK\nContent-Length: 0\nVia: 1.1 giliran\n\n";
        assert_eq!(answered(answer, Method::Get, None, Version::Http11), expected);
    }

    #[test]
    fn a_response_without_a_date_gets_one() {
        let full = |lines: &str| answered_in_full(lines, Method::Get, None, Version::Http11);
        assert!(full("HTTP/1.1 200 OK\nContent-Length: 0").contains(DATE));
        let dated = full("HTTP/1.1 200 OK\nContent-Length: 0\ndate: gestern");
        assert!(!dated.contains("Date") && dated.contains("date: gestern\n"), "{dated}");
        // Interim responses need none.
        assert!(!full("HTTP/1.1 103 Early Hints\nLink: </a>").contains("Date"));
    }

    #[test]
    fn no_via_is_added_where_it_is_switched_off() {
        let quiet = Rules { via: false, ..Rules::default() };
        let head = "GET / HTTP/1.1\nHost: a\nVia: 1.0 other";
        let expected = ADDED.replace("Via: 1.1 giliran\n", "");
        assert_eq!(forwarded_by(&quiet, head), format!("{head}\n{expected}"));
        let text = "HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n";
        let mut out = Buffer::new();
        quiet
            .write_response_head(
                &response_head(text),
                Framing::None,
                None,
                Version::Http11,
                &epoch(),
                &mut out,
            )
            .unwrap();
        assert_eq!(std::str::from_utf8(out.bytes()), Ok(text));
    }

    #[test]
    fn a_101_without_a_protocol_is_malformed() {
        let head = response_head("HTTP/1.1 101 Switching Protocols\r\n\r\n");
        let mut out = Buffer::new();
        assert!(
            rules(&[])
                .write_response_head(&head, Framing::None, None, Version::Http11, &epoch(), &mut out)
                .is_err()
        );
    }

    #[test]
    fn responses_get_our_framing_and_connection_fields() {
        let sent = "HTTP/1.0 200 Fine\nServer: x\nConnection: close, X-Mine\nX-Mine: 1\nKeep-Alive: 5\n\
            Content-Length: 31\nSet-Cookie: a\nSet-Cookie: b";
        let expected = "HTTP/1.1 200 Fine\nServer: x\nSet-Cookie: a\nSet-Cookie: b\nContent-Length: 31\n\
            Connection: keep-alive\nVia: 1.0 giliran\n\n";
        assert_eq!(answered(sent, Method::Get, Some("keep-alive"), Version::Http10), expected);
        let chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked";
        for (client, expected) in [
            (Version::Http11, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nVia: 1.1 giliran\n\n"),
            (Version::Http10, "HTTP/1.1 200 OK\nVia: 1.1 giliran\n\n"),
        ] {
            assert_eq!(answered(chunked, Method::Get, None, client), expected);
        }
    }

    #[test]
    fn a_length_without_a_body_is_forwarded_for_head_and_304_only() {
        for (line, method, passes) in [
            ("HTTP/1.1 200 OK\nContent-Length: 31", Method::Head, true),
            ("HTTP/1.1 304 Not Modified\nContent-Length: 31", Method::Get, true),
            ("HTTP/1.1 200 OK\nContent-Length: 0", Method::Get, true),
            ("HTTP/1.1 204 No Content\nContent-Length: 0", Method::Get, false),
            ("HTTP/1.1 103 Early Hints\nContent-Length: 5", Method::Get, false),
            ("HTTP/1.1 200 OK\nContent-Length: 9223372036854775807", Method::Head, true),
            ("HTTP/1.1 200 OK\nContent-Length: 9223372036854775808", Method::Head, false),
        ] {
            let answer = answered(line, method, None, Version::Http11);
            assert_eq!(answer.contains("Content-Length: "), passes, "{line}");
        }
    }

    #[test]
    fn a_head_that_does_not_fit_leaves_nothing_behind() {
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(16 * 1024 - 50));
        let mut out = Buffer::new();
        let client = ([127, 0, 0, 1], 1).into();
        let refusal =
            rules(&[]).write_request_head(&request_head(&long), Framing::None, client, &mut out).unwrap_err();
        assert_eq!((refusal.status, out.len()), (431, 0));
        assert!(out.push(b"before"));
        assert!(
            rules(&[]).write_request_head(&request_head(&long), Framing::None, client, &mut out).is_err()
        );
        assert_eq!(out.bytes(), b"before");
        let connect = request_head("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
        assert_eq!(
            rules(&[]).write_request_head(&connect, Framing::None, client, &mut out).unwrap_err().status,
            501
        );
    }

    /// Field names in upper and lower case, some of them hop-by-hop.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            "[A-Za-z][A-Za-z-]{0,10}",
            proptest::sample::select(vec!["Keep-Alive", "upgrade", "TE", "Via", "Accept", "x-forwarded-for"])
                .prop_map(str::to_owned),
        ]
    }

    proptest! {
        #[test]
        fn a_forwarded_head_reads_as_the_same_request(
            fields in proptest::collection::vec((name(), "[!-~]([ -~]{0,20}[!-~])?"), 0..20),
            path in "/[a-z%.?=/]{0,20}", named in proptest::option::of(name()), bytes in proptest::option::of(0u64..99),
        ) {
            let reserved = ["host", "connection", "content-length", "transfer-encoding", "expect"];
            let fields: Vec<_> = fields
                .into_iter()
                .filter(|(name, _)| !reserved.contains(&name.to_ascii_lowercase().as_str()))
                .collect();
            let mut text = format!("PUT {path} HTTP/1.1\r\nHost: example\r\n");
            fields.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
            named.iter().for_each(|named| text += &format!("Connection: {named}\r\n"));
            bytes.iter().for_each(|bytes| text += &format!("Content-Length: {bytes}\r\n"));
            text += "\r\n";

            let seen = try_forwarded(&rules(&[]), &text).unwrap();
            let (before, after) = (request_head(&text), request_head(&seen));
            prop_assert_eq!(before.target, after.target);
            prop_assert_eq!(before.method_name, after.method_name);
            prop_assert_eq!(framing::of_request(&before).unwrap(), framing::of_request(&after).unwrap());
            let passes = |field: &Field<'_>| {
                let named = named.as_deref().is_some_and(|named| named.eq_ignore_ascii_case(field.name));
                matches!(kind(field.name), Kind::EndToEnd | Kind::Host | Kind::MaxForwards)
                    && (!named || field.name.eq_ignore_ascii_case("via") || kind(field.name) != Kind::EndToEnd)
            };
            let expected: Vec<_> = before
                .fields
                .iter()
                .filter(passes)
                .map(|field| (field.name, field.value))
                .chain([("Via", &b"1.1 giliran"[..])])
                .collect();
            let found: Vec<_> = after
                .fields
                .iter()
                .filter(|field| matches!(kind(field.name), Kind::EndToEnd | Kind::Host | Kind::MaxForwards))
                .map(|field| (field.name, field.value))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
