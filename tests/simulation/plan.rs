//! What a history may do, drawn from its seed: not each history has each fault, so that rare ones get room.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono_tz::Tz;
use fastrand::Rng;

use crate::support::Workload;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The power fails before or after an operation of the store, and what was not synced is forgotten.
    PowerCut,
    /// A run is killed before or after an operation; the disk forgets nothing.
    Kill,
    /// An operation fails and has done nothing, for lack of space.
    DiskFull,
    /// An operation fails and has done nothing, for another reason.
    DiskError,
    /// An operation is done and fails all the same.
    LostAnswer,
    /// A run sleeps within an operation while others continue.
    Suspension,
    /// A second run starts beside one that is alive.
    Successor,
    /// A source fails.
    SourceError,
    /// A run is asked to end.
    Stop,
    /// The topic gets a partition while a run reads it.
    NewPartition,
    /// Records are deleted that the book does not have.
    Retention,
    /// The topic loses records that the book has.
    Truncation,
    /// The topic loses records that the book has, and grows past its position again.
    Regrowth,
    /// Another topic has the topic's name.
    Recreation,
    /// A partition gets another leader, and loses nothing.
    LeaderChange,
}

impl Fault {
    /// All kinds.
    pub(crate) const ALL: [Fault; 15] = [
        Fault::PowerCut,
        Fault::Kill,
        Fault::DiskFull,
        Fault::DiskError,
        Fault::LostAnswer,
        Fault::Suspension,
        Fault::Successor,
        Fault::SourceError,
        Fault::Stop,
        Fault::NewPartition,
        Fault::Retention,
        Fault::Truncation,
        Fault::Regrowth,
        Fault::Recreation,
        Fault::LeaderChange,
    ];

    /// Of how many occasions about one is struck, in a history that has this fault; `None` where the topic
    /// decides.
    fn occasions(self) -> Option<usize> {
        match self {
            Fault::PowerCut | Fault::Kill => Some(250),
            Fault::DiskFull | Fault::DiskError | Fault::LostAnswer => Some(400),
            Fault::Suspension => Some(60),
            Fault::Successor => Some(150),
            Fault::SourceError => Some(100),
            Fault::Stop => Some(200),
            Fault::LeaderChange => Some(4),
            Fault::NewPartition | Fault::Retention | Fault::Truncation | Fault::Regrowth | Fault::Recreation => None,
        }
    }
}

/// A change that makes the store, the source or the dataflow wrong, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Data files are not synced.
    UnsyncedFiles,
    /// Log entries are not synced.
    UnsyncedEntries,
    /// The names in a staging folder are not synced.
    UnsyncedStaging,
    /// The names in the log's folder are not synced.
    UnsyncedLog,
    /// Names that commits put in place are not synced.
    UnsyncedPlaces,
    /// An entry is put only after its files are in place.
    LatePut,
    /// An entry replaces the one of another run.
    OverwritingPut,
    /// Staging folders of older runs are not swept.
    UnsweptStaging,
    /// A byte of a file changes on its way to the disk.
    FlippedByte,
    /// A batch misses its last record, past which the cursor has moved.
    DroppedRecord,
    /// A record comes twice.
    RepeatedRecord,
    /// Positions are one too high.
    SkippedOffset,
    /// A digit of a transaction's number is another one, which no count shows.
    WrongXid,
    /// A digit of a line is another one, which no count shows.
    WrongText,
    /// A record's timestamp is one microsecond too late.
    WrongTime,
    /// Leader epochs are not kept.
    ForgottenLeaderEpochs,
    /// A reject that was counted has no row.
    DroppedReject,
    /// A reject has two rows.
    RepeatedReject,
    /// A reject's row has the next offset.
    MisplacedReject,
    /// Rejects have the reason of others.
    WrongReason,
    /// A bit of the last header of each reject is another one.
    WrongHeaders,
    /// Changes of a batch are written in reverse order.
    UnorderedEvents,
    /// Rejects of a batch are written in reverse order.
    UnorderedRejects,
}

impl Mutation {
    /// All of them.
    pub(crate) const ALL: [Mutation; 23] = [
        Mutation::UnsyncedFiles,
        Mutation::UnsyncedEntries,
        Mutation::UnsyncedStaging,
        Mutation::UnsyncedLog,
        Mutation::UnsyncedPlaces,
        Mutation::LatePut,
        Mutation::OverwritingPut,
        Mutation::UnsweptStaging,
        Mutation::FlippedByte,
        Mutation::DroppedRecord,
        Mutation::RepeatedRecord,
        Mutation::SkippedOffset,
        Mutation::WrongXid,
        Mutation::WrongText,
        Mutation::WrongTime,
        Mutation::ForgottenLeaderEpochs,
        Mutation::DroppedReject,
        Mutation::RepeatedReject,
        Mutation::MisplacedReject,
        Mutation::WrongReason,
        Mutation::WrongHeaders,
        Mutation::UnorderedEvents,
        Mutation::UnorderedRejects,
    ];
}

impl Mutation {
    /// Whether it is made to the records of a batch.
    pub(crate) fn changes_records(self) -> bool {
        use Mutation::{DroppedRecord, RepeatedRecord, WrongText, WrongTime, WrongXid};
        matches!(self, DroppedRecord | RepeatedRecord | WrongXid | WrongText | WrongTime)
    }

    /// Whether it is made to the rows of a batch, behind the parser.
    pub(crate) fn changes_rows(self) -> bool {
        use Mutation::{DroppedReject, MisplacedReject, RepeatedReject, WrongHeaders, WrongReason};
        use Mutation::{UnorderedEvents, UnorderedRejects};
        matches!(self, DroppedReject | RepeatedReject | MisplacedReject | WrongReason | WrongHeaders)
            || matches!(self, UnorderedEvents | UnorderedRejects)
    }
}

/// The shape of one history.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The records of the topic.
    pub(crate) workload: Workload,
    /// The faults that may happen, and of how many occasions about one is struck.
    pub(crate) faults: BTreeMap<Fault, usize>,
    /// Turns before it becomes calm.
    pub(crate) turns: usize,
    /// The book's zone.
    pub(crate) time_zone: Tz,
    /// Records in the largest batch.
    pub(crate) largest_batch: u64,
    /// The time between two commits.
    pub(crate) commit_interval: Duration,
    /// How the topic loses records at the end, if it does.
    pub(crate) loss: Option<Fault>,
    /// What is made wrong on purpose.
    pub(crate) mutation: Option<Mutation>,
    /// Whether runs merge the files of days. Not with a mutation, which merged files may hide: their rows have another order.
    pub(crate) compacts: bool,
    /// Whether runs sweep the log. Not with a mutation, which is found by single entries.
    pub(crate) sweeps: bool,
    /// Whether the trace is printed.
    pub(crate) prints_trace: bool,
}

impl Plan {
    /// Draws a plan.
    pub(crate) fn draw(random: &mut Rng, mutation: Option<Mutation>) -> Plan {
        let workload = Workload {
            seed: random.u64(..),
            records: random.u64(10..120),
            tables: random.usize(1..6),
            days: random.u32(1..5),
            partitions: random.i32(1..5),
            markers: random.u32(..300),
            rejects: random.u32(..100),
            gaps: random.u32(..200),
            timeless: random.u32(..20),
            headers: random.u32(..500),
            ..Workload::default()
        };
        let mut faults = BTreeMap::new();
        for fault in Fault::ALL {
            if let Some(of) = fault.occasions()
                && random.u32(..3) > 0
            {
                faults.insert(fault, of);
            }
        }
        let zones = [Tz::UTC, Tz::Europe__Vienna, Tz::America__New_York];
        let losses = [Fault::Retention, Fault::Truncation, Fault::Regrowth, Fault::Recreation];
        Plan {
            workload,
            faults,
            turns: random.usize(100..900),
            time_zone: zones[random.usize(..zones.len())],
            largest_batch: random.u64(1..40),
            commit_interval: Duration::from_millis([50, 300, 2_000][random.usize(..3)]),
            loss: (random.u32(..4) == 0).then(|| losses[random.usize(..losses.len())]),
            mutation,
            compacts: mutation.is_none() && random.bool(),
            sweeps: mutation.is_none() && random.bool(),
            prints_trace: std::env::var_os("WALBOOK_TRACE").is_some(),
        }
    }
}
