//! The log: what is told, in which form, and how it gets out.
//!
//! Contract: telling never blocks and never fails. A line is formatted on the calling thread, handed
//! to one writer thread, and dropped and counted if too much waits for it; a level
//! that is switched off costs one comparison.
//!
//! Connections are told through [`connection_from`], [`forwarded_to`] and [`closed`], everything
//! else through the macros of the `log` crate.

mod clock;
mod line;
mod panics;
mod quoted;
mod writer;

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use log::{Level, LevelFilter, Metadata, Record, log_enabled};

use crate::protocol;
use crate::protocol::event::Observer;
use line::Event;
use writer::{Target, Writer};

pub use quoted::Quoted;

/// Bytes of lines the log holds while its file or terminal is slow, some 8,000 lines; more are counted and dropped.
const LOG_BYTES_MAX: usize = 1024 * 1024;

/// How long the log's writer lets lines gather after a write: a busy log costs a hundred writes a
/// second and not one a line, and nobody reads faster.
const LOG_PAUSE: Duration = Duration::from_millis(10);

/// How long the end of the program waits for the log's last lines: a stuck terminal must not hold it.
const LOG_FLUSH_MAX: Duration = Duration::from_secs(2);

/// The form of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Format {
    /// For people: time, level, message.
    Text,
    /// The course's own lines, as Python's `logging` prints them.
    Seed,
    /// For programs: one JSON object a line.
    Json,
}

/// The access lines of the log: one for a client that comes, one for the back end it is given, one
/// for the end.
#[derive(Clone, Copy, Debug)]
pub struct AccessLog;

impl Observer for AccessLog {
    fn wants_closings(&self) -> bool {
        log_enabled!(Level::Info)
    }

    fn observe(&self, event: &protocol::event::Event<'_>) {
        if log_enabled!(Level::Info) {
            tell(&match event {
                protocol::event::Event::ConnectionFrom(client) => Event::Connection(*client),
                protocol::event::Event::ForwardedTo(backend) => Event::Forwarded(*backend),
                protocol::event::Event::Closed(closing) => Event::Closed(closing),
            });
        }
    }
}

/// Starts the log of this process, on standard error or at the end of `file`, and has it tell of
/// panics. The file is opened here, so that a wrong path is an error at start. A second start of one process is an error too.
pub fn start(level: LevelFilter, format: Format, file: Option<PathBuf>) -> io::Result<Guard> {
    if level == LevelFilter::Off && file.is_none() {
        // Nothing will be told: no thread, and `log::max_level` stays at off.
        return Ok(Guard);
    }
    clock::look_up_zone();
    let writer = Writer::start(Target::open(file)?, format, LOG_BYTES_MAX)?;
    let logger = OUTLET.get_or_init(|| Logger { format, writer });
    log::set_logger(logger).map_err(|error| io::Error::other(error.to_string()))?;
    log::set_max_level(level);
    panics::tell_panics();
    Ok(Guard)
}

/// Waits until all that was told so far is written, but not longer than [`LOG_FLUSH_MAX`].
pub fn flush() {
    if let Some(logger) = OUTLET.get() {
        logger.writer.flush();
    }
}

/// Opens the log's file anew, for whoever has moved the old one away; standard error stays as it is.
pub fn reopen() {
    if let Some(logger) = OUTLET.get() {
        logger.writer.reopen();
    }
}

/// Lines that were dropped since the start, because the log's file was slower than the traffic.
pub fn dropped() -> u64 {
    OUTLET.get().map_or(0, |logger| logger.writer.dropped())
}

/// Held by `main`: the log's last lines are written when it goes.
#[derive(Debug)]
#[must_use = "the last lines are written when the guard is dropped"]
pub struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        flush();
    }
}

static OUTLET: OnceLock<Logger> = OnceLock::new();

#[derive(Debug)]
struct Logger {
    format: Format,
    writer: Writer,
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            tell(&Event::Message(record));
        }
    }

    fn flush(&self) {
        self.writer.flush();
    }
}

thread_local! {
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

fn tell(event: &Event<'_>) {
    let Some(logger) = OUTLET.get() else { return };
    // The line is borrowed already if a value's own `Display` logs, and gone while its thread ends:
    // then a fresh one does.
    let told = LINE.try_with(|line| {
        line.try_borrow_mut().map(|mut line| {
            line.clear();
            line::write(&mut line, logger.format, clock::now(), event);
            logger.writer.send(&line);
        })
    });
    if !matches!(told, Ok(Ok(()))) {
        let mut line = String::new();
        line::write(&mut line, logger.format, clock::now(), event);
        logger.writer.send(&line);
    }
}
