//! Trials: how a back end that went out for failures comes back.

use super::*;

#[test]
fn there_is_one_trial_at_a_time_and_a_success_brings_it_back_at_once() {
    let (group, now) = (group(2), Instant::now());
    take_out(&group, 0, now);
    assert_eq!(candidates(&group, now), [1]);
    let later = now + PASSIVE_OUT;
    let on_trial = (0..10).filter(|_| candidates(&group, later).contains(&0)).count();
    assert_eq!(on_trial, 1);
    assert_eq!(group.failed(&nth(&group, 0), later), Effect::None, "it was out already");
    assert_eq!(candidates(&group, later), [1]);
    let later = later + PASSIVE_OUT;
    assert!(candidates(&group, later).contains(&0));
    assert!(group.succeeded(&nth(&group, 0)));
    assert!(!group.succeeded(&nth(&group, 0)));
    assert!(group.backends()[0].is_up());
    assert_eq!(candidates(&group, later).len(), 2);
    assert_eq!(candidates(&group, later).len(), 2);
}

#[test]
fn a_trial_without_a_result_is_given_to_another_turn() {
    let (group, now) = (group(2), Instant::now());
    take_out(&group, 0, now);
    let later = now + PASSIVE_OUT;
    let taken = |at: Instant| (0..4).filter(|_| candidates(&group, at).contains(&0)).count();
    assert_eq!(taken(later), 1);
    assert_eq!(taken(later), 0);
    assert_eq!(taken(later + PASSIVE_OUT), 1);
}
