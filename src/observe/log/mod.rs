//! The log: messages and access lines, in four formats, written by a thread of its own.
//!
//! There are two kinds of lines, as in nginx:
//!
//! - **Messages** (the error log) are all that is told through the macros of the `log` crate, such as
//!   `log::warn!`. In the text format simplelog writes them.
//! - **Access lines** (the access log) tell of each client: it connected, it was given a back end, it
//!   was answered. They belong to the level `info`, those of health checks to `debug`, and their format is our
//!   own.
//!
//! Contract: logging never blocks a connection and never fails. The calling thread formats the line and
//! leaves it to the writer's thread; if too much waits there, the line is dropped and counted, and a
//! later line says how many were lost. A level that is switched off costs one comparison.

mod clock;
mod colour;
mod line;
mod message;
mod panics;
mod quoted;
mod thread;
mod writer;

use std::cell::Cell;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use log::{Level, LevelFilter, Metadata, Record, log_enabled};

use crate::protocol::event::{Closing, Connection, Event, Observer};
use line::Style;
use message::Messages;
use writer::{Target, Writer};

pub(crate) use writer::LogFile;

pub(crate) use quoted::{Quoted, TomlQuoted};
pub(crate) use thread::name_this_thread;

/// The format of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Format {
    /// For people: time, level, message.
    Text,
    /// The course's own lines, as Python's `logging` prints them; below debug nothing else but errors.
    Seed,
    /// For programs: one JSON object a line.
    Json,
    /// For programs that read web servers' logs: Apache's `combined` format, a line for each request; with a log file, messages go to standard error.
    Combined,
}

/// Bytes of lines the log holds while its file or terminal is slow, some 8,000 lines; more are counted
/// and dropped.
const LOG_BYTES_MAX: usize = 1024 * 1024;

/// How long the log's writer lets lines gather after a write: a busy log costs a hundred writes a
/// second and not one a line, and nobody reads faster.
const LOG_PAUSE: Duration = Duration::from_millis(10);

/// How long the end of the program waits for the log's last lines: a stuck terminal must not hold it.
const LOG_FLUSH_MAX: Duration = Duration::from_secs(2);

/// The access lines of the log: one for a client that comes, one for the back end it is given, one
/// for the end of each exchange.
#[derive(Clone, Copy, Debug)]
pub struct AccessLog;

impl Observer for AccessLog {
    fn wants_closings(&self) -> bool {
        LOGGER.get().is_some_and(|logger| match logger.style.format {
            Format::Text | Format::Json | Format::Combined => log_enabled!(Level::Info),
            Format::Seed => log_enabled!(Level::Debug),
        })
    }

    fn wants_heads(&self) -> bool {
        log_enabled!(Level::Debug) && LOGGER.get().is_some_and(|logger| logger.style.format == Format::Seed)
    }

    fn observe(&self, connection: &Connection<'_>, event: &Event<'_>) {
        if let Some(logger) = LOGGER.get()
            && let Some(level) = line::level(logger.style.format, connection, event)
            && level <= log::max_level()
        {
            logger.write_access_line(level, connection, event);
        }
    }
}

/// Starts the log of this process, on standard error or at the end of `file`, and has it tell of
/// panics.
///
/// Errors: the file cannot be opened, the writer's thread cannot be started, or the process has a
/// log already.
pub(crate) fn start(level: LevelFilter, format: Format, file: Option<LogFile>) -> io::Result<Guard> {
    if level == LevelFilter::Off && file.is_none() {
        // Nothing will be told: no thread, and `log::max_level` stays at off.
        return Ok(Guard);
    }
    clock::look_up_zone();
    let is_text = matches!(format, Format::Text | Format::Combined);
    let has_file = file.is_some();
    // The lines of a file of access lines are all of one kind: messages keep to standard error.
    let apart = has_file && format == Format::Combined;
    let style = Style { format, coloured: is_text && (apart || !has_file) && colour::is_wanted() };
    let writer = Arc::new(Writer::start(Target::open(file)?, style, LOG_BYTES_MAX)?);
    let of_messages = match apart {
        true => Arc::new(Writer::start(Target::Stderr, style, LOG_BYTES_MAX)?),
        false => Arc::clone(&writer),
    };
    let logger = LOGGER.get_or_init(|| Logger::new(style, writer, of_messages));
    log::set_logger(logger).map_err(io::Error::other)?;
    log::set_max_level(level);
    panics::tell_panics();
    Ok(Guard)
}

/// Lines that were lost since the start because the log's file was slower than the traffic.
pub(crate) fn lines_dropped() -> u64 {
    LOGGER.get().map_or(0, |logger| logger.writers().map(Writer::dropped).sum())
}

/// The line of the text format that tells of an end, without time and level.
pub(crate) fn closing_line(connection: &Connection<'_>, closing: &Closing<'_>) -> String {
    let mut line = String::new();
    line::closing(&mut line, connection, closing);
    line
}

/// Opens the log's file again, after the old one was moved away; standard error stays as it is.
pub(crate) fn reopen() {
    if let Some(logger) = LOGGER.get() {
        logger.writer.reopen();
    }
}

/// Held by `main`: when it is dropped, the log's last lines are written, which takes at most
/// [`LOG_FLUSH_MAX`].
#[derive(Debug)]
#[must_use = "the last lines are written when the guard is dropped"]
pub(crate) struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        log::logger().flush();
    }
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// What stands behind the `log` crate's macros and the [`AccessLog`].
struct Logger {
    style: Style,
    messages: Messages,
    writer: Arc<Writer>,
    /// The writer of the messages, which nearly always is the same.
    of_messages: Arc<Writer>,
}

impl Logger {
    fn new(style: Style, writer: Arc<Writer>, of_messages: Arc<Writer>) -> Logger {
        let messages = Messages::new(style.of_messages(), Arc::clone(&of_messages));
        Logger { style, messages, writer, of_messages }
    }

    /// Its one writer, or both.
    fn writers(&self) -> impl Iterator<Item = &Writer> {
        let second = (!Arc::ptr_eq(&self.writer, &self.of_messages)).then_some(&*self.of_messages);
        std::iter::once(&*self.writer).chain(second)
    }

    fn write_access_line(&self, level: Level, connection: &Connection<'_>, event: &Event<'_>) {
        with_line(|line| {
            line::access(line, self.style, clock::now(), level, connection, event);
            self.writer.send(line);
        });
    }
}

impl log::Log for Logger {
    /// With the course's format, messages that the course never had wait for `debug`, but for errors.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let most = match self.style.format {
            Format::Seed if log::max_level() < LevelFilter::Debug => LevelFilter::Error,
            _ => LevelFilter::Trace,
        };
        metadata.level() <= log::max_level().min(most)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.messages.write(record);
        }
    }

    fn flush(&self) {
        self.writers().for_each(Writer::flush);
    }
}

thread_local! {
    static LINE: Cell<String> = const { Cell::new(String::new()) };
}

/// Lends an empty text, whose memory stays with the thread: no line allocates once the thread is warm.
fn with_line(fill: impl FnOnce(&mut String)) {
    // Another is made if a line is logged while one is formatted, and while the thread ends.
    let mut line = LINE.try_with(Cell::take).unwrap_or_default();
    line.clear();
    fill(&mut line);
    let _ = LINE.try_with(|spare| spare.set(line));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::outcome::{How, Outcome, Phase, Who};
    use allocation_counter::measure;
    fn connection() -> Connection<'static> {
        let client = "127.0.0.1:22530".parse().unwrap();
        Connection { number: 7, role: "lb-threaded", client, is_check: false, secured: None }
    }

    fn closing() -> Closing<'static> {
        Closing {
            backend: Some("[::1]:9001".parse().unwrap()),
            request: Some(b"GET /a \"b\""),
            status: Some(200),
            bytes_in: 12,
            bytes_out: 3_000_000_000,
            queue: Duration::from_micros(7),
            connect: Some(Duration::from_micros(200)),
            first: Some(Duration::from_micros(1200)),
            total: Duration::from_secs(2),
            retries: 1,
            ..Closing::of(Outcome::new(Who::Client, How::Reset, Phase::ResponseBody))
        }
    }

    /// A log of this style into a file of its own, which is gone with the folder.
    fn log_to_a_file(style: Style) -> (Logger, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::open(Some(LogFile::at(&folder.path().join("log")))).unwrap();
        let writer = Arc::new(Writer::start(target, style, 1024 * 1024).unwrap());
        (Logger::new(style, Arc::clone(&writer), writer), folder)
    }

    fn written(logger: &Logger, folder: &tempfile::TempDir) -> String {
        logger.writer.flush();
        std::fs::read_to_string(folder.path().join("log")).unwrap()
    }

    #[test]
    fn no_access_line_allocates_once_the_thread_is_warm() {
        for format in [Format::Text, Format::Seed, Format::Json, Format::Combined] {
            let (logger, _folder) = log_to_a_file(Style { format, coloured: false });
            let (closing, connection) = (closing(), connection());
            let event = Event::Closed(&closing);
            // The calendar of a new second and a longer waiting text may take memory; lines may not.
            let quiet = (0..1000).any(|_| {
                measure(|| logger.write_access_line(Level::Info, &connection, &event)).count_total == 0
            });
            assert!(quiet, "{format:?}");
        }
    }

    #[test]
    fn a_level_that_is_off_costs_no_memory() {
        // The tests of this process start no log: all levels are off.
        let closing = closing();
        let event = Event::Closed(&closing);
        assert_eq!(measure(|| AccessLog.observe(&connection(), &event)).count_total, 0);
        assert_eq!(measure(|| log::warn!("{event:?}")).count_total, 0);
    }

    #[test]
    fn messages_and_access_lines_look_alike() {
        for coloured in [false, true] {
            let (logger, folder) = log_to_a_file(Style { format: Format::Text, coloured });
            logger.write_access_line(Level::Info, &connection(), &Event::ConnectionFrom);
            let text = format_args!("connection from 127.0.0.1:22530 role=lb-threaded connection=7");
            logger.messages.write(&Record::builder().level(Level::Info).args(text).build());
            let log = written(&logger, &folder);
            let lines: Vec<&str> = log.lines().collect();
            let level = if coloured { "\u{1b}[34m[INFO ]\u{1b}[0m" } else { "[INFO ]" };
            for line in &lines {
                assert_eq!(
                    line[23..],
                    format!(" {level} connection from 127.0.0.1:22530 role=lb-threaded connection=7"),
                    "{log}"
                );
                chrono::NaiveDateTime::parse_from_str(&line[..23], "%Y-%m-%d %H:%M:%S%.3f").unwrap();
            }
            assert_eq!(lines.len(), 2, "{log}");
            // The same clock: the later line is not earlier.
            assert!(lines[0][..23] <= lines[1][..23], "{log}");
        }
    }

    fn message(style: Style, level: Level, text: &str) -> String {
        let (logger, folder) = log_to_a_file(style);
        let mut record = Record::builder();
        let record = record.level(level).target("giliran::web");
        logger.messages.write(&record.args(format_args!("{text}")).build());
        let log = written(&logger, &folder);
        assert_eq!(log.matches('\n').count(), 1, "one line: {log:?}");
        log.strip_suffix('\n').unwrap().to_owned()
    }

    #[test]
    fn a_message_stays_one_line_whatever_it_holds() {
        let text = "a \"b\"\n\u{1b}[31mforged\r\u{202e}\u{2028}";
        let shown = |format, level| message(Style { format, coloured: false }, level, text);
        assert!(
            shown(Format::Text, Level::Warn)
                .ends_with(" [WARN ] a \"b\"\\n\\u001b[31mforged\\r\\u202e\\u2028")
        );
        assert_eq!(
            shown(Format::Seed, Level::Warn),
            "WARNING:root:a \"b\"\\n\\u001b[31mforged\\r\\u202e\\u2028"
        );
        assert!(shown(Format::Json, Level::Error).ends_with(
            "\"level\":\"error\",\"event\":\"message\",\"target\":\"giliran::web\",\
             \"message\":\"a \\\"b\\\"\\n\\u001b[31mforged\\r\\u202e\\u2028\"}"
        ));
    }

    #[test]
    fn from_debug_on_a_message_shows_thread_and_module() {
        let style = Style { format: Format::Text, coloured: false };
        for own in [None, Some("worker-07")] {
            let thread = std::thread::Builder::new().name("worker".to_owned());
            let tell = move || {
                own.into_iter().for_each(name_this_thread);
                message(style, Level::Debug, "x")
            };
            let line = thread.spawn(tell).unwrap().join().unwrap();
            let name = own.unwrap_or("worker");
            assert!(line.ends_with(&format!(" [DEBUG] ({name}) giliran::web: x")), "{line}");
        }
        assert!(message(style, Level::Info, "x").ends_with(" [INFO ] x"));
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
            let line = message(Style { format: Format::Seed, coloured: false }, level, "x");
            assert_eq!(line, format!("{name}:root:x"));
        }
    }

    /// Fails, or panics, as a `Display` of ours should not.
    struct Broken(bool);

    impl std::fmt::Display for Broken {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            assert!(!self.0, "as the test wants");
            Err(std::fmt::Error)
        }
    }

    #[test]
    fn a_value_that_cannot_be_shown_costs_its_own_line_only() {
        for (format, lines) in
            [(Format::Text, "could not be formatted\n"), (Format::Json, "could not be formatted\"}\n")]
        {
            let (logger, folder) = log_to_a_file(Style { format, coloured: false });
            let tell = |value: &dyn std::fmt::Display| {
                logger.messages.write(&Record::builder().args(format_args!("value: {value}")).build());
            };
            tell(&Broken(false));
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tell(&Broken(true))));
            assert!(panicked.is_err());
            tell(&"fine");
            let log = written(&logger, &folder);
            let (first, second) = log.split_once(lines).unwrap_or_else(|| panic!("{log}"));
            assert!(first.ends_with("a log line "), "{log}");
            assert!(second.contains("value: fine") && second.lines().count() == 1, "{log}");
        }
    }
}
