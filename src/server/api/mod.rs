//! The endpoints of the API, one file each, and what they share: pages of rows, schemas.
//!
//! In: a request that the guard permits, and one snapshot of the state. Out: a response. Promised: an answer is about one
//! commit or one closed epoch; OpenAPI describes it by the types that are serialized.

pub(in crate::server) mod counts;
pub(in crate::server) mod days;
pub(in crate::server) mod events;
pub(in crate::server) mod health;
pub(in crate::server) mod live;
pub(in crate::server) mod metrics;
pub(in crate::server) mod openapi;
mod paging;
pub(in crate::server) mod rejects;
pub(in crate::server) mod schema;
pub(in crate::server) mod status;
mod status_body;
pub(in crate::server) mod tables;
pub(in crate::server) mod views;
