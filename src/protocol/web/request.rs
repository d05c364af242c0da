//! The request side: reading heads, and discarding request bodies.

use std::task::Waker;

use super::outgoing::COPIED_BYTES_MAX;
use super::{Site, State, Web};
use crate::protocol::event::Event;
use crate::protocol::guard::basic_auth::{Login, Progress};
use crate::protocol::guard::{GuardedRequest, Refused, Verdict};
use crate::protocol::health_check::is_health_check;
use crate::protocol::http::body::{BodyReader, Part};
use crate::protocol::http::framing::{self, Framing};
use crate::protocol::http::head::{FieldSpace, RequestHead};
use crate::protocol::http::response::HEAD_ROOM;
use crate::protocol::http::{Method, Refusal};
use crate::protocol::limits::SITE_BODY_BYTES_MAX;
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use crate::protocol::timing::Timing;

/// [`HeadScan`](crate::protocol::http::head::HeadScan) found the end of the head, and the parser did not.
const INCOMPLETE: Refusal = Refusal::bad("The request head is not complete.");
const TOO_LARGE: Refusal = Refusal::new(413, "The body is longer than 1 MiB.");

impl<S: Site> Web<S> {
    /// The space for the next bytes from the client.
    pub fn client_space(&mut self) -> &mut [u8] {
        self.input.space()
    }

    /// `count` bytes came from the client; 0 means that it has closed its sending side.
    pub fn client_received(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        self.input.filled(count);
        if let State::Linger(linger, outcome) = &mut self.state {
            self.input.clear();
            if linger.is_over(count) {
                self.state = State::Over(*outcome);
            }
            return;
        }
        self.timing.bytes_in += count as u64;
        self.client_ended |= count == 0;
        match self.client.read_proxy_header(&mut self.input, self.client_ended) {
            Ok(true) => self.advance(now),
            Ok(false) => {}
            Err(outcome) => self.state = State::Over(outcome),
        }
    }

    /// There was nothing to read: frees the space.
    pub(crate) fn nothing_from_client(&mut self) {
        self.input.filled(0);
    }

    /// Takes the next head if it is complete; false if there is nothing more to do now.
    pub(super) fn read_head(&mut self, now: &Now) -> bool {
        // A response needs room for its head and a small body. Pipelined requests wait for it in the input.
        if self.output.room() < HEAD_ROOM + COPIED_BYTES_MAX {
            return false;
        }
        match self.reader.read_head(self.input.bytes(), self.client_ended, now) {
            Ok(Some(length)) => {
                self.take_head(length, None, now);
                true
            }
            Ok(None) if self.client_ended && self.output.is_empty() => {
                self.cut(Who::Client, How::Closed);
                false
            }
            Ok(None) if self.is_last_request && self.reader.is_idle() && self.output.is_empty() => {
                self.state = State::Over(Outcome::new(Who::Us, How::Drained, Phase::Idle));
                false
            }
            Ok(None) => {
                if !self.reader.is_idle() {
                    // A health check comes in one piece.
                    self.client.report_connection(&self.service.context);
                }
                false
            }
            Err(refusal) => {
                self.refuse(refusal, How::Malformed, Phase::RequestHead, now);
                true
            }
        }
    }

    /// Takes the head in the first `length` bytes of the input, and finds the response to it. `verified` is what came
    /// of the verification of its password, if there was one.
    fn take_head(&mut self, length: usize, verified: Option<bool>, now: &Now) {
        self.timing = Timing { bytes_in: self.timing.bytes_in, ..Timing::open(self.reader.began(), now) };
        let mut space = FieldSpace::new();
        let head = match RequestHead::parse(&self.input.bytes()[..length], &mut space) {
            Ok(Some(head)) => head,
            Ok(None) => return self.refuse(INCOMPLETE, How::Malformed, Phase::RequestHead, now),
            Err(refusal) => return self.refuse(refusal, How::Malformed, Phase::RequestHead, now),
        };
        self.logged.set(&head, self.service.context.observer.wants_closings());
        self.client.set_check(is_health_check(&head));
        self.client.report_connection(&self.service.context);
        // A head that was judged before was told of then.
        if verified.is_none() && self.service.context.observer.wants_heads() {
            let bytes = &self.input.bytes()[..length];
            self.client.report(&self.service.context, &Event::RequestHead(bytes));
        }
        let within = self.reader.limits().check(&head.fields);
        let framing = match within.and_then(|()| framing::of_request(&head)) {
            Ok(Framing::Length(bytes)) if bytes > SITE_BODY_BYTES_MAX => Err(TOO_LARGE),
            other => other,
        };
        let framing = match framing {
            Ok(framing) => framing,
            Err(refusal) => return self.refuse(refusal, How::Malformed, Phase::RequestHead, now),
        };
        let (client_keeps, version) = (head.keeps_alive(), head.version);
        let expects_continue = head.expects_continue();
        let context = &self.service.context;
        if let Some(client) = self.client.forwarded_for(&head, context) {
            self.timing.forwarded_for = Some(client);
        }
        // Nobody is asked for a password in the clear who is to come again over TLS.
        let redirect = match self.client.transport.redirects(&head) {
            Ok(redirect) => redirect,
            Err(refusal) => return self.refuse(refusal, How::Malformed, Phase::RequestHead, now),
        };
        let mut refused = None;
        if let Some(guards) = context.guards.as_ref().filter(|_| redirect.is_none()) {
            let request = GuardedRequest::of(&head, framing, &self.client, self.timing.forwarded_for);
            match guards.judge(&request, verified, now) {
                Verdict::Pass(login) => self.logged.set_user(login.as_ref().map(Login::user)),
                Verdict::Refused(by_guard) => refused = Some(by_guard),
                Verdict::Verify(password) => {
                    self.password = password;
                    self.state = State::Verifying { length };
                    return;
                }
            }
        }
        let response = match refused {
            // Its body, if it has one, is not waited for.
            Some(refused) if framing != Framing::None => return self.decline_and_close(refused, now),
            Some(Refused { by, refusal }) => {
                log::debug!("{} gets {refusal}", self.client.address());
                self.timing.guard = Some(by);
                self.service.site.decline(&head, refusal)
            }
            None => match redirect {
                None => self.service.site.respond(&head, now),
                Some(location) => self.service.site.redirect(&head, location),
            },
        };
        // A refused CONNECT ends the connection with a lingering close: the client may already be sending the
        // bytes of its tunnel.
        self.is_last_request |= head.method == Method::Connect;
        self.input.consume(length);
        let reader = BodyReader::new(framing);
        if reader.is_done() {
            return self.respond_after_delay(response, version, client_keeps, now);
        }
        if expects_continue && self.input.is_empty() {
            let fits = self.output.push(b"HTTP/1.1 100 Continue\r\n\r\n");
            debug_assert!(fits, "read_head has checked the room");
        }
        self.state = State::Body { reader, bytes: 0, response, version, client_keeps };
    }

    /// Answers a request that a guard refuses, and closes.
    pub(super) fn decline_and_close(&mut self, refused: Refused, now: &Now) {
        self.timing.guard = Some(refused.by);
        self.refuse_with(refused.refusal, refused.by.outcome(), now);
    }

    /// Has the password of the present request verified, or acts on what came of it: its head is judged again.
    pub(crate) fn verify_password(&mut self, now: &Now, waker: impl FnOnce() -> Waker) {
        let State::Verifying { length } = self.state else { return };
        match self.password.advance(now, waker) {
            Progress::Waiting => return,
            Progress::Verified(is_right) => {
                self.state = State::Head;
                self.take_head(length, Some(is_right), now);
            }
            Progress::Refused(refused) => self.decline_and_close(refused, now),
        }
        self.advance(now);
    }

    /// True while the password of the present request is verified, and there is nothing to send before.
    pub(crate) fn is_verifying(&self) -> bool {
        matches!(self.state, State::Verifying { .. }) && !self.has_output()
    }

    /// Discards the bytes of the body; false if more of them must come first.
    pub(super) fn read_body(&mut self, now: &Now) -> bool {
        let State::Body { reader, bytes, .. } = &mut self.state else { return false };
        loop {
            match reader.next(self.input.bytes()) {
                Ok(Some(part)) => {
                    if let Part::Content(count) = part {
                        *bytes += count as u64;
                    }
                    self.input.consume(part.length());
                    // A chunk that is too long is refused when its size is announced: a client that waits
                    // for the answer need not send it.
                    if bytes.saturating_add(reader.announced()) > SITE_BODY_BYTES_MAX {
                        self.refuse(TOO_LARGE, How::Limited, Phase::RequestBody, now);
                        return true;
                    }
                }
                Ok(None) => break,
                Err(_) => {
                    let refusal = Refusal::bad("The chunked body breaks its own framing.");
                    self.refuse(refusal, How::Malformed, Phase::RequestBody, now);
                    return true;
                }
            }
        }
        if !reader.is_done() {
            // Responses to earlier requests must be sent first.
            if self.client_ended && self.output.is_empty() {
                self.state = State::Over(Outcome::new(Who::Client, How::Closed, Phase::RequestBody));
            }
            return false;
        }
        let body = std::mem::replace(&mut self.state, State::Head);
        if let State::Body { response, version, client_keeps, .. } = body {
            self.respond_after_delay(response, version, client_keeps, now);
        }
        true
    }
}
