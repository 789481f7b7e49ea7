//! The number of rejects by reason, and the newest of each.

use std::collections::BTreeMap;

use crate::book::{DataFile, Snapshot};
use crate::change::Day;
use crate::query::files::reject_rows::{RejectPlace, RejectRow, for_each, read_one};
use crate::query::{Filter, QueryError};

/// The most reasons that are counted separately: some hold keys of the record, and a status holds a value of each.
const MOST_REASONS: usize = 100;
/// The name under which further reasons are summed.
const OTHER_REASONS: &str = "other reasons";
/// The most days that are counted separately: days of rejects come from timestamps that producers set.
const MOST_DAYS: usize = 20_000;
/// The most bytes that are kept of a value.
const LONGEST_VALUE: usize = 4 << 10;

/// Sums over files of rejects, one file after another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectSums {
    reasons: BTreeMap<String, ReasonSum>,
    /// By day.
    days: BTreeMap<Day, u64>,
    /// Those of days beyond [`MOST_DAYS`].
    other_days: u64,
}

/// The rejects of one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReasonSum {
    /// Their number.
    pub count: u64,
    /// The one with the highest Kafka time; its key and value may be cut.
    pub newest: RejectRow,
    /// Whether its value was cut.
    pub value_cut: bool,
}

impl RejectSums {
    /// Adds a file of the snapshot; one that no entry names is ignored.
    ///
    /// # Errors
    /// [`QueryError`] when it is damaged.
    pub fn add(&mut self, snapshot: &Snapshot, file: &DataFile) -> Result<(), QueryError> {
        if !snapshot.is_whole(file)? {
            return Ok(());
        }
        let mut newest: BTreeMap<String, RejectPlace> = BTreeMap::new();
        let before = self.total();
        for_each(snapshot, file, &mut |place, row| {
            if let Some(reason) = self.add_row(row) {
                newest.insert(reason, place);
            }
        })?;
        self.add_to_day(file.day(), self.total() - before);
        // Read the bytes of few: a value may be large, and rejects many.
        for (reason, place) in newest {
            let whole = read_one(snapshot, file, place)?;
            if let Some(sum) = self.reasons.get_mut(&reason) {
                sum.keep(whole);
            }
        }
        Ok(())
    }

    /// By reason, the most frequent first.
    pub fn by_reason(&self) -> Vec<(&str, &ReasonSum)> {
        let mut reasons: Vec<(&str, &ReasonSum)> =
            self.reasons.iter().map(|(reason, sum)| (reason.as_str(), sum)).collect();
        reasons.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.count));
        reasons
    }

    /// All rejects.
    pub fn total(&self) -> u64 {
        self.reasons.values().map(|sum| sum.count).sum()
    }

    /// Those on the days of a filter, and those without a timestamp; `None` when rejects are on more than `MOST_DAYS` days.
    pub fn within(&self, filter: &Filter) -> Option<u64> {
        let known = self.days.iter().filter(|(day, _)| filter.has_reject_day(**day)).map(|(_, count)| count).sum();
        (self.other_days == 0).then_some(known)
    }

    fn add_to_day(&mut self, day: Option<Day>, count: u64) {
        match day.filter(|day| self.days.contains_key(day) || self.days.len() < MOST_DAYS) {
            Some(day) => *self.days.entry(day).or_default() += count,
            None => self.other_days += count,
        }
    }

    /// Counts a reject; returns its reason if it is the newest of that.
    fn add_row(&mut self, row: RejectRow) -> Option<String> {
        let is_known = self.reasons.contains_key(&row.reason) || self.reasons.len() < MOST_REASONS;
        let reason = if is_known { row.reason.clone() } else { OTHER_REASONS.to_owned() };
        let sum = self.reasons.entry(reason.clone()).or_default();
        sum.count += 1;
        let place = |row: &RejectRow| (row.kafka_time, row.offset);
        let is_newest = sum.count == 1 || place(&row) >= place(&sum.newest);
        is_newest.then(|| {
            sum.newest = row;
            reason
        })
    }
}

impl ReasonSum {
    fn keep(&mut self, newest: RejectRow) {
        self.value_cut = newest.value.as_ref().is_some_and(|value| value.len() > LONGEST_VALUE);
        self.newest = newest;
        for bytes in [&mut self.newest.key, &mut self.newest.value].into_iter().flatten() {
            bytes.truncate(LONGEST_VALUE);
        }
        self.newest.headers = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_most_days_the_number_on_some_days_is_unknown() {
        let day = |number: i64| Day::from_days(number).expect("a day");
        let mut sums = RejectSums::default();
        for number in 0..MOST_DAYS as i64 {
            sums.add_to_day(Some(day(number)), 2);
        }
        sums.add_to_day(Some(day(5)), 1);
        let filter = Filter { from: Some(day(4)), to: Some(day(6)), ..Filter::default() };
        assert_eq!(sums.within(&filter), Some(9), "with the two of 1970-01-01, which have no timestamp");
        sums.add_to_day(Some(day(-1)), 1);
        assert_eq!((sums.days.len(), sums.within(&filter)), (MOST_DAYS, None));
    }
}
