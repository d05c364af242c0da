//! Lesson: idle clients and a pool of threads.
//!
//! An idle connection costs a loop a few bytes. A pool whose threads wait on their connections loses a
//! thread to each; parking gives the thread back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::classroom::{
    Classroom, Column, Drawn, Figures, Findings, Question, Teaching, load, measure, rate, testbed,
};
use crate::app::cli::Failure;
use crate::lab::lang::{Lang, text};
use crate::lab::testbed::Contender;

const WORKERS: &str = "8";
/// Idle clients: none, half the pool, all of it, twice as many.
const IDLE: [usize; 4] = [0, 4, 8, 16];
/// Busy clients beside them.
const CONCURRENCY: usize = 4;
/// Of each load; below the 15 s after which an idle connection is closed.
const LIMIT: Duration = Duration::from_millis(1500);
const QUICK_LIMIT: Duration = Duration::from_millis(700);
/// How long an idle client waits for its one response.
const FIRST_RESPONSE: Duration = Duration::from_millis(200);

/// The three ways to hold connections, in `--mode http`, where connections are kept.
const WAYS: [(&str, Contender, &[&str]); 3] = [
    ("--no-park", Contender::Threaded, &["--mode", "http", "--workers", WORKERS, "--no-park"]),
    ("parked", Contender::Threaded, &["--mode", "http", "--workers", WORKERS]),
    ("loop", Contender::Async, &["--mode", "http", "--loops", "1"]),
];

/// What to ask, to run, and to read after it.
pub(super) const TEACHING: Teaching = Teaching {
    question,
    longest: |quick| limit(quick) * (WAYS.len() * IDLE.len()) as u32,
    run,
    code: &["src/threaded/worker.rs", "src/threaded/parking.rs", "src/poll_loop/event_loop.rs"],
};

fn limit(quick: bool) -> Duration {
    if quick { QUICK_LIMIT } else { LIMIT }
}

fn question(lang: Lang) -> Question {
    let text = text!(lang, "pool-question", workers = WORKERS, concurrency = CONCURRENCY);
    Question::new(text, &text!(lang, "pool-choices"))
}

fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let mut rates: Vec<Vec<f64>> = Vec::new();
    for (_, contender, flags) in WAYS {
        let mut line = Vec::new();
        for idle in IDLE {
            let testbed = testbed(&contender, 1, flags, &[])?;
            let load = load(&testbed, CONCURRENCY, limit(room.quick))?;
            let idlers: Vec<TcpStream> = (0..idle).filter_map(|_| idler(testbed.address)).collect();
            let (tally, _) = measure(&load, room.stop)?;
            drop(idlers);
            line.push(rate(&tally));
        }
        rates.push(line);
    }
    Ok(findings(&rates, room.lang))
}

/// A client that gets one response and then sends nothing on its connection. One that gets no response
/// is just as idle.
fn idler(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(FIRST_RESPONSE)).ok()?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n").ok()?;
    let _ = stream.read(&mut [0; 1024]);
    Some(stream)
}

fn findings(rates: &[Vec<f64>], lang: Lang) -> Findings {
    // With as many idle clients as workers.
    let (before, starved, parked, looped) = (rates[0][0], rates[0][2], rates[1][2], rates[2][2]);
    let right = if starved < before * 0.1 { 2 } else { usize::from(starved < before * 0.75) };
    let whole = |rate: f64| format!("{rate:.0}");
    let explanation = vec![
        text!(lang, "pool-starves", before = whole(before), starved = whole(starved), workers = WORKERS),
        text!(lang, "pool-parks", parked = whole(parked), workers = WORKERS, looped = whole(looped)),
    ];
    let y_label = text!(lang, "requests-per-second");
    let column = |((name, ..), values): (&(&str, Contender, &[&str]), &Vec<f64>)| {
        let name = format!("{name} {y_label}");
        Column { name, values: values.iter().copied().map(Some).collect(), decimals: 0, drawn: Drawn::Line }
    };
    let figures = Figures {
        title: text!(lang, "pool-title"),
        x_label: text!(lang, "idle-clients"),
        x: IDLE.iter().map(usize::to_string).collect(),
        columns: WAYS.iter().zip(rates).map(column).collect(),
        y_label,
        is_logarithmic: false,
    };
    figures.findings(right, explanation, Vec::new(), lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_decide_which_guess_was_right() {
        let rates = |starved: f64| vec![vec![1000.0, 900.0, starved, 0.0], vec![990.0; 4], vec![980.0; 4]];
        let right = |starved| findings(&rates(starved), Lang::En).right;
        assert_eq!((right(0.0), right(500.0), right(950.0)), (2, 1, 0));
        let found = findings(&rates(0.0), Lang::Id);
        assert!(found.explanation[0].contains("1000 request") && found.explanation[1].contains("990"));
        assert_eq!(found.table.rows[2], ["8", "0", "990", "980"]);
    }
}
