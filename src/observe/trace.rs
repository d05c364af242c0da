//! Traces: the phases of all lanes with their exact times, as Chrome trace events, which Perfetto
//! (`ui.perfetto.dev`) and Chromium's `chrome://tracing` draw.
//!
//! Contract: a lane records into a ring of its own, and only while a trace is wanted. A ring is bounded: what
//! is overwritten is counted and told in the trace. Nothing here makes a driver wait.
//!
//! Each lane is a track and each phase a slice. A connection that goes from one worker to another, by way of the
//! parking, is a flow: an arrow from slice to slice. The parking itself has one slice for all that it holds.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lane::{Kind, Moment, PHASES, Phase};

/// Entries of a worker's ring, 16 bytes each: some seconds of a busy one, and 64 KiB.
const WORKER_ENTRIES: usize = 4 * 1024;

/// Entries of a loop's ring, which does the work of many workers: 1 MiB.
const LOOP_ENTRIES: usize = 64 * 1024;

/// The last phases of one lane.
#[derive(Debug)]
pub(crate) struct Ring {
    capacity: usize,
    /// Time and moment of each; made when the first is recorded.
    entries: OnceLock<Box<[[AtomicU64; 2]]>>,
    /// The moment that ended when the first was recorded.
    before: AtomicU64,
    /// Entries recorded since the last [`clear`](Ring::clear), overwritten ones included.
    recorded: AtomicU64,
}

impl Ring {
    pub(crate) fn for_lane(kind: Kind) -> Ring {
        let capacity = if kind == Kind::Loop { LOOP_ENTRIES } else { WORKER_ENTRIES };
        Ring { capacity, entries: OnceLock::new(), before: AtomicU64::new(0), recorded: AtomicU64::new(0) }
    }

    /// Records that `moment` followed on `before`; only its own thread calls this.
    pub(super) fn push(&self, at_us: u64, before: u64, moment: u64) {
        let entries = self.entries.get_or_init(|| (0..self.capacity).map(|_| Default::default()).collect());
        let recorded = self.recorded.load(Ordering::Relaxed);
        if recorded == 0 {
            self.before.store(before, Ordering::Relaxed);
        }
        // The remainder is less than the length.
        let [time, what] = &entries[(recorded % entries.len() as u64) as usize];
        time.store(at_us, Ordering::Relaxed);
        what.store(moment, Ordering::Relaxed);
        self.recorded.store(recorded + 1, Ordering::Release);
    }

    /// Forgets what was recorded.
    pub(super) fn clear(&self) {
        self.recorded.store(0, Ordering::Relaxed);
    }

    /// What its thread did from `from_us` on, oldest first, and how much was overwritten. If nothing was recorded,
    /// it did all the time what it does `now`. The thread may still be recording: then the oldest entry may be a
    /// mixture of two.
    fn read(&self, from_us: u64, now: Moment) -> (Vec<Moment>, u64) {
        let recorded = self.recorded.load(Ordering::Acquire);
        let Some(entries) = self.entries.get().filter(|_| recorded > 0) else {
            return (vec![Moment { since_us: now.since_us.max(from_us), ..now }], 0);
        };
        let overwritten = recorded.saturating_sub(entries.len() as u64);
        let read = |number: u64| {
            let [time, what] = &entries[(number % entries.len() as u64) as usize];
            Moment::unpack(what.load(Ordering::Relaxed), time.load(Ordering::Relaxed))
        };
        let before = Moment::unpack(self.before.load(Ordering::Relaxed), from_us);
        let known_from_begin = (overwritten == 0).then_some(before);
        // An entry from before belongs to an earlier trace: its thread was recording when the ring was cleared.
        let moments = (overwritten..recorded).map(read).filter(|moment| moment.since_us >= from_us);
        (known_from_begin.into_iter().chain(moments).collect(), overwritten)
    }
}

/// A track of the trace: a lane with its role.
pub(crate) struct Track<'t> {
    /// The process that it is drawn in: one a role, from 1 on.
    pub(crate) process: usize,
    /// From 1 on within its role.
    pub(crate) number: usize,
    pub(crate) name: &'t str,
    pub(crate) ring: &'t Ring,
    /// What its thread does now.
    pub(crate) now: Moment,
}

/// Writes what the tracks have recorded. `processes` are the names of the roles, and `time_us` is when recording
/// began and ended.
pub(crate) fn chrome_events(processes: &[String], tracks: &[Track<'_>], time_us: (u64, u64)) -> String {
    let (from_us, until_us) = time_us;
    let mut out =
        Events { text: String::from("{\"displayTimeUnit\":\"ms\",\"traceEvents\":["), is_first: true };
    for (index, name) in processes.iter().enumerate() {
        let name = serde_json::Value::from(name.as_str());
        out.event(format_args!(
            "\"name\":\"process_name\",\"ph\":\"M\",\"pid\":{},\"args\":{{\"name\":{name}}}",
            index + 1
        ));
    }
    let mut flows: BTreeMap<u64, Vec<(u64, usize, usize)>> = BTreeMap::new();
    let mut overwritten = 0;
    for Track { process, number, name, ring, now } in tracks {
        let (moments, lost) = ring.read(from_us, *now);
        overwritten += lost;
        if moments.iter().all(|moment| moment.phase == Phase::Idle as usize) {
            continue;
        }
        let name = serde_json::Value::from(*name);
        out.event(format_args!(
            "\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":{process},\"tid\":{number},\"args\":{{\"name\":{name}}}"
        ));
        let ends = moments.iter().skip(1).map(|next| next.since_us).chain([until_us]);
        for (moment, end) in moments.iter().zip(ends) {
            // A gap shows an idle thread better than a slice does.
            if moment.phase == Phase::Idle as usize {
                continue;
            }
            let (at, took) = (moment.since_us, end.saturating_sub(moment.since_us));
            let phase = PHASES.get(moment.phase).copied().unwrap_or("unknown");
            out.event(format_args!(
                "\"name\":\"{phase}\",\"cat\":\"phase\",\"ph\":\"X\",\"ts\":{at},\"dur\":{took},\"pid\":{process},\
                 \"tid\":{number},\"args\":{{\"connection\":{}}}",
                moment.connection
            ));
            if moment.connection > 0 {
                flows.entry(moment.connection).or_default().push((at, *process, *number));
            }
        }
    }
    for (connection, mut steps) in flows {
        steps.sort_unstable();
        // Only where it goes to another thread there is an arrow to draw.
        steps.dedup_by_key(|(_, process, number)| (*process, *number));
        let last = steps.len() - 1;
        for (index, (at, process, number)) in steps.into_iter().enumerate().filter(|_| last > 0) {
            let kind = if index == 0 {
                "s"
            } else if index == last {
                "f\",\"bp\":\"e"
            } else {
                "t"
            };
            out.event(format_args!(
                "\"name\":\"connection\",\"cat\":\"flow\",\"ph\":\"{kind}\",\"id\":{connection},\"ts\":{at},\
                 \"pid\":{process},\"tid\":{number}"
            ));
        }
    }
    let _ = write!(out.text, "\n],\"otherData\":{{\"overwritten\":{overwritten}}}}}\n");
    out.text
}

/// The list of events as it grows.
struct Events {
    text: String,
    is_first: bool,
}

impl Events {
    fn event(&mut self, fields: std::fmt::Arguments<'_>) {
        let comma = if std::mem::replace(&mut self.is_first, false) { "" } else { "," };
        // Writing to a `String` does not fail.
        let _ = write!(self.text, "{comma}\n{{{fields}}}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Moment = Moment { phase: Phase::Idle as usize, connection: 0, since_us: 0 };

    fn word(phase: Phase, connection: u64) -> u64 {
        connection << 8 | phase as u64
    }

    fn events(processes: &[String], tracks: &[Track<'_>]) -> (Vec<serde_json::Value>, u64) {
        let text = chrome_events(processes, tracks, (5, 1000));
        let trace: serde_json::Value = serde_json::from_str(&text).unwrap();
        (
            trace["traceEvents"].as_array().unwrap().clone(),
            trace["otherData"]["overwritten"].as_u64().unwrap(),
        )
    }

    #[test]
    fn phases_become_slices_and_a_connection_that_moves_a_flow() {
        let rings = [Ring::for_lane(Kind::Worker), Ring::for_lane(Kind::Worker)];
        rings[0].push(10, word(Phase::Idle, 0), word(Phase::Read, 7));
        rings[0].push(30, word(Phase::Read, 7), word(Phase::Idle, 0));
        rings[1].push(40, word(Phase::Idle, 0), word(Phase::Write, 7));
        let tracks = [0, 1].map(|index| Track {
            process: 1,
            number: index + 1,
            name: ["worker-00", "worker-01"][index],
            ring: &rings[index],
            now: IDLE,
        });
        let (events, overwritten) = events(&["lb-threaded \"x\"".to_owned()], &tracks);
        let of = |kind: &str| events.iter().filter(|event| event["ph"] == kind).collect::<Vec<_>>();
        assert_eq!(of("M").len(), 3);
        assert_eq!(of("M")[0]["args"]["name"], "lb-threaded \"x\"");
        let slices = of("X");
        assert_eq!(slices.len(), 2, "idle is a gap");
        assert_eq!((&slices[0]["ts"], &slices[0]["dur"]), (&10.into(), &20.into()));
        assert_eq!((&slices[1]["name"], &slices[1]["dur"]), (&"write".into(), &960.into()));
        assert_eq!((of("s").len(), of("f").len(), overwritten), (1, 1, 0));
        assert_eq!((&of("f")[0]["id"], &of("f")[0]["tid"]), (&7.into(), &2.into()));
    }

    #[test]
    fn a_full_ring_keeps_the_newest_and_counts_the_others() {
        let ring = Ring::for_lane(Kind::Worker);
        for at in 0..WORKER_ENTRIES as u64 + 3 {
            ring.push(at, word(Phase::Idle, 0), word(Phase::Read, 1));
        }
        let (moments, overwritten) = ring.read(0, IDLE);
        assert_eq!((moments.len(), moments[0].since_us, overwritten), (WORKER_ENTRIES, 3, 3));
        ring.clear();
        assert_eq!(ring.read(0, IDLE), (vec![IDLE], 0));
    }

    #[test]
    fn what_began_before_the_trace_is_in_it() {
        let rings = [(); 3].map(|()| Ring::for_lane(Kind::Worker));
        // One that waits from before the trace until after it, one that waits at its begin, one without work.
        rings[1].push(3, word(Phase::Read, 8), word(Phase::Idle, 0));
        rings[1].clear();
        rings[1].push(40, word(Phase::Wait, 9), word(Phase::Write, 9));
        let waits = Moment { phase: Phase::Wait as usize, connection: 7, since_us: 2 };
        let tracks = [(0, waits), (1, IDLE), (2, IDLE)].map(|(index, now)| Track {
            process: 1,
            number: index + 1,
            name: "worker",
            ring: &rings[index],
            now,
        });
        let (events, _) = events(&[], &tracks);
        let slices: Vec<String> = events
            .iter()
            .filter(|event| event["ph"] == "X")
            .map(|event| format!("{} {} {} {}", event["tid"], event["name"], event["ts"], event["dur"]))
            .collect();
        assert_eq!(slices, ["1 \"wait\" 5 995", "2 \"wait\" 5 35", "2 \"write\" 40 960"]);
    }

    #[test]
    fn what_an_earlier_trace_left_is_not_in_it() {
        let ring = Ring::for_lane(Kind::Worker);
        ring.push(3, word(Phase::Idle, 0), word(Phase::Read, 8));
        ring.push(60, word(Phase::Read, 8), word(Phase::Write, 8));
        let (moments, _) = ring.read(50, IDLE);
        assert_eq!(moments.iter().map(|moment| moment.since_us).collect::<Vec<_>>(), [50, 60]);
    }
}
