//! A replication slot → a Kafka topic, nothing lost, nothing twice.
//!
//! In: whole transactions of a slot in commit order. Out: one record a change, and in the same Kafka transaction the
//! position: the LSN up to which every commit is in the topic. Back to the slot: that LSN, once Kafka has it for good.
//!
//! Promises: read with `isolation.level=read_committed`, the topic holds each committed change once, a table's changes in commit
//! order; nothing is confirmed to PostgreSQL that the position topic does not hold; what follows the position and cannot be
//! had any more is an error with its range, never a gap; one capture writes at a time. The slot is the lock: a second
//! capture waits 90 s for it and gives up. One that lost the slot while it was asleep finds itself fenced, by the
//! producer's id in Kafka or by the writer in the position, and ends without writing beside its successor.
//!
//! The value of a record (the key is the table's name as test_decoding prints it):
//!
//! ```json
//! {"lsn":"0/16B2E58","xid":736,"commit_lsn":"0/16B2F00","commit_time":"2026-11-22T12:34:56.123456Z","seq":3,"data":"table public.t: INSERT: id[integer]:1"}
//! ```
//!
//! `<topic>.walbook-position` has one partition and is compacted. Its newest record says where the topic stands ([`Position`]).
//!
//! A *session* is one try: take the slot, settle what an earlier producer left open, read the position, claim the topic
//! by writing the position again with an id of this process, then stream. Any trouble ends the session, and the next one goes the whole
//! way again. *Why*: there is one path after a broken connection, an unknown outcome of a commit, a crash or a first
//! start, so that the path that is seldom needed is the one that is always taken. Trouble that heals within librdkafka never ends a session.

#[expect(clippy::module_inception, reason = "the room's verb")]
mod capture;
mod error;
mod flow;
mod patience;
mod position;
mod publisher;
mod record;
mod session;
mod settings;
mod topics;
mod traffic;
mod watch;

pub use capture::capture;
pub use error::CaptureError;
pub use position::{Partial, Position, position_topic};
pub use record::RecordWriter;
pub use settings::{CaptureSettings, Until};
pub use traffic::Traffic;
