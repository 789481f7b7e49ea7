//! The order in which contestants run in a round.

use fastrand::Rng;

/// A seed gives the same order again; each round has another one, since what ran before may matter.
pub(crate) fn order_of(seed: u64, round: usize, contestants: usize) -> Vec<usize> {
    // Neighbouring seeds give unrelated orders only after mixing.
    let mut random = Rng::with_seed((seed ^ ((round as u64) << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut order: Vec<usize> = (0..contestants).collect();
    random.shuffle(&mut order);
    order
}
