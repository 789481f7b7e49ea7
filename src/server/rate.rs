//! How fast records come.

use std::collections::VecDeque;

const SECOND: i64 = 1_000_000;
/// The width of a bucket of the history.
const BUCKET: i64 = 15 * SECOND;
/// Buckets of the history.
const BUCKETS: usize = 60;
/// What the present rate is taken over.
const PRESENT: i64 = 5 * SECOND;

/// Records by time; an instant is in microseconds since 1970-01-01 UTC.
#[derive(Default)]
pub(super) struct Rate {
    /// The newest records, by instant.
    recent: VecDeque<(i64, u64)>,
    /// By bucket, the newest last: its number and its records.
    buckets: VecDeque<(i64, u64)>,
    begun: Option<i64>,
}

impl Rate {
    /// Notes records that came.
    pub(super) fn add(&mut self, now: i64, records: u64) {
        self.begun.get_or_insert(now);
        self.recent.push_back((now, records));
        while self.recent.front().is_some_and(|(at, _)| *at <= now - PRESENT) {
            self.recent.pop_front();
        }
        let bucket = now.div_euclid(BUCKET);
        match self.buckets.back_mut() {
            Some((last, sum)) if *last >= bucket => *sum += records,
            _ => self.buckets.push_back((bucket, records)),
        }
        if self.buckets.len() > BUCKETS {
            self.buckets.pop_front();
        }
    }

    /// Records a second, over the last seconds.
    pub(super) fn per_second(&self, now: i64) -> f64 {
        let recent = self.recent.iter().filter(|(at, _)| *at > now - PRESENT);
        let records: u64 = recent.map(|(_, records)| records).sum();
        let span = self.begun.map_or(PRESENT, |begun| (now - begun).clamp(SECOND, PRESENT));
        per_second(records, span)
    }

    /// Records a second in each quarter of a minute, the oldest first.
    pub(super) fn history(&self, now: i64) -> Vec<f64> {
        let last = now.div_euclid(BUCKET);
        let buckets = (0..BUCKETS as i64).rev().map(|back| {
            let found = self.buckets.iter().find(|(bucket, _)| *bucket == last - back);
            // The newest one has not lasted as long yet.
            let span = if back == 0 { (now - last * BUCKET).max(SECOND) } else { BUCKET };
            found.map_or(0.0, |(_, records)| per_second(*records, span))
        });
        buckets.collect()
    }
}

fn per_second(records: u64, micros: i64) -> f64 {
    let exact = records as f64 * SECOND as f64 / micros as f64;
    (exact * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_by_the_second() {
        let mut rate = Rate::default();
        for second in 0..100 {
            rate.add(second * SECOND, 50);
        }
        assert_eq!(rate.per_second(99 * SECOND), 50.0);
        assert_eq!(rate.per_second(200 * SECOND), 0.0);
        let history = rate.history(100 * SECOND);
        assert_eq!((history.len(), history[59], history[58], history[52]), (BUCKETS, 50.0, 50.0, 0.0));
    }
}
