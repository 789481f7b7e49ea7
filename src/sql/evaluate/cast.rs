//! Casts, as PostgreSQL makes them.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use chrono_tz::Tz;

use super::decimal::{Decimal, decimals, parse_decimal, to_numeric};
use super::kernels::{Failures, Reason, map, map_boolean, map_rows, map_rows_text, map_text};
use super::value::Value;
use super::{json, text_forms as forms, time};
use crate::sql::types::{DECIMAL_DIGITS, Type};

/// Casts values to the type of the expression; `precision` is that of `numeric(p, s)`.
pub(super) fn cast(value: &Value, from: Type, precision: Option<u8>, zone: Tz, failures: &mut Failures<'_>) -> Value {
    let to = failures.expression.kind;
    match (from, to) {
        (from, to) if from == to && precision.is_none() => value.clone(),
        // A NULL whose type was open.
        (Type::Unknown, _) if value.array.null_count() == value.array.len() => {
            Value { array: arrow_array::new_null_array(&to.data_type(), value.array.len()), is_scalar: value.is_scalar }
        }
        (Type::Text | Type::Json | Type::Unknown, _) => of_text(value, to, precision, zone, failures),
        (_, Type::Text) => to_text(value, from, zone, failures),
        (from, Type::Decimal { scale }) if from.is_exact_number() => {
            let number = decimals(value, from);
            map_rows::<Decimal128Type>(value, failures, |row| {
                number(row).to_decimal128(scale, precision.unwrap_or(DECIMAL_DIGITS))
            })
        }
        (from, Type::Numeric) if from.is_exact_number() => to_numeric(value, from),
        (Type::Double, Type::Decimal { scale }) => {
            map::<_, Decimal128Type>(value, value.array.as_primitive::<Float64Type>(), failures, |number: f64| {
                decimal_of_double(number)?.to_decimal128(scale, precision.unwrap_or(DECIMAL_DIGITS))
            })
        }
        (Type::Double, Type::Numeric) => {
            map::<_, Decimal256Type>(value, value.array.as_primitive::<Float64Type>(), failures, |number: f64| {
                decimal_of_double(number)?.to_numeric()
            })
        }
        (Type::Double, Type::BigInt) => {
            map::<_, Int64Type>(value, value.array.as_primitive::<Float64Type>(), failures, |number: f64| {
                let rounded = number.round_ties_even();
                // The bounds are powers of two, and so exact.
                let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded);
                if fits { Ok(rounded as i64) } else { Err("out of range of bigint") }
            })
        }
        (Type::BigInt, Type::Double) => {
            let numbers = value.array.as_primitive::<Int64Type>();
            map::<_, Float64Type>(value, numbers, failures, |number: i64| Ok(number as f64))
        }
        (from, Type::Double) => {
            let number = decimals(value, from);
            map_rows::<Float64Type>(value, failures, |row| Ok(number(row).to_double()))
        }
        (from, Type::BigInt) => {
            let number = decimals(value, from);
            map_rows::<Int64Type>(value, failures, |row| {
                let whole = number(row).to_decimal128(0, DECIMAL_DIGITS);
                whole.ok().and_then(|whole| whole.try_into().ok()).ok_or("out of range of bigint")
            })
        }
        _ => instants(value, from, to, zone, failures),
    }
}

fn instants(value: &Value, from: Type, to: Type, zone: Tz, failures: &mut Failures<'_>) -> Value {
    if from == Type::Date {
        let days = value.array.as_primitive::<Date32Type>();
        return map::<_, TimestampMicrosecondType>(value, days, failures, |day: i32| match to {
            Type::TimestampTz => time::instant_of_local(time::midnight(day), zone),
            _ => Ok(time::midnight(day)),
        });
    }
    let times = value.array.as_primitive::<TimestampMicrosecondType>();
    let local = |micros: i64| if from == Type::TimestampTz { time::local_of_instant(micros, zone) } else { micros };
    match to {
        Type::Date => map::<_, Date32Type>(value, times, failures, |micros: i64| {
            time::checked_day(local(micros).div_euclid(time::MICROS_PER_DAY))
        }),
        Type::Time => map::<_, Time64MicrosecondType>(value, times, failures, |micros: i64| {
            Ok(local(micros).rem_euclid(time::MICROS_PER_DAY))
        }),
        Type::TimestampTz => {
            map::<_, TimestampMicrosecondType>(value, times, failures, |micros| time::instant_of_local(micros, zone))
        }
        _ => map::<_, TimestampMicrosecondType>(value, times, failures, |micros| time::checked_micros(local(micros))),
    }
}

/// As PostgreSQL: the 15 digits of a double that are always exact.
fn decimal_of_double(number: f64) -> Result<Decimal, Reason> {
    match number.is_finite() {
        true => parse_decimal(&format!("{number:.14e}")).map(Decimal::trimmed),
        false => Err("NaN and Infinity are no numeric here"),
    }
}

fn of_text(value: &Value, to: Type, precision: Option<u8>, zone: Tz, failures: &mut Failures<'_>) -> Value {
    let texts = value.array.as_string::<i32>();
    match to {
        Type::Boolean => map_boolean(value, texts, failures, forms::parse_boolean),
        Type::BigInt => map::<_, Int64Type>(value, texts, failures, forms::parse_bigint),
        Type::Double => map::<_, Float64Type>(value, texts, failures, forms::parse_double),
        Type::Decimal { scale } => map::<_, Decimal128Type>(value, texts, failures, |text| {
            parse_decimal(text)?.to_decimal128(scale, precision.unwrap_or(DECIMAL_DIGITS))
        }),
        Type::Numeric => map::<_, Decimal256Type>(value, texts, failures, |text| parse_decimal(text)?.to_numeric()),
        Type::Date => map::<_, Date32Type>(value, texts, failures, forms::parse_date),
        Type::Time => map::<_, Time64MicrosecondType>(value, texts, failures, forms::parse_time),
        Type::Timestamp => map::<_, TimestampMicrosecondType>(value, texts, failures, forms::parse_timestamp),
        Type::TimestampTz => {
            map::<_, TimestampMicrosecondType>(value, texts, failures, |text| forms::parse_timestamptz(text, zone))
        }
        Type::Json => map_text(value, texts, failures, |text, out| {
            json::check(text)?;
            out.push_str(text);
            Ok(())
        }),
        Type::Text | Type::Unknown => value.clone(),
    }
}

fn to_text(value: &Value, from: Type, zone: Tz, failures: &mut Failures<'_>) -> Value {
    let array = &value.array;
    match from {
        Type::Boolean => map_text(value, array.as_boolean(), failures, |truth, out| {
            out.push_str(if truth { "true" } else { "false" });
            Ok(())
        }),
        Type::BigInt => map_text(value, array.as_primitive::<Int64Type>(), failures, |number, out| {
            use std::fmt::Write;
            write!(out, "{number}").map_err(|_| "out of memory")
        }),
        Type::Double => map_text(value, array.as_primitive::<Float64Type>(), failures, |number, out| {
            forms::print_double(number, out);
            Ok(())
        }),
        Type::Decimal { .. } | Type::Numeric => {
            let number = decimals(value, from);
            map_rows_text(value, failures, |row, out| {
                number(row).print(out);
                Ok(())
            })
        }
        Type::Date => map_text(value, array.as_primitive::<Date32Type>(), failures, |day, out| {
            forms::print_date(day.into(), out);
            Ok(())
        }),
        Type::Time => map_text(value, array.as_primitive::<Time64MicrosecondType>(), failures, |micros, out| {
            forms::print_time(micros, out);
            Ok(())
        }),
        Type::Timestamp | Type::TimestampTz => {
            map_text(value, array.as_primitive::<TimestampMicrosecondType>(), failures, |micros, out| {
                match from {
                    Type::TimestampTz => forms::print_timestamptz(micros, zone, out),
                    _ => forms::print_timestamp(micros, out),
                }
                Ok(())
            })
        }
        Type::Text | Type::Json | Type::Unknown => value.clone(),
    }
}
