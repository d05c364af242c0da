//! Round robin: exact shares, whoever is out.

use super::*;

#[test]
fn turns_of_a_heavy_back_end_lie_apart() {
    let (group, now) = (group("round-robin", &[5, 1, 1]), Instant::now());
    let order: Vec<usize> = (0..14).map(|_| first(&group, now)).collect();
    assert_eq!(order, [0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0]);
}

#[test]
fn weights_that_make_no_cycle_are_obeyed_all_the_same() {
    let weights: Vec<u32> = (0..100).map(|index| 255 + index % 2).collect();
    let (group, now) = (group("round-robin", &weights), Instant::now());
    assert!(group.list().cycle.is_empty());
    let cycle = weights.iter().sum::<u32>() as usize;
    let wanted: Vec<usize> = weights.iter().map(|weight| *weight as usize).collect();
    assert_eq!(shares(&group, 100, cycle, now), wanted);
}

proptest! {
    #[test]
    fn at_every_moment_each_share_is_exact_within_one(
        weights in proptest::collection::vec(1u32..20, 1..9), out in proptest::collection::vec(any::<bool>(), 9),
        turns in 1usize..200,
    ) {
        let (group, now) = (group("round-robin", &weights), Instant::now());
        let is_out = |index: usize| index > 0 && out[index];
        (0..weights.len()).filter(|index| is_out(*index)).for_each(|index| _ = group.check_failed(&nth(&group, index)));
        let all: u32 = (0..weights.len()).filter(|index| !is_out(*index)).map(|index| weights[index]).sum();
        let mut shares = vec![0u32; weights.len()];
        for turn in 1..=turns {
            shares[first(&group, now)] += 1;
            for (index, share) in shares.iter().enumerate() {
                let weight = if is_out(index) { 0 } else { weights[index] };
                let exact = turn as f64 * f64::from(weight) / f64::from(all);
                prop_assert!((f64::from(*share) - exact).abs() < 1.0, "{:?}: {:?} of {}", weights, shares, turn);
            }
        }
    }

    #[test]
    fn several_that_draw_at_the_same_time_have_exact_shares_too(
        weights in proptest::collection::vec(1u32..5, 1..5), cycles in 1usize..20,
    ) {
        let (group, now) = (group("round-robin", &weights), Instant::now());
        let cycle = weights.iter().sum::<u32>() as usize;
        std::thread::scope(|scope| {
            (0..4).for_each(|_| _ = scope.spawn(|| shares(&group, weights.len(), cycles * cycle, now)));
        });
        for (backend, weight) in group.backends().iter().zip(&weights) {
            prop_assert_eq!(backend.served(), 4 * cycles as u64 * u64::from(*weight));
        }
    }
}
