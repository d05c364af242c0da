//! Random two: of two back ends that are drawn at random, the one that has less to do for its weight (nginx
//! `random two least_conn`, HAProxy `random(2)`).
//!
//! Contract: each is drawn as often as it weighs. It is nearly as even as `least-connections`, and where several
//! balancers choose for themselves better: they do not all rush to the one that had the least to do.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use super::candidates::scaled;
use super::{Candidates, Choice, Choose, DependsOn};
use crate::balance::mix::mix;

pub(super) struct RandomTwo;

impl Choose for RandomTwo {
    fn name(&self) -> &'static str {
        "random-two"
    }

    fn about(&self) -> &'static str {
        "Of two at random the one with fewer in progress, for its weight"
    }

    fn depends_on(&self) -> DependsOn {
        DependsOn::Chance
    }

    fn choose(&self, among: &Candidates<'_>) -> Choice {
        // Each candidate of each turn has random numbers of its own.
        let drawn = mix(seed() ^ among.turn_number() as u64).wrapping_add(among.tried_count() as u64);
        let [one, other] = [mix(drawn), mix(!drawn)];
        let (first, second) = match among.count_if_even() {
            Some(count) => two_of(one, other, count),
            None => {
                let first = among.drawn(one, None);
                (first, first.and_then(|first| among.drawn(other, Some(first))))
            }
        };
        let (Some(first), Some(second)) = (first, second) else { return first.into() };
        let less = if among.load_at(second) < among.load_at(first) { second } else { first };
        Choice::At(less)
    }
}

/// Two different numbers below `count`, as far as there are so many.
fn two_of(one: u64, other: u64, count: usize) -> (Option<usize>, Option<usize>) {
    let below = |random, count: usize| (count > 0).then(|| scaled(random, count as u64) as usize);
    let first = below(one, count);
    let second = below(other, count.saturating_sub(1));
    // All but the first.
    let skip = |second: usize| second + usize::from(first.is_some_and(|first| second >= first));
    (first, second.map(skip))
}

/// What makes two processes in front of the same back ends draw differently.
fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| RandomState::new().hash_one(0))
}
