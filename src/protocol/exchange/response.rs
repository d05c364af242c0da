//! The response side of an exchange: from bytes of the back end to bytes for the client.

use std::net::SocketAddr;

use super::{BackendConnection, Exchange, State};
use crate::protocol::forward;
use crate::protocol::http::Version;
use crate::protocol::http::body::{BodyReader, Part};
use crate::protocol::http::framing::{self, Framing};
use crate::protocol::http::head::{FieldSpace, HeadScan, ResponseHead, Scan};
use crate::protocol::limits::INTERIM_RESPONSES_MAX;
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};

/// Why a response head is not passed on although nothing is wrong with it.
const NO_ROOM: &str = "the response head leaves no room for what its route adds";

/// The response being passed on.
#[derive(Debug)]
pub(super) enum Response {
    /// The final head has not come yet, only `interim` ones. `scan` remembers how far the next head was scanned.
    Awaited { scan: HeadScan, interim: u32 },
    /// The first `ready` bytes of the back end's input belong to the body and may be sent.
    Body {
        status: u16,
        backend: Option<SocketAddr>,
        reader: BodyReader,
        ready: usize,
        /// The client speaks HTTP/1.0, which has no chunks: chunk framing is left out.
        unchunk: bool,
        /// Its trailers may be forwarded.
        trailers_pass: bool,
        /// The back end's connection can carry another request after this response.
        backend_keeps: bool,
    },
    /// All of it was read, or it is one of our own. It is sent once the client's output is empty.
    Out { status: u16, backend: Option<SocketAddr>, outcome: Outcome },
}

impl Default for Response {
    fn default() -> Response {
        Response::Awaited { scan: HeadScan::default(), interim: 0 }
    }
}

impl Response {
    /// True if more of the body must come from the back end.
    pub(super) fn is_body_awaited(&self) -> bool {
        matches!(self, Response::Body { reader, .. } if !reader.is_done())
    }

    /// How many bytes of the body may be sent now.
    pub(super) fn ready(&self) -> usize {
        if let Response::Body { ready, .. } = self { *ready } else { 0 }
    }

    /// True once the client may have got a part of the final response.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self, Response::Awaited { .. })
    }

    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Response::Awaited { .. } => None,
            Response::Body { status, .. } | Response::Out { status, .. } => Some(*status),
        }
    }

    pub(super) fn backend(&self) -> Option<SocketAddr> {
        match self {
            Response::Awaited { .. } => None,
            Response::Body { backend, .. } | Response::Out { backend, .. } => *backend,
        }
    }
}

impl Exchange {
    /// The space for the next bytes from the back end.
    pub fn backend_space(&mut self) -> &mut [u8] {
        self.backend_input.space()
    }

    /// There was nothing to read: frees the space.
    pub(crate) fn nothing_from_backend(&mut self) {
        self.backend_input.filled(0);
    }

    /// `count` bytes came from the back end; 0 means that it has closed.
    pub fn backend_received(&mut self, count: usize, now: &Now) {
        if self.response.has_begun() {
            self.last_progress = now.instant;
        }
        self.backend_input.filled(count);
        if count > 0 {
            self.timing.first_byte.get_or_insert(now.instant);
            return self.forward_response(now);
        }
        match &mut self.response {
            Response::Awaited { .. } => self.backend_failed(How::Closed, now),
            Response::Body { reader, backend_keeps, .. } => {
                *backend_keeps = false;
                match reader.close() {
                    Ok(()) => self.forward_response(now),
                    Err(_) => self.cut(Outcome::new(Who::Backend, How::Closed, Phase::ResponseBody)),
                }
            }
            Response::Out { .. } => {}
        }
    }

    /// A call on the back end's socket failed, or the back end closed before it responded.
    ///
    /// The request is sent again only where that does no harm: nothing of it was sent, or its method is
    /// safe and no byte of a response has come (RFC 9110 section 9.2.2; nginx `proxy_next_upstream error`).
    /// So no such request fails when a back end dies under load. A request that was sent is repeated once
    /// and not `RETRIES` times: if two back ends die of it, the request is the likely cause, and it must
    /// not reach all the others or mark them as failed.
    pub(crate) fn backend_failed(&mut self, how: How, now: &Now) {
        if self.response.has_begun() {
            return self.cut(Outcome::new(Who::Backend, how, Phase::ResponseBody));
        }
        let silent = self.backend_input.is_empty();
        let may_be_repeated = silent && self.request.may_be_repeated();
        let idle_was_dead = matches!(self.backend, BackendConnection::Connected { reused: true, .. });
        if idle_was_dead && may_be_repeated {
            return self.retry_same_backend(now);
        }
        let was_repeated = self.request.was_repeated;
        let is_unsent = silent && self.request.is_unsent();
        if is_unsent || !was_repeated {
            self.report_failure(how, Phase::ResponseHead, now);
        }
        if is_unsent || (may_be_repeated && !was_repeated) {
            self.request.was_repeated |= !is_unsent;
            return self.retry_next_backend(now);
        }
        let sentence = "The back end closed the connection before it answered.";
        let outcome = Outcome::new(Who::Backend, how, Phase::ResponseHead);
        self.respond_with_error(502, "connection_terminated", sentence, outcome, now);
    }

    /// Bytes for the client: heads, and the part of the body that has come.
    pub fn client_output(&self) -> [&[u8]; 2] {
        [self.client_output.bytes(), &self.backend_input.bytes()[..self.response.ready()]]
    }

    /// The first `count` of these bytes were sent.
    pub fn client_sent(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        // If an interim head was sent, the time for the next head begins here.
        self.awaiting_since = now.instant;
        let of_head = count.min(self.client_output.len());
        self.client_output.consume(of_head);
        let of_body = count - of_head;
        if let Response::Body { ready, .. } = &mut self.response
            && of_body > 0
        {
            *ready -= of_body;
            self.backend_input.consume(of_body);
            self.timing.bytes_out += of_body as u64;
            self.timing.body_out += of_body as u64;
        }
        self.forward_response(now);
    }

    /// Passes the response on as far as its bytes have come.
    pub(super) fn forward_response(&mut self, now: &Now) {
        while self.has_room_for_response_head() && matches!(self.state, State::Exchanging) {
            match self.take_response_head(now) {
                Ok(true) => {}
                Ok(false) => return,
                Err(fault) => return self.response_is_malformed(fault, now),
            }
        }
        self.forward_body(now);
        self.end_if_sent(now);
    }

    /// True if a response head is expected and the interim head before it, if any, has been sent.
    ///
    /// Only then is the back end read. So interim heads cannot fill the output, an error response of our
    /// own never follows a half-sent head, and the end of the back end's stream is not seen before a head
    /// that has already come.
    pub(super) fn has_room_for_response_head(&self) -> bool {
        !self.response.has_begun() && self.client_output.is_empty()
    }

    /// Takes one head off the back end's input; `Ok(false)` if it is not complete yet.
    fn take_response_head(&mut self, now: &Now) -> Result<bool, &'static str> {
        let Response::Awaited { scan, interim } = &mut self.response else { return Ok(false) };
        let bytes = self.backend_input.bytes();
        let length = match scan.advance(bytes) {
            Ok(Scan::Complete(length)) => length,
            Ok(Scan::TryParse) => return ResponseHead::parse(bytes, &mut FieldSpace::new()).map(|_| false),
            Ok(Scan::Partial) => return Ok(false),
            Err(_) => return Err("the head is longer than 16 KiB"),
        };
        *scan = HeadScan::default();
        let mut space = FieldSpace::new();
        let head = ResponseHead::parse(&bytes[..length], &mut space)?.ok_or("the head is not complete")?;
        if head.status == 101 {
            // A client cannot switch in the middle of its request (RFC 9110 section 7.8). Once all of it has
            // been sent, this head is read again.
            return match self.request.is_sent() {
                true => self.accept_upgrade(length, now),
                false if self.request.is_being_sent() => Ok(false),
                false => Err("101 to a request that it did not take whole"),
            };
        }
        let framing = framing::of_response(&head, self.request.method)?;
        let rules = &self.gateway.rules;
        if head.status < 200 {
            *interim += 1;
            self.awaiting_since = now.instant;
            if *interim > INTERIM_RESPONSES_MAX {
                return Err("more than 100 interim responses");
            }
            // A client of HTTP/1.0 must not get interim responses (RFC 9110 section 15.2).
            if self.request.version == Version::Http11 {
                rules.write_response_head(
                    &head,
                    framing,
                    None,
                    self.request.version,
                    now,
                    &mut self.client_output,
                )?;
            }
            self.backend_input.consume(length);
            return Ok(true);
        }
        self.timing.backend_status = Some(head.status);
        let is_mirrored = rules.is_mirrored(&head);
        let framing = if is_mirrored { Framing::UntilClose } else { framing };
        let old_client = self.request.version == Version::Http10;
        let ends_by_close = framing == Framing::UntilClose || (framing == Framing::Chunked && old_client);
        // If the request is not complete yet, its rest may never come, so the connection cannot be kept.
        self.request.keep &= self.request.is_complete() && !ends_by_close && !self.draining;
        let connection = self.request.connection_field(self.request.keep);
        let (status, backend) = (head.status, self.backend_address());
        let backend_keeps = head.keeps_alive();
        let before = self.client_output.len();
        if !is_mirrored {
            let version = self.request.version;
            rules.write_response_head(&head, framing, connection, version, now, &mut self.client_output)?;
        } else if !self.client_output.push(&self.backend_input.bytes()[..length]) {
            return Err("the response head does not fit into 16 KiB");
        }
        let route = &self.gateway.routes[self.request.route];
        let (has_rules, member) = (!route.response.is_empty(), self.backend.member());
        if !is_mirrored {
            if !self.request.change_response(route, member, before, &mut self.client_output) {
                return Err(NO_ROOM);
            }
            self.backend.set_cookie(&self.gateway, &self.request, &mut self.client_output)?;
        }
        self.timing.bytes_out += (self.client_output.len() - before) as u64;
        self.response = Response::Body {
            status,
            backend,
            reader: BodyReader::lenient(framing),
            ready: 0,
            unchunk: framing == Framing::Chunked && old_client,
            trailers_pass: framing == Framing::Chunked
                && !old_client
                && !has_rules
                && forward::may_forward_trailers(&head.fields),
            backend_keeps,
        };
        self.backend_input.consume(length);
        self.last_progress = now.instant;
        self.backend_output.clear();
        self.request.forget_head();
        self.report_success();
        Ok(true)
    }

    /// Takes a `101`: from here on the connection is a tunnel of another protocol.
    fn accept_upgrade(&mut self, length: usize, now: &Now) -> Result<bool, &'static str> {
        if !self.request.upgrade {
            return Err("101 without an Upgrade in the request");
        }
        let bytes = &self.backend_input.bytes()[..length];
        let mut space = FieldSpace::new();
        let head = ResponseHead::parse(bytes, &mut space)?.ok_or("the head is not complete")?;
        let before = self.client_output.len();
        self.gateway.rules.write_response_head(
            &head,
            Framing::None,
            None,
            Version::Http11,
            now,
            &mut self.client_output,
        )?;
        self.timing.backend_status = Some(head.status);
        let (route, member) = (&self.gateway.routes[self.request.route], self.backend.member());
        if !self.request.change_response(route, member, before, &mut self.client_output) {
            return Err(NO_ROOM);
        }
        self.backend.set_cookie(&self.gateway, &self.request, &mut self.client_output)?;
        self.backend_input.consume(length);
        self.report_success();
        self.state = State::Tunnel;
        Ok(false)
    }

    fn response_is_malformed(&mut self, fault: &'static str, now: &Now) {
        log::warn!("{} sent a malformed response: {fault}", self.backend_name());
        self.report_failure(How::Malformed, Phase::ResponseHead, now);
        let outcome = Outcome::new(Who::Backend, How::Malformed, Phase::ResponseHead);
        let sentence = "The back end's response breaks the rules of HTTP.";
        self.respond_with_error(502, "http_protocol_error", sentence, outcome, now);
    }

    /// Reads the body as far as its bytes have come, and releases the back end at its end.
    fn forward_body(&mut self, now: &Now) {
        let Response::Body { status, backend, reader, ready, unchunk, trailers_pass, backend_keeps } =
            &mut self.response
        else {
            return;
        };
        let (unchunk, trailers_pass) = (*unchunk, *trailers_pass);
        let read = reader.forward(&mut self.backend_input, ready, |part, bytes| match part {
            Part::Content(_) => true,
            Part::Framing(_) => !unchunk,
            Part::Extension(_) => false,
            Part::Trailer(_) => trailers_pass && forward::may_forward_trailer(bytes),
        });
        if read.is_err() {
            log::warn!("{} broke the chunked framing of its response", self.backend_name());
            self.report_failure(How::Malformed, Phase::ResponseBody, now);
            return self.cut(Outcome::new(Who::Backend, How::Malformed, Phase::ResponseBody));
        }
        if !reader.is_done() {
            return;
        }
        let (status, backend, ready) = (*status, *backend, *ready);
        // Bytes behind the response belong to no request: such a connection is not used again.
        let clean = self.backend_input.len() == ready;
        // A connection that began with a PROXY header serves this client only.
        let keep = *backend_keeps && clean && self.request.is_sent() && !self.client.sends_header();
        if let BackendConnection::Connected { .. } = self.backend {
            self.mark_released(keep);
        }
        self.stop_sending_request();
        if ready == 0 {
            let outcome = Outcome::new(Who::Us, How::Finished, Phase::ResponseBody);
            self.response = Response::Out { status, backend, outcome };
            self.backend_input.clear();
        }
    }
}
