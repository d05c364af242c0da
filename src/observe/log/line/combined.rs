//! The line of Apache's `combined` format: one for each request, for the many programs that read it.
//!
//! Contract: `%h - %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"`, byte for byte as Apache writes it: what is empty
//! is `-`, what is not visible ASCII is escaped as in C. Two differences: a client that ended its connection before a
//! response began has the status 499, as in nginx (Apache has none); and a blank in a user's name is escaped too,
//! since the name stands in no quotes.

use std::fmt::{self, Write};

use super::Stamp;
use super::value::{push_ip, push_number};
use crate::protocol::event::{Closing, Connection};
use crate::protocol::http::Version;
use crate::protocol::outcome::Who;

/// The client has ended the connection before there was a response; a code of nginx.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Writes the line of a request that ended at `stamp`, without its line end.
pub(super) fn line(
    out: &mut String,
    stamp: Stamp,
    connection: &Connection<'_>,
    closing: &Closing<'_>,
) -> fmt::Result {
    // A client of IPv4 on a listener of both families is shown as what it is.
    let client = closing.forwarded_for.unwrap_or_else(|| connection.client.ip().to_canonical());
    push_ip(out, client);
    out.push_str(" - ");
    let mut words = closing.user.unwrap_or(b"-").split(|byte| *byte == b' ');
    escape(out, words.next().unwrap_or_default())?;
    for word in words {
        out.push_str("\\x20");
        escape(out, word)?;
    }
    out.push_str(" [");
    // Apache's `%t` is the time at which the request came.
    stamp.before(closing.total).common(out);
    out.push_str("] \"");
    escape(out, closing.request.unwrap_or(b"-"))?;
    out.push_str(match closing.version {
        Some(Version::Http10) => " HTTP/1.0",
        Some(Version::Http11) => " HTTP/1.1",
        None => "",
    });
    let gone = (closing.outcome.who == Who::Client).then_some(CLIENT_CLOSED_REQUEST);
    match closing.status.or(gone) {
        Some(status) => {
            out.push_str("\" ");
            push_number(out, status.into());
        }
        None => out.push_str("\" -"),
    }
    out.push(' ');
    match closing.body_out {
        0 => out.push('-'),
        bytes => push_number(out, bytes),
    }
    for field in [closing.referer, closing.user_agent] {
        out.push_str(" \"");
        escape(out, field.unwrap_or(b"-"))?;
        out.push('"');
    }
    Ok(())
}

/// Writes what a client sent as Apache's `ap_escape_logitem` does.
fn escape(out: &mut String, bytes: &[u8]) -> fmt::Result {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b' '..=b'~' => out.push(char::from(byte)),
            0x08 => out.push_str("\\b"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x0b => out.push_str("\\v"),
            byte => write!(out, "\\x{byte:02x}")?,
        }
    }
    Ok(())
}
