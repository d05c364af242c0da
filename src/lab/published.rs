//! The figures that the course's report published in 2021: `ab -n 10000` on Windows, requests a second.

use super::bounds::CONCURRENCY;

/// A row for 1 to 5 servers, a column for concurrency 2, 5, 10. All 10,000 requests of each cell were
/// complete, none non-2xx.
const THREADED: [[f64; 3]; 5] = [
    [378.12, 4.64, 4.89],
    [443.85, 157.43, 11.14],
    [456.06, 759.17, 57.57],
    [435.01, 753.43, 120.10],
    [353.06, 748.18, 155.60],
];
const ASYNC: [[f64; 3]; 5] = [
    [525.19, 3.92, 3.92],
    [539.83, 10.36, 5.91],
    [527.32, 656.13, 9.05],
    [496.25, 676.01, 11.73],
    [420.57, 445.18, 14.38],
];

/// The published rate of this cell, if it was measured.
pub(super) fn rate(is_async: bool, backends: usize, concurrency: usize) -> Option<f64> {
    let table = if is_async { &ASYNC } else { &THREADED };
    let column = CONCURRENCY.iter().position(|column| *column == concurrency)?;
    Some(table.get(backends.checked_sub(1)?)?[column])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_found_where_they_were_published() {
        assert_eq!(rate(false, 1, 2), Some(378.12));
        assert_eq!(rate(true, 5, 10), Some(14.38));
        assert_eq!(rate(true, 3, 5), Some(656.13));
        for (backends, concurrency) in [(0, 2), (6, 2), (1, 3)] {
            assert_eq!(rate(true, backends, concurrency), None);
        }
    }
}
