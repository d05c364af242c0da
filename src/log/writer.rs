//! The log's writer: one thread that owns the file.
//!
//! Contract: [`Writer::send`] returns at once. Lines come out in the order they were sent; those
//! that found the channel full are counted, and a line says how many they were. An error of the
//! file is told once on standard error and never ends the thread.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select, unbounded};

use super::line::{self, Event};
use super::{Format, clock};
use crate::defaults::{LOG_BATCH_BYTES, LOG_FLUSH_MAX, LOG_PAUSE};

/// The callers' end.
#[derive(Debug)]
pub(super) struct Writer {
    lines: Sender<Box<str>>,
    /// Unbounded, but its messages are rare and answered, so it stays near empty.
    orders: Sender<Order>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Order {
    /// Write all that was sent so far, then answer.
    Flush(Sender<()>),
    /// Open the file anew, then answer.
    Reopen(Sender<()>),
}

impl Writer {
    /// Starts the thread; at most `lines_max` lines wait for it.
    pub(super) fn start(target: Target, format: Format, lines_max: usize) -> io::Result<Writer> {
        let (lines, waiting) = bounded(lines_max);
        let (orders, ordered) = unbounded();
        let dropped = Arc::new(AtomicU64::new(0));
        let desk = Desk {
            lines: waiting,
            orders: ordered,
            dropped: Arc::clone(&dropped),
            told_dropped: 0,
            target,
            format,
            batch: String::new(),
            batch_lines: 0,
            lost: 0,
        };
        thread::Builder::new().name("log-writer".into()).spawn(move || desk.run())?;
        Ok(Writer { lines, orders, dropped })
    }

    /// Hands over one line, newline included, or drops and counts it.
    pub(super) fn send(&self, line: &str) {
        if self.lines.try_send(line.into()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits for the lines sent so far, up to [`LOG_FLUSH_MAX`].
    pub(super) fn flush(&self) {
        self.order(Order::Flush);
    }

    /// Has the file opened anew: lines sent after this returned are in the new one.
    pub(super) fn reopen(&self) {
        self.order(Order::Reopen);
    }

    fn order(&self, order: fn(Sender<()>) -> Order) {
        let (done, answer) = bounded(1);
        if self.orders.send(order(done)).is_ok() {
            // Too late or gone: a stuck terminal must not hold up the end of the program.
            let _ = answer.recv_timeout(LOG_FLUSH_MAX);
        }
    }

    /// Lines dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Where the lines go.
#[derive(Debug)]
pub(super) enum Target {
    /// Standard error.
    Stderr,
    /// The end of a file, and its path for [`reopen`](super::reopen).
    File(File, PathBuf),
    /// A pipe or memory, for tests.
    #[cfg(test)]
    Other(Box<dyn tests::Sink>),
}

impl Target {
    /// Standard error, or the file at `path`, which is made if it is not there.
    pub(super) fn open(path: Option<PathBuf>) -> io::Result<Target> {
        let Some(path) = path else { return Ok(Target::Stderr) };
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        Ok(Target::File(file, path))
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

/// The thread's end.
struct Desk {
    lines: Receiver<Box<str>>,
    orders: Receiver<Order>,
    dropped: Arc<AtomicU64>,
    /// How many of `dropped` a line has told of.
    told_dropped: u64,
    target: Target,
    format: Format,
    /// Lines gathered for one write.
    batch: String,
    batch_lines: u64,
    /// Lines that could not be written since the last that could; zero while all is well.
    lost: u64,
}

impl Desk {
    fn run(mut self) {
        loop {
            clock::look_up_zone();
            select! {
                recv(self.lines) -> line => match line {
                    Ok(line) => self.gather(&line),
                    Err(_) => return,
                },
                recv(self.orders) -> order => match order {
                    Ok(order) => { self.obey(order); continue }
                    Err(_) => return,
                },
            }
            self.write_waiting();
            // Lines gather meanwhile, so that a busy log is few large writes and few wake-ups; an
            // order cuts the pause short.
            match self.orders.recv_timeout(LOG_PAUSE) {
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.write_waiting(),
            }
        }
    }

    fn obey(&mut self, order: Order) {
        self.write_waiting();
        let done = match order {
            Order::Flush(done) => done,
            Order::Reopen(done) => {
                self.reopen();
                done
            }
        };
        // Whoever gave up waiting has dropped the other end.
        let _ = done.send(());
    }

    /// Writes what waits now, and not what comes while it writes: a flush must end under load.
    fn write_waiting(&mut self) {
        for _ in 0..self.lines.len() {
            let Ok(line) = self.lines.try_recv() else { break };
            self.gather(&line);
        }
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > self.told_dropped {
            let count = dropped - self.told_dropped;
            self.told_dropped = dropped;
            self.say(&format!("{count} log lines were dropped: the log's file is slower than the traffic"));
        }
        self.write_batch();
    }

    fn gather(&mut self, line: &str) {
        self.batch.push_str(line);
        self.batch_lines += 1;
        if self.batch.len() >= LOG_BATCH_BYTES {
            self.write_batch();
        }
    }

    /// Adds a line of the log's own.
    fn say(&mut self, words: &str) {
        line::write(&mut self.batch, self.format, clock::now(), &Event::Own(words));
    }

    fn write_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        match self.target.write(self.batch.as_bytes()) {
            Ok(()) if self.lost > 0 => {
                let lost = std::mem::take(&mut self.lost);
                self.batch.clear();
                self.say(&format!("{lost} log lines before this could not be written"));
                // Should this fail, the next batch will fail too, and tell of it.
                let _ = self.target.write(self.batch.as_bytes());
            }
            Ok(()) => {}
            Err(error) => {
                if self.lost == 0 {
                    complain(&format!("the log cannot be written: {error}"));
                }
                self.lost += self.batch_lines.max(1);
            }
        }
        self.batch.clear();
        self.batch_lines = 0;
    }

    fn reopen(&mut self) {
        if let Target::File(_, path) = &self.target {
            match Target::open(Some(path.clone())) {
                Ok(target) => self.target = target,
                // The old file is still open: lines go there rather than nowhere.
                Err(error) => complain(&format!("{}: cannot open the log again: {error}", path.display())),
            }
        }
    }
}

/// For what cannot go into the log: straight to standard error.
fn complain(words: &str) {
    // If that is closed too, nobody is left to tell.
    let _ = writeln!(io::stderr(), "log: {words}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::Mutex;

    pub(in crate::log) trait Sink: Write + Send + std::fmt::Debug {}

    /// Keeps what is written; fails while told to; each write waits for a ticket.
    #[derive(Clone, Debug)]
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

    fn scripted(lines_max: usize) -> (Writer, Sender<io::Result<()>>, Arc<Mutex<String>>) {
        let (tickets, waiting) = unbounded();
        let written = Arc::new(Mutex::new(String::new()));
        let sink = Scripted { written: Arc::clone(&written), tickets: waiting };
        let writer = Writer::start(Target::Other(Box::new(sink)), Format::Seed, lines_max).unwrap();
        (writer, tickets, written)
    }

    #[test]
    fn lines_come_out_in_order_and_flush_waits_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "old\n").unwrap();
        let writer = Writer::start(Target::open(Some(path.clone())).unwrap(), Format::Text, 4096).unwrap();
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
        let writer = Writer::start(Target::open(Some(path.clone())).unwrap(), Format::Text, 16).unwrap();
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
    fn lines_that_find_the_channel_full_are_dropped_counted_and_told_of() {
        let (writer, tickets, written) = scripted(2);
        for number in 0..100 {
            writer.send(&format!("{number}\n"));
        }
        // The writer may take one line, or one and then two more, before its first write waits.
        let dropped = writer.dropped();
        assert!(dropped >= 100 - 5, "{dropped}");
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
        assert_eq!(told, writer.dropped(), "{text}");
        let kept = text.lines().filter(|line| !line.starts_with("WARNING")).count();
        assert_eq!(u64::try_from(kept).unwrap() + told, 100, "every line is either there or counted");
    }

    #[test]
    fn an_error_of_the_file_costs_its_lines_and_not_the_thread() {
        let (writer, tickets, written) = scripted(16);
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
