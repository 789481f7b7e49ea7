//! The processes of one run: how they find each other, agree, stay in contact, and end together.
//!
//! In: the [`ClusterShape`], what protects the connections ([`LinkSecurity`]), and the settings that must be equal in all
//! processes. Out: a [`Cluster`], whose connections carry timely's messages, and its [`Contacts`]: when something last came from each.
//!
//! ```text
//!  worker ⇄ timely ⇄ Unix socket ⇄ link ⇄ TCP or TLS ⇄ link ⇄ Unix socket ⇄ timely ⇄ worker
//!                                    heartbeats, the cause of an end
//! ```
//!
//! - A process *dials* those with lower indexes and *accepts* those with higher ones. The handshake (`handshake.rs`) compares
//!   version, book and settings before anything else is sent: what differs is refused by name.
//! - Links send frames (`frames.rs`): a byte for the kind, the length as a little-endian `u32`, a body. They are data, heartbeats, the end
//!   of the data, success, or failure. Nothing for as long as [`PEER_TIMEOUT`] means that the peer, or the network, is gone. Then,
//!   and when one fails, all end with the same exit code; a process ends with success when all others have.
//! - A heartbeat a second says whether its sender reaches what it reads. A process that does not lead checks that by itself, and its
//!   failure at the start ends all; a process from which nothing has come for [`SILENT_AFTER`] is reported as one that does not answer.
//! - Nothing is written to the book before all processes have agreed and reach what they read.
//!
//! Timely can connect processes by itself; it has no deadline and no handshake, and ends by a panic, so it only gets one end
//! of a socket pair for each peer.

mod connect;
mod connections;
mod contacts;
mod error;
mod frames;
mod handshake;
mod link;
mod options;
mod report;
mod security;
mod shape;
mod transport;

pub use connections::Cluster;
pub use contacts::{Contacts, SILENT_AFTER};
pub use error::ClusterError;
pub use link::PEER_TIMEOUT;
pub use options::{ClusterOptions, UNKNOWN_BOOK};
pub use report::{ClusterReport, ProcessReport, SourceReport};
pub use security::LinkSecurity;
pub use shape::ClusterShape;
