//! How long something took, many times.

use std::time::Duration;

/// Upper ends of the buckets, in seconds.
const ENDS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, f64::INFINITY];

/// Durations by how long they were.
#[derive(Clone, Debug)]
pub struct Durations {
    /// The upper end of each bucket in seconds, and how many lie in it and in none before.
    pub buckets: Vec<(f64, u64)>,
    /// All of them together.
    pub sum: Duration,
}

impl Default for Durations {
    fn default() -> Durations {
        Durations { buckets: ENDS.map(|end| (end, 0)).into(), sum: Duration::ZERO }
    }
}

impl Durations {
    /// Adds one.
    pub fn add(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        if let Some((_, count)) = self.buckets.iter_mut().find(|(end, _)| seconds <= *end) {
            *count += 1;
        }
        self.sum += duration;
    }
}
