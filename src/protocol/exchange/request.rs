//! The request side of an exchange: from bytes of the client to bytes for the back end.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;

use super::routing::Routed;
use super::{BackendConnection, Exchange, Gateway, State, connection_field};
use crate::balance::routes::{DEFAULT, Found};
use crate::balance::{DependsOn, Group, Key};
use crate::protocol::buffer::Buffer;
use crate::protocol::forward::{self, HostLine, MaxForwards, OwnResponse, Rules, Sender};
use crate::protocol::guard::basic_auth::Login;
use crate::protocol::guard::{BodyLimit, GuardedRequest, Refused, Verdict};
use crate::protocol::health_check::is_health_check;
use crate::protocol::http::body::{BodyReader, Part};
use crate::protocol::http::framing::{self, Framing};
use crate::protocol::http::head::{FieldSpace, RequestHead};
use crate::protocol::http::{Method, Refusal, Version};
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use crate::protocol::proxy_header::ClientIdentity;
use crate::protocol::route::Route;
use crate::protocol::timing::Timing;
use crate::protocol::transport::https_status;

/// The request being forwarded.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) version: Version,
    /// The connection can be kept alive after this request: the client wants it, and we allow it.
    pub(super) keep: bool,
    /// The client did not say `close`, so it may send its next request at any time.
    pub(super) client_keeps: bool,
    /// The client asked to switch protocols, so the back end may respond `101`.
    pub(super) upgrade: bool,
    body: Body,
    /// How long the body may be.
    body_limit: Option<BodyLimit>,
    /// Bytes of content of the body so far.
    content: u64,
    /// Its trailers may be forwarded.
    trailers_pass: bool,
    /// The number of its route.
    pub(super) route: usize,
    /// What that route makes of it, unless it only forwards.
    pub(super) routed: Option<Box<Routed>>,
    /// Who asks, for the policy that chooses the back end.
    pub(super) key: Key,
    /// The client came by TLS, so that a cookie is for TLS only.
    pub(super) by_tls: bool,
    /// The request names no host, so the rewritten head names the back end.
    host: Option<HostLine>,
    /// How much of the rewritten head has been sent.
    head_sent: usize,
    head_length: usize,
    /// A byte of the body has been sent. It is no longer in our buffers, so the request cannot be sent again.
    body_sent: bool,
    /// It has been sent to a second back end, after the first one failed on it.
    pub(super) was_repeated: bool,
}

#[derive(Debug)]
enum Body {
    /// The first `ready` bytes of the client's input belong to the body and may be sent.
    Reading { reader: BodyReader, ready: usize },
    /// All of it was received, and the rest that no back end takes any more was dropped.
    Dropped,
    /// No more of it is read: the request was refused, or got its response before all of it had come.
    Abandoned,
}

impl Default for Request {
    fn default() -> Request {
        Request {
            method: Method::Other,
            version: Version::Http11,
            keep: false,
            client_keeps: false,
            upgrade: false,
            body: Body::Reading { reader: BodyReader::new(Framing::None), ready: 0 },
            body_limit: None,
            content: 0,
            trailers_pass: false,
            route: DEFAULT,
            routed: None,
            key: Key::default(),
            by_tls: false,
            host: None,
            head_sent: 0,
            head_length: 0,
            body_sent: false,
            was_repeated: false,
        }
    }
}

impl Request {
    /// True if more of the body must come from the client.
    pub(super) fn wants_bytes(&self) -> bool {
        matches!(&self.body, Body::Reading { reader, .. } if !reader.is_done())
    }

    /// True if the client has sent all of the request.
    pub(super) fn is_complete(&self) -> bool {
        match &self.body {
            Body::Reading { reader, .. } => reader.is_done(),
            Body::Dropped => true,
            Body::Abandoned => false,
        }
    }

    /// True if all of it was sent to the back end. Only then can that connection carry another request.
    pub(super) fn is_sent(&self) -> bool {
        self.head_is_sent() && self.has_no_more_body()
    }

    /// True unless sending it was given up.
    pub(super) fn is_being_sent(&self) -> bool {
        matches!(self.body, Body::Reading { .. })
    }

    fn has_no_more_body(&self) -> bool {
        matches!(&self.body, Body::Reading { reader, ready: 0 } if reader.is_done())
    }

    /// How many bytes of the body may be sent now.
    pub(super) fn ready(&self) -> usize {
        match self.body {
            Body::Reading { ready, .. } => ready,
            Body::Dropped | Body::Abandoned => 0,
        }
    }

    pub(super) fn head_is_sent(&self) -> bool {
        self.head_sent == self.head_length
    }

    /// True if nothing of it was sent to a back end.
    pub(super) fn is_unsent(&self) -> bool {
        self.head_sent == 0 && !self.body_sent
    }

    /// True if sending it twice does no harm (RFC 9110 section 9.2.2) and we still have all of it.
    pub(super) fn may_be_repeated(&self) -> bool {
        self.method.is_safe() && self.has_no_more_body() && !self.body_sent
    }

    /// Notes who asks for a back end of this group.
    fn ask_as(&mut self, client: &ClientIdentity, head: &RequestHead<'_>, gateway: &Gateway, group: &Group) {
        let address = client.address().ip();
        self.key = Key::from(address);
        if group.policy().depends_on() == DependsOn::Cookie {
            self.key.tag = gateway.cookie_of(group, self.route).read(&head.fields);
            self.by_tls = client.scheme(head, gateway.rules.trusts(address.to_canonical())) == "https";
        }
    }

    /// Goes back to the first byte, for another attempt.
    pub(super) fn rewind(&mut self) {
        self.head_sent = 0;
    }

    /// The request goes to this back end; nothing of its head has been sent there.
    pub(super) fn address_to(&mut self, backend: SocketAddr, head: &mut Buffer) {
        if let Some(line) = &mut self.host {
            line.write(backend, head);
            self.head_length = head.len();
        }
    }

    /// The response has begun, so there will be no other attempt, and the head is no longer needed.
    pub(super) fn forget_head(&mut self) {
        self.head_sent = 0;
        self.head_length = 0;
    }

    /// Stops reading the body: what the client still sends of it is ignored.
    pub(super) fn abandon(&mut self) {
        self.body = Body::Abandoned;
    }

    pub(super) fn connection_field(&self, keep: bool) -> Option<&'static str> {
        connection_field(self.version, keep)
    }
}

/// Writes all that is sent ahead of the body: a PROXY header, and the rewritten head with what its route changes.
/// Returns the place for its host, if it has none.
fn write_head(
    rules: &Rules,
    (head, framing): (&RequestHead<'_>, Framing),
    client: &ClientIdentity,
    (route, routed): (&Route, Option<&Routed>),
    out: &mut Buffer,
) -> Result<Option<HostLine>, Refusal> {
    let sender = Sender { address: client.address(), scheme: client.transport.scheme() };
    let target = routed.and_then(|routed| routed.target.as_deref());
    rules.write_request_head(head, framing, sender, target, out)?;
    if let Some(routed) = routed
        && !routed.change_request(route, out)
    {
        return Err(Refusal::new(431, "The request head leaves no room for what its route adds."));
    }
    let head_bytes = out.len();
    if !client.write_proxy_header(out) {
        return Err(Refusal::new(431, "The request head leaves no room for a PROXY header."));
    }
    if route.request.drops("host") {
        return Ok(None); // the route has written another one
    }
    HostLine::reserve(head, out.len() - head_bytes, out)
        .map_err(|()| Refusal::new(431, "The request head leaves no room for a Host field."))
}

impl Exchange {
    /// The space for the next bytes from the client.
    pub fn client_space(&mut self) -> &mut [u8] {
        self.client_input.space()
    }

    /// There was nothing to read: frees the space.
    pub(crate) fn nothing_from_client(&mut self) {
        self.client_input.filled(0);
    }

    /// `count` bytes came from the client; 0 means that it has closed its sending side.
    pub fn client_received(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        self.client_input.filled(count);
        if let State::Linger(linger, outcome) = &mut self.state {
            self.client_input.clear();
            if linger.is_over(count) {
                self.state = State::Over(*outcome);
            }
            return;
        }
        self.timing.bytes_in += count as u64;
        self.client_ended |= count == 0;
        match self.state {
            State::Head => match self.client.read_proxy_header(&mut self.client_input, self.client_ended) {
                Ok(true) => self.read_head(now),
                Ok(false) => {}
                Err(outcome) => self.state = State::Over(outcome),
            },
            State::Exchanging => self.read_body(now),
            State::Verifying { .. } | State::Tunnel | State::Linger(..) | State::Over(_) => {}
        }
    }

    /// Takes the next request head if it is complete.
    pub(super) fn read_head(&mut self, now: &Now) {
        match self.reader.read_head(self.client_input.bytes(), self.client_ended, now) {
            Ok(Some(length)) => self.judge_head(length, None, now),
            Ok(None) if self.client_ended => {
                let phase = if self.reader.is_idle() { Phase::Idle } else { Phase::RequestHead };
                self.cut(Outcome::new(Who::Client, How::Closed, phase));
            }
            Ok(None) if self.reader.is_idle() => {}
            // A health check comes in one piece.
            Ok(None) => self.client.report_connection(&self.gateway.context),
            Err(refusal) => self.refuse(refusal, How::Malformed, Phase::RequestHead, now),
        }
    }

    /// Takes the head in the first `length` bytes of the input, or refuses it. `verified` is what came of the
    /// verification of its password, if there was one.
    pub(super) fn judge_head(&mut self, length: usize, verified: Option<bool>, now: &Now) {
        if let Err(refusal) = self.take_head(length, verified, now) {
            self.refuse(refusal, How::Malformed, Phase::RequestHead, now);
        }
    }

    /// Rewrites the head in the first `length` bytes of the input, and asks for a back end.
    fn take_head(&mut self, length: usize, verified: Option<bool>, now: &Now) -> Result<(), Refusal> {
        self.timing = Timing { bytes_in: self.timing.bytes_in, ..Timing::open(self.reader.began(), now) };
        self.last_progress = now.instant;
        self.watches_client = false;
        let bytes = &self.client_input.bytes()[..length];
        let mut space = FieldSpace::new();
        let head = RequestHead::parse(bytes, &mut space)?
            .ok_or(Refusal::bad("The request head is not complete."))?;
        self.logged.set(&head, self.gateway.context.observer.wants_closings());
        self.client.set_check(is_health_check(&head));
        self.client.report_connection(&self.gateway.context);
        self.request.method = head.method;
        self.request.version = head.version;
        self.reader.limits().check(&head.fields)?;
        let framing = framing::of_request(&head)?;
        self.request.client_keeps = head.keeps_alive();
        self.request.keep =
            head.keeps_alive() && self.reader.requests() < self.gateway.context.keep_alive_requests;
        if head.method == Method::Connect {
            // Not 405: it would have to list the allowed methods, which only a back end knows.
            return Err(Refusal::new(501, "A gateway opens no tunnels: CONNECT is for forward proxies."));
        }
        if forward::max_forwards(&head) == MaxForwards::Answer {
            return Err(Refusal::new(
                501,
                "This gateway is the last stop of Max-Forwards, and answers no such request.",
            ));
        }
        if let Some(location) = self.client.transport.redirects(&head)? {
            let (status, sentence) = (https_status(head.method), "This address is served at https://.");
            self.pass_over(length, framing);
            self.redirect(status, sentence, &location, now);
            return Ok(());
        }
        self.request.upgrade = forward::upgrade(&head).is_some();
        let routes = &self.gateway.routes;
        let host = if routes.ask_for_host() { head.host() } else { "" };
        let found = routes.find(host, head.path_and_query())?;
        let (Found::Route(number) | Found::LacksSlash(number)) = found;
        let route = &routes[number];
        if matches!(found, Found::Route(_)) {
            self.request.route = number;
            self.request.routed =
                Routed::of(route, &head, &self.client, self.reader.requests(), &self.gateway.rules)?;
        }
        let context = &self.gateway.context;
        if let Some(client) = self.client.forwarded_for(&head, context) {
            self.timing.forwarded_for = Some(client);
        }
        if let Some(guards) = route.guards.as_ref().or(context.guards.as_ref()) {
            let request = GuardedRequest::of(&head, framing, &self.client, self.timing.forwarded_for);
            match guards.judge(&request, verified, now) {
                Verdict::Pass(login) => self.logged.set_user(login.as_ref().map(Login::user)),
                Verdict::Refused(refused) => {
                    self.pass_over(length, framing);
                    self.decline(refused, now);
                    return Ok(());
                }
                Verdict::Verify(password) => {
                    self.password = password;
                    self.state = State::Verifying { length };
                    return Ok(());
                }
            }
            self.request.body_limit = guards.body;
        }
        if matches!(found, Found::LacksSlash(_)) {
            let location = routes.with_slash(number, head.path_and_query());
            self.pass_over(length, framing);
            self.redirect(301, "This folder has a slash at its end.", &location, now);
            return Ok(());
        }
        let Some(group) = route.group().map(Arc::clone) else {
            self.pass_over(length, framing);
            self.respond_by_route(now);
            return Ok(());
        };
        self.timing.group = group.number();
        self.request.ask_as(&self.client, &head, &self.gateway, &group);
        self.backend_output.clear();
        let routed = self.request.routed.as_deref();
        let changes_head = routed.is_some_and(|routed| routed.changes_request(route));
        self.request.host = write_head(
            &self.gateway.rules,
            (&head, framing),
            &self.client,
            (route, routed),
            &mut self.backend_output,
        )?;
        self.request.head_length = self.backend_output.len();
        self.request.body = Body::Reading { reader: BodyReader::new(framing), ready: 0 };
        // Rules are about heads. In a trailer a field that they remove would get past them.
        self.request.trailers_pass =
            framing == Framing::Chunked && !changes_head && forward::may_forward_trailers(&head.fields);
        self.client_input.consume(length);
        self.backend = BackendConnection::Needed { group, turn: None, retry: None };
        self.state = State::Exchanging;
        self.read_body(now);
        Ok(())
    }

    /// Takes a head that is not forwarded off the input. Its body is not read: the client will send it again, or
    /// to nobody.
    fn pass_over(&mut self, length: usize, framing: Framing) {
        self.client_input.consume(length);
        self.request.body = Body::Reading { reader: BodyReader::new(framing), ready: 0 };
    }

    /// Sends the client to another address of this gateway.
    fn redirect(&mut self, status: u16, sentence: &str, location: &str, now: &Now) {
        let response =
            OwnResponse { status, proxy_error: "", sentence, location: Some(location), field: None };
        self.respond(&response, Outcome::new(Who::Us, How::Finished, Phase::RequestHead), now);
    }

    /// Reads the body as far as its bytes have come.
    fn read_body(&mut self, now: &Now) {
        let Body::Reading { reader, ready } = &mut self.request.body else { return };
        let trailers_pass = self.request.trailers_pass;
        let content = Cell::new(self.request.content);
        let read = reader.forward(&mut self.client_input, ready, |part, bytes| match part {
            Part::Content(count) => {
                content.set(content.get() + count as u64);
                true
            }
            Part::Framing(_) => true,
            Part::Extension(_) => false,
            Part::Trailer(_) => trailers_pass && forward::may_forward_trailer(bytes),
        });
        self.request.content = content.get();
        if read.is_err() {
            let refusal = Refusal::bad("The chunked body breaks its own framing.");
            return self.refuse_mid_body(refusal, How::Malformed, now);
        }
        let announced = reader.announced();
        if self.request.body_limit.is_some_and(|limit| !limit.allows_more(self.request.content, announced)) {
            let Refused { by, refusal } = BodyLimit::REFUSED;
            self.timing.guard = Some(by);
            return self.refuse_mid_body(refusal, How::Limited, now);
        }
        if self.client_ended && !reader.is_done() {
            // Closing the connection to the back end tells it that the request is not complete.
            self.cut(Outcome::new(Who::Client, How::Closed, Phase::RequestBody));
        }
    }

    /// The body is malformed or too long: an error response if no response has begun, else the connection just
    /// ends. The back end's connection is closed either way, so it cannot take a part of the body for the whole.
    fn refuse_mid_body(&mut self, refusal: Refusal, how: How, now: &Now) {
        match self.response.has_begun() {
            true => self.cut(Outcome::new(Who::Client, how, Phase::RequestBody)),
            false => self.refuse(refusal, how, Phase::RequestBody, now),
        }
    }

    pub(super) fn has_backend_output(&self) -> bool {
        !self.request.head_is_sent() || self.request.ready() > 0
    }

    /// Bytes for the back end: the rest of the head, and the part of the body that has come.
    pub fn backend_output(&self) -> [&[u8]; 2] {
        let head = &self.backend_output.bytes()[self.request.head_sent..];
        [head, &self.client_input.bytes()[..self.request.ready()]]
    }

    /// The first `count` of these bytes were sent.
    pub fn backend_sent(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        let of_head = count.min(self.request.head_length - self.request.head_sent);
        self.request.head_sent += of_head;
        // Until the response begins it is kept, for it may have to be sent again. With thousands of requests at slow
        // back ends that would be as many buffers.
        if of_head > 0 && self.request.head_is_sent() {
            self.backend_output.shrink();
        }
        let of_body = count - of_head;
        if let Body::Reading { ready, .. } = &mut self.request.body
            && of_body > 0
        {
            *ready -= of_body;
            self.client_input.consume(of_body);
            self.request.body_sent = true;
        }
        self.awaiting_since = now.instant;
        // A `101` may have come before the end of the request: it counts from here on.
        if self.request.is_sent() && !self.response.has_begun() && !self.backend_input.is_empty() {
            self.forward_response(now);
        }
    }

    /// Stops sending the request to the back end. If the whole body has come, its unsent rest is dropped;
    /// in the input it would be read as the next request.
    pub(super) fn stop_sending_request(&mut self) {
        self.request.head_sent = self.request.head_length;
        match self.request.body {
            Body::Reading { reader, ready: 0 } if reader.is_done() => {}
            Body::Reading { reader, ready } if reader.is_done() => {
                self.client_input.consume(ready);
                self.request.body = Body::Dropped;
            }
            Body::Dropped => {}
            Body::Reading { .. } | Body::Abandoned => self.request.abandon(),
        }
    }

    /// Sending to the back end failed. It may have responded already and closed; that response is worth
    /// reading. So we stop sending the request, and go on reading.
    pub(crate) fn backend_send_failed(&mut self, how: How, now: &Now) {
        if !self.response.has_begun() && !self.request.head_is_sent() {
            return self.backend_failed(how, now);
        }
        self.stop_sending_request();
    }
}
