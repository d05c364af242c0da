//! A response of the status page.
//!
//! Contract: nothing of it may be cached, framed by another page or read as another type than it has.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::observe::role_view::Board;
use crate::protocol::buffer::Buffer;
use crate::protocol::http::response::ResponseWriter;
use crate::protocol::http::{Method, Version};
use crate::protocol::machine::NoFile;
use crate::protocol::now::Now;
use crate::protocol::web::{self, Body, Generator};

/// What the dashboard may load: nothing but itself, and data from here.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A response of which nothing was sent yet.
#[derive(Debug)]
pub(crate) struct StatusResponse {
    status: u16,
    content_type: &'static str,
    content: Content,
    /// For 405: the methods that are allowed.
    allow: Option<&'static str>,
    /// For 401: that a token is wanted.
    wants_token: bool,
    head_only: bool,
    closes: bool,
}

/// The body.
#[derive(Debug)]
pub(crate) enum Content {
    Static(&'static str),
    Text(String),
    /// The trace that is being recorded: written when its time is over.
    Trace(Recording),
}

/// A trace that is being recorded; dropped before its end, it is given up.
#[derive(Debug)]
pub(crate) struct Recording {
    board: Arc<Board>,
    time: Duration,
    text: OnceLock<String>,
}

impl Recording {
    /// Ends it at the first call.
    fn text(&self) -> &str {
        self.text.get_or_init(|| self.board.end_trace())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.text.get().is_none() {
            let _given_up = self.board.end_trace();
        }
    }
}

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        match self {
            Content::Static(text) => text.as_bytes(),
            Content::Text(text) => text.as_bytes(),
            Content::Trace(recording) => recording.text().as_bytes(),
        }
    }
}

impl StatusResponse {
    pub(super) fn new(status: u16, content_type: &'static str, content: Content) -> StatusResponse {
        StatusResponse {
            status,
            content_type,
            content,
            allow: None,
            wants_token: false,
            head_only: false,
            closes: false,
        }
    }

    pub(super) fn text(status: u16, content_type: &'static str, text: String) -> StatusResponse {
        StatusResponse::new(status, content_type, Content::Text(text))
    }

    pub(super) fn plain(status: u16, text: &str) -> StatusResponse {
        StatusResponse::text(status, "text/plain; charset=utf-8", text.to_owned())
    }

    pub(super) fn json(status: u16, text: String) -> StatusResponse {
        StatusResponse::text(status, "application/json", text)
    }

    pub(super) fn not_allowed(allow: &'static str) -> StatusResponse {
        let text = format!("This address is for {allow}.\n");
        StatusResponse { allow: Some(allow), ..StatusResponse::plain(405, &text) }
    }

    pub(super) fn unauthorized(text: &str) -> StatusResponse {
        StatusResponse { wants_token: true, ..StatusResponse::plain(401, text) }
    }

    /// Comes when the trace that has begun is over.
    pub(super) fn trace(board: Arc<Board>, time: Duration) -> StatusResponse {
        let recording = Recording { board, time, text: OnceLock::new() };
        StatusResponse::new(200, "application/json", Content::Trace(recording))
    }

    /// The same as the last one of its connection.
    pub(super) fn closing(self) -> StatusResponse {
        StatusResponse { closes: true, ..self }
    }

    pub(super) fn for_method(self, method: Method) -> StatusResponse {
        StatusResponse { head_only: method == Method::Head, ..self }
    }

    #[cfg(test)]
    pub(super) fn parts(&self) -> (u16, &str) {
        (self.status, str::from_utf8(self.content.as_ref()).unwrap())
    }
}

impl web::Response for StatusResponse {
    type Memory = Content;
    type File = NoFile;
    type Generator = NoGenerator;

    fn status(&self) -> u16 {
        self.status
    }

    fn cause(&self) -> Option<&'static str> {
        None
    }

    fn delay(&self) -> Option<Duration> {
        match &self.content {
            Content::Trace(recording) => Some(recording.time),
            Content::Static(_) | Content::Text(_) => None,
        }
    }

    fn closes(&self, _version: Version) -> bool {
        self.closes
    }

    fn trailing(&self) -> &'static [u8] {
        b""
    }

    fn write_head(
        &self,
        out: &mut Buffer,
        _version: Version,
        connection: Option<&'static str>,
        now: &Now,
    ) -> bool {
        let mut head = ResponseWriter::start(out, self.status, now);
        head.field("Content-Type", self.content_type);
        head.field("Content-Length", self.content.as_ref().len());
        head.field("Cache-Control", "no-store");
        head.field("X-Content-Type-Options", "nosniff");
        head.field("Content-Security-Policy", POLICY);
        if let Content::Trace(_) = self.content {
            head.field("Content-Disposition", "attachment; filename=\"giliran-trace.json\"");
        }
        self.allow.into_iter().for_each(|allow| head.field("Allow", allow));
        if self.wants_token {
            head.field("WWW-Authenticate", "Bearer realm=\"giliran status\"");
        }
        connection.into_iter().for_each(|value| head.field("Connection", value));
        head.finish()
    }

    fn into_body(self) -> Body<Content, NoFile, NoGenerator> {
        Body::Memory(if self.head_only { Content::Static("") } else { self.content })
    }
}

/// No response of the status page is generated while it is sent.
#[derive(Debug)]
pub(crate) enum NoGenerator {}

impl Generator for NoGenerator {
    fn fill(&mut self, _out: &mut Buffer) -> io::Result<bool> {
        match *self {}
    }
}
