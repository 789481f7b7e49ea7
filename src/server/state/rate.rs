//! How fast records arrive.

use std::collections::{BTreeMap, VecDeque};

const SECOND: i64 = 1_000_000;
/// The width of a bucket of the history.
const BUCKET: i64 = 15 * SECOND;
/// Buckets of the history.
const BUCKETS: i64 = 60;
/// The time over which the present rate is averaged.
const PRESENT: i64 = 5 * SECOND;
/// The longest time over which records are spread: after a longer pause they most likely arrived at its end.
const LONGEST: i64 = 60 * SECOND;

/// Records by time; an instant is in microseconds since 1970-01-01 UTC.
#[derive(Default)]
pub(in crate::server) struct Rate {
    /// The newest intervals.
    recent: VecDeque<Arrivals>,
    /// By the bucket's number.
    buckets: BTreeMap<i64, f64>,
    begun: Option<i64>,
}

/// Records that arrived between two instants; when exactly is not known.
struct Arrivals {
    from: i64,
    to: i64,
    records: f64,
}

impl Arrivals {
    /// The records between two instants, as if all had arrived evenly.
    fn between(&self, from: i64, to: i64) -> f64 {
        let inside = (self.to.min(to) - self.from.max(from)).max(0);
        self.records * inside as f64 / (self.to - self.from) as f64
    }
}

impl Rate {
    /// Adds records that arrived after `from`, when others were added last, and before `to`.
    ///
    /// *Why* spread evenly: one commit can hold the records of half a minute, and the rate is that of the source.
    pub(in crate::server) fn add(&mut self, from: i64, to: i64, records: u64) {
        let arrivals = Arrivals { from: from.clamp(to - LONGEST, to - 1), to, records: records as f64 };
        self.begun.get_or_insert(arrivals.from);
        for bucket in arrivals.from.div_euclid(BUCKET)..=(to - 1).div_euclid(BUCKET) {
            *self.buckets.entry(bucket).or_default() += arrivals.between(bucket * BUCKET, (bucket + 1) * BUCKET);
        }
        let oldest = to.div_euclid(BUCKET) - BUCKETS;
        self.buckets.retain(|bucket, _| *bucket > oldest);
        self.recent.push_back(arrivals);
        while self.recent.front().is_some_and(|arrivals| arrivals.to <= to - PRESENT) {
            self.recent.pop_front();
        }
    }

    /// The instant up to which records are known: that of the newest ones, until others are overdue.
    fn known_to(&self, now: i64) -> i64 {
        let newest = self.recent.back().filter(|newest| now - newest.to <= 2 * (newest.to - newest.from));
        newest.map_or(now, |newest| newest.to.min(now))
    }

    /// Records a second, over the last seconds that are known.
    pub(in crate::server) fn per_second(&self, now: i64) -> f64 {
        let to = self.known_to(now);
        let records = self.recent.iter().map(|arrivals| arrivals.between(to - PRESENT, to)).sum();
        let span = self.begun.map_or(PRESENT, |begun| (to - begun).clamp(SECOND, PRESENT));
        per_second(records, span)
    }

    /// Records a second in each quarter of a minute up to what is known, the oldest first.
    pub(in crate::server) fn history(&self, now: i64) -> Vec<f64> {
        let to = self.known_to(now);
        let last = to.div_euclid(BUCKET);
        let buckets = (0..BUCKETS).rev().map(|back| {
            // The newest bucket is still filling.
            let span = if back == 0 { (to - last * BUCKET).max(SECOND) } else { BUCKET };
            self.buckets.get(&(last - back)).map_or(0.0, |records| per_second(*records, span))
        });
        buckets.collect()
    }
}

fn per_second(records: f64, micros: i64) -> f64 {
    let exact = records * SECOND as f64 / micros as f64;
    (exact * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_rate_is_given_per_second() {
        let mut rate = Rate::default();
        for second in 1..100 {
            rate.add((second - 1) * SECOND, second * SECOND, 50);
        }
        assert_eq!(rate.per_second(99 * SECOND), 50.0);
        assert_eq!(rate.per_second(200 * SECOND), 0.0);
        let history = rate.history(99 * SECOND);
        assert_eq!((history.len(), history[59], history[58], history[52]), (60, 50.0, 50.0, 0.0));
        assert_eq!(rate.history(2_000 * SECOND), [0.0; 60]);
    }

    #[test]
    fn the_rate_between_long_commits_is_that_of_the_source() {
        let mut rate = Rate::default();
        for commit in 1..=10 {
            rate.add((commit - 1) * 30 * SECOND, commit * 30 * SECOND, 3_000);
            for later in [1, 10, 29] {
                let now = (commit * 30 + later) * SECOND;
                assert_eq!(rate.per_second(now), 100.0, "{later} s after commit {commit}");
                let history = rate.history(now);
                // The known records end with a bucket; the next one has not begun.
                assert_eq!(history[57..], [100.0, 100.0, 0.0][..], "{later} s after commit {commit}");
            }
        }
        // After an hour without a commit the records of the next are spread over the last minute.
        rate.add(300 * SECOND, 3_900 * SECOND, 600);
        assert_eq!(rate.per_second(3_910 * SECOND), 10.0);
        assert_eq!(rate.per_second(4_200 * SECOND), 0.0);
    }
}
