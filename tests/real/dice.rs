//! Random choices that a printed seed repeats.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// SplitMix64: enough to choose moments and orders.
pub(crate) struct Dice(u64);

impl Dice {
    /// A seed from the clock, or from `WALBOOK_TEST_SEED`; printed, so that a failing test shows it.
    pub(crate) fn throw(test: &str) -> Dice {
        let seed = match std::env::var("WALBOOK_TEST_SEED") {
            Ok(seed) => seed.parse().expect("WALBOOK_TEST_SEED is a number"),
            Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").subsec_nanos().into(),
        };
        println!("{test}: WALBOOK_TEST_SEED={seed}");
        Dice(seed)
    }

    /// Other dice, for another thread, that the same seed repeats.
    pub(crate) fn fork(&mut self) -> Dice {
        Dice(self.below(u64::MAX))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// One of `items`.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// A time between two limits.
    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + Duration::from_micros(self.below((most - least).as_micros() as u64))
    }

    /// The items in any order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (2..=items.len()).rev() {
            items.swap(end - 1, self.below(end as u64) as usize);
        }
    }
}
