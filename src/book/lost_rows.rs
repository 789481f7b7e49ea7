//! What is lost with a file that the log names and that is nowhere.

use std::fmt::{self, Display, Formatter};

/// How many ranges a message names.
const NAMED: usize = 8;

/// The rows of a file, as far as its entry says which they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostRows {
    /// How many; `None` where the entry cannot be read any more.
    pub rows: Option<u64>,
    /// The ranges of the source that the commit covers, as text: its records are spread over its files. None of a file that a compaction has added.
    pub ranges: Vec<String>,
}

impl Display for LostRows {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Some(rows) = self.rows else { return Ok(()) };
        write!(formatter, "; its {rows} rows are lost")?;
        for (number, range) in self.ranges.iter().take(NAMED).enumerate() {
            let before = if number == 0 { ", which are of the records of" } else { ";" };
            write!(formatter, "{before} {range}")?;
        }
        match self.ranges.len().checked_sub(NAMED) {
            Some(more) if more > 0 => write!(formatter, "; and of {more} more partitions"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_ranges_are_named_as_far_as_they_are_known() {
        assert_eq!(LostRows::default().to_string(), "");
        assert_eq!(LostRows { rows: Some(7), ranges: Vec::new() }.to_string(), "; its 7 rows are lost");
        let range = |number: u64| format!("\"shop\" partition {number}: offsets 10 to 20 (exclusive)");
        let two = LostRows { rows: Some(7), ranges: vec![range(0), range(3)] }.to_string();
        let expected = "; its 7 rows are lost, which are of the records of \"shop\" partition 0: offsets 10 to 20 (exclusive); \"shop\" \
                        partition 3: offsets 10 to 20 (exclusive)";
        assert_eq!(two, expected);
        let ten = LostRows { rows: Some(7), ranges: (0..10).map(range).collect() }.to_string();
        assert!(ten.contains("partition 7:") && ten.ends_with("; and of 2 more partitions"), "{ten}");
    }
}
