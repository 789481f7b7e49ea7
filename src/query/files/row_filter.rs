//! Which rows of a table a question is about: what its filter reads of each batch, and which rows it accepts.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, RecordBatch};
use parquet::file::metadata::RowGroupMetaData;

use super::pruning::may_hold;
use crate::book::read::columns::{Texts, column, numbers};
use crate::change::Day;
use crate::query::{Filter, RejectFilter};

/// Decides about the rows of one batch, by their places in it.
pub(in crate::query) type Accepts<'a> = Box<dyn FnMut(usize) -> bool + 'a>;

/// A filter of rows, beside that of days.
pub(in crate::query) trait RowFilter {
    /// The columns that it reads, beside those that order rows.
    fn columns(&self) -> Vec<&'static str>;

    /// Whether a row group of a day may have a row that it accepts.
    fn may_hold(&self, _group: &RowGroupMetaData, _day: Option<Day>) -> bool {
        true
    }

    /// Which rows of a batch of a day it accepts.
    fn accepts<'a>(&'a self, batch: &'a RecordBatch, day: Option<Day>) -> Result<Accepts<'a>, String>;
}

impl RowFilter for Filter {
    fn columns(&self) -> Vec<&'static str> {
        let tables = self.names_tables().then_some(["schema", "table"]);
        tables.into_iter().flatten().chain(self.operation.map(|_| "op")).collect()
    }

    fn may_hold(&self, group: &RowGroupMetaData, _day: Option<Day>) -> bool {
        may_hold(group, self)
    }

    fn accepts<'a>(&'a self, batch: &'a RecordBatch, _day: Option<Day>) -> Result<Accepts<'a>, String> {
        let tables = match self.names_tables() {
            true => Some((Texts::of(batch, "schema")?, Texts::of(batch, "table")?)),
            false => None,
        };
        let ops = match self.operation {
            Some(operation) => Some((Texts::of(batch, "op")?, operation.as_str())),
            None => None,
        };
        let mut known_tables: HashMap<(usize, usize), bool> = HashMap::new();
        Ok(Box::new(move |row| {
            if ops.as_ref().is_some_and(|(ops, asked)| ops.text(row) != *asked) {
                return false;
            }
            tables.as_ref().is_none_or(|(schemas, tables)| {
                *known_tables
                    .entry((schemas.number(row), tables.number(row)))
                    .or_insert_with(|| self.has_table(schemas.text(row), tables.text(row)))
            })
        }))
    }
}

impl RowFilter for RejectFilter {
    fn columns(&self) -> Vec<&'static str> {
        self.reason.iter().map(|_| "reason").collect()
    }

    fn accepts<'a>(&'a self, batch: &'a RecordBatch, _day: Option<Day>) -> Result<Accepts<'a>, String> {
        let sources = Texts::of(batch, "topic")?;
        let partitions = numbers::<Int32Type>(batch, "partition")?;
        let reasons = match &self.reason {
            Some(asked) => {
                let reasons = column(batch, "reason")?.as_string_opt::<i32>();
                let reasons = reasons.filter(|reasons| reasons.null_count() == 0);
                Some((reasons.ok_or("its column reason is not a text in every row")?, asked.to_lowercase()))
            }
            None => None,
        };
        Ok(Box::new(move |row| {
            self.source.as_ref().is_none_or(|asked| sources.text(row) == asked)
                && self.partition.is_none_or(|asked| partitions.value(row) == asked)
                && reasons.as_ref().is_none_or(|(reasons, asked)| reasons.value(row).to_lowercase().contains(asked))
        }))
    }
}
