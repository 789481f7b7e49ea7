//! Connections: how many there are, which one makes room for another, their time limits, and what they get while a run starts.

mod idle;
pub(in crate::server) mod listen;
pub(in crate::server) mod starting;
mod write_timeout;
