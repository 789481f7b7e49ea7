//! How many records could not be read, by reason, and the newest of each.

use std::collections::BTreeMap;

use super::QueryError;
use super::reject_rows::{RejectPlace, RejectRow, for_each, read_one};
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
        let mut newest: BTreeMap<String, RejectPlace> = BTreeMap::new();
        for_each(snapshot, file, &mut |place, row| {
            if let Some(reason) = self.add_row(row) {
                newest.insert(reason, place);
            }
        })?;
        // Bytes are read of few: a value may be large, and rejects many.
        for (reason, place) in newest {
            let whole = read_one(snapshot, file, place)?;
            if let Some(sum) = self.0.get_mut(&reason) {
                sum.show(whole);
            }
        }
        Ok(())
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

    /// Counts a reject; gives its reason if it is the newest of that.
    fn add_row(&mut self, row: RejectRow) -> Option<String> {
        let is_known = self.0.contains_key(&row.reason) || self.0.len() < MOST_REASONS;
        let reason = if is_known { row.reason.clone() } else { OTHER_REASONS.to_owned() };
        let sum = self.0.entry(reason.clone()).or_default();
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
    fn show(&mut self, newest: RejectRow) {
        self.value_cut = newest.value.as_ref().is_some_and(|value| value.len() > LONGEST_VALUE);
        self.newest = newest;
        for bytes in [&mut self.newest.key, &mut self.newest.value].into_iter().flatten() {
            bytes.truncate(LONGEST_VALUE);
        }
        self.newest.headers = None;
    }
}
