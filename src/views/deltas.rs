//! What the changes of one batch add to the groups of a view.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow_select::filter::filter;
use foldhash::fast::RandomState;

use super::accumulate::{accumulate, distinct_values};
use super::normalized::normalized;
use super::view::{Measure, Slot, View};
use super::view_inputs::ViewInput;
use crate::change::{Accumulator, Accumulators, GroupKey, GroupValue};
use crate::sql::{BadValues, Batch};

/// What some changes add to a view.
#[derive(Debug, Default)]
pub struct GroupDeltas {
    /// Each group of these changes once, with the accumulators of these changes; those that count distinct values are empty.
    pub groups: Vec<(GroupKey, Accumulators)>,
    /// The distinct values of groups, each once.
    pub values: Vec<GroupValue>,
    /// Values that could not be computed.
    pub bad_values: BadValues,
}

impl View {
    /// What the rows of a batch of events add.
    ///
    /// # Errors
    /// When values cannot be packed.
    pub fn deltas(&self, input: ViewInput) -> Result<GroupDeltas, String> {
        let ViewInput { rows: mut count, mut columns } = input;
        let mut bad_values = BadValues::default();
        if let Some(condition) = &self.plan.filter {
            let accepted = condition.evaluate(&self.batch(count, &columns), &mut bad_values);
            (count, columns) = filtered(accepted.as_boolean(), &columns)?;
        }
        if count == 0 {
            return Ok(GroupDeltas { bad_values, ..GroupDeltas::default() });
        }
        let (group_of_row, keys) = self.groups(count, &columns, &mut bad_values)?;
        let mut accumulators = vec![Accumulator::Empty; self.slots.len() * keys.len()];
        let mut values = Vec::new();
        // Accumulators of one argument share its values, so that a bad one counts once.
        let mut known: Vec<(&Slot, Measured)> = Vec::new();
        for (place, slot) in self.slots.iter().enumerate() {
            let is_equal =
                |(other, _): &&(&Slot, Measured)| other.argument == slot.argument && other.filter == slot.filter;
            let measured = match known.iter().find(is_equal) {
                Some((_, measured)) => measured.clone(),
                None => {
                    let measured = self.measured(slot, count, &columns, &group_of_row, &mut bad_values)?;
                    known.push((slot, measured.clone()));
                    measured
                }
            };
            let Measured { group_of_row, values: argument } = measured;
            if slot.measure == Measure::Distinct {
                let places = distinct_values(slot, argument, group_of_row.values())?;
                values.extend(places.into_iter().map(|(group, value)| GroupValue {
                    group: keys[group as usize].clone(),
                    accumulator: place as u16,
                    value,
                }));
            } else {
                let mut add = |group: u32, value| {
                    let known = &mut accumulators[group as usize * self.slots.len() + place];
                    *known = std::mem::take(known).merged(value);
                };
                accumulate(slot, argument, group_of_row.values(), &mut add)?;
            }
        }
        // A view without aggregates has groups all the same.
        let slots = self.slots.len();
        let packed = (0..keys.len()).map(|group| Accumulators::new(&accumulators[group * slots..][..slots]));
        let groups = keys.iter().cloned().zip(packed).collect();
        Ok(GroupDeltas { groups, values, bad_values })
    }

    /// The values that an accumulator gets.
    fn measured(
        &self,
        slot: &Slot,
        count: usize,
        columns: &[ArrayRef],
        group_of_row: &UInt32Array,
        bad_values: &mut BadValues,
    ) -> Result<Measured, String> {
        let (mut count, mut columns, mut group_of_row) = (count, columns.to_vec(), group_of_row.clone());
        if let Some(condition) = &slot.filter {
            let accepted = condition.evaluate(&self.batch(count, &columns), bad_values);
            let accepted = accepted.as_boolean();
            let groups = filter(&group_of_row, &truth(accepted)).map_err(|error| error.to_string())?;
            group_of_row = groups.as_primitive().clone();
            (count, columns) = filtered(accepted, &columns)?;
        }
        let argument = slot.argument.as_ref();
        let values = argument.map(|argument| argument.evaluate(&self.batch(count, &columns), bad_values));
        Ok(Measured { group_of_row, values: values.map(normalized) })
    }

    fn batch<'a>(&self, rows: usize, columns: &'a [ArrayRef]) -> Batch<'a> {
        Batch { rows, columns, time_zone: self.time_zone }
    }

    /// The group of each row, as a place among the keys.
    fn groups(
        &self,
        count: usize,
        columns: &[ArrayRef],
        bad_values: &mut BadValues,
    ) -> Result<(UInt32Array, Vec<GroupKey>), String> {
        let Some(converter) = &self.keys else {
            return Ok((UInt32Array::from(vec![0; count]), vec![GroupKey::new(self.number, &[])]));
        };
        let batch = self.batch(count, columns);
        let values = self.plan.groups.iter().map(|group| normalized(group.expression.evaluate(&batch, bad_values)));
        let rows = converter.convert_columns(&values.collect::<Vec<_>>()).map_err(|error| error.to_string())?;
        let mut places: HashMap<&[u8], u32, RandomState> = HashMap::default();
        let mut keys = Vec::new();
        let mut group_of_row = Vec::with_capacity(count);
        for row in &rows {
            // The rows outlive the map, which borrows their bytes.
            let place = places.entry(row.data()).or_insert_with(|| {
                keys.push(GroupKey::new(self.number, row.data()));
                keys.len() as u32 - 1
            });
            group_of_row.push(*place);
        }
        Ok((group_of_row.into(), keys))
    }
}

/// The values of an aggregate's argument in the rows that its filter accepts, and the group of each of these rows.
#[derive(Clone)]
struct Measured {
    group_of_row: UInt32Array,
    /// `None` for an aggregate of rows.
    values: Option<ArrayRef>,
}

/// Columns without the rows for which the condition is not true.
fn filtered(accepted: &BooleanArray, columns: &[ArrayRef]) -> Result<(usize, Vec<ArrayRef>), String> {
    let truth = truth(accepted);
    let columns = columns.iter().map(|column| filter(column, &truth).map_err(|error| error.to_string()));
    Ok((truth.true_count(), columns.collect::<Result<_, _>>()?))
}

/// What is NULL is not true.
fn truth(condition: &BooleanArray) -> BooleanArray {
    match condition.nulls() {
        None => condition.clone(),
        Some(nulls) => BooleanArray::new(condition.values() & nulls.inner(), None),
    }
}
