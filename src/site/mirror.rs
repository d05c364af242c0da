//! The mirror: answers as the course's Python wrote them, byte for byte, so that its transcripts can
//! be repeated.
//!
//! Contract: what is mirrored is the wire format, its oddities included: HTTP/1.0, a date in local
//! time, `Content-type` for files only, errors without a word, four stray bytes after the body.
//! Its faults are not: a HEAD is answered, large files arrive whole, an unknown extension is no crash.

use std::borrow::Cow;
use std::io::Write;

use chrono::{DateTime, Local};

use super::mime;
use super::response::{Content, Length, Response};
use crate::protocol::buffer::Buffer;
use crate::protocol::http::response::reason;
use crate::protocol::now::Now;

/// What the Python's main loop appended to each answer.
pub(super) const STRAY: &[u8] = b"\r\n\r\n";

/// The Python's dictionary of types; it knew no others.
pub(super) fn content_type(path: &[u8]) -> Cow<'static, str> {
    const TYPES: [(&str, &str); 4] =
        [(".pdf", "application/pdf"), (".jpg", "image/jpeg"), (".txt", "text/plain"), (".html", "text/html")];
    let known = TYPES.iter().find(|(extension, _)| path.ends_with(extension.as_bytes()));
    Cow::Borrowed(known.map_or(mime::UNKNOWN, |(_, content_type)| content_type))
}

/// Turns an answer into the Python's: always the last on its connection, errors without a body.
pub(super) fn mirrored(response: Response) -> Response {
    let response = Response { mirrored: true, close: true, ..response };
    match response.status {
        400.. => Response { body: Content::Empty, length: Length::Known(0), ..response },
        _ => response,
    }
}

/// Writes the head; `false` if there is no room, and then nothing is written.
pub(super) fn write_head(response: &Response, out: &mut Buffer, now: &Now) -> bool {
    let before = out.len();
    let fits = put_head(response, out, now).is_ok();
    if !fits {
        out.truncate(before);
    }
    fits
}

fn put_head(response: &Response, out: &mut Buffer, now: &Now) -> std::io::Result<()> {
    let status = response.status;
    let date = DateTime::<Local>::from(now.wall).format("%a %b %e %H:%M:%S %Y");
    let length = match response.length {
        Length::Known(bytes) => bytes,
        _ => 0,
    };
    write!(out, "HTTP/1.0 {status} {}\r\nDate: {date}\r\nConnection: close\r\n", reason(status))?;
    write!(out, "Server: myserver/1.0\r\nContent-Length: {length}\r\n")?;
    if let Some(file) = &response.file {
        write!(out, "Content-type: {}\r\n", file.content_type)?;
    }
    if let Some(location) = &response.location {
        write!(out, "location: {location}\r\n")?;
    }
    write!(out, "\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::http::Refusal;
    use crate::protocol::web::Response as _;
    use crate::site::pages;
    use chrono::TimeZone;
    use std::time::Instant;

    fn written(response: &Response) -> String {
        let wall = Local.with_ymd_and_hms(2021, 7, 13, 20, 31, 13).unwrap();
        let now = Now { instant: Instant::now(), wall: wall.into() };
        let mut out = Buffer::new();
        assert!(write_head(response, &mut out, &now));
        String::from_utf8(out.bytes().to_vec()).unwrap()
    }

    const REST: &str = "Date: Tue Jul 13 20:31:13 2021\r\nConnection: close\r\nServer: myserver/1.0\r\n";

    #[test]
    fn a_page_is_what_the_python_wrote() {
        let response = mirrored(Response::text(200, pages::HOME));
        assert_eq!(written(&response), format!("HTTP/1.0 200 OK\r\n{REST}Content-Length: 31\r\n\r\n"));
        assert_eq!(response.body.bytes(), Some(pages::HOME.as_bytes()));
        assert_eq!((response.trailing(), response.close), (&b"\r\n\r\n"[..], true));
    }

    #[test]
    fn a_redirect_and_an_error_have_no_body() {
        let video = mirrored(Response::redirect(302, "https://youtu.be/katoxpnTf04"));
        assert_eq!(
            written(&video),
            format!(
                "HTTP/1.0 302 Found\r\n{REST}Content-Length: 0\r\nlocation: https://youtu.be/katoxpnTf04\r\n\r\n"
            )
        );
        let missing = mirrored(Response::refusal(Refusal::new(404, "No.")));
        assert_eq!(written(&missing), format!("HTTP/1.0 404 Not Found\r\n{REST}Content-Length: 0\r\n\r\n"));
        assert_eq!(missing.body.bytes(), Some(&b""[..]));
    }

    #[test]
    fn a_head_has_neither_body_nor_stray_bytes() {
        let response = mirrored(Response::text(200, pages::HOME).without_body());
        assert!(written(&response).contains("Content-Length: 31\r\n"));
        assert_eq!((response.body.length(), response.trailing()), (0, &b""[..]));
    }

    #[test]
    fn only_four_types_are_known() {
        for (path, expected) in [
            ("a.jpg", "image/jpeg"),
            ("a.pdf", "application/pdf"),
            ("a.txt", "text/plain"),
            ("a.html", "text/html"),
            ("a.css", mime::UNKNOWN),
            ("a", mime::UNKNOWN),
        ] {
            assert_eq!(content_type(path.as_bytes()), expected, "{path}");
        }
    }
}
