//! Round robin: each back end in its turn, and as often as it weighs.
//!
//! Contract: with all back ends up, the shares of those that weigh the same never differ by more than one, and with
//! weights each share is exact within one turn at every moment. nginx's smooth round robin is much the same, but keeps
//! a counter for each server, behind a lock.

use super::{Candidates, Choice, Choose, DependsOn};

pub(super) struct RoundRobin;

impl Choose for RoundRobin {
    fn name(&self) -> &'static str {
        "round-robin"
    }

    fn about(&self) -> &'static str {
        "Each in its turn"
    }

    fn depends_on(&self) -> DependsOn {
        DependsOn::Turn
    }

    fn choose(&self, among: &Candidates<'_>) -> Choice {
        if let Some(next) = among.next_in_list() {
            return next.into();
        }
        let number = among.turn_number();
        match among.count_if_even_but_full() {
            // The usual case costs one division. One that is full is passed over by the walk that follows.
            Some(count) => number.checked_rem(count).into(),
            None => among.in_cycle().or_else(|| among.in_turn(number, |_| true)).into(),
        }
    }
}
