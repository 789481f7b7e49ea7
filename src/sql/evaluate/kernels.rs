//! One value after the other into a new column, where a value may fail.

use std::sync::Arc;

use arrow_array::builder::{PrimitiveBuilder, StringBuilder};
use arrow_array::{Array, ArrayAccessor, ArrayRef, ArrowPrimitiveType, BooleanArray};
use arrow_buffer::BooleanBuffer;
use arrow_cast::display::array_value_to_string;

use super::value::Value;
use crate::sql::bad_values::BadValues;
use crate::sql::expression::Expression;

/// Why a value cannot be computed.
pub(super) type Reason = &'static str;

/// Counts the values that fail in an expression's rows.
pub(super) struct Failures<'a> {
    pub(super) bad: &'a mut BadValues,
    /// The rows that count; all if it is `None`.
    pub(super) rows: Option<&'a BooleanBuffer>,
    pub(super) expression: &'a Expression,
}

impl Failures<'_> {
    /// Counts a failure in a row; one of a value for all rows if any of them counts.
    pub(super) fn record(&mut self, row: usize, reason: Reason, operands: &[&Value]) {
        let is_scalar = operands.iter().all(|operand| operand.is_scalar);
        let counts = |rows: &BooleanBuffer| if is_scalar { rows.count_set_bits() > 0 } else { rows.value(row) };
        if !self.rows.is_none_or(counts) {
            return;
        }
        self.bad.record(&self.expression.source, reason, || {
            let text = |value: &&Value| {
                let row = if value.is_scalar { 0 } else { row };
                array_value_to_string(&value.array, row).unwrap_or_default()
            };
            operands.iter().map(text).collect::<Vec<_>>().join(", ")
        });
    }
}

/// The rows of a result of two values, and whether it is one for all rows.
pub(super) fn result_rows(one: &Value, other: &Value) -> (usize, bool) {
    match (one.is_scalar, other.is_scalar) {
        (true, true) => (1, true),
        (true, false) => (other.array.len(), false),
        _ => (one.array.len(), false),
    }
}

/// Applies a function to each value.
pub(super) fn map<A: ArrayAccessor, O: ArrowPrimitiveType>(
    value: &Value,
    values: A,
    failures: &mut Failures<'_>,
    function: impl Fn(A::Item) -> Result<O::Native, Reason>,
) -> Value {
    map_rows::<O>(value, failures, |row| function(values.value(row)))
}

/// Applies a function to each row whose value is not NULL.
pub(super) fn map_rows<O: ArrowPrimitiveType>(
    value: &Value,
    failures: &mut Failures<'_>,
    function: impl Fn(usize) -> Result<O::Native, Reason>,
) -> Value {
    let (rows, kind) = (value.array.len(), failures.expression.kind.data_type());
    let mut builder = PrimitiveBuilder::<O>::with_capacity(rows).with_data_type(kind);
    for row in 0..rows {
        if value.array.is_null(row) {
            builder.append_null();
            continue;
        }
        match function(row) {
            Ok(result) => builder.append_value(result),
            Err(reason) => {
                failures.record(row, reason, &[value]);
                builder.append_null();
            }
        }
    }
    Value { array: Arc::new(builder.finish()), is_scalar: value.is_scalar }
}

/// Applies a function to each pair of values that are both not NULL.
pub(super) fn combine<L: ArrayAccessor, R: ArrayAccessor, O: ArrowPrimitiveType>(
    (left, lefts): (&Value, L),
    (right, rights): (&Value, R),
    failures: &mut Failures<'_>,
    function: impl Fn(L::Item, R::Item) -> Result<O::Native, Reason>,
) -> Value {
    let (rows, is_scalar) = result_rows(left, right);
    let mut builder = PrimitiveBuilder::<O>::with_capacity(rows).with_data_type(failures.expression.kind.data_type());
    for row in 0..rows {
        let (left_row, right_row) = (left.row(row), right.row(row));
        if lefts.is_null(left_row) || rights.is_null(right_row) {
            builder.append_null();
            continue;
        }
        match function(lefts.value(left_row), rights.value(right_row)) {
            Ok(result) => builder.append_value(result),
            Err(reason) => {
                failures.record(row, reason, &[left, right]);
                builder.append_null();
            }
        }
    }
    Value { array: Arc::new(builder.finish()), is_scalar }
}

/// Writes a text for each value into one buffer.
pub(super) fn map_text<A: ArrayAccessor>(
    value: &Value,
    values: A,
    failures: &mut Failures<'_>,
    write: impl Fn(A::Item, &mut String) -> Result<(), Reason>,
) -> Value {
    map_rows_text(value, failures, |row, out| write(values.value(row), out))
}

/// Writes a text for each row whose value is not NULL.
pub(super) fn map_rows_text(
    value: &Value,
    failures: &mut Failures<'_>,
    write: impl Fn(usize, &mut String) -> Result<(), Reason>,
) -> Value {
    let rows = value.array.len();
    let mut column = TextColumn::new(rows);
    let mut text = String::new();
    for row in 0..rows {
        if value.array.is_null(row) {
            column.push_null();
            continue;
        }
        text.clear();
        if let Err(reason) = write(row, &mut text).and_then(|()| column.push(&text)) {
            failures.record(row, reason, &[value]);
            column.push_null();
        }
    }
    column.finish(value.is_scalar)
}

/// A new column of texts, whose bytes arrow counts in 31 bits.
pub(super) struct TextColumn {
    builder: StringBuilder,
    most_bytes: usize,
}

/// The most bytes of the texts of a column.
pub(super) const MOST_TEXT_BYTES: usize = i32::MAX as usize;
pub(super) const TEXT_TOO_LONG: Reason = "the text is too long";

impl TextColumn {
    pub(super) fn new(rows: usize) -> TextColumn {
        TextColumn { builder: StringBuilder::with_capacity(rows, 16 * rows), most_bytes: MOST_TEXT_BYTES }
    }

    /// Appends a text, or nothing if the column would be too large.
    pub(super) fn push(&mut self, text: &str) -> Result<(), Reason> {
        if text.len() > self.most_bytes - self.builder.values_slice().len() {
            return Err(TEXT_TOO_LONG);
        }
        self.builder.append_value(text);
        Ok(())
    }

    pub(super) fn push_null(&mut self) {
        self.builder.append_null();
    }

    pub(super) fn finish(mut self, is_scalar: bool) -> Value {
        Value { array: Arc::new(self.builder.finish()), is_scalar }
    }
}

/// The truth of each value that is not NULL.
pub(super) fn map_boolean<A: ArrayAccessor>(
    value: &Value,
    values: A,
    failures: &mut Failures<'_>,
    test: impl Fn(A::Item) -> Result<bool, Reason>,
) -> Value {
    let mut results = Vec::with_capacity(values.len());
    for row in 0..values.len() {
        results.push(match values.is_null(row).then_some(()) {
            Some(()) => None,
            None => test(values.value(row)).map_err(|reason| failures.record(row, reason, &[value])).ok(),
        });
    }
    let array: ArrayRef = Arc::new(BooleanArray::from(results));
    Value { array, is_scalar: value.is_scalar }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;

    use super::*;

    #[test]
    fn a_column_of_texts_takes_no_more_than_its_bytes() {
        let mut column = TextColumn { most_bytes: 5, ..TextColumn::new(4) };
        assert_eq!(column.push("abc"), Ok(()));
        assert_eq!(column.push("def"), Err(TEXT_TOO_LONG));
        column.push_null();
        assert_eq!(column.push("de"), Ok(()));
        assert_eq!(column.push("f"), Err(TEXT_TOO_LONG));
        let column = column.finish(false).array;
        assert_eq!(column.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("abc"), None, Some("de")]);
    }
}
