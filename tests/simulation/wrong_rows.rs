//! A dataflow that is wrong between parser and files: rows differ from what the tallies, counts and positions of their
//! records say.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow_select::take::take_record_batch;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::{ProbeHandle, Scope, StreamVec};

use walbook::change::{Day, Epoch, Rows};
use walbook::dataflows::pipeline::{self, Share};
use walbook::parse::Reject;

use super::plan::Mutation;
use super::world::World;

/// Builds the dataflow of a run whose rows a mutation changes.
pub(crate) fn build(scope: Scope<'_, Epoch>, share: Share, world: &World, mutation: Mutation) -> ProbeHandle<Epoch> {
    let is_of_events = mutation == Mutation::UnorderedEvents;
    let change_if = |is_of_table: bool, rows| if is_of_table { change_rows(rows, world, mutation) } else { rows };
    pipeline::build_with(
        scope,
        share,
        |events| change_if(is_of_events, events),
        |rejects| change_if(!is_of_events, rejects),
    )
}

fn change_rows<'scope>(
    rows: StreamVec<'scope, Epoch, Rows>,
    world: &World,
    mutation: Mutation,
) -> StreamVec<'scope, Epoch, Rows> {
    let world = world.clone();
    rows.flat_map(move |rows| if world.one_in(10) { changed(&rows, mutation) } else { Some(rows) })
}

/// The rows of a batch as the mutation makes them; `None` if none is left.
fn changed(rows: &Rows, mutation: Mutation) -> Option<Rows> {
    let count = rows.columns.num_rows();
    match mutation {
        Mutation::DroppedReject => chosen(rows, 1..count),
        Mutation::RepeatedReject => chosen(rows, (0..count).chain([count - 1])),
        Mutation::UnorderedEvents | Mutation::UnorderedRejects => chosen(rows, (0..count).rev()),
        Mutation::MisplacedReject => {
            let offsets = rows.columns["offset"].as_primitive::<Int64Type>().values().iter();
            let moved = offsets.enumerate().map(|(row, offset)| if row + 1 == count { offset + 1 } else { *offset });
            Some(with_column(rows, "offset", Arc::new(moved.collect::<Int64Array>())))
        }
        Mutation::WrongReason => {
            let reasons = StringArray::from_iter_values((0..count).map(|_| Reject::UnknownLine.to_string()));
            Some(with_column(rows, "reason", Arc::new(reasons)))
        }
        Mutation::WrongHeaders => {
            let headers = rows.columns["headers"].as_binary::<i32>().iter().map(|encoded| {
                let mut encoded = encoded?.to_vec();
                *encoded.last_mut()? ^= 1;
                Some(encoded)
            });
            Some(with_column(rows, "headers", Arc::new(headers.collect::<BinaryArray>())))
        }
        _ => Some(rows.clone()),
    }
}

/// The rows with these numbers, in this order.
fn chosen(rows: &Rows, numbers: impl IntoIterator<Item = usize>) -> Option<Rows> {
    let numbers: Vec<usize> = numbers.into_iter().collect();
    let mut days: Vec<(Day, usize)> = Vec::new();
    for (place, number) in numbers.iter().enumerate() {
        let (day, _) = rows.days.iter().find(|(_, end)| number < end).expect("each row has a day");
        match days.last_mut() {
            Some((last, end)) if last == day => *end = place + 1,
            _ => days.push((*day, place + 1)),
        }
    }
    let numbers = UInt32Array::from_iter_values(numbers.iter().map(|number| u32::try_from(*number).expect("few rows")));
    let columns = take_record_batch(&rows.columns, &numbers).expect("the rows exist");
    (columns.num_rows() > 0).then_some(Rows { commit: rows.commit, columns, days })
}

fn with_column(rows: &Rows, name: &str, column: ArrayRef) -> Rows {
    let schema = rows.columns.schema();
    let mut columns = rows.columns.columns().to_vec();
    columns[schema.index_of(name).expect("a column of the table")] = column;
    let columns = RecordBatch::try_new(schema, columns).expect("columns of the same type");
    Rows { columns, ..rows.clone() }
}
