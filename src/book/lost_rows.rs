//! What is lost with a file that the log names and that is nowhere.

use std::fmt::{self, Display, Formatter};

use crate::change::Interval;

/// How many partitions a message names.
const NAMED: usize = 8;

/// The rows of a file, as far as its entry says which they are: those of one commit, whose partitions are spread over its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostRows {
    /// How many; `None` where the entry cannot be read any more.
    pub rows: Option<u64>,
    /// By topic and partition: the offsets whose records the commit has. None of a file that a compaction has added.
    pub offsets: Vec<(String, i32, Interval)>,
}

impl Display for LostRows {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Some(rows) = self.rows else { return Ok(()) };
        write!(formatter, "; its {rows} rows are lost")?;
        for (number, (topic, partition, Interval { from, to })) in self.offsets.iter().take(NAMED).enumerate() {
            let before = if number == 0 { ", of" } else { ";" };
            write!(formatter, "{before} {topic:?} partition {partition}: offsets {from} to {to} (exclusive)")?;
        }
        match self.offsets.len().checked_sub(NAMED) {
            Some(more) if more > 0 => write!(formatter, "; and of {more} more partitions"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_partitions_and_offsets_are_named_as_far_as_they_are_known() {
        assert_eq!(LostRows::default().to_string(), "");
        assert_eq!(LostRows { rows: Some(7), offsets: Vec::new() }.to_string(), "; its 7 rows are lost");
        let partition = |number| ("shop".to_owned(), number, Interval { from: 10, to: 20 });
        let two = LostRows { rows: Some(7), offsets: vec![partition(0), partition(3)] }.to_string();
        let expected = "; its 7 rows are lost, of \"shop\" partition 0: offsets 10 to 20 (exclusive); \"shop\" partition 3: offsets 10 to 20 (exclusive)";
        assert_eq!(two, expected);
        let ten = LostRows { rows: Some(7), offsets: (0..10).map(partition).collect() }.to_string();
        assert!(ten.contains("partition 7:") && ten.ends_with("; and of 2 more partitions"), "{ten}");
    }
}
