//! Lesson: idle clients and a pool of threads.
//!
//! A kept connection that says nothing costs a loop a few bytes. A pool whose threads wait on their
//! connections loses a thread to each; parking gives the thread back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Classroom, Findings, Question, measure, plan, rate, stand, texts};
use crate::app::cli::Failure;
use crate::lab::lang::Lang;
use crate::lab::report::svg::{Chart, Series};
use crate::lab::stand::Contender;
use crate::lab::tables::Table;

const WORKERS: &str = "8";
/// Idle clients: none, half the pool, all of it, twice as many.
const IDLE: [usize; 4] = [0, 4, 8, 16];
/// Busy clients beside them.
const CONCURRENCY: usize = 4;
/// Of each load; below the 15 s after which an idle connection is closed.
const LIMIT: Duration = Duration::from_millis(2000);
const QUICK_LIMIT: Duration = Duration::from_millis(700);
/// How long an idle client waits for the answer that comes before its silence.
const FIRST_ANSWER: Duration = Duration::from_millis(200);

/// The three ways to hold connections, in `--mode http`, where connections are kept.
const WAYS: [(&str, Contender, &[&str]); 3] = [
    ("--no-park", Contender::Threaded, &["--mode", "http", "--workers", WORKERS, "--no-park"]),
    ("parked", Contender::Threaded, &["--mode", "http", "--workers", WORKERS]),
    ("loop", Contender::Async, &["--mode", "http", "--loops", "1"]),
];

/// What to read next.
pub(super) const CODE: &[&str] =
    &["src/threaded/worker.rs", "src/threaded/parking.rs", "src/poll_loop/event_loop.rs"];

pub(super) fn question(lang: Lang) -> Question {
    Question {
        text: lang.pick(
            format!("A pool of {WORKERS} threads, each of which waits on its connection. {WORKERS} clients keep a connection \
                     and say nothing. How do {CONCURRENCY} busy clients fare beside them?"),
            format!("Kumpulan {WORKERS} thread, masing-masing menunggu koneksinya. {WORKERS} klien menahan koneksi tanpa \
                     berkata apa-apa. Bagaimana nasib {CONCURRENCY} klien yang sibuk?"),
        ),
        choices: texts(lang.pick(
            ["as well as before: idle clients cost nothing", "half as well", "they get nothing at all until an idle one goes"],
            ["sama baiknya: klien diam tidak memakan apa-apa", "setengahnya", "tidak dapat apa-apa sampai ada yang diam pergi"],
        )),
    }
}

pub(super) fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let limit = if room.quick { QUICK_LIMIT } else { LIMIT };
    let mut rates: Vec<Vec<f64>> = Vec::new();
    for (_, contender, flags) in WAYS {
        let mut line = Vec::new();
        for idle in IDLE {
            let stand = stand(&contender, 1, flags, &[])?;
            let plan = plan(&stand, "/", CONCURRENCY, limit)?;
            let idlers: Vec<TcpStream> = (0..idle).filter_map(|_| idler(stand.address())).collect();
            let (tally, _) = measure(&plan, room.stop)?;
            drop(idlers);
            line.push(rate(&tally));
        }
        rates.push(line);
    }
    Ok(findings(&rates, room.lang))
}

/// A client that gets one answer, keeps its connection, and falls silent. One that gets none is just as idle.
fn idler(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(FIRST_ANSWER)).ok()?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n").ok()?;
    let _ = stream.read(&mut [0; 1024]);
    Some(stream)
}

fn findings(rates: &[Vec<f64>], lang: Lang) -> Findings {
    let title = lang.pick("Idle clients and a pool of threads", "Klien diam dan kumpulan thread").to_owned();
    let names = WAYS.map(|(name, ..)| name.to_owned());
    let idle_clients = lang.pick("idle clients", "klien diam").to_owned();
    let row = |(place, idle): (usize, &usize)| {
        let rates = rates.iter().map(|line| format!("{:.0}", line[place]));
        std::iter::once(idle.to_string()).chain(rates).collect()
    };
    let header = names.iter().map(|name| format!("{name} {}", lang.pick("requests/s", "permintaan/dtk")));
    let (before, starved) = (rates[0][0], rates[0][2]);
    let (parked, looped) = (rates[1][2], rates[2][2]);
    let right = if starved < before * 0.1 { 2 } else { usize::from(starved < before * 0.75) };
    let explanation = vec![
        lang.pick(
            format!("Without parking: {before:.0} requests a second with nobody idle, {starved:.0} with {WORKERS} idle clients. \
                     Each of them owns one of the {WORKERS} workers, and a worker that waits for a silent client serves nobody."),
            format!("Tanpa parkir: {before:.0} permintaan per detik tanpa klien diam, {starved:.0} dengan {WORKERS} klien diam. \
                     Masing-masing memiliki satu dari {WORKERS} pekerja, dan pekerja yang menunggu klien diam tidak melayani siapa pun."),
        ),
        lang.pick(
            format!("Parked: {parked:.0} with the same {WORKERS} idle clients. One poller thread watches all silent connections \
                     and gives them back to the queue when they speak. That is what the loop ({looped:.0}) does for everything."),
            format!("Diparkir: {parked:.0} dengan {WORKERS} klien diam yang sama. Satu thread mengawasi semua koneksi diam dan \
                     mengembalikannya ke antrean saat berbicara. Itulah yang dilakukan loop ({looped:.0}) untuk semuanya."),
        ),
    ];
    Findings {
        table: Table {
            title: title.clone(),
            header: std::iter::once(idle_clients.clone()).chain(header).collect(),
            rows: IDLE.iter().enumerate().map(row).collect(),
            notes: Vec::new(),
        },
        chart: Chart {
            title,
            x_label: idle_clients,
            y_label: lang.pick("requests/s", "permintaan/dtk").to_owned(),
            x: IDLE.iter().map(usize::to_string).collect(),
            series: names
                .into_iter()
                .zip(rates)
                .map(|(name, line)| Series::new(name, line.iter().copied().map(Some).collect()))
                .collect(),
            ..Chart::default()
        },
        right,
        explanation,
        code: CODE,
    }
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
        assert!(found.explanation[0].contains("1000 permintaan") && found.explanation[1].contains("990"));
        assert_eq!(found.table.rows[2], ["8", "0", "990", "980"]);
    }
}
