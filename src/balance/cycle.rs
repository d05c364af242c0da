//! The order of turns in which each back end has as many as it weighs.
//!
//! Contract: at every moment each has had its exact share of the turns so far, less than one turn more or less. A back
//! end of weight `w` in a cycle of `n` turns has its `k`th turn (from 0) not before turn `k n / w`, and before turn
//! `(k + 1) n / w`. Of those whose next turn may come, the one that must come first has it: a rule of real-time
//! scheduling (earliest deadline first), which meets all of these bounds as long as they can be met.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::limits::CYCLE_TURNS_MAX;

/// A back end that has a share of the cycle.
struct Share {
    index: u32,
    weight: u64,
    /// Turns that it has had.
    had: u64,
}

/// The indexes in the order of their turns, each with its weight. `None` if the cycle would be too long.
pub(super) fn cycle(weights: impl Iterator<Item = (usize, u32)>) -> Option<Vec<u32>> {
    let share = |(index, weight)| {
        Some(Share { index: u32::try_from(index).ok()?, weight: u64::from(weight), had: 0 })
    };
    let mut shares: Vec<Share> = weights.map(share).collect::<Option<_>>()?;
    let unit = shares.iter().fold(0, |unit, share| greatest_common_divisor(share.weight, unit)).max(1);
    shares.iter_mut().for_each(|share| share.weight /= unit);
    let length: u64 = shares.iter().map(|share| share.weight).sum();
    if length > CYCLE_TURNS_MAX {
        return None;
    }
    // By when the next turn may come, and by when it must.
    let earliest = |share: &Share| share.had * length / share.weight;
    let deadline = |share: &Share| ((share.had + 1) * length).div_ceil(share.weight);
    let mut later: BinaryHeap<_> = (0..shares.len()).map(|one| Reverse((0, one))).collect();
    let mut ready = BinaryHeap::new();
    let mut order = Vec::new();
    for turn in 0..length {
        while let Some(Reverse((earliest, one))) = later.pop() {
            if earliest > turn {
                later.push(Reverse((earliest, one)));
                break;
            }
            // Of two with the same deadline, the one that has waited for longer.
            ready.push(Reverse((deadline(&shares[one]), earliest, one)));
        }
        let Some(Reverse((_, _, one))) = ready.pop() else { continue };
        order.push(shares[one].index);
        shares[one].had += 1;
        later.push(Reverse((earliest(&shares[one]), one)));
    }
    Some(order)
}

/// Of a number and 0 it is the number.
pub(super) fn greatest_common_divisor(mut one: u64, mut other: u64) -> u64 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order(weights: &[u32]) -> Vec<u32> {
        cycle(weights.iter().copied().enumerate()).unwrap()
    }

    #[test]
    fn turns_of_a_heavy_one_are_spread() {
        assert_eq!(order(&[1, 1, 1]), [0, 1, 2]);
        assert_eq!(order(&[2, 1]), [0, 1, 0]);
        assert_eq!(order(&[3, 1]), [0, 0, 1, 0]);
        assert_eq!(order(&[5, 1, 1]), [0, 0, 0, 1, 0, 2, 0]);
        assert_eq!(order(&[1, 4, 4]), [1, 2, 1, 2, 1, 2, 0, 1, 2]);
        assert_eq!(order(&[]), [0; 0]);
    }

    #[test]
    fn weights_count_beside_each_other_only() {
        assert_eq!(order(&[7, 7]), [0, 1]);
        assert_eq!(order(&[200, 100]), [0, 1, 0]);
    }

    #[test]
    fn a_cycle_has_a_bound() {
        let length = |count: usize| {
            cycle((0..count).map(|index| (index, 255 + index as u32 % 2))).map(|all| all.len())
        };
        assert_eq!(length(2), Some(511));
        assert_eq!(length(1000), None);
    }

    proptest! {
        #[test]
        fn at_every_moment_each_share_is_exact_within_one(weights in proptest::collection::vec(1u32..40, 1..30)) {
            let order = order(&weights);
            let length: u32 = weights.iter().sum();
            let mut had = vec![0u32; weights.len()];
            for (turn, index) in order.iter().enumerate() {
                had[*index as usize] += 1;
                for (had, weight) in had.iter().zip(&weights) {
                    let exact = (turn + 1) as f64 * f64::from(*weight) / f64::from(length);
                    prop_assert!((f64::from(*had) - exact).abs() < 1.0, "{:?}: {:?} after {}", weights, had, turn);
                }
            }
        }
    }
}
