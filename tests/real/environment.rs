//! What `./test` passes to the tests: where the servers are, and whether this is the long form.

use std::env;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
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

/// The user and group that own a PostgreSQL server, where it must not be the tests' own user.
pub(crate) fn postgres_owner() -> Option<(u32, u32)> {
    let owner = variable("WALBOOK_TEST_POSTGRES_OWNER");
    let (user, group) = owner.split_once(':')?;
    Some((user.parse().expect("a user's number"), group.parse().expect("a group's number")))
}

/// The folder of Kafka's jars.
pub(crate) fn kafka_jars() -> PathBuf {
    PathBuf::from(variable("WALBOOK_TEST_KAFKA_JARS"))
}

/// The folder of the broker's `server.properties` and `log4j2.properties`.
pub(crate) fn kafka_properties() -> PathBuf {
    PathBuf::from(variable("WALBOOK_TEST_KAFKA_PROPERTIES"))
}

/// A binary built for speed, where figures of the tests' own build would say nothing.
pub(crate) fn release_binary() -> Option<PathBuf> {
    env::var_os("WALBOOK_TEST_RELEASE").map(PathBuf::from)
}

/// A port of the loopback that nothing listens on.
///
/// It lies below the ports that clients are given, so that it stays free while the server that has it restarts.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(97);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(15_000 + start.wrapping_add(step) % 15_000).expect("below 30 000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The Python that has DuckDB, Polars and pyarrow.
pub(crate) fn python() -> String {
    variable("WALBOOK_TEST_PYTHON")
}

/// The S3 server of tests.
pub(crate) fn versitygw() -> PathBuf {
    PathBuf::from(variable("WALBOOK_TEST_VERSITYGW"))
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
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    // Two tests may ask within the same microsecond.
    format!("{name}_{:x}{:x}", now.as_micros(), NUMBER.fetch_add(1, Ordering::Relaxed) % 16)
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: these tests need real servers, run them by ./test"))
}
