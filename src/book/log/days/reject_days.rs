//! How many rejects the log has, by the day of Kafka's timestamp.

use std::collections::BTreeMap;

use crate::book::BookError;
use crate::book::layout::{FilePlace, Table};
use crate::book::log::commit_log;
use crate::book::log::entry::Entry;
use crate::change::Day;
use crate::store::Store;

/// Adds the rejects of an entry: the rows of the files that it adds. Those of merged files are counted already.
pub fn add(rejects: &mut BTreeMap<Day, u64>, entry: &Entry) {
    for file in &entry.added {
        if let Some(place) = FilePlace::parse(&file.path).filter(|place| place.table == Table::Rejects) {
            *rejects.entry(place.day).or_default() += file.rows;
        }
    }
}

/// Counts the rejects of the entries before number `entries`, for a log whose checkpoints do not have them.
///
/// # Errors
/// [`BookError::Damaged`] when an entry is missing; [`BookError::Io`].
pub(in crate::book) fn read(store: &dyn Store, entries: u64) -> Result<BTreeMap<Day, u64>, BookError> {
    let mut rejects = BTreeMap::new();
    for number in 0..entries {
        add(&mut rejects, &commit_log::required(store, number)?.entry);
    }
    Ok(rejects)
}
