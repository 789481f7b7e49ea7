//! The order of rows, places in it, and the best of many.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Where rows begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// With those that came to Kafka last; those without a timestamp come after all others.
    #[default]
    Newest,
    /// The other way round.
    Oldest,
}

impl Order {
    /// The other way round.
    #[must_use]
    pub fn reversed(self) -> Order {
        match self {
            Order::Newest => Order::Oldest,
            Order::Oldest => Order::Newest,
        }
    }
}

impl FromStr for Order {
    type Err = String;

    fn from_str(text: &str) -> Result<Order, String> {
        match text {
            "newest" => Ok(Order::Newest),
            "oldest" => Ok(Order::Oldest),
            _ => Err(format!("no order {text:?}: one of newest, oldest")),
        }
    }
}

/// A row's place in the order; the least is the newest. Prints and parses as a text without blanks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    pub(super) kafka_time: Reverse<Option<i64>>,
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) offset: Reverse<i64>,
    /// The change's place in its record; of a record that could not be read, the row's place in its files.
    pub(super) ordinal: i64,
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RowKey { kafka_time, topic, partition, offset, ordinal } = self;
        match kafka_time.0 {
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
        let kafka_time = match part()? {
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
        Ok(RowKey { kafka_time: Reverse(kafka_time), topic: topic.into(), partition, offset: Reverse(offset), ordinal })
    }
}

/// Which rows are asked for: so many after a place, in an order.
#[derive(Clone, Debug)]
pub struct Page {
    /// How many rows at most.
    pub limit: usize,
    /// Where they begin.
    pub order: Order,
    /// The place after which they begin; the row there is not among them.
    pub after: Option<RowKey>,
}

/// Where a row is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) group: usize,
    pub(super) row: usize,
}

/// A row that may be shown.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) key: RowKey,
    pub(super) place: Place,
    order: Order,
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
            Order::Newest => newest_first,
            Order::Oldest => newest_first.reverse(),
        }
    }
}

/// The best candidates so far; the heap's top is the worst of them.
pub(super) struct Best<'a> {
    page: &'a Page,
    heap: BinaryHeap<Candidate>,
}

impl<'a> Best<'a> {
    pub(super) fn new(page: &'a Page) -> Best<'a> {
        Best { page, heap: BinaryHeap::new() }
    }

    /// Whether rows may be among the best whose first one, in the order of the page, has this time.
    pub(super) fn wants(&self, kafka_time: Option<i64>) -> bool {
        if let Some(after) = &self.page.after
            && self.compare(kafka_time, after.kafka_time.0) == Ordering::Less
        {
            return false;
        }
        match self.heap.peek() {
            None => self.page.limit > 0,
            Some(_) if self.heap.len() < self.page.limit => true,
            Some(worst) => self.compare(kafka_time, worst.key.kafka_time.0) != Ordering::Greater,
        }
    }

    /// Whether all rows up to this time, in the order of the page, come before it.
    pub(super) fn is_before(&self, kafka_time: Option<i64>) -> bool {
        let after = self.page.after.as_ref();
        after.is_some_and(|after| self.compare(kafka_time, after.kafka_time.0) == Ordering::Less)
    }

    /// Whether nothing that begins at this time, in the order of the page, can be among the best any more.
    pub(super) fn is_past(&self, kafka_time: Option<i64>) -> bool {
        let is_full = self.heap.len() >= self.page.limit;
        is_full && self.heap.peek().is_none_or(|worst| self.compare(kafka_time, worst.key.kafka_time.0).is_gt())
    }

    pub(super) fn offer(&mut self, key: RowKey, place: Place) {
        let order = self.page.order;
        let is_after = |after: &RowKey| match order {
            Order::Newest => key > *after,
            Order::Oldest => key < *after,
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
    pub(super) fn into_sorted(self) -> Vec<Candidate> {
        self.heap.into_sorted_vec()
    }

    /// Compares times in the order of the page.
    pub(super) fn compare(&self, one: Option<i64>, other: Option<i64>) -> Ordering {
        match self.page.order {
            Order::Newest => other.cmp(&one),
            Order::Oldest => one.cmp(&other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_prints_as_it_parses() {
        for (time, topic, offset) in [(Some(-5), "shop.changes", 0), (None, "a_b ü", i64::MAX), (Some(7), "", 3)] {
            let (kafka_time, offset) = (Reverse(time), Reverse(offset));
            let key = RowKey { kafka_time, topic: topic.into(), partition: 3, offset, ordinal: 1 };
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for text in
            ["", "1_2_3_4", "1_2_3_4_x", "1_2_3_4_6", "1_2_3_4_ff", "x_2_3_4_61", "1_2_3_99999999999999999999_61"]
        {
            assert_eq!(text.parse::<RowKey>(), Err(()), "{text}");
        }
    }
}
