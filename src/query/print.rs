//! Answers as text: a table for people, CSV and JSON for programs. The one printer of rows, also of streamed ones.

use std::borrow::Cow;
use std::io::{self, Write};
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::{RejectCount, ViewColumn};
use crate::book::CompleteTo;
use crate::book::printable;
use crate::sql::BadValues;

/// The format of a printed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for people: control characters escaped, long texts cut.
    Table,
    /// RFC 4180 with a header row; lines end in a line feed, null is an empty field.
    Csv,
    /// One object `{"complete_to", "time_zone", "rejects", "rows"}`, a row a line.
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
pub(super) enum FieldValue<'a> {
    Null,
    Number(i64),
    Count(u64),
    /// A number or a literal, as JSON writes it.
    Exact(String),
    Text(Cow<'a, str>),
}

impl<'a> From<&'a str> for FieldValue<'a> {
    fn from(text: &'a str) -> FieldValue<'a> {
        FieldValue::Text(Cow::Borrowed(text))
    }
}

impl From<String> for FieldValue<'_> {
    fn from(text: String) -> Self {
        FieldValue::Text(Cow::Owned(text))
    }
}

impl Serialize for FieldValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            FieldValue::Null => serializer.serialize_none(),
            FieldValue::Number(number) => serializer.serialize_i64(*number),
            FieldValue::Count(count) => serializer.serialize_u64(*count),
            FieldValue::Exact(text) => serializer.serialize_str(text),
            FieldValue::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// Appends the values of a row, given by its number, in the order of the columns.
pub(super) type Row<'a> = dyn Fn(usize, &mut Vec<FieldValue<'a>>) + 'a;

/// What an answer says about itself, before or after its rows.
#[derive(Clone, Copy, Debug)]
pub struct AnswerHead<'a> {
    /// The commit that it is complete to.
    pub complete_to: &'a CompleteTo,
    /// The IANA name of the zone of the book's days.
    pub time_zone: &'a str,
    /// The rejects of its days.
    pub rejects: RejectCount,
    /// With a condition: the values that it could not compute.
    pub bad_values: Option<&'a BadValues>,
    /// The cursor of the next page, where there is one.
    pub next: Option<&'a str>,
    /// The columns of the rows, where they are not always the same.
    pub columns: Option<&'a [ViewColumn]>,
}

/// Writes `rows` rows.
pub(super) fn print<'a>(
    format: Format,
    out: &mut dyn Write,
    head: AnswerHead<'_>,
    columns: &[&str],
    rows: usize,
    row: &Row<'a>,
) -> io::Result<()> {
    match format {
        Format::Table => {
            table(out, columns, rows, row)?;
            let AnswerHead { complete_to, time_zone, rejects, bad_values, next, columns: _ } = head;
            let next = next.map_or_else(String::new, |next| format!(" There are more: --cursor {next}"));
            writeln!(out, "{complete_to} Days are those of {time_zone}. {rejects}{next}")?;
            match bad_values {
                Some(bad) if bad.count > 0 => writeln!(out, "{bad}"),
                _ => Ok(()),
            }
        }
        Format::Csv => write_rows(RowStyle::Csv, out, columns, rows, row),
        Format::Json => {
            out.write_all(head.json().as_bytes())?;
            write_rows(RowStyle::JsonLines, out, columns, rows, row)?;
            out.write_all(b"]}\n")
        }
    }
}

impl AnswerHead<'_> {
    /// The text before the rows of an answer in JSON.
    pub fn json(&self) -> String {
        let json = |part: serde_json::Result<String>| part.expect("texts, numbers and maps of texts are JSON");
        let complete_to = json(serde_json::to_string(self.complete_to));
        let time_zone = json(serde_json::to_string(self.time_zone));
        let rejects = json(serde_json::to_string(&self.rejects));
        let bad = self
            .bad_values
            .map_or_else(String::new, |bad| format!("\"bad_values\":{},", json(serde_json::to_string(bad))));
        let next = self.next.map_or_else(String::new, |next| format!("\"next\":\"{next}\","));
        let columns = self
            .columns
            .map_or_else(String::new, |columns| format!("\"columns\":{},", json(serde_json::to_string(columns))));
        format!(
            "{{\"complete_to\":{complete_to},\"time_zone\":{time_zone},\"rejects\":{rejects},{bad}{next}{columns}\"rows\":["
        )
    }
}

/// The style of rows in CSV or JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowStyle {
    /// JSON objects, each on a line of its own.
    JsonLines,
    /// JSON objects, all on one line.
    Json,
    /// RFC 4180 with a header row.
    Csv,
}

impl RowStyle {
    /// Appends the text before all rows.
    pub(super) fn header(self, columns: &[&str], out: &mut Vec<u8>) {
        if self == RowStyle::Csv {
            out.extend_from_slice(columns.join(",").as_bytes());
            out.push(b'\n');
        }
    }

    /// The text before a row.
    pub(super) fn row_start(self, is_first: bool) -> &'static [u8] {
        match (self, is_first) {
            (RowStyle::Csv, _) => b"",
            (RowStyle::JsonLines, true) => b"\n{",
            (RowStyle::JsonLines, false) => b",\n{",
            (RowStyle::Json, true) => b"{",
            (RowStyle::Json, false) => b",{",
        }
    }

    /// Appends a field; the caller puts a comma between fields.
    pub(super) fn field(self, column: &str, value: &FieldValue<'_>, out: &mut Vec<u8>) {
        const MEMORY: &str = "memory takes all bytes";
        if self != RowStyle::Csv {
            write!(out, "\"{column}\":").expect(MEMORY);
        }
        match value {
            FieldValue::Count(count) => write_number(*count, out),
            FieldValue::Number(number) => write!(out, "{number}").expect(MEMORY),
            FieldValue::Exact(text) => out.extend_from_slice(text.as_bytes()),
            FieldValue::Null if self == RowStyle::Csv => {}
            FieldValue::Null => out.extend_from_slice(b"null"),
            FieldValue::Text(text) if self == RowStyle::Csv => csv_text(text, out),
            FieldValue::Text(text) => serde_json::to_writer(out, text).expect(MEMORY),
        }
    }

    /// Appends a row.
    pub(super) fn row(self, columns: &[&str], values: &[FieldValue<'_>], is_first: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(self.row_start(is_first));
        for (index, (column, value)) in columns.iter().zip(values).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.field(column, value, out);
        }
        out.extend_from_slice(self.row_end());
    }

    /// The text after a row.
    pub(super) fn row_end(self) -> &'static [u8] {
        if self == RowStyle::Csv { b"\n" } else { b"}" }
    }

    /// The text after all rows.
    pub(super) fn end(self, has_rows: bool) -> &'static [u8] {
        if has_rows && self == RowStyle::JsonLines { b"\n" } else { b"" }
    }
}

/// The size of the pieces in which text is written.
pub(super) const PIECE: usize = 64 << 10;

fn write_rows<'a>(
    style: RowStyle,
    out: &mut dyn Write,
    columns: &[&str],
    rows: usize,
    row: &Row<'a>,
) -> io::Result<()> {
    let mut text = Vec::new();
    style.header(columns, &mut text);
    let mut values = Vec::with_capacity(columns.len());
    for number in 0..rows {
        values.clear();
        row(number, &mut values);
        style.row(columns, &values, number == 0, &mut text);
        if text.len() >= PIECE {
            out.write_all(&text)?;
            text.clear();
        }
    }
    text.extend_from_slice(style.end(rows > 0));
    out.write_all(&text)
}

/// Appends a text as a field: in quotes where it holds a quote, a comma or a line end.
fn csv_text(text: &str, out: &mut Vec<u8>) {
    if text.contains(['"', ',', '\n', '\r']) {
        out.push(b'"');
        out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Appends a number in decimal digits: an answer has a million of them, and a formatter would take most of its time.
fn write_number(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let (mut first, mut rest) = (digits.len(), number);
    loop {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return out.extend_from_slice(&digits[first..]);
        }
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
            right[index] |= matches!(value, FieldValue::Number(_) | FieldValue::Count(_) | FieldValue::Exact(_));
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
        // Lines have no trailing blanks.
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

/// The length at which a table's texts are cut: a change can be megabytes long.
const LONGEST_CELL: usize = 120;

fn length(cell: &str) -> usize {
    if cell.is_ascii() { cell.len() } else { cell.chars().count() }
}

fn cell<'v>(value: &'v FieldValue<'_>) -> Cow<'v, str> {
    match value {
        FieldValue::Null => Cow::Borrowed(""),
        FieldValue::Number(number) => Cow::Owned(number.to_string()),
        FieldValue::Count(count) => Cow::Owned(count.to_string()),
        FieldValue::Exact(text) => Cow::Borrowed(text),
        FieldValue::Text(text) => shown(text),
    }
}

/// A text on one line, not longer than a cell.
fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST_CELL) {
        Some((end, _)) => Cow::Owned(format!("{}…", printable(&text[..end]))),
        None => printable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::write_number;

    #[test]
    fn numbers_are_written_in_digits() {
        for number in [0, 9, 10, 1_048_576, u64::MAX] {
            let mut out = Vec::new();
            write_number(number, &mut out);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
