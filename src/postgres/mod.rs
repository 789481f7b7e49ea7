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
//!
//! *Where it differs from libpq*: no GSSAPI, no service file, no revocation lists, no channel binding (a key or variable that
//! asks for one is refused); a password that is wrong with TLS is not tried again without; certificates of X.509 version 1
//! cannot be verified; a connection is given up after ten seconds when nothing is said.

mod certificate;
mod client;
mod connect;
mod conninfo;
mod error;
mod host;
mod keys;
mod login;
mod passfile;
mod settings;
mod socket;
mod stream;
mod tls;
mod verify;
mod wire;

pub use client::{Client, Purpose, Row};
pub use error::PostgresError;
pub use settings::ConnectSettings;
pub use stream::{CopyStream, Received};
