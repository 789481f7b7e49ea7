//! How fast records come.

use std::collections::{BTreeMap, VecDeque};

const SECOND: i64 = 1_000_000;
/// The width of a bucket of the history.
const BUCKET: i64 = 15 * SECOND;
/// Buckets of the history.
const BUCKETS: i64 = 60;
/// What the present rate is taken over.
const PRESENT: i64 = 5 * SECOND;
/// What records are spread over at most: those that come after a longer pause came at its end, most likely.
const LONGEST: i64 = 60 * SECOND;

/// Records by time; an instant is in microseconds since 1970-01-01 UTC.
#[derive(Default)]
pub(super) struct Rate {
    /// The newest records.
    recent: VecDeque<Stretch>,
    /// By the bucket's number.
    buckets: BTreeMap<i64, f64>,
    begun: Option<i64>,
}

/// Records that came between two instants; when exactly is not known.
struct Stretch {
    from: i64,
    to: i64,
    records: f64,
}

impl Stretch {
    /// The records between two instants, as if all had come evenly.
    fn between(&self, from: i64, to: i64) -> f64 {
        let inside = (self.to.min(to) - self.from.max(from)).max(0);
        self.records * inside as f64 / (self.to - self.from) as f64
    }
}

impl Rate {
    /// Notes records that came by `to` and after `from`, when others were noted last.
    ///
    /// *Why* spread out: a commit tells of half a minute at once, and the rate is the source's, not that of commits.
    pub(super) fn add(&mut self, from: i64, to: i64, records: u64) {
        let stretch = Stretch { from: from.clamp(to - LONGEST, to - 1), to, records: records as f64 };
        self.begun.get_or_insert(stretch.from);
        for bucket in stretch.from.div_euclid(BUCKET)..=(to - 1).div_euclid(BUCKET) {
            *self.buckets.entry(bucket).or_default() += stretch.between(bucket * BUCKET, (bucket + 1) * BUCKET);
        }
        let oldest = to.div_euclid(BUCKET) - BUCKETS;
        self.buckets.retain(|bucket, _| *bucket > oldest);
        self.recent.push_back(stretch);
        while self.recent.front().is_some_and(|stretch| stretch.to <= to - PRESENT) {
            self.recent.pop_front();
        }
    }

    /// The instant up to which records are known: the newest that were noted, until others are overdue.
    fn known_to(&self, now: i64) -> i64 {
        let newest = self.recent.back().filter(|newest| now - newest.to <= 2 * (newest.to - newest.from));
        newest.map_or(now, |newest| newest.to.min(now))
    }

    /// Records a second, over the last seconds that are known.
    pub(super) fn per_second(&self, now: i64) -> f64 {
        let to = self.known_to(now);
        let records = self.recent.iter().map(|stretch| stretch.between(to - PRESENT, to)).sum();
        let span = self.begun.map_or(PRESENT, |begun| (to - begun).clamp(SECOND, PRESENT));
        per_second(records, span)
    }

    /// Records a second in each quarter of a minute up to what is known, the oldest first.
    pub(super) fn history(&self, now: i64) -> Vec<f64> {
        let to = self.known_to(now);
        let last = to.div_euclid(BUCKET);
        let buckets = (0..BUCKETS).rev().map(|back| {
            // The newest one has not lasted as long yet.
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
    fn records_are_told_by_the_second() {
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
    fn records_of_long_commits_are_as_fast_between_them() {
        let mut rate = Rate::default();
        for commit in 1..=10 {
            rate.add((commit - 1) * 30 * SECOND, commit * 30 * SECOND, 3_000);
            for later in [1, 10, 29] {
                let now = (commit * 30 + later) * SECOND;
                assert_eq!(rate.per_second(now), 100.0, "{later} s after commit {commit}");
                let history = rate.history(now);
                // What is known ends with a bucket; the next one has not begun.
                assert_eq!(history[57..], [100.0, 100.0, 0.0][..], "{later} s after commit {commit}");
            }
        }
        // After an hour without one nobody knows when the records of the next came.
        rate.add(300 * SECOND, 3_900 * SECOND, 600);
        assert_eq!(rate.per_second(3_910 * SECOND), 10.0);
        assert_eq!(rate.per_second(4_200 * SECOND), 0.0);
    }
}
