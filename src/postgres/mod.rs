//! Speaks to PostgreSQL: connects as libpq would, asks questions, and streams.
//!
//! In: where the server is, as libpq's users write it (a URL or `key=value`, `PG…` variables, `~/.pgpass`). Out: rows of
//! text for a question; for `START_REPLICATION` a stream of bytes in both directions.
//!
//! Promises: no password ever stands in a message; waiting is always bounded, so that whoever waits can look up in between;
//! an error says what the server said, with its SQLSTATE, and whether another try may help.
//!
//! *Why no driver*: the usual one cannot switch a connection to CopyBoth, which replication needs, and replication needs a
//! thread that blocks, not a runtime. Messages and authentication are those of `postgres-protocol`, the driver's own library; what
//! stands here is the socket and the order of the messages. A driver with CopyBoth would empty this room.

mod client;
mod conninfo;
mod error;
mod login;
mod socket;
mod stream;
mod wire;

pub use client::{Client, Purpose, Row};
pub use conninfo::{ConnectSettings, Host, SslMode};
pub use error::PostgresError;
pub use stream::{CopyStream, Received};
