//! The columns and values in a line of test_decoding, for readers of one change.
//!
//! Grammar: contrib/test_decoding/test_decoding.c, `tuple_to_stringinfo`. The counts never depend on a value, so this is not part of
//! the way into the book.

use std::borrow::Cow;
use std::collections::HashMap;

use super::name::{Name, identifier_len, unquoted};
use crate::change::Operation;
use crate::parse::{Statement, read_line};

/// The row that a line changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowChange<'a> {
    /// The columns in the order of the table.
    pub columns: Vec<Column<'a>>,
    /// Whether the line holds old values of the row.
    pub has_old: bool,
    /// The options of a TRUNCATE: `restart_seqs`, `cascade`.
    pub options: Option<&'a str>,
}

/// A column and its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    /// Its name, unquoted.
    pub name: Cow<'a, str>,
    /// Its type as PostgreSQL prints it: `character varying`, `integer[]`.
    pub kind: &'a str,
    /// The old value; `None` when the line has none.
    pub old: Option<ColumnValue<'a>>,
    /// The new value; `None` when the line has none.
    pub new: Option<ColumnValue<'a>>,
}

/// A value as a line holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnValue<'a> {
    /// NULL.
    Null,
    /// A large value that did not change and was not sent again.
    Unchanged,
    /// Anything else, without its quotes.
    Text(Cow<'a, str>),
}

/// Reads the columns of a line; `None` for one that holds no change, or that test_decoding does not print.
pub fn read_row(line: &str) -> Option<RowChange<'_>> {
    let tuple = |name: &Name<'_>| line.get("table ".len() + name.text().len() + ": INSERT:".len()..);
    match read_line(line).ok()? {
        Statement::Marker => None,
        Statement::Truncate(_) => {
            const FLAGS: [&str; 3] = ["restart_seqs", "cascade", "restart_seqs cascade"];
            let flags = line.rsplit_once(": TRUNCATE: ").map(|(_, flags)| flags);
            let options = flags.filter(|flags| FLAGS.contains(flags));
            Some(RowChange { options, ..RowChange::default() })
        }
        Statement::Change { table, operation } => read_tuples(operation, tuple(&table)?),
    }
}

fn read_tuples(operation: Operation, tuples: &str) -> Option<RowChange<'_>> {
    let mut scanner = TupleScanner { rest: tuples };
    let has_key = operation == Operation::Update && scanner.skip(" old-key:");
    let old = if has_key || operation == Operation::Delete { scanner.tuple()? } else { Vec::new() };
    if has_key && !scanner.skip(" new-tuple:") {
        return None;
    }
    let new = scanner.tuple()?;
    if !scanner.rest.is_empty() {
        return None;
    }
    let has_old = has_key || !old.is_empty();
    // The old part lacks columns that were null: the new part has the order of the table.
    let mut olds: HashMap<Cow<'_, str>, (&str, ColumnValue<'_>)> = HashMap::new();
    let mut order = Vec::new();
    for (name, kind, value) in old {
        order.push(name.clone());
        olds.insert(name, (kind, value));
    }
    let mut columns = Vec::with_capacity(new.len().max(order.len()));
    for (name, kind, value) in new {
        let old = olds.remove(&name).map(|(_, value)| value);
        columns.push(Column { name, kind, old, new: Some(value) });
    }
    for name in order {
        if let Some((kind, value)) = olds.remove(&name) {
            columns.push(Column { name, kind, old: Some(value), new: None });
        }
    }
    Some(RowChange { columns, has_old, options: None })
}

/// A column's name, its type, and its value.
type ColumnCell<'a> = (Cow<'a, str>, &'a str, ColumnValue<'a>);

/// Reads the tuples behind `table NAME: OPERATION:`.
struct TupleScanner<'a> {
    rest: &'a str,
}

impl<'a> TupleScanner<'a> {
    fn skip(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Reads columns up to the end of the line or of the old part.
    fn tuple(&mut self) -> Option<Vec<ColumnCell<'a>>> {
        let mut columns = Vec::new();
        if self.skip(" (no-tuple-data)") {
            return Some(columns);
        }
        while self.has_column() {
            columns.push(self.column()?);
        }
        Some(columns)
    }

    /// Whether the tuple has one more column.
    fn has_column(&self) -> bool {
        !self.rest.is_empty() && !self.rest.starts_with(" new-tuple:")
    }

    /// Reads ` name[type]:value`.
    fn column(&mut self) -> Option<ColumnCell<'a>> {
        let (identifier, kind, text) = column_head(self.rest)?;
        let (value, rest) = value(text)?;
        self.end_column(rest)?;
        Some((unquoted(identifier), kind, value))
    }

    fn end_column(&mut self, rest: &'a str) -> Option<()> {
        if !rest.is_empty() && !rest.starts_with(' ') {
            return None;
        }
        self.rest = rest;
        Some(())
    }
}

/// The printed name and the type of the column at the start of a text, and what follows them.
pub(super) fn column_head(text: &str) -> Option<(&str, &str, &str)> {
    let text = text.strip_prefix(' ')?;
    let end = identifier_len(text.as_bytes()).ok()?;
    let (identifier, text) = (&text[..end], text[end..].strip_prefix('[')?);
    let end = kind_len(text)?;
    Some((identifier, &text[..end], &text[end + "]:".len()..]))
}

/// The length of a type before its `]:`; brackets inside are balanced, and quoted names may hold anything.
fn kind_len(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut place, mut depth) = (0, 0usize);
    loop {
        match bytes.get(place)? {
            b'"' => place += identifier_len(&bytes[place..]).ok()?,
            b'[' => {
                depth += 1;
                place += 1;
            }
            b']' if depth > 0 => {
                depth -= 1;
                place += 1;
            }
            b']' => return (bytes.get(place + 1) == Some(&b':')).then_some(place),
            _ => place += 1,
        }
    }
}

/// The value at the start of a text, and what follows it.
fn value(text: &str) -> Option<(ColumnValue<'_>, &str)> {
    let (value, rest) = printed_value(text)?;
    let value = match value {
        PrintedValue::Null => ColumnValue::Null,
        PrintedValue::Unchanged => ColumnValue::Unchanged,
        PrintedValue::Text { text, has_doubled_quotes: false } => ColumnValue::Text(Cow::Borrowed(text)),
        PrintedValue::Text { text, .. } => ColumnValue::Text(Cow::Owned(text.replace("''", "'"))),
    };
    Some((value, rest))
}

/// A value as it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrintedValue<'a> {
    Null,
    Unchanged,
    /// What stands between its quotes, if it has any.
    Text {
        text: &'a str,
        has_doubled_quotes: bool,
    },
}

/// The printed value at the start of a text, and what follows it.
pub(super) fn printed_value(text: &str) -> Option<(PrintedValue<'_>, &str)> {
    let opening = match text.as_bytes() {
        [b'\'', ..] => "'",
        [b'B', b'\'', ..] => "B'",
        _ => "",
    };
    let inner = &text[opening.len()..];
    if opening.is_empty() {
        let end = memchr::memchr(b' ', text.as_bytes()).unwrap_or(text.len());
        let value = match &text[..end] {
            "" => return None,
            "null" => PrintedValue::Null,
            "unchanged-toast-datum" => PrintedValue::Unchanged,
            bare => PrintedValue::Text { text: bare, has_doubled_quotes: false },
        };
        return Some((value, &text[end..]));
    }
    let mut end = 0;
    let mut has_doubled_quotes = false;
    loop {
        end += memchr::memchr(b'\'', &inner.as_bytes()[end..])?;
        if inner.as_bytes().get(end + 1) != Some(&b'\'') {
            break;
        }
        has_doubled_quotes = true;
        end += 2;
    }
    Some((PrintedValue::Text { text: &inner[..end], has_doubled_quotes }, &inner[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns as `name type old > new`, with `-` for a side that the line does not have.
    fn columns(line: &str) -> Vec<String> {
        let side = |value: &Option<ColumnValue<'_>>| match value {
            None => "-".to_owned(),
            Some(ColumnValue::Null) => "NULL".to_owned(),
            Some(ColumnValue::Unchanged) => "UNCHANGED".to_owned(),
            Some(ColumnValue::Text(text)) => format!("<{text}>"),
        };
        let row = read_row(line).unwrap_or_else(|| panic!("{line}"));
        row.columns.iter().map(|of| format!("{} {} {} > {}", of.name, of.kind, side(&of.old), side(&of.new))).collect()
    }

    #[test]
    fn a_line_gives_its_columns() {
        for (line, expected) in [
            (
                "table public.data: INSERT: id[integer]:3 data[text]:'3'",
                &["id integer - > <3>", "data text - > <3>"][..],
            ),
            (
                "table public.r: INSERT: text[character varying]:'4' bar[integer]:null",
                &["text character varying - > <4>", "bar integer - > NULL"],
            ),
            (
                "table public.tr_oddlength: UPDATE: old-key: id[text]:'ab' new-tuple: id[text]:'x' data[text]:'quux'",
                &["id text <ab> > <x>", "data text - > <quux>"],
            ),
            (
                "table public.xpto: UPDATE: id[integer]:1 c[text]:unchanged-toast-datum r[double precision]:123.456",
                &["id integer - > <1>", "c text - > UNCHANGED", "r double precision - > <123.456>"],
            ),
            ("table public.tr_pkey: DELETE: id[integer]:1", &["id integer <1> > -"]),
            ("table public.t: DELETE: (no-tuple-data)", &[]),
            ("table public.t: INSERT: (no-tuple-data)", &[]),
            ("table public.t: INSERT:", &[]),
            ("table public.\"user\": INSERT: \"order\"[integer]:1", &["order integer - > <1>"]),
            (
                "table \"Sales Dept\".\"Q1:2024\": UPDATE: \"a]b: c[d\"[integer]:1 \"x\"\"y\"[\"My ]:Type\"]:'v'",
                &["a]b: c[d integer - > <1>", "x\"y \"My ]:Type\" - > <v>"],
            ),
            ("table public.t: INSERT: a[text]:''''''", &["a text - > <''>"]),
            ("table public.t: INSERT: a[character varying]:'ends with '''", &["a character varying - > <ends with '>"]),
            (
                "table public.t: INSERT: b[bit varying]:B'0101' c[integer]:1",
                &["b bit varying - > <0101>", "c integer - > <1>"],
            ),
            (
                "table public.t: INSERT: tags[integer[]]:'{1,2}' m[text[]]:'{\"a b\",NULL}'",
                &["tags integer[] - > <{1,2}>", "m text[] - > <{\"a b\",NULL}>"],
            ),
            (
                "table public.t: INSERT: f[double precision]:NaN g[real]:-Infinity h[numeric]:1e+20",
                &["f double precision - > <NaN>", "g real - > <-Infinity>", "h numeric - > <1e+20>"],
            ),
            (
                "table public.t: INSERT: a[text]:'x'' UPDATE: table public.z: DELETE: id[integer]:1'",
                &["a text - > <x' UPDATE: table public.z: DELETE: id[integer]:1>"],
            ),
            (
                "table public.t: INSERT: a[text]:'C:\\dir\\' b[integer]:1",
                &["a text - > <C:\\dir\\>", "b integer - > <1>"],
            ),
            (
                "table public.t: UPDATE: old-key: a[text]:'new-tuple: ' new-tuple: a[text]:'b'",
                &["a text <new-tuple: > > <b>"],
            ),
            // Nulls are left out of the old part; the table's order is that of the new one.
            (
                "table public.t: UPDATE: old-key: b[integer]:1 z[integer]:9 new-tuple: a[integer]:null b[integer]:2",
                &["a integer - > NULL", "b integer <1> > <2>", "z integer <9> > -"],
            ),
        ] {
            assert_eq!(columns(line), expected, "{line}");
        }
    }

    #[test]
    fn a_line_with_the_old_row_is_recognized() {
        let has_old = |line| read_row(line).expect("a change").has_old;
        assert!(has_old("table public.t: DELETE: id[integer]:1"));
        assert!(!has_old("table public.t: DELETE: (no-tuple-data)"));
        assert!(has_old("table public.t: UPDATE: old-key: a[integer]:2 new-tuple: id[integer]:1"));
        assert!(!has_old("table public.t: UPDATE: id[integer]:1"));
    }

    #[test]
    fn a_truncate_gives_its_options() {
        let options = |line| read_row(line).expect("a change").options;
        assert_eq!(options("table public.tab1, public.tab2: TRUNCATE: (no-flags)"), None);
        assert_eq!(options("table public.tab1: TRUNCATE: restart_seqs cascade"), Some("restart_seqs cascade"));
        assert_eq!(options("table public.\": TRUNCATE: cascade\": TRUNCATE: (no-flags)"), None);
    }

    #[test]
    fn a_line_that_is_cut_or_invalid_has_no_columns() {
        let line =
            "table public.t: UPDATE: old-key: a[text]:'x''y' new-tuple: a[integer[]]:'{1}' \"b\"\"\"[\"T\"]:B'01'";
        assert_eq!(columns(line).len(), 2);
        for end in 0..line.len() {
            // Some cuts are lines too; none may panic.
            let _ = read_row(&line[..end]);
        }
        for line in [
            "",
            "BEGIN 1",
            "table public.t: INSERT: a[text]:'open",
            "table public.t: INSERT: a[text]:'x'b[text]:'y'",
            "table public.t: INSERT: a[text]:",
            "table public.t: INSERT: a[text",
            "table public.t: INSERT: a[text]]:1",
            "table public.t: INSERT: a[text]:1  b[text]:2",
            "table public.t: UPDATE: old-key: a[text]:1",
        ] {
            assert_eq!(read_row(line), None, "{line}");
        }
    }
}
