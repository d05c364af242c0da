//! What the course published in 2021: `ab -n 10000` on Windows, thirty runs, from `data/ab-2021.csv`.
//!
//! Contract: what ab printed is a field of [`Published`]; what follows from it is a method, and says how.

use std::sync::LazyLock;

use serde::Deserialize;

/// Requests of each run. All were complete, and none was non-2xx.
pub(super) const REQUESTS: f64 = 10_000.0;

/// How long a connect took there after one refusal: Windows sends another SYN after 500 ms, and its clock adds a
/// tick. The longest connects of the slow cells took 506 to 528 ms, so none of them was refused twice.
pub(super) const RETRY_SECONDS: f64 = 0.52;

/// A run whose connects took a share of its time that cannot be rounding: half a millisecond a connect is 5 s.
const CONNECTS_SEEN_MS: f64 = 1.0;

/// What ab printed about one run.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(super) struct Published {
    pub(super) model: String,
    pub(super) servers: usize,
    pub(super) concurrency: usize,
    /// Time taken for all requests.
    pub(super) seconds: f64,
    pub(super) connect_mean_ms: f64,
    pub(super) connect_max_ms: f64,
    /// As in the report's tables.
    #[serde(rename = "requests_per_second")]
    pub(super) rate: f64,
}

impl Published {
    /// All connects one after the other.
    pub(super) fn connect_seconds(&self) -> f64 {
        REQUESTS * self.connect_mean_ms / 1000.0
    }

    /// The share of connects that were refused once: the mean connect is this share of a retry.
    pub(super) fn refused_share(&self) -> f64 {
        self.connect_mean_ms / 1000.0 / RETRY_SECONDS
    }

    /// True if its connects took noticeable time.
    pub(super) fn is_slow(&self) -> bool {
        self.connect_mean_ms >= CONNECTS_SEEN_MS
    }

    /// True of the balancer with one loop.
    pub(super) fn is_async(&self) -> bool {
        self.model == "async"
    }
}

/// All thirty runs, in the order of the file.
pub(super) fn all() -> &'static [Published] {
    static ALL: LazyLock<Vec<Published>> = LazyLock::new(|| {
        let mut reader = csv::Reader::from_reader(&include_bytes!("data/ab-2021.csv")[..]);
        // Built in, and read by a test.
        reader.deserialize().map(|row| row.expect("a row of ab-2021.csv")).collect()
    });
    &ALL
}

/// The run of this cell, if there was one.
pub(super) fn find(is_async: bool, servers: usize, concurrency: usize) -> Option<&'static Published> {
    all()
        .iter()
        .find(|run| (run.is_async(), run.servers, run.concurrency) == (is_async, servers, concurrency))
}

/// The published rate of this cell, if it was measured.
pub(super) fn rate(is_async: bool, servers: usize, concurrency: usize) -> Option<f64> {
    find(is_async, servers, concurrency).map(|run| run.rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reports_tables_follow_from_the_file() {
        assert_eq!(all().len(), 30);
        for (is_async, servers, concurrency, published) in
            [(false, 1, 2, 378.12), (true, 5, 10, 14.38), (true, 3, 5, 656.13), (false, 5, 10, 155.60)]
        {
            assert_eq!(rate(is_async, servers, concurrency), Some(published));
        }
        assert!(all().iter().all(|run| (run.rate * run.seconds / REQUESTS - 1.0).abs() < 2e-3));
        for (servers, concurrency) in [(0, 2), (6, 2), (1, 3)] {
            assert_eq!(rate(true, servers, concurrency), None);
        }
    }

    /// In every slow cell the time is that of the connects one after the other; ab rounds to a millisecond, which
    /// is 5 s each way, and the rest took no longer than 14 s.
    #[test]
    fn a_slow_cell_is_the_sum_of_its_connects() {
        let slow: Vec<&Published> = all().iter().filter(|run| run.is_slow()).collect();
        assert_eq!(slow.len(), 14);
        let small = slow.iter().filter(|run| run.seconds - run.connect_seconds() <= 8.0).count();
        assert_eq!(small, 12, "as the page of lab 2021 says");
        for run in slow {
            let rest = run.seconds - run.connect_seconds();
            assert!((-5.0..=14.0).contains(&rest), "{run:?}: {rest}");
            assert!((506.0..=528.0).contains(&run.connect_max_ms), "{run:?}: one retry, and never two");
        }
        let share = |is_async| find(is_async, 5, 10).unwrap().refused_share() * 100.0;
        assert_eq!(format!("{:.1} {:.1}", share(true), share(false)), "13.3 1.2");
    }
}
