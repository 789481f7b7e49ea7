//! How many records could not be read, by reason, and the newest of each.

use std::collections::BTreeMap;

use super::QueryError;
use super::reject_rows::{RejectRow, for_each};
use crate::book::{DataFile, Snapshot};

/// Reasons that are told apart; a run gives far fewer.
const MOST_REASONS: usize = 1_000;
/// What reasons beyond them are summed under.
const OTHER_REASONS: &str = "other reasons";
/// How much is kept of a value.
const LONGEST_VALUE: usize = 4 << 10;

/// Sums over files of rejects, one file after another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectSums(BTreeMap<String, ReasonSum>);

/// What is known of the rejects with one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReasonSum {
    /// How many there are.
    pub count: u64,
    /// The one that came to Kafka last; its key and value may be cut.
    pub newest: RejectRow,
    /// Whether its value was cut.
    pub value_cut: bool,
}

impl RejectSums {
    /// Adds a file of the snapshot; one that no entry names has nothing to add.
    ///
    /// # Errors
    /// [`QueryError`] when it is damaged.
    pub fn add(&mut self, snapshot: &Snapshot, file: &DataFile) -> Result<(), QueryError> {
        if !snapshot.is_whole(file)? {
            return Ok(());
        }
        for_each(snapshot, file, &mut |row| self.add_row(row))
    }

    /// By reason, the most frequent first.
    pub fn by_reason(&self) -> Vec<(&str, &ReasonSum)> {
        let mut reasons: Vec<(&str, &ReasonSum)> = self.0.iter().map(|(reason, sum)| (reason.as_str(), sum)).collect();
        reasons.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.count));
        reasons
    }

    /// All rejects.
    pub fn total(&self) -> u64 {
        self.0.values().map(|sum| sum.count).sum()
    }

    fn add_row(&mut self, row: RejectRow) {
        let is_known = self.0.contains_key(&row.reason) || self.0.len() < MOST_REASONS;
        let reason = if is_known { row.reason.clone() } else { OTHER_REASONS.to_owned() };
        let sum = self.0.entry(reason).or_default();
        sum.count += 1;
        let place = |row: &RejectRow| (row.kafka_time, row.offset);
        if sum.count == 1 || place(&row) >= place(&sum.newest) {
            let cut = |bytes: &mut Option<Vec<u8>>| bytes.iter_mut().for_each(|bytes| bytes.truncate(LONGEST_VALUE));
            sum.value_cut = row.value.as_ref().is_some_and(|value| value.len() > LONGEST_VALUE);
            sum.newest = row;
            cut(&mut sum.newest.key);
            cut(&mut sum.newest.value);
            sum.newest.headers = None;
        }
    }
}
