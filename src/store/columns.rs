//! The columns of the files of events and rejects, in the order of the files: the one list that writers and readers share.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// A text that repeats: of a topic, schema or table.
    Name,
    /// The name of one of the four operations.
    Operation,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
    /// A number of 32 bits.
    Int,
    /// A number of 64 bits.
    Long,
    /// Microseconds since 1970-01-01 UTC.
    Time,
}

/// A column of a table of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether a row may have no value.
    pub is_nullable: bool,
}

const fn required(name: &'static str, kind: ColumnKind) -> TableColumn {
    TableColumn { name, kind, is_nullable: false }
}

const fn nullable(name: &'static str, kind: ColumnKind) -> TableColumn {
    TableColumn { name, kind, is_nullable: true }
}

/// The columns of the events table: one row per change; README.md describes them.
pub const EVENT_COLUMNS: [TableColumn; 14] = [
    required("topic", ColumnKind::Name),
    required("partition", ColumnKind::Int),
    required("offset", ColumnKind::Long),
    required("ordinal", ColumnKind::Int),
    nullable("kafka_time", ColumnKind::Time),
    nullable("commit_time", ColumnKind::Time),
    nullable("lsn", ColumnKind::Long),
    nullable("commit_lsn", ColumnKind::Long),
    nullable("seq", ColumnKind::Int),
    nullable("xid", ColumnKind::Long),
    required("schema", ColumnKind::Name),
    required("table", ColumnKind::Name),
    required("op", ColumnKind::Operation),
    required("data", ColumnKind::Text),
];

/// The columns of the rejects table: one row per record that could not be read.
pub const REJECT_COLUMNS: [TableColumn; 8] = [
    required("topic", ColumnKind::Name),
    required("partition", ColumnKind::Int),
    required("offset", ColumnKind::Long),
    nullable("kafka_time", ColumnKind::Time),
    required("reason", ColumnKind::Text),
    nullable("key", ColumnKind::Bytes),
    nullable("value", ColumnKind::Bytes),
    nullable("headers", ColumnKind::Bytes),
];

/// The names of columns.
pub const fn column_names<const N: usize>(columns: &[TableColumn; N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut place = 0;
    while place < N {
        names[place] = columns[place].name;
        place += 1;
    }
    names
}
