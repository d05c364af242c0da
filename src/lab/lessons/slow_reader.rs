//! Lesson: clients that do not read.
//!
//! A balancer that takes from its back end whatever it gets must keep what its client does not take.
//! Ours stops reading when its buffer is full, and the back end waits.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::{Classroom, Findings, Question, stand, texts};
use crate::app::cli::Failure;
use crate::lab::kernel::{Processes, is_any_runnable, socket_memory_kib};
use crate::lab::lang::Lang;
use crate::lab::report::svg::{Chart, Series};
use crate::lab::stand::{Contender, Stand};
use crate::lab::tables::Table;
use crate::net::pipe::{PIPE_BYTES, PIPES_MAX};
use crate::protocol::limits::{BUFFER_BYTES, BULK_BUFFER_BYTES};

const MEBIBYTES: usize = 64;
/// Clients that ask and do not read.
const READERS: [usize; 4] = [1, 8, 32, 64];
/// How often is looked whether anything still flows.
const LOOK: Duration = Duration::from_millis(100);
/// Looks in a row that must find everything at rest. One is not enough: between two bytes all may
/// sleep for a moment, and a memory that has not grown yet is no memory that does not grow.
const STILL_LOOKS: usize = 5;
/// Looks at most: 20 s.
const LOOKS_MAX: usize = 200;
/// Switches between two looks that are health checks and timers, and no bytes.
const STILL_SWITCHES: u64 = 20;

/// What to read next.
pub(super) const CODE: &[&str] = &[
    "src/protocol/relay/mod.rs",
    "src/protocol/buffer.rs",
    "src/net/pipe.rs (PIPES_MAX)",
    "src/protocol/limits.rs (BULK_BUFFER_BYTES)",
    "src/poll_loop/relay.rs",
    "src/threaded/relay.rs",
];

pub(super) fn question(lang: Lang) -> Question {
    let most = READERS[READERS.len() - 1];
    Question {
        text: lang.pick(
            format!("{most} clients ask for {MEBIBYTES} MiB each and do not read a byte. How much memory does the balancer take for them?"),
            format!("{most} klien meminta masing-masing {MEBIBYTES} MiB dan tidak membaca satu bita pun. Berapa memori load balancer untuk mereka?"),
        ),
        choices: texts(lang.pick(
            ["all they asked for: 4 GiB", "some MiB for all of them", "none: it cuts them off"],
            ["semua yang diminta: 4 GiB", "beberapa MiB untuk semuanya", "tidak ada: mereka diputus"],
        )),
    }
}

/// What some silent clients made others hold, in KiB.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Held {
    /// In the balancer's memory.
    balancer: u64,
    /// In the kernel's socket buffers, of the whole machine.
    kernel: u64,
}

pub(super) fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let mut lines = Vec::new();
    for contender in [Contender::Threaded, Contender::Async] {
        let mut line = Vec::new();
        for readers in READERS {
            let stand = stand(&contender, 1, &[], &[])?;
            let before = held(&stand);
            let silent = ask(&stand, readers).map_err(|error| Failure::Runtime(error.to_string()))?;
            wait_until_nothing_flows(&stand, &silent, room);
            let now = held(&stand);
            line.push(Held {
                balancer: now.balancer.saturating_sub(before.balancer),
                kernel: now.kernel.saturating_sub(before.kernel),
            });
            drop(silent);
        }
        lines.push(line);
    }
    Ok(findings(&lines, room.lang))
}

/// Clients that have asked and will not read.
fn ask(stand: &Stand, readers: usize) -> std::io::Result<Vec<TcpStream>> {
    let request = format!("GET /?size={} HTTP/1.0\r\n\r\n", MEBIBYTES << 20);
    let client = |_| {
        let mut stream = TcpStream::connect(stand.address())?;
        stream.write_all(request.as_bytes())?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    };
    (0..readers).map(client).collect()
}

fn held(stand: &Stand) -> Held {
    Held { balancer: Processes::now(&stand.balancer_pids()).memory_kib, kernel: socket_memory_kib() }
}

/// Waits until each client has something to read and nobody has anything to do: then all that can
/// flow has flowed, and stands still. Not for a time: on a busy machine nothing may move for long
/// because nobody got a core.
fn wait_until_nothing_flows(stand: &Stand, silent: &[TcpStream], room: &Classroom<'_>) {
    let pids = [stand.balancer_pids(), stand.backend_pids()].concat();
    let switches = || {
        let used = Processes::now(&pids);
        used.voluntary_switches + used.involuntary_switches
    };
    let (mut last, mut still) = (switches(), 0);
    for _ in 0..LOOKS_MAX {
        thread::sleep(LOOK);
        let now = switches();
        let has_come = silent.iter().all(|stream| matches!(stream.peek(&mut [0]), Ok(1)));
        let is_still = has_come && now - last <= STILL_SWITCHES && !is_any_runnable(&pids);
        still = if is_still { still + 1 } else { 0 };
        if still == STILL_LOOKS || room.stop.is_draining() {
            return;
        }
        last = now;
    }
}

/// The most that the buffers of so many connections can hold, in KiB: a large one towards the client,
/// which does not read, and an ordinary one towards the back end. The first long streams have a pipe
/// of the kernel in the place of the large one, and none of our memory.
fn buffers_kib(readers: usize) -> usize {
    readers.saturating_sub(PIPES_MAX) * (BULK_BUFFER_BYTES + BUFFER_BYTES) / 1024
}

/// `lines` are those of the threaded and of the async balancer.
fn findings(lines: &[Vec<Held>], lang: Lang) -> Findings {
    let title = lang.pick("Clients that do not read", "Klien yang tidak membaca").to_owned();
    let asked = |readers: usize| readers * MEBIBYTES;
    let mebibytes = |kib: u64| kib as f64 / 1024.0;
    let row = |(place, readers): (usize, &usize)| {
        let [threaded, looped] = [lines[0][place], lines[1][place]];
        vec![
            readers.to_string(),
            threaded.balancer.to_string(),
            looped.balancer.to_string(),
            format!("{:.1}", mebibytes(threaded.kernel)),
            format!("{:.1}", mebibytes(looped.kernel)),
            asked(*readers).to_string(),
        ]
    };
    let header = lang.pick(
        [
            "clients",
            "threaded KiB more",
            "async KiB more",
            "kernel MiB threaded",
            "kernel MiB async",
            "asked for MiB",
        ],
        [
            "klien",
            "threaded KiB tambahan",
            "async KiB tambahan",
            "kernel MiB threaded",
            "kernel MiB async",
            "diminta MiB",
        ],
    );
    let last = READERS.len() - 1;
    let (threaded, looped) = (lines[0][last], lines[1][last]);
    let is_bounded = threaded.balancer.max(looped.balancer) < (asked(READERS[last]) as u64 * 1024) / 10;
    Findings {
        table: Table {
            title: title.clone(),
            header: texts(header).to_vec(),
            rows: READERS.iter().enumerate().map(row).collect(),
            notes: Vec::new(),
        },
        chart: chart(lines, title, lang),
        right: usize::from(is_bounded),
        explanation: explanation(threaded, looped, lang),
        code: CODE,
    }
}

/// Of the most clients.
fn explanation(threaded: Held, looped: Held, lang: Lang) -> Vec<String> {
    let most = READERS[READERS.len() - 1];
    let (asked, buffers) = (most * MEBIBYTES, buffers_kib(most));
    let (bulk, ordinary, pipe) = (BULK_BUFFER_BYTES / 1024, BUFFER_BYTES / 1024, PIPE_BYTES / 1024);
    let (threaded_kib, looped_kib) = (threaded.balancer, looped.balancer);
    let kernel = threaded.kernel.max(looped.kernel) / 1024;
    vec![
        lang.pick(
            format!("{most} clients asked for {asked} MiB. The threaded balancer took {threaded_kib} KiB more for them and the async \
                     one {looped_kib} KiB. Both are bounded: up to {PIPES_MAX} long streams stay in pipes of the kernel, {pipe} KiB \
                     each and no memory of the balancer; each of the others has {bulk} KiB of buffer towards its client and \
                     {ordinary} KiB towards the back end, at most {buffers} KiB in all; what is beyond that are the connections \
                     themselves, and the stacks of threads that had nothing to do before."),
            format!("{most} klien meminta {asked} MiB. Load balancer threaded memakai {threaded_kib} KiB lagi dan yang async {looped_kib} KiB. \
                     Keduanya dibatasi: sampai {PIPES_MAX} aliran panjang tinggal di pipa kernel, {pipe} KiB masing-masing dan bukan memori \
                     load balancer; yang lain mempunyai penyangga {bulk} KiB ke arah kliennya dan {ordinary} KiB ke arah server, paling \
                     banyak {buffers} KiB semuanya; selebihnya koneksi itu sendiri dan tumpukan thread yang sebelumnya menganggur."),
        ),
        lang.pick(
            format!("When the buffer towards the client is full, the balancer does not read from the back end; the kernel's buffers \
                     fill, TCP tells the back end to wait, and it waits. That is back pressure: each part stops the one before it. The \
                     kernel's own socket buffers belong to no process and held up to {kernel} MiB here, of the whole machine: four \
                     for each client, on the way from the back end to the balancer and from there to the client."),
            format!("Saat penyangga ke klien penuh, load balancer tidak membaca dari server; penyangga kernel penuh, TCP menyuruh server \
                     menunggu, dan ia menunggu. Itulah back pressure: setiap bagian menghentikan bagian sebelumnya. Penyangga soket milik \
                     kernel bukan milik proses mana pun dan di sini memuat sampai {kernel} MiB, untuk seluruh mesin: empat per klien, dari \
                     server ke load balancer dan dari sana ke klien."),
        ),
    ]
}

fn chart(lines: &[Vec<Held>], title: String, lang: Lang) -> Chart {
    let line = |held: &[Held], kib: fn(&Held) -> u64| {
        held.iter().map(|held| Some(kib(held) as f64 / 1024.0)).collect::<Vec<_>>()
    };
    let asked = READERS.iter().map(|readers| Some((readers * MEBIBYTES) as f64)).collect();
    let kernel = lang.pick("in the kernel, async", "di kernel, async");
    Chart {
        title,
        x_label: lang.pick("clients", "klien").to_owned(),
        y_label: "MiB".to_owned(),
        x: READERS.iter().map(usize::to_string).collect(),
        series: vec![
            Series::new("threaded", line(&lines[0], |held| held.balancer)),
            Series::new("async", line(&lines[1], |held| held.balancer)),
            Series::new(kernel, line(&lines[1], |held| held.kernel)),
            Series { is_dashed: true, ..Series::new(lang.pick("asked for", "diminta"), asked) },
        ],
        is_logarithmic: true,
        ..Chart::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_decides() {
        let line = |kib: [u64; 4]| kib.map(|balancer| Held { balancer, kernel: 9 * 1024 }).to_vec();
        let found = findings(&[line([100, 200, 900, 2100]), line([50, 300, 800, 1900])], Lang::En);
        assert_eq!(found.right, 1);
        assert!(found.explanation[0].contains("4096 MiB") && found.explanation[0].contains("2100 KiB"));
        assert!(found.explanation[1].contains("up to 9 MiB"));
        assert_eq!(found.table.rows[3], ["64", "2100", "1900", "9.0", "9.0", "4096"]);
        let unbounded = findings(&[line([0, 0, 0, 4_000_000]), line([0; 4])], Lang::Id);
        assert_eq!(unbounded.right, 0);
    }
}
