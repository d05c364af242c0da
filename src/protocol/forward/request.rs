//! The lines of a request head for the back end.

use std::net::IpAddr;

use super::field::{Kind, kind};
use super::lines::Lines;
use super::{MaxForwards, max_forwards, upgrade};
use crate::protocol::http::framing::Framing;
use crate::protocol::http::head::{Field, RequestHead};
use crate::protocol::http::{Method, Version};

/// The peer that sent the request.
pub(super) struct Peer {
    pub(super) address: IpAddr,
    pub(super) trusted: bool,
    /// `http` or `https`: how the peer's connection came.
    pub(super) scheme: &'static str,
}

impl Peer {
    /// Writes the `X-Forwarded-` fields, which tell the back end about the client.
    pub(super) fn fields(&self, head: &RequestHead<'_>, passed: &PassedFields, lines: &mut Lines<'_>) {
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
            lines.field("X-Forwarded-Proto", self.scheme.as_bytes());
        }
        if !passed.forwarded_host && !head.host().is_empty() {
            lines.field("X-Forwarded-Host", head.host().as_bytes());
        }
    }
}

/// Which of the client's fields were forwarded, so that they are not added again.
#[derive(Default)]
pub(super) struct PassedFields {
    had_forwarded_for: bool,
    forwarded_host: bool,
    forwarded_proto: bool,
}

impl PassedFields {
    /// Writes one field of the request, if it is forwarded.
    pub(super) fn request_field(
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
pub(super) fn request_line(head: &RequestHead<'_>, rewritten: Option<&str>, lines: &mut Lines<'_>) {
    let asks_the_server = head.method == Method::Options && !head.target.starts_with('/');
    let target = match head.path_and_query() {
        // RFC 9112 section 3.2.4: `OPTIONS http://host` asks about the server as a whole.
        "/" if asks_the_server && !head.target.ends_with('/') => "*",
        target => rewritten.unwrap_or(target),
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
pub(super) fn hop_fields(head: &RequestHead<'_>, framing: Framing, lines: &mut Lines<'_>) {
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
