//! Counts, and how two of them differ.

use std::collections::{BTreeMap, BTreeSet};

/// Day, schema, table, operation.
pub(crate) type Key = [String; 4];

/// The number of changes by key; no key has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<Key, i64>);

impl Counts {
    /// Counts `number` more changes.
    pub(crate) fn add(&mut self, day: &str, schema: &str, table: &str, op: &str, number: i64) {
        if number != 0 {
            *self.0.entry([day, schema, table, op].map(str::to_owned)).or_default() += number;
        }
    }

    /// All changes.
    pub(crate) fn total(&self) -> i64 {
        self.0.values().sum()
    }

    /// The same changes, `times` as often.
    pub(crate) fn times(mut self, times: i64) -> Counts {
        self.0.values_mut().for_each(|number| *number *= times);
        self
    }

    /// The same changes, all on one day.
    pub(crate) fn on_day(&self, day: &str) -> Counts {
        let mut renamed = Counts::default();
        for ([_, schema, table, op], number) in &self.0 {
            renamed.add(day, schema, table, op, *number);
        }
        renamed
    }

    /// Both together.
    pub(crate) fn and(mut self, other: &Counts) -> Counts {
        for ([day, schema, table, op], number) in &other.0 {
            self.add(day, schema, table, op, *number);
        }
        self
    }
}

/// Fails with the keys that differ, and only those.
#[track_caller]
pub(crate) fn assert_same(what: &str, found: &Counts, truth: &Counts) {
    let keys: BTreeSet<&Key> = found.0.keys().chain(truth.0.keys()).collect();
    let differences: Vec<String> = keys
        .into_iter()
        .filter(|key| found.0.get(*key) != truth.0.get(*key))
        .map(|key| format!("{key:?}: found {:?}, truth {:?}", found.0.get(key), truth.0.get(key)))
        .collect();
    assert!(
        differences.is_empty(),
        "{what}: {} keys differ (found {} changes, truth {}):\n{}",
        differences.len(),
        found.total(),
        truth.total(),
        differences[..differences.len().min(30)].join("\n")
    );
}
