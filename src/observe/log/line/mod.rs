//! Lines in the formats: how each begins, the access lines, and the log's own notices.
//!
//! Contract: an event becomes exactly one line, newline included, whatever text it holds.

mod combined;

use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use log::Level;

use super::clock::Stamp;
use super::quoted::{Escaped, Quoted, Within};
use super::{Format, colour};
use crate::protocol::event::{Closing, Connection, Event};
use crate::protocol::http::Version;
use crate::protocol::logged_request::Readable;
use crate::protocol::transport::Secured;

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
            stamp.plain(out)?;
            write!(out, " [{level:<5}] ")
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
            out.write_str("{\"time\":\"")?;
            stamp.rfc3339(out)?;
            write!(out, "\",\"level\":\"{level}\",\"event\":")
        }
    }
}

fn text(out: &mut String, connection: &Connection<'_>, event: &Event<'_>) -> fmt::Result {
    let &Connection { number, role, client, .. } = connection;
    match event {
        Event::ConnectionFrom => write!(out, "connection from {client} role={role} connection={number}"),
        Event::ForwardedTo(backend, _) => {
            write!(out, "koneksi diteruskan ke {backend} role={role} client={client} connection={number}")
        }
        Event::Closed(closing) => closed(out, connection, closing),
        // They have no line in this format.
        Event::RequestHead(_) | Event::ResponseHead(_) => Ok(()),
    }
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
    let mut field = |key: &str, field: Field<'_>| match field {
        Field::Bare(value) => write!(out, ",\"{key}\":{value}"),
        Field::Text(value) => write!(out, ",\"{key}\":{}", Quoted(value)),
    };
    whose(connection, &mut field)?;
    match event {
        Event::ConnectionFrom | Event::RequestHead(_) | Event::ResponseHead(_) => Ok(()),
        Event::ForwardedTo(backend, _) => field("backend", Field::Text(backend)),
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
    out.write_str("closed")?;
    let mut field = |key: &str, field: Field<'_>| {
        out.push(' ');
        out.push_str(key);
        out.push('=');
        match field {
            Field::Bare(value) => write!(out, "{value}"),
            Field::Text(value) => plain_or_quoted(out, value),
        }
    };
    whose(connection, &mut field)?;
    encryption(connection, &mut field)?;
    fields(closing, Detail::ForPeople, &mut field)
}

/// A value of the closing line: in JSON, `Bare` stands as it is and `Text` in quotes.
enum Field<'a> {
    Bare(&'a dyn fmt::Display),
    Text(&'a dyn fmt::Display),
}

/// Names the fields that say which connection a line is about.
fn whose(connection: &Connection<'_>, each: &mut dyn FnMut(&str, Field<'_>) -> fmt::Result) -> fmt::Result {
    each("role", Field::Text(&connection.role))?;
    each("client", Field::Text(&connection.client))?;
    each("connection", Field::Bare(&connection.number))
}

/// Names the fields that say how the connection was encrypted, if it was.
fn encryption(
    connection: &Connection<'_>,
    each: &mut dyn FnMut(&str, Field<'_>) -> fmt::Result,
) -> fmt::Result {
    let Some(Secured { version, cipher, name, is_resumed }) = connection.secured else { return Ok(()) };
    each("tls", Field::Text(version))?;
    each("cipher", Field::Text(cipher))?;
    if let Some(name) = name {
        each("sni", Field::Text(name))?;
    }
    each("resumed", Field::Bare(is_resumed))
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
    each: &mut dyn FnMut(&str, Field<'_>) -> fmt::Result,
) -> fmt::Result {
    let is_all = detail == Detail::All;
    if let Some(backend) = &closing.backend {
        each("backend", Field::Text(backend))?;
    }
    if let Some(request) = closing.request {
        let shown = if is_all { request.len() } else { request.len().min(REQUEST_SHOWN_BYTES_MAX) };
        each("request", Field::Text(&Readable(&request[..shown])))?;
    }
    if is_all {
        if let Some(version) = closing.version {
            let version = if version == Version::Http10 { "HTTP/1.0" } else { "HTTP/1.1" };
            each("version", Field::Text(&version))?;
        }
        let sent = [("host", closing.host), ("user_agent", closing.user_agent), ("referer", closing.referer)];
        for (key, value) in sent {
            value.map_or(Ok(()), |value| each(key, Field::Text(&Readable(value))))?;
        }
    }
    if let Some(client) = &closing.forwarded_for {
        each("forwarded_for", Field::Text(client))?;
    }
    if let Some(user) = closing.user {
        each("user", Field::Text(&Readable(user)))?;
    }
    for (key, value) in [("route", closing.route), ("request_id", closing.request_id)] {
        value.map_or(Ok(()), |value| each(key, Field::Text(&value)))?;
    }
    if let Some(status) = &closing.status {
        each("status", Field::Bare(status))?;
    }
    // People need not read the same number twice.
    if let Some(status) = closing.backend_status
        && (is_all || closing.status != Some(status))
    {
        each("backend_status", Field::Bare(&status))?;
    }
    if let Some(cause) = &closing.cause {
        each("cause", Field::Text(cause))?;
    }
    each("bytes_in", Field::Bare(&closing.bytes_in))?;
    each("bytes_out", Field::Bare(&closing.bytes_out))?;
    if is_all && closing.request.is_some() {
        each("body_out", Field::Bare(&closing.body_out))?;
    }
    each("queue_ms", Field::Bare(&Milliseconds(closing.queue)))?;
    if let Some(connect) = closing.connect {
        each("connect_ms", Field::Bare(&Milliseconds(connect)))?;
    }
    if let Some(first) = closing.first {
        each("first_ms", Field::Bare(&Milliseconds(first)))?;
    }
    each("total_ms", Field::Bare(&Milliseconds(closing.total)))?;
    each("retries", Field::Bare(&closing.retries))?;
    each("clean", Field::Bare(&closing.outcome.is_clean()))?;
    each("outcome", Field::Text(&closing.outcome))
}

/// A duration in milliseconds, to the microsecond.
struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let microseconds = self.0.as_micros();
        write!(f, "{}.{:03}", microseconds / 1000, microseconds % 1000)
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

/// Writes a value of a `key=value` line, in quotes if it needs them: it is looked at where it stands.
fn plain_or_quoted(out: &mut String, value: &dyn fmt::Display) -> fmt::Result {
    let start = out.len();
    write!(out, "{value}")?;
    if !is_plain_word(&out[start..]) {
        out.truncate(start);
        write!(out, "{}", Quoted(value))?;
    }
    Ok(())
}

/// True if a value needs no quotes in a `key=value` line.
fn is_plain_word(value: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    !value.is_empty() && value.bytes().all(is_plain)
}

#[cfg(test)]
mod tests;
