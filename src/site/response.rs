//! Answers: what a site says to one request, before any of it is bytes.
//!
//! Contract: an answer knows its status, its fields and its body; [`Response::write_head`] turns the
//! first two into a head. Whoever sends it only has to send the body's bytes, and to close if told.

use std::borrow::Cow;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::cache::CachedFile;
use super::mirror;
use super::trial::Filler;
use crate::protocol::buffer::Buffer;
use crate::protocol::http::response::ResponseWriter;
use crate::protocol::http::{Refusal, Version};
use crate::protocol::now::Now;
use crate::protocol::web::{self, Body};

/// The methods a site answers, for `Allow`.
const ALLOW: &str = "GET, HEAD, POST";

/// One answer.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// `Content-Type`, where no file gives it.
    pub content_type: Option<&'static str>,
    /// `Location`.
    pub location: Option<Cow<'static, str>>,
    /// True if `Allow` lists what may be asked instead.
    pub allow: bool,
    /// The file that is answered with: its `Content-Type`, `ETag`, `Last-Modified`.
    pub file: Option<Arc<CachedFile>>,
    /// `Content-Range`.
    pub content_range: Option<ContentRange>,
    /// How the client learns where the body ends.
    pub length: Length,
    /// What is sent after the head.
    pub body: Content,
    /// How long to wait before the head is sent.
    pub delay: Option<Duration>,
    /// True if the connection ends with this answer.
    pub close: bool,
    /// True if it is written as the course's Python wrote it.
    pub(super) mirrored: bool,
    /// True if the request was a HEAD: the fields speak of a body that is not sent.
    pub(super) head_only: bool,
}

/// How the end of an answer's body is announced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Length {
    /// Not at all: the status has no body (204, 304).
    None,
    /// `Content-Length`.
    Known(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// By the close of the connection.
    UntilClose,
}

/// The value of `Content-Range`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "first and last byte of how many, as the field has them")]
pub enum ContentRange {
    Part { first: u64, last: u64, whole: u64 },
    Unsatisfiable { whole: u64 },
}

/// What is sent after the head, in pieces of the sender's choice.
#[derive(Debug)]
pub enum Content {
    /// Nothing: HEAD, 204, 304.
    Empty,
    /// A fixed text.
    Static(&'static [u8]),
    /// A text made for this answer.
    Text(String),
    /// A part of a file that is held in memory, shared with the cache.
    Cached {
        /// The file; its [`bytes`](CachedFile::bytes) are there.
        file: Arc<CachedFile>,
        /// Which of them.
        range: Range<usize>,
    },
    /// A part of an open file, shared with the cache: read it at positions, never move its own.
    File {
        /// The file.
        file: Arc<File>,
        /// The first byte to send.
        offset: u64,
        /// How many. If the file turns out shorter, the connection must be closed.
        length: u64,
    },
    /// Made on the way by a [`Filler`].
    Filler {
        /// Bytes of content, chunk framing not counted.
        length: u64,
        /// True if it goes out in chunks.
        chunked: bool,
    },
}

impl Content {
    /// The whole of it, if it is in memory: all but a file and a filler.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Content::Empty => Some(&[]),
            Content::Static(text) => Some(text),
            Content::Text(text) => Some(text.as_bytes()),
            Content::Cached { file, range } => file.bytes().and_then(|bytes| bytes.get(range.clone())),
            Content::File { .. } | Content::Filler { .. } => None,
        }
    }

    /// Bytes of content, chunk framing not counted.
    pub fn length(&self) -> u64 {
        match self {
            Content::File { length, .. } | Content::Filler { length, .. } => *length,
            _ => self.bytes().map_or(0, |bytes| bytes.len() as u64),
        }
    }

    /// The generator of a filler's bytes.
    pub fn filler(&self) -> Option<Filler> {
        match self {
            Content::Filler { length, chunked } => Some(Filler::new(*length, *chunked)),
            _ => None,
        }
    }
}

impl Response {
    /// An answer with this body, its length known and nothing else said.
    pub(super) fn new(status: u16, body: Content) -> Response {
        Response {
            status,
            content_type: None,
            location: None,
            allow: false,
            file: None,
            content_range: None,
            length: Length::Known(body.length()),
            body,
            delay: None,
            close: false,
            mirrored: false,
            head_only: false,
        }
    }

    /// A fixed text.
    pub(super) fn text(status: u16, text: &'static str) -> Response {
        Response {
            content_type: Some("text/plain"),
            ..Response::new(status, Content::Static(text.as_bytes()))
        }
    }

    /// 204.
    pub(super) fn no_content() -> Response {
        Response { length: Length::None, ..Response::new(204, Content::Empty) }
    }

    /// Another address instead.
    pub(super) fn redirect(status: u16, location: impl Into<Cow<'static, str>>) -> Response {
        Response { location: Some(location.into()), ..Response::new(status, Content::Empty) }
    }

    /// An error, in one plain sentence. The connection may live on: see [`super::Site::refuse`].
    pub fn refusal(refusal: Refusal) -> Response {
        let allow = refusal.status == 405;
        Response { allow, ..Response::text(refusal.status, refusal.reason) }
    }

    /// Takes the body away and leaves the fields that tell of it: what a HEAD gets.
    #[must_use]
    pub fn without_body(self) -> Response {
        Response { body: Content::Empty, head_only: true, ..self }
    }

    /// The fields about what is answered with.
    fn describe(&self, head: &mut ResponseWriter<'_>) {
        if let Some(content_type) = self.content_type() {
            head.field_bytes("Content-Type", content_type.as_bytes());
        }
        if let Some(file) = &self.file {
            head.field_bytes("Last-Modified", &file.last_modified);
            head.field_bytes("ETag", file.etag.as_bytes());
            head.field_bytes("Accept-Ranges", b"bytes");
        }
        match self.content_range {
            Some(ContentRange::Part { first, last, whole }) => {
                head.field("Content-Range", format_args!("bytes {first}-{last}/{whole}"));
            }
            Some(ContentRange::Unsatisfiable { whole }) => {
                head.field("Content-Range", format_args!("bytes */{whole}"));
            }
            None => {}
        }
        if let Some(location) = &self.location {
            head.field_bytes("Location", location.as_bytes());
        }
        if self.allow {
            head.field_bytes("Allow", ALLOW.as_bytes());
        }
    }

    /// The type of what is answered with; none where nothing is (304).
    pub(super) fn content_type(&self) -> Option<&str> {
        match (&self.file, self.length) {
            (_, Length::None) => None,
            (Some(file), _) => Some(&file.content_type),
            (None, _) => self.content_type,
        }
    }
}

impl web::Response for Response {
    type Memory = Content;
    type File = Arc<File>;
    type Generator = Filler;

    fn status(&self) -> u16 {
        self.status
    }

    fn delay(&self) -> Option<Duration> {
        self.delay
    }

    fn closes(&self, version: Version) -> bool {
        let ends_by_close = match self.length {
            Length::UntilClose => true,
            // A client of HTTP/1.0 knows no chunks.
            Length::Chunked => version == Version::Http10,
            Length::None | Length::Known(_) => false,
        };
        self.close || ends_by_close
    }

    fn trailing(&self) -> &'static [u8] {
        if self.mirrored && !self.head_only { mirror::STRAY } else { b"" }
    }

    /// An answer that closes says `close` by itself.
    fn write_head(
        &self,
        out: &mut Buffer,
        version: Version,
        connection: Option<&'static str>,
        now: &Now,
    ) -> bool {
        if self.mirrored {
            return mirror::write_head(self, out, now);
        }
        let mut head = ResponseWriter::start(out, self.status, now);
        self.describe(&mut head);
        match self.length {
            Length::Known(bytes) => head.field("Content-Length", bytes),
            Length::Chunked if version == Version::Http11 => {
                head.field_bytes("Transfer-Encoding", b"chunked")
            }
            Length::Chunked | Length::UntilClose | Length::None => {}
        }
        if let Some(value) = if self.close { Some("close") } else { connection } {
            head.field_bytes("Connection", value.as_bytes());
        }
        head.finish()
    }

    fn into_body(self) -> Body<Content, Arc<File>, Filler> {
        match self.body {
            Content::File { file, offset, length } => Body::File { file, offset, length },
            Content::Filler { length, chunked } => Body::Generated(Filler::new(length, chunked)),
            in_memory => Body::Memory(in_memory),
        }
    }
}

impl AsRef<[u8]> for Content {
    /// Empty for what is not in memory.
    fn as_ref(&self) -> &[u8] {
        self.bytes().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::web::Response as _;
    use std::time::{Instant, SystemTime};

    fn head(response: &Response, version: Version, connection: Option<&'static str>) -> String {
        let now = Now { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH };
        let mut out = Buffer::new();
        assert!(response.write_head(&mut out, version, connection, &now));
        String::from_utf8(out.bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_head_says_what_the_answer_knows() {
        assert_eq!(
            head(&Response::text(200, "kosong"), Version::Http11, None),
            "HTTP/1.1 200 OK\r\nServer: giliran\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
             Content-Type: text/plain\r\nContent-Length: 6\r\n\r\n"
        );
        let head = |response: &Response, connection| {
            let head = head(response, Version::Http11, connection);
            head.split_once("GMT\r\n").unwrap().1.to_owned()
        };
        assert_eq!(head(&Response::no_content(), None), "\r\n");
        assert_eq!(
            head(&Response::redirect(302, "/b"), Some("keep-alive")),
            "Location: /b\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
        );
        let refused = Response::refusal(Refusal::new(405, "No."));
        assert_eq!(
            head(&refused, None),
            "Content-Type: text/plain\r\nAllow: GET, HEAD, POST\r\nContent-Length: 3\r\n\r\n"
        );
        let closing = Response { close: true, ..Response::no_content() };
        assert_eq!(head(&closing, Some("keep-alive")), "Connection: close\r\n\r\n");
    }

    #[test]
    fn a_client_of_http_1_0_is_never_told_of_chunks() {
        let body = Content::Filler { length: 5, chunked: true };
        let response = Response { length: Length::Chunked, ..Response::new(200, body) };
        assert!(head(&response, Version::Http11, None).contains("Transfer-Encoding: chunked\r\n"));
        assert!(!head(&response, Version::Http10, None).contains("chunked"));
    }

    #[test]
    fn a_head_without_room_leaves_nothing() {
        let mut out = Buffer::new();
        assert!(out.push(&vec![0; out.room() - 20]));
        let before = out.len();
        let now = Now { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH };
        for mirrored in [false, true] {
            let response = Response { mirrored, ..Response::text(200, "x") };
            assert!(!response.write_head(&mut out, Version::Http11, None, &now));
            assert_eq!(out.len(), before);
        }
    }
}
