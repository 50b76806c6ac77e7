//! All randomness of a simulation: one SplitMix64 generator, started from the seed.

/// The generator. Every random decision is drawn here.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Starts from a seed.
    pub(crate) const fn new(seed: u64) -> Self {
        // Seeds are small and consecutive, but their streams must not be.
        Self(seed.wrapping_mul(0xD6E8_FEB8_6659_FD93).wrapping_add(0x2545_F491_4F6C_DD1D))
    }

    /// A second generator for the same seed. Numbers that are drawn from it do not change those of the
    /// first one.
    pub(crate) const fn apart(seed: u64) -> Self {
        Self::new(!seed).split()
    }

    /// A third generator for the same seed.
    pub(crate) const fn third(seed: u64) -> Self {
        Self::apart(!seed).split()
    }

    /// A fourth generator for the same seed.
    pub(crate) const fn fourth(seed: u64) -> Self {
        Self::third(!seed).split()
    }

    /// The next 64 bits.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A new generator, started from this one.
    pub(crate) const fn split(&mut self) -> Self {
        Self(self.next())
    }

    /// A number below `limit`, or 0 if `limit` is 0.
    pub(crate) const fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.next() % limit }
    }

    /// A number from `least` to `most`, both included.
    pub(crate) const fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// True with a chance of this many per mille.
    pub(crate) const fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of `choices`, which must not be empty.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// A random time around `mean` milliseconds: from half of it to one and a half of it.
    pub(crate) const fn around(&mut self, mean: u64) -> u64 {
        mean / 2 + self.below(mean + 1)
    }
}
