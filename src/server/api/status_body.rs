//! The body of `/api/status`, and the status in the events of `/api/live`. What is not known is null.

use serde::Serialize;
use utoipa::ToSchema;

use super::schema::Timestamp;
use crate::book::CompleteTo;
use crate::book::log::entry::SourceKind;
use crate::change::Day;
use crate::server::state::RunPhase;

/// The status of a book and of the run that writes it.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct Status {
    /// The version of the program.
    #[schema(value_type = String)]
    pub(in crate::server) walbook: &'static str,
    pub(in crate::server) book: BookStatus,
    pub(in crate::server) mode: Mode,
    pub(in crate::server) now: Timestamp,
    /// The present day in the book's time zone.
    pub(in crate::server) today: Option<Day>,
    pub(in crate::server) state: RunPhase,
    /// Why the state is what it is, in words.
    pub(in crate::server) state_reason: Option<String>,
    /// Every record that the topics held at this instant has been read.
    pub(in crate::server) complete_at: Option<Timestamp>,
    pub(in crate::server) complete_to: CompleteTo,
    pub(in crate::server) durable: DurableStatus,
    pub(in crate::server) live: Option<LiveEpoch>,
    pub(in crate::server) rate: RateHistory,
    /// Records of Kafka topics that can be read and were not.
    pub(in crate::server) lag_records: Option<u64>,
    /// Bytes of a slot's WAL or of a file that can be read and were not.
    pub(in crate::server) lag_bytes: Option<u64>,
    pub(in crate::server) commit_interval_seconds: Option<f64>,
    /// Since when the source has answered every query.
    pub(in crate::server) connected_at: Option<Timestamp>,
    pub(in crate::server) topics: Vec<TopicStatus>,
    /// The processes of the run; null if it is a single one.
    pub(in crate::server) cluster: Option<ClusterStatus>,
    pub(in crate::server) rejects: RejectsStatus,
    /// Fields beside lines (`lsn`, `xid`, `commit_time`, …) of committed records that could not be read; they are null in the events.
    pub(in crate::server) unreadable_fields: u64,
    pub(in crate::server) slot: Option<SlotAnswer>,
    /// Offsets that were accepted as lost.
    pub(in crate::server) lost: Vec<LostOffsets>,
    pub(in crate::server) files: FilesStatus,
}

/// The files of events and rejects, and what compactions have done.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct FilesStatus {
    /// How many there are.
    pub(in crate::server) files: Option<u64>,
    pub(in crate::server) bytes: Option<u64>,
    /// How many files the day with the most of them has.
    pub(in crate::server) most_of_a_day: Option<u64>,
    /// How many entries the log has.
    pub(in crate::server) entries: u64,
    /// How many of them are compactions.
    pub(in crate::server) compactions: u64,
    pub(in crate::server) newest_compaction: Option<CompactionStatus>,
    /// What was pruned last.
    pub(in crate::server) newest_prune: Option<PruneStatus>,
}

/// The events and rejects of old days that were pruned.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct PruneStatus {
    /// Its log entry.
    pub(in crate::server) entry: u64,
    pub(in crate::server) written_at: Timestamp,
    /// The first day whose events and rejects stayed.
    pub(in crate::server) before: Day,
    pub(in crate::server) files: u64,
    pub(in crate::server) bytes: Option<u64>,
}

/// A compaction: files of a day that were merged.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct CompactionStatus {
    /// Its log entry.
    pub(in crate::server) entry: u64,
    pub(in crate::server) written_at: Timestamp,
    /// `events` or `rejects`.
    pub(in crate::server) table: String,
    pub(in crate::server) day: Day,
    pub(in crate::server) files_before: u64,
    pub(in crate::server) files_after: u64,
    pub(in crate::server) bytes_before: u64,
    pub(in crate::server) bytes_after: u64,
    pub(in crate::server) rows: u64,
}

/// The status in an event of the stream.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct LiveStatus {
    pub(in crate::server) now: Timestamp,
    pub(in crate::server) state: RunPhase,
    /// Why the state is what it is, in words.
    pub(in crate::server) state_reason: Option<String>,
    /// Every record that the topics held at this instant has been read.
    pub(in crate::server) complete_at: Option<Timestamp>,
    pub(in crate::server) durable: DurableStatus,
    pub(in crate::server) live: Option<LiveEpoch>,
    pub(in crate::server) rate: PresentRate,
    /// Records of Kafka topics that can be read and were not.
    pub(in crate::server) lag_records: Option<u64>,
    /// Bytes of a slot's WAL or of a file that can be read and were not.
    pub(in crate::server) lag_bytes: Option<u64>,
    pub(in crate::server) rejects_total: u64,
    /// The present day in the book's time zone.
    pub(in crate::server) today: Option<Day>,
}

/// The book.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct BookStatus {
    pub(in crate::server) name: String,
    pub(in crate::server) id: String,
    pub(in crate::server) time_zone: String,
    pub(in crate::server) day_from: String,
    /// The run that wrote the newest log entry.
    pub(in crate::server) generation: String,
    pub(in crate::server) first_day: Option<Day>,
    pub(in crate::server) made_at: Option<Timestamp>,
}

/// `run` if a run of this process writes the book.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::server) enum Mode {
    Run,
    Serve,
}

/// The newest commit.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct DurableStatus {
    pub(in crate::server) commit: u64,
    pub(in crate::server) committed_at: Option<Timestamp>,
    /// Everything that the topics held at this instant is committed.
    pub(in crate::server) complete_at: Option<Timestamp>,
    /// How long the commit took to append its log entry and place its files; only known to the run itself.
    pub(in crate::server) took_seconds: Option<f64>,
    /// How many changes it added.
    pub(in crate::server) changes: Option<u64>,
    /// The newest log entry.
    pub(in crate::server) entry: u64,
}

/// The newest closed epoch of the run.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct LiveEpoch {
    pub(in crate::server) epoch: u64,
    pub(in crate::server) closed_at: Timestamp,
}

/// How fast records arrive.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct PresentRate {
    pub(in crate::server) records_per_second: f64,
}

/// How fast records arrive, and arrived during the last 15 minutes.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct RateHistory {
    pub(in crate::server) records_per_second: f64,
    /// Records per second in each quarter of a minute, the oldest first.
    #[schema(min_items = 60, max_items = 60)]
    pub(in crate::server) history: Vec<f64>,
}

/// A topic, a slot or a file, with its partitions.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct TopicStatus {
    pub(in crate::server) name: String,
    pub(in crate::server) source: SourceKind,
    pub(in crate::server) partitions: Vec<PartitionProgress>,
}

/// How far a partition was read.
#[derive(Default, Serialize, ToSchema)]
pub(in crate::server) struct PartitionProgress {
    pub(in crate::server) partition: i32,
    pub(in crate::server) next_offset: i64,
    pub(in crate::server) end_offset: Option<i64>,
    pub(in crate::server) lag_records: Option<u64>,
    pub(in crate::server) lag_bytes: Option<u64>,
    pub(in crate::server) lag_seconds: Option<f64>,
    pub(in crate::server) read_to: Option<Timestamp>,
}

/// The processes of a run, as the answering one sees them.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct ClusterStatus {
    /// The start of the cluster: another one at each start.
    pub(in crate::server) run: String,
    /// The index of the answering process.
    pub(in crate::server) process: usize,
    /// The index of the process that leads.
    pub(in crate::server) leader: usize,
    /// Since when it leads: all processes were connected.
    pub(in crate::server) since: Timestamp,
    /// All processes, by index.
    pub(in crate::server) processes: Vec<ProcessStatus>,
}

/// A process of a cluster.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct ProcessStatus {
    pub(in crate::server) process: usize,
    /// `host:port` in the hosts file.
    pub(in crate::server) address: String,
    /// Its worker threads.
    pub(in crate::server) workers: usize,
    /// When it was connected.
    pub(in crate::server) since: Timestamp,
    /// How many milliseconds ago something last came from it, by the clock of the answering process; 0 for that process itself.
    pub(in crate::server) last_contact_ms: u64,
    /// Whether that is less than three seconds ago.
    pub(in crate::server) answers: bool,
    /// Why it does not reach what it reads; null if it does.
    pub(in crate::server) source_error: Option<String>,
}

/// The rejects of the newest commit and those before.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct RejectsStatus {
    pub(in crate::server) total: u64,
    /// How many are on the requested days; null if no days are requested.
    pub(in crate::server) in_range: Option<u64>,
    pub(in crate::server) newest: Option<Timestamp>,
    pub(in crate::server) by_reason: Vec<ReasonStatus>,
    /// Why these numbers are too low: files that are missing, damaged, or not read yet; null if they are not.
    pub(in crate::server) unread: Option<String>,
}

/// The rejects with one reason.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct ReasonStatus {
    pub(in crate::server) reason: String,
    pub(in crate::server) count: u64,
    pub(in crate::server) newest: NewestReject,
}

/// The newest reject with a reason.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct NewestReject {
    pub(in crate::server) topic: String,
    pub(in crate::server) partition: i32,
    pub(in crate::server) offset: i64,
    pub(in crate::server) kafka_time: Option<Timestamp>,
    pub(in crate::server) key: Option<String>,
    pub(in crate::server) value: Option<String>,
    /// Whether the value was truncated.
    pub(in crate::server) value_cut: bool,
}

/// The replication slot that the run reads.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct SlotAnswer {
    pub(in crate::server) name: String,
    /// When its server was last queried.
    pub(in crate::server) asked_at: Timestamp,
    pub(in crate::server) active: Option<bool>,
    pub(in crate::server) confirmed_lsn: Option<String>,
    pub(in crate::server) restart_lsn: Option<String>,
    /// Bytes of WAL that are not confirmed.
    pub(in crate::server) lag_bytes: Option<i64>,
    /// Bytes of WAL that the server keeps for the slot.
    pub(in crate::server) retained_bytes: Option<i64>,
    pub(in crate::server) wal_status: Option<String>,
}

/// Offsets of a partition that were accepted as lost.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct LostOffsets {
    pub(in crate::server) topic: String,
    pub(in crate::server) partition: i32,
    pub(in crate::server) from: i64,
    pub(in crate::server) to: i64,
    /// How many of the offsets from `from` to `to` were lost.
    pub(in crate::server) records: u64,
}
