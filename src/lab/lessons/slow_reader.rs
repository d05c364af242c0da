//! Lesson: clients that do not read.
//!
//! A balancer that takes from its back end whatever it gets must keep what its client does not take.
//! Ours stops reading when its buffer is full, and the back end waits.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::{Classroom, Findings, Question, stand, texts};
use crate::cli::Failure;
use crate::lab::kernel::Processes;
use crate::lab::lang::Lang;
use crate::lab::report::svg::{Chart, Series};
use crate::lab::stand::{Contender, Stand};
use crate::lab::tables::Table;

const MEBIBYTES: usize = 64;
/// Clients that ask and do not read.
const READERS: [usize; 4] = [1, 8, 32, 64];
/// How often the balancer's memory is looked at, until it grows no more: then all that can flow has flowed.
const LOOK: Duration = Duration::from_millis(300);
/// Growth between two looks that is none.
const STILL_KIB: u64 = 64;
/// Looks at most.
const LOOKS_MAX: usize = 20;

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

pub(super) fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let mut lines = Vec::new();
    for contender in [Contender::Threaded, Contender::Async] {
        let mut line = Vec::new();
        for readers in READERS {
            let stand = stand(&contender, 1, &[], &[])?;
            let before = Processes::now(&stand.balancer_pids()).memory_kib;
            let request = format!("GET /?size={} HTTP/1.0\r\n\r\n", MEBIBYTES << 20);
            let silent: Vec<TcpStream> = (0..readers)
                .map(|_| {
                    let mut stream = TcpStream::connect(stand.address())?;
                    stream.write_all(request.as_bytes())?;
                    Ok(stream)
                })
                .collect::<std::io::Result<_>>()
                .map_err(|error| Failure::Runtime(error.to_string()))?;
            line.push(settled(&stand).saturating_sub(before));
            drop(silent);
        }
        lines.push(line);
    }
    Ok(findings(&lines, room.lang))
}

/// The balancer's memory in KiB once it grows no more.
fn settled(stand: &Stand) -> u64 {
    let memory = || Processes::now(&stand.balancer_pids()).memory_kib;
    let mut last = memory();
    for _ in 0..LOOKS_MAX {
        thread::sleep(LOOK);
        let now = memory();
        if now.abs_diff(last) < STILL_KIB && now > 0 {
            return now;
        }
        last = now;
    }
    last
}

/// `lines` hold KiB, of the threaded and of the async balancer.
fn findings(lines: &[Vec<u64>], lang: Lang) -> Findings {
    let title = lang.pick("Clients that do not read", "Klien yang tidak membaca").to_owned();
    let asked = |readers: usize| readers * MEBIBYTES;
    let clients = lang.pick("clients", "klien").to_owned();
    let row = |(place, readers): (usize, &usize)| {
        vec![
            readers.to_string(),
            lines[0][place].to_string(),
            lines[1][place].to_string(),
            asked(*readers).to_string(),
        ]
    };
    let header = lang.pick(
        ["clients", "threaded KiB more", "async KiB more", "asked for MiB"],
        ["klien", "threaded KiB tambahan", "async KiB tambahan", "diminta MiB"],
    );
    let last = READERS.len() - 1;
    let most = READERS[last];
    let (threaded, looped) = (lines[0][last], lines[1][last]);
    let asked_most = asked(most);
    let explanation = vec![
        lang.pick(
            format!("{most} clients asked for {asked_most} MiB. The threaded balancer took {threaded} KiB more for them and the async \
                     one {looped} KiB: two buffers of 16 KiB a connection at most, and what the connections themselves take."),
            format!("{most} klien meminta {asked_most} MiB. Load balancer threaded memakai {threaded} KiB lagi dan yang async {looped} KiB: \
                     paling banyak dua penyangga 16 KiB per koneksi, ditambah koneksinya sendiri."),
        ),
        lang.pick(
            "When the buffer towards the client is full, the balancer does not read from the back end; the kernel's buffers fill, \
             TCP tells the back end to wait, and it waits. That is back pressure: each part stops the one before it. (The kernel's \
             own socket buffers, some MiB a connection at most, are not counted here: they belong to no process.)",
            "Saat penyangga ke klien penuh, load balancer tidak membaca dari server; penyangga kernel penuh, TCP menyuruh server \
             menunggu, dan ia menunggu. Itulah back pressure: setiap bagian menghentikan bagian sebelumnya. (Penyangga soket milik \
             kernel tidak dihitung di sini: bukan milik proses mana pun.)",
        )
        .to_owned(),
    ];
    let is_bounded = threaded.max(looped) < (asked_most as u64 * 1024) / 10;
    let kib = |line: &[u64]| line.iter().map(|kib| Some(*kib as f64 / 1024.0)).collect();
    Findings {
        table: Table {
            title: title.clone(),
            header: texts(header).to_vec(),
            rows: READERS.iter().enumerate().map(row).collect(),
            notes: Vec::new(),
        },
        chart: Chart {
            title,
            x_label: clients,
            y_label: "MiB".to_owned(),
            x: READERS.iter().map(usize::to_string).collect(),
            series: vec![
                Series::new("threaded", kib(&lines[0])),
                Series::new("async", kib(&lines[1])),
                Series {
                    is_dashed: true,
                    ..Series::new(
                        lang.pick("asked for", "diminta"),
                        READERS.iter().map(|readers| Some(asked(*readers) as f64)).collect(),
                    )
                },
            ],
            is_logarithmic: true,
            ..Chart::default()
        },
        right: usize::from(is_bounded),
        explanation,
        code: &["src/relay.rs", "src/buffer.rs", "src/poll_loop/relay.rs", "src/threaded/relay.rs"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_decides() {
        let found = findings(&[vec![100, 200, 900, 2100], vec![50, 300, 800, 1900]], Lang::En);
        assert_eq!(found.right, 1);
        assert!(found.explanation[0].contains("4096 MiB") && found.explanation[0].contains("2100 KiB"));
        let unbounded = findings(&[vec![0, 0, 0, 4_000_000], vec![0; 4]], Lang::Id);
        assert_eq!(unbounded.right, 0);
    }
}
