//! Kafka topics as a source.
//!
//! In: brokers, topics, settings of librdkafka. Out: batches that own librdkafka's own buffers (no copy), and what the
//! leader needs of topics: identity, partitions, watermarks.
//!
//! Each worker has one consumer with a manual assignment and explicit offsets: no group protocol, no seek, no stored
//! offsets. `auto.offset.reset` is `error`, so a lost range is an error and never skipped. So are records that were read
//! and are others now: the leader epoch of each partition's last record is kept, and compared at start, when a leader changes,
//! and with each batch. Offsets are committed to a group for lag dashboards only, and never read back.
//!
//! *Why unsafe*: `rd_kafka_consume_batch_queue` takes thousands of messages in one call, at a third of the cost of
//! polling them one by one, and the binding (rdkafka) has no safe call for it, nor for a topic's UUID, leader epochs and a
//! client's logger. A binding with them would make the files with `unsafe` needless.

mod admin;
#[expect(unsafe_code, reason = "batch consume is not in the safe binding")]
mod batch;
mod consumer;
mod context;
mod epochs;
mod error;
#[expect(unsafe_code, reason = "a client's logger is not in the safe binding")]
mod logger;
#[expect(unsafe_code, reason = "leader epochs are not in the safe binding")]
mod partition_list;
mod plan;
mod reach;
mod settings;
mod tail;
mod topics;
#[expect(unsafe_code, reason = "topic UUIDs are not in the safe binding")]
mod uuid;

pub use admin::Admin;
pub use consumer::KafkaSource;
pub use context::{Context, Undelivered};
pub use epochs::{Divergence, EpochEnd};
pub use error::KafkaError;
pub use logger::write_log_lines;
pub use plan::{KafkaDiscovery, KnownTopic, check_same_topics, plan_topic};
pub use settings::KafkaSettings;
pub use tail::NewestRecord;
pub use topics::{Copies, LeaderEnd, LedPartition, StartFrom, Topic, Topics, Watermarks};
