//! Lines in the three formats: how each begins, the access lines, and the log's own notices.
//!
//! Contract: an event becomes exactly one line, newline included, whatever text it holds.

use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use log::Level;

use super::clock::Stamp;
use super::quoted::Quoted;
use super::{Format, colour};
use crate::protocol::event::{Closing, Event};

/// How lines look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) format: Format,
    /// True if text lines show their level in colour.
    pub(super) coloured: bool,
}

/// Appends the access line for `event`.
pub(super) fn access(out: &mut String, style: Style, stamp: Stamp, event: &Event<'_>) {
    // The course's Python told of the first two as warnings, since the default level of its
    // `logging` hides everything less.
    let level = match event {
        Event::ConnectionFrom(_) | Event::ForwardedTo(_) if style.format == Format::Seed => Level::Warn,
        _ => Level::Info,
    };
    one_line(out, style, stamp, level, |out| match style.format {
        Format::Text => text(out, event),
        Format::Seed => seed(out, event),
        Format::Json => json(out, event),
    });
}

/// Appends a line that the log itself has to say, a warning.
pub(super) fn notice(out: &mut String, style: Style, stamp: Stamp, words: &str) {
    one_line(out, style, stamp, Level::Warn, |out| match style.format {
        Format::Text | Format::Seed => out.write_str(words),
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

fn text(out: &mut String, event: &Event<'_>) -> fmt::Result {
    match event {
        Event::ConnectionFrom(client) => write!(out, "connection from {client}"),
        Event::ForwardedTo(backend) => write!(out, "koneksi diteruskan ke {backend}"),
        Event::Closed(closing) => closed(out, closing),
    }
}

/// The course's lines.
fn seed(out: &mut String, event: &Event<'_>) -> fmt::Result {
    match event {
        Event::ConnectionFrom(client) => write!(out, "connection from {}", Tuple(*client)),
        Event::ForwardedTo(backend) => write!(out, "koneksi diteruskan ke {}", Tuple(*backend)),
        Event::Closed(closing) => closed(out, closing),
    }
}

fn json(out: &mut String, event: &Event<'_>) -> fmt::Result {
    match event {
        Event::ConnectionFrom(client) => write!(out, "\"connection\",\"client\":\"{client}\""),
        Event::ForwardedTo(backend) => write!(out, "\"forwarded\",\"backend\":\"{backend}\""),
        Event::Closed(closing) => {
            out.write_str("\"closed\"")?;
            fields(closing, &mut |key, field| match field {
                Field::Bare(value) => write!(out, ",\"{key}\":{value}"),
                Field::Text(value) => write!(out, ",\"{key}\":{}", Quoted(value)),
            })
        }
    }
}

/// The closing line for people: `closed key=value ...`.
fn closed(out: &mut String, closing: &Closing<'_>) -> fmt::Result {
    out.write_str("closed")?;
    fields(closing, &mut |key, field| {
        out.push(' ');
        out.push_str(key);
        out.push('=');
        match field {
            Field::Bare(value) => write!(out, "{value}"),
            Field::Text(value) => plain_or_quoted(out, value),
        }
    })
}

/// A value of the closing line: in JSON, `Bare` stands as it is and `Text` in quotes.
enum Field<'a> {
    Bare(&'a dyn fmt::Display),
    Text(&'a dyn fmt::Display),
}

/// Names the fields of a closing line once, for all three forms; what does not apply is left out.
fn fields(
    closing: &Closing<'_>,
    each: &mut dyn FnMut(&str, Field<'_>) -> fmt::Result,
) -> Result<(), fmt::Error> {
    each("role", Field::Text(&closing.role))?;
    each("client", Field::Text(&closing.client))?;
    if let Some(backend) = &closing.backend {
        each("backend", Field::Text(backend))?;
    }
    if let Some(request) = &closing.request {
        each("request", Field::Text(request))?;
    }
    if let Some(status) = &closing.status {
        each("status", Field::Bare(status))?;
    }
    if let Some(cause) = &closing.cause {
        each("cause", Field::Text(cause))?;
    }
    each("bytes_in", Field::Bare(&closing.bytes_in))?;
    each("bytes_out", Field::Bare(&closing.bytes_out))?;
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

/// An address as Python shows one: `('127.0.0.1', 22530)`, with flow and scope for IPv6.
struct Tuple(SocketAddr);

impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SocketAddr::V4(peer) => write!(f, "('{}', {})", peer.ip(), peer.port()),
            SocketAddr::V6(peer) => {
                write!(f, "('{}', {}, {}, {})", peer.ip(), peer.port(), peer.flowinfo(), peer.scope_id())
            }
        }
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
mod tests {
    use super::*;
    use crate::protocol::outcome::{How, Outcome, Phase, Who};

    const STAMP: Stamp = Stamp::at(1_795_379_473_123);

    fn line(format: Format, event: &Event<'_>) -> String {
        let mut out = String::new();
        access(&mut out, Style { format, coloured: false }, STAMP, event);
        assert_eq!(out.matches('\n').count(), 1, "one line: {out:?}");
        let line = out.strip_suffix('\n').unwrap().to_owned();
        match format {
            // The zone of the machine is not under test.
            Format::Text => line[24..].to_owned(),
            Format::Seed => line,
            Format::Json => format!("{{{}", line.split_once("\",").unwrap().1),
        }
    }

    fn closing() -> Closing<'static> {
        Closing {
            role: "lb-threaded",
            client: "127.0.0.1:22530".parse().unwrap(),
            backend: Some("[::1]:9001".parse().unwrap()),
            request: Some("GET /\"x\"\u{7}"),
            status: Some(200),
            cause: None,
            bytes_in: 12,
            bytes_out: 3_000_000_000,
            queue: Duration::from_micros(7),
            connect: None,
            first: Some(Duration::from_micros(1200)),
            total: Duration::from_secs(2),
            retries: 1,
            outcome: Outcome::new(Who::Client, How::Reset, Phase::ResponseBody),
        }
    }

    #[test]
    fn the_courses_two_lines() {
        let client = "127.0.0.1:22530".parse().unwrap();
        let backend = "127.0.0.1:9001".parse().unwrap();
        let (came, went) = (Event::ConnectionFrom(client), Event::ForwardedTo(backend));
        assert_eq!(line(Format::Text, &came), "[INFO ] connection from 127.0.0.1:22530");
        assert_eq!(line(Format::Text, &went), "[INFO ] koneksi diteruskan ke 127.0.0.1:9001");
        assert_eq!(line(Format::Seed, &came), "WARNING:root:connection from ('127.0.0.1', 22530)");
        assert_eq!(line(Format::Seed, &went), "WARNING:root:koneksi diteruskan ke ('127.0.0.1', 9001)");
        assert_eq!(
            line(Format::Json, &came),
            r#"{"level":"info","event":"connection","client":"127.0.0.1:22530"}"#
        );
        assert_eq!(
            line(Format::Json, &went),
            r#"{"level":"info","event":"forwarded","backend":"127.0.0.1:9001"}"#
        );
        let came = Event::ConnectionFrom("[::1]:5".parse().unwrap());
        assert_eq!(line(Format::Seed, &came), "WARNING:root:connection from ('::1', 5, 0, 0)");
    }

    #[test]
    fn the_closing_line_in_each_form() {
        let closing = closing();
        let event = Event::Closed(&closing);
        let shown = "closed role=lb-threaded client=127.0.0.1:22530 backend=[::1]:9001 \
             request=\"GET /\\\"x\\\"\\u0007\" status=200 bytes_in=12 bytes_out=3000000000 queue_ms=0.007 \
             first_ms=1.200 total_ms=2000.000 retries=1 clean=false outcome=\"client reset in response body\"";
        assert_eq!(line(Format::Text, &event), format!("[INFO ] {shown}"));
        assert_eq!(line(Format::Seed, &event), format!("INFO:root:{shown}"));
        assert_eq!(
            line(Format::Json, &event),
            "{\"level\":\"info\",\"event\":\"closed\",\"role\":\"lb-threaded\",\"client\":\"127.0.0.1:22530\",\
             \"backend\":\"[::1]:9001\",\"request\":\"GET /\\\"x\\\"\\u0007\",\"status\":200,\"bytes_in\":12,\
             \"bytes_out\":3000000000,\"queue_ms\":0.007,\"first_ms\":1.200,\"total_ms\":2000.000,\
             \"retries\":1,\"clean\":false,\"outcome\":\"client reset in response body\"}"
        );
    }

    #[test]
    fn a_notice_in_each_form() {
        for (format, shown) in [
            (Format::Text, "2026-11-22 20:31:13.123 [WARN ] \"x\" is lost\n"),
            (Format::Seed, "WARNING:root:\"x\" is lost\n"),
            (
                Format::Json,
                "\"level\":\"warn\",\"event\":\"message\",\"target\":\"log\",\"message\":\"\\\"x\\\" is lost\"}\n",
            ),
        ] {
            let mut out = String::from("before\n");
            notice(&mut out, Style { format, coloured: false }, STAMP, "\"x\" is lost");
            // The zone of the machine is not under test.
            let rest = if format == Format::Text { &shown[23..] } else { shown };
            assert!(out.starts_with("before\n") && out.ends_with(rest), "{out}");
        }
    }
}
