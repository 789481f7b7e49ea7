//! A sum over the identities of rows, whatever their order and their files: two sets of files with the same sum and number of
//! rows have the same rows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use twox_hash::XxHash3_64;

/// XXH3-64 of each row's partition, offset and ordinal (little-endian, 16 bytes), with the XXH3-64 of its topic as seed, added up
/// modulo 2^64: a row that is there twice counts twice. Written as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowSum(u64);

/// The part of a row's hash that all rows of a topic share.
#[derive(Clone, Copy, Debug)]
pub(in crate::book) struct TopicSeed(u64);

impl TopicSeed {
    /// That of a topic by its name.
    pub(in crate::book) fn of(topic: &str) -> TopicSeed {
        TopicSeed(XxHash3_64::oneshot(topic.as_bytes()))
    }
}

impl RowSum {
    /// Adds a row; rows of tables without ordinals have 0.
    pub(in crate::book) fn add_row(&mut self, TopicSeed(seed): TopicSeed, partition: i32, offset: i64, ordinal: i32) {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&partition.to_le_bytes());
        bytes[4..12].copy_from_slice(&offset.to_le_bytes());
        bytes[12..].copy_from_slice(&ordinal.to_le_bytes());
        self.0 = self.0.wrapping_add(XxHash3_64::oneshot_with_seed(seed, &bytes));
    }

    /// Adds the rows of another sum.
    pub(in crate::book) fn add(&mut self, other: RowSum) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl fmt::Display for RowSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for RowSum {
    type Err = String;

    fn from_str(text: &str) -> Result<RowSum, String> {
        let sum = u64::from_str_radix(text, 16).ok().map(RowSum);
        sum.filter(|sum| sum.to_string() == text).ok_or_else(|| format!("no sum of rows: {text:?}"))
    }
}

impl Serialize for RowSum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RowSum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RowSum, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(rows: &[(&str, i32, i64, i32)]) -> RowSum {
        let mut sum = RowSum::default();
        rows.iter().for_each(|(topic, partition, offset, ordinal)| {
            sum.add_row(TopicSeed::of(topic), *partition, *offset, *ordinal);
        });
        sum
    }

    #[test]
    fn a_sum_knows_its_rows_and_not_their_order() {
        let rows = [("a", 0, 1, 0), ("a", 0, 1, 1), ("b", 0, 1, 0), ("a", 1, 0, 0)];
        let mut reversed = rows;
        reversed.reverse();
        assert_eq!(sum(&rows), sum(&reversed));
        let mut parts = sum(&rows[..1]);
        parts.add(sum(&rows[1..]));
        assert_eq!(parts, sum(&rows));
        for row in 0..rows.len() {
            let mut other = rows.to_vec();
            other[row] = rows[(row + 1) % rows.len()];
            assert_ne!(sum(&other), sum(&rows), "row {row} is another");
        }
        let doubled = [rows[0], rows[0]];
        assert_ne!(sum(&doubled), sum(&rows[..1]));
        assert_ne!(sum(&doubled), sum(&[]));
    }

    #[test]
    fn a_sum_prints_as_it_parses() {
        let text = "\"00000000000000ff\"";
        assert_eq!(serde_json::to_string(&serde_json::from_str::<RowSum>(text).expect("a sum")).expect("text"), text);
        for text in ["\"ff\"", "\"+0000000000000ff\"", "\"00000000000000FF\"", "255"] {
            assert!(serde_json::from_str::<RowSum>(text).is_err(), "{text}");
        }
    }
}
