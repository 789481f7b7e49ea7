//! The key that changes are counted by: with names where they are shown, packed into twelve bytes where they are counted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::{Day, Operation};

/// A table's name as unquoted identifier text: `we"ird`, not `"we""ird"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    /// The schema, unquoted.
    pub schema: String,
    /// The table, unquoted.
    pub table: String,
}

impl TableName {
    /// The name of these two parts.
    pub fn new(schema: &str, table: &str) -> TableName {
        TableName { schema: schema.to_owned(), table: table.to_owned() }
    }
}

/// The key that changes are counted by; a clone shares the name. Sorted by day, schema, table and the operation's index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountKey {
    /// The day in the book's zone.
    pub day: Day,
    /// The table.
    pub table: Arc<TableName>,
    /// What was done.
    pub op: Operation,
}

/// A hash of a table's name, which is the same in every process.
///
/// Two tables may have the same hash, so code that turns hashes into names must check for it. It is unlikely: among four billion
/// books of a hundred thousand tables each, about one has such a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(u64);

impl TableId {
    /// The hash of a name.
    pub fn of(name: &TableName) -> TableId {
        // The schema's hash is the seed of the table's, so that no separator is needed.
        let schema = XxHash3_64::oneshot(name.schema.as_bytes());
        TableId(XxHash3_64::oneshot_with_seed(schema, name.table.as_bytes()))
    }
}

/// A [`CountKey`] in twelve bytes, as workers exchange and arrange it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PackedCountKey {
    /// The [`TableId`], high half first; two halves need no padding.
    table: [u32; 2],
    /// The day as two's complement, and the operation in the lowest two bits.
    day_and_op: u32,
}

impl PackedCountKey {
    /// Packs a key.
    pub fn new(day: Day, TableId(table): TableId, op: Operation) -> PackedCountKey {
        let op = op.index() as u32;
        PackedCountKey { table: [(table >> 32) as u32, table as u32], day_and_op: day.days().cast_unsigned() << 2 | op }
    }

    /// The table's hash.
    pub fn table(self) -> TableId {
        let [high, low] = self.table;
        TableId(u64::from(high) << 32 | u64::from(low))
    }

    /// The key, with the name that [`PackedCountKey::table`] stands for.
    pub fn with_name(self, table: Arc<TableName>) -> CountKey {
        let days = self.day_and_op.cast_signed() >> 2;
        let day = Day::from_days(i64::from(days)).expect("it was packed from a day");
        CountKey { day, table, op: Operation::ALL[(self.day_and_op & 3) as usize] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_key_gives_the_key_again() {
        assert_eq!(size_of::<PackedCountKey>(), 12);
        for day in ["0001-01-01", "1969-12-31", "1970-01-01", "2026-11-29", "9999-12-31"] {
            for op in Operation::ALL {
                let (day, name) = (day.parse().expect("a day"), Arc::new(TableName::new("public", "t")));
                let packed = PackedCountKey::new(day, TableId::of(&name), op);
                assert_eq!(packed.table(), TableId::of(&name));
                assert_eq!(packed.with_name(Arc::clone(&name)), CountKey { day, table: name, op });
            }
        }
    }

    #[test]
    fn an_id_depends_on_where_the_name_is_divided() {
        let names = [("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", ""), ("c", "ab")];
        let ids = names.map(|(schema, table)| TableId::of(&TableName::new(schema, table)));
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{:?}", names[at]);
        }
    }
}
