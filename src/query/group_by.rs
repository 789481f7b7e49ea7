//! Rows of counts, and the parts that they are summed by.

use std::str::FromStr;
use std::sync::Arc;

use crate::change::{Day, Operation, TableName};

/// A part that counts are summed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupBy {
    /// The day in the book's zone.
    Day,
    /// Schema and table.
    Table,
    /// The operation.
    Op,
}

impl GroupBy {
    /// The default of `query`.
    pub const DEFAULT: [GroupBy; 3] = [GroupBy::Day, GroupBy::Table, GroupBy::Op];

    /// The columns of counts that are summed by some parts.
    pub(super) fn columns(by: &[GroupBy]) -> Vec<&'static str> {
        let parts = by.iter().flat_map(|part| match part {
            GroupBy::Day => &["day"][..],
            GroupBy::Table => &["schema", "table"],
            GroupBy::Op => &["op"],
        });
        parts.chain(&["count"]).copied().collect()
    }
}

impl FromStr for GroupBy {
    type Err = String;

    fn from_str(text: &str) -> Result<GroupBy, String> {
        match text {
            "day" => Ok(GroupBy::Day),
            "table" => Ok(GroupBy::Table),
            "op" => Ok(GroupBy::Op),
            _ => Err(format!("cannot sum by {text:?}: one of day, table, op")),
        }
    }
}

/// One sum; a part that is not summed by is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountRow {
    /// The day in the book's zone.
    pub day: Option<Day>,
    /// Schema and table.
    pub table: Option<Arc<TableName>>,
    /// The operation.
    pub op: Option<Operation>,
    /// The number of changes.
    pub count: u64,
}
