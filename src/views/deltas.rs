//! What the changes of one batch add to the groups of a view.

use std::collections::{HashMap, HashSet};

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow_select::filter::filter;
use foldhash::fast::RandomState;

use super::inputs::{event_inputs, rows_of_table};
use super::normalized::normalized;
use super::view::{Measure, Slot, View};
use crate::change::{Accumulator, Accumulators, Day, ExactSum, GroupKey, GroupValue, WideSum};
use crate::sql::{BadValues, Batch, ViewSource};

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
    /// What the rows of a batch of events add; `days` are stretches of equal day: the day and the row after its last.
    ///
    /// # Errors
    /// When a column of the batch is missing or has another type.
    pub fn deltas(&self, batch: &RecordBatch, days: &[(Day, usize)]) -> Result<GroupDeltas, String> {
        let rows = match &self.plan.source {
            ViewSource::AllChanges => (0..batch.num_rows() as u32).collect(),
            ViewSource::Table(table) => rows_of_table(batch, table)?,
        };
        let mut bad_values = BadValues::default();
        if rows.is_empty() {
            return Ok(GroupDeltas::default());
        }
        let day = |row: usize| days.get(days.partition_point(|(_, end)| *end <= row)).map(|(day, _)| *day);
        let mut columns = event_inputs(&self.plan.columns, batch, &rows, &day)?;
        let mut count = rows.len();
        if let Some(condition) = &self.plan.filter {
            let accepted = condition.evaluate(&self.batch(count, &columns), &mut bad_values);
            (count, columns) = filtered(accepted.as_boolean(), &columns)?;
        }
        if count == 0 {
            return Ok(GroupDeltas { bad_values, ..GroupDeltas::default() });
        }
        let (group_of_row, keys) = self.groups(count, &columns, &mut bad_values)?;
        let mut accumulators = vec![vec![Accumulator::Empty; self.slots.len()]; keys.len()];
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
                let places = distinct(slot, argument, group_of_row.values())?;
                values.extend(places.into_iter().map(|(group, value)| GroupValue {
                    group: keys[group as usize].clone(),
                    accumulator: place as u16,
                    value,
                }));
            } else {
                let mut add = |group: u32, value: Accumulator| accumulators[group as usize][place].merge(&value);
                accumulate(slot, argument, group_of_row.values(), &mut add)?;
            }
        }
        let accumulators = accumulators.into_iter().map(|all| Accumulators(all.into()));
        Ok(GroupDeltas { groups: keys.into_iter().zip(accumulators).collect(), values, bad_values })
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

/// Adds the values of a column to the accumulators of their groups.
fn accumulate(
    slot: &Slot,
    argument: Option<ArrayRef>,
    group_of_row: &[u32],
    add: &mut dyn FnMut(u32, Accumulator),
) -> Result<(), String> {
    let Some(values) = argument else {
        count_rows(group_of_row.iter().copied(), add);
        return Ok(());
    };
    let is_valid = |row: usize| values.is_valid(row);
    let valid = || group_of_row.iter().copied().enumerate().filter(|(row, _)| is_valid(*row));
    match slot.measure {
        Measure::Count => count_rows(valid().map(|(_, group)| group), add),
        Measure::Distinct => {}
        Measure::DoubleSum => {
            let doubles = values.as_primitive::<Float64Type>().values();
            let mut sums: HashMap<u32, ExactSum, RandomState> = HashMap::default();
            valid().for_each(|(row, group)| sums.entry(group).or_default().add_value(doubles[row]));
            sums.into_iter().for_each(|(group, sum)| add(group, Accumulator::DoubleSum(Box::new(sum))));
        }
        Measure::Sum => {
            if let Some(numbers) = values.as_primitive_opt::<Int64Type>() {
                sum_rows(valid().map(|(row, group)| (group, i128::from(numbers.value(row)))), add);
            } else if let Some(numbers) = values.as_primitive_opt::<Decimal128Type>() {
                sum_rows(valid().map(|(row, group)| (group, numbers.value(row))), add);
            } else {
                let numbers = values.as_primitive_opt::<Decimal256Type>().ok_or("a sum of no numbers")?;
                valid().for_each(|(row, group)| {
                    let (low, high) = numbers.value(row).to_parts();
                    add(group, Accumulator::sum(WideSum::of_halves(high, low)));
                });
            }
        }
        Measure::Least | Measure::Greatest => {
            let converter = slot.converter.as_ref().ok_or("values that are not packed")?;
            let rows = converter.convert_columns(std::slice::from_ref(&values)).map_err(|error| error.to_string())?;
            let mut extremes: HashMap<u32, usize, RandomState> = HashMap::default();
            for (row, group) in valid() {
                let known = extremes.entry(group).or_insert(row);
                let is_more = match slot.measure {
                    Measure::Least => rows.row(row) < rows.row(*known),
                    _ => rows.row(row) > rows.row(*known),
                };
                if is_more {
                    *known = row;
                }
            }
            for (group, row) in extremes {
                let value: Box<[u8]> = rows.row(row).data().into();
                add(
                    group,
                    if slot.measure == Measure::Least {
                        Accumulator::Least(value)
                    } else {
                        Accumulator::Greatest(value)
                    },
                );
            }
        }
    }
    Ok(())
}

fn count_rows(groups: impl Iterator<Item = u32>, add: &mut dyn FnMut(u32, Accumulator)) {
    let mut counts: Vec<i64> = Vec::new();
    for group in groups {
        if counts.len() <= group as usize {
            counts.resize(group as usize + 1, 0);
        }
        counts[group as usize] += 1;
    }
    let counted = (0..).zip(counts).filter(|(_, count)| *count > 0);
    counted.for_each(|(group, count)| add(group, Accumulator::Count(count)));
}

fn sum_rows(values: impl Iterator<Item = (u32, i128)>, add: &mut dyn FnMut(u32, Accumulator)) {
    let mut sums: Vec<Option<i128>> = Vec::new();
    for (group, value) in values {
        if sums.len() <= group as usize {
            sums.resize(group as usize + 1, None);
        }
        let sum = &mut sums[group as usize];
        match sum.unwrap_or(0).checked_add(value) {
            Some(added) => *sum = Some(added),
            None => {
                add(group, Accumulator::small_sum(sum.take().unwrap_or(0)));
                *sum = Some(value);
            }
        }
    }
    let summed = (0..).zip(sums).filter_map(|(group, sum)| Some((group, sum?)));
    summed.for_each(|(group, sum)| add(group, Accumulator::small_sum(sum)));
}

/// The different values of each group.
fn distinct(slot: &Slot, argument: Option<ArrayRef>, group_of_row: &[u32]) -> Result<HashSet<(u32, Vec<u8>)>, String> {
    let (Some(values), Some(converter)) = (argument, &slot.converter) else {
        return Err("distinct values of nothing".to_owned());
    };
    let rows = converter.convert_columns(std::slice::from_ref(&values)).map_err(|error| error.to_string())?;
    let mut seen: HashSet<(u32, &[u8]), RandomState> = HashSet::default();
    let valid = group_of_row.iter().enumerate().filter(|(row, _)| values.is_valid(*row));
    for (row, group) in valid {
        seen.insert((*group, rows.row(row).data()));
    }
    Ok(seen.into_iter().map(|(group, value)| (group, value.to_vec())).collect())
}
