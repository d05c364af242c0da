//! The responses of a gateway itself: errors, and redirects.
//!
//! Contract: a response is written whole or not at all.

use crate::protocol::buffer::Buffer;
use crate::protocol::http::ExtraField;
use crate::protocol::http::response::{ResponseWriter, SERVER};
use crate::protocol::now::Now;

/// A response of the gateway: a sentence for people, and `Proxy-Status` (RFC 9209) for programs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnResponse<'r> {
    pub(crate) status: u16,
    /// A name of RFC 9209 section 2.3, such as `connection_refused`, or `""` for none.
    pub(crate) proxy_error: &'r str,
    pub(crate) sentence: &'r str,
    /// Where the client is redirected to.
    pub(crate) location: Option<&'r str>,
    /// What else the client is told.
    pub(crate) field: Option<ExtraField>,
}

impl OwnResponse<'_> {
    /// Writes the complete response. `head_only` leaves the body out, for a HEAD. If `out` has no room, nothing
    /// is written and the result is `false`.
    #[must_use]
    pub(crate) fn write(
        &self,
        out: &mut Buffer,
        now: &Now,
        connection: Option<&'static str>,
        head_only: bool,
    ) -> bool {
        let before = out.len();
        let mut head = ResponseWriter::start(out, self.status, now);
        if !self.proxy_error.is_empty() {
            head.field("Proxy-Status", format_args!("{SERVER}; error={}", self.proxy_error));
        }
        if let Some(location) = self.location {
            head.field("Location", location);
        }
        if let Some(field) = self.field {
            field.write(&mut head);
        }
        // RFC 9110 section 8.6: a 204 has no body, and no length either.
        let has_body = self.status != 204;
        if has_body {
            head.field("Content-Type", "text/plain; charset=utf-8");
            head.field("Content-Length", self.body_bytes(false));
        }
        if let Some(value) = connection {
            head.field("Connection", value);
        }
        let fits = head.finish()
            && (self.body_bytes(head_only) == 0 || (out.push(self.sentence.as_bytes()) && out.push(b"\n")));
        if !fits {
            out.truncate(before);
        }
        fits
    }

    /// Bytes of its body: the sentence and a line end, unless there is none.
    pub(crate) fn body_bytes(&self, head_only: bool) -> u64 {
        if head_only || self.status == 204 { 0 } else { self.sentence.len() as u64 + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Instant, SystemTime};

    #[test]
    fn an_error_response_has_a_sentence_and_a_proxy_status() {
        let now = Now { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH };
        let sentence = "The back end refused the connection.";
        let response = OwnResponse {
            status: 502,
            proxy_error: "connection_refused",
            sentence,
            location: None,
            field: None,
        };
        let mut out = Buffer::new();
        assert!(response.write(&mut out, &now, Some("close"), false));
        let expected = "HTTP/1.1 502 Bad Gateway\r\nServer: giliran\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
            Proxy-Status: giliran; error=connection_refused\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Length: 37\r\nConnection: close\r\n\r\nThe back end refused the connection.\n";
        assert_eq!(std::str::from_utf8(out.bytes()), Ok(expected));
        out.clear();
        let response = OwnResponse { status: 400, proxy_error: "", sentence, location: None, field: None };
        assert!(response.write(&mut out, &now, None, true));
        assert!(out.bytes().ends_with(b"Content-Length: 37\r\n\r\n"));
        assert!(out.push(&vec![0; out.room() - 160]));
        let before = out.len();
        assert!(!response.write(&mut out, &now, None, false));
        assert_eq!(out.len(), before);
    }
}
