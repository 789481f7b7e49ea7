//! A replication slot → a Kafka topic, nothing lost, nothing twice.
//!
//! In: whole transactions of a slot in commit order. Out: one record a change, and in the same Kafka transaction the
//! position: the LSN up to which every commit is in the topic. Back to the slot: that LSN, once Kafka has committed it.
//!
//! Promises: read with `isolation.level=read_committed`, the topic holds each committed change once, a table's changes in commit
//! order; nothing is confirmed to PostgreSQL that the position topic does not hold; what follows the position and cannot be
//! read any more is an error with its range, never a gap; one capture writes at a time. The slot is the lock: a second
//! capture waits 90 s for it and gives up. One that lost the slot while it was suspended is fenced, by the producer's id
//! in Kafka or by the writer in the position, and ends without writing beside its successor.
//!
//! The value of a record (the key is the table's name as test_decoding prints it):
//!
//! ```json
//! {"lsn":"0/16B2E58","xid":736,"commit_lsn":"0/16B2F00","commit_time":"2026-11-22T12:34:56.123456Z","seq":3,"data":"table public.t: INSERT: id[integer]:1"}
//! ```
//!
//! `<topic>.walbook-position` has one partition and is compacted. Its newest record is the [`Position`]: the LSN; the last
//! transactions, by which a server that was set back to an older state is recognized (`replication/repeat_check.rs`); and where the
//! topic's partitions ended, some 15 bytes each, by which lost records are noticed (`topic_ends.rs`). Both are compared when the topic is
//! claimed, the ends also before each position that follows records. A partition that does not answer is waited for, for 20 s; then its
//! last known end stays in the position until it answers and can be compared.
//!
//! Server, role and slot are checked before topics are created. A *session* is one try: start to read the slot, settle what an earlier producer left open, read the position, claim the
//! topic by writing the position again with an id of this process, then stream. Any error ends the session, and the next one
//! repeats all steps. *Why*: a broken connection, an unknown outcome of a commit, a crash and a first start all use the same
//! code, so it is well tested. Errors that librdkafka retries by itself do not end a session.
//!
//! *Why our own record writer*: serde_json was looked at, and it refuses lines that are not UTF-8.

#[expect(clippy::module_inception, reason = "the room's verb")]
mod capture;
mod error;
mod flow;
mod position;
mod progress;
mod publisher;
mod record;
mod session;
mod settings;
mod shutdown_deadline;
mod slow_step;
mod topic_ends;
mod topic_watch;
mod topics;

pub use capture::capture;
pub use error::CaptureError;
pub use position::{Partial, PartitionEnd, Position, position_topic};
pub use progress::CaptureProgress;
pub use record::RecordWriter;
pub use settings::{CaptureSettings, Until};
