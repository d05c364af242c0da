//! Lesson: a small backlog looks like a slow server.
//!
//! The course's balancers listened with backlogs of 1 and 5. Linux holds `backlog + 1` finished
//! handshakes; a client that comes when they are full is not refused, its SYN is dropped without a
//! word, and it asks again after a second.

use std::time::Duration;

use super::{Classroom, Findings, Question, measure, milliseconds, plan, rate, texts};
use crate::app::cli::Failure;
use crate::lab::client::Percentiles;
use crate::lab::lang::Lang;
use crate::lab::report::svg::{Chart, Series};
use crate::lab::stand::{Contender, Stand, StandOptions};
use crate::lab::tables::Table;

const BACKLOGS: [u32; 6] = [1, 2, 5, 16, 128, 1024];
/// Clients that ask at once: more than the small backlogs hold, fewer than the large ones.
const CONCURRENCY: usize = 50;
/// What the first retransmit takes, less the clock's grain.
const A_SECOND: Duration = Duration::from_millis(990);
const LIMIT: Duration = Duration::from_secs(4);
const QUICK_LIMIT: Duration = Duration::from_millis(2500);

/// One backlog's figures.
#[derive(Clone, Debug)]
struct Point {
    backlog: u32,
    rate: f64,
    total: Percentiles,
    /// Requests of a second and more.
    seconds_long: u64,
    overflows: u64,
}

/// What to read next.
pub(super) const CODE: &[&str] = &[
    "src/net/listen.rs",
    "src/threaded/intake/acceptor.rs",
    "src/app/defaults.rs (BACKLOG)",
    "integration/python/lb_thread.py",
];

pub(super) fn question(lang: Lang) -> Question {
    Question {
        text: lang.pick(
            format!("The threaded balancer and its back end, {CONCURRENCY} clients at once, listen backlogs from 1 to 1024. \
                     What happens to a client that comes when the backlog is full?"),
            format!("Load balancer thread dan servernya, {CONCURRENCY} klien sekaligus, backlog listen dari 1 sampai 1024. \
                     Apa yang terjadi pada klien yang datang saat backlog penuh?"),
        ),
        choices: texts(lang.pick(
            ["it is refused at once", "it waits a whole second, and the server looks slow", "nothing: the kernel makes the backlog longer"],
            ["ia langsung ditolak", "ia menunggu satu detik penuh, dan server tampak lambat", "tidak ada: kernel memperpanjang backlog"],
        )),
    }
}

pub(super) fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let limit = if room.quick { QUICK_LIMIT } else { LIMIT };
    let mut points = Vec::new();
    for backlog in BACKLOGS {
        let options = StandOptions { backends: 1, backlog: Some(backlog), ..StandOptions::default() };
        let stand = Stand::start(&Contender::Threaded, &options)?;
        let (tally, kernel) = measure(&plan(&stand, "/", CONCURRENCY, limit)?, room.stop)?;
        let total = tally.total.percentiles();
        let seconds_long = tally.total.at_least(A_SECOND);
        points.push(Point {
            backlog,
            rate: rate(&tally),
            total,
            seconds_long,
            overflows: kernel.listen_overflows,
        });
    }
    Ok(findings(&points, room.lang))
}

fn findings(points: &[Point], lang: Lang) -> Findings {
    let row = |point: &Point| {
        vec![
            point.backlog.to_string(),
            format!("{:.0}", point.rate),
            milliseconds(point.total.p50_us),
            milliseconds(point.total.p99_us),
            milliseconds(point.total.max_us),
            point.seconds_long.to_string(),
            point.overflows.to_string(),
        ]
    };
    let title =
        lang.pick("A small backlog looks like a slow server", "Backlog kecil tampak seperti server lambat");
    let header = lang.pick(
        ["backlog", "requests/s", "p50 ms", "p99 ms", "slowest ms", "of 1 s and more", "listen overflows"],
        ["backlog", "permintaan/dtk", "p50 ms", "p99 ms", "terlambat ms", "1 dtk ke atas", "luapan listen"],
    );
    Findings {
        table: Table {
            title: title.to_owned(),
            header: texts(header).to_vec(),
            rows: points.iter().map(row).collect(),
            notes: Vec::new(),
        },
        chart: chart(points, title, lang),
        right: 1,
        explanation: explanation(points, lang),
        code: CODE,
    }
}

/// The last of the small backlogs that overflowed, against the largest.
fn explanation(points: &[Point], lang: Lang) -> Vec<String> {
    let worst = points.iter().max_by_key(|point| point.overflows);
    let (Some(worst), Some(last)) = (worst, points.last()) else { return Vec::new() };
    if worst.overflows == 0 {
        return vec![
            lang.pick(
                "No accept queue overflowed in this run: this machine accepts faster than these clients come. So there \
                 is nothing to explain today; try again while it is busy.",
                "Tidak ada antrean yang meluap pada putaran ini: mesin ini menerima lebih cepat daripada klien datang. \
                 Cobalah lagi saat mesin sibuk.",
            )
            .to_owned(),
        ];
    }
    let (backlog, overflows, long) = (worst.backlog, worst.overflows, worst.seconds_long);
    let (slowest, slow_rate) = (milliseconds(worst.total.max_us), worst.rate);
    let (most, rate, last_overflows) = (last.backlog, last.rate, last.overflows);
    let last_slowest = milliseconds(last.total.max_us);
    vec![
        lang.pick(
            format!(
                "With backlog {backlog}, {overflows} handshakes found the accept queue full. A SYN that does is dropped without \
                 a word, and sent again after 1 s: {long} requests took a second or more, the slowest {slowest} ms, though no \
                 thread was busy with them. Backlog, not threads."
            ),
            format!(
                "Dengan backlog {backlog}, {overflows} jabat tangan mendapati antrean penuh. SYN seperti itu hilang tanpa kabar \
                 dan dikirim lagi setelah 1 detik: {long} permintaan memakan satu detik atau lebih, yang terlambat {slowest} ms, \
                 padahal tidak ada thread yang sibuk dengannya. Backlog, bukan thread."
            ),
        ),
        lang.pick(
            format!(
                "The rate hides it: {slow_rate:.0} a second, since while some clients wait for their retransmit, the others go \
                 on. With few clients, as in 2021, all of them wait at once and the rate falls to some requests a second."
            ),
            format!(
                "Lajunya menyembunyikan itu: {slow_rate:.0} per detik, sebab selama sebagian klien menunggu kirim ulang, yang lain \
                 berjalan terus. Dengan sedikit klien, seperti 2021, semuanya menunggu bersama dan laju jatuh ke beberapa per detik."
            ),
        ),
        lang.pick(
            format!(
                "With backlog {most}: {last_overflows} overflows, the slowest request {last_slowest} ms, {rate:.0} a second. The \
                 same code, the same threads. Whoever compares two servers with different backlogs compares backlogs."
            ),
            format!(
                "Dengan backlog {most}: {last_overflows} luapan, permintaan terlambat {last_slowest} ms, {rate:.0} per detik. Kode \
                 yang sama, thread yang sama. Membandingkan dua server dengan backlog berbeda berarti membandingkan backlog."
            ),
        ),
    ]
}

fn chart(points: &[Point], title: &str, lang: Lang) -> Chart {
    let values = |value: fn(&Point) -> f64| points.iter().map(|point| Some(value(point))).collect();
    Chart {
        title: title.to_owned(),
        x_label: "backlog".to_owned(),
        y_label: lang.pick("requests/s; ms", "permintaan/dtk; ms").to_owned(),
        x: points.iter().map(|point| point.backlog.to_string()).collect(),
        series: vec![
            Series::new(lang.pick("requests/s", "permintaan/dtk"), values(|point| point.rate)),
            Series::new("p99 ms", values(|point| point.total.p99_us as f64 / 1000.0)),
            Series::new(
                lang.pick("slowest ms", "terlambat ms"),
                values(|point| point.total.max_us as f64 / 1000.0),
            ),
        ],
        bars: Some(Series::new(
            lang.pick("listen overflows (right axis)", "luapan listen (sumbu kanan)"),
            values(|point| point.overflows as f64),
        )),
        is_logarithmic: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(backlog: u32, rate: f64, p99_us: u64, overflows: u64) -> Point {
        Point {
            backlog,
            rate,
            total: Percentiles { p99_us, max_us: p99_us, ..Percentiles::default() },
            seconds_long: 3,
            overflows,
        }
    }

    #[test]
    fn overflows_are_named_where_they_occurred() {
        let found = findings(&[point(1, 90.0, 1_040_000, 77), point(1024, 9000.0, 9000, 0)], Lang::En);
        assert!(
            found.explanation[0].contains("backlog 1, 77 handshakes")
                && found.explanation[0].contains("1040.0 ms")
        );
        assert!(found.explanation[2].contains("backlog 1024: 0 overflows"));
        assert_eq!(found.table.rows.len(), 2);
    }

    #[test]
    fn nothing_is_claimed_without_overflows() {
        let found = findings(&[point(1, 90.0, 9000, 0), point(1024, 90.0, 9000, 0)], Lang::En);
        assert!(
            found.explanation.len() == 1 && found.explanation[0].starts_with("No accept queue overflowed")
        );
    }
}
