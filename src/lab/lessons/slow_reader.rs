//! Lesson: clients that do not read.
//!
//! A balancer that reads whatever its back end sends must keep what its client does not take. Ours
//! stops reading when its buffer is full, and the back end waits.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::classroom::{Classroom, Findings, Question, Teaching, testbed};
use crate::app::cli::Failure;
use crate::lab::kernel::{Processes, data_kib, is_any_runnable, socket_memory_kib};
use crate::lab::lang::{Lang, parts, text};
use crate::lab::report::svg::{Chart, Series};
use crate::lab::table::Table;
use crate::lab::testbed::{Contender, Testbed};
use crate::net::pipe::{PIPE_BYTES, PIPES_MAX};
use crate::protocol::limits::{BUFFER_BYTES, BULK_BUFFER_BYTES};

/// What each client asks for.
const MEBIBYTES: usize = 64;
/// Clients that ask and do not read.
const READERS: [usize; 4] = [1, 8, 32, MOST];
const MOST: usize = 64;
/// Time between two looks at what the programs do.
const LOOK: Duration = Duration::from_millis(100);
/// Looks in a row that must find everything at rest. One is not enough: between two bytes all programs
/// may wait for a moment.
const STILL_LOOKS: usize = 5;
/// Longest wait of the whole lesson: a wait ends when nothing flows, mostly within a second.
const WAIT_MAX: Duration = Duration::from_secs(24);
/// Switches between two looks that are health checks and timers, and no bytes.
const STILL_SWITCHES: u64 = 20;

/// What to ask, to run, and to read after it.
pub(super) const TEACHING: Teaching = Teaching {
    question,
    longest: |_| WAIT_MAX,
    run,
    code: &[
        "src/protocol/relay/mod.rs",
        "src/protocol/buffer.rs",
        "src/net/pipe.rs (PIPES_MAX)",
        "src/protocol/limits.rs (BULK_BUFFER_BYTES)",
        "src/poll_loop/relay.rs",
        "src/threaded/relay.rs",
    ],
};

fn question(lang: Lang) -> Question {
    let text = text!(lang, "slow-reader-question", readers = MOST, mebibytes = MEBIBYTES);
    Question::new(text, &text!(lang, "slow-reader-choices"))
}

/// Memory used for clients that do not read, in KiB.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Held {
    /// The balancer's own data.
    balancer: u64,
    /// The kernel's socket buffers, of the whole machine.
    kernel: u64,
}

fn run(room: &Classroom<'_>) -> Result<Findings, Failure> {
    let deadline = Instant::now() + WAIT_MAX;
    let mut lines = Vec::new();
    for contender in [Contender::Threaded, Contender::Async] {
        let mut line = Vec::new();
        for readers in READERS {
            let testbed = testbed(&contender, 1, &[], &[])?;
            let before = held(&testbed);
            let silent = ask(&testbed, readers).map_err(|error| Failure::Runtime(error.to_string()))?;
            wait_until_nothing_flows(&testbed, &silent, deadline, room);
            let now = held(&testbed);
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
fn ask(testbed: &Testbed, readers: usize) -> std::io::Result<Vec<TcpStream>> {
    let request = format!("GET /?size={} HTTP/1.0\r\n\r\n", MEBIBYTES << 20);
    let client = |_| {
        let mut stream = TcpStream::connect(testbed.address)?;
        stream.write_all(request.as_bytes())?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    };
    (0..readers).map(client).collect()
}

fn held(testbed: &Testbed) -> Held {
    Held { balancer: data_kib(&testbed.balancer_pids()), kernel: socket_memory_kib() }
}

/// Waits until each client has something to read and no program has anything to do: then all buffers
/// are as full as they get. Not for a fixed time: on a busy machine programs may wait long for a core.
fn wait_until_nothing_flows(
    testbed: &Testbed,
    silent: &[TcpStream],
    deadline: Instant,
    room: &Classroom<'_>,
) {
    let pids = [testbed.balancer_pids(), testbed.backend_pids()].concat();
    let switches = || {
        // It is there: this lesson is not taught without the counters.
        let used = Processes::now(&pids).unwrap_or_default();
        used.voluntary_switches + used.involuntary_switches
    };
    let (mut last, mut still) = (switches(), 0);
    while Instant::now() < deadline {
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

/// The most that the buffers of this many connections can hold, in KiB: a large one towards the client,
/// which does not read, and an ordinary one towards the back end. The first long streams have a pipe
/// of the kernel instead, and none of our memory.
fn buffers_kib(readers: usize) -> usize {
    readers.saturating_sub(PIPES_MAX) * (BULK_BUFFER_BYTES + BUFFER_BYTES) / 1024
}

/// `lines` are those of the threaded and of the async balancer.
fn findings(lines: &[Vec<Held>], lang: Lang) -> Findings {
    let row = |(number, readers): (usize, &usize)| {
        let [threaded, looped] = [lines[0][number], lines[1][number]];
        vec![
            readers.to_string(),
            threaded.balancer.to_string(),
            looped.balancer.to_string(),
            format!("{:.1}", threaded.kernel as f64 / 1024.0),
            format!("{:.1}", looped.kernel as f64 / 1024.0),
            (readers * MEBIBYTES).to_string(),
        ]
    };
    let last = READERS.len() - 1;
    let (threaded, looped) = (lines[0][last], lines[1][last]);
    let asked_kib = (MOST * MEBIBYTES * 1024) as u64;
    Findings {
        table: Table {
            title: text!(lang, "slow-reader-title"),
            header: parts(&text!(lang, "slow-reader-columns")),
            rows: READERS.iter().enumerate().map(row).collect(),
            notes: Vec::new(),
        },
        drawing: chart(lines, lang).into(),
        right: usize::from(threaded.balancer.max(looped.balancer) < asked_kib / 10),
        explanation: explanation(threaded, looped, lang),
    }
}

/// `threaded` and `looped` are those of the most clients.
fn explanation(threaded: Held, looped: Held, lang: Lang) -> Vec<String> {
    let kernel = threaded.kernel.max(looped.kernel) / 1024;
    let memory = text!(
        lang,
        "slow-reader-memory",
        readers = MOST,
        asked = MOST * MEBIBYTES,
        threaded = threaded.balancer,
        looped = looped.balancer,
        pipes = PIPES_MAX,
        pipe = PIPE_BYTES / 1024,
        bulk = BULK_BUFFER_BYTES / 1024,
        ordinary = BUFFER_BYTES / 1024,
        buffers = buffers_kib(MOST),
    );
    vec![memory, text!(lang, "slow-reader-back-pressure", kernel)]
}

fn chart(lines: &[Vec<Held>], lang: Lang) -> Chart {
    let line = |held: &[Held], kib: fn(&Held) -> u64| {
        held.iter().map(|held| Some(kib(held) as f64 / 1024.0)).collect::<Vec<_>>()
    };
    let asked = READERS.iter().map(|readers| Some((readers * MEBIBYTES) as f64)).collect();
    Chart {
        x_label: text!(lang, "clients"),
        y_label: "MiB".to_owned(),
        x: READERS.iter().map(usize::to_string).collect(),
        series: vec![
            Series::new("threaded", line(&lines[0], |held| held.balancer)),
            Series::new("async", line(&lines[1], |held| held.balancer)),
            Series::new(text!(lang, "slow-reader-kernel"), line(&lines[1], |held| held.kernel)),
            Series { is_dashed: true, ..Series::new(text!(lang, "slow-reader-asked"), asked) },
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
