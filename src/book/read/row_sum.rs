//! The sum over the identities of rows that were read.

use arrow_array::RecordBatch;
use arrow_array::types::{Int32Type, Int64Type};

use super::columns::{Texts, all_numbers};
use crate::book::log::compaction::RowSum;
use crate::book::log::compaction::row_sum::TopicSeed;
use crate::store::layout::Table;

/// Adds the rows of a batch, whose names are numbers into a dictionary.
///
/// # Errors
/// What is wrong with its columns.
pub(in crate::book) fn add_rows(sum: &mut RowSum, batch: &RecordBatch, table: Table) -> Result<(), String> {
    let topics = Texts::of(batch, "topic")?;
    let seeds: Vec<TopicSeed> = topics.values().iter().map(|name| TopicSeed::of(name.unwrap_or_default())).collect();
    let partitions = all_numbers::<Int32Type>(batch, "partition")?;
    let offsets = all_numbers::<Int64Type>(batch, "offset")?;
    let ordinals = match table {
        Table::Events => Some(all_numbers::<Int32Type>(batch, "ordinal")?),
        Table::Rejects | Table::Counts => None,
    };
    for row in 0..batch.num_rows() {
        let ordinal = ordinals.map_or(0, |ordinals| ordinals[row]);
        sum.add_row(seeds[topics.number(row)], partitions[row], offsets[row], ordinal);
    }
    Ok(())
}
