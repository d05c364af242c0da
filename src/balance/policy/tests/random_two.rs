//! Random two: chance, but never the busier one of the two.

use super::*;

#[test]
fn of_two_back_ends_the_one_with_less_to_do_is_always_chosen() {
    let (group, now) = (group("random-two", &[1, 1]), Instant::now());
    let held = take(&group, Key::default(), now).unwrap();
    assert_eq!(shares(&group, 2, 100, now)[1 - index_of(&held)], 100);
}

#[test]
fn turns_are_not_in_the_order_of_the_list() {
    let (group, now) = (group("random-two", &[1; 8]), Instant::now());
    let order: Vec<usize> = (0..64).map(|_| first(&group, now)).collect();
    let in_order = order.windows(2).filter(|pair| pair[1] == (pair[0] + 1) % 8).count();
    // Of 63 steps an eighth by chance.
    assert!(in_order < 40, "{order:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn idle_ones_are_drawn_as_they_weigh(weights in proptest::collection::vec(1u32..5, 2..6)) {
        let (group, now) = (group("random-two", &weights), Instant::now());
        let shares = shares(&group, weights.len(), 20_000, now);
        let sum: u32 = weights.iter().sum();
        for (share, weight) in shares.iter().zip(&weights) {
            // Idle back ends are equal, and the first of the two that are drawn has the turn. By chance a share is
            // off by 70 at most (a standard deviation); seven times that does not happen.
            let exact = 20_000.0 * f64::from(*weight) / f64::from(sum);
            prop_assert!((*share as f64 - exact).abs() < 500.0, "{:?}: {:?}", weights, shares);
        }
    }

    #[test]
    fn what_is_held_is_nearly_even(count in 2usize..50) {
        let (group, now) = (group("random-two", &vec![1; count]), Instant::now());
        let _held: Vec<Chosen> = (0..count * 20).map(|_| take(&group, Key::default(), now).unwrap()).collect();
        let most = group.backends().iter().map(|backend| backend.active()).max().unwrap();
        // One at random has up to about 20 + 3 * sqrt(20) = 34; the better of two only a few more than 20.
        prop_assert!(most <= 26, "{}", most);
    }
}
