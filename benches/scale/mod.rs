//! How much a bench does: all of it, or so little that it is only a test of the bench.

use std::env;

/// Whether each bench runs once, to see that it works; criterion decides by the same arguments.
pub(crate) fn is_smoke() -> bool {
    let has = |wanted: &str| env::args().any(|argument| argument == wanted);
    has("--test") || !has("--bench")
}

/// A number for measuring, or one for a test.
pub(crate) fn scaled(measured: u64, smoke: u64) -> u64 {
    if is_smoke() { smoke } else { measured }
}
