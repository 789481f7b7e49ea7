//! The order of rows, keys in it, and the best rows of many.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The order of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowOrder {
    /// The highest time first, that of the commit, else Kafka's; rows without one come last.
    #[default]
    Newest,
    /// The reverse.
    Oldest,
}

impl RowOrder {
    /// Compares times, of which a row may have none.
    pub(in crate::query) fn compare_times(self, one: Option<i64>, other: Option<i64>) -> Ordering {
        match self {
            RowOrder::Newest => other.cmp(&one),
            RowOrder::Oldest => one.cmp(&other),
        }
    }

    /// The reverse order.
    #[must_use]
    pub fn reversed(self) -> RowOrder {
        match self {
            RowOrder::Newest => RowOrder::Oldest,
            RowOrder::Oldest => RowOrder::Newest,
        }
    }
}

impl FromStr for RowOrder {
    type Err = String;

    fn from_str(text: &str) -> Result<RowOrder, String> {
        match text {
            "newest" => Ok(RowOrder::Newest),
            "oldest" => Ok(RowOrder::Oldest),
            _ => Err(format!("no order {text:?}: one of newest, oldest")),
        }
    }
}

/// A row's key in the order; the least is the newest. Prints and parses as a text without blanks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    /// The commit time, else Kafka's.
    pub(in crate::query) time: Reverse<Option<i64>>,
    pub(in crate::query) topic: Arc<str>,
    pub(in crate::query) partition: i32,
    pub(in crate::query) offset: Reverse<i64>,
    /// The change's place in its record; of a record that could not be read, the row's place in its files.
    pub(in crate::query) ordinal: i64,
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RowKey { time, topic, partition, offset, ordinal } = self;
        match time.0 {
            Some(time) => write!(f, "{time}")?,
            None => f.write_str("none")?,
        }
        write!(f, "_{partition}_{}_{ordinal}_", offset.0)?;
        topic.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for RowKey {
    type Err = ();

    fn from_str(text: &str) -> Result<RowKey, ()> {
        let mut parts = text.splitn(5, '_');
        let mut part = || parts.next().ok_or(());
        let time = match part()? {
            "none" => None,
            time => Some(time.parse().map_err(drop)?),
        };
        let partition = part()?.parse().map_err(drop)?;
        let offset = part()?.parse().map_err(drop)?;
        let ordinal = part()?.parse().map_err(drop)?;
        let digits = part()?.as_bytes();
        let (pairs, rest) = digits.as_chunks::<2>();
        let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let topic: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        let topic = topic.filter(|_| rest.is_empty()).and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(())?;
        Ok(RowKey { time: Reverse(time), topic: topic.into(), partition, offset: Reverse(offset), ordinal })
    }
}

/// Bounds of the keys of some rows: none is less than the first or greater than the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::query) struct KeyBounds {
    pub(in crate::query) least: RowKey,
    pub(in crate::query) greatest: RowKey,
}

/// A request for some rows after a key, in an order.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The most rows.
    pub limit: usize,
    /// Their order.
    pub order: RowOrder,
    /// The key after which they begin; its row is not among them.
    pub after: Option<RowKey>,
}

/// The place of a row in the files of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::query) struct RowPlace {
    pub(in crate::query) file: usize,
    pub(in crate::query) group: usize,
    pub(in crate::query) row: usize,
}

/// A row that may be shown.
#[derive(Clone, Debug)]
pub(in crate::query) struct Candidate {
    pub(in crate::query) key: RowKey,
    pub(in crate::query) place: RowPlace,
    order: RowOrder,
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Candidate) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Candidate) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    /// The least is shown first.
    fn cmp(&self, other: &Candidate) -> Ordering {
        let newest_first = (&self.key, self.place).cmp(&(&other.key, other.place));
        match self.order {
            RowOrder::Newest => newest_first,
            RowOrder::Oldest => newest_first.reverse(),
        }
    }
}

/// The best candidates so far; the heap's top is the worst of them.
pub(in crate::query) struct BestRows<'a> {
    page: &'a PageRequest,
    heap: BinaryHeap<Candidate>,
}

impl<'a> BestRows<'a> {
    pub(in crate::query) fn new(page: &'a PageRequest) -> BestRows<'a> {
        BestRows { page, heap: BinaryHeap::new() }
    }

    /// The order of the page.
    pub(in crate::query) fn order(&self) -> RowOrder {
        self.page.order
    }

    /// Whether a row of this time may be among the best.
    pub(in crate::query) fn wants(&self, time: Option<i64>) -> bool {
        if let Some(after) = &self.page.after
            && self.page.order.compare_times(time, after.time.0) == Ordering::Less
        {
            return false;
        }
        match self.heap.peek() {
            None => self.page.limit > 0,
            Some(_) if self.heap.len() < self.page.limit => true,
            Some(worst) => self.page.order.compare_times(time, worst.key.time.0) != Ordering::Greater,
        }
    }

    /// Whether rows within these bounds are all before the page.
    pub(in crate::query) fn is_before(&self, bounds: &KeyBounds) -> bool {
        self.page.after.as_ref().is_some_and(|after| match self.page.order {
            RowOrder::Newest => bounds.greatest < *after,
            RowOrder::Oldest => bounds.least > *after,
        })
    }

    /// Whether no row within these bounds, or within bounds that begin later in the order of the page, can be among the best.
    pub(in crate::query) fn is_past(&self, bounds: &KeyBounds) -> bool {
        let is_full = self.heap.len() >= self.page.limit;
        is_full
            && self.heap.peek().is_none_or(|worst| match self.page.order {
                RowOrder::Newest => bounds.least > worst.key,
                RowOrder::Oldest => bounds.greatest < worst.key,
            })
    }

    pub(in crate::query) fn offer(&mut self, key: RowKey, place: RowPlace) {
        let order = self.page.order;
        let is_after = |after: &RowKey| match order {
            RowOrder::Newest => key > *after,
            RowOrder::Oldest => key < *after,
        };
        if !self.page.after.as_ref().is_none_or(is_after) {
            return;
        }
        let candidate = Candidate { key, place, order };
        if self.heap.len() < self.page.limit {
            self.heap.push(candidate);
        } else if self.heap.peek().is_some_and(|worst| candidate < *worst) {
            self.heap.pop();
            self.heap.push(candidate);
        }
    }

    /// In the order of the page.
    pub(in crate::query) fn into_sorted(self) -> Vec<Candidate> {
        self.heap.into_sorted_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_prints_as_it_parses() {
        for (time, topic, offset) in [(Some(-5), "shop.changes", 0), (None, "a_b ü", i64::MAX), (Some(7), "", 3)] {
            let (time, offset) = (Reverse(time), Reverse(offset));
            let key = RowKey { time, topic: topic.into(), partition: 3, offset, ordinal: 1 };
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for text in
            ["", "1_2_3_4", "1_2_3_4_x", "1_2_3_4_6", "1_2_3_4_ff", "x_2_3_4_61", "1_2_3_99999999999999999999_61"]
        {
            assert_eq!(text.parse::<RowKey>(), Err(()), "{text}");
        }
    }
}
