//! A mixing function: every bit of the result depends on every bit of the number.

/// The finalizer of SplitMix64. It is a bijection, costs two multiplications, and hides nothing.
pub(super) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_function_of_that_name_on_every_machine() {
        // The first three numbers of SplitMix64 with seed 1234567, from its author's page.
        let golden = 0x9e37_79b9_7f4a_7c15_u64;
        let numbers = [0, 1, 2].map(|step: u64| mix(1_234_567_u64.wrapping_add(golden.wrapping_mul(step))));
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
