//! Lesson: the same ten requests, one of them slow, through a pool that keeps them, a pool that parks them, and a loop.
//!
//! What is drawn comes from the traces that the balancers write themselves (`--trace`): each phase of each thread.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::classroom::{Classroom, Findings, Question, Teaching, milliseconds};
use crate::app::cli::Failure;
use crate::lab::lang::{Lang, parts, text};
use crate::lab::report::drawing::Drawing;
use crate::lab::report::timeline::{Bar, Kind, Panel, Row, Timeline};
use crate::lab::table::Table;
use crate::lab::terminal::failed_at;
use crate::lab::testbed::{Contender, Testbed, TestbedOptions};
use crate::lab::trace::{Served, Slice, Trace};

const REQUESTS: usize = 10;
/// How long the back end takes: for one request, and for each of the others.
const SLOW: Duration = Duration::from_millis(400);
const QUICK: Duration = Duration::from_millis(60);
const WORKERS: usize = 4;
const BACKENDS: usize = 2;
/// Longest wait for a connection or for a response.
const RESPONSE_MAX: Duration = Duration::from_secs(5);

/// The balancers: the name of each, and its flags beside those that all have.
const BALANCERS: [(&str, Contender, &[&str]); 3] = [
    ("lb-threaded --no-park", Contender::Threaded, &["--workers", "4", "--no-park"]),
    ("lb-threaded", Contender::Threaded, &["--workers", "4"]),
    ("lb-async", Contender::Async, &["--loops", "1"]),
];

/// What to ask, to run, and to read after it.
pub(super) const TEACHING: Teaching = Teaching {
    question,
    longest: |_| (SLOW + QUICK) * BALANCERS.len() as u32,
    run,
    code: &[
        "src/threaded/worker.rs (WaitBudget)",
        "src/threaded/parking.rs",
        "src/poll_loop/event_loop.rs",
        "src/observe/trace.rs",
    ],
};

fn question(lang: Lang) -> Question {
    let [slow, quick] = [SLOW, QUICK].map(|time| time.as_millis() as u64);
    let text = text!(
        lang,
        "timeline-question",
        requests = REQUESTS,
        others = REQUESTS - 1,
        slow,
        quick,
        workers = WORKERS
    );
    Question::new(text, &text!(lang, "timeline-choices", quick, slow))
}

/// What one balancer did.
struct Told {
    name: &'static str,
    is_async: bool,
    trace: Trace,
}

fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    fs::create_dir_all(room.out).map_err(failed_at(room.out))?;
    let mut told = Vec::new();
    for (name, contender, flags) in BALANCERS {
        // They stay there: Perfetto opens them as well.
        let file = room.out.join(format!("lesson-timeline-{}.json", name.replace(" --", "-")));
        let trace = traced(&contender, flags, &file)?;
        let count = trace.served().len();
        if count != REQUESTS {
            let why = format!("{}: {count} requests, and {REQUESTS} were made", file.display());
            return Err(Failure::Runtime(why));
        }
        told.push(Told { name, is_async: contender.is_async(), trace });
    }
    Ok(findings(&told, room.lang))
}

/// Makes the ten requests through a balancer, ends it, and reads the trace that it leaves.
fn traced(contender: &Contender, flags: &[&str], file: &Path) -> Result<Trace, Failure> {
    if let Err(error) = fs::remove_file(file)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(failed_at(file)(error));
    }
    let mut extra = vec!["--mode".to_owned(), "http".to_owned()];
    extra.extend(["--trace".to_owned(), file.to_string_lossy().into_owned()]);
    extra.extend(flags.iter().map(|flag| (*flag).to_owned()));
    // The same back ends for all: a delay is a timer there, so none of them waits for a worker of its own.
    let options = TestbedOptions {
        backends: BACKENDS,
        backend_is_async: Some(true),
        extra,
        ..TestbedOptions::default()
    };
    let testbed = Testbed::start(contender, &options)?;
    all_at_once(testbed.address).map_err(|error| Failure::Runtime(format!("{contender}: {error}")))?;
    // It writes the trace when it ends.
    drop(testbed);
    Trace::read(file).map_err(failed_at(file))
}

/// Makes all requests at the same time, the slow one first, and reads each response to its end.
fn all_at_once(address: SocketAddr) -> io::Result<()> {
    let mut streams = Vec::new();
    for _ in 0..REQUESTS {
        let stream = TcpStream::connect_timeout(&address, RESPONSE_MAX)?;
        stream.set_read_timeout(Some(RESPONSE_MAX))?;
        streams.push(stream);
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        let delay = if number == 0 { SLOW } else { QUICK };
        let request = format!("GET /?delay={}ms HTTP/1.0\r\nHost: {address}\r\n\r\n", delay.as_millis());
        stream.write_all(request.as_bytes())?;
    }
    thread::scope(|scope| {
        // Each is read by a thread of its own: a client that closes late would hold its connection longer.
        let readers: Vec<_> =
            streams.into_iter().map(|stream| scope.spawn(move || read_response(stream))).collect();
        let lost = || io::Error::other("the thread of a client panicked");
        readers.into_iter().try_for_each(|reader| reader.join().unwrap_or_else(|_| Err(lost())))
    })
}

fn read_response(mut stream: TcpStream) -> io::Result<()> {
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    match response.get(8..).is_some_and(|rest| rest.starts_with(b" 200 ")) {
        true => Ok(()),
        false => Err(io::Error::other("a response was not 200")),
    }
}

/// The figures of one balancer; times count from the first slice of its first request.
struct Figures<'t> {
    told: &'t Told,
    requests: Vec<Served<'t>>,
    began_us: u64,
    /// The number of the request that took longest.
    slow: usize,
}

impl<'t> Figures<'t> {
    fn of(told: &'t Told) -> Figures<'t> {
        let requests = told.trace.served();
        let slow = (0..requests.len()).max_by_key(|number| requests[*number].took_us()).unwrap_or(0);
        let began_us = requests.first().map_or(0, Served::began_us);
        Figures { told, requests, began_us, slow }
    }

    fn since_begin_us(&self, at_us: u64) -> u64 {
        at_us.saturating_sub(self.began_us)
    }

    fn until_us(&self) -> u64 {
        self.since_begin_us(self.requests.iter().map(Served::ended_us).max().unwrap_or(0))
    }

    /// When the last of the quick ones ended.
    fn last_quick_us(&self) -> u64 {
        let quick = self.requests.iter().enumerate().filter(|(number, _)| *number != self.slow);
        self.since_begin_us(quick.map(|(_, request)| request.ended_us()).max().unwrap_or(0))
    }

    /// The most requests that were under way at one moment.
    fn most(&self) -> usize {
        let under_way = |at_us: u64| {
            self.requests.iter().filter(|one| one.began_us() <= at_us && at_us < one.ended_us()).count()
        };
        self.requests.iter().map(|request| under_way(request.began_us())).max().unwrap_or(0)
    }

    /// How long the threads worked or waited for requests.
    fn on_threads_us(&self) -> u64 {
        self.requests.iter().map(Served::on_thread_us).sum()
    }

    /// How long the slow one waited for its back end on a thread.
    fn slow_waited_us(&self) -> u64 {
        let waits = |slice: &&&Slice| slice.phase == "wait";
        self.slow_one().slices.iter().filter(waits).map(|slice| slice.took_us()).sum()
    }

    fn slow_one(&self) -> &Served<'t> {
        // There is one: the traces have ten requests each.
        &self.requests[self.slow]
    }

    fn bar(&self, number: usize, kind: Kind, line: usize, (from_us, until_us): (u64, u64)) -> Bar {
        let ms = |at_us: u64| self.since_begin_us(at_us) as f64 / 1000.0;
        Bar { from_ms: ms(from_us), until_ms: ms(until_us), kind, line, is_marked: number == self.slow }
    }

    fn panel(&self, lang: Lang) -> Panel {
        let numbered = || self.requests.iter().enumerate();
        let row = |thread: &str| {
            let slices =
                numbered().flat_map(|(number, one)| one.slices.iter().map(move |slice| (number, slice)));
            let bars = slices.filter(|(_, slice)| slice.thread == thread).filter_map(|(number, slice)| {
                Some(self.bar(number, Kind::of_phase(&slice.phase)?, 0, (slice.from_us, slice.until_us)))
            });
            Row { name: thread.to_owned(), lines: 1, bars: bars.collect() }
        };
        let mut rows: Vec<Row> = self.told.trace.threads().into_iter().map(row).collect();
        let held: Vec<Bar> = numbered()
            .flat_map(|(number, one)| {
                one.gaps_us().into_iter().map(move |gap| self.bar(number, Kind::Held, number, gap))
            })
            .collect();
        if !held.is_empty() {
            let name = if self.told.is_async {
                text!(lang, "timeline-polled")
            } else {
                text!(lang, "timeline-parked")
            };
            rows.push(Row { name, lines: self.requests.len(), bars: held });
        }
        Panel { title: self.told.name.to_owned(), rows }
    }

    fn table_rows(&self, lang: Lang) -> Vec<Vec<String>> {
        let row = |(number, request): (usize, &Served<'_>)| {
            let mark = if number == self.slow {
                format!(" ({})", text!(lang, "timeline-slow"))
            } else {
                String::new()
            };
            let without = request.took_us() - request.on_thread_us().min(request.took_us());
            let times = [
                self.since_begin_us(request.began_us()),
                self.since_begin_us(request.ended_us()),
                request.on_thread_us(),
                without,
            ];
            let names =
                [self.told.name.to_owned(), format!("{}{mark}", number + 1), request.threads().join(", ")];
            names.into_iter().chain(times.map(milliseconds)).collect()
        };
        self.requests.iter().enumerate().map(row).collect()
    }
}

fn findings(told: &[Told], lang: Lang) -> Findings {
    let figures: Vec<Figures<'_>> = told.iter().map(Figures::of).collect();
    Findings {
        table: Table {
            title: text!(lang, "timeline-title"),
            header: parts(&text!(lang, "timeline-columns")),
            rows: figures.iter().flat_map(|figures| figures.table_rows(lang)).collect(),
            notes: Vec::new(),
        },
        drawing: Drawing::Timeline(timeline(&figures, lang)),
        right: right(&figures),
        explanation: explanation(&figures, lang),
    }
}

/// Which guess the pool that keeps its requests and the loop confirm.
fn right(figures: &[Figures<'_>]) -> usize {
    let [kept, looped] = [0, figures.len() - 1].map(|number| figures[number].last_quick_us());
    match looped >= SLOW.as_micros() as u64 {
        true => 2,
        // Two rounds are the least that nine need with four workers, one of whom has the slow one.
        false => usize::from(kept >= 2 * QUICK.as_micros() as u64 && looped < kept),
    }
}

fn timeline(figures: &[Figures<'_>], lang: Lang) -> Timeline {
    let until_us = figures.iter().map(Figures::until_us).max().unwrap_or(0);
    let kinds = [Kind::Read, Kind::Connect, Kind::Wait, Kind::Write, Kind::Held];
    Timeline {
        x_label: text!(lang, "timeline-x"),
        until_ms: until_us as f64 / 1000.0,
        mark: text!(lang, "timeline-slow"),
        panels: figures.iter().map(|figures| figures.panel(lang)).collect(),
        legend: kinds.into_iter().zip(parts(&text!(lang, "timeline-legend"))).collect(),
        ..Timeline::default()
    }
}

fn explanation(figures: &[Figures<'_>], lang: Lang) -> Vec<String> {
    let others = REQUESTS - 1;
    let mut explanation = vec![text!(lang, "timeline-how")];
    if let [kept, parked, looped] = figures {
        explanation.push(text!(
            lang,
            "timeline-kept",
            thread = kept.slow_one().threads().join(", "),
            on_thread = milliseconds(kept.slow_one().on_thread_us()),
            waited = milliseconds(kept.slow_waited_us()),
            most = kept.most(),
            others,
            last = milliseconds(kept.last_quick_us()),
        ));
        let slow = parked.slow_one();
        explanation.push(text!(
            lang,
            "timeline-parks",
            on_thread = milliseconds(slow.on_thread_us()),
            parked = milliseconds(slow.took_us().saturating_sub(slow.on_thread_us())),
            most = parked.most(),
            last = milliseconds(parked.last_quick_us()),
        ));
        explanation.push(text!(
            lang,
            "timeline-loop",
            most = looped.most(),
            worked = milliseconds(looped.on_threads_us()),
            whole = milliseconds(looped.until_us()),
            last = milliseconds(looped.last_quick_us()),
        ));
    }
    explanation.push(text!(lang, "timeline-follows", workers = WORKERS));
    explanation.push(text!(lang, "timeline-files"));
    explanation
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::trace::tests::slice;

    /// Ten requests of which the first is slow: on threads for their whole time, or at its begin and end only.
    fn told(name: &'static str, threads: &[&str], is_kept: bool) -> Told {
        let mut slices = Vec::new();
        for number in 0..REQUESTS {
            let took = if number == 0 { 400_000 } else { 60_000 };
            // The first worker keeps the slow one, and the others share the rest.
            let (thread, round) = match is_kept {
                true if number > 0 => (threads[1 + (number - 1) % 3], (number - 1) / 3 * 60_000),
                _ => (threads[number % threads.len()], 0),
            };
            let (from, number) = ((1000 + round + number) as u64, number as u64);
            match is_kept {
                true => slices.push(slice(thread, "wait", number + 5, (from, from + took))),
                false => slices.extend([
                    slice(thread, "read", number + 5, (from, from + 1)),
                    slice(thread, "write", number + 5, (from + took - 1, from + took)),
                ]),
            }
        }
        slices.sort_by_key(|slice| slice.from_us);
        Told { name, is_async: threads.len() == 1, trace: Trace { slices } }
    }

    #[test]
    fn every_thread_has_a_row_and_what_is_held_without_one_as_well() {
        let workers = ["worker-00", "worker-01", "worker-02", "worker-03"];
        let told = [
            told("kept", &workers, true),
            told("parked", &workers[..2], false),
            told("loop", &["loop-0"], false),
        ];
        for lang in [Lang::En, Lang::Id] {
            let found = findings(&told, lang);
            assert_eq!((found.right, found.table.rows.len()), (1, 3 * REQUESTS));
            let Drawing::Timeline(timeline) = &found.drawing else { panic!("a timeline") };
            let rows: Vec<Vec<&str>> = timeline
                .panels
                .iter()
                .map(|panel| panel.rows.iter().map(|row| row.name.as_str()).collect())
                .collect();
            assert_eq!(rows[0], workers);
            assert_eq!((&rows[1][..2], rows[1].len()), (&workers[..2], 3));
            assert_eq!((rows[2][0], rows[2].len()), ("loop-0", 2));
            let held = &timeline.panels[2].rows[1];
            assert_eq!((held.lines, held.bars.len()), (REQUESTS, REQUESTS));
            assert_eq!(held.bars.iter().filter(|bar| bar.is_marked).count(), 1);
            assert_eq!((timeline.legend.len(), timeline.panels[0].rows[0].bars[0].until_ms), (5, 400.0));
        }
        let found = findings(&told, Lang::En);
        assert_eq!(found.table.rows[0], ["kept", "1 (slow)", "worker-00", "0.0", "400.0", "400.0", "0.0"]);
        assert_eq!(found.table.rows[20][5..], ["0.0", "400.0"]);
        assert!(found.explanation[1].contains("at most 4 "), "{:?}", found.explanation);
        assert!(found.explanation[3].contains("up to 10 "), "{:?}", found.explanation);
    }
}
