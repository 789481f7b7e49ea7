//! What values add to the accumulators of their groups.

use std::collections::{HashMap, HashSet};

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use foldhash::fast::RandomState;

use super::view::{Measure, Slot};
use crate::change::{Accumulator, ExactSum, ShortBytes, WideSum};

/// Adds the values of a column to the accumulators of their groups.
pub(super) fn accumulate(
    slot: &Slot,
    argument: Option<ArrayRef>,
    group_of_row: &[u32],
    add: &mut dyn FnMut(u32, Accumulator<'static>),
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
                let value = rows.row(row).data().to_vec().into();
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

fn count_rows(groups: impl Iterator<Item = u32>, add: &mut dyn FnMut(u32, Accumulator<'static>)) {
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

fn sum_rows(values: impl Iterator<Item = (u32, i128)>, add: &mut dyn FnMut(u32, Accumulator<'static>)) {
    let mut sums: Vec<Option<i128>> = Vec::new();
    for (group, value) in values {
        if sums.len() <= group as usize {
            sums.resize(group as usize + 1, None);
        }
        let sum = &mut sums[group as usize];
        match sum.unwrap_or(0).checked_add(value) {
            Some(added) => *sum = Some(added),
            None => {
                add(group, Accumulator::Sum(sum.take().unwrap_or(0)));
                *sum = Some(value);
            }
        }
    }
    let summed = (0..).zip(sums).filter_map(|(group, sum)| Some((group, sum?)));
    summed.for_each(|(group, sum)| add(group, Accumulator::Sum(sum)));
}

/// The different values of each group.
pub(super) fn distinct_values(
    slot: &Slot,
    argument: Option<ArrayRef>,
    group_of_row: &[u32],
) -> Result<HashSet<(u32, ShortBytes)>, String> {
    let (Some(values), Some(converter)) = (argument, &slot.converter) else {
        return Err("distinct values of nothing".to_owned());
    };
    let rows = converter.convert_columns(std::slice::from_ref(&values)).map_err(|error| error.to_string())?;
    let mut seen: HashSet<(u32, &[u8]), RandomState> = HashSet::default();
    let valid = group_of_row.iter().enumerate().filter(|(row, _)| values.is_valid(*row));
    for (row, group) in valid {
        seen.insert((*group, rows.row(row).data()));
    }
    Ok(seen.into_iter().map(|(group, value)| (group, value.into())).collect())
}
