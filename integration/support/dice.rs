//! Reproducible choices, for requests nobody would think of.

use super::noise::Noise;

/// Random choices that depend on the seed only.
#[derive(Debug)]
pub struct Dice(Noise);

impl Dice {
    /// The choices of this seed.
    pub fn new(seed: u64) -> Dice {
        Dice(Noise::new(seed))
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        let bytes = self.0.take_bytes(8).try_into().unwrap();
        usize::try_from(u64::from_le_bytes(bytes) >> 33).unwrap() % bound
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}
