//! The request line as the log shows it: method and target, at most so long, and only if a log line will want it.

use std::fmt;

use crate::protocol::http::head::RequestHead;

/// Bytes of a target that the log shows.
const SHOWN_BYTES_MAX: usize = 256;

/// `GET /images/`, or empty between two requests.
#[derive(Debug, Default)]
pub struct RequestLine(String);

impl RequestLine {
    /// Remembers a request, if anybody `wanted` to be told of its end.
    pub fn set(&mut self, head: &RequestHead<'_>, wanted: bool) {
        self.0.clear();
        if wanted {
            self.0.push_str(head.method_name);
            self.0.push(' ');
            let target = head.target;
            let end = (0..=target.len().min(SHOWN_BYTES_MAX)).rev().find(|&end| target.is_char_boundary(end));
            self.0.push_str(&target[..end.unwrap_or(0)]);
        }
    }

    /// Puts `text` where a request could not be read.
    pub fn set_if_empty(&mut self, text: &str, wanted: bool) {
        if self.0.is_empty() && wanted {
            self.0.push_str(text);
        }
    }

    /// Forgets the request; the memory stays for the next one.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// True between two requests.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
