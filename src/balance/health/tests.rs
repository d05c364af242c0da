use proptest::prelude::*;

use super::*;

const INTERVAL: Duration = Duration::from_secs(2);

fn health() -> Health {
    Health::new(INTERVAL, 7, Instant::now())
}

/// What each result of a row (`+` passed, `-` failed) changes.
fn changes(health: &mut Health, results: &str) -> Vec<(usize, Change)> {
    let result = |(index, result)| {
        let change = if result == '+' { health.passed() } else { health.failed() };
        change.map(|change| (index, change))
    };
    results.chars().enumerate().filter_map(result).collect()
}

#[test]
fn three_failures_take_out_and_two_passes_bring_back() {
    let mut health = health();
    assert_eq!(changes(&mut health, "+---++"), [(3, Change::Out), (5, Change::Back)]);
    assert_eq!(changes(&mut health, "--+--+--+"), []);
    assert_eq!(changes(&mut health, "---+-+-++"), [(2, Change::Out), (8, Change::Back)]);
}

#[test]
fn the_first_check_alone_decides_nothing() {
    assert_eq!(changes(&mut health(), "-"), []);
    assert_eq!(changes(&mut health(), "--+--"), []);
    assert_eq!(changes(&mut health(), "---"), [(2, Change::Out)]);
}

#[test]
fn a_check_can_be_due_sooner_but_not_later() {
    let now = Instant::now();
    let mut health = Health::new(INTERVAL, 7, now);
    health.hasten(now + 2 * INTERVAL);
    assert!(health.due() < now + 2 * INTERVAL);
    health.hasten(now);
    assert_eq!(health.due(), now);
    health.resume(10 * INTERVAL, now);
    assert_eq!(health.due(), now, "a new configuration puts no check off");
    health.check_begins(now);
    assert!(health.due() > now + 8 * INTERVAL, "the new interval counts from then on");
}

/// The first numbers of xorshift64 with shifts 13, 7, 17 from 1 on, as its author publishes them.
#[test]
fn the_jitter_is_that_of_xorshift64() {
    let mut health = Health { random: 1, ..health() };
    let begins = health.due();
    health.check_begins(begins);
    assert_eq!(health.random, 1_082_269_761);
    assert!(health.due() < begins + INTERVAL, "the first number is near -1");
    let second = health.random_unit();
    assert_eq!(health.random, 1_152_992_998_833_853_505);
    assert!((second - (1_152_992_998_833_853_505_f64 / 2_f64.powi(63) - 1.0)).abs() < 1e-9, "{second}");
    let random = |seed| Health::new(INTERVAL, seed, begins).random;
    assert!(random(0) != 0 && random(1) != random(2));
}

proptest! {
    #[test]
    fn the_next_check_is_an_interval_away_give_or_take_the_jitter(seed: u64, milliseconds in 1u64..100_000) {
        let (interval, start) = (Duration::from_millis(milliseconds), Instant::now());
        let mut health = Health::new(interval, seed, start);
        for _ in 0..50 {
            let away = (health.due() - start).as_secs_f64() / interval.as_secs_f64();
            prop_assert!((1.0 - CHECK_JITTER - 1e-3..=1.0 + CHECK_JITTER + 1e-3).contains(&away), "{}", away);
            health.check_begins(start);
        }
    }

    #[test]
    fn changes_alternate_and_each_follows_a_full_row(results in "[+-]{0,60}") {
        let found = changes(&mut health(), &results);
        let mut expected = Change::Out;
        for (index, change) in found {
            prop_assert_eq!(change, expected);
            let (row, mark) = match change { Change::Out => (CHECK_FALL, "-"), Change::Back => (CHECK_RISE, "+") };
            let from = index + 1 - row as usize;
            prop_assert_eq!(&results[from..=index], mark.repeat(row as usize));
            expected = match change { Change::Out => Change::Back, Change::Back => Change::Out };
        }
    }
}
