//! The three forms of a log line.
//!
//! Contract: an event becomes exactly one line, whatever its text holds, with its newline.

use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use log::kv::{self, Key, Value, VisitSource};
use log::{Level, Record};

use super::Format;
use super::clock::Stamp;
use super::quoted::{Escaped, Quoted};
use crate::protocol::event::Closing;

/// What there is to tell.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// A line of the `log` crate's macros.
    Message(&'a Record<'a>),
    /// A client came.
    Connection(SocketAddr),
    /// A client was given a back end.
    Forwarded(SocketAddr),
    /// A connection or exchange ended.
    Closed(&'a Closing<'a>),
    /// The log itself has something to say.
    Own(&'a str),
}

impl Event<'_> {
    fn level(&self) -> Level {
        match self {
            Event::Message(record) => record.level(),
            Event::Own(_) => Level::Warn,
            Event::Connection(_) | Event::Forwarded(_) | Event::Closed(_) => Level::Info,
        }
    }
}

/// Appends the line for `event` to `out`.
pub(super) fn write(out: &mut String, format: Format, stamp: Stamp, event: &Event<'_>) {
    let start = out.len();
    let written = match format {
        Format::Text => text(out, stamp, event),
        Format::Seed => seed(out, event),
        Format::Json => json(out, stamp, event),
    };
    if written.is_err() {
        // A `String` takes everything, so a value's own `Display` failed; half a JSON object would
        // cost its reader the next line too.
        out.truncate(start);
        return write(out, format, stamp, &Event::Own("a log line could not be formatted"));
    }
    out.push('\n');
}

fn text(out: &mut String, stamp: Stamp, event: &Event<'_>) -> fmt::Result {
    stamp.plain(out)?;
    write!(out, " {:<5} ", event.level())?;
    match event {
        Event::Connection(peer) => write!(out, "connection from {peer}"),
        Event::Forwarded(backend) => write!(out, "koneksi diteruskan ke {backend}"),
        other => plain(out, other),
    }
}

/// The course's lines, which Python's `logging` printed with its default form: no time, and the two
/// lines on a connection as warnings, since its default level hides everything less.
fn seed(out: &mut String, event: &Event<'_>) -> fmt::Result {
    let level = match (event, event.level()) {
        (Event::Connection(_) | Event::Forwarded(_), _) | (_, Level::Warn) => "WARNING",
        (_, Level::Error) => "ERROR",
        (_, Level::Info) => "INFO",
        (_, Level::Debug | Level::Trace) => "DEBUG",
    };
    write!(out, "{level}:root:")?;
    match event {
        Event::Connection(peer) => write!(out, "connection from {}", Tuple(*peer)),
        Event::Forwarded(backend) => write!(out, "koneksi diteruskan ke {}", Tuple(*backend)),
        other => plain(out, other),
    }
}

/// The part that `text` and `seed` have in common.
fn plain(out: &mut String, event: &Event<'_>) -> fmt::Result {
    match event {
        Event::Message(record) => {
            write!(Escaped { out, quotes: false }, "{}", record.args())?;
            record.key_values().visit(&mut TextPairs(out)).map_err(|_| fmt::Error)
        }
        Event::Closed(closing) => {
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
        Event::Own(words) => out.write_str(words),
        // The two callers have these lines in words of their own.
        Event::Connection(_) | Event::Forwarded(_) => Ok(()),
    }
}

fn json(out: &mut String, stamp: Stamp, event: &Event<'_>) -> fmt::Result {
    out.write_str("{\"time\":\"")?;
    stamp.rfc3339(out)?;
    write!(out, "\",\"level\":\"{}\",\"event\":", event.level().as_str().to_ascii_lowercase())?;
    match event {
        Event::Connection(peer) => write!(out, "\"connection\",\"client\":\"{peer}\""),
        Event::Forwarded(backend) => write!(out, "\"forwarded\",\"backend\":\"{backend}\""),
        Event::Own(words) => write!(out, "\"message\",\"target\":\"log\",\"message\":{}", Quoted(words)),
        Event::Message(record) => {
            let (target, message) = (Quoted(record.target()), Quoted(record.args()));
            write!(out, "\"message\",\"target\":{target},\"message\":{message}")?;
            record.key_values().visit(&mut JsonPairs(out)).map_err(|_| fmt::Error)
        }
        Event::Closed(closing) => {
            out.write_str("\"closed\"")?;
            fields(closing, &mut |key, field| match field {
                Field::Bare(value) => write!(out, ",\"{key}\":{value}"),
                Field::Text(value) => write!(out, ",\"{key}\":{}", Quoted(value)),
            })
        }
    }?;
    out.push('}');
    Ok(())
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

/// The pairs of `info!(key = value; "...")`, after the text.
struct TextPairs<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for TextPairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        Ok(write!(Escaped { out: self.0, quotes: false }, " {key}={value}")?)
    }
}

/// The same pairs as fields of the object; they have the names their callers gave them.
struct JsonPairs<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for JsonPairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let bare = value.to_bool().is_some() || value.to_u64().is_some() || value.to_i64().is_some();
        if bare {
            Ok(write!(self.0, ",{}:{value}", Quoted(key.as_str()))?)
        } else {
            Ok(write!(self.0, ",{}:{}", Quoted(key.as_str()), Quoted(value))?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::outcome::{How, Outcome, Phase, Who};

    const STAMP: Stamp = Stamp::at(1_795_379_473_123);

    fn line(format: Format, event: &Event<'_>) -> String {
        let mut out = String::new();
        write(&mut out, format, STAMP, event);
        assert_eq!(out.matches('\n').count(), 1, "one line: {out:?}");
        let line = out.strip_suffix('\n').unwrap().to_owned();
        match format {
            // The zone of the machine is not under test.
            Format::Text => line[24..].to_owned(),
            Format::Seed => line,
            Format::Json => format!("{{{}", line.split_once("\",").unwrap().1),
        }
    }

    fn message(format: Format, level: Level, text: &str) -> String {
        let pairs = [("n", Value::from(3)), ("who", Value::from("a b"))];
        let mut record = Record::builder();
        record.level(level).target("giliran").key_values(&pairs);
        line(format, &Event::Message(&record.args(format_args!("{text}")).build()))
    }

    fn closing() -> Closing<'static> {
        Closing {
            role: "lb-threaded",
            client: "127.0.0.1:22530".parse().unwrap(),
            backend: Some("[::1]:9001".parse().unwrap()),
            request: Some("GET /\"x\"\u{7}"),
            status: Some(200),
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
        let peer = "127.0.0.1:22530".parse().unwrap();
        let backend = "127.0.0.1:9001".parse().unwrap();
        let (came, went) = (Event::Connection(peer), Event::Forwarded(backend));
        assert_eq!(line(Format::Text, &came), "INFO  connection from 127.0.0.1:22530");
        assert_eq!(line(Format::Text, &went), "INFO  koneksi diteruskan ke 127.0.0.1:9001");
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
        let peer = Event::Connection("[::1]:5".parse().unwrap());
        assert_eq!(line(Format::Seed, &peer), "WARNING:root:connection from ('::1', 5, 0, 0)");
    }

    #[test]
    fn the_closing_line_in_each_form() {
        let closing = closing();
        let event = Event::Closed(&closing);
        let shown = "closed role=lb-threaded client=127.0.0.1:22530 backend=[::1]:9001 \
             request=\"GET /\\\"x\\\"\\u0007\" status=200 bytes_in=12 bytes_out=3000000000 queue_ms=0.007 \
             first_ms=1.200 total_ms=2000.000 retries=1 clean=false outcome=\"client reset in answer body\"";
        assert_eq!(line(Format::Text, &event), format!("INFO  {shown}"));
        assert_eq!(line(Format::Seed, &event), format!("INFO:root:{shown}"));
        assert_eq!(
            line(Format::Json, &event),
            "{\"level\":\"info\",\"event\":\"closed\",\"role\":\"lb-threaded\",\"client\":\"127.0.0.1:22530\",\
             \"backend\":\"[::1]:9001\",\"request\":\"GET /\\\"x\\\"\\u0007\",\"status\":200,\"bytes_in\":12,\
             \"bytes_out\":3000000000,\"queue_ms\":0.007,\"first_ms\":1.200,\"total_ms\":2000.000,\
             \"retries\":1,\"clean\":false,\"outcome\":\"client reset in answer body\"}"
        );
    }

    #[test]
    fn a_message_stays_one_line_whatever_it_holds() {
        let text = "a \"b\"\n\u{1b}[31mforged\r";
        assert_eq!(
            message(Format::Text, Level::Warn, text),
            "WARN  a \"b\"\\n\\u001b[31mforged\\r n=3 who=a b"
        );
        assert_eq!(
            message(Format::Seed, Level::Trace, text),
            "DEBUG:root:a \"b\"\\n\\u001b[31mforged\\r n=3 who=a b"
        );
        assert_eq!(
            message(Format::Json, Level::Error, text),
            "{\"level\":\"error\",\"event\":\"message\",\"target\":\"giliran\",\
             \"message\":\"a \\\"b\\\"\\n\\u001b[31mforged\\r\",\"n\":3,\"who\":\"a b\"}"
        );
    }

    #[test]
    fn seed_levels_have_pythons_names() {
        for (level, name) in [
            (Level::Error, "ERROR"),
            (Level::Warn, "WARNING"),
            (Level::Info, "INFO"),
            (Level::Debug, "DEBUG"),
            (Level::Trace, "DEBUG"),
        ] {
            assert!(message(Format::Seed, level, "x").starts_with(&format!("{name}:root:x")));
        }
    }
}
