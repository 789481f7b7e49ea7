//! A condition on changes, or on the rows of a view.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BooleanArray};
use chrono_tz::Tz;

use super::bad_values::BadValues;
use super::columns::{EventColumn, InputColumn, InputColumns};
use super::error::SqlError;
use super::evaluate::{Batch, constant_value};
use super::expression::{Comparison, Expression, Node};
use super::resolve::Resolver;
use super::text::{on_deep_stack, parse_expression};
use super::types::Type;

/// A condition on changes, or on the rows of a view.
///
/// ```
/// use walbook::sql::Filter;
///
/// let filter = Filter::parse("op = 'DELETE' AND key.id = '42'").expect("a condition");
/// let columns: Vec<String> = filter.columns().as_slice().iter().map(ToString::to_string).collect();
/// assert_eq!(columns, ["op", "key.id"]);
/// assert!(Filter::parse("op = 42").is_err());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    condition: Expression,
    columns: InputColumns,
}

/// A value that a range begins or ends with: numbers and instants as they are stored, texts by their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeValue {
    /// A `bigint`, the days of a `date`, the microseconds of a `timestamptz`.
    Number(i64),
    /// A `text`.
    Text(Vec<u8>),
}

/// The least and the greatest value of a column in some rows; they may be further apart than its values.
pub type ColumnRange = (RangeValue, RangeValue);

impl Filter {
    /// Parses a condition.
    ///
    /// # Errors
    /// [`SqlError`] with the place and the alternative.
    pub fn parse(text: &str) -> Result<Filter, SqlError> {
        on_deep_stack(|| {
            let syntax = parse_expression(text)?;
            let mut resolver = Resolver::new(text);
            let condition = resolver.condition(&syntax)?;
            Ok(Filter { condition, columns: resolver.columns })
        })
    }

    /// Parses a condition on the rows of a view with these columns.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn parse_for_view(text: &str, columns: &[(String, Type)]) -> Result<Filter, SqlError> {
        on_deep_stack(|| {
            let syntax = parse_expression(text)?;
            let mut resolver = Resolver::of_view(text, columns);
            let condition = resolver.condition(&syntax)?;
            Ok(Filter { condition, columns: resolver.columns })
        })
    }

    /// The columns that it reads, in the order that [`Batch`] expects.
    pub fn columns(&self) -> &InputColumns {
        &self.columns
    }

    /// For each row, whether the condition is true. The result has no NULLs: unknown is not true.
    ///
    /// # Panics
    /// When a column is missing or stored as another type.
    pub fn accepts(&self, batch: &Batch<'_>, bad: &mut BadValues) -> BooleanArray {
        let truth = self.condition.evaluate(batch, bad);
        let truth = truth.as_boolean();
        match truth.nulls() {
            None => truth.clone(),
            Some(nulls) => BooleanArray::new(truth.values() & nulls.inner(), None),
        }
    }

    /// Whether rows may be accepted whose columns have these ranges. `range` is called with columns that the filter compares with
    /// constants; `None` is an unknown range.
    pub fn may_accept(&self, time_zone: Tz, range: &dyn Fn(EventColumn) -> Option<ColumnRange>) -> bool {
        self.may_be_true(&self.condition, time_zone, range)
    }

    fn may_be_true(
        &self,
        condition: &Expression,
        time_zone: Tz,
        range: &dyn Fn(EventColumn) -> Option<ColumnRange>,
    ) -> bool {
        let known = |column: &Expression| match self.columns.as_slice()[column.as_column()?] {
            InputColumn::Event(column) => range(column),
            InputColumn::Row { .. } | InputColumn::View { .. } => None,
        };
        match &condition.node {
            Node::And(parts) => parts.iter().all(|part| self.may_be_true(part, time_zone, range)),
            Node::Or(parts) => parts.iter().any(|part| self.may_be_true(part, time_zone, range)),
            Node::InTexts { input, texts, .. } => known(input).is_none_or(|(low, high)| {
                texts.iter().any(|text| is_within(&RangeValue::Text(text.as_bytes().to_vec()), &low, &high))
            }),
            Node::InNumbers { input, numbers, .. } => known(input).is_none_or(|(low, high)| {
                numbers.iter().any(|number| is_within(&RangeValue::Number(*number), &low, &high))
            }),
            Node::Compare { comparison, left, right } => {
                let (comparison, column, constant) = match (left.as_column(), right.as_column()) {
                    (Some(_), None) => (*comparison, left, right),
                    (None, Some(_)) => (mirrored(*comparison), right, left),
                    _ => return true,
                };
                if !constant.is_constant() || constant.kind != column.kind {
                    return true;
                }
                let Some((low, high)) = known(column) else { return true };
                match constant_range(constant, time_zone) {
                    Some(value) => may_hold(comparison, &value, &low, &high),
                    None => true,
                }
            }
            _ => true,
        }
    }
}

/// The comparison with its operands exchanged.
fn mirrored(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        same => same,
    }
}

fn may_hold(comparison: Comparison, value: &RangeValue, low: &RangeValue, high: &RangeValue) -> bool {
    match comparison {
        Comparison::Equal | Comparison::NotDistinct => is_within(value, low, high),
        Comparison::Less => {
            compare(low, value) != Some(Ordering::Greater) && compare(low, value) != Some(Ordering::Equal)
        }
        Comparison::LessOrEqual => compare(low, value) != Some(Ordering::Greater),
        Comparison::Greater => {
            compare(high, value) != Some(Ordering::Less) && compare(high, value) != Some(Ordering::Equal)
        }
        Comparison::GreaterOrEqual => compare(high, value) != Some(Ordering::Less),
        Comparison::NotEqual | Comparison::Distinct => true,
    }
}

fn is_within(value: &RangeValue, low: &RangeValue, high: &RangeValue) -> bool {
    compare(value, low) != Some(Ordering::Less) && compare(value, high) != Some(Ordering::Greater)
}

fn compare(one: &RangeValue, other: &RangeValue) -> Option<Ordering> {
    match (one, other) {
        (RangeValue::Number(one), RangeValue::Number(other)) => Some(one.cmp(other)),
        (RangeValue::Text(one), RangeValue::Text(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

/// The value of a constant; `None` if it is NULL or of a type that has no ranges.
fn constant_range(constant: &Expression, time_zone: Tz) -> Option<RangeValue> {
    let value = constant_value(constant, time_zone).ok().filter(|value| value.is_valid(0))?;
    if let Some(texts) = value.as_string_opt::<i32>() {
        return Some(RangeValue::Text(texts.value(0).as_bytes().to_vec()));
    }
    let number = |number: i64| Some(RangeValue::Number(number));
    if let Some(days) = value.as_primitive_opt::<Date32Type>() {
        return number(days.value(0).into());
    }
    if let Some(times) = value.as_primitive_opt::<TimestampMicrosecondType>() {
        return number(times.value(0));
    }
    value.as_primitive_opt::<Int64Type>().and_then(|numbers| number(numbers.value(0)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Decimal128Array, Int64Array, StringArray};

    use super::*;

    fn columns() -> Vec<(String, Type)> {
        let columns = [("orders", Type::BigInt), ("Region", Type::Text), ("amount", Type::Decimal { scale: 2 })];
        columns.map(|(name, kind)| (name.to_owned(), kind)).into()
    }

    #[test]
    fn a_condition_on_rows_of_a_view_names_its_columns() {
        let text = "ORDERS > 1 AND (\"Region\" = 'north' OR amount < 1.5)";
        let filter = Filter::parse_for_view(text, &columns()).expect("a condition");
        assert_eq!(filter.columns().view_columns().collect::<Vec<_>>(), ["orders", "Region", "amount"]);
        assert!(filter.columns().event_columns().next().is_none() && filter.columns().row_columns().next().is_none());
        let amounts = Decimal128Array::from(vec![Some(900), Some(149), Some(150), None]);
        let values: [ArrayRef; 3] = [
            Arc::new(Int64Array::from(vec![2, 2, 2, 1])),
            Arc::new(StringArray::from(vec![Some("north"), None, Some("south"), Some("north")])),
            Arc::new(amounts.with_precision_and_scale(38, 2).expect("it fits")),
        ];
        let batch = Batch { rows: 4, columns: &values, time_zone: Tz::UTC };
        let accepted = filter.accepts(&batch, &mut BadValues::default());
        assert_eq!(accepted.values().iter().collect::<Vec<_>>(), [true, true, false, false]);
        assert!(filter.may_accept(Tz::UTC, &|_| None));
    }

    #[test]
    fn other_names_are_refused_with_those_that_there_are() {
        for (text, message) in [
            ("order > 1", "did you mean orders?"),
            ("orderz > 1", "the view has no column orderz: did you mean orders?"),
            ("region = 'north'", "the view has no column region"),
            ("op = 'INSERT'", "the view has no column op; it has orders, Region, amount"),
            ("new.state = 'paid'", "a column of a view has no prefix"),
            ("orders", "a condition"),
            ("\"Region\" > 3", ""),
            ("count(*) > 3", "count"),
        ] {
            let error = Filter::parse_for_view(text, &columns()).expect_err(text).to_string();
            assert!(error.to_lowercase().contains(&message.to_lowercase()), "{text}: {error}");
        }
    }
}
