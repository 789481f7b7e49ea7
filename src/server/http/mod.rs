//! HTTP: connections, limits, access, compression, routes.
//!
//! In: TCP connections. Out: responses of the handlers in `api` and `page`. Promised: the number of connections, the time and
//! the memory that clients occupy are bounded, and only permitted requests reach a handler.
//!
//! *Why* own code beside axum and hyper: `axum::serve` neither limits connections nor cuts slow readers; tower-http's
//! compression cannot share one deflated delta among all watchers of the stream, and its limits count requests, not the bytes
//! of answers that are still unread; it has no check of the `Host` header against DNS rebinding.

pub(in crate::server) mod accepted_parameters;
pub(in crate::server) mod answer_format;
pub(in crate::server) mod blocking;
pub(in crate::server) mod body;
pub(in crate::server) mod connections;
pub(in crate::server) mod file_requests;
pub(in crate::server) mod guard;
pub(in crate::server) mod gzip;
pub(in crate::server) mod headers;
pub(in crate::server) mod parameters;
pub(in crate::server) mod path_name;
pub(in crate::server) mod requested_level;
pub(in crate::server) mod response_budget;
pub(in crate::server) mod routes;
