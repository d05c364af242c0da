//! Lesson: one slow answer inside a loop, against a pool.
//!
//! Our own loop cannot be blocked by `?delay=`: the delay is a timer in it. So the lesson brings a loop
//! that does what beginners' loops do, and sleeps in its handler.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::{Classroom, Findings, Question, measure, milliseconds, stand, texts};
use crate::app::cli::Failure;
use crate::lab::client::{self, Plan};
use crate::lab::lang::Lang;
use crate::lab::report::svg::{Chart, Series};
use crate::lab::stand::Contender;
use crate::lab::tables::Table;
use crate::net::shutdown::Shutdown;

const SLOW_PATH: &str = "/?delay=500ms";
const DELAY: Duration = Duration::from_millis(500);
const WORKERS: &str = "4";
/// Clients that ask for the slow answer: none, one, as many as the pool has workers.
const SLOW: [usize; 3] = [0, 1, 4];
/// Clients that ask for a quick one meanwhile.
const CONCURRENCY: usize = 2;
const LIMIT: Duration = Duration::from_millis(4000);
const QUICK_LIMIT: Duration = Duration::from_millis(2000);
/// How long the blocking loop waits for a request that does not come.
const PATIENCE: Duration = Duration::from_secs(2);

/// What to read next.
pub(super) const CODE: &[&str] =
    &["src/poll_loop/event_loop.rs", "src/net/timers.rs", "src/threaded/worker.rs"];

pub(super) fn question(lang: Lang) -> Question {
    Question {
        text: lang.pick(
            "One client asks again and again for an answer that takes 500 ms. The server is one loop, and its handler \
             sleeps for that time. How long does the unluckiest quick request take meanwhile?",
            "Satu klien terus meminta jawaban yang memakan 500 ms. Servernya satu loop, dan handler-nya tidur selama itu. \
             Berapa lama permintaan cepat yang paling sial sementara itu?",
        )
        .to_owned(),
        choices: texts(lang.pick(
            ["some milliseconds: it has nothing to do with the slow one", "about half as long again", "about 500 ms: it waits behind the slow one"],
            ["beberapa milidetik: tidak ada hubungannya", "sekitar satu setengah kali", "sekitar 500 ms: ia menunggu di belakang yang lambat"],
        )),
    }
}

/// The slowest quick request in microseconds, one figure a number of slow clients. No percentile: of a
/// closed loop's requests only as many as there are clients meet each blockage, and all the others
/// fall into the moments between (see the client's note on coordinated omission).
type Line = [u64; SLOW.len()];

pub(super) fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let address = blocking_loop().map_err(|error| Failure::Runtime(error.to_string()))?;
    let mut lines = vec![line(|| Ok(address), room)?];
    let ours: [(Contender, &[&str], &[&str]); 3] = [
        (Contender::Async, &["--loops", "1"], &["--loops", "1"]),
        (Contender::Threaded, &["--workers", WORKERS, "--no-park"], &[]),
        (Contender::Threaded, &["--workers", WORKERS], &[]),
    ];
    for (contender, flags, backend_flags) in ours {
        let stand = stand(&contender, 1, flags, backend_flags)?;
        lines.push(line(|| Ok(stand.address()), room)?);
    }
    Ok(findings(&lines, room.lang))
}

fn line(address: impl Fn() -> Result<SocketAddr, Failure>, room: &Classroom<'_>) -> Result<Line, Failure> {
    let mut times = Line::default();
    for (time, slow) in times.iter_mut().zip(SLOW) {
        *time = quick_beside_slow(address()?, slow, room)?;
    }
    Ok(times)
}

/// The slowest quick request while `slow` clients ask for the slow answer.
fn quick_beside_slow(address: SocketAddr, slow: usize, room: &Classroom<'_>) -> Result<u64, Failure> {
    let limit = if room.quick { QUICK_LIMIT } else { LIMIT };
    let expected = client::fetch(address, "/").map_err(Failure::Runtime)?;
    let quick = Plan {
        requests: u64::MAX,
        concurrency: CONCURRENCY,
        limit,
        ..Plan::new(address, "/", expected.clone())
    };
    let slowly = Plan { path: SLOW_PATH.to_owned(), concurrency: slow.max(1), ..quick.clone() };
    let enough = Shutdown::new();
    thread::scope(|scope| {
        if slow > 0 {
            scope.spawn(|| client::run(&slowly, &enough));
            // The slow ones first: the first quick request is to find them there.
            thread::sleep(DELAY / 5);
        }
        let measured = measure(&quick, room.stop);
        enough.trigger();
        measured.map(|(tally, _)| tally.total.percentiles().max_us)
    })
}

/// A loop whose handler blocks: one thread, one connection after the other, and a sleep for whoever
/// asks for a delay. It ends with the program.
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
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut request = [0; 1024];
    let count = stream.read(&mut request)?;
    if request[..count].starts_with(b"GET /?delay") {
        thread::sleep(DELAY);
    }
    stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
}

fn findings(lines: &[Line], lang: Lang) -> Findings {
    let title = lang
        .pick("One slow answer in a loop, and in a pool", "Satu jawaban lambat di loop dan di pool")
        .to_owned();
    let names = lang.pick(
        ["loop, handler sleeps", "our loop, timer", "pool of 4, --no-park", "pool of 4, parked"],
        ["loop, handler tidur", "loop kami, timer", "pool 4, --no-park", "pool 4, diparkir"],
    );
    let slow_clients = lang.pick("slow clients", "klien lambat").to_owned();
    let row = |(place, slow): (usize, &usize)| {
        std::iter::once(slow.to_string()).chain(lines.iter().map(|line| milliseconds(line[place]))).collect()
    };
    let [blocked, timer, pool] = [0, 1, 2].map(|line: usize| lines[line].map(milliseconds));
    let explanation = vec![
        lang.pick(
            format!("The sleeping loop: {} ms for the slowest quick request alone, {} ms beside one slow client. While the handler sleeps, \
                     the loop does not come round: everybody waits for the one.", blocked[0], blocked[1]),
            format!("Loop yang tidur: {} ms untuk permintaan cepat yang terlambat sendirian, {} ms di samping satu klien lambat. Selama handler \
                     tidur, loop tidak berputar: semua menunggu yang satu.", blocked[0], blocked[1]),
        ),
        lang.pick(
            format!("Our loop: {} ms, then {} ms and {} ms. The same delay is a timer there: the loop notes when to answer and \
                     goes on. A loop is as fast as its slowest handler, so no handler may block.", timer[0], timer[1], timer[2]),
            format!("Loop kami: {} ms, lalu {} ms dan {} ms. Penundaan yang sama menjadi timer: loop mencatat kapan harus menjawab \
                     lalu melanjutkan. Loop secepat handler terlambatnya, maka tidak boleh ada handler yang memblokir.", timer[0], timer[1], timer[2]),
        ),
        lang.pick(
            format!("The pool of {WORKERS} without parking: {} ms beside one slow client, since three workers are left, and {} ms \
                     beside {WORKERS}. A pool takes blocking calls in its stride until they are as many as its workers.", pool[1], pool[2]),
            format!("Pool {WORKERS} tanpa parkir: {} ms di samping satu klien lambat, karena masih ada tiga pekerja, dan {} ms di \
                     samping {WORKERS}. Pool tahan panggilan yang memblokir sampai jumlahnya menyamai pekerjanya.", pool[1], pool[2]),
        ),
    ];
    // It waits for what is left of the sleep: nearly all of it for the unluckiest.
    let waits_it_out = lines[0][1] > DELAY.as_micros() as u64 / 5 * 4;
    let right = if waits_it_out { 2 } else { usize::from(lines[0][1] > lines[0][0] * 5 / 4) };
    Findings {
        table: Table {
            title: title.clone(),
            header: std::iter::once(slow_clients.clone())
                .chain(names.iter().map(|name| format!("{name} ms")))
                .collect(),
            rows: SLOW.iter().enumerate().map(row).collect(),
            notes: Vec::new(),
        },
        chart: Chart {
            title,
            x_label: slow_clients,
            y_label: lang.pick("slowest ms", "terlambat ms").to_owned(),
            x: SLOW.iter().map(usize::to_string).collect(),
            series: names
                .into_iter()
                .zip(lines)
                .map(|(name, line)| {
                    Series::new(name, line.iter().map(|time| Some(*time as f64 / 1000.0)).collect())
                })
                .collect(),
            is_logarithmic: true,
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
    fn a_sleeping_handler_holds_everybody() {
        let address = blocking_loop().unwrap();
        let (stop, out) = (Shutdown::new(), std::path::Path::new("."));
        let room = Classroom { lang: Lang::En, quick: true, asks: false, out, stop: &stop };
        let alone = quick_beside_slow(address, 0, &room).unwrap();
        let beside = quick_beside_slow(address, 1, &room).unwrap();
        assert!(beside > alone && beside > 300_000, "{alone} us alone, {beside} us beside a slow one");
    }

    #[test]
    fn the_figures_are_named() {
        let lines = [[300, 500_000, 1_900_000], [400, 410, 420], [350, 360, 490_000], [350, 360, 370]];
        let found = findings(&lines, Lang::En);
        assert_eq!(found.right, 2);
        assert!(found.explanation[0].contains("500.0 ms beside one slow client"));
        assert!(found.explanation[2].contains("490.0 ms"));
        assert_eq!(found.table.rows[1][1..], ["500.0", "0.4", "0.4", "0.4"]);
    }
}
