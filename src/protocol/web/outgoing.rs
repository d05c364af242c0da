//! The response side: sending the head and the body of a response, and what follows after it.

use super::{Body, Close, Generator, Response, Site, State, Web};
use crate::protocol::event::Event;
use crate::protocol::http::{Refusal, Version};
use crate::protocol::linger::Linger;
use crate::protocol::now::Now;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use crate::protocol::timing::Timing;

/// The rest of a body that is sent without being copied into the output buffer.
#[derive(Debug)]
pub(super) enum OutgoingBody<M, F, G> {
    None,
    /// In memory: the bytes from `next` on.
    Memory {
        content: M,
        next: usize,
    },
    /// In a file: `length` bytes from `offset` on.
    File {
        file: F,
        offset: u64,
        length: u64,
    },
    /// Generated piece by piece into `output`.
    Generated(G),
}

/// What to send next.
#[derive(Debug)]
#[allow(missing_docs, reason = "the doc of each variant explains its fields")]
pub enum Output<'w, F> {
    /// These two slices, one after the other; `more` if a file follows at once.
    Bytes { first: &'w [u8], second: &'w [u8], more: bool },
    /// `length` bytes of a file from `offset` on.
    File { file: &'w F, offset: u64, length: u64 },
}

/// Bodies up to this many bytes are copied into the output behind their head: one send call is enough, and
/// the next pipelined request can be served at once.
pub(super) const COPIED_BYTES_MAX: usize = 4096;

impl<S: Site> Web<S> {
    /// What to send next.
    pub fn client_output(&self) -> Output<'_, <S::Response as Response>::File> {
        let first = self.output.bytes();
        match &self.body {
            OutgoingBody::Memory { content, next } => {
                Output::Bytes { first, second: &content.as_ref()[*next..], more: false }
            }
            OutgoingBody::File { file, offset, length } if first.is_empty() => {
                Output::File { file, offset: *offset, length: *length }
            }
            OutgoingBody::File { .. } => Output::Bytes { first, second: &[], more: true },
            OutgoingBody::None | OutgoingBody::Generated(_) => {
                Output::Bytes { first, second: &[], more: false }
            }
        }
    }

    /// The first `count` bytes of that output were sent.
    pub fn client_sent(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        let from_output = count.min(self.output.len());
        self.output.consume(from_output);
        let from_body = count - from_output;
        self.timing.bytes_out += from_body as u64;
        self.timing.body_out += from_body as u64;
        match &mut self.body {
            OutgoingBody::Memory { content, next } => {
                *next += from_body;
                if *next == content.as_ref().len() {
                    self.body = OutgoingBody::None;
                }
            }
            OutgoingBody::File { offset, length, .. } => {
                *offset += from_body as u64;
                *length -= from_body as u64;
                if *length == 0 {
                    self.body = OutgoingBody::None;
                }
            }
            OutgoingBody::None | OutgoingBody::Generated(_) => {}
        }
        self.advance(now);
    }

    /// The file ended before its announced length. The response cannot be completed, and must not look
    /// complete.
    pub(crate) fn file_ended(&mut self) {
        log::error!("the file of {} shrank while it was sent to {}", self.logged, self.client.address());
        self.body_failed();
    }

    /// The rest of the body cannot be had any more.
    fn body_failed(&mut self) {
        self.state = State::Over(Outcome::new(Who::Us, How::Failed, Phase::ResponseBody));
    }

    pub(super) fn respond_after_delay(
        &mut self,
        response: S::Response,
        version: Version,
        client_keeps: bool,
        now: &Now,
    ) {
        match response.delay() {
            Some(delay) => {
                let until = now.instant + delay;
                self.state = State::Delay { until, response, version, client_keeps };
            }
            None => self.start_response(response, version, client_keeps, now),
        }
    }

    /// Begins a response: decides whether the connection is kept alive, then writes the response.
    pub(super) fn start_response(
        &mut self,
        response: S::Response,
        version: Version,
        client_keeps: bool,
        now: &Now,
    ) {
        let keep = client_keeps
            && self.reader.requests() < self.service.context.keep_alive_requests
            && !self.is_last_request
            && !response.closes(version);
        let outcome = Outcome::new(Who::Us, How::Finished, Phase::ResponseBody);
        // A client that did not say `close` may have sent its next request already.
        let linger = (client_keeps || !self.input.is_empty()) && !self.client_ended;
        let last = (!keep).then_some(Close { outcome, linger });
        self.write_response(response, version, last, now);
    }

    /// Responds with an error and closes.
    pub(super) fn refuse(&mut self, refusal: Refusal, how: How, phase: Phase, now: &Now) {
        self.refuse_with(refusal, Outcome::new(Who::Client, how, phase), now);
    }

    pub(super) fn refuse_with(&mut self, refusal: Refusal, outcome: Outcome, now: &Now) {
        log::debug!("{} gets {refusal}", self.client.address());
        let close = Close { outcome, linger: !self.client_ended };
        self.logged.set_unread(self.input.bytes(), self.wants_closings());
        self.client.report_connection(&self.service.context);
        self.write_response(self.service.site.refuse(refusal), Version::Http11, Some(close), now);
    }

    /// Writes the head, and a small body behind it; a long body is sent from where it is.
    fn write_response(&mut self, response: S::Response, version: Version, last: Option<Close>, now: &Now) {
        let connection = match (last.is_some(), version) {
            (true, _) => Some("close"),
            (false, Version::Http10) => Some("keep-alive"),
            (false, Version::Http11) => None,
        };
        let before = self.output.len();
        if !response.write_head(&mut self.output, version, connection, now) {
            // Only earlier responses to pipelined requests leave too little room: they are sent first.
            if before > 0 {
                self.state = State::Room { response, version, last };
                return;
            }
            log::error!("no room for the head of the response to {}", self.logged);
            self.state = State::Over(Outcome::new(Who::Us, How::Failed, Phase::ResponseHead));
            return;
        }
        let head_end = self.output.len();
        self.status = Some(response.status());
        self.state = State::Response { last };
        self.timing.first_byte = Some(now.instant);
        // The response gets a full stall timeout of its own, however late it comes.
        self.last_progress = now.instant;
        self.trailing = response.trailing();
        if self.service.context.observer.wants_heads() {
            let head = &self.output.bytes()[before..];
            self.client.report(&self.service.context, &Event::ResponseHead(head));
        }
        self.cause = response.cause();
        self.body = match response.into_body() {
            Body::File { length: 0, .. } => OutgoingBody::None,
            Body::File { file, offset, length } => OutgoingBody::File { file, offset, length },
            Body::Generated(generator) => OutgoingBody::Generated(generator),
            Body::Memory(content) => {
                let bytes = content.as_ref();
                match bytes.len() <= COPIED_BYTES_MAX && self.output.push(bytes) {
                    true => OutgoingBody::None,
                    false => OutgoingBody::Memory { content, next: 0 },
                }
            }
        };
        self.timing.bytes_out += (self.output.len() - before) as u64;
        self.timing.body_out += (self.output.len() - head_end) as u64;
    }

    /// Begins the response that waits for room, once there is all the room there can be.
    pub(super) fn resume_response(&mut self, now: &Now) -> bool {
        if !self.output.is_empty() {
            return false;
        }
        if let State::Room { response, version, last } = std::mem::replace(&mut self.state, State::Head) {
            self.write_response(response, version, last, now);
        }
        true
    }

    /// Ends the exchange if its response is complete in the output, and either sent or followed by a next
    /// request that has come already. False if bytes must be sent first.
    pub(super) fn finish_response(&mut self, now: &Now) -> bool {
        self.generate_body();
        if !matches!(self.body, OutgoingBody::None) {
            return false;
        }
        if !self.trailing.is_empty() && self.output.push(self.trailing) {
            self.timing.bytes_out += self.trailing.len() as u64;
            self.timing.body_out += self.trailing.len() as u64;
            self.trailing = b"";
        }
        let State::Response { last } = self.state else { return false };
        match last {
            None if self.output.is_empty() || !self.input.is_empty() => {
                self.log_exchange(Outcome::new(Who::Us, How::Finished, Phase::ResponseBody), now);
                self.reader.next_request(now);
                self.timing = Timing::open(now.instant, now);
                self.state = State::Head;
                true
            }
            Some(Close { outcome, linger }) if self.output.is_empty() => {
                self.log_exchange(outcome, now);
                self.input.clear();
                self.state = match linger {
                    true => State::Linger(Linger::new(now), outcome),
                    false => State::Over(outcome),
                };
                false
            }
            _ => false,
        }
    }

    /// Generates as much of a body as there is room for.
    fn generate_body(&mut self) {
        let OutgoingBody::Generated(generator) = &mut self.body else { return };
        let before = self.output.len();
        let filled = generator.fill(&mut self.output);
        let generated = (self.output.len() - before) as u64;
        self.timing.bytes_out += generated;
        self.timing.body_out += generated;
        match filled {
            Ok(true) => self.body = OutgoingBody::None,
            Ok(false) => {}
            Err(error) => {
                let (request, client) = (&self.logged, self.client.address());
                log::error!("the file of {request} cannot be read to its end for {client}: {error}");
                self.body_failed();
            }
        }
    }
}
