//! Functions of texts: characters are code points, letters change case as in PostgreSQL's locale `C.UTF-8`.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, StringArray};

use super::kernels::{Failures, MOST_TEXT_BYTES, Reason, TEXT_TOO_LONG, TextColumn, map, map_text};
use super::value::Value;
use crate::sql::expression::TrimSide;

fn texts(value: &Value) -> &StringArray {
    value.array.as_string::<i32>()
}

/// `lower(x)`.
pub(super) fn lower(value: &Value, failures: &mut Failures<'_>) -> Value {
    map_text(value, texts(value), failures, |text, out| {
        out.extend(text.chars().map(lower_letter));
        Ok(())
    })
}

/// `upper(x)`.
pub(super) fn upper(value: &Value, failures: &mut Failures<'_>) -> Value {
    map_text(value, texts(value), failures, |text, out| {
        out.extend(text.chars().map(upper_letter));
        Ok(())
    })
}

/// Letters with a longer counterpart stay as they are, except one that has a short one too.
fn lower_letter(letter: char) -> char {
    let mut lower = letter.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) => lower,
        _ if letter == 'İ' => 'i',
        _ => letter,
    }
}

fn upper_letter(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => letter,
    }
}

/// `length(x)` in characters.
pub(super) fn length(value: &Value, failures: &mut Failures<'_>) -> Value {
    map::<_, Int64Type>(value, texts(value), failures, |text: &str| Ok(text.chars().count() as i64))
}

/// `substring(x, first, count)`: characters count from 1, and places before the first one are empty.
pub(super) fn substring(values: &[Value], failures: &mut Failures<'_>) -> Value {
    write_rows(values, failures, |row, out| {
        let (text, first) = (texts(&values[0]).value(values[0].row(row)), whole(&values[1], row));
        let end = match values.get(2).map(|count| whole(count, row)) {
            Some(count) if count < 0 => return Err("a substring cannot have a negative length"),
            Some(count) => first.saturating_add(count),
            None => i64::MAX,
        };
        let skipped = usize::try_from(first.max(1) - 1).unwrap_or(usize::MAX);
        let count = usize::try_from(end.saturating_sub(first.max(1)).max(0)).unwrap_or(usize::MAX);
        out.extend(text.chars().skip(skipped).take(count));
        Ok(())
    })
}

/// `trim(x)`, `trim(BOTH 'abc' FROM x)`: removes blanks, or any of some characters.
pub(super) fn trim(values: &[Value], side: TrimSide, failures: &mut Failures<'_>) -> Value {
    write_rows(values, failures, |row, out| {
        let text = texts(&values[0]).value(values[0].row(row));
        let removed = values.get(1).map_or(" ", |removed| texts(removed).value(removed.row(row)));
        let is_removed = |letter: char| removed.contains(letter);
        out.push_str(match side {
            TrimSide::Both => text.trim_matches(is_removed),
            TrimSide::Leading => text.trim_start_matches(is_removed),
            TrimSide::Trailing => text.trim_end_matches(is_removed),
        });
        Ok(())
    })
}

/// `x || y`.
pub(super) fn concat(values: &[Value], failures: &mut Failures<'_>) -> Value {
    write_rows(values, failures, |row, out| {
        values.iter().try_for_each(|value| join(out, texts(value).value(value.row(row))))
    })
}

/// Appends a text, if a column can hold both.
fn join(out: &mut String, text: &str) -> Result<(), Reason> {
    if text.len() > MOST_TEXT_BYTES - out.len() {
        return Err(TEXT_TOO_LONG);
    }
    out.push_str(text);
    Ok(())
}

/// `concat(x, y, …)`.
pub(super) fn concat_skipping_nulls(values: &[Value], failures: &mut Failures<'_>) -> Value {
    write_all_rows(values, failures, |row, out| {
        let mut valid = values.iter().filter(|value| value.array.is_valid(value.row(row)));
        valid.try_for_each(|value| join(out, texts(value).value(value.row(row))))?;
        Ok(true)
    })
}

/// A boolean as its first letter.
pub(super) fn truth_letter(value: &Value, failures: &mut Failures<'_>) -> Value {
    map_text(value, value.array.as_boolean(), failures, |truth, out| {
        out.push(if truth { 't' } else { 'f' });
        Ok(())
    })
}

fn whole(value: &Value, row: usize) -> i64 {
    value.array.as_primitive::<Int64Type>().value(value.row(row))
}

fn row_count(values: &[Value]) -> usize {
    values.iter().find(|value| !value.is_scalar).map_or(1, |value| value.array.len())
}

/// Writes a text for each row in which no value is NULL.
fn write_rows(
    values: &[Value],
    failures: &mut Failures<'_>,
    write: impl Fn(usize, &mut String) -> Result<(), Reason>,
) -> Value {
    write_all_rows(values, failures, |row, out| {
        let is_null = values.iter().any(|value| value.array.is_null(value.row(row)));
        if !is_null {
            write(row, out)?;
        }
        Ok(!is_null)
    })
}

/// Writes a text for each row in which `write` says that there is one.
fn write_all_rows(
    values: &[Value],
    failures: &mut Failures<'_>,
    write: impl Fn(usize, &mut String) -> Result<bool, Reason>,
) -> Value {
    let rows = row_count(values);
    let mut column = TextColumn::new(rows);
    let mut text = String::new();
    for row in 0..rows {
        text.clear();
        let written = match write(row, &mut text) {
            Ok(true) => column.push(&text),
            Ok(false) => {
                column.push_null();
                Ok(())
            }
            Err(reason) => Err(reason),
        };
        if let Err(reason) = written {
            failures.record(row, reason, &values.iter().collect::<Vec<_>>());
            column.push_null();
        }
    }
    column.finish(values.iter().all(|value| value.is_scalar))
}
