//! How many rejects an answer does not count.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use super::Filter;
use crate::change::Day;

/// How many records could not be read, and therefore count in no answer; prints as a sentence.
///
/// A reject names no table and no operation, so filters of these do not change the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct RejectCount {
    /// Those whose Kafka timestamp lies on the requested days, and those without one; all if no days are requested.
    pub in_range: u64,
    /// All rejects of the book, at its newest commit.
    pub total: u64,
    /// Those without a usable Kafka timestamp, as all of slots and files: they may belong to any day.
    pub without_day: u64,
}

impl RejectCount {
    /// Counts the rejects on the days of a filter; `days` has those without a usable timestamp on 1970-01-01.
    pub fn new(days: &BTreeMap<Day, u64>, filter: &Filter) -> RejectCount {
        let in_range = days.iter().filter(|(day, _)| filter.has_reject_day(**day)).map(|(_, count)| count).sum();
        let total = days.values().sum();
        RejectCount { in_range, total, without_day: days.get(&Day::EPOCH).copied().unwrap_or(0) }
    }
}

impl fmt::Display for RejectCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RejectCount { in_range, total, without_day } = *self;
        if total == 0 {
            return f.write_str("No rejects.");
        }
        let records = if in_range == 1 { "1 record".to_owned() } else { format!("{in_range} records") };
        let days = match without_day {
            _ if in_range == total => "",
            0 => " of these days by Kafka's timestamp",
            _ => " of these days by Kafka's timestamp, or without one,",
        };
        let verbs = if in_range == 1 {
            "could not be read and is not counted"
        } else {
            "could not be read and are not counted"
        };
        write!(f, "{records}{days} {verbs}")?;
        if in_range < total {
            write!(f, " ({total} in the whole book)")?;
        }
        f.write_str(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_without_a_timestamp_may_belong_to_any_day() {
        let day = |text: &str| text.parse::<Day>().expect("a day");
        let days = BTreeMap::from([(Day::EPOCH, 3), (day("2026-11-21"), 2), (day("2026-11-22"), 1)]);
        let count = |from: &str, to: &str| {
            let filter = Filter { from: Some(day(from)), to: Some(day(to)), ..Filter::default() };
            RejectCount::new(&days, &filter)
        };
        assert_eq!(count("2026-11-22", "2026-12-01"), RejectCount { in_range: 4, total: 6, without_day: 3 });
        assert_eq!(count("1990-01-01", "1990-01-02"), RejectCount { in_range: 3, total: 6, without_day: 3 });
        let all = RejectCount::new(&days, &Filter::default());
        assert_eq!(all, RejectCount { in_range: 6, total: 6, without_day: 3 });
        assert_eq!(RejectCount::new(&BTreeMap::new(), &Filter::default()).to_string(), "No rejects.");
        let text = count("2026-11-22", "2026-11-22").to_string();
        let expected = "4 records of these days by Kafka's timestamp, or without one, could not be read and are not counted \
            (6 in the whole book).";
        assert_eq!(text, expected);
    }
}
