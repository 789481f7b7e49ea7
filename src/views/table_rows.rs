//! The rows of some tables in a batch of events, found in one pass for all of them.

use std::collections::HashMap;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{RecordBatch, StringArray};

use super::inputs::column;
use crate::change::TableName;

/// Knows some tables, each by its place.
#[derive(Debug)]
pub(super) struct TableRows {
    /// By the table's name: the schemas in which it is one of them, with its places.
    places: HashMap<String, Vec<(String, usize)>>,
}

impl TableRows {
    pub(super) fn new(tables: &[TableName]) -> TableRows {
        let mut places: HashMap<String, Vec<(String, usize)>> = HashMap::new();
        for (place, TableName { schema, table }) in tables.iter().enumerate() {
            places.entry(table.clone()).or_default().push((schema.clone(), place));
        }
        TableRows { places }
    }

    /// Calls `found` with each of some rows, in their order, and the place of its table; of other tables only if `all` is set.
    pub(super) fn for_each(
        &self,
        batch: &RecordBatch,
        rows: Range<usize>,
        all: bool,
        mut found: impl FnMut(u32, Option<usize>),
    ) -> Result<(), String> {
        let (schemas, tables) = (Names::of(batch, "schema")?, Names::of(batch, "table")?);
        let places = |table: &str| self.places.get(table).map_or(&[][..], Vec::as_slice);
        let by_number: Vec<&[(String, usize)]> =
            tables.values.iter().map(|table| places(table.unwrap_or(""))).collect();
        if !all && by_number.iter().all(|places| places.is_empty()) {
            return Ok(());
        }
        for row in rows {
            let place = by_number[tables.number(row)].iter().find(|(schema, _)| *schema == schemas.text(row));
            if place.is_some() || all {
                found(row as u32, place.map(|(_, place)| *place));
            }
        }
        Ok(())
    }
}

/// A column of names without NULLs.
struct Names<'a> {
    /// The numbers of the rows' texts; without them each row has one of its own. Different numbers may stand for one text.
    numbers: Option<&'a [i32]>,
    values: &'a StringArray,
}

impl<'a> Names<'a> {
    fn of(batch: &'a RecordBatch, name: &str) -> Result<Names<'a>, String> {
        let column = column(batch, name)?;
        if let Some(values) = column.as_string_opt::<i32>() {
            return Ok(Names { numbers: None, values });
        }
        let wrong = "its names of tables have another type";
        let dictionary = column.as_dictionary_opt::<Int32Type>().ok_or(wrong)?;
        let values = dictionary.values().as_string_opt::<i32>().ok_or(wrong)?;
        Ok(Names { numbers: Some(dictionary.keys().values()), values })
    }

    fn number(&self, row: usize) -> usize {
        self.numbers.map_or(row, |numbers| numbers[row] as usize)
    }

    fn text(&self, row: usize) -> &'a str {
        self.values.value(self.number(row))
    }
}
