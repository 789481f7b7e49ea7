//! A selection as text, piece by piece: the bytes of `query`'s answer, made as fast as they are read.

use std::io::Write;

use super::selection::{Selection, SumRow};
use super::{GroupBy, print};
use crate::change::Operation;

/// How large a piece gets before it is handed out.
const PIECE: usize = 64 << 10;
/// More than most rows have.
const ROW: usize = 256;
/// More than most names of tables have.
const NAME: usize = 64;
/// What a table costs that is not asked for.
const TABLE: usize = size_of::<u32>() + size_of::<Option<Box<[u8]>>>();

/// How rows look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowStyle {
    /// JSON objects, each on a line of its own.
    JsonLines,
    /// JSON objects, all on one line.
    Json,
    /// RFC 4180 with a header row.
    Csv,
}

/// The pieces of an answer, in order; empty ones where much was looked through and little found.
pub struct SelectionText {
    selection: Selection,
    style: RowStyle,
    head: Option<Vec<u8>>,
    tail: Option<Vec<u8>>,
    rows: std::vec::IntoIter<SumRow>,
    any: bool,
    /// By the table's number: how it is written; of those that were met.
    names: Vec<Option<Box<[u8]>>>,
    day: Option<(crate::change::Day, Box<[u8]>)>,
}

impl Selection {
    /// The selection between `head` and `tail`, in one of the styles.
    pub fn text(self, style: RowStyle, head: Vec<u8>, tail: Vec<u8>) -> SelectionText {
        let mut head = head;
        if style == RowStyle::Csv {
            let columns: Vec<&str> = self.columns().collect();
            head.extend_from_slice(columns.join(",").as_bytes());
            head.push(b'\n');
        }
        let rows = Vec::new().into_iter();
        let (head, tail) = (Some(head), Some(tail));
        SelectionText { selection: self, style, head, tail, rows, any: false, names: Vec::new(), day: None }
    }

    /// The names of the columns.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'static str> {
        let parts = self.by().iter().flat_map(|part| match part {
            GroupBy::Day => &["day"][..],
            GroupBy::Table => &["schema", "table"],
            GroupBy::Op => &["op"],
        });
        parts.chain(&["count"]).copied()
    }
}

impl Iterator for SelectionText {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        self.tail.as_ref()?;
        let mut piece = self.head.take().unwrap_or_default();
        piece.reserve(PIECE + ROW);
        let before = self.selection.looked();
        while piece.len() < PIECE {
            if let Some(row) = self.rows.next() {
                self.write(&row, &mut piece);
                continue;
            }
            match self.selection.next_rows() {
                Some(rows) => {
                    self.rows = rows.into_iter();
                    // Whoever makes this piece has others to answer.
                    if self.selection.looked() - before > FEW {
                        break;
                    }
                }
                None => {
                    if self.any && self.style == RowStyle::JsonLines {
                        piece.push(b'\n');
                    }
                    piece.extend(self.tail.take().unwrap_or_default());
                    break;
                }
            }
        }
        Some(piece)
    }
}

/// So many counts are summed up in some milliseconds.
const FEW: usize = 200_000;

impl SelectionText {
    /// Whether each piece is made in a moment.
    pub fn is_quick(&self) -> bool {
        self.selection.is_day_by_day() || self.selection.counts() < FEW
    }

    /// About how many bytes it holds at most between two pieces.
    pub fn most_bytes(&self) -> usize {
        let (tables, wanted) = self.selection.tables();
        self.selection.rows_at_once() * size_of::<SumRow>() + tables * TABLE + wanted * NAME + PIECE
    }

    fn write(&mut self, row: &SumRow, out: &mut Vec<u8>) {
        let is_csv = self.style == RowStyle::Csv;
        out.extend_from_slice(match (self.style, self.any) {
            (RowStyle::Csv, _) => b"",
            (RowStyle::JsonLines, false) => b"\n{",
            (RowStyle::JsonLines, true) => b",\n{",
            (RowStyle::Json, false) => b"{",
            (RowStyle::Json, true) => b",{",
        });
        self.any = true;
        for part in self.selection.by() {
            match part {
                GroupBy::Day => {
                    if self.day.as_ref().is_none_or(|(day, _)| *day != row.day) {
                        let text = if is_csv { format!("{}", row.day) } else { format!("\"day\":\"{}\"", row.day) };
                        self.day = Some((row.day, text.into_bytes().into()));
                    }
                    out.extend_from_slice(self.day.as_ref().map_or(&[][..], |(_, text)| text));
                }
                GroupBy::Table => {
                    let number = row.table as usize;
                    if self.names.len() <= number {
                        self.names.resize(number + 1, None);
                    }
                    let text = self.names[number].get_or_insert_with(|| name_text(&self.selection, row, is_csv));
                    out.extend_from_slice(text);
                }
                GroupBy::Op => out.extend_from_slice(op_text(row.op, is_csv)),
            }
            out.push(b',');
        }
        if is_csv {
            write_number(row.count, out);
            out.push(b'\n');
        } else {
            out.extend_from_slice(b"\"count\":");
            write_number(row.count, out);
            out.push(b'}');
        }
    }
}

/// A number in decimal digits: a million of them in an answer, each of which a formatter would take longer for than for all else.
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

fn name_text(selection: &Selection, row: &SumRow, is_csv: bool) -> Box<[u8]> {
    let name = selection.name(row.table);
    let mut text = Vec::new();
    for (column, part) in [("schema", &name.schema), ("table", &name.table)] {
        if column == "table" {
            text.push(b',');
        }
        if is_csv {
            print::csv_text(&mut text, part).expect("memory takes all bytes");
        } else {
            write!(text, "\"{column}\":").expect("memory takes all bytes");
            serde_json::to_writer(&mut text, part).expect("a text is JSON");
        }
    }
    text.into()
}

fn op_text(op: Operation, is_csv: bool) -> &'static [u8] {
    match (op, is_csv) {
        (op, true) => op.as_str().as_bytes(),
        (Operation::Insert, false) => b"\"op\":\"INSERT\"",
        (Operation::Update, false) => b"\"op\":\"UPDATE\"",
        (Operation::Delete, false) => b"\"op\":\"DELETE\"",
        (Operation::Truncate, false) => b"\"op\":\"TRUNCATE\"",
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
