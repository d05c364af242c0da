//! Slow start: a share that grows, and ends.

use super::*;

const SLOW_START: Duration = Duration::from_secs(10);

/// A group whose milliseconds are counted from this moment.
fn slow(policy: Policy, count: usize, now: Instant) -> Group {
    let settings = GroupSettings { policy, slow_start: SLOW_START, ..GroupSettings::default() };
    let group = Group::with("test", members(&vec![1; count]), settings);
    group.base.get_or_init(|| now);
    group
}

/// The part of the turns at a moment that the first back end gets.
fn share(group: &Group, now: Instant) -> f64 {
    let turns = 4000;
    let of_clients = (0..turns).filter(|number| index_of(&take(group, client(*number), now).unwrap()) == 0);
    of_clients.count() as f64 / f64::from(turns)
}

#[test]
fn one_that_came_back_gets_a_growing_share_by_every_policy() {
    for policy in Policy::all() {
        let start = Instant::now();
        let group = slow(policy, 4, start);
        drop(take(&group, client(0), start));
        group.check_failed(&nth(&group, 0));
        let back = start + Duration::from_secs(60);
        group.check_passed(&nth(&group, 0));
        let shares: Vec<f64> =
            [0, 2, 5, 8, 10, 20].map(|s| share(&group, back + Duration::from_secs(s))).into();
        assert!(shares[0] < 0.02, "{policy}: {shares:?}");
        // By chance two shares of so many turns differ by 0.01 (one standard deviation): five of those are allowed.
        assert!(shares.windows(2).all(|pair| pair[0] <= pair[1] + 0.05), "{policy}: {shares:?}");
        // Half of its weight beside three whole ones is a seventh.
        assert!((shares[2] - 1.0 / 7.0).abs() < 0.03, "{policy}: {shares:?}");
        assert!((shares[4] - 0.25).abs() < 0.03 && (shares[5] - 0.25).abs() < 0.03, "{policy}: {shares:?}");
        assert!(group.list().is_even(), "{policy}: it is over, and costs nothing any more");
    }
}

#[test]
fn by_source_hash_each_client_comes_back_once() {
    let start = Instant::now();
    let group = slow(policy("source-hash"), 4, start);
    let back = start + Duration::from_secs(60);
    group.check_failed(&nth(&group, 0));
    group.check_passed(&nth(&group, 0));
    let at = |second| {
        let now = back + Duration::from_secs(second);
        (0..500).map(|number| index_of(&take(&group, client(number), now).unwrap())).collect::<Vec<usize>>()
    };
    let seconds: Vec<Vec<usize>> = (0..=10).map(at).collect();
    for pair in seconds.windows(2) {
        assert!(pair[0].iter().zip(&pair[1]).all(|(before, after)| before == after || *after == 0));
    }
    assert_ne!(seconds[0], seconds[10]);
}

#[test]
fn one_that_is_new_begins_slowly_and_those_of_the_start_do_not() {
    let now = Instant::now();
    let group = slow(Policy::default(), 3, now);
    assert_eq!(shares(&group, 3, 300, now), [100, 100, 100]);
    group.replace(&members(&[1; 4]));
    let later = now + Duration::from_secs(1);
    let of_new = shares(&group, 4, 1000, later)[3];
    assert!((1..20).contains(&of_new), "{of_new}");
    assert_eq!(shares(&group, 4, 400, later + SLOW_START), [100; 4]);
}

#[test]
fn without_it_one_that_came_back_has_its_whole_share_at_once() {
    let (group, now) = (group("round-robin", &[1; 2]), Instant::now());
    group.check_failed(&nth(&group, 0));
    group.check_passed(&nth(&group, 0));
    assert_eq!(shares(&group, 2, 10, now), [5, 5]);
}

#[test]
fn the_only_one_that_is_up_serves_all_however_new_it_is() {
    for policy in Policy::all() {
        let now = Instant::now();
        let group = slow(policy, 2, now);
        (0..2).for_each(|index| _ = group.check_failed(&nth(&group, index)));
        group.check_passed(&nth(&group, 1));
        assert_eq!(shares(&group, 2, 20, now), [0, 20], "{policy}");
    }
}

#[test]
fn a_new_configuration_goes_on_with_it_and_begins_it_for_who_is_new() {
    let now = Instant::now();
    let old = Arc::new(slow(Policy::default(), 2, now));
    group_restarts(&old, 0);
    let later = now + Duration::from_secs(1);
    assert!(share(&old, later) < 0.05);
    let settings = GroupSettings { slow_start: SLOW_START, ..GroupSettings::default() };
    let new = Group::with("test", members(&[1; 3]), settings);
    new.take_over(&[Arc::clone(&old)], true);
    let half = later + SLOW_START / 2;
    let warmths: Vec<f64> = new.backends().iter().map(|one| new.warmth(one, half)).collect();
    assert_eq!(warmths, [0.5, 1.0, 1.0 / 64.0]);
}

fn group_restarts(group: &Group, index: usize) {
    group.check_failed(&nth(group, index));
    group.check_passed(&nth(group, index));
}
