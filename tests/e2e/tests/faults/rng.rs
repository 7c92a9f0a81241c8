//! Seeded choices: the same row and seed disturb the same thing at the same moment.

use std::time::Duration;

/// SplitMix64: small, and good enough to choose with.
#[derive(Debug, Clone)]
pub(crate) struct Rng {
    seed: u32,
    state: u64,
}

impl Rng {
    /// The choices of one seed of one row.
    pub(crate) fn new(row: u32, seed: u32) -> Self {
        let mut rng = Self { seed, state: u64::from(row) << 32 | u64::from(seed) };
        // The first outputs of neighbouring states look alike.
        rng.next();
        rng
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it is below a usize")
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// These in turn, seed by seed, so that a few seeds have had each.
    pub(crate) fn turn<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.seed as usize % choices.len()]
    }

    /// The same in another order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// A time between two numbers of milliseconds.
    pub(crate) fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.next() % (most - least))
    }
}
