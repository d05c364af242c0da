//! What a run counts: responses, faults by class, times.
//!
//! Contract: every request that was begun is counted exactly once: as answered, as a fault of one
//! class, or as unfinished when the run was cut. A rate that leaves out its errors is worth nothing.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::lab::bounds::{HISTOGRAM_MAX_US, TIMELINE_STEP, TIMELINE_STEPS_MAX};

/// The ways in which a request can fail, as a client sees them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::lab) enum Fault {
    /// Nobody listens.
    Refused,
    /// The connection was reset.
    Reset,
    /// Not complete within the time of one request.
    TimedOut,
    /// The stream ended before the response did.
    Short,
    /// Not the bytes that were asked for.
    Wrong,
    /// A complete response with a status other than 2xx.
    NotSuccess,
    /// This machine had no local port left: the measurement is at fault, not the server.
    NoPorts,
    /// Anything else.
    Other,
}

/// How many requests failed in which way.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::lab) struct Faults {
    pub(in crate::lab) refused: u64,
    pub(in crate::lab) reset: u64,
    pub(in crate::lab) timed_out: u64,
    pub(in crate::lab) short: u64,
    pub(in crate::lab) wrong: u64,
    pub(in crate::lab) non_2xx: u64,
    pub(in crate::lab) no_ports: u64,
    pub(in crate::lab) other: u64,
}

impl Faults {
    /// The counters with the names of their classes, in the order of [`Fault`].
    pub(in crate::lab) fn classes(&self) -> [(&'static str, u64); 8] {
        [
            ("refused", self.refused),
            ("reset", self.reset),
            ("timed out", self.timed_out),
            ("short", self.short),
            ("wrong", self.wrong),
            ("non-2xx", self.non_2xx),
            ("no local port", self.no_ports),
            ("other", self.other),
        ]
    }

    /// All of them together.
    pub(in crate::lab) fn total(&self) -> u64 {
        self.classes().iter().map(|(_, count)| count).sum()
    }

    /// Counts one more.
    pub(in crate::lab) fn count(&mut self, fault: Fault) {
        *self.counters()[fault as usize] += 1;
    }

    /// Adds those of another run.
    pub(in crate::lab) fn add(&mut self, other: &Faults) {
        let pairs = self.counters().into_iter().zip(other.classes());
        pairs.for_each(|(counter, (_, count))| *counter += count);
    }

    /// The counters, in the order of [`Fault`] and of [`Faults::classes`].
    fn counters(&mut self) -> [&mut u64; 8] {
        [
            &mut self.refused,
            &mut self.reset,
            &mut self.timed_out,
            &mut self.short,
            &mut self.wrong,
            &mut self.non_2xx,
            &mut self.no_ports,
            &mut self.other,
        ]
    }

    /// The classes that occurred, as `3 reset, 1 short`.
    pub(in crate::lab) fn sentence(&self) -> String {
        let seen = self.classes().into_iter().filter(|(_, count)| *count > 0);
        seen.map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
    }
}

/// Times of many requests in a bounded space.
#[derive(Clone, Debug)]
pub(in crate::lab) struct Times(Histogram<u64>);

impl Default for Times {
    /// No times yet: three significant digits, from a microsecond to beyond every time limit.
    fn default() -> Times {
        // An error means an empty range or more than five digits, and these are constants.
        Times(Histogram::new_with_bounds(1, HISTOGRAM_MAX_US, 3).expect("a valid range"))
    }
}

impl Times {
    /// Adds one.
    pub(in crate::lab) fn record(&mut self, time: Duration) {
        self.0.saturating_record(microseconds(time));
    }

    /// How many there are.
    pub(in crate::lab) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The longest in microseconds; `None` if there are none.
    pub(in crate::lab) fn longest_us(&self) -> Option<u64> {
        (!self.0.is_empty()).then(|| self.0.max())
    }

    /// How many took at least this long.
    pub(in crate::lab) fn at_least(&self, time: Duration) -> u64 {
        self.0.len() - self.0.count_between(0, microseconds(time).saturating_sub(1))
    }

    /// All of them together.
    pub(in crate::lab) fn sum(&self) -> Duration {
        let mean = if self.0.is_empty() { 0.0 } else { self.0.mean() };
        Duration::from_secs_f64(mean * self.0.len() as f64 / 1e6)
    }

    /// The figures that a report shows.
    pub(in crate::lab) fn percentiles(&self) -> Percentiles {
        if self.0.is_empty() {
            // There is no mean of no times, and `NaN` has no place in JSON.
            return Percentiles::default();
        }
        Percentiles {
            count: self.0.len(),
            mean_us: self.0.mean(),
            p50_us: self.0.value_at_quantile(0.5),
            p90_us: self.0.value_at_quantile(0.9),
            p99_us: self.0.value_at_quantile(0.99),
            p999_us: self.0.value_at_quantile(0.999),
            max_us: self.0.max(),
        }
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Times as a report shows them, in microseconds; all 0 where nothing was measured.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(in crate::lab) struct Percentiles {
    pub(in crate::lab) count: u64,
    pub(in crate::lab) mean_us: f64,
    pub(in crate::lab) p50_us: u64,
    pub(in crate::lab) p90_us: u64,
    pub(in crate::lab) p99_us: u64,
    pub(in crate::lab) p999_us: u64,
    pub(in crate::lab) max_us: u64,
}

/// One step of a timeline.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::lab) struct Step {
    pub(in crate::lab) answered: u64,
    pub(in crate::lab) faults: u64,
}

/// Everything that one run counted.
#[derive(Clone, Debug, Default)]
pub(in crate::lab) struct Tally {
    /// Requests with a complete 2xx response and the right body.
    pub(in crate::lab) answered: u64,
    pub(in crate::lab) faults: Faults,
    /// Requests under way when the time of the run was over.
    pub(in crate::lab) unfinished: u64,
    /// Kept connections that the server had closed between two requests: opened again, no fault.
    pub(in crate::lab) reopened: u64,
    /// Responses with bytes after their end, as the course's servers send.
    pub(in crate::lab) stray: u64,
    /// Of the requests that were answered, as `first_byte` and `total`.
    pub(in crate::lab) connect: Times,
    /// Of all requests, answered or not; of a connect under way at the end of the run, the part until then.
    pub(in crate::lab) every_connect: Times,
    pub(in crate::lab) first_byte: Times,
    pub(in crate::lab) total: Times,
    pub(in crate::lab) timeline: Vec<Step>,
    pub(in crate::lab) elapsed: Duration,
    /// CPU time of the client's own thread; `None` where the system does not tell.
    pub(in crate::lab) client_cpu: Option<Duration>,
}

impl Tally {
    /// The step of the timeline that this moment belongs to.
    pub(super) fn step(&mut self, since_start: Duration) -> &mut Step {
        let number = (since_start.as_millis() / TIMELINE_STEP.as_millis()) as usize;
        let number = number.min(TIMELINE_STEPS_MAX - 1);
        if self.timeline.len() <= number {
            self.timeline.resize(number + 1, Step::default());
        }
        &mut self.timeline[number]
    }

    /// The client's share of one core. Near 1, the client set the pace and not the server. 0 if it is not known.
    pub(in crate::lab) fn client_share(&self) -> f64 {
        self.client_cpu.unwrap_or_default().as_secs_f64() / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_known_set() {
        let mut times = Times::default();
        assert_eq!(times.percentiles(), Percentiles::default(), "an empty run has zeros, not NaN");
        (1..=1000).for_each(|milliseconds| times.record(Duration::from_millis(milliseconds)));
        let found = times.percentiles();
        assert_eq!(found.count, 1000);
        for (value, expected) in [
            (found.p50_us, 500_000),
            (found.p90_us, 900_000),
            (found.p99_us, 990_000),
            (found.max_us, 1_000_000),
        ] {
            let off = value.abs_diff(expected) as f64 / expected as f64;
            assert!(off < 0.002, "{value} is not {expected}");
        }
        assert!((100..=101).contains(&times.at_least(Duration::from_millis(900))), "to three digits");
        times.record(Duration::from_secs(100_000));
        assert!(times.percentiles().max_us >= HISTOGRAM_MAX_US, "what is too long is counted as the longest");
    }

    #[test]
    fn each_class_has_its_counter() {
        let mut faults = Faults::default();
        for fault in [
            Fault::Refused,
            Fault::Reset,
            Fault::TimedOut,
            Fault::Short,
            Fault::Wrong,
            Fault::NotSuccess,
            Fault::NoPorts,
            Fault::Other,
        ] {
            faults.count(fault);
        }
        assert!(faults.classes().iter().all(|(_, count)| *count == 1));
        assert_eq!(faults.total(), 8);
        let mut twice = faults;
        twice.add(&faults);
        assert_eq!(twice.total(), 16);
        let one = Faults { reset: 3, short: 1, ..Faults::default() };
        assert_eq!(one.sentence(), "3 reset, 1 short");
    }
}
