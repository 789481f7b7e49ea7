//! Change lines as PostgreSQL's test_decoding prints them.

use std::borrow::Cow;
use std::fmt::{Display, Write};

/// Those keywords among the names used here that PostgreSQL's `quote_identifier` quotes.
const KEYWORDS: [&str; 4] = ["order", "user", "group", "table"];

/// An identifier as PostgreSQL prints it: in quotes where it is a keyword or not plain lower case.
pub fn quoted(name: &str) -> Cow<'_, str> {
    let first = |b: u8| b.is_ascii_lowercase() || b == b'_';
    let plain = name.bytes().next().is_some_and(first) && name.bytes().all(|b| first(b) || b.is_ascii_digit());
    match plain && !KEYWORDS.contains(&name) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(format!("\"{}\"", name.replace('"', "\"\""))),
    }
}

/// A line under construction: columns are added from left to right.
#[derive(Clone, Debug)]
pub(super) struct ChangeLine(String);

impl ChangeLine {
    /// `table NAME: OP:`; `name` as [`quoted`] prints it.
    pub(super) fn new(name: &str, op: &str) -> ChangeLine {
        let mut text = String::with_capacity(256);
        // Writing to a String cannot fail, here and below.
        let _ = write!(text, "table {name}: {op}:");
        ChangeLine(text)
    }

    /// Begins the old key of an UPDATE that changes it.
    pub(super) fn old_key(mut self) -> ChangeLine {
        self.0.push_str(" old-key:");
        self
    }

    /// Ends the old key.
    pub(super) fn new_tuple(mut self) -> ChangeLine {
        self.0.push_str(" new-tuple:");
        self
    }

    /// A column whose value has no quotes: a number, a boolean or null.
    pub(super) fn bare(mut self, column: &str, kind: &str, value: impl Display) -> ChangeLine {
        let _ = write!(self.0, " {column}[{kind}]:{value}");
        self
    }

    /// An integer column.
    pub(super) fn int(self, column: &str, value: u64) -> ChangeLine {
        self.bare(column, "integer", value)
    }

    /// An amount of money in cents, printed as a numeric with two decimals.
    pub(super) fn amount(self, column: &str, cents: u64) -> ChangeLine {
        self.bare(column, "numeric", format_args!("{}.{:02}", cents / 100, cents % 100))
    }

    /// A column whose value is quoted; quotes inside are doubled, nothing else is escaped.
    pub(super) fn value(mut self, column: &str, kind: &str, value: &str) -> ChangeLine {
        let _ = write!(self.0, " {column}[{kind}]:'");
        for (i, part) in value.split('\'').enumerate() {
            self.0.push_str(if i == 0 { "" } else { "''" });
            self.0.push_str(part);
        }
        self.0.push('\'');
        self
    }

    /// A text column.
    pub(super) fn text(self, column: &str, value: &str) -> ChangeLine {
        self.value(column, "text", value)
    }

    /// A timestamp column.
    pub(super) fn time(self, column: &str, value: &str) -> ChangeLine {
        self.value(column, "timestamp with time zone", value)
    }

    /// The flags of a TRUNCATE.
    pub(super) fn flags(mut self, flags: &str) -> ChangeLine {
        let _ = write!(self.0, " {flags}");
        self
    }

    /// The finished line.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_postgresql_does() {
        for (name, printed) in [
            ("orders", "orders"),
            ("order", "\"order\""),
            ("Price List", "\"Price List\""),
            ("we\"ird", "\"we\"\"ird\""),
            ("2024", "\"2024\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(name), printed);
        }
    }

    #[test]
    fn a_line_reads_as_test_decoding_prints_it() {
        let line =
            ChangeLine::new("public.t", "UPDATE").old_key().int("id", 1).new_tuple().int("id", 2).text("v", "it's");
        assert_eq!(
            line.amount("price", 1205).bare("note", "text", "null").finish(),
            "table public.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 v[text]:'it''s' price[numeric]:12.05 note[text]:null"
        );
    }
}
