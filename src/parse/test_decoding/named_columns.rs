//! Some columns of many lines, as arrow columns: what expressions read of the changed rows.
//!
//! Only the builders allocate: names are compared as they are printed, and a value's quotes are removed while it is copied.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::StringBuilder;

use super::row_values::{PrintedText, RowValues};
use crate::sql::RowSide;

/// Reads the values of named columns from lines, one row for each line.
///
/// A value is NULL where the line does not have it: a side that the change does not have, a column that the table does not
/// have, SQL's NULL, a large value that did not change and was not sent, a line that is no change of one row.
#[derive(Debug)]
pub struct NamedColumns {
    values: RowValues,
    builders: Vec<StringBuilder>,
}

impl NamedColumns {
    /// Begins columns, given by the row of their values and their unquoted names.
    pub fn new<'n>(columns: impl IntoIterator<Item = (RowSide, &'n str)>) -> NamedColumns {
        let mut builders = Vec::new();
        let values = RowValues::new(columns.into_iter().inspect(|_| builders.push(StringBuilder::new())));
        NamedColumns { values, builders }
    }

    /// Appends the values of a line.
    pub fn push(&mut self, line: &str) {
        self.values.read(line);
        for (column, builder) in self.builders.iter_mut().enumerate() {
            append_value(builder, self.values.value(column, line));
        }
    }

    /// Ends the columns, in the order in which they were given, and begins new ones.
    pub fn finish(&mut self) -> Vec<ArrayRef> {
        self.builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect()
    }
}

/// Appends a value without its quotes.
pub fn append_value(builder: &mut StringBuilder, value: Option<PrintedText<'_>>) {
    use std::fmt::Write;
    match value {
        None => builder.append_null(),
        Some(PrintedText { text, has_doubled_quotes: false }) => builder.append_value(text),
        Some(PrintedText { text, has_doubled_quotes: true }) => {
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
