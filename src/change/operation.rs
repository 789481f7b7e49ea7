//! What a change does.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a change did to its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// A new row.
    Insert,
    /// A row with new values; also one whose key changed.
    Update,
    /// A deleted row.
    Delete,
    /// All rows of a table deleted; one change for each table of a statement.
    Truncate,
}

impl Operation {
    /// All operations, in the order of their index.
    pub const ALL: [Operation; 4] = [Operation::Insert, Operation::Update, Operation::Delete, Operation::Truncate];

    /// The name as events and counts hold it, in upper case.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Insert => "INSERT",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Truncate => "TRUNCATE",
        }
    }

    /// The operation of exactly this name, as files hold it.
    pub fn named(name: &str) -> Option<Operation> {
        Operation::ALL.into_iter().find(|operation| operation.as_str() == name)
    }

    /// The place in [`Operation::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Operation {
    type Err = String;

    fn from_str(text: &str) -> Result<Operation, String> {
        Operation::ALL
            .into_iter()
            .find(|operation| operation.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("no operation {text:?}: one of INSERT, UPDATE, DELETE, TRUNCATE"))
    }
}
