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
//!
//! A route may change more of a head: see `field_rules`, and `rewrite` for its path.

mod cookie;
mod field;
mod field_rules;
mod host;
mod lines;
mod own_response;
mod request;
mod response;
mod rewrite;
pub(crate) mod template;

use std::net::{IpAddr, SocketAddr};

pub(crate) use self::cookie::{COOKIE_NAME, CookieName, GroupCookie};
use self::field::{ConnectionOptions, Kind, ignores_connection_options, kind, may_be_trailer};
pub(crate) use self::field_rules::WORDS;
pub use self::field_rules::{Change, FieldRule, FieldRules, Side};
pub(crate) use self::host::HostLine;
use self::lines::Lines;
pub(crate) use self::own_response::OwnResponse;
use self::request::{PassedFields, Peer};
pub use self::rewrite::Rewrite;
pub(crate) use self::rewrite::split_port;
pub use self::template::{Template, Values};
use crate::protocol::buffer::Buffer;
use crate::protocol::cidr::Cidr;
use crate::protocol::http::date;
use crate::protocol::http::framing::Framing;
use crate::protocol::http::head::{Fields, RequestHead, ResponseHead};
use crate::protocol::http::response::SERVER;
use crate::protocol::http::{Method, Refusal, Version, decimal, list};
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
    /// The cookie of groups whose policy is `cookie`.
    pub(crate) cookie: CookieName,
}

/// Who sent a request, and how it came.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// The client's address.
    pub(crate) address: SocketAddr,
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
}

/// A client without TLS.
impl From<SocketAddr> for Sender {
    fn from(address: SocketAddr) -> Sender {
        Sender { address, scheme: "http" }
    }
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { trust: Vec::new(), via: true, mirror: false, cookie: CookieName::default() }
    }
}

impl Rules {
    /// Writes the request head for the back end, always as HTTP/1.1. The request came from `client`. If it names
    /// no host, a [`HostLine`] has to be added. Its target is that of the request, or the rewritten one.
    ///
    /// Errors: 431 if it does not fit into `out` or if `Connection` has too many options; 501 for `CONNECT`.
    pub fn write_request_head(
        &self,
        head: &RequestHead<'_>,
        framing: Framing,
        client: impl Into<Sender>,
        rewritten: Option<&str>,
        out: &mut Buffer,
    ) -> Result<(), Refusal> {
        if head.method == Method::Connect {
            return Err(Refusal::new(501, "This gateway makes no tunnels."));
        }
        let options = ConnectionOptions::parse(&head.fields)
            .ok_or(Refusal::new(431, "The Connection field names more than 16 options."))?;
        // An IPv4 client of an IPv6 socket is shown with its IPv4 address.
        let Sender { address, scheme } = client.into();
        let peer = address.ip().to_canonical();
        let from = Peer { address: peer, trusted: self.trusts(peer), scheme };
        let mut lines = Lines::new(out.space());
        request::request_line(head, rewritten, &mut lines);
        let mut passed = PassedFields::default();
        for field in head.fields.iter() {
            if !options.contains(field.name) || ignores_connection_options(field.name) {
                passed.request_field(field, head, from.trusted, &mut lines);
            }
        }
        request::hop_fields(head, framing, &mut lines);
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
        response::framing(head, framing, client_version, &mut lines);
        response::connection(head, connection, &mut lines);
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

    /// True for a peer whose word about the client is believed.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
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

#[cfg(test)]
mod tests;
