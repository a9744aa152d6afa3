//! Numbers that follow from a seed alone (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", SplitMix).

/// The numbers that follow from the Makefile's SEED.
pub struct Dice(u64);

impl Dice {
    /// All tests begin at the same number.
    pub fn new() -> Self {
        Self(std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_123))
    }

    /// The next number; all of them are below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ mixed >> 31) % end as u64).expect("small")
    }
}
