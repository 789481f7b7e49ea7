//! Runs that are killed, stopped or asked to end are followed by others, and nothing is lost or counted twice.

mod cluster_ends;
mod standby;
mod supervised;
pub(crate) mod world;
