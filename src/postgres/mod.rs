//! Connections to PostgreSQL, configured as for libpq: SQL queries, and the replication stream.
//!
//! In: where the server is, as libpq's users write it (a URL or `key=value`, `PG…` variables, `~/.pgpass`). Out: rows of
//! text for SQL ([`SqlClient`]); for `START_REPLICATION` payloads in both directions ([`ReplicationClient`]).
//!
//! Promises: no message holds a password; every wait has a time limit, the lookup of a name included; an error holds the
//! server's words and SQLSTATE, and whether a retry may succeed.
//!
//! *Why two clients*: SQL goes through `tokio-postgres`, which has no COPY BOTH mode (0.7.18: nothing of it in its source), so
//! the replication stream has a client of ours on `postgres-protocol`, the library of messages and authentication below
//! it. It blocks, as the thread that reads a slot does. Both share [`ConnectSettings`], sockets, TLS and the host list.
//! Also looked at: pgwire-replication 0.5 (sends `START_REPLICATION` for pgoutput only); pg_walstream 0.10 (its native back
//! end ignores sslcert, passfile and target_session_attrs; 52,000 lines, aws-lc); libpq through pq-sys (its rules exactly,
//! with GSSAPI and revocation lists, but no static binary); tokio-postgres-rustls 0.14 (channel binding without RSA-PSS, and
//! only for its own client). COPY BOTH in tokio-postgres would replace our client; a second C library beside librdkafka, if
//! it becomes acceptable, would replace this room by libpq.
//!
//! *Differences from libpq*: no GSSAPI, service files or certificate revocation lists (a key or variable that asks for one
//! is refused); a password that is wrong with TLS is not tried again without; certificates of X.509 version 1 cannot be
//! verified, and without verification they are accepted without a proof of their key, so that no login is bound to them;
//! RSA keys of less than 2048 bits are refused; the default of connect_timeout is ten seconds.

#[cfg(test)]
mod client_tests;
mod connect;
mod dial;
mod error;
mod login;
mod replication_client;
mod settings;
mod socket;
mod sql_client;
mod stream;
mod tls;
mod wire;

pub use error::PostgresError;
pub use replication_client::ReplicationClient;
pub use settings::ConnectSettings;
pub use sql_client::{SqlClient, SqlRow};
pub use stream::{CopyStream, ReceivedPayload};
#[cfg(feature = "fuzzing")]
pub use tls::certificate::fuzz_certificate;
#[cfg(feature = "fuzzing")]
pub use wire::fuzz_message;
