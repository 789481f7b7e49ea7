//! The rows of a view: group columns, and what its aggregates result in.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal256Type, DecimalType};
use arrow_array::{
    ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, new_empty_array,
};
use arrow_buffer::i256;
use arrow_schema::{Field, Schema};

use super::contents::ViewContents;
use super::pieces::{MOST_GROUP_BYTES, group_pieces};
use super::view::{Measure, Outcome, Slot, View};
use crate::change::{Accumulator, Accumulators, GroupKey, WideSum};
use crate::sql::{DECIMAL_DIGITS, NUMERIC_DIGITS, Output, Type, average};

impl View {
    /// The rows of groups, in the order of their values; columns as the SELECT list has them.
    ///
    /// A `numeric` without a fixed number of digits is a double: Parquet's readers have at most 38 digits.
    ///
    /// # Errors
    /// For contents that are not of this view.
    pub fn rows(&self, contents: &ViewContents) -> Result<RecordBatch, String> {
        let groups: Vec<(&GroupKey, &Accumulators)> = contents.groups.iter().collect();
        self.rows_of(&groups)
    }

    /// The same, in batches none of which has too large texts; at least one.
    pub fn row_batches<'g>(
        &self,
        groups: &'g [(&'g GroupKey, &'g Accumulators)],
    ) -> impl Iterator<Item = Result<RecordBatch, String>> {
        group_pieces(groups, MOST_GROUP_BYTES).map(|stretch| self.rows_of(&groups[stretch]))
    }

    /// The rows of some groups, in this order.
    ///
    /// # Errors
    /// As [`View::rows`].
    pub fn rows_of(&self, groups: &[(&GroupKey, &Accumulators)]) -> Result<RecordBatch, String> {
        if groups.iter().any(|(_, accumulators)| accumulators.len() != self.slots.len()) {
            return Err(format!("a group of view {} has other aggregates", self.name()));
        }
        let keys = self.group_columns(groups.iter().map(|(key, _)| *key))?;
        let mut columns = Vec::new();
        for select in &self.plan.select {
            columns.push(match select.output {
                Output::Group(place) => Arc::clone(&keys[place]),
                Output::Aggregate(place) => self.results(place, groups)?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(groups.len()));
        RecordBatch::try_new_with_options(self.schema(), columns, &options).map_err(|error| error.to_string())
    }

    /// The columns of the view's rows.
    pub fn schema(&self) -> Arc<Schema> {
        let field = |(name, kind): (String, Type)| Field::new(name, kind.data_type(), true);
        Arc::new(Schema::new(self.stored_columns().into_iter().map(field).collect::<Vec<_>>()))
    }

    /// The names of the columns of its rows, and their types as they are stored.
    pub fn stored_columns(&self) -> Vec<(String, Type)> {
        let kind = |output: Output| match output {
            Output::Group(place) => self.plan.groups[place].expression.kind(),
            Output::Aggregate(place) => self.plan.aggregates[place].kind,
        };
        let stored = |kind: Type| if kind == Type::Numeric { Type::Double } else { kind };
        self.plan.select.iter().map(|select| (select.name.clone(), stored(kind(select.output)))).collect()
    }

    /// The group columns of keys.
    pub(super) fn group_columns<'k>(
        &self,
        keys: impl ExactSizeIterator<Item = &'k GroupKey>,
    ) -> Result<Vec<ArrayRef>, String> {
        let Some(converter) = &self.keys else { return Ok(Vec::new()) };
        if keys.len() == 0 {
            let kinds = self.plan.groups.iter().map(|group| group.expression.kind().data_type());
            return Ok(kinds.map(|kind| new_empty_array(&kind)).collect());
        }
        let parser = converter.parser();
        let rows = keys.map(|key| parser.parse(key.values()));
        converter.convert_rows(rows).map_err(|error| error.to_string())
    }

    fn results(&self, aggregate: usize, groups: &[(&GroupKey, &Accumulators)]) -> Result<ArrayRef, String> {
        let kind = self.plan.aggregates[aggregate].kind;
        match self.outcomes[aggregate] {
            Outcome::Slot(place) => {
                let values = groups.iter().map(|(_, accumulators)| accumulators.get(place));
                slot_results(&self.slots[place], kind, values)
            }
            Outcome::Average { sum, count } => {
                let scale = self.slots[sum].kind().scale().unwrap_or(NUMERIC_DIGITS);
                let averages = groups.iter().map(|(_, accumulators)| {
                    let count = accumulators.get(count).count();
                    match accumulators.get(sum) {
                        Accumulator::DoubleSum(sum) => Some(sum.value() / count as f64),
                        sum => average(as_i256(sum.as_sum()?)?, scale, count).map(as_double),
                    }
                });
                Ok(Arc::new(averages.collect::<Float64Array>()))
            }
        }
    }
}

/// The results of one accumulator in some groups.
fn slot_results<'a>(
    slot: &Slot,
    kind: Type,
    values: impl ExactSizeIterator<Item = Accumulator<'a>>,
) -> Result<ArrayRef, String> {
    Ok(match slot.measure {
        Measure::Count | Measure::Distinct => {
            Arc::new(Int64Array::from_iter_values(values.map(|value| value.count()))) as ArrayRef
        }
        Measure::DoubleSum => Arc::new(
            values
                .map(|value| match value {
                    Accumulator::DoubleSum(sum) => Some(sum.value()),
                    _ => None,
                })
                .collect::<Float64Array>(),
        ),
        Measure::Sum if kind == Type::Numeric => {
            let sums = values.map(|value| as_i256(value.as_sum()?).map(as_double));
            Arc::new(sums.collect::<Float64Array>())
        }
        Measure::Sum => {
            let fits = |sum: &i128| sum.unsigned_abs() < 10_u128.pow(DECIMAL_DIGITS.into());
            let sums = values.map(|value| value.as_sum()?.as_i128().filter(fits));
            Arc::new(sums.collect::<Decimal128Array>().with_data_type(kind.data_type()))
        }
        Measure::Least | Measure::Greatest => {
            let values = extremes(slot, values)?;
            match values.as_primitive_opt::<Decimal256Type>() {
                Some(numbers) => Arc::new(numbers.iter().map(|number| number.map(as_double)).collect::<Float64Array>()),
                None => values,
            }
        }
    })
}

/// The values of accumulators that hold one value each.
pub(super) fn extremes<'a>(
    slot: &Slot,
    values: impl ExactSizeIterator<Item = Accumulator<'a>>,
) -> Result<ArrayRef, String> {
    let converter = slot.converter.as_ref().ok_or("values that are not packed")?;
    if values.len() == 0 {
        return Ok(new_empty_array(&slot.kind().data_type()));
    }
    let null = arrow_array::new_null_array(&slot.kind().data_type(), 1);
    let null = converter.convert_columns(&[null]).map_err(|error| error.to_string())?;
    let parser = converter.parser();
    let values: Vec<Accumulator> = values.collect();
    let rows = values.iter().map(|value| value.value().map_or(null.row(0), |value| parser.parse(value)));
    let mut columns = converter.convert_rows(rows).map_err(|error| error.to_string())?;
    columns.pop().ok_or_else(|| "a value without a column".to_owned())
}

fn as_i256(sum: WideSum) -> Option<i256> {
    sum.halves().map(|(high, low)| i256::from_parts(low, high))
}

/// The nearest double of a numeric with 38 digits after the point.
fn as_double(digits: i256) -> f64 {
    let text = Decimal256Type::format_decimal(digits, 2 * NUMERIC_DIGITS, NUMERIC_DIGITS as i8);
    text.parse().unwrap_or(f64::NAN)
}
