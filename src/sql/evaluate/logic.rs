//! Expressions that compute only what they need: AND, OR, CASE, COALESCE, NULLIF; and the table of functions.

use std::sync::Arc;

use arrow_arith::boolean::{and_kleene, or_kleene};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Datum, Scalar, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_select::nullif::nullif;
use arrow_select::zip::zip;
use chrono_tz::Tz;

use super::compare::compare;
use super::evaluate::Evaluation;
use super::kernels::Failures;
use super::value::Value;
use super::{arithmetic, json, text, time};
use crate::sql::expression::{Comparison, Expression, Function};
use crate::sql::types::Type;

impl Evaluation<'_> {
    pub(super) fn all_of(&mut self, parts: &[Expression], rows: Option<&BooleanBuffer>) -> Value {
        self.fold(parts, rows, true, and_kleene)
    }

    pub(super) fn any_of(&mut self, parts: &[Expression], rows: Option<&BooleanBuffer>) -> Value {
        self.fold(parts, rows, false, or_kleene)
    }

    /// Joins conditions from left to right; one counts failures only where those before it leave the result open: where they
    /// are `neutral` or NULL.
    fn fold(
        &mut self,
        parts: &[Expression],
        rows: Option<&BooleanBuffer>,
        neutral: bool,
        join: fn(&BooleanArray, &BooleanArray) -> Result<BooleanArray, arrow_schema::ArrowError>,
    ) -> Value {
        let count = self.batch.rows;
        let mut joined: Option<(BooleanArray, BooleanBuffer)> = None;
        for part in parts {
            let value = self.value(part, joined.as_ref().map_or(rows, |(_, open)| Some(open)));
            let array = value.into_array(count);
            let array = array.as_boolean();
            let result = match joined {
                None => array.clone(),
                Some((before, _)) => join(&before, array).expect("columns of one length"),
            };
            let decided = if neutral { !result.values() } else { result.values().clone() };
            let decided = result.nulls().map_or(decided.clone(), |nulls| &decided & nulls.inner());
            let open = !&decided;
            let open = rows.map_or(open.clone(), |rows| &open & rows);
            joined = Some((result, open));
        }
        let (array, _) = joined.expect("a condition has parts");
        Value { array: Arc::new(array), is_scalar: false }
    }

    pub(super) fn case(
        &mut self,
        branches: &[(Expression, Expression)],
        otherwise: Option<&Expression>,
        kind: Type,
        rows: Option<&BooleanBuffer>,
    ) -> Value {
        let mut open = self.all_rows(rows);
        let mut chosen = Vec::with_capacity(branches.len());
        for (condition, value) in branches {
            let condition = self.value(condition, Some(&open)).into_array(self.batch.rows);
            let holds = is_true(condition.as_boolean());
            let here = &open & &holds;
            open = &open & &!&holds;
            chosen.push((here.clone(), self.value(value, Some(&here))));
        }
        let mut result = match otherwise {
            Some(otherwise) => self.value(otherwise, Some(&open)),
            None => Value { array: new_null_array(&kind.data_type(), 1), is_scalar: true },
        };
        for (here, value) in chosen.into_iter().rev() {
            result = choose(here, &value, &result);
        }
        result
    }

    pub(super) fn coalesce(&mut self, parts: &[Expression], kind: Type, rows: Option<&BooleanBuffer>) -> Value {
        let mut open = self.all_rows(rows);
        let mut found = Vec::with_capacity(parts.len());
        for part in parts {
            let array = self.value(part, Some(&open)).into_array(self.batch.rows);
            let valid = match array.nulls() {
                Some(nulls) => nulls.inner().clone(),
                None => BooleanBuffer::new_set(self.batch.rows),
            };
            found.push((&open & &valid, Value { array, is_scalar: false }));
            open = &open & &!&valid;
        }
        let mut result = Value { array: new_null_array(&kind.data_type(), 1), is_scalar: true };
        for (here, value) in found.into_iter().rev() {
            result = choose(here, &value, &result);
        }
        result
    }

    pub(super) fn null_if(&mut self, value: &Expression, other: &Expression, rows: Option<&BooleanBuffer>) -> Value {
        let (left, right) = (self.value(value, rows), self.value(other, rows));
        let equal = compare(Comparison::Equal, (&left, value.kind), (&right, other.kind));
        let rows = if equal.is_scalar { 1 } else { self.batch.rows };
        let array = nullif(&left.into_array(rows), equal.array.as_boolean()).expect("columns of one length");
        Value { array, is_scalar: equal.is_scalar }
    }

    fn all_rows(&self, rows: Option<&BooleanBuffer>) -> BooleanBuffer {
        rows.cloned().unwrap_or_else(|| BooleanBuffer::new_set(self.batch.rows))
    }
}

/// Where a condition is true: neither false nor NULL.
pub(in crate::sql) fn is_true(condition: &BooleanArray) -> BooleanBuffer {
    match condition.nulls() {
        Some(nulls) => condition.values() & nulls.inner(),
        None => condition.values().clone(),
    }
}

/// One value in some rows, another in the others.
fn choose(rows: BooleanBuffer, one: &Value, other: &Value) -> Value {
    let mask = BooleanArray::new(rows, None);
    let datum = |value: &Value| -> Box<dyn Datum> {
        match value.is_scalar {
            true => Box::new(Scalar::new(Arc::clone(&value.array))),
            false => Box::new(Arc::clone(&value.array)),
        }
    };
    let array: ArrayRef = zip(&mask, datum(one).as_ref(), datum(other).as_ref()).expect("values of one type");
    Value { array, is_scalar: false }
}

/// The value of a function.
pub(super) fn call(
    function: &Function,
    values: &[Value],
    kinds: &[Type],
    zone: Tz,
    failures: &mut Failures<'_>,
) -> Value {
    match function {
        Function::Lower => text::lower(&values[0], failures),
        Function::Upper => text::upper(&values[0], failures),
        Function::Length => text::length(&values[0], failures),
        Function::Substring => text::substring(values, failures),
        Function::Trim(side) => text::trim(values, *side, failures),
        Function::Concat => text::concat(values, failures),
        Function::ConcatSkippingNulls => text::concat_skipping_nulls(values, failures),
        Function::TruthLetter => text::truth_letter(&values[0], failures),
        Function::DateTrunc(unit) => time::truncate(&values[0], kinds[0], *unit, zone, failures),
        Function::Extract(field) => time::extract(&values[0], kinds[0], *field, zone, failures),
        Function::Abs => arithmetic::absolute(&values[0], kinds[0], failures),
        Function::Round { digits } => arithmetic::round(&values[0], kinds[0], *digits, failures),
        Function::Greatest => extreme(values, kinds[0], Comparison::Greater),
        Function::Least => extreme(values, kinds[0], Comparison::Less),
        Function::JsonGet { key, as_text } => json::get(&values[0], key, *as_text, failures),
    }
}

/// The largest or the smallest value that is not NULL.
fn extreme(values: &[Value], kind: Type, better: Comparison) -> Value {
    let rows = values.iter().find(|value| !value.is_scalar).map_or(1, |value| value.array.len());
    let is_scalar = values.iter().all(|value| value.is_scalar);
    let mut values = values.iter().map(|value| value.clone().into_array(rows));
    let first = values.next().expect("at least one value");
    let array = values.fold(first, |best, next| {
        let (one, other) = (Value { array: best, is_scalar: false }, Value { array: next, is_scalar: false });
        let is_better = compare(better, (&other, kind), (&one, kind));
        let replaces = is_true(is_better.array.as_boolean());
        let replaces = match one.array.nulls() {
            Some(nulls) => &replaces | &!nulls.inner(),
            None => replaces,
        };
        choose(replaces, &other, &one).array
    });
    Value { array, is_scalar }
}
