//! A selection as text, piece by piece: the bytes of `query`'s answer, made as they are read.

use super::selection::{Selection, SumRow};
use crate::change::{Day, Operation};
use crate::query::GroupBy;
use crate::query::print::{FieldValue, PIECE, RowStyle};

/// The bytes of a long row.
const ROW: usize = 256;
/// The bytes of a long name.
const NAME: usize = 64;
/// The bytes of a table that the filter excludes.
const TABLE: usize = size_of::<u32>() + size_of::<Option<Box<[u8]>>>();

/// The pieces of an answer, in order; empty ones where many counts were summed into few rows.
pub struct SelectionText {
    selection: Selection,
    style: RowStyle,
    head: Option<Vec<u8>>,
    tail: Option<Vec<u8>>,
    rows: std::vec::IntoIter<SumRow>,
    any: bool,
    /// By the table's number: its fields as text.
    names: Vec<Option<Box<[u8]>>>,
    day: Option<(Day, Box<[u8]>)>,
    /// By [`Operation::index`].
    ops: [Box<[u8]>; 4],
}

impl Selection {
    /// The selection as text between `head` and `tail`.
    pub fn text(self, style: RowStyle, head: Vec<u8>, tail: Vec<u8>) -> SelectionText {
        let mut head = head;
        style.header(&self.columns(), &mut head);
        SelectionText {
            selection: self,
            style,
            head: Some(head),
            tail: Some(tail),
            rows: Vec::new().into_iter(),
            any: false,
            names: Vec::new(),
            day: None,
            ops: Operation::ALL.map(|op| field(style, "op", op.as_str())),
        }
    }

    /// The names of the columns.
    pub(in crate::query) fn columns(&self) -> Vec<&'static str> {
        GroupBy::columns(self.by())
    }
}

impl Iterator for SelectionText {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        self.tail.as_ref()?;
        let mut piece = self.head.take().unwrap_or_default();
        piece.reserve(PIECE + ROW);
        let before = self.selection.summed();
        while piece.len() < PIECE {
            if let Some(row) = self.rows.next() {
                self.write(&row, &mut piece);
                continue;
            }
            match self.selection.next_rows() {
                Some(rows) => {
                    self.rows = rows.into_iter();
                    // The thread has other requests to answer.
                    if self.selection.summed() - before > FEW {
                        break;
                    }
                }
                None => {
                    piece.extend_from_slice(self.style.end(self.any));
                    piece.extend(self.tail.take().unwrap_or_default());
                    break;
                }
            }
        }
        Some(piece)
    }
}

/// The number of counts that are summed in some milliseconds.
const FEW: usize = 200_000;

impl SelectionText {
    /// Whether each piece takes only milliseconds.
    pub fn is_quick(&self) -> bool {
        self.selection.is_day_by_day() || self.selection.counts() < FEW
    }

    /// About how many bytes it holds at most between two pieces.
    pub fn most_bytes(&self) -> usize {
        let (tables, wanted) = self.selection.tables();
        self.selection.rows_at_once() * size_of::<SumRow>() + tables * TABLE + wanted * NAME + PIECE
    }

    fn write(&mut self, row: &SumRow, out: &mut Vec<u8>) {
        let style = self.style;
        out.extend_from_slice(style.row_start(!self.any));
        self.any = true;
        for part in self.selection.by() {
            match part {
                GroupBy::Day => {
                    if self.day.as_ref().is_none_or(|(day, _)| *day != row.day) {
                        self.day = Some((row.day, field(style, "day", &row.day.to_string())));
                    }
                    out.extend_from_slice(self.day.as_ref().map_or(&[][..], |(_, text)| text));
                }
                GroupBy::Table => {
                    let number = row.table as usize;
                    if self.names.len() <= number {
                        self.names.resize(number + 1, None);
                    }
                    let text = self.names[number].get_or_insert_with(|| {
                        let name = self.selection.name(row.table);
                        let fields = [field(style, "schema", &name.schema), field(style, "table", &name.table)];
                        fields.join(&b',').into()
                    });
                    out.extend_from_slice(text);
                }
                GroupBy::Op => out.extend_from_slice(&self.ops[row.op.index()]),
            }
            out.push(b',');
        }
        style.field("count", &FieldValue::Count(row.count), out);
        out.extend_from_slice(style.row_end());
    }
}

/// A field as text: most are the same in many rows, so they are made once.
fn field(style: RowStyle, column: &str, text: &str) -> Box<[u8]> {
    let mut field = Vec::new();
    style.field(column, &text.into(), &mut field);
    field.into()
}
