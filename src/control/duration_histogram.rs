//! A histogram of durations.

use std::time::Duration;

/// Upper bounds of the buckets, in seconds.
const BOUNDS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, f64::INFINITY];

/// Durations, counted by length.
#[derive(Clone, Debug)]
pub struct DurationHistogram {
    /// The upper bound of each bucket in seconds, and the number of durations in this bucket alone.
    pub buckets: Vec<(f64, u64)>,
    /// The sum of all durations.
    pub sum: Duration,
}

impl Default for DurationHistogram {
    fn default() -> DurationHistogram {
        DurationHistogram { buckets: BOUNDS.map(|bound| (bound, 0)).into(), sum: Duration::ZERO }
    }
}

impl DurationHistogram {
    /// Counts a duration.
    pub fn add(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        if let Some((_, count)) = self.buckets.iter_mut().find(|(bound, _)| seconds <= *bound) {
            *count += 1;
        }
        self.sum += duration;
    }
}
