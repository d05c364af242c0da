//! A trace that one of our roles has written (`--trace`), read again: which thread had which request, and when.
//!
//! Contract: only what serves a connection is read. A thread's wait for work is a gap here.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

/// What the threads of one role did for their connections.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Trace {
    /// By the time of their begin.
    pub(super) slices: Vec<Slice>,
}

/// One phase of one connection on one thread.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Slice {
    pub(super) thread: String,
    /// `read`, `connect`, `wait` or `write`.
    pub(super) phase: String,
    pub(super) connection: u64,
    /// Microseconds since the role was started.
    pub(super) from_us: u64,
    pub(super) until_us: u64,
}

impl Slice {
    pub(super) fn took_us(&self) -> u64 {
        self.until_us - self.from_us
    }
}

/// One connection, from the first time that a thread had it to the last.
#[derive(Clone, Debug)]
pub(super) struct Served<'t> {
    pub(super) slices: Vec<&'t Slice>,
}

impl<'t> Served<'t> {
    pub(super) fn began_us(&self) -> u64 {
        self.slices.first().map_or(0, |slice| slice.from_us)
    }

    pub(super) fn ended_us(&self) -> u64 {
        self.slices.iter().map(|slice| slice.until_us).max().unwrap_or(0)
    }

    pub(super) fn took_us(&self) -> u64 {
        self.ended_us() - self.began_us()
    }

    /// How long a thread had it.
    pub(super) fn on_thread_us(&self) -> u64 {
        self.slices.iter().map(|slice| slice.took_us()).sum()
    }

    /// The times in which no thread had it: from, until.
    pub(super) fn gaps_us(&self) -> Vec<(u64, u64)> {
        let pairs = self.slices.iter().zip(self.slices.iter().skip(1));
        let gaps = pairs.map(|(one, next)| (one.until_us, next.from_us));
        gaps.filter(|(from, until)| from < until).collect()
    }

    /// The threads that had it, each once, in their order.
    pub(super) fn threads(&self) -> Vec<&'t str> {
        let mut threads: Vec<&str> = Vec::new();
        for slice in &self.slices {
            if !threads.contains(&slice.thread.as_str()) {
                threads.push(&slice.thread);
            }
        }
        threads
    }
}

impl Trace {
    /// Errors: the file cannot be read, or is no trace.
    pub(super) fn read(path: &Path) -> io::Result<Trace> {
        let file: File = serde_json::from_slice(&fs::read(path)?)?;
        let mut names = BTreeMap::new();
        let mut slices = Vec::new();
        for event in file.events {
            match event {
                Event::Name { name, thread, args } if name == "thread_name" => {
                    names.insert(thread, args.name);
                }
                Event::Slice { name, ts, dur, thread, args } if args.connection > 0 => {
                    // A track is named before its first slice.
                    let thread = names.get(&thread).cloned().unwrap_or_else(|| thread.to_string());
                    let (from_us, until_us) = (ts, ts + dur);
                    let connection = args.connection;
                    slices.push(Slice { thread, phase: name, connection, from_us, until_us });
                }
                _ => {}
            }
        }
        slices.sort_by_key(|slice| slice.from_us);
        Ok(Trace { slices })
    }

    /// Its connections, in the order in which a thread first had them.
    pub(super) fn served(&self) -> Vec<Served<'_>> {
        let mut served: Vec<Served<'_>> = Vec::new();
        for slice in &self.slices {
            let is_its = |known: &&mut Served<'_>| known.slices[0].connection == slice.connection;
            match served.iter_mut().find(is_its) {
                Some(known) => known.slices.push(slice),
                None => served.push(Served { slices: vec![slice] }),
            }
        }
        served
    }

    /// The threads that served, by name.
    pub(super) fn threads(&self) -> Vec<&str> {
        let mut threads: Vec<&str> = self.slices.iter().map(|slice| slice.thread.as_str()).collect();
        threads.sort_unstable();
        threads.dedup();
        threads
    }
}

/// The file: Chrome trace events.
#[derive(Deserialize)]
struct File {
    #[serde(rename = "traceEvents")]
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(tag = "ph")]
enum Event {
    #[serde(rename = "M")]
    Name {
        name: String,
        #[serde(default, rename = "tid")]
        thread: u64,
        args: NameArgs,
    },
    #[serde(rename = "X")]
    Slice {
        name: String,
        ts: u64,
        dur: u64,
        #[serde(rename = "tid")]
        thread: u64,
        args: SliceArgs,
    },
    /// An arrow, which shows nothing that the slices do not.
    #[serde(other)]
    Flow,
}

#[derive(Deserialize)]
struct NameArgs {
    name: String,
}

#[derive(Deserialize)]
struct SliceArgs {
    connection: u64,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::lab) fn slice(thread: &str, phase: &str, connection: u64, times: (u64, u64)) -> Slice {
        let (thread, phase, (from_us, until_us)) = (thread.to_owned(), phase.to_owned(), times);
        Slice { thread, phase, connection, from_us, until_us }
    }

    #[test]
    fn a_trace_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.json");
        let text = r#"{"displayTimeUnit":"ms","traceEvents":[
            {"name":"process_name","ph":"M","pid":1,"args":{"name":"lb-threaded 127.0.0.1:666"}},
            {"name":"thread_name","ph":"M","pid":1,"tid":3,"args":{"name":"worker-01"}},
            {"name":"accept","cat":"phase","ph":"X","ts":1,"dur":9,"pid":1,"tid":3,"args":{"connection":0}},
            {"name":"write","cat":"phase","ph":"X","ts":90,"dur":5,"pid":1,"tid":3,"args":{"connection":7}},
            {"name":"read","cat":"phase","ph":"X","ts":20,"dur":30,"pid":1,"tid":3,"args":{"connection":7}},
            {"name":"connection","cat":"flow","ph":"s","id":7,"ts":20,"pid":1,"tid":3}],
            "otherData":{"overwritten":0}}"#;
        fs::write(&path, text).unwrap();
        let trace = Trace::read(&path).unwrap();
        let expected = [slice("worker-01", "read", 7, (20, 50)), slice("worker-01", "write", 7, (90, 95))];
        assert_eq!(trace.slices, expected);
        let served = trace.served();
        assert_eq!((served.len(), served[0].took_us(), served[0].on_thread_us()), (1, 75, 35));
        assert_eq!((served[0].gaps_us(), served[0].threads()), (vec![(50, 90)], vec!["worker-01"]));
        fs::write(&path, "{}").unwrap();
        assert!(Trace::read(&path).is_err());
    }
}
