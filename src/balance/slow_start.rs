//! Slow start: a back end that came back, or that is new, gets a growing share of the turns.
//!
//! Contract: the share grows evenly from nearly nothing to all of the back end's weight, over the time that was
//! configured. No clock is read when a back end comes back: its time begins with the first turn after that.

use std::sync::atomic::{AtomicU64, Ordering};

/// A whole share, in steps: fine enough to grow smoothly, and small enough that weights stay small numbers.
pub(super) const WHOLE: u32 = 64;

/// The value of a back end that has its whole share.
const WARM: u64 = 0;

/// The value of one that came back, and whose time has not begun.
const AWAITED: u64 = u64::MAX;

/// How far a back end is in its slow start: [`WARM`], [`AWAITED`], or the beginning in milliseconds since the
/// group's base.
#[derive(Debug, Default)]
pub(super) struct Warmth(AtomicU64);

impl Warmth {
    /// It begins with the next turn.
    pub(super) fn begin(&self) {
        self.0.store(AWAITED, Ordering::Relaxed);
    }

    /// Its share of a turn at this moment, of [`WHOLE`]; `now_ms` is 0 if the time is not known. Its time begins with
    /// the first turn.
    pub(super) fn share(&self, now_ms: u64, slow_start_ms: u64) -> u32 {
        let (known, share) = (self.0.load(Ordering::Relaxed), self.seen(now_ms, slow_start_ms));
        let becomes = match known {
            AWAITED if now_ms > 0 => now_ms,
            began_ms if began_ms != AWAITED && share == WHOLE => WARM,
            _ => return share,
        };
        if becomes != known {
            // If another turn was first, it has said the same.
            let _ = self.0.compare_exchange(known, becomes, Ordering::Relaxed, Ordering::Relaxed);
        }
        share
    }

    /// The same, for somebody who only looks.
    pub(super) fn seen(&self, now_ms: u64, slow_start_ms: u64) -> u32 {
        match self.0.load(Ordering::Relaxed) {
            WARM => WHOLE,
            AWAITED => 1,
            began_ms => {
                let passed = now_ms.saturating_sub(began_ms).min(slow_start_ms);
                let steps = u128::from(passed) * u128::from(WHOLE) / u128::from(slow_start_ms.max(1));
                u32::try_from(steps).unwrap_or(WHOLE).max(1)
            }
        }
    }

    /// Goes on where another one stands, whose milliseconds `moved` changes into those of this group.
    pub(super) fn continue_from(&self, old: &Warmth, moved: impl FnOnce(u64) -> u64) {
        self.0.store(
            match old.0.load(Ordering::Relaxed) {
                known @ (WARM | AWAITED) => known,
                began_ms => moved(began_ms).max(1),
            },
            Ordering::Relaxed,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_grows_from_its_first_turn_and_is_whole_in_the_end() {
        let warmth = Warmth::default();
        assert_eq!(warmth.share(5, 1000), WHOLE);
        warmth.begin();
        assert_eq!([0, 0].map(|now| warmth.share(now, 1000)), [1, 1], "the time is not known");
        let shares = [7000, 7015, 7250, 7500, 7999, 8000, 9000, 7000].map(|now| warmth.share(now, 1000));
        assert_eq!(shares, [1, 1, 16, 32, 63, WHOLE, WHOLE, WHOLE]);
    }

    #[test]
    fn a_new_configuration_goes_on_with_it() {
        let (old, new) = (Warmth::default(), Warmth::default());
        old.begin();
        new.continue_from(&old, |ms| ms + 100);
        assert_eq!(new.share(1000, 1000), 1);
        assert_eq!(old.share(1000, 1000), 1);
        new.continue_from(&old, |ms| ms + 100);
        assert_eq!(new.share(1600, 1000), WHOLE / 2);
    }
}
