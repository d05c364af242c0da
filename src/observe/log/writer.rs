//! The log's writer: one thread that owns the file.
//!
//! Contract: [`Writer::send`] never waits for the file. Lines are written in the order they were sent.
//! If too many bytes wait, a line is dropped and counted, and a later line says how many were dropped.
//! An error of the file is reported once on standard error and never ends the thread.
//!
//! Lines wait in one text behind a lock, which is held only while a line is copied. A channel would
//! need memory of its own for each line, allocated by one thread and freed by another.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::clock;
use super::line::{self, Style};
use super::{Format, LOG_FLUSH_MAX, LOG_PAUSE};

/// The end that callers hold.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
}

/// What callers and the writer's thread share.
#[derive(Debug)]
struct Shared {
    bytes_max: usize,
    waiting: Mutex<Waiting>,
    /// Wakes the thread when it sleeps and there is something to do.
    work: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Lines for the next write.
    lines: String,
    count: u64,
    /// Few: whoever gives one waits until it is done.
    orders: Vec<Order>,
    /// Lines dropped since the start.
    dropped: u64,
    /// The thread sleeps and must be woken; while it works or pauses, it looks again by itself.
    is_asleep: bool,
    closed: bool,
}

#[derive(Debug)]
enum Order {
    /// Write all lines sent so far, then answer.
    Flush(SyncSender<()>),
    /// Open the file again, then answer.
    Reopen(SyncSender<()>),
}

impl Writer {
    /// Starts the thread; at most `bytes_max` bytes wait for it.
    pub(super) fn start(target: Target, style: Style, bytes_max: usize) -> io::Result<Writer> {
        let shared = Arc::new(Shared { bytes_max, waiting: Mutex::default(), work: Condvar::new() });
        let thread = Thread {
            shared: Arc::clone(&shared),
            reported_dropped: 0,
            target,
            style,
            batch: String::new(),
            batch_lines: 0,
            lost: 0,
        };
        thread::Builder::new().name("log-writer".into()).spawn(move || thread.run())?;
        Ok(Writer { shared })
    }

    /// Takes one line, newline included, or drops and counts it.
    pub(super) fn send(&self, line: &str) {
        let mut waiting = self.shared.waiting();
        if waiting.lines.len() + line.len() > self.shared.bytes_max {
            waiting.dropped += 1;
            return;
        }
        waiting.lines.push_str(line);
        waiting.count += 1;
        if std::mem::take(&mut waiting.is_asleep) {
            drop(waiting);
            self.shared.work.notify_one();
        }
    }

    /// Lines dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.shared.waiting().dropped
    }

    /// Waits for the lines sent so far, up to [`LOG_FLUSH_MAX`].
    pub(super) fn flush(&self) {
        self.order(Order::Flush);
    }

    /// Opens the file again: lines sent after this are in the new one.
    pub(super) fn reopen(&self) {
        self.order(Order::Reopen);
    }

    fn order(&self, order: fn(SyncSender<()>) -> Order) {
        let (done, answer) = sync_channel(1);
        self.shared.waiting().orders.push(order(done));
        self.shared.work.notify_one();
        // No answer in time: a terminal that is stuck must not keep the program from ending.
        let _ = answer.recv_timeout(LOG_FLUSH_MAX);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.waiting().closed = true;
        self.shared.work.notify_one();
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // No code panics while it holds this lock, so the data is complete in any case.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that the log is appended to.
#[derive(Clone, Debug)]
pub(crate) struct LogFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// How it is opened, at the start and again: this room makes no system calls of its own.
    pub(crate) open: fn(&Path) -> io::Result<File>,
}

/// Where the lines go.
#[derive(Debug)]
pub(super) enum Target {
    /// Standard error.
    Stderr,
    /// The end of a file, and how to open it again for [`reopen`](super::reopen).
    File(File, LogFile),
    /// A pipe or memory, for tests.
    #[cfg(test)]
    Other(Box<dyn tests::Sink>),
}

impl Target {
    /// Standard error, or the end of this file.
    pub(super) fn open(file: Option<LogFile>) -> io::Result<Target> {
        let Some(file) = file else { return Ok(Target::Stderr) };
        Ok(Target::File((file.open)(&file.path)?, file))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Target::Stderr => io::stderr().write_all(bytes),
            Target::File(file, _) => file.write_all(bytes),
            #[cfg(test)]
            Target::Other(sink) => sink.write_all(bytes),
        }
    }
}

/// What the writer's thread owns.
struct Thread {
    shared: Arc<Shared>,
    /// Dropped lines that were already reported.
    reported_dropped: u64,
    target: Target,
    style: Style,
    /// Lines for one write.
    batch: String,
    batch_lines: u64,
    /// Lines that could not be written since the last successful write.
    lost: u64,
}

impl Thread {
    fn run(mut self) {
        loop {
            clock::look_up_zone();
            let Some(orders) = self.take_waiting() else { return };
            self.write_batch();
            orders.into_iter().for_each(|order| self.carry_out(order));
            self.pause();
        }
    }

    /// Waits for lines or orders and takes them; `None` once there will be no more.
    fn take_waiting(&mut self) -> Option<Vec<Order>> {
        let shared = Arc::clone(&self.shared);
        let mut waiting = shared.waiting();
        while waiting.lines.is_empty() && waiting.orders.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting.is_asleep = true;
            waiting = shared.work.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.is_asleep = false;
        // The batch is empty: the two texts change places, and neither memory is freed.
        std::mem::swap(&mut waiting.lines, &mut self.batch);
        self.batch_lines = std::mem::take(&mut waiting.count);
        let (dropped, orders) = (waiting.dropped, std::mem::take(&mut waiting.orders));
        drop(waiting);
        if dropped > self.reported_dropped {
            let count = dropped - self.reported_dropped;
            self.reported_dropped = dropped;
            self.notice(&format!(
                "{count} log lines were dropped: the log's file is slower than the traffic"
            ));
        }
        Some(orders)
    }

    fn carry_out(&mut self, order: Order) {
        let done = match order {
            Order::Flush(done) => done,
            Order::Reopen(done) => {
                self.reopen();
                done
            }
        };
        // The caller may have stopped waiting.
        let _ = done.send(());
    }

    /// Waits a little, so that a busy log needs few large writes; an order ends the wait.
    fn pause(&self) {
        let may_pause = |waiting: &mut Waiting| waiting.orders.is_empty() && !waiting.closed;
        drop(self.shared.work.wait_timeout_while(self.shared.waiting(), LOG_PAUSE, may_pause));
    }

    /// Adds a line that the log itself has to say.
    fn notice(&mut self, words: &str) {
        if self.style.format == Format::Combined && matches!(self.target, Target::File(..)) {
            // What reads such a file knows access lines only.
            return report(words);
        }
        line::notice(&mut self.batch, self.style, clock::now(), words);
    }

    fn write_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        match self.target.write(self.batch.as_bytes()) {
            Ok(()) if self.lost > 0 => {
                let lost = std::mem::take(&mut self.lost);
                self.batch.clear();
                self.notice(&format!("{lost} log lines before this could not be written"));
                // If this fails, the next batch will fail too and report it.
                let _ = self.target.write(self.batch.as_bytes());
            }
            Ok(()) => {}
            Err(error) => {
                if self.lost == 0 {
                    report(&format!("the log cannot be written: {error}"));
                }
                self.lost += self.batch_lines.max(1);
            }
        }
        self.batch.clear();
        self.batch_lines = 0;
    }

    fn reopen(&mut self) {
        if let Target::File(_, file) = &self.target {
            match Target::open(Some(file.clone())) {
                Ok(target) => self.target = target,
                // The old file is still open and takes the lines.
                Err(error) => report(&format!("{}: cannot open the log again: {error}", file.path.display())),
            }
        }
    }
}

/// Says on standard error what cannot go into the log.
fn report(words: &str) {
    // If standard error is closed too, there is nowhere else to say it.
    let _ = writeln!(io::stderr(), "log: {words}");
}

#[cfg(test)]
impl LogFile {
    /// The file at `path`, opened in the plain way.
    pub(super) fn at(path: &Path) -> LogFile {
        let open = |path: &Path| std::fs::OpenOptions::new().create(true).append(true).open(path);
        LogFile { path: path.to_owned(), open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::mpsc::{Receiver, Sender, channel};

    pub(in super::super) trait Sink: Write + Send + std::fmt::Debug {}

    /// Keeps what is written; fails while told to; each write waits for a ticket.
    #[derive(Debug)]
    struct Scripted {
        written: Arc<Mutex<String>>,
        tickets: Receiver<io::Result<()>>,
    }

    impl Sink for Scripted {}

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.tickets.recv().unwrap()?;
            self.written.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn scripted(bytes_max: usize) -> (Writer, Sender<io::Result<()>>, Arc<Mutex<String>>) {
        let (tickets, waiting) = channel();
        let written = Arc::new(Mutex::new(String::new()));
        let sink = Scripted { written: Arc::clone(&written), tickets: waiting };
        let writer = Writer::start(Target::Other(Box::new(sink)), SEED, bytes_max).unwrap();
        (writer, tickets, written)
    }

    const TEXT: Style = Style { format: Format::Text, coloured: false };
    const SEED: Style = Style { format: Format::Seed, coloured: false };

    /// Lines dropped so far.
    fn dropped_by(writer: &Writer) -> u64 {
        writer.shared.waiting().dropped
    }

    #[test]
    fn lines_come_out_in_order_and_flush_waits_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "old\n").unwrap();
        let writer = Writer::start(Target::open(Some(LogFile::at(&path))).unwrap(), TEXT, 64 * 1024).unwrap();
        let mut wanted = String::from("old\n");
        for number in 0..1000 {
            let line = format!("line {number}\n");
            writer.send(&line);
            wanted.push_str(&line);
        }
        writer.flush();
        assert_eq!(fs::read_to_string(&path).unwrap(), wanted);
    }

    #[test]
    fn a_moved_file_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("log"), folder.path().join("log.1"));
        let writer = Writer::start(Target::open(Some(LogFile::at(&path))).unwrap(), TEXT, 4096).unwrap();
        writer.send("one\n");
        writer.flush();
        fs::rename(&path, &moved).unwrap();
        writer.reopen();
        writer.send("two\n");
        writer.flush();
        assert_eq!(fs::read_to_string(&moved).unwrap(), "one\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }

    #[test]
    fn lines_that_find_no_room_are_dropped_counted_and_told_of() {
        let (writer, tickets, written) = scripted(6);
        for number in 0..100 {
            writer.send(&format!("{number}\n"));
        }
        // Three lines fit, and as many wait in the thread's first write.
        let dropped = dropped_by(&writer);
        assert!(dropped >= 100 - 6, "{dropped}");
        for _ in 0..10 {
            tickets.send(Ok(())).unwrap();
        }
        writer.flush();
        let text = written.lock().unwrap().clone();
        assert!(text.starts_with("0\n"), "{text}");
        let told: u64 = text
            .lines()
            .filter_map(|line| line.strip_prefix("WARNING:root:"))
            .map(|line| {
                let (count, rest) = line.split_once(' ').unwrap();
                assert_eq!(rest, "log lines were dropped: the log's file is slower than the traffic");
                count.parse::<u64>().unwrap()
            })
            .sum();
        assert_eq!(told, dropped_by(&writer), "{text}");
        let kept = text.lines().filter(|line| !line.starts_with("WARNING")).count();
        assert_eq!(u64::try_from(kept).unwrap() + told, 100, "every line is either there or counted");
    }

    #[test]
    fn an_error_of_the_file_costs_its_lines_and_not_the_thread() {
        let (writer, tickets, written) = scripted(64);
        tickets.send(Err(io::Error::from(io::ErrorKind::StorageFull))).unwrap();
        writer.send("lost\n");
        writer.flush();
        for _ in 0..3 {
            tickets.send(Ok(())).unwrap();
        }
        writer.send("kept\n");
        writer.flush();
        assert_eq!(
            *written.lock().unwrap(),
            "kept\nWARNING:root:1 log lines before this could not be written\n"
        );
    }
}
