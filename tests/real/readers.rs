//! DuckDB, Polars, pyarrow and fastparquet, each in its own way, on a book's globs.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::environment;
use crate::truth::Counts;

/// What the readers say, by name: `duckdb`, `polars`, `pyarrow`, `fastparquet`.
pub(crate) struct Readers(Value);

impl Readers {
    /// Reads the whole book once.
    pub(crate) fn read(book: &Path) -> Readers {
        Readers(finish("read", start("read", book)))
    }

    /// Counts by day, schema, table and operation that one of them finds in `counts` or, counted, in `events`.
    pub(crate) fn counts(&self, reader: &str, table: &str) -> Counts {
        let mut counts = Counts::default();
        for row in self.0[reader][table].as_array().unwrap_or_else(|| panic!("{reader} reads no {table}: {}", self.0)) {
            let text = |column: usize| row[column].as_str().expect("a name");
            counts.add(text(0), text(1), text(2), text(3), row[4].as_i64().expect("a count"));
        }
        counts
    }
}

/// The names of the readers.
pub(crate) const READERS: [&str; 4] = ["duckdb", "polars", "pyarrow", "fastparquet"];

/// Readers that read a growing book repeatedly until they are stopped, and fail on what no reader may see.
pub(crate) struct Watch(Child);

impl Watch {
    /// Starts them.
    pub(crate) fn start(book: &Path) -> Watch {
        Watch(start("watch", book))
    }

    /// Stops them, and returns how often each has read the events: `{"duckdb": 12, …}`.
    pub(crate) fn stop(mut self) -> Value {
        drop(self.0.stdin.take());
        finish("watch", self.0)
    }
}

/// The rejects as a reader finds them: `[[topic, partition, offset, reason, key, value, headers], …]` in the order of their
/// places, bytes as hexadecimal digits.
pub(crate) fn rejects(book: &Path) -> Vec<Value> {
    finish("rejects", start("rejects", book)).as_array().expect("rows").clone()
}

fn start(what: &str, book: &Path) -> Child {
    Command::new(environment::python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/readers.py"))
        .arg(what)
        .arg(book)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts")
}

fn finish(what: &str, child: Child) -> Value {
    let output = child.wait_with_output().expect("a child can be waited for");
    assert!(output.status.success(), "readers.py {what} failed: {}", output.status);
    serde_json::from_slice(&output.stdout).expect("readers.py prints JSON")
}
