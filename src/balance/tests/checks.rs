//! Health checks beside failures.

use super::*;

#[test]
fn there_is_no_candidate_when_checks_hold_all_out() {
    let (group, now) = (group(3), Instant::now());
    (0..3).for_each(|index| assert!(group.check_failed(&nth(&group, index))));
    assert_eq!(first(&group, now), None);
    assert_eq!(first(&group, now + 10 * PASSIVE_OUT), None);
}

#[test]
fn a_check_that_passes_clears_failures_and_brings_back_who_went_out_for_them() {
    let (group, now) = (group(2), Instant::now());
    let backend = nth(&group, 0);
    for _ in 0..10 {
        assert_eq!(group.failed(&backend, now), Effect::None);
        assert_eq!(group.failed(&backend, now), Effect::None);
        assert!(!group.succeeded(&backend), "it was up all the while");
    }
    take_out(&group, 0, now);
    assert!(group.succeeded(&backend));
    assert_eq!(candidates(&group, now).len(), 2);
}

#[test]
fn who_goes_out_for_failures_is_checked_at_once() {
    let (group, now) = (group(2), Instant::now());
    let called = Arc::new(Called::default());
    group.checked_by(Arc::clone(&called).into());
    let interval = Duration::from_secs(2);
    *nth(&group, 0).health() = Some(Health::new(interval, 1, now));
    take_out(&group, 0, now);
    assert_eq!(called.0.load(Ordering::Relaxed), 1);
    assert_eq!(nth(&group, 0).health().as_ref().unwrap().due(), now);
}

#[test]
fn checks_take_out_even_the_only_back_end() {
    let (group, now) = (group(1), Instant::now());
    let only = nth(&group, 0);
    assert!(group.check_failed(&only));
    assert!(!group.check_failed(&only), "told once");
    assert_eq!(first(&group, now + 10 * PASSIVE_OUT), None, "no trial: the checks will see it");
    assert!(group.check_passed(&only));
    assert!(!group.check_passed(&only), "told once");
    assert_eq!(first(&group, now), Some(0));
}

#[test]
fn checks_bring_back_what_failures_took_out() {
    let (group, now) = (group(2), Instant::now());
    take_out(&group, 0, now);
    let first = nth(&group, 0);
    assert!(first.is_out_by_failures());
    assert!(!group.check_failed(&first), "it was out already");
    assert!(!group.succeeded(&first), "a success says nothing against its checks");
    assert_eq!(candidates(&group, now), [1]);
    assert!(group.check_passed(&first));
    assert_eq!(candidates(&group, now).len(), 2);
    // And old failures do not count any more.
    let effects: Vec<Effect> = (0..3).map(|_| group.failed(&first, now)).collect();
    assert_eq!(effects, [Effect::None, Effect::None, Effect::Out]);
}

#[test]
fn failures_tell_nothing_new_while_checks_hold_it_out() {
    let (group, now) = (group(2), Instant::now());
    let first = nth(&group, 0);
    assert!(group.check_failed(&first));
    assert!((0..10).all(|_| group.failed(&first, now) == Effect::None));
    assert_eq!(group.list().out_count, 1);
    assert!(group.check_passed(&first));
    assert_eq!(group.list().out_count, 0);
}
