//! In which order a page looks at days, so that it can end before it has opened the files of all.
//!
//! The day of a change is that of the time which orders it, in the zone of the book, so a day bounds the times of its rows.
//! Rows without any time may be on every day. They are the last of the newest first, where nothing has to wait for them; and
//! the first of the oldest first: such a page without a cursor opens the footers of all days.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::order::{PageRequest, RowOrder};
use crate::book::DataFile;
use crate::change::Day;

/// The files of a day.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DayFiles {
    /// The first time, in the order of the page, that a row of the page may have on this day.
    pub(super) first: FirstTime,
    /// The files, by their places among all.
    pub(super) files: Vec<usize>,
}

/// The first time that a row of a page may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstTime {
    /// Any.
    Unknown,
    /// This one, or none.
    Known(Option<i64>),
}

/// The days that may have rows of a page, those with the first ones first.
pub(super) fn in_order_of_page(
    files: &[DataFile],
    page: &PageRequest,
    times_of_day: &dyn Fn(Day) -> Option<RangeInclusive<i64>>,
) -> Vec<DayFiles> {
    let mut days: BTreeMap<Option<Day>, Vec<usize>> = BTreeMap::new();
    for (place, file) in files.iter().enumerate() {
        days.entry(file.day()).or_default().push(place);
    }
    let first_of = |day: Option<Day>| match day.and_then(times_of_day) {
        Some(times) => first_time(page, &times).map(FirstTime::Known),
        None => Some(FirstTime::Unknown),
    };
    let mut days: Vec<DayFiles> =
        days.into_iter().filter_map(|(day, files)| Some(DayFiles { first: first_of(day)?, files })).collect();
    days.sort_by(|one, other| match (one.first, other.first) {
        (FirstTime::Known(one), FirstTime::Known(other)) => page.order.compare_times(one, other),
        (one, other) => (one != FirstTime::Unknown).cmp(&(other != FirstTime::Unknown)),
    });
    days
}

/// The first time of a page that a row with one of these times, or with none, may have; `None` if all of them are before the page.
#[expect(clippy::option_option, reason = "a row without a time has a place in the order too")]
fn first_time(page: &PageRequest, times: &RangeInclusive<i64>) -> Option<Option<i64>> {
    let after = page.after.as_ref().map(|after| after.time.0);
    match (page.order, after) {
        (RowOrder::Newest, None) => Some(Some(*times.end())),
        (RowOrder::Newest, Some(after)) => {
            Some(after.filter(|after| after >= times.start()).map(|after| after.min(*times.end())))
        }
        (RowOrder::Oldest, None | Some(None)) => Some(None),
        (RowOrder::Oldest, Some(Some(after))) if after > *times.end() => None,
        (RowOrder::Oldest, Some(Some(after))) => Some(Some(after.max(*times.start()))),
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use super::*;
    use crate::query::files::order::RowKey;

    fn page(order: RowOrder, after: Option<Option<i64>>) -> PageRequest {
        let key =
            |time| RowKey { time: Reverse(time), topic: "t".into(), partition: 0, offset: Reverse(0), ordinal: 0 };
        PageRequest { limit: 10, order, after: after.map(key) }
    }

    #[test]
    fn the_first_time_of_a_day_is_one_that_the_page_may_have() {
        use RowOrder::{Newest, Oldest};
        for (order, after, first) in [
            (Newest, None, Some(Some(20))),
            (Newest, Some(Some(25)), Some(Some(20))),
            (Newest, Some(Some(15)), Some(Some(15))),
            (Newest, Some(Some(10)), Some(Some(10))),
            (Newest, Some(Some(9)), Some(None)),
            (Newest, Some(None), Some(None)),
            (Oldest, None, Some(None)),
            (Oldest, Some(None), Some(None)),
            (Oldest, Some(Some(9)), Some(Some(10))),
            (Oldest, Some(Some(15)), Some(Some(15))),
            (Oldest, Some(Some(20)), Some(Some(20))),
            (Oldest, Some(Some(21)), None),
        ] {
            assert_eq!(first_time(&page(order, after), &(10..=20)), first, "{order:?} {after:?}");
        }
    }
}
