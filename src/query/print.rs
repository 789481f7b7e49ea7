//! Answers as text: a table for people, CSV and JSON for programs.

use std::borrow::Cow;
use std::io::{self, Write};
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::book::{CompleteTo, printable};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for people: control characters escaped, long texts cut.
    Table,
    /// RFC 4180 with a header row; lines end in a line feed, nothing is an empty field.
    Csv,
    /// One object `{"complete_to", "time_zone", "rows"}`, a row a line.
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        match text {
            "table" => Ok(Format::Table),
            "csv" => Ok(Format::Csv),
            "json" => Ok(Format::Json),
            _ => Err(format!("no format {text:?}: one of table, csv, json")),
        }
    }
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Null,
    Number(i64),
    Count(u64),
    Text(Cow<'a, str>),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Value<'a> {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_none(),
            Value::Number(number) => serializer.serialize_i64(*number),
            Value::Count(count) => serializer.serialize_u64(*count),
            Value::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// Appends the values of a row, given by its number, in the order of the columns.
pub(super) type Row<'a> = dyn Fn(usize, &mut Vec<Value<'a>>) + 'a;

/// Writes `rows` rows.
pub(super) fn print<'a>(
    format: Format,
    out: &mut dyn Write,
    complete_to: &CompleteTo,
    time_zone: &str,
    columns: &[&str],
    rows: usize,
    row: &Row<'a>,
) -> io::Result<()> {
    match format {
        Format::Table => {
            table(out, columns, rows, row)?;
            writeln!(out, "{complete_to} Days are those of {time_zone}.")
        }
        Format::Csv => csv(out, columns, rows, row),
        Format::Json => {
            out.write_all(json_head(complete_to, time_zone).as_bytes())?;
            json_rows(out, columns, rows, row)?;
            out.write_all(b"]}\n")
        }
    }
}

/// What stands before the rows of an answer in JSON.
pub fn json_head(complete_to: &CompleteTo, time_zone: &str) -> String {
    let json = |part: serde_json::Result<String>| part.expect("texts, numbers and maps of texts are JSON");
    let (complete_to, time_zone) = (json(serde_json::to_string(complete_to)), json(serde_json::to_string(time_zone)));
    format!("{{\"complete_to\":{complete_to},\"time_zone\":{time_zone},\"rows\":[")
}

fn json_rows<'a>(out: &mut dyn Write, columns: &[&str], rows: usize, row: &Row<'a>) -> io::Result<()> {
    let mut values = Vec::with_capacity(columns.len());
    for number in 0..rows {
        values.clear();
        row(number, &mut values);
        out.write_all(if number == 0 { b"\n{" } else { b",\n{" })?;
        for (index, (column, value)) in columns.iter().zip(&values).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(out, "{comma}\"{column}\":")?;
            serde_json::to_writer(&mut *out, value)?;
        }
        out.write_all(b"}")?;
    }
    if rows > 0 { out.write_all(b"\n") } else { Ok(()) }
}

fn csv<'a>(out: &mut dyn Write, columns: &[&str], rows: usize, row: &Row<'a>) -> io::Result<()> {
    writeln!(out, "{}", columns.join(","))?;
    let mut values = Vec::with_capacity(columns.len());
    for number in 0..rows {
        values.clear();
        row(number, &mut values);
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                out.write_all(b",")?;
            }
            match value {
                Value::Null => {}
                Value::Number(number) => write!(out, "{number}")?,
                Value::Count(count) => write!(out, "{count}")?,
                Value::Text(text) => csv_text(out, text)?,
            }
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes a text as a field: in quotes where it holds a quote, a comma or a line end.
pub(super) fn csv_text(out: &mut dyn Write, text: &str) -> io::Result<()> {
    if text.contains(['"', ',', '\n', '\r']) {
        write!(out, "\"{}\"", text.replace('"', "\"\""))
    } else {
        out.write_all(text.as_bytes())
    }
}

fn table<'a>(out: &mut dyn Write, columns: &[&str], rows: usize, row: &Row<'a>) -> io::Result<()> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.len()).collect();
    let mut right = vec![false; columns.len()];
    let mut values = Vec::with_capacity(columns.len());
    for number in 0..rows {
        values.clear();
        row(number, &mut values);
        for (index, value) in values.iter().enumerate() {
            widths[index] = widths[index].max(length(&cell(value)));
            right[index] |= matches!(value, Value::Number(_) | Value::Count(_));
        }
    }
    let mut text = String::new();
    let mut line = |out: &mut dyn Write, cells: &[Cow<'_, str>]| {
        text.clear();
        for (index, cell) in cells.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { "  " });
            let blanks = std::iter::repeat_n(' ', widths[index] - length(cell));
            if right[index] {
                text.extend(blanks);
                text.push_str(cell);
            } else {
                text.push_str(cell);
                text.extend(blanks);
            }
        }
        // Nothing is written after the last text, not even blanks.
        text.truncate(text.trim_end().len());
        text.push('\n');
        out.write_all(text.as_bytes())
    };
    line(out, &columns.iter().map(|column| Cow::Borrowed(*column)).collect::<Vec<_>>())?;
    let rule: Vec<Cow<'_, str>> = widths.iter().map(|width| Cow::Owned("─".repeat(*width))).collect();
    line(out, &rule)?;
    for number in 0..rows {
        values.clear();
        row(number, &mut values);
        line(out, &values.iter().map(cell).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// A table's texts are cut here: a change can be megabytes long.
const LONGEST_CELL: usize = 120;

fn length(cell: &str) -> usize {
    if cell.is_ascii() { cell.len() } else { cell.chars().count() }
}

fn cell<'v>(value: &'v Value<'_>) -> Cow<'v, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::Count(count) => Cow::Owned(count.to_string()),
        Value::Text(text) => shown(text),
    }
}

/// A text on one line, not longer than a cell.
fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST_CELL) {
        Some((end, _)) => Cow::Owned(format!("{}…", printable(&text[..end]))),
        None => printable(text),
    }
}
