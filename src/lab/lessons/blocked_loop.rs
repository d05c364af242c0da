//! Lesson: one slow response inside a loop, compared with a pool.
//!
//! Our own loop cannot be blocked by `?delay=`: the delay is a timer in it. So the lesson brings a loop
//! that sleeps in its handler, as a beginner's loop does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::classroom::{
    Classroom, Column, Drawn, Figures, Findings, Question, Teaching, longest, measure, testbed,
};
use crate::app::cli::Failure;
use crate::lab::client::{self, Load};
use crate::lab::lang::{Lang, parts, text};
use crate::lab::testbed::Contender;
use crate::net::shutdown::Shutdown;

const SLOW_PATH: &str = "/?delay=500ms";
const DELAY: Duration = Duration::from_millis(500);
const WORKERS: &str = "4";
/// Clients that ask for the slow page: none, one, as many as the pool has workers.
const SLOW: [usize; 3] = [0, 1, 4];
/// Clients that ask for a quick page at the same time.
const CONCURRENCY: usize = 2;
const LIMIT: Duration = Duration::from_millis(1800);
const QUICK_LIMIT: Duration = Duration::from_millis(900);
/// The blocking loop and three of ours.
const SERVERS: usize = 4;
/// The slow clients begin this much earlier, so that already the first quick request meets them.
const HEAD_START: Duration = Duration::from_millis(100);
/// How long the blocking loop waits for a request that does not come.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// What to ask, to run, and to read after it.
pub(super) const TEACHING: Teaching = Teaching {
    question,
    longest: |quick| (limit(quick) + HEAD_START) * (SERVERS * SLOW.len()) as u32,
    run,
    code: &["src/poll_loop/event_loop.rs", "src/net/timers.rs", "src/threaded/worker.rs"],
};

fn limit(quick: bool) -> Duration {
    if quick { QUICK_LIMIT } else { LIMIT }
}

fn question(lang: Lang) -> Question {
    Question::new(text!(lang, "blocked-loop-question"), &text!(lang, "blocked-loop-choices"))
}

/// The slowest quick request in microseconds, for each number of slow clients. Not a percentile: in a
/// closed loop only as many requests as there are clients meet each blockage, and all the others are
/// between two of them (see the client's note on coordinated omission). `None` if none was answered: the slowest of
/// none is not 0.
type Line = [Option<u64>; SLOW.len()];

fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let address = blocking_loop().map_err(|error| Failure::Runtime(error.to_string()))?;
    let mut lines = vec![line(address, room)?];
    let ours: [(Contender, &[&str], &[&str]); SERVERS - 1] = [
        (Contender::Async, &["--loops", "1"], &["--loops", "1"]),
        (Contender::Threaded, &["--workers", WORKERS, "--no-park"], &[]),
        (Contender::Threaded, &["--workers", WORKERS], &[]),
    ];
    for (contender, flags, backend_flags) in ours {
        let testbed = testbed(&contender, 1, flags, backend_flags)?;
        lines.push(line(testbed.address, room)?);
    }
    Ok(findings(&lines, room.lang))
}

fn line(address: SocketAddr, room: &Classroom<'_>) -> Result<Line, Failure> {
    let mut times = Line::default();
    for (time, slow) in times.iter_mut().zip(SLOW) {
        *time = quick_beside_slow(address, slow, room)?;
    }
    Ok(times)
}

/// The slowest quick request while `slow` clients ask for the slow page.
fn quick_beside_slow(address: SocketAddr, slow: usize, room: &Classroom<'_>) -> Result<Option<u64>, Failure> {
    let expected = client::fetch(address, "/").map_err(Failure::Runtime)?;
    let quick =
        Load { concurrency: CONCURRENCY, limit: limit(room.quick), ..Load::new(address, "/", expected) };
    let slowly = Load { path: SLOW_PATH.to_owned(), concurrency: slow.max(1), ..quick.clone() };
    let enough = Shutdown::new();
    thread::scope(|scope| {
        if slow > 0 {
            scope.spawn(|| client::run(&slowly, &enough));
            thread::sleep(HEAD_START);
        }
        let measured = measure(&quick, room.stop);
        enough.trigger();
        measured.map(|(tally, _)| tally.total.longest_us())
    })
}

/// A loop whose handler blocks: one thread, one connection after the other, and a sleep for each
/// request for the slow page. It ends with the program.
fn blocking_loop() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::Builder::new().name("blocking-loop".to_owned()).spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away is no reason to stop serving the others.
            let _ = serve(stream);
        }
    })?;
    Ok(address)
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    let mut request = [0; 1024];
    let count = stream.read(&mut request)?;
    if request[..count].starts_with(b"GET /?delay") {
        thread::sleep(DELAY);
    }
    stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
}

fn findings(lines: &[Line], lang: Lang) -> Findings {
    let [blocked, timer, pool] = [0, 1, 2].map(|line: usize| lines[line].map(|time| longest(time, lang)));
    let explanation = vec![
        text!(lang, "blocked-loop-sleeps", alone = &blocked[0], one = &blocked[1], four = &blocked[2]),
        text!(lang, "blocked-loop-timer", alone = &timer[0], one = &timer[1], four = &timer[2]),
        text!(lang, "blocked-loop-pool", workers = WORKERS, one = &pool[1], four = &pool[2]),
    ];
    // The unluckiest request waits for what is left of the sleep after the head start, nearly all of it.
    let waits = |more_than: u64| lines[0][1].is_none_or(|time| time > more_than);
    let right = match lines[0][0] {
        _ if waits(DELAY.as_micros() as u64 / 5 * 3) => 2,
        alone => usize::from(alone.is_some_and(|alone| waits(alone * 5 / 4))),
    };
    let names = parts(&text!(lang, "blocked-loop-lines"));
    let column = |(name, line): (String, &Line)| {
        let values = line.iter().map(|time| time.map(|us| us as f64 / 1000.0)).collect();
        Column { name: format!("{name} ms"), values, decimals: 1, drawn: Drawn::Line }
    };
    let figures = Figures {
        title: text!(lang, "blocked-loop-title"),
        x_label: text!(lang, "slow-clients"),
        x: SLOW.iter().map(usize::to_string).collect(),
        y_label: text!(lang, "slowest-ms"),
        columns: names.into_iter().zip(lines).map(column).collect(),
        is_logarithmic: true,
    };
    figures.findings(right, explanation, Vec::new(), lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleeping_handler_holds_everybody() {
        let address = blocking_loop().unwrap();
        let (stop, out) = (Shutdown::new(), std::path::Path::new("."));
        let room = Classroom { lang: Lang::En, quick: true, asks: false, out, stop: &stop };
        let alone = quick_beside_slow(address, 0, &room).unwrap();
        let beside = quick_beside_slow(address, 1, &room).unwrap();
        let (alone, beside) = (alone.unwrap(), beside.unwrap());
        assert!(beside > alone && beside > 300_000, "{alone} us alone, {beside} us beside a slow one");
    }

    #[test]
    fn the_figures_are_named() {
        let lines = [[300, 500_000, 1_900_000], [400, 410, 420], [350, 360, 490_000], [350, 360, 370]];
        let lines = lines.map(|line| line.map(Some));
        let found = findings(&lines, Lang::En);
        assert_eq!(found.right, 2);
        assert!(found.explanation[0].contains("500.0 ms beside one slow client"));
        assert!(found.explanation[2].contains("490.0 ms"));
        assert_eq!(found.table.rows[1][1..], ["500.0", "0.4", "0.4", "0.4"]);
    }

    /// The worst of all: it must not look like the best.
    #[test]
    fn where_none_was_answered_nothing_is_0() {
        let lines =
            [[Some(300), Some(500_000), None], [Some(400); 3], [Some(350), None, None], [Some(350); 3]];
        let found = findings(&lines, Lang::En);
        assert_eq!(found.table.rows[2][1..], ["none answered", "0.4", "none answered", "0.3"]);
        assert!(found.explanation[0].contains("none answered beside four"), "{:?}", found.explanation);
        let found = findings(&[[Some(300), None, None], lines[1], lines[2], lines[3]], Lang::Id);
        assert_eq!((found.right, found.table.rows[1][1].as_str()), (2, "tidak ada yang dijawab"));
        assert!(found.explanation[0].contains("0,3 ms"), "{:?}", found.explanation);
    }
}
