//! Some columns of many lines, as arrow columns: what expressions read of the changed rows.
//!
//! Only the builders allocate: names are compared as they are printed, and a value's quotes are removed while it is copied.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::StringBuilder;

use super::name::Name;
use super::statement::{Statement, read_line};
use super::tuple::{PrintedValue, TupleScanner};
use crate::change::Operation;
use crate::sql::RowSide;

/// Reads the values of named columns from lines, one row for each line.
///
/// A value is NULL where the line does not have it: a side that the change does not have, a column that the table does not
/// have, SQL's NULL, a large value that did not change and was not sent, a line that is no change of one row.
#[derive(Debug)]
pub struct NamedColumns {
    wanted: Vec<WantedColumn>,
}

#[derive(Debug)]
struct WantedColumn {
    side: RowSide,
    name: String,
    builder: StringBuilder,
}

impl NamedColumns {
    /// Begins columns, given by the row of their values and their unquoted names.
    pub fn new<'n>(columns: impl IntoIterator<Item = (RowSide, &'n str)>) -> NamedColumns {
        let wanted =
            |(side, name): (RowSide, &str)| WantedColumn { side, name: name.to_owned(), builder: StringBuilder::new() };
        NamedColumns { wanted: columns.into_iter().map(wanted).collect() }
    }

    /// Appends the values of a line.
    pub fn push(&mut self, line: &str) {
        let tuples = tuples(line);
        for WantedColumn { side, name, builder } in &mut self.wanted {
            let (old, new) = tuples.unwrap_or_default();
            let value = match side {
                RowSide::New => find(new, name),
                RowSide::Old => find(old, name),
                RowSide::Key => find(old, name).or_else(|| find(new, name)),
            };
            append(builder, value);
        }
    }

    /// Ends the columns, in the order in which they were given, and begins new ones.
    pub fn finish(&mut self) -> Vec<ArrayRef> {
        self.wanted.iter_mut().map(|column| Arc::new(column.builder.finish()) as ArrayRef).collect()
    }
}

/// The text of the old and of the new tuple of a line; `None` for one that is not the change of a row.
fn tuples(line: &str) -> Option<(&str, &str)> {
    let Statement::Change { table, operation } = read_line(line).ok()? else { return None };
    let tuples = tuples_of(line, &table)?;
    let mut scanner = TupleScanner { rest: tuples };
    match operation {
        Operation::Delete => Some((scan_end(&mut scanner)?, "")),
        Operation::Update if scanner.skip(" old-key:") => {
            let old = scan(&mut scanner)?;
            if !scanner.skip(" new-tuple:") {
                return None;
            }
            Some((old, scan_end(&mut scanner)?))
        }
        _ => Some(("", scan_end(&mut scanner)?)),
    }
}

fn tuples_of<'a>(line: &'a str, table: &Name<'_>) -> Option<&'a str> {
    line.get("table ".len() + table.text().len() + ": INSERT:".len()..)
}

/// The text of one tuple, whose columns can all be read.
fn scan<'a>(scanner: &mut TupleScanner<'a>) -> Option<&'a str> {
    let start = scanner.rest;
    if scanner.skip(" (no-tuple-data)") {
        return Some("");
    }
    while scanner.has_column() {
        scanner.printed_column()?;
    }
    Some(&start[..start.len() - scanner.rest.len()])
}

/// The same for the last tuple of a line.
fn scan_end<'a>(scanner: &mut TupleScanner<'a>) -> Option<&'a str> {
    scan(scanner).filter(|_| scanner.rest.is_empty())
}

/// The value of a column of a tuple; `None` if it is NULL or not there.
fn find<'a>(tuple: &'a str, name: &str) -> Option<(&'a str, bool)> {
    let mut scanner = TupleScanner { rest: tuple };
    while !scanner.rest.is_empty() {
        let (identifier, value) = scanner.printed_column()?;
        if is_name(identifier, name) {
            return match value {
                PrintedValue::Text { text, has_doubled_quotes } => Some((text, has_doubled_quotes)),
                PrintedValue::Null | PrintedValue::Unchanged => None,
            };
        }
    }
    None
}

/// Whether a printed identifier is the name.
fn is_name(identifier: &str, name: &str) -> bool {
    let Some(quoted) = identifier.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return identifier == name;
    };
    let mut pieces = quoted.split("\"\"");
    let mut rest = name;
    let first = pieces.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    for piece in pieces {
        match rest.strip_prefix('"').and_then(|rest| rest.strip_prefix(piece)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

fn append(builder: &mut StringBuilder, value: Option<(&str, bool)>) {
    use std::fmt::Write;
    match value {
        None => builder.append_null(),
        Some((text, false)) => builder.append_value(text),
        Some((text, true)) => {
            for (number, piece) in text.split("''").enumerate() {
                // Writing to a builder cannot fail.
                let _ = if number == 0 { Ok(()) } else { builder.write_char('\'') };
                let _ = builder.write_str(piece);
            }
            builder.append_value("");
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;

    use super::*;
    use crate::parse::{ColumnValue, read_row};

    /// The values of columns in one line: `new.a`, `old."x y"`.
    fn values(line: &str, columns: &[(RowSide, &str)]) -> Vec<Option<String>> {
        let mut named = NamedColumns::new(columns.iter().copied());
        named.push(line);
        let values = named.finish();
        values.iter().map(|column| column.as_string::<i32>().iter().next().flatten().map(str::to_owned)).collect()
    }

    #[test]
    fn each_side_has_its_values() {
        use RowSide::{Key, New, Old};
        let all = [(New, "id"), (Old, "id"), (Key, "id"), (New, "v"), (Old, "v"), (Key, "v")];
        for (line, expected) in [
            (
                "table public.t: INSERT: id[integer]:1 v[text]:'it''s'",
                [Some("1"), None, Some("1"), Some("it's"), None, Some("it's")],
            ),
            (
                "table public.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 v[text]:null",
                [Some("2"), Some("1"), Some("1"), None, None, None],
            ),
            (
                "table public.t: UPDATE: id[integer]:1 v[text]:unchanged-toast-datum",
                [Some("1"), None, Some("1"), None, None, None],
            ),
            ("table public.t: DELETE: id[integer]:1", [None, Some("1"), Some("1"), None, None, None]),
            ("table public.t: DELETE: (no-tuple-data)", [None; 6]),
            (
                "table public.t: INSERT: id[bit]:B'0101' v[text]:''''",
                [Some("0101"), None, Some("0101"), Some("'"), None, Some("'")],
            ),
            ("table public.t: TRUNCATE: (no-flags)", [None; 6]),
            ("table public.t: INSERT: id[integer]:1 v[text]:'cut", [None; 6]),
            ("BEGIN 5", [None; 6]),
        ] {
            let expected = expected.map(|value| value.map(str::to_owned));
            assert_eq!(values(line, &all), expected, "{line}");
        }
    }

    #[test]
    fn names_are_compared_as_they_are_printed() {
        let line =
            "table public.t: INSERT: \"we\"\"ird\"[text]:'1' \"a b\"[text]:'2' plain[text]:'3' \"user\"[text]:'4'";
        let columns =
            ["we\"ird", "a b", "plain", "user", "we", "we\"\"ird", "Plain", ""].map(|name| (RowSide::New, name));
        let expected = [Some("1"), Some("2"), Some("3"), Some("4"), None, None, None, None];
        assert_eq!(values(line, &columns), expected.map(|value| value.map(str::to_owned)));
    }

    #[test]
    fn the_values_are_those_of_the_reader_of_one_row() {
        for line in [
            "table public.t: UPDATE: old-key: a[text]:'x''y' b[text]:'new-tuple: ' new-tuple: a[text]:'''' b[text]:null c[json]:'{}'",
            "table public.t: INSERT: a[text[]]:'{\"a b\",NULL}' b[text]:'' c[numeric]:1e+20",
        ] {
            let row = read_row(line).expect("a row");
            for column in row.columns {
                let text = |value: Option<ColumnValue<'_>>| match value {
                    Some(ColumnValue::Text(text)) => Some(text.into_owned()),
                    _ => None,
                };
                let columns = [(RowSide::New, &*column.name), (RowSide::Old, &*column.name)];
                assert_eq!(values(line, &columns), [text(column.new), text(column.old)], "{line}");
            }
        }
    }
}
