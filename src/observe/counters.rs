//! What one lane has counted: numbers that only grow, and how long things took.
//!
//! Contract: only the thread that a lane belongs to adds to its counters, so adding is a load and a store and no
//! locked instruction; any thread may read them. What is shown is the sum over all lanes of a role.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::protocol::event::Closing;
use crate::protocol::guard::GUARDS;

/// What is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Counter {
    /// Client connections that were accepted.
    Accepted,
    /// Clients that were refused because no worker was free and the worker queue was full.
    Refused,
    /// Exchanges and relays that did not end as they should.
    Unclean,
    /// Attempts on back ends that failed and were followed by another.
    Retries,
    /// Bytes received from clients, counted at the end of each exchange or relay.
    BytesIn,
    /// Bytes sent to clients, counted likewise.
    BytesOut,
    /// Health checks that other programs made here; they count nowhere else.
    Checks,
    /// Iterations of an event loop.
    Iterations,
    /// Events of those iterations.
    Events,
}

const COUNTERS: usize = Counter::Events as usize + 1;

/// Responses by the first digit of their status; the last is for what ended without a status.
pub(crate) const STATUS_CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

/// How many groups of back ends have counters of their own; what goes to further ones is counted in the sum only.
pub(crate) const COUNTED_GROUPS_MAX: usize = 128;

/// Upper bounds of the buckets of a [`Histogram`], microseconds: 100 us to 10 s, in steps that Prometheus's own
/// clients use. What took longer is in one more bucket.
pub(crate) const BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// Requests that were refused, by the guard that did, in the order of [`GUARDS`].
pub(crate) type ByGuard<T> = [T; GUARDS.len()];

/// Exchanges by status class.
pub(crate) type ByStatus<T> = [T; STATUS_CLASSES.len()];

/// What one lane has counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    numbers: [AtomicU64; COUNTERS],
    statuses: ByStatus<AtomicU64>,
    guards: ByGuard<AtomicU64>,
    queue: Histogram,
    connect: Histogram,
    first_byte: Histogram,
    total: Histogram,
    /// By the number of the group; made when the first is counted, for most lanes never need it.
    groups: OnceLock<Box<[ByStatus<AtomicU64>]>>,
}

/// How many took how long.
#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Counters {
    /// Adds to one of the numbers.
    pub(crate) fn add(&self, counter: Counter, count: u64) {
        add(&self.numbers[counter as usize], count);
    }

    /// Counts the end of an exchange or relay.
    pub(crate) fn closed(&self, closing: &Closing<'_>) {
        let class = status_class(closing.status);
        add(&self.statuses[class], 1);
        if let Some(of_group) = closing.group.and_then(|group| self.groups().get(group)) {
            add(&of_group[class], 1);
        }
        if let Some(guard) = closing.guard {
            add(&self.guards[guard as usize], 1);
        }
        self.add(Counter::Unclean, u64::from(!closing.outcome.is_clean()));
        self.add(Counter::Retries, u64::from(closing.retries));
        self.add(Counter::BytesIn, closing.bytes_in);
        self.add(Counter::BytesOut, closing.bytes_out);
        self.queue.record(closing.queue);
        self.total.record(closing.total);
        closing.connect.into_iter().for_each(|took| self.connect.record(took));
        closing.first.into_iter().for_each(|took| self.first_byte.record(took));
    }

    fn groups(&self) -> &[ByStatus<AtomicU64>] {
        self.groups.get_or_init(|| (0..COUNTED_GROUPS_MAX).map(|_| Default::default()).collect())
    }
}

fn status_class(status: Option<u16>) -> usize {
    // A status has three digits and begins with 1 to 5: `100` is class 0.
    status.map_or(STATUS_CLASSES.len() - 1, |status| usize::from(status / 100).clamp(1, 5) - 1)
}

/// Not `fetch_add`: nobody else writes it.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

impl Histogram {
    fn record(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        add(&self.buckets[BOUNDS_US.partition_point(|bound| *bound < us)], 1);
        add(&self.sum_us, us);
    }
}

/// The counts of several lanes added up, as they were at one moment or near it.
#[derive(Clone, Debug)]
pub(crate) struct Totals {
    numbers: [u64; COUNTERS],
    pub(crate) statuses: ByStatus<u64>,
    pub(crate) guards: ByGuard<u64>,
    pub(crate) queue: Distribution,
    pub(crate) connect: Distribution,
    pub(crate) first_byte: Distribution,
    pub(crate) total: Distribution,
    pub(crate) groups: Vec<ByStatus<u64>>,
}

/// How many took how long, at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Distribution {
    /// One for each bound of [`BOUNDS_US`], and one for what took longer; not cumulative.
    pub(crate) buckets: [u64; BOUNDS_US.len() + 1],
    pub(crate) sum_us: u64,
}

impl Distribution {
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    fn add(&mut self, histogram: &Histogram) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.load(Ordering::Relaxed);
        }
        self.sum_us = self.sum_us.wrapping_add(histogram.sum_us.load(Ordering::Relaxed));
    }
}

impl Default for Totals {
    fn default() -> Totals {
        Totals {
            numbers: [0; COUNTERS],
            statuses: [0; STATUS_CLASSES.len()],
            guards: [0; GUARDS.len()],
            queue: Distribution::default(),
            connect: Distribution::default(),
            first_byte: Distribution::default(),
            total: Distribution::default(),
            groups: vec![[0; STATUS_CLASSES.len()]; COUNTED_GROUPS_MAX],
        }
    }
}

impl Totals {
    /// One of the numbers.
    pub(crate) fn get(&self, counter: Counter) -> u64 {
        self.numbers[counter as usize]
    }

    /// Adds what a lane has counted.
    pub(crate) fn add(&mut self, counters: &Counters) {
        let sum = |sums: &mut [u64], lane: &[AtomicU64]| {
            sums.iter_mut().zip(lane).for_each(|(sum, one)| *sum += one.load(Ordering::Relaxed));
        };
        sum(&mut self.numbers, &counters.numbers);
        sum(&mut self.statuses, &counters.statuses);
        sum(&mut self.guards, &counters.guards);
        for (sums, lane) in self.groups.iter_mut().zip(counters.groups.get().into_iter().flatten()) {
            sum(sums, lane);
        }
        self.queue.add(&counters.queue);
        self.connect.add(&counters.connect);
        self.first_byte.add(&counters.first_byte);
        self.total.add(&counters.total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::outcome::{How, Outcome, Phase, Who};

    fn closing(status: Option<u16>, group: Option<usize>) -> Closing<'static> {
        Closing {
            group,
            status,
            bytes_in: 10,
            bytes_out: 200,
            queue: Duration::from_micros(90),
            connect: Some(Duration::from_micros(100)),
            total: Duration::from_millis(30),
            retries: 2,
            ..Closing::of(Outcome::new(Who::Us, How::Finished, Phase::ResponseBody))
        }
    }

    #[test]
    fn a_closing_is_counted_once_everywhere() {
        let counters = Counters::default();
        counters.closed(&closing(Some(204), Some(5)));
        let mut totals = Totals::default();
        totals.add(&counters);
        assert_eq!(totals.statuses, [0, 1, 0, 0, 0, 0]);
        assert_eq!(totals.groups[5], [0, 1, 0, 0, 0, 0]);
        assert_eq!(totals.groups.iter().flatten().sum::<u64>(), 1);
        assert_eq!(totals.get(Counter::BytesOut), 200);
        assert_eq!(totals.get(Counter::Retries), 2);
        assert_eq!(totals.get(Counter::Unclean), 0);
        assert_eq!((totals.queue.count(), totals.queue.buckets[0]), (1, 1));
        // A bound belongs to its own bucket, as Prometheus has it.
        assert_eq!(totals.connect.buckets[0], 1);
        assert_eq!((totals.total.buckets[8], totals.total.sum_us), (1, 30_000));
        assert_eq!(totals.first_byte.count(), 0);
    }

    #[test]
    fn statuses_have_their_classes() {
        let classes = [Some(101), Some(200), Some(304), Some(404), Some(503), None].map(status_class);
        assert_eq!(classes, [0, 1, 2, 3, 4, 5]);
        // Nothing of the kind is sent; it must not count outside of the array.
        assert_eq!([Some(0), Some(999)].map(status_class), [0, 4]);
    }

    #[test]
    fn a_group_beyond_the_bound_counts_in_the_sum_only() {
        let counters = Counters::default();
        counters.closed(&closing(None, Some(COUNTED_GROUPS_MAX)));
        let mut totals = Totals::default();
        totals.add(&counters);
        assert_eq!(totals.statuses, [0, 0, 0, 0, 0, 1]);
        assert_eq!(totals.groups.iter().flatten().sum::<u64>(), 0);
    }

    #[test]
    fn what_took_longest_has_a_bucket_too() {
        let histogram = Histogram::default();
        histogram.record(Duration::MAX);
        histogram.record(Duration::ZERO);
        let mut sum = Distribution::default();
        sum.add(&histogram);
        assert_eq!((sum.buckets[0], sum.buckets[BOUNDS_US.len()], sum.count()), (1, 1, 2));
    }
}
