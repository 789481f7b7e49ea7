//! The columns that an expression may name, and those that it does name.

use std::fmt;

use super::types::Type;

/// A column of the events table, or the day of its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventColumn {
    /// `day`.
    Day,
    /// `schema`.
    Schema,
    /// `"table"`.
    Table,
    /// `op`.
    Op,
    /// `topic`.
    Topic,
    /// `partition`.
    Partition,
    /// `"offset"`.
    Offset,
    /// `kafka_time`.
    KafkaTime,
    /// `commit_time`.
    CommitTime,
    /// `lsn`.
    Lsn,
    /// `commit_lsn`.
    CommitLsn,
    /// `xid`.
    Xid,
}

impl EventColumn {
    /// All of them.
    pub const ALL: [EventColumn; 12] = [
        EventColumn::Day,
        EventColumn::Schema,
        EventColumn::Table,
        EventColumn::Op,
        EventColumn::Topic,
        EventColumn::Partition,
        EventColumn::Offset,
        EventColumn::KafkaTime,
        EventColumn::CommitTime,
        EventColumn::Lsn,
        EventColumn::CommitLsn,
        EventColumn::Xid,
    ];

    /// Its name, as the files have it.
    pub fn name(self) -> &'static str {
        match self {
            EventColumn::Day => "day",
            EventColumn::Schema => "schema",
            EventColumn::Table => "table",
            EventColumn::Op => "op",
            EventColumn::Topic => "topic",
            EventColumn::Partition => "partition",
            EventColumn::Offset => "offset",
            EventColumn::KafkaTime => "kafka_time",
            EventColumn::CommitTime => "commit_time",
            EventColumn::Lsn => "lsn",
            EventColumn::CommitLsn => "commit_lsn",
            EventColumn::Xid => "xid",
        }
    }

    /// The column of this name.
    pub fn named(name: &str) -> Option<EventColumn> {
        EventColumn::ALL.into_iter().find(|column| column.name() == name)
    }

    /// Its type.
    pub fn kind(self) -> Type {
        match self {
            EventColumn::Day => Type::Date,
            EventColumn::Schema | EventColumn::Table | EventColumn::Op | EventColumn::Topic => Type::Text,
            EventColumn::Partition
            | EventColumn::Offset
            | EventColumn::Lsn
            | EventColumn::CommitLsn
            | EventColumn::Xid => Type::BigInt,
            EventColumn::KafkaTime | EventColumn::CommitTime => Type::TimestampTz,
        }
    }
}

/// Which row of a change a value is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowSide {
    /// `new.x`: after the change.
    New,
    /// `old.x`: before it.
    Old,
    /// `key.x`: before it if the line has the value, else after it.
    Key,
}

impl RowSide {
    /// Its name in an expression.
    pub fn name(self) -> &'static str {
        match self {
            RowSide::New => "new",
            RowSide::Old => "old",
            RowSide::Key => "key",
        }
    }

    pub(in crate::sql) fn named(name: &str) -> Option<RowSide> {
        [RowSide::New, RowSide::Old, RowSide::Key].into_iter().find(|side| side.name() == name)
    }
}

/// A column that an expression reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InputColumn {
    /// A column of the events table.
    Event(EventColumn),
    /// A value of the changed row, as text; NULL where the change does not have it.
    Row {
        /// Of which row.
        side: RowSide,
        /// The column's name, unquoted.
        name: String,
    },
    /// A column of a view.
    View {
        /// Its name.
        name: String,
        /// Its type.
        kind: Type,
    },
}

impl InputColumn {
    /// Its type.
    pub fn kind(&self) -> Type {
        match self {
            InputColumn::Event(column) => column.kind(),
            InputColumn::Row { .. } => Type::Text,
            InputColumn::View { kind, .. } => *kind,
        }
    }
}

impl fmt::Display for InputColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InputColumn::Event(column) => f.write_str(column.name()),
            InputColumn::Row { side, name } => write!(f, "{}.{name}", side.name()),
            InputColumn::View { name, .. } => f.write_str(name),
        }
    }
}

/// The columns that a plan reads, each once: an expression knows them by their place here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputColumns(Vec<InputColumn>);

impl InputColumns {
    /// In the order in which [`Batch`](super::Batch) expects them.
    pub fn as_slice(&self) -> &[InputColumn] {
        &self.0
    }

    /// The names of columns of the changed row, with their places among all columns.
    pub fn row_columns(&self) -> impl Iterator<Item = (usize, RowSide, &str)> {
        self.0.iter().enumerate().filter_map(|(place, column)| match column {
            InputColumn::Row { side, name } => Some((place, *side, name.as_str())),
            InputColumn::Event(_) | InputColumn::View { .. } => None,
        })
    }

    /// The columns of the events table, with their places among all columns.
    pub fn event_columns(&self) -> impl Iterator<Item = (usize, EventColumn)> {
        self.0.iter().enumerate().filter_map(|(place, column)| match column {
            InputColumn::Event(column) => Some((place, *column)),
            InputColumn::Row { .. } | InputColumn::View { .. } => None,
        })
    }

    /// The names of columns of a view, in the order of all columns.
    pub fn view_columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|column| match column {
            InputColumn::View { name, .. } => Some(name.as_str()),
            InputColumn::Event(_) | InputColumn::Row { .. } => None,
        })
    }

    /// The place of a column, which is added if it is new.
    pub(in crate::sql) fn place_of(&mut self, column: InputColumn) -> usize {
        self.0.iter().position(|known| *known == column).unwrap_or_else(|| {
            self.0.push(column);
            self.0.len() - 1
        })
    }
}
