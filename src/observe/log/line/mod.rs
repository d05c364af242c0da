//! Lines in the formats: how each begins, the access lines, and the log's own notices.
//!
//! Contract: an event becomes exactly one line, newline included, whatever text it holds.

mod combined;
mod value;

use std::fmt::{self, Write};
use std::net::SocketAddr;

use log::Level;

use super::clock::Stamp;
use super::quoted::{Escaped, Quoted, Within};
use super::{Format, colour};
use crate::protocol::event::{Closing, Connection, Event};
use crate::protocol::http::Version;
use crate::protocol::outcome::How;
use crate::protocol::transport::Secured;
use value::{Value, push_address, push_number};

pub(super) use value::push_three_digits;

/// How lines look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) format: Format,
    /// True if text lines show their level in colour.
    pub(super) coloured: bool,
}

impl Style {
    /// The style of messages in a log whose access lines have this one.
    pub(super) fn of_messages(self) -> Style {
        match self.format {
            Format::Combined => Style { format: Format::Text, ..self },
            Format::Text | Format::Seed | Format::Json => self,
        }
    }
}

/// The level of the access line for an event; `None` if the format has no line for it.
///
/// - Health checks are no news: they belong to `debug`.
/// - The course's Python told of a new connection and of where it is forwarded as warnings, since the default level of
///   its `logging` hides everything less. It had no line for an end; that one is for whoever asks for more.
/// - The course's servers told of what they receive and send.
pub(super) fn level(format: Format, connection: &Connection<'_>, event: &Event<'_>) -> Option<Level> {
    match (format, event) {
        // Its lines tell of requests, and of nothing else.
        (Format::Combined, Event::Closed(closing)) if closing.request.is_some() => {
            Some(if connection.is_check { Level::Debug } else { Level::Info })
        }
        (Format::Combined, _) => None,
        (Format::Text | Format::Json, Event::RequestHead(_) | Event::ResponseHead(_)) => None,
        (Format::Seed, Event::RequestHead(_) | Event::ResponseHead(_) | Event::Closed(_)) => {
            Some(Level::Debug)
        }
        _ if connection.is_check => Some(Level::Debug),
        (Format::Seed, Event::ConnectionFrom | Event::ForwardedTo(..)) => Some(Level::Warn),
        _ => Some(Level::Info),
    }
}

/// Appends the access line for `event`, which has this [`level`].
pub(super) fn access(
    out: &mut String,
    style: Style,
    stamp: Stamp,
    level: Level,
    connection: &Connection<'_>,
    event: &Event<'_>,
) {
    one_line(out, style, stamp, level, |out| match style.format {
        Format::Text => text(out, connection, event),
        Format::Seed => seed(out, connection, event),
        Format::Json => json(out, connection, event),
        Format::Combined => match event {
            Event::Closed(closing) => combined::line(out, stamp, connection, closing),
            // They have no line in this format.
            _ => Ok(()),
        },
    });
}

/// Appends a line that the log itself has to say, a warning.
pub(super) fn notice(out: &mut String, style: Style, stamp: Stamp, words: &str) {
    let style = style.of_messages();
    one_line(out, style, stamp, Level::Warn, |out| match style.format {
        Format::Text | Format::Seed | Format::Combined => out.write_str(words),
        Format::Json => write!(out, "\"message\",\"target\":\"log\",\"message\":{}", Quoted(words)),
    });
}

/// Appends one whole line; `rest` writes what follows the time and the level.
pub(super) fn one_line(
    out: &mut String,
    style: Style,
    stamp: Stamp,
    level: Level,
    rest: impl FnOnce(&mut String) -> fmt::Result,
) {
    let start = out.len();
    if begin(out, style.format, stamp, level).and_then(|()| rest(out)).is_err() {
        // A `String` takes everything, so the `Display` of a value failed. Half a JSON object
        // would make the next line unreadable too.
        out.truncate(start);
        return notice(out, style, stamp, "a log line could not be formatted");
    }
    if style.format == Format::Json {
        out.push('}');
    }
    out.push('\n');
    if style.coloured {
        colour::paint_level(out, start);
    }
}

/// What every line of a format begins with.
fn begin(out: &mut String, format: Format, stamp: Stamp, level: Level) -> fmt::Result {
    match format {
        // It begins with the client.
        Format::Combined => Ok(()),
        // The same as simplelog writes.
        Format::Text => {
            stamp.plain(out);
            out.push_str(match level {
                Level::Error => " [ERROR] ",
                Level::Warn => " [WARN ] ",
                Level::Info => " [INFO ] ",
                Level::Debug => " [DEBUG] ",
                Level::Trace => " [TRACE] ",
            });
            Ok(())
        }
        // The default of Python's `logging`: no time, and `root`, the name of the logger.
        Format::Seed => {
            let level = match level {
                Level::Error => "ERROR",
                Level::Warn => "WARNING",
                Level::Info => "INFO",
                Level::Debug | Level::Trace => "DEBUG",
            };
            write!(out, "{level}:root:")
        }
        Format::Json => {
            let level = match level {
                Level::Error => "error",
                Level::Warn => "warn",
                Level::Info => "info",
                Level::Debug => "debug",
                Level::Trace => "trace",
            };
            out.push_str("{\"time\":\"");
            stamp.rfc3339(out);
            for piece in ["\",\"level\":\"", level, "\",\"event\":"] {
                out.push_str(piece);
            }
            Ok(())
        }
    }
}

fn text(out: &mut String, connection: &Connection<'_>, event: &Event<'_>) -> fmt::Result {
    match event {
        Event::ConnectionFrom => {
            out.push_str("connection from ");
            push_address(out, connection.client);
            out.push_str(" role=");
            out.push_str(connection.role);
            out.push_str(" connection=");
            push_number(out, connection.number);
        }
        Event::ForwardedTo(backend, _) => {
            out.push_str("koneksi diteruskan ke ");
            push_address(out, *backend);
            whose(connection, &mut |key, value| field_for_people(out, key, value))?;
        }
        Event::Closed(closing) => closed(out, connection, closing)?,
        // They have no line in this format.
        Event::RequestHead(_) | Event::ResponseHead(_) => {}
    }
    Ok(())
}

/// The course's lines. Its asynchronous balancer had a wording of its own.
fn seed(out: &mut String, connection: &Connection<'_>, event: &Event<'_>) -> fmt::Result {
    let client = Tuple(connection.client, None);
    match event {
        Event::ConnectionFrom => write!(out, "connection from {client}"),
        Event::ForwardedTo(backend, host) if connection.role == "lb-async" => {
            write!(out, "koneksi dari {client} diteruskan ke {}", Tuple(*backend, *host))
        }
        Event::ForwardedTo(backend, host) => write!(out, "koneksi diteruskan ke {}", Tuple(*backend, *host)),
        Event::Closed(closing) => closed(out, connection, closing),
        // Python showed it unescaped, on several lines.
        Event::RequestHead(head) => {
            out.push_str("data dari client: ");
            Escaped { out, within: Within::Plain }.write_str(&String::from_utf8_lossy(head))
        }
        Event::ResponseHead(head) => write!(out, "balas ke client: {}", PythonBytes(head)),
    }
}

fn json(out: &mut String, connection: &Connection<'_>, event: &Event<'_>) -> fmt::Result {
    let name = match event {
        Event::ConnectionFrom => "connection",
        Event::ForwardedTo(..) => "forwarded",
        Event::RequestHead(_) => "request",
        Event::ResponseHead(_) => "response",
        Event::Closed(_) => "closed",
    };
    write!(out, "\"{name}\"")?;
    let mut field = |key: &str, value: Value<'_>| {
        for piece in [",\"", key, "\":"] {
            out.push_str(piece);
        }
        value.for_json(out)
    };
    whose(connection, &mut field)?;
    match event {
        Event::ConnectionFrom | Event::RequestHead(_) | Event::ResponseHead(_) => Ok(()),
        Event::ForwardedTo(backend, _) => field("backend", Value::Address(*backend)),
        Event::Closed(closing) => {
            encryption(connection, &mut field)?;
            fields(closing, Detail::All, &mut field)
        }
    }
}

/// The closing line for people, without time and level.
pub(super) fn closing(out: &mut String, connection: &Connection<'_>, closing: &Closing<'_>) {
    // Writing to a `String` does not fail.
    let _ = closed(out, connection, closing);
}

/// The closing line for people: `closed key=value ...`.
fn closed(out: &mut String, connection: &Connection<'_>, closing: &Closing<'_>) -> fmt::Result {
    out.push_str("closed");
    let mut field = |key: &str, value: Value<'_>| field_for_people(out, key, value);
    whose(connection, &mut field)?;
    encryption(connection, &mut field)?;
    fields(closing, Detail::ForPeople, &mut field)
}

/// Writes ` key=value`.
fn field_for_people(out: &mut String, key: &str, value: Value<'_>) -> fmt::Result {
    out.push(' ');
    out.push_str(key);
    out.push('=');
    value.for_people(out)
}

/// Names the fields that say which connection a line is about.
fn whose(connection: &Connection<'_>, each: &mut dyn FnMut(&str, Value<'_>) -> fmt::Result) -> fmt::Result {
    each("role", Value::Bytes(connection.role.as_bytes()))?;
    each("client", Value::Address(connection.client))?;
    each("connection", Value::Number(connection.number))
}

/// Names the fields that say how the connection was encrypted, if it was.
fn encryption(
    connection: &Connection<'_>,
    each: &mut dyn FnMut(&str, Value<'_>) -> fmt::Result,
) -> fmt::Result {
    let Some(Secured { version, cipher, name, is_resumed }) = connection.secured else { return Ok(()) };
    each("tls", Value::Text(version))?;
    each("cipher", Value::Text(cipher))?;
    if let Some(name) = name {
        each("sni", Value::Text(name))?;
    }
    each("resumed", Value::Truth(*is_resumed))
}

/// How much a closing line tells.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Detail {
    /// What fits on a line that people read.
    ForPeople,
    /// All that is known.
    All,
}

/// Bytes of a request line that people are shown: a method and enough for any ordinary target.
const REQUEST_SHOWN_BYTES_MAX: usize = 264;

/// Names the other fields of a closing line once, for all forms; what does not apply is left out.
fn fields(
    closing: &Closing<'_>,
    detail: Detail,
    each: &mut dyn FnMut(&str, Value<'_>) -> fmt::Result,
) -> fmt::Result {
    let is_all = detail == Detail::All;
    if let Some(backend) = closing.backend {
        each("backend", Value::Address(backend))?;
    }
    if let Some(request) = closing.request {
        let shown = if is_all { request.len() } else { request.len().min(REQUEST_SHOWN_BYTES_MAX) };
        each("request", Value::Bytes(&request[..shown]))?;
    }
    if is_all {
        if let Some(version) = closing.version {
            let version = if version == Version::Http10 { "HTTP/1.0" } else { "HTTP/1.1" };
            each("version", Value::Word(version))?;
        }
        let sent = [("host", closing.host), ("user_agent", closing.user_agent), ("referer", closing.referer)];
        for (key, value) in sent {
            value.map_or(Ok(()), |value| each(key, Value::Bytes(value)))?;
        }
    }
    if let Some(client) = &closing.forwarded_for {
        each("forwarded_for", Value::Text(client))?;
    }
    if let Some(user) = closing.user {
        each("user", Value::Bytes(user))?;
    }
    for (key, value) in [("route", closing.route), ("request_id", closing.request_id)] {
        value.map_or(Ok(()), |value| each(key, Value::Bytes(value.as_bytes())))?;
    }
    if let Some(status) = closing.status {
        each("status", Value::Number(status.into()))?;
    }
    // People need not read the same number twice.
    if let Some(status) = closing.backend_status
        && (is_all || closing.status != Some(status))
    {
        each("backend_status", Value::Number(status.into()))?;
    }
    if let Some(cause) = &closing.cause {
        each("cause", Value::Text(cause))?;
    }
    each("bytes_in", Value::Number(closing.bytes_in))?;
    each("bytes_out", Value::Number(closing.bytes_out))?;
    if is_all && closing.request.is_some() {
        each("body_out", Value::Number(closing.body_out))?;
    }
    each("queue_ms", Value::Milliseconds(closing.queue))?;
    if let Some(connect) = closing.connect {
        each("connect_ms", Value::Milliseconds(connect))?;
    }
    if let Some(first) = closing.first {
        each("first_ms", Value::Milliseconds(first))?;
    }
    each("total_ms", Value::Milliseconds(closing.total))?;
    each("retries", Value::Number(closing.retries.into()))?;
    each("clean", Value::Truth(closing.outcome.is_clean()))?;
    match closing.outcome.how {
        How::Finished => each("outcome", Value::Word("finished")),
        _ => each("outcome", Value::Text(&closing.outcome)),
    }
}

/// An address as Python shows one: `('127.0.0.1', 22530)`, with flow and scope for IPv6; or with the host as it was
/// named, `('localhost', 9001)`.
struct Tuple<'a>(SocketAddr, Option<&'a str>);

impl fmt::Display for Tuple<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (peer, Some(host)) => write!(f, "('{host}', {})", peer.port()),
            (SocketAddr::V4(peer), None) => write!(f, "('{}', {})", peer.ip(), peer.port()),
            (SocketAddr::V6(peer), None) => {
                write!(f, "('{}', {}, {}, {})", peer.ip(), peer.port(), peer.flowinfo(), peer.scope_id())
            }
        }
    }
}

/// Bytes as Python shows them: `b'HTTP/1.0 200 OK\r\n'`, in double quotes if there is a single one and no double one.
struct PythonBytes<'a>(&'a [u8]);

impl fmt::Display for PythonBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = if self.0.contains(&b'\'') && !self.0.contains(&b'"') { '"' } else { '\'' };
        write!(f, "b{quote}")?;
        for byte in self.0 {
            match byte {
                b'\n' => f.write_str("\\n")?,
                b'\r' => f.write_str("\\r")?,
                b'\t' => f.write_str("\\t")?,
                b'\\' => f.write_str("\\\\")?,
                byte if char::from(*byte) == quote => write!(f, "\\{quote}")?,
                b' '..=b'~' => f.write_char(char::from(*byte))?,
                byte => write!(f, "\\x{byte:02x}")?,
            }
        }
        f.write_char(quote)
    }
}

#[cfg(test)]
mod tests;
