//! The request as the log shows it: method and target, cut to a bounded length. It is only remembered if an
//! observer wants to be told of the end of a request.

use std::fmt;

use crate::protocol::http::head::RequestHead;

/// Bytes of a target that the log shows: enough for any ordinary target, and a log line stays readable.
const SHOWN_BYTES_MAX: usize = 256;

/// `GET /images/`, or empty between two requests.
#[derive(Debug, Default)]
pub(crate) struct RequestLine(String);

impl RequestLine {
    /// Remembers a request, if it is `wanted` for the log.
    pub(crate) fn set(&mut self, head: &RequestHead<'_>, wanted: bool) {
        self.0.clear();
        if wanted {
            self.0.push_str(head.method_name);
            self.0.push(' ');
            let target = head.target;
            let end = (0..=target.len().min(SHOWN_BYTES_MAX)).rev().find(|&end| target.is_char_boundary(end));
            self.0.push_str(&target[..end.unwrap_or(0)]);
        }
    }

    /// Remembers `text` for a request that could not be read, if it is `wanted` for the log.
    pub(crate) fn set_if_empty(&mut self, text: &str, wanted: bool) {
        if self.0.is_empty() && wanted {
            self.0.push_str(text);
        }
    }

    /// Forgets the request; the memory is kept for the next one.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// True between two requests.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The line.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
