//! The lines of a response head for the client that are written anew: framing and `Connection`.

use super::lines::Lines;
use crate::protocol::http::framing::Framing;
use crate::protocol::http::head::ResponseHead;
use crate::protocol::http::{Version, decimal};
use crate::protocol::limits::CONTENT_BYTES_MAX;

/// Writes `Connection`, and `Upgrade` where it says something to the client: to which protocol the connection
/// switches (101), or which ones the back end wants instead of HTTP/1.1 (426, RFC 9110 section 15.5.22).
pub(super) fn connection(head: &ResponseHead<'_>, connection: Option<&'static str>, lines: &mut Lines<'_>) {
    let upgrade = matches!(head.status, 101 | 426) && head.fields.first("upgrade").is_some();
    match connection.filter(|_| head.status != 101) {
        Some(value) if upgrade => {
            lines.put(b"Connection: ");
            lines.put(value.as_bytes());
            lines.put(b", Upgrade\r\n");
        }
        Some(value) => lines.field("Connection", value.as_bytes()),
        None if upgrade => lines.put(b"Connection: Upgrade\r\n"),
        None => {}
    }
    if upgrade {
        head.fields.all("upgrade").for_each(|protocol| lines.field("Upgrade", protocol));
    }
}

/// Writes the framing, as far as the client's version has it.
pub(super) fn framing(
    head: &ResponseHead<'_>,
    framing: Framing,
    client_version: Version,
    lines: &mut Lines<'_>,
) {
    match framing {
        Framing::Length(bytes) => lines.length(bytes),
        Framing::Chunked if client_version == Version::Http11 => lines.put(b"Transfer-Encoding: chunked\r\n"),
        Framing::Chunked | Framing::UntilClose => {}
        // RFC 9110 section 8.6: these must not have a Content-Length.
        Framing::None if head.status < 200 || head.status == 204 => {}
        // For a HEAD and in a 304 it is the length of the body that is not sent; else it is 0.
        Framing::None => {
            let length = head.fields.only("content-length").and_then(decimal);
            if let Some(bytes) = length.filter(|bytes| *bytes <= CONTENT_BYTES_MAX) {
                lines.length(bytes);
            }
        }
    }
}
