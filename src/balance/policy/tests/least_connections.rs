//! Least connections: who has the least to do for its weight.

use super::*;

#[test]
fn the_one_with_the_least_to_do_is_next() {
    let (group, now) = (group("least-connections", &[1, 1, 1]), Instant::now());
    let mut held: Vec<Chosen> = (0..6).map(|_| take(&group, Key::default(), now).unwrap()).collect();
    assert!(group.backends().iter().all(|backend| backend.active() == 2));
    held.retain(|chosen| index_of(chosen) != 1);
    let more: Vec<Chosen> = (0..2).map(|_| take(&group, Key::default(), now).unwrap()).collect();
    assert_eq!(more.iter().map(|chosen| index_of(chosen)).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_back_end_that_never_ends_its_work_gets_no_more_than_others_have() {
    let (group, now) = (group("least-connections", &[1, 1]), Instant::now());
    let slow: Vec<Chosen> = (0..2).map(|_| take(&group, Key::default(), now).unwrap()).collect();
    let _slow = slow.into_iter().find(|chosen| index_of(chosen) == 0).unwrap();
    assert_eq!(shares(&group, 2, 100, now), [0, 100]);
}

proptest! {
    #[test]
    fn among_idle_ones_turns_follow_the_weights(weights in proptest::collection::vec(1u32..9, 1..7)) {
        let (group, now) = (group("least-connections", &weights), Instant::now());
        let cycle = weights.iter().sum::<u32>() as usize;
        let wanted: Vec<usize> = weights.iter().map(|weight| *weight as usize).collect();
        prop_assert_eq!(shares(&group, weights.len(), cycle, now), wanted);
    }

    #[test]
    fn what_is_held_follows_the_weights_within_one(
        weights in proptest::collection::vec(1u32..9, 1..7), count in 1usize..100,
    ) {
        let (group, now) = (group("least-connections", &weights), Instant::now());
        let _held: Vec<Chosen> = (0..count).map(|_| take(&group, Key::default(), now).unwrap()).collect();
        let loads = group.backends().iter().map(|one| one.active() as f64 / f64::from(one.weight())).collect::<Vec<_>>();
        // The fullest one was among the emptiest before its last one came.
        let least = loads.iter().copied().fold(f64::MAX, f64::min);
        for backend in group.backends() {
            let before = (backend.active().max(1) - 1) as f64 / f64::from(backend.weight());
            prop_assert!(before <= least, "{:?}", loads);
        }
    }

    #[test]
    fn nobody_starves(count in 1usize..9, rounds in 1usize..20) {
        let (group, now) = (group("least-connections", &vec![1; count]), Instant::now());
        let shares = shares(&group, count, count * rounds, now);
        prop_assert!(shares.iter().all(|share| *share == rounds), "{:?}", shares);
    }
}
