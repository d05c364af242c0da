//! Forwarding: the request head a back end gets and the response head a client gets.
//!
//! Contract: end-to-end fields pass in their order and spelling; what concerns one connection only
//! ends here (RFC 9110 section 7.6.1), and the framing is written anew from what was understood, so
//! that both sides see the same end of a body. A head is written whole or not at all, and without
//! allocating.
//!
//! | field | what becomes of it |
//! |---|---|
//! | `Connection` and what it names, `Keep-Alive`, `Proxy-*` of a hop | dropped (the list of Go's `httputil.ReverseProxy`) |
//! | `Content-Length`, `Transfer-Encoding` | written from the framing |
//! | `TE` | only `trailers` is passed on |
//! | `Upgrade` | passed on if it can be honoured: see [`upgrade`] |
//! | `Host` | kept; that of an absolute target wins |
//! | `X-Forwarded-*`, `Forwarded` | replaced, unless the peer is trusted: then added to |
//! | `Via` | one line added (section 7.6.3); a loop of proxies ends when it has 100 of them |
//! | `Max-Forwards` | counted down for `TRACE` and `OPTIONS`: see [`max_forwards`] |
//! | `Expect` | passed on; dropped from an HTTP/1.0 request, which cannot mean it |

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use crate::buffer::Buffer;
use crate::defaults::CONNECTION_OPTIONS_MAX;
use crate::http::framing::Framing;
use crate::http::head::{Field, Fields, RequestHead, ResponseHead};
use crate::http::response::{ResponseWriter, SERVER};
use crate::http::{Method, Refusal, Version, decimal, list};
use crate::network::Network;
use crate::now::Now;

/// How heads are rewritten.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Peers whose `X-Forwarded-*` and `Forwarded` fields are believed: proxies of our own in front of us.
    pub trust: Vec<Network>,
}

impl Rules {
    /// Writes the head of a request from `client` as its back end gets it, always as HTTP/1.1.
    ///
    /// Errors: 431 if it does not fit into `out` or its `Connection` names too much, 501 for `CONNECT`.
    pub fn request(
        &self,
        head: &RequestHead<'_>,
        framing: Framing,
        client: SocketAddr,
        out: &mut Buffer,
    ) -> Result<(), Refusal> {
        if head.method == Method::Connect {
            return Err(Refusal::new(501, "This gateway makes no tunnels."));
        }
        let options = Options::of(&head.fields)
            .ok_or(Refusal::new(431, "The Connection field names more than 16 options."))?;
        // A client on the other side of an IPv6 socket is still the IPv4 address that it has.
        let peer = client.ip().to_canonical();
        let from = Peer { address: peer, trusted: self.trusts(peer) };
        let mut lines = Lines::new(out);
        request_line(head, &mut lines);
        let mut passed = Passed::default();
        for field in head.fields.iter() {
            if !options.name(field.name) || is_kept_whatever_is_said(field.name) {
                passed.request_field(field, head, from.trusted, &mut lines);
            }
        }
        hop_fields(head, framing, &mut lines);
        from.fields(head, &passed, &mut lines);
        via(head.version, &mut lines);
        match lines.finish() {
            true => Ok(()),
            false => {
                Err(Refusal::new(431, "The request head does not fit into 16 KiB once it is forwarded."))
            }
        }
    }

    /// Writes the head of an answer as its client gets it, always as HTTP/1.1.
    ///
    /// `framing` is that towards the client; for an HTTP/1.0 client it cannot be chunks, so no
    /// `Transfer-Encoding` is written and the caller ends the body by closing. `connection` is the
    /// field's value; an answer 101 gets `Upgrade` instead, with the protocol the back end named.
    ///
    /// Errors: what is wrong with the answer, which is then a 502.
    pub fn response(
        &self,
        head: &ResponseHead<'_>,
        framing: Framing,
        connection: Option<&'static str>,
        client_version: Version,
        out: &mut Buffer,
    ) -> Result<(), &'static str> {
        let options = Options::of(&head.fields).ok_or("the Connection field names more than 16 options")?;
        let protocol = head.fields.only("upgrade");
        if head.status == 101 && protocol.is_none() {
            return Err("an answer 101 without one Upgrade field");
        }
        let mut lines = Lines::new(out);
        lines.put(b"HTTP/1.1 ");
        lines.number(u64::from(head.status));
        lines.put(b" ");
        lines.put(head.reason.as_bytes());
        lines.put(b"\r\n");
        for field in head.fields.iter() {
            let passes = match kind(field.name) {
                Kind::Hop | Kind::Te | Kind::Length | Kind::Upgrade => false,
                _ => !options.name(field.name),
            };
            if passes {
                lines.field(field.name, field.value);
            }
        }
        response_framing(head, framing, client_version, &mut lines);
        match (head.status, protocol, connection) {
            (101, Some(protocol), _) => {
                lines.put(b"Connection: Upgrade\r\n");
                lines.field("Upgrade", protocol);
            }
            (_, _, Some(value)) => lines.field("Connection", value.as_bytes()),
            (_, _, None) => {}
        }
        via(head.version, &mut lines);
        match lines.finish() {
            true => Ok(()),
            false => Err("the answer's head does not fit into 16 KiB once it is forwarded"),
        }
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        self.trust.iter().any(|network| network.contains(peer))
    }
}

/// The protocol that a request asks to switch to, if a gateway can let it: `Upgrade: websocket`.
///
/// `None`, and the field is dropped, as a server may ignore it (RFC 9110 section 7.8): from HTTP/1.0; if
/// `Connection` does not name it; with a request body, whose end would be in doubt; and for `h2c`,
/// whose tunnel would carry further requests past every rule of this proxy.
pub fn upgrade<'b>(head: &RequestHead<'b>) -> Option<&'b [u8]> {
    let protocols = head.fields.only("upgrade")?;
    let has_body =
        head.fields.first("transfer-encoding").is_some() || head.fields.first("content-length").is_some();
    let is_asked = head.version == Version::Http11 && head.fields.lists("connection", "upgrade");
    let is_harmless = !list(protocols).any(|protocol| protocol.eq_ignore_ascii_case(b"h2c"));
    (is_asked && is_harmless && !has_body).then_some(protocols)
}

/// True if the connection becomes a relay: the client asked for a protocol and the back end switched to one.
pub fn is_upgrade(request: &RequestHead<'_>, answer: &ResponseHead<'_>) -> bool {
    answer.status == 101 && answer.fields.only("upgrade").is_some() && upgrade(request).is_some()
}

/// What `Max-Forwards` asks of a gateway (RFC 9110 section 7.6.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MaxForwards {
    /// There is none that counts: forward the request.
    None,
    /// It is 0: the gateway answers in the back end's stead.
    Answer,
    /// Forward it with this number.
    Forward(u64),
}

/// Reads `Max-Forwards`, which counts for `TRACE` and `OPTIONS` only; one that is no number is passed on as it is.
pub fn max_forwards(head: &RequestHead<'_>) -> MaxForwards {
    if !matches!(head.method, Method::Trace | Method::Options) {
        return MaxForwards::None;
    }
    match head.fields.only("max-forwards").and_then(decimal) {
        None => MaxForwards::None,
        Some(0) => MaxForwards::Answer,
        Some(number) => MaxForwards::Forward(number - 1),
    }
}

/// Writes a whole answer for an error of a gateway: a sentence for people, `Proxy-Status` (RFC 9209) for programs.
///
/// `proxy_error` is a name of RFC 9209 section 2.3, such as `connection_refused`, or `""` for none. `head_only`
/// answers a HEAD. `false` if `out` has no room for it: then nothing of it is there.
#[must_use]
pub fn error_answer(
    out: &mut Buffer,
    now: &Now,
    status: u16,
    proxy_error: &str,
    sentence: &str,
    connection: Option<&'static str>,
    head_only: bool,
) -> bool {
    let before = out.len();
    let mut head = ResponseWriter::start(out, status, now);
    if !proxy_error.is_empty() {
        head.field("Proxy-Status", format_args!("{SERVER}; error={proxy_error}"));
    }
    head.field("Content-Type", "text/plain; charset=utf-8");
    head.field("Content-Length", sentence.len() + 1);
    if let Some(value) = connection {
        head.field("Connection", value);
    }
    let fits = head.finish() && (head_only || (out.push(sentence.as_bytes()) && out.push(b"\n")));
    if !fits {
        out.truncate(before);
    }
    fits
}

/// What a field is to a gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    EndToEnd,
    /// Of this connection only.
    Hop,
    /// `Content-Length`: ours to write.
    Length,
    Te,
    Upgrade,
    Host,
    Expect,
    MaxForwards,
    ForwardedFor,
    ForwardedHost,
    ForwardedProto,
    /// `Forwarded` and any other `X-Forwarded-`.
    Forwarded,
}

/// Looks at the length first: it tells nearly all fields apart before a byte is compared.
fn kind(name: &str) -> Kind {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    match name.len() {
        2 if is("te") => Kind::Te,
        4 if is("host") => Kind::Host,
        6 if is("expect") => Kind::Expect,
        7 if is("upgrade") => Kind::Upgrade,
        9 if is("forwarded") => Kind::Forwarded,
        10 if is("connection") || is("keep-alive") => Kind::Hop,
        12 if is("max-forwards") => Kind::MaxForwards,
        14 if is("content-length") => Kind::Length,
        15 if is("x-forwarded-for") => Kind::ForwardedFor,
        16 if is("x-forwarded-host") => Kind::ForwardedHost,
        17 if is("x-forwarded-proto") => Kind::ForwardedProto,
        16 if is("proxy-connection") => Kind::Hop,
        17 if is("transfer-encoding") => Kind::Hop,
        18 if is("proxy-authenticate") => Kind::Hop,
        19 if is("proxy-authorization") => Kind::Hop,
        13.. if name.as_bytes()[..12].eq_ignore_ascii_case(b"x-forwarded-") => Kind::Forwarded,
        _ => Kind::EndToEnd,
    }
}

/// `Connection: Host` and the like would make the back end see another request than we did, or
/// take from it what a trusted proxy said of the client. These have their own rules whoever names them.
fn is_kept_whatever_is_said(name: &str) -> bool {
    !matches!(kind(name), Kind::EndToEnd | Kind::Forwarded) || name.eq_ignore_ascii_case("via")
}

/// The options of all `Connection` lines but those that name no field.
struct Options<'b> {
    names: [&'b [u8]; CONNECTION_OPTIONS_MAX],
    count: usize,
}

impl<'b> Options<'b> {
    /// `None` if there are more than [`CONNECTION_OPTIONS_MAX`].
    fn of(fields: &Fields<'b>) -> Option<Options<'b>> {
        let mut options = Options { names: [b""; CONNECTION_OPTIONS_MAX], count: 0 };
        for option in fields.all("connection").flat_map(list) {
            if option.eq_ignore_ascii_case(b"close") || option.eq_ignore_ascii_case(b"keep-alive") {
                continue;
            }
            *options.names.get_mut(options.count)? = option;
            options.count += 1;
        }
        Some(options)
    }

    /// True if one of them names this field.
    fn name(&self, field: &str) -> bool {
        self.names[..self.count].iter().any(|name| name.eq_ignore_ascii_case(field.as_bytes()))
    }
}

/// Who sent the request.
struct Peer {
    address: IpAddr,
    trusted: bool,
}

impl Peer {
    /// The `X-Forwarded-` fields that tell the back end of the client.
    fn fields(&self, head: &RequestHead<'_>, passed: &Passed, lines: &mut Lines<'_>) {
        lines.put(b"X-Forwarded-For: ");
        if self.trusted && passed.had_forwarded_for {
            // One line, as many back ends look at one only.
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

/// What of the client's fields was passed on, so that it is not added once more.
#[derive(Default)]
struct Passed {
    had_forwarded_for: bool,
    forwarded_host: bool,
    forwarded_proto: bool,
}

impl Passed {
    /// Passes one field on, if it is one to be passed on as it is.
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
            Kind::Host => !has_own_host_line(head),
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

/// The request line, and `Host` where it is not simply the client's.
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
    if has_own_host_line(head) {
        // HTTP/1.0 may have none; HTTP/1.1 must, so it is empty then (RFC 9112 section 3.2).
        lines.field("Host", head.host().as_bytes());
    }
}

/// True if `Host` comes from the target (RFC 9112 section 3.2.2), or from nowhere.
fn has_own_host_line(head: &RequestHead<'_>) -> bool {
    let is_absolute = !head.target.starts_with('/') && head.target != "*";
    is_absolute || head.fields.first("host").is_none()
}

/// Framing, `TE` and `Upgrade`: what is said to the back end about this connection.
fn hop_fields(head: &RequestHead<'_>, framing: Framing, lines: &mut Lines<'_>) {
    match framing {
        Framing::Length(bytes) => lines.length(bytes),
        Framing::Chunked => lines.put(b"Transfer-Encoding: chunked\r\n"),
        // A POST of nothing says so: some servers answer 411 otherwise.
        Framing::None if head.fields.first("content-length").is_some() => lines.length(0),
        // No request is framed by the close of its connection.
        Framing::None | Framing::UntilClose => {}
    }
    let trailers = head.version == Version::Http11 && head.fields.lists("te", "trailers");
    let upgrade = upgrade(head);
    // RFC 9110 sections 7.8 and 10.1.4: `Connection` names both.
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
        // RFC 9110 section 8.6: neither of these has a length.
        Framing::None if head.status < 200 || head.status == 204 => {}
        // To a HEAD and in a 304 it tells the length of a body that is not sent; else it is 0.
        Framing::None => {
            if let Some(bytes) = head.fields.only("content-length").and_then(decimal) {
                lines.length(bytes);
            }
        }
    }
}

/// `received` is the version in which the message came to us (RFC 9110 section 7.6.3).
fn via(received: Version, lines: &mut Lines<'_>) {
    lines.put(match received {
        Version::Http10 => b"Via: 1.0 ",
        Version::Http11 => b"Via: 1.1 ",
    });
    lines.put(SERVER.as_bytes());
    lines.put(b"\r\n");
}

/// A head being written straight into a buffer's space, which counts only once it is whole.
struct Lines<'o> {
    out: &'o mut Buffer,
    /// Bytes written into `out.space()` and not yet made part of `out`.
    written: usize,
    full: bool,
}

impl<'o> Lines<'o> {
    fn new(out: &'o mut Buffer) -> Lines<'o> {
        Lines { out, written: 0, full: false }
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.written + bytes.len();
        match self.out.space().get_mut(self.written..end) {
            Some(space) => {
                space.copy_from_slice(bytes);
                self.written = end;
            }
            None => self.full = true,
        }
    }

    fn field(&mut self, name: &str, value: &[u8]) {
        self.put(name.as_bytes());
        self.put(b": ");
        self.put(value);
        self.put(b"\r\n");
    }

    fn length(&mut self, bytes: u64) {
        self.put(b"Content-Length: ");
        self.number(bytes);
        self.put(b"\r\n");
    }

    fn number(&mut self, number: u64) {
        // 20 digits are enough for any u64.
        let mut digits = [0; 20];
        let mut start = digits.len();
        let mut rest = number;
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                return self.put(&digits[start..]);
            }
        }
    }

    fn address(&mut self, address: IpAddr) {
        self.full |= write!(self, "{address}").is_err();
    }

    /// Ends the head; `false`, and nothing is written, if it did not fit.
    fn finish(mut self) -> bool {
        self.put(b"\r\n");
        self.out.filled(if self.full { 0 } else { self.written });
        !self.full
    }
}

impl Write for Lines<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}
