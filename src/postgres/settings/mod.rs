//! Where the server is and how to connect to it: connection text, then `PG…` variables, then libpq's defaults.
//!
//! In: the text of `--postgres`, the environment, files in the user's home. Out: [`ConnectSettings`]. Promises: an unknown
//! key, and a value that walbook cannot honour, is an error; no error holds the text around it, which may be a password.

mod connect_settings;
mod conninfo;
mod host;
mod keys;
mod passfile;

pub use connect_settings::ConnectSettings;
pub(in crate::postgres) use connect_settings::{Password, TargetSession};
pub(in crate::postgres) use host::{Host, SocketTarget};
