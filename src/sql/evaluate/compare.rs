//! Comparisons as PostgreSQL makes them: numbers by value, texts by bytes, NaN equal to itself and above all numbers.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use arrow_array::{ArrayRef, BooleanArray, Datum, Decimal128Array};
use arrow_ord::cmp;
use arrow_schema::ArrowError;

use super::decimal::{pow10, to_numeric};
use super::value::Value;
use crate::sql::expression::Comparison;
use crate::sql::types::Type;

type Kernel = fn(&dyn Datum, &dyn Datum) -> Result<BooleanArray, ArrowError>;

/// Compares values of one type, or exact numbers.
pub(super) fn compare(
    comparison: Comparison,
    (left, left_kind): (&Value, Type),
    (right, right_kind): (&Value, Type),
) -> Value {
    let kernel: Kernel = match comparison {
        Comparison::Equal => cmp::eq,
        Comparison::NotEqual => cmp::neq,
        Comparison::Less => cmp::lt,
        Comparison::LessOrEqual => cmp::lt_eq,
        Comparison::Greater => cmp::gt,
        Comparison::GreaterOrEqual => cmp::gt_eq,
        Comparison::Distinct => cmp::distinct,
        Comparison::NotDistinct => cmp::not_distinct,
    };
    let is_scalar = left.is_scalar && right.is_scalar;
    let (left, right) = match (left_kind, right_kind) {
        (Type::Double, Type::Double) => (ordered_double(left), ordered_double(right)),
        (one, other) if one == other => (left.clone(), right.clone()),
        _ => same_scale((left, left_kind), (right, right_kind)),
    };
    let array = left.with(&right, |one, other| kernel(one, other)).expect("values of one type can be compared");
    Value { array: Arc::new(array), is_scalar }
}

/// arrow orders -0 below 0 and NaN by its sign; PostgreSQL knows one zero and one NaN.
fn ordered_double(value: &Value) -> Value {
    let one_form = |number: f64| if number.is_nan() { f64::NAN } else { number + 0.0 };
    let array = value.array.as_primitive::<Float64Type>().unary::<_, Float64Type>(one_form);
    Value { array: Arc::new(array), is_scalar: value.is_scalar }
}

/// Exact numbers in one form: with the larger number of digits after the point, or in the widest form if they do not fit.
fn same_scale((left, left_kind): (&Value, Type), (right, right_kind): (&Value, Type)) -> (Value, Value) {
    if let (Some(one), Some(other)) = (left_kind.scale(), right_kind.scale()) {
        let scale = one.max(other);
        if let (Some(one), Some(other)) = (rescaled(left, one, scale), rescaled(right, other, scale)) {
            return (one, other);
        }
    }
    (to_numeric(left, left_kind), to_numeric(right, right_kind))
}

/// `None` if a value does not fit.
fn rescaled(value: &Value, from: u8, to: u8) -> Option<Value> {
    let factor = pow10(to - from)?;
    let scaled = |number: i128| number.checked_mul(factor).filter(|number| number.unsigned_abs() < 10u128.pow(38));
    let array: Decimal128Array = match value.array.as_primitive_opt::<Int64Type>() {
        Some(numbers) => {
            numbers.try_unary(|number| scaled(number.into()).ok_or(ArrowError::ComputeError(String::new())))
        }
        None => value
            .array
            .as_primitive::<Decimal128Type>()
            .try_unary(|number| scaled(number).ok_or(ArrowError::ComputeError(String::new()))),
    }
    .ok()?;
    let array: ArrayRef = Arc::new(array.with_data_type(Type::Decimal { scale: to }.data_type()));
    Some(Value { array, is_scalar: value.is_scalar })
}
