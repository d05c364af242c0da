//! A client connection answered from a site: request after request, each answer whole before the next.
//!
//! Contract: bytes of the client go in by [`client_space`](Web::client_space) and
//! [`client_received`](Web::client_received), answers come out by [`client_output`](Web::client_output)
//! and [`client_sent`](Web::client_sent), and [`wants`](Web::wants) tells which is due. Requests that
//! arrive together are answered in order, and small answers to them leave together.
//!
//! ```text
//!   Head --> Body --> Delay --> Answer --+--> Head        (kept)
//!     |        |                         +--> Linger      (closed, and the client may still be sending)
//!     +--------+--- refused --> Answer --+--> Over
//! ```

use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::account::Account;
use crate::buffer::Buffer;
use crate::defaults::SITE_BODY_BYTES_MAX;
use crate::ending::{Ending, How, Phase, Who};
use crate::http::body::{BodyReader, Part};
use crate::http::framing::{self, Framing};
use crate::http::head::RequestHead;
use crate::http::request_reader::RequestReader;
use crate::http::response::HEAD_ROOM;
use crate::http::{Method, Refusal, Version};
use crate::linger::Linger;
use crate::log::{self, Closing};
use crate::now::Now;
use crate::request_line::RequestLine;
use crate::settings::Timeouts;
use crate::site::{Answer, Content, Filler, Length, Site};
use crate::wants::Wants;

/// One client connection of a web server.
#[derive(Debug)]
pub struct Web {
    role: &'static str,
    client: SocketAddr,
    site: Arc<Site>,
    timeouts: Timeouts,
    keep_alive_requests: u32,
    state: State,
    reader: RequestReader,
    /// Bytes received and not yet used.
    input: Buffer,
    /// Heads and small bodies to send.
    output: Buffer,
    /// The body behind `output`, if it is too long to be copied there.
    body: Outgoing,
    /// Stray bytes behind the body, as the Python wrote them.
    trailing: &'static [u8],
    /// The client has closed its sending side.
    client_ended: bool,
    draining: bool,
    /// When a byte last moved.
    last_progress: Instant,
    request_line: RequestLine,
    account: Account,
}

#[derive(Debug)]
enum State {
    /// Waiting for a whole request head.
    Head,
    /// Reading a request body only to get past it; the answer is ready.
    Body {
        reader: BodyReader,
        bytes: u64,
        answer: Answer,
        version: Version,
        keep: bool,
    },
    /// A test answer that was asked to take its time.
    Delay {
        until: Instant,
        answer: Answer,
        version: Version,
        keep: bool,
    },
    /// Sending; `ending` is set if the connection ends with this answer.
    Answer {
        status: u16,
        last: Option<Close>,
    },
    /// The answer is out; what the client still sends is thrown away.
    Linger(Linger, Ending),
    Over(Ending),
}

/// How a connection ends after its last answer.
#[derive(Clone, Copy, Debug)]
struct Close {
    ending: Ending,
    /// The client may still be sending: read on for a while.
    linger: bool,
}

/// A body that is sent from where it is.
#[derive(Debug)]
enum Outgoing {
    None,
    /// In memory, from `next` on.
    Memory {
        content: Content,
        next: usize,
    },
    /// In a file: `length` bytes from `offset` on.
    File {
        file: Arc<File>,
        offset: u64,
        length: u64,
    },
    /// Made as it goes, into `output`.
    Filler(Filler),
}

/// What is to be sent next.
#[derive(Debug)]
pub enum Output<'w> {
    /// These two slices, one after the other; `more` if a file follows at once.
    #[allow(missing_docs, reason = "named in the line above")]
    Bytes { first: &'w [u8], second: &'w [u8], more: bool },
    /// `length` bytes of a file from `offset` on.
    #[allow(missing_docs, reason = "named in the line above")]
    File { file: &'w File, offset: u64, length: u64 },
}

/// Bodies up to this many bytes are copied behind their head: one send, and the next request can be looked at.
const COPIED_BYTES_MAX: usize = 4096;

impl Web {
    /// A connection that was accepted at `accepted` and is taken up now.
    pub fn new(
        role: &'static str,
        client: SocketAddr,
        site: Arc<Site>,
        timeouts: Timeouts,
        keep_alive_requests: u32,
        accepted: Instant,
        now: &Now,
    ) -> Web {
        log::connection_from(client);
        Web {
            role,
            client,
            site,
            timeouts,
            keep_alive_requests,
            state: State::Head,
            reader: RequestReader::new(accepted),
            input: Buffer::new(),
            output: Buffer::new(),
            body: Outgoing::None,
            trailing: b"",
            client_ended: false,
            draining: false,
            last_progress: now.instant,
            request_line: RequestLine::default(),
            account: Account::open(accepted, now),
        }
    }

    /// What this connection waits for.
    pub fn wants(&self) -> Wants {
        let has_output = !self.output.is_empty() || !matches!(self.body, Outgoing::None);
        match &self.state {
            State::Head | State::Body { .. } => {
                Wants { read_client: !self.client_ended, write_client: has_output, ..Wants::default() }
            }
            State::Delay { .. } | State::Answer { .. } => {
                Wants { write_client: has_output, ..Wants::default() }
            }
            State::Linger(linger, _) => {
                Wants { read_client: linger.shut, shut_client: !linger.shut, ..Wants::default() }
            }
            State::Over(_) => Wants { finish: true, ..Wants::default() },
        }
    }

    /// When [`expired`](Web::expired) is to be called if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Head if self.output.is_empty() => Some(self.reader.deadline(&self.timeouts)),
            State::Head | State::Body { .. } | State::Answer { .. } => {
                Some(self.last_progress + self.timeouts.stall)
            }
            State::Delay { until, .. } => Some(*until),
            State::Linger(linger, _) => Some(linger.deadline()),
            State::Over(_) => None,
        }
    }

    /// The deadline has come: the delay is over, or patience is.
    pub fn expired(&mut self, now: &Now) {
        match self.deadline() {
            Some(deadline) if deadline <= now.instant => {}
            _ => return,
        }
        match std::mem::replace(&mut self.state, State::Head) {
            State::Delay { answer, version, keep, .. } => {
                self.start_answer(answer, version, keep, now);
                self.advance(now);
            }
            State::Head if self.reader.is_idle() && self.output.is_empty() => {
                self.state = State::Over(Ending::new(Who::Client, How::TimedOut, Phase::Idle));
            }
            State::Head if self.output.is_empty() => {
                let refusal = Refusal::new(408, "The request head took too long.");
                self.refuse(refusal, How::TimedOut, Phase::RequestHead, now);
            }
            State::Body { .. } => {
                let refusal = Refusal::new(408, "The request body took too long.");
                self.refuse(refusal, How::TimedOut, Phase::RequestBody, now);
            }
            State::Linger(_, ending) | State::Over(ending) => self.state = State::Over(ending),
            State::Head | State::Answer { .. } => {
                self.state = State::Over(Ending::new(Who::Client, How::TimedOut, Phase::AnswerBody));
            }
        }
    }

    /// Where bytes from the client go.
    pub fn client_space(&mut self) -> &mut [u8] {
        self.input.space()
    }

    /// `count` bytes came from the client; 0 means that it has ended its sending.
    pub fn client_received(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        self.input.filled(count);
        if let State::Linger(linger, ending) = &mut self.state {
            self.input.clear();
            if linger.is_over(count) {
                self.state = State::Over(*ending);
            }
            return;
        }
        self.account.bytes_in += count as u64;
        self.client_ended |= count == 0;
        self.advance(now);
    }

    /// There was nothing to read after all: gives the memory for it back.
    pub fn nothing_from_client(&mut self) {
        self.input.filled(0);
    }

    /// What is to be sent next.
    pub fn client_output(&self) -> Output<'_> {
        let first = self.output.bytes();
        match &self.body {
            Outgoing::Memory { content, next } => {
                Output::Bytes { first, second: &memory(content)[*next..], more: false }
            }
            Outgoing::File { file, offset, length } if first.is_empty() => {
                Output::File { file, offset: *offset, length: *length }
            }
            Outgoing::File { .. } => Output::Bytes { first, second: &[], more: true },
            Outgoing::None | Outgoing::Filler(_) => Output::Bytes { first, second: &[], more: false },
        }
    }

    /// The client has taken the first `count` bytes of what was to be sent.
    pub fn client_sent(&mut self, count: usize, now: &Now) {
        self.last_progress = now.instant;
        let from_output = count.min(self.output.len());
        self.output.consume(from_output);
        let from_body = count - from_output;
        self.account.bytes_out += from_body as u64;
        match &mut self.body {
            Outgoing::Memory { content, next } => {
                *next += from_body;
                if *next == memory(content).len() {
                    self.body = Outgoing::None;
                }
            }
            Outgoing::File { offset, length, .. } => {
                *offset += from_body as u64;
                *length -= from_body as u64;
                if *length == 0 {
                    self.body = Outgoing::None;
                }
            }
            Outgoing::None | Outgoing::Filler(_) => {}
        }
        self.advance(now);
    }

    /// The file ended before its promised length: the answer cannot be completed, and must not look complete.
    pub fn file_ended(&mut self) {
        ::log::error!("the file of {} shrank while it was sent to {}", self.request_line, self.client);
        self.state = State::Over(Ending::new(Who::Us, How::Failed, Phase::AnswerBody));
    }

    /// Our sending side is closed.
    pub fn client_shut(&mut self) {
        if let State::Linger(linger, _) = &mut self.state {
            linger.shut = true;
        }
    }

    /// A call on the client's socket failed.
    pub fn client_failed(&mut self) {
        let phase = match &self.state {
            State::Head if self.reader.is_idle() => Phase::Idle,
            State::Head => Phase::RequestHead,
            State::Body { .. } => Phase::RequestBody,
            State::Delay { .. } | State::Answer { .. } => Phase::AnswerBody,
            State::Linger(_, ending) | State::Over(ending) => {
                self.state = State::Over(*ending);
                return;
            }
        };
        self.state = State::Over(Ending::new(Who::Client, How::Reset, phase));
    }

    /// The program stops: the answer under way is the last one, and an idle connection ends now.
    pub fn drain(&mut self) {
        self.draining = true;
        if matches!(self.state, State::Head) && self.reader.is_idle() && self.output.is_empty() {
            self.state = State::Over(Ending::new(Who::Us, How::Drained, Phase::Idle));
        }
    }

    /// The time for finishing is over.
    pub fn drained(&mut self) {
        if !matches!(self.state, State::Over(_)) {
            self.state = State::Over(Ending::new(Who::Us, How::Drained, Phase::AnswerBody));
        }
    }

    /// Answers 503 and closes: there is no worker for this connection.
    pub fn refuse_for_lack_of_workers(&mut self, now: &Now) {
        let refusal = Refusal::new(503, "All workers are busy and the queue is full; try again soon.");
        self.refuse(refusal, How::Limited, Phase::Queue, now);
    }

    /// True if the close must be a reset, because an orderly one would make a cut answer look complete.
    pub fn was_cut(&self) -> bool {
        matches!(self.state, State::Over(ending) if ending.phase == Phase::AnswerBody && !ending.is_clean())
    }

    /// Writes the closing line of an exchange that did not come to its own end.
    pub fn finish(&mut self, now: &Now) {
        if let State::Over(ending) = self.state
            && !self.request_line.is_empty()
        {
            self.log_exchange(None, ending, now);
        }
    }

    /// Goes as far as the bytes at hand allow.
    fn advance(&mut self, now: &Now) {
        loop {
            let goes_on = match &self.state {
                State::Head => self.read_head(now),
                State::Body { .. } => self.read_body(now),
                State::Answer { .. } => self.answer_is_out(now),
                State::Delay { .. } | State::Linger(..) | State::Over(_) => false,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Takes the next head if it is whole; false if there is nothing more to do now.
    fn read_head(&mut self, now: &Now) -> bool {
        // An answer needs room for its head; pipelined requests wait for it in the input.
        if self.output.room() < HEAD_ROOM + COPIED_BYTES_MAX {
            return false;
        }
        match self.reader.look(self.input.bytes(), now) {
            Ok(Some(length)) => {
                self.take_head(length, now);
                true
            }
            Ok(None) if self.client_ended && self.output.is_empty() => {
                let phase = if self.input.is_empty() { Phase::Idle } else { Phase::RequestHead };
                self.state = State::Over(Ending::new(Who::Client, How::Closed, phase));
                false
            }
            Ok(None) => false,
            Err(refusal) => {
                self.refuse(refusal, How::Malformed, Phase::RequestHead, now);
                true
            }
        }
    }

    /// Decides on the answer to the head that is the first `length` bytes of the input.
    fn take_head(&mut self, length: usize, now: &Now) {
        self.account = Account { bytes_in: self.account.bytes_in, ..Account::open(self.reader.began(), now) };
        let head = match RequestHead::parse(&self.input.bytes()[..length]) {
            Ok(Some(head)) => head,
            Ok(None) => return self.refuse(INCOMPLETE, How::Malformed, Phase::RequestHead, now),
            Err(refusal) => return self.refuse(refusal, How::Malformed, Phase::RequestHead, now),
        };
        self.request_line.set(&head);
        let framing = match framing::of_request(&head) {
            Ok(Framing::Length(bytes)) if bytes > SITE_BODY_BYTES_MAX => Err(TOO_LARGE),
            other => other,
        };
        let framing = match framing {
            Ok(framing) => framing,
            Err(refusal) => return self.refuse(refusal, How::Malformed, Phase::RequestHead, now),
        };
        // A refused CONNECT ends the connection: a hopeful client has sent bytes of its tunnel behind it.
        let keep = head.keeps_alive()
            && head.method != Method::Connect
            && self.reader.requests() < self.keep_alive_requests
            && !self.draining;
        let (version, expects_continue) = (head.version, head.expects_continue());
        let answer = self.site.answer(&head, now);
        self.input.consume(length);
        let reader = BodyReader::new(framing);
        if reader.is_done() {
            return self.answer_after_delay(answer, version, keep, now);
        }
        if expects_continue && self.input.is_empty() {
            let fits = self.output.push(b"HTTP/1.1 100 Continue\r\n\r\n");
            debug_assert!(fits, "read_head saw to the room");
        }
        self.state = State::Body { reader, bytes: 0, answer, version, keep };
    }

    /// Throws the body's bytes away; false if more of them must come first.
    fn read_body(&mut self, now: &Now) -> bool {
        let State::Body { reader, bytes, .. } = &mut self.state else { return false };
        loop {
            match reader.next(self.input.bytes()) {
                Ok(Some(Part::Content(count))) => {
                    *bytes += count as u64;
                    self.input.consume(count);
                    if *bytes > SITE_BODY_BYTES_MAX {
                        self.refuse(TOO_LARGE, How::Limited, Phase::RequestBody, now);
                        return true;
                    }
                }
                Ok(Some(Part::Framing(count))) => self.input.consume(count),
                Ok(None) => break,
                Err(_) => {
                    let refusal = Refusal::bad("The chunked body breaks its own framing.");
                    self.refuse(refusal, How::Malformed, Phase::RequestBody, now);
                    return true;
                }
            }
        }
        if !reader.is_done() {
            if self.client_ended {
                self.state = State::Over(Ending::new(Who::Client, How::Closed, Phase::RequestBody));
            }
            return false;
        }
        if let State::Body { answer, version, keep, .. } = std::mem::replace(&mut self.state, State::Head) {
            self.answer_after_delay(answer, version, keep, now);
        }
        true
    }

    fn answer_after_delay(&mut self, answer: Answer, version: Version, keep: bool, now: &Now) {
        match answer.delay {
            Some(delay) => self.state = State::Delay { until: now.instant + delay, answer, version, keep },
            None => self.start_answer(answer, version, keep, now),
        }
    }

    /// Writes the head and lays out the body behind it.
    fn start_answer(&mut self, answer: Answer, version: Version, keep: bool, now: &Now) {
        let keep = keep
            && !answer.close
            && !self.draining
            && answer.length != Length::UntilClose
            && !(answer.length == Length::Chunked && version == Version::Http10);
        let ending = Ending::new(Who::Us, How::Finished, Phase::AnswerBody);
        let last = (!keep).then_some(Close { ending, linger: !self.input.is_empty() });
        self.lay_out(answer, version, last, now);
    }

    /// Answers with an error and closes.
    fn refuse(&mut self, refusal: Refusal, how: How, phase: Phase, now: &Now) {
        ::log::debug!("{} is answered {refusal}", self.client);
        let close = Close { ending: Ending::new(Who::Client, how, phase), linger: !self.client_ended };
        self.request_line.set_if_empty("-");
        self.lay_out(self.site.refuse(refusal), Version::Http11, Some(close), now);
    }

    /// Writes the head, and the body behind it if that is small; a long body is sent from where it is.
    fn lay_out(&mut self, answer: Answer, version: Version, last: Option<Close>, now: &Now) {
        let connection = match (last.is_some(), version) {
            (true, _) => Some("close"),
            (false, Version::Http10) => Some("keep-alive"),
            (false, Version::Http11) => None,
        };
        let before = self.output.len();
        self.state = State::Answer { status: answer.status, last };
        self.account.first_byte = Some(now.instant);
        self.trailing = answer.trailing();
        if !answer.write_head(&mut self.output, version, connection, now) {
            ::log::error!("no room for the head of the answer to {}", self.request_line);
            self.state = State::Over(Ending::new(Who::Us, How::Failed, Phase::AnswerHead));
            return;
        }
        self.body = match answer.body {
            Content::File { length: 0, .. } => Outgoing::None,
            Content::File { file, offset, length } => Outgoing::File { file, offset, length },
            Content::Filler { .. } => answer.body.filler().map_or(Outgoing::None, Outgoing::Filler),
            content => {
                let bytes = memory(&content);
                match bytes.len() <= COPIED_BYTES_MAX && self.output.push(bytes) {
                    true => Outgoing::None,
                    false => Outgoing::Memory { content, next: 0 },
                }
            }
        };
        self.account.bytes_out += (self.output.len() - before) as u64;
    }

    /// Ends the exchange if all of its answer is out, or laid out before a next request that is
    /// here already; false if bytes must leave first.
    fn answer_is_out(&mut self, now: &Now) -> bool {
        self.fill();
        if !matches!(self.body, Outgoing::None) {
            return false;
        }
        if !self.trailing.is_empty() && self.output.push(self.trailing) {
            self.account.bytes_out += self.trailing.len() as u64;
            self.trailing = b"";
        }
        let State::Answer { status, last } = self.state else { return false };
        match last {
            None if self.output.is_empty() || !self.input.is_empty() => {
                self.log_exchange(Some(status), Ending::new(Who::Us, How::Finished, Phase::AnswerBody), now);
                self.reader.next_request(now);
                self.state = State::Head;
                true
            }
            Some(Close { ending, linger }) if self.output.is_empty() => {
                self.log_exchange(Some(status), ending, now);
                self.input.clear();
                self.state = match linger {
                    true => State::Linger(Linger::new(now), ending),
                    false => State::Over(ending),
                };
                false
            }
            _ => false,
        }
    }

    /// Makes as much of a test answer as there is room for.
    fn fill(&mut self) {
        let Outgoing::Filler(filler) = &mut self.body else { return };
        let before = self.output.len();
        let is_whole = filler.fill(&mut self.output);
        self.account.bytes_out += (self.output.len() - before) as u64;
        if is_whole {
            self.body = Outgoing::None;
        }
    }

    fn log_exchange(&mut self, status: Option<u16>, ending: Ending, now: &Now) {
        let request = Some(self.request_line.as_str());
        log::closed(&Closing {
            request,
            status,
            ..self.account.closing(self.role, self.client, ending, now)
        });
        self.request_line.clear();
        self.account.bytes_in = 0;
    }
}

/// The bytes of a body that is in memory.
fn memory(content: &Content) -> &[u8] {
    content.bytes().unwrap_or_default()
}

/// The scan found the end of the head and the grammar did not.
const INCOMPLETE: Refusal = Refusal::bad("The request head is not complete.");
const TOO_LARGE: Refusal = Refusal::new(413, "The body is longer than 1 MiB.");
