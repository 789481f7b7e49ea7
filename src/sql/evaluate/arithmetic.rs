//! `+ - * / %`, `-x`, `abs` and `round`: a result that does not fit, or a division by zero, fails.

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int64Type};
use arrow_array::{Array, PrimitiveArray};

use super::decimal::{DIVISION_BY_ZERO, Decimal, TOO_LARGE, decimals, pow10};
use super::kernels::{Failures, Reason, combine, map, result_rows};
use super::value::Value;
use crate::sql::expression::Arithmetic;
use crate::sql::types::{DECIMAL_DIGITS, Type};

const OUT_OF_RANGE: Reason = "the result is out of range";

/// Computes two numbers, or a day and a number of days.
pub(super) fn arithmetic(
    operation: Arithmetic,
    ((left, left_kind), (right, right_kind)): ((&Value, Type), (&Value, Type)),
    failures: &mut Failures<'_>,
) -> Value {
    match (left_kind, right_kind) {
        (Type::BigInt, Type::BigInt) => {
            let (ones, others) = (numbers::<Int64Type>(left), numbers::<Int64Type>(right));
            combine::<_, _, Int64Type>((left, ones), (right, others), failures, |one, other| {
                whole(operation, one, other)
            })
        }
        (Type::Double, Type::Double) => {
            let (ones, others) = (numbers::<Float64Type>(left), numbers::<Float64Type>(right));
            let compute = |one, other| double(operation, one, other);
            combine::<_, _, Float64Type>((left, ones), (right, others), failures, compute)
        }
        (Type::Date, Type::BigInt) => {
            let (days, counts) = (numbers::<Date32Type>(left), numbers::<Int64Type>(right));
            combine::<_, _, Date32Type>((left, days), (right, counts), failures, |day, count| {
                move_day(day, if operation == Arithmetic::Subtract { count.checked_neg() } else { Some(count) })
            })
        }
        (Type::BigInt, Type::Date) => {
            let (counts, days) = (numbers::<Int64Type>(left), numbers::<Date32Type>(right));
            combine::<_, _, Date32Type>((left, counts), (right, days), failures, |count, day| {
                move_day(day, Some(count))
            })
        }
        (Type::Date, Type::Date) => {
            let (ones, others) = (numbers::<Date32Type>(left), numbers::<Date32Type>(right));
            let days = |one: i32, other: i32| Ok(i64::from(one) - i64::from(other));
            combine::<_, _, Int64Type>((left, ones), (right, others), failures, days)
        }
        _ => exact(operation, (left, left_kind), (right, right_kind), failures),
    }
}

fn numbers<T: ArrowPrimitiveType>(value: &Value) -> &PrimitiveArray<T> {
    value.array.as_primitive::<T>()
}

fn whole(operation: Arithmetic, one: i64, other: i64) -> Result<i64, Reason> {
    let result = match operation {
        Arithmetic::Add => one.checked_add(other),
        Arithmetic::Subtract => one.checked_sub(other),
        Arithmetic::Multiply => one.checked_mul(other),
        Arithmetic::Divide | Arithmetic::Remainder if other == 0 => return Err(DIVISION_BY_ZERO),
        Arithmetic::Divide => one.checked_div(other),
        // The remainder of the lowest number and -1 is 0, though their quotient does not fit.
        Arithmetic::Remainder => Some(one.wrapping_rem(other)),
    };
    result.ok_or(OUT_OF_RANGE)
}

/// As PostgreSQL's float8 functions: an infinite result of finite numbers is an overflow, and zero from others an underflow.
fn double(operation: Arithmetic, one: f64, other: f64) -> Result<f64, Reason> {
    let result = match operation {
        Arithmetic::Add => one + other,
        Arithmetic::Subtract => one - other,
        Arithmetic::Multiply => one * other,
        Arithmetic::Divide | Arithmetic::Remainder if other == 0.0 && !one.is_nan() => return Err(DIVISION_BY_ZERO),
        Arithmetic::Divide => one / other,
        Arithmetic::Remainder => one % other,
    };
    let overflows = result.is_infinite() && one.is_finite() && other.is_finite();
    let underflows = result == 0.0
        && one != 0.0
        && match operation {
            Arithmetic::Multiply => other != 0.0,
            Arithmetic::Divide => other.is_finite(),
            _ => false,
        };
    if overflows || underflows { Err(OUT_OF_RANGE) } else { Ok(result) }
}

fn move_day(day: i32, count: Option<i64>) -> Result<i32, Reason> {
    let moved = count.and_then(|count| i64::from(day).checked_add(count)).ok_or(OUT_OF_RANGE)?;
    super::time::checked_day(moved)
}

/// Numbers with a point: in 128 bits where the scales are fixed, else in 256.
fn exact(operation: Arithmetic, left: (&Value, Type), right: (&Value, Type), failures: &mut Failures<'_>) -> Value {
    match failures.expression.kind {
        Type::Decimal { scale } => {
            let (rows, is_scalar) = result_rows(left.0, right.0);
            let (ones, others) = (small_decimals(left), small_decimals(right));
            collect::<Decimal128Type>((left.0, right.0), rows, is_scalar, failures, |row, other| {
                let result = match operation {
                    Arithmetic::Multiply => ones(row, None)?.checked_mul(others(other, None)?),
                    Arithmetic::Add => ones(row, Some(scale))?.checked_add(others(other, Some(scale))?),
                    Arithmetic::Subtract => ones(row, Some(scale))?.checked_sub(others(other, Some(scale))?),
                    Arithmetic::Divide | Arithmetic::Remainder => {
                        let divisor = others(other, Some(scale))?;
                        if divisor == 0 {
                            return Err(DIVISION_BY_ZERO);
                        }
                        ones(row, Some(scale))?.checked_rem(divisor)
                    }
                };
                result.filter(|result| result.unsigned_abs() < 10u128.pow(DECIMAL_DIGITS.into())).ok_or(TOO_LARGE)
            })
        }
        _ => {
            let (rows, is_scalar) = result_rows(left.0, right.0);
            let (ones, others) = (decimals(left.0, left.1), decimals(right.0, right.1));
            collect::<Decimal256Type>((left.0, right.0), rows, is_scalar, failures, |row, other| {
                wide(operation, ones(row), others(other))?.to_numeric()
            })
        }
    }
}

fn wide(operation: Arithmetic, one: Decimal, other: Decimal) -> Result<Decimal, Reason> {
    let scale = one.scale.max(other.scale);
    let same = |number: Decimal| number.with_scale(scale).ok_or(TOO_LARGE);
    let digits = match operation {
        Arithmetic::Multiply => return one.multiply(other),
        Arithmetic::Divide => return one.divide(other),
        Arithmetic::Add => same(one)?.checked_add(same(other)?),
        Arithmetic::Subtract => same(one)?.checked_sub(same(other)?),
        Arithmetic::Remainder => match same(other)? {
            arrow_buffer::i256::ZERO => return Err(DIVISION_BY_ZERO),
            divisor => same(one)?.checked_rem(divisor),
        },
    };
    Ok(Decimal { digits: digits.ok_or(TOO_LARGE)?, scale })
}

/// The digits of numbers of a fixed scale, by row; with another, larger scale if it is given.
fn small_decimals((value, kind): (&Value, Type)) -> Box<dyn Fn(usize, Option<u8>) -> Result<i128, Reason> + '_> {
    let from = kind.scale().unwrap_or(0);
    let scaled = move |digits: i128, scale: Option<u8>| match scale {
        Some(scale) if scale > from => {
            pow10(scale - from).and_then(|factor| digits.checked_mul(factor)).ok_or(TOO_LARGE)
        }
        _ => Ok(digits),
    };
    match value.array.as_primitive_opt::<Int64Type>() {
        Some(values) => Box::new(move |row, scale| scaled(values.value(row).into(), scale)),
        None => {
            let values = value.array.as_primitive::<Decimal128Type>();
            Box::new(move |row, scale| scaled(values.value(row), scale))
        }
    }
}

fn collect<O: ArrowPrimitiveType>(
    (left, right): (&Value, &Value),
    rows: usize,
    is_scalar: bool,
    failures: &mut Failures<'_>,
    compute: impl Fn(usize, usize) -> Result<O::Native, Reason>,
) -> Value {
    let mut results = Vec::with_capacity(rows);
    for row in 0..rows {
        let (one, other) = (left.row(row), right.row(row));
        if left.array.is_null(one) || right.array.is_null(other) {
            results.push(None);
            continue;
        }
        results.push(compute(one, other).map_err(|reason| failures.record(row, reason, &[left, right])).ok());
    }
    let array = results.into_iter().collect::<PrimitiveArray<O>>().with_data_type(failures.expression.kind.data_type());
    Value { array: std::sync::Arc::new(array), is_scalar }
}

/// `-x`.
pub(super) fn negate(value: &Value, kind: Type, failures: &mut Failures<'_>) -> Value {
    match kind {
        Type::BigInt => {
            let negate = |number: i64| number.checked_neg().ok_or(OUT_OF_RANGE);
            map::<_, Int64Type>(value, numbers::<Int64Type>(value), failures, negate)
        }
        Type::Double => {
            map::<_, Float64Type>(value, numbers::<Float64Type>(value), failures, |number: f64| Ok(-number))
        }
        Type::Numeric => map::<_, Decimal256Type>(value, numbers::<Decimal256Type>(value), failures, |number| {
            Ok(number.wrapping_neg())
        }),
        _ => map::<_, Decimal128Type>(value, numbers::<Decimal128Type>(value), failures, |number: i128| Ok(-number)),
    }
}

/// `abs(x)`.
pub(super) fn absolute(value: &Value, kind: Type, failures: &mut Failures<'_>) -> Value {
    match kind {
        Type::BigInt => {
            let absolute = |number: i64| number.checked_abs().ok_or(OUT_OF_RANGE);
            map::<_, Int64Type>(value, numbers::<Int64Type>(value), failures, absolute)
        }
        Type::Double => {
            map::<_, Float64Type>(value, numbers::<Float64Type>(value), failures, |number: f64| Ok(number.abs()))
        }
        Type::Numeric => map::<_, Decimal256Type>(value, numbers::<Decimal256Type>(value), failures, |number| {
            Ok(number.wrapping_abs())
        }),
        _ => {
            map::<_, Decimal128Type>(value, numbers::<Decimal128Type>(value), failures, |number: i128| Ok(number.abs()))
        }
    }
}

/// `round(x)` and `round(x, digits)`: exact numbers half away from zero, doubles half to even.
pub(super) fn round(value: &Value, kind: Type, digits: i64, failures: &mut Failures<'_>) -> Value {
    if kind == Type::Double {
        let round = |number: f64| Ok(number.round_ties_even());
        return map::<_, Float64Type>(value, numbers::<Float64Type>(value), failures, round);
    }
    let number = decimals(value, kind);
    let scale = failures.expression.kind.scale().unwrap_or(0);
    let rounded = |row: usize| -> Result<i128, Reason> {
        let Ok(unit) = u8::try_from(-digits.min(0)) else { return Ok(0) };
        match pow10(unit) {
            // Digits before the point: a whole number of units.
            Some(factor) if unit > 0 => {
                let units =
                    Decimal { scale: number(row).scale + unit, ..number(row) }.to_decimal128(0, DECIMAL_DIGITS)?;
                units.checked_mul(factor).filter(|units| units.unsigned_abs() < 10u128.pow(38)).ok_or(TOO_LARGE)
            }
            Some(_) => number(row).to_decimal128(scale, DECIMAL_DIGITS),
            None => Ok(0),
        }
    };
    collect::<Decimal128Type>((value, value), value.array.len(), value.is_scalar, failures, |row, _| rounded(row))
}
