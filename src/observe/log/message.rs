//! Messages: what is told through the macros of the `log` crate.
//!
//! Contract: a message is one line whatever its text holds: what is not visible is escaped, so no client can
//! forge a line or hide a part of one.
//!
//! In the text format **simplelog** writes them. Two things are done before it gets a record:
//!
//! - The text is formatted and escaped. A `Display` of ours that logs or panics would otherwise do so
//!   while simplelog holds its lock: a deadlock, or a logger that panics at every later message.
//! - The time is ours. Simplelog's clock knows one distance from UTC, set once; summer time may begin
//!   while a server runs, and messages must show the same time as access lines.

use std::fmt::{self, Write as _};
use std::io;
use std::sync::Arc;

use log::{Level, LevelFilter, Log, Record};
use simplelog::{ConfigBuilder, LevelPadding, WriteLogger};

use super::line::{Style, one_line};
use super::quoted::{Escaped, Quoted, Within};
use super::writer::Writer;
use super::{Format, clock, colour, thread, with_line};

/// What writes the messages of a process.
pub(super) enum Messages {
    /// For the text format.
    Simplelog(Box<WriteLogger<Lines>>),
    /// For the other two.
    Ours(Style, Arc<Writer>),
}

impl Messages {
    /// Messages in this style go to `writer`.
    pub(super) fn new(style: Style, writer: Arc<Writer>) -> Messages {
        if style.format != Format::Text {
            return Messages::Ours(style, writer);
        }
        let config = ConfigBuilder::new()
            .set_time_level(LevelFilter::Off)
            .set_level_padding(LevelPadding::Right)
            // Thread and module are a part of the text: simplelog knows Rust's names of threads only.
            .set_thread_level(LevelFilter::Off)
            .set_target_level(LevelFilter::Off)
            .set_location_level(LevelFilter::Off)
            .build();
        let lines = Lines { line: String::new(), coloured: style.coloured, writer };
        // The level may change while the program runs; `log::max_level` is asked before.
        Messages::Simplelog(WriteLogger::new(LevelFilter::Trace, config, lines))
    }

    /// Writes one message.
    pub(super) fn write(&self, record: &Record<'_>) {
        match self {
            Messages::Simplelog(logger) => with_line(|text| {
                if whence(text, record).and_then(|()| plain(text, record)).is_err() {
                    text.clear();
                    text.push_str("a log line could not be formatted");
                }
                let metadata = record.metadata().clone();
                logger.log(&Record::builder().metadata(metadata).args(format_args!("{text}")).build());
            }),
            Messages::Ours(style, writer) => with_line(|line| {
                one_line(line, *style, clock::now(), record.level(), |out| match style.format {
                    Format::Json => json(out, record),
                    Format::Text | Format::Seed | Format::Combined => plain(out, record),
                });
                writer.send(line);
            }),
        }
    }
}

/// What simplelog writes into: begins each line with the time, and hands whole lines to the writer.
pub(super) struct Lines {
    line: String,
    coloured: bool,
    writer: Arc<Writer>,
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece =
            std::str::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if self.line.is_empty() {
            clock::now().plain(&mut self.line);
            self.line.push(' ');
        }
        self.line.push_str(piece);
        if self.line.ends_with('\n') {
            if self.coloured {
                colour::paint_level(&mut self.line, 0);
            }
            self.writer.send(&self.line);
            self.line.clear();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From `debug` on: the thread and the module that tell it. Never the source file: that of a package is a path of
/// the machine that built the program.
fn whence(out: &mut String, record: &Record<'_>) -> fmt::Result {
    if record.level() < Level::Debug {
        return Ok(());
    }
    thread::with_name(|name| write!(out, "({name}) {}: ", record.target()))
}

/// The text, with what is not visible escaped.
fn plain(out: &mut String, record: &Record<'_>) -> fmt::Result {
    write!(Escaped { out, within: Within::Plain }, "{}", record.args())
}

/// The fields of the JSON object that follow time and level.
fn json(out: &mut String, record: &Record<'_>) -> fmt::Result {
    let (target, message) = (Quoted(record.target()), Quoted(record.args()));
    write!(out, "\"message\",\"target\":{target},\"message\":{message}")
}
