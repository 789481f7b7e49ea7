//! Connections: how many there are, which one makes room for another, and their time limits.

mod idle;
pub(in crate::server) mod listen;
mod write_timeout;
