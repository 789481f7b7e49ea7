//! The values of some columns in a line, where they stand in it.
//!
//! The lines of a table print the same columns in the same order. So what stands before a value, ` name[type]:`, is compared with
//! what an earlier line had there, and is parsed only where it differs. No text that begins with such a head can be parsed
//! otherwise: the head itself shows where the name and the type end.

use super::statement::{Statement, read_line};
use super::tuple::{PrintedValue, column_head, printed_value};
use crate::sql::RowSide;

/// The most bytes of heads that are kept of a tuple: PostgreSQL's widest table has fewer.
const MOST_HEAD_BYTES: usize = 256 << 10;
/// How many of the columns that may follow are compared: an old tuple leaves out those that are NULL.
const NEXT_COLUMNS: usize = 8;

/// Finds the values of some columns in one line after the other.
#[derive(Debug)]
pub struct RowValues {
    /// For each column the row of its values, and the place of its name.
    wanted: Vec<(RowSide, usize)>,
    /// Each name once.
    names: Vec<String>,
    /// `table NAME: `, as the line before began.
    table: String,
    old: Tuple,
    new: Tuple,
}

/// A value as it is printed: quotes in it may be doubled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrintedText<'a> {
    pub(super) text: &'a str,
    pub(super) has_doubled_quotes: bool,
}

impl RowValues {
    /// Finds these columns, given by the row of their values and their unquoted names.
    pub fn new<'n>(columns: impl IntoIterator<Item = (RowSide, &'n str)>) -> RowValues {
        let mut names: Vec<String> = Vec::new();
        let mut place_of = |name: &str| {
            names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            })
        };
        let wanted = columns.into_iter().map(|(side, name)| (side, place_of(name))).collect();
        let tuple = || Tuple { layout: Layout::default(), values: vec![FoundValue::Missing; names.len()] };
        let (old, new) = (tuple(), tuple());
        RowValues { wanted, names, table: String::new(), old, new }
    }

    /// Finds the values of a line. One that is not the change of a row has none.
    pub fn read(&mut self, line: &str) {
        self.clear();
        if self.read_tuples(line).is_none() {
            self.clear();
        }
    }

    /// The value of a column in the line that was read last, which is to be given again; `None` where it is NULL or not there.
    pub fn value<'a>(&self, column: usize, line: &'a str) -> Option<PrintedText<'a>> {
        let (side, name) = self.wanted[column];
        match side {
            RowSide::New => self.new.values[name].printed(line),
            RowSide::Old => self.old.values[name].printed(line),
            RowSide::Key => self.old.values[name].printed(line).or_else(|| self.new.values[name].printed(line)),
        }
    }

    fn clear(&mut self) {
        self.old.values.fill(FoundValue::Missing);
        self.new.values.fill(FoundValue::Missing);
    }

    fn read_tuples(&mut self, line: &str) -> Option<()> {
        if self.table.is_empty() || !line.starts_with(&self.table) {
            let Statement::Change { table, .. } = read_line(line).ok()? else { return None };
            self.table.clear();
            self.table.push_str(line.get(.."table ".len() + table.text().len() + ": ".len())?);
        }
        let (operation, rest) = line[self.table.len()..].split_at_checked("INSERT:".len())?;
        let RowValues { names, old, new, .. } = self;
        let mut tuples = TupleText { line, rest };
        match operation {
            "INSERT:" => new.read(names, &mut tuples)?,
            "DELETE:" => old.read(names, &mut tuples)?,
            "UPDATE:" => {
                if tuples.skip(" old-key:") {
                    old.read(names, &mut tuples)?;
                    tuples.skip(" new-tuple:").then_some(())?;
                }
                new.read(names, &mut tuples)?;
            }
            _ => return None,
        }
        tuples.rest.is_empty().then_some(())
    }
}

/// The rest of a line.
struct TupleText<'a> {
    line: &'a str,
    rest: &'a str,
}

impl TupleText<'_> {
    fn skip(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

/// The old or the new row of lines.
#[derive(Debug)]
struct Tuple {
    layout: Layout,
    /// By the place of the name.
    values: Vec<FoundValue>,
}

impl Tuple {
    /// Reads the columns up to the end of the line or of the old row; `None` if one cannot be read.
    fn read(&mut self, names: &[String], tuples: &mut TupleText<'_>) -> Option<()> {
        if tuples.skip(" (no-tuple-data)") {
            return Some(());
        }
        let mut place = 0;
        while !tuples.rest.is_empty() {
            let found = self.layout.nearby(place, tuples.rest);
            if found.is_none() && tuples.rest.starts_with(" new-tuple:") {
                break;
            }
            let Head { len, name, place: next } = match found {
                Some(head) => head,
                None => self.layout.parse(place, tuples.rest, names)?,
            };
            let (value, rest) = printed_value(&tuples.rest[len..])?;
            if !rest.is_empty() && !rest.starts_with(' ') {
                return None;
            }
            // The first one counts, should a name stand there twice.
            if let Some(name) = name
                && self.values[name] == FoundValue::Missing
            {
                self.values[name] = FoundValue::of(value, tuples.line);
            }
            (place, tuples.rest) = (next, rest);
        }
        Some(())
    }
}

/// What stood before the values of a tuple.
#[derive(Debug, Default)]
struct Layout {
    /// ` name[type]:` of each column, one behind the other.
    heads: Vec<u8>,
    columns: Vec<KnownColumn>,
}

#[derive(Clone, Copy, Debug)]
struct KnownColumn {
    /// Where its head begins and ends.
    start: usize,
    end: usize,
    /// The place of its name, if its values are wanted.
    name: Option<usize>,
}

/// The head of a column.
struct Head {
    len: usize,
    name: Option<usize>,
    /// The place of the column that is expected next.
    place: usize,
}

impl Layout {
    /// The column that begins the text, if it is known to follow here.
    fn nearby(&self, place: usize, text: &str) -> Option<Head> {
        let next = self.columns.get(place..)?;
        let next = &next[..next.len().min(NEXT_COLUMNS)];
        let begins = |column: &KnownColumn| text.as_bytes().starts_with(&self.heads[column.start..column.end]);
        let skipped = next.iter().position(begins)?;
        let KnownColumn { start, end, name } = next[skipped];
        Some(Head { len: end - start, name, place: place + skipped + 1 })
    }

    /// Reads the column that begins the text; it is expected here in later lines.
    fn parse(&mut self, place: usize, text: &str, names: &[String]) -> Option<Head> {
        let (identifier, _, value) = column_head(text)?;
        let head = &text[..text.len() - value.len()];
        let name = names.iter().position(|name| is_name(identifier, name));
        if let Some(KnownColumn { start, .. }) = self.columns.get(place) {
            self.heads.truncate(*start);
            self.columns.truncate(place);
        }
        let start = self.heads.len();
        if head.len() > MOST_HEAD_BYTES - start {
            return Some(Head { len: head.len(), name, place });
        }
        self.heads.extend_from_slice(head.as_bytes());
        self.columns.push(KnownColumn { start, end: self.heads.len(), name });
        Some(Head { len: head.len(), name, place: place + 1 })
    }
}

/// A value of the line that was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FoundValue {
    Missing,
    Null,
    /// From one byte of the line to another.
    Text {
        start: usize,
        end: usize,
        has_doubled_quotes: bool,
    },
}

impl FoundValue {
    /// `value` is a part of the line.
    fn of(value: PrintedValue<'_>, line: &str) -> FoundValue {
        match value {
            PrintedValue::Null | PrintedValue::Unchanged => FoundValue::Null,
            PrintedValue::Text { text, has_doubled_quotes } => {
                let start = text.as_ptr().addr() - line.as_ptr().addr();
                FoundValue::Text { start, end: start + text.len(), has_doubled_quotes }
            }
        }
    }

    fn printed(self, line: &str) -> Option<PrintedText<'_>> {
        match self {
            FoundValue::Missing | FoundValue::Null => None,
            FoundValue::Text { start, end, has_doubled_quotes } => {
                Some(PrintedText { text: &line[start..end], has_doubled_quotes })
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `new.a` and `old.a`.
    fn values<'a>(reader: &mut RowValues, line: &'a str) -> [Option<&'a str>; 2] {
        reader.read(line);
        [0, 1].map(|column| reader.value(column, line).map(|value| value.text))
    }

    fn reader() -> RowValues {
        RowValues::new([(RowSide::New, "a"), (RowSide::Old, "a")])
    }

    #[test]
    fn lines_before_change_nothing() {
        let random = &mut fastrand::Rng::with_seed(11);
        // Columns whose heads begin alike, twice the same name, types with brackets, tables that begin alike.
        let columns = ["a[text]", "a[text[]]", "ab[text]", "\"a\"[text]", "\"a\"\"b\"[integer]", "b[\"x]:y\"]", "b[t]"];
        let printed = ["'1'", "null", "2", "unchanged-toast-datum", "'it''s'", "'", "B'01'", "' a[text]:9'", ""];
        let tables = ["public.t", "public.t2", "public.\"t\"", "public.\"t\": INSERT\"", "public.t, public.u"];
        let operations = [
            "INSERT:",
            "UPDATE:",
            "DELETE:",
            "TRUNCATE: (no-flags)",
            "UPDATE: old-key:",
            "INSERT: (no-tuple-data)",
            "INSERTS",
        ];
        let mut kept = reader();
        for _ in 0..20_000 {
            let tuple = |random: &mut fastrand::Rng| -> String {
                let column = |random: &mut fastrand::Rng| {
                    let value = if random.u8(0..8) == 0 { random.usize(0..printed.len()) } else { random.usize(0..4) };
                    format!(" {}:{}", columns[random.usize(0..columns.len())], printed[value])
                };
                (0..random.usize(0..5)).map(|_| column(random)).collect()
            };
            let mut line = format!(
                "table {}: {}{}",
                tables[random.usize(0..tables.len())],
                operations[random.usize(0..operations.len())],
                tuple(random)
            );
            if random.bool() {
                line.push_str(" new-tuple:");
                line.push_str(&tuple(random));
            }
            if random.u8(0..8) == 0 {
                line.truncate(random.usize(0..line.len()));
            }
            assert_eq!(values(&mut kept, &line), values(&mut reader(), &line), "{line}");
        }
    }

    #[test]
    fn a_column_that_is_left_out_is_passed_over() {
        let mut reader = reader();
        let line = "table public.t: UPDATE: old-key: b[text]:'1' c[text]:'2' a[text]:'3' new-tuple: a[text]:'4'";
        assert_eq!(values(&mut reader, line), [Some("4"), Some("3")]);
        let line = "table public.t: UPDATE: old-key: a[text]:'3' new-tuple: a[text]:'4'";
        assert_eq!(values(&mut reader, line), [Some("4"), Some("3")]);
        assert_eq!(reader.old.layout.columns.len(), 3, "the columns are still known");
    }

    #[test]
    fn heads_that_are_kept_are_bounded() {
        let mut reader = reader();
        let columns: String = (0..100_000).map(|number| format!(" column_{number}[integer]:1")).collect();
        let line = format!("table public.t: INSERT:{columns} a[text]:'last'");
        for _ in 0..2 {
            assert_eq!(values(&mut reader, &line), [Some("last"), None]);
            assert!(reader.new.layout.heads.len() <= MOST_HEAD_BYTES);
        }
    }
}
