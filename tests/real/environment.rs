//! What `./test` tells the tests: where the servers are, and whether this is the long form.

use std::env;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

/// The brokers' addresses.
pub(crate) fn brokers() -> String {
    variable("WALBOOK_TEST_BROKERS")
}

/// The URL of the PostgreSQL server, without a database.
pub(crate) fn postgres() -> String {
    variable("WALBOOK_TEST_POSTGRES")
}

/// A program of the PostgreSQL server's own version.
pub(crate) fn postgres_program(name: &str) -> PathBuf {
    PathBuf::from(variable("WALBOOK_TEST_POSTGRES_BIN")).join(name)
}

/// The Python that has DuckDB, Polars and pyarrow.
pub(crate) fn python() -> String {
    variable("WALBOOK_TEST_PYTHON")
}

/// A new folder below the one that `./test` removes in the end.
pub(crate) fn folder(name: &str) -> TempDir {
    tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(variable("WALBOOK_TEST_FOLDER"))
        .expect("the folder of ./test can be written")
}

/// Whether the long forms were asked for.
pub(crate) fn is_long() -> bool {
    env::var_os("WALBOOK_LONG").is_some_and(|value| value == "1")
}

/// A name that no earlier run on these servers took.
pub(crate) fn unique(name: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    format!("{name}_{:x}", now.as_micros())
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: these tests need real servers, run them by ./test"))
}
